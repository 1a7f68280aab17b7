# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member of a cluster of servers: one leads, its changes count once most members have them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Optional, Union

from . import log
from .api import Handle, client_context
from .api_gateway import no_leader
from .api_resources import Answer, Request
from .api_watch import Stream
from .ha_client import Peer, PeerError
from .ha_join import Joiner, JoinSettings
from .ha_links import Links, Pace, Seen
from .ha_members import Member, Position, admit, candidate, majority, may_leave, members_in, voters
from .ha_members import shown as shown_member
from .store import ApiError, Change, Store
from .store_disk import Disk
from .store_solo import changes_of, rows_of

PEER = "/peer/"


class Replica:
    """This server's part of the store. ``store.changed`` guards everything that is agreed on."""

    def __init__(
        self,
        settings: JoinSettings,
        store: Store,
        fail: Callable[[str], None],
        pace: Pace = Pace(),  # noqa: B008 (frozen)
    ) -> None:
        self._settings = settings
        self._store = store
        self._fail = fail
        self._disk = Disk(settings.server_dir / "db" / "etcd")
        self._me = settings.member
        self._term = 0
        self._voted = 0
        self._last_term = 0
        self._leading = False
        self._was_member = False
        self._stopped = threading.Event()
        self._pace = pace
        context = client_context(settings.tls_ca)
        self._links = Links(self._me.name, pace, context, settings.server_password)
        store.commit = self._commit

    # What others of this server ask

    @property
    def position(self) -> Position:
        """Return what this member has."""
        return (self._last_term, self._store.revision)

    def members(self) -> dict[str, Member]:
        """Return all members by name."""
        return members_in(self._store)

    def leading(self) -> bool:
        """Return whether this server may answer by itself."""
        return self._leading and not self._stopped.is_set()

    def leader(self) -> Optional[tuple[str, int]]:
        """Return where the leader is reached by its peers."""
        if self._leading:
            return (self._me.address, self._me.peer_port)
        found = self._links.leader(self._term)
        member = self.members().get(found) if found else None
        return (member.address, member.peer_port) if member else None

    def alive(self) -> list[str]:
        """Return the names of the members that answer."""
        return [name for name in self.members() if self._links.alive(name)]

    def servers(self) -> list[str]:
        """Return where the API is, this server first."""
        own = f"{self._me.address}:{self._me.api_port}"
        others = [
            f"{member.address}:{member.api_port}"
            for member in self.members().values()
            if member.name != self._me.name and not member.learner
        ]
        return [own, *others]

    def manage(self, request: Request) -> Optional[Answer]:
        """Return the answer to a question about members (the leader is asked)."""
        what = request.path.rpartition("/etcd/")[2]
        if what == "members" and request.method == "POST":
            self._add(Member(**request.json()))
            return Answer(200, {})
        if what == "members":
            alive = self.alive()
            rows = [
                shown_member(member, member.name in alive, member.name == self._me.name)
                for member in self.members().values()
            ]
            return Answer(200, rows)
        return Answer(200, self._store.dump()) if what == "snapshot" else None

    def _add(self, new: Member) -> None:
        with self._store.changed:
            learner = admit(self.members(), self.alive(), new)
            if learner is not None:
                log.info(f"Adding member {new.ident}={new.address} to etcd cluster")
                self._store.create(learner.key(), learner.obj())
        self._link()

    # Start

    def start(self, stop: threading.Event) -> None:
        """Found, join or go on; return when a leader is there and this member has a vote."""
        tombstone = self._disk.folder / "tombstone"
        if tombstone.exists():
            log.info("etcd tombstone file found, the old datastore is removed to join again")
            for path in self._disk.folder.iterdir():
                path.unlink()
        found = self._disk.load()
        if found is not None:
            self._load(*found)
        elif self._settings.join is None:
            self._found()
        threading.Thread(target=self._beat, daemon=True).start()
        if found is None and self._settings.join is not None:
            Joiner(self._settings, self._me).join(stop)
        while not stop.is_set() and not self._ready():
            stop.wait(0.05)

    def _ready(self) -> bool:
        own = self.members().get(self._me.name)
        return own is not None and not own.learner and self.leader() is not None

    def _load(self, state: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        self._store.load(state)
        self._term = self._voted = int(state["term"])
        self._last_term = int(state["last_term"])
        for row in rows:
            self._store.apply(row["revision"], changes_of(row["changes"]))
            self._last_term = row["term"]
            self._term = max(self._term, row["term"])

    def _found(self) -> None:
        self._term = self._voted = self._last_term = 1
        self._leading = True
        self._store.create(self._me.key(), self._me.obj())
        self._save()

    def _save(self) -> None:
        try:
            self._disk.save(
                {**self._store.dump(), "term": self._term, "last_term": self._last_term}
            )
        except OSError as exc:
            self._fail(f"etcd: failed to write the datastore: {exc}")

    def stop(self) -> None:
        """Fall silent."""
        self._stopped.set()
        self._links.stop()

    # Changes

    def _commit(self, revision: int, changes: list[Change]) -> None:
        """Have most members make a change before it counts."""
        if not self.leading():
            raise no_leader()
        row = {
            "term": self._term,
            "prev": list(self.position),
            "revision": revision,
            "changes": rows_of(changes),
        }
        members = self.members()
        have = 1
        for name in members:
            if name != self._me.name and self._links.alive(name) and self._push(name, row):
                have += 0 if members[name].learner else 1
        if have < majority(members):
            raise ApiError(500, "InternalError", "etcdserver: request timed out")
        self._keep(row)

    def _push(self, name: str, row: dict[str, Any]) -> bool:
        answer = self._links.ask(name, "push", row)
        if answer is None:
            return False
        self._heard_term(int(answer.get("term", 0)))
        return bool(answer.get("ok"))

    def _keep(self, row: dict[str, Any]) -> None:
        self._last_term = row["term"]
        try:
            if self._disk.exists() and self._disk.append(row):
                # The snapshot is written when the change counts, by the next beat.
                self._disk.compact = True
        except OSError as exc:
            text = f"etcdserver: no space left for the datastore: {exc}"
            raise ApiError(500, "InternalError", text) from None

    # What peers ask

    def handler(self, forwarded: Handle) -> Handle:
        """Return what answers on the peers' port."""

        def handle(request: Request, user: str) -> Union[Answer, Stream]:
            if not request.path.startswith(PEER):
                return forwarded(request, user)
            if user != "server":
                raise ApiError(401, "Unauthorized", "not authorized")
            answers = {
                "ping": self._on_ping,
                "vote": self._on_vote,
                "push": self._on_push,
                "load": self._on_load,
            }
            return Answer(200, answers[request.path.removeprefix(PEER)](request.json()))

        return handle

    def _on_ping(self, body: dict[str, Any]) -> dict[str, Any]:
        self._heard_term(int(body.get("term", 0)))
        return {
            "term": self._term,
            "position": list(self.position),
            "leads": self.leading(),
            # No lock: a change may hold it for as long as a dead member takes.
            "member": Member(str(body["from"]), "", 0, 0).key() in self._store.objects,
        }

    def _heard_term(self, term: int) -> None:
        if term > self._term:
            self._term = term
            if self._leading:
                log.warning("lost leadership: another member has a later term")
                self._leading = False

    def _on_vote(self, body: dict[str, Any]) -> dict[str, Any]:
        term = int(body["term"])
        with self._store.changed:
            good = tuple(body["position"]) >= self.position and term > self._voted
            if good and term >= self._term:
                self._voted = term
                self._heard_term(term)
                self._save()
                return {"granted": True}
        return {"granted": False}

    def _on_push(self, row: dict[str, Any]) -> dict[str, Any]:
        with self._store.changed:
            if row["term"] < self._term or tuple(row["prev"]) != self.position:
                return {"ok": False, "term": self._term}
            self._heard_term(row["term"])
            self._keep(row)
            self._store.apply(row["revision"], changes_of(row["changes"]))
        return {"ok": True, "term": self._term}

    def _on_load(self, body: dict[str, Any]) -> dict[str, Any]:
        with self._store.changed:
            if body["term"] < self._term:
                return {"ok": False, "term": self._term}
            self._heard_term(body["term"])
            self._store.load(body)
            self._last_term = body["last_term"]
            self._save()
        return {"ok": True, "term": self._term}

    # The members' pulse

    def _beat(self) -> None:
        """Look after the other members until the end."""
        quiet_since = time.monotonic()
        while not self._stopped.wait(self._pace.beat):
            self._link()
            if self._disk.compact:
                with self._store.changed:
                    self._save()
            if self._leading:
                self._lead()
                quiet_since = time.monotonic()
            elif self._links.leader(self._term) is not None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > self._pace.dead_after:
                self._stand()

    def _link(self) -> None:
        """Listen to every other member."""
        self._links.follow(self.members, self._pulse, self._heard)

    def _pulse(self) -> dict[str, Any]:
        return {"from": self._me.name, "term": self._term}

    def _heard(self, name: str, answer: dict[str, Any], peer: Peer) -> None:
        self._heard_term(int(answer["term"]))
        if self._me.name in self.members():
            self._was_member = True
        if answer["leads"] and not answer["member"] and self._was_member:
            self._removed()
        if self._leading:
            self._catch_up(name, peer)

    def _removed(self) -> None:
        """End: the others have taken this member off the list."""
        (self._disk.folder / "tombstone").write_text("", encoding="utf-8")
        self._fail(
            "this server has been removed from the etcd cluster; its node was deleted. "
            "It joins again when it is started with a server to join"
        )

    def _catch_up(self, name: str, peer: Peer) -> None:
        """Send the whole state to a member that lacks something."""
        with self._store.changed:
            seen = self._links.seen.get(name)
            if not self.leading() or seen is None or seen.position == self.position:
                return
            state = {**self._store.dump(), "term": self._term, "last_term": self._last_term}
            try:
                # What was heard may be older than the last change; nothing changes meanwhile.
                fresh = peer.ask("ping", self._pulse(), self._pace.answer_in)
                seen.position = (fresh["position"][0], fresh["position"][1])
                if seen.position == self.position:
                    return
                answer = peer.ask("load", state, 10 * self._pace.answer_in)
            except PeerError:
                return
            self._heard_term(int(answer.get("term", 0)))
            if answer.get("ok"):
                seen.position = self.position

    def _lead(self) -> None:
        """Step down without a majority; promote learners, and let members go with their node."""
        members = self.members()
        able = [name for name in voters(members) if self._links.alive(name)]
        if len(able) < majority(members):
            log.error("etcd: lost the majority of members, no leader")
            self._leading = False
            return
        try:
            for member in members.values():
                self._tend(member)
        except (ApiError, KeyError) as exc:
            log.warning(f"etcd: {exc}")

    def _tend(self, member: Member) -> None:
        with self._store.changed:
            key = member.key()
            if self._store.get(key) is None:
                return
            seen = self._links.seen.get(member.name, Seen())
            if member.learner:
                if self._links.alive(member.name) and seen.position == self.position:
                    log.info(f"etcd learner {member.ident} has been promoted")
                    self._store.update(key, replace(member, learner=False).obj())
                elif time.monotonic() - max(seen.at, seen.since) > self._pace.learner_stall:
                    self._store.delete(key)
                return
            node = any(
                item["metadata"]["name"] == member.name for item in self._store.every("", "nodes")
            )
            if node and not member.registered:
                self._store.update(key, replace(member, registered=True).obj())
            elif member.registered and not node:
                self._let_go(member)

    def _let_go(self, member: Member) -> None:
        if not may_leave(self.members(), self.alive(), member.name):
            if len(self.members()) > 1:
                text = "re-configuration failed due to not enough started members"
                log.error(f"etcd: removing {member.ident}: etcdserver: {text}")
            return
        log.info(f"Removing etcd member {member.ident}: its node was deleted")
        self._store.delete(member.key())
        if member.name == self._me.name:
            self._leading = False
            self._removed()

    def _stand(self) -> None:
        """Ask for votes when this member is the one to lead."""
        members = self.members()
        seen = self._links.seen
        live = {name: seen[name].position for name in self.alive() if name in seen}
        live[self._me.name] = self.position
        if candidate(live, members) != self._me.name:
            return
        with self._store.changed:
            term = max(self._term, self._voted) + 1
            self._term = self._voted = term
            self._save()
        votes = 1 + sum(
            self._vote_of(name, term) for name in voters(members) if name != self._me.name
        )
        if votes >= majority(members) and self._term == term:
            self._leading = True
            log.info(f"etcd: elected leader at term {term}")

    def _vote_of(self, name: str, term: int) -> bool:
        body = {"name": self._me.name, "term": term, "position": list(self.position)}
        answer = self._links.ask(name, "vote", body) if self._links.alive(name) else None
        return bool(answer and answer.get("granted"))
