# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that share their state, over TLS on loopback addresses."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

import pytest

from tests.lab.k3s.standin.api import basic, call, client_context
from tests.lab.k3s.standin.api_resources import Request
from tests.lab.k3s.standin.log import FatalError

from .conftest import Cluster, Fleet

MAPS = "/api/v1/namespaces/default/configmaps"


def until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    """Return once something holds; fail when it never does."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come true"
        threading.Event().wait(0.02)


def three(fleet: Fleet) -> list[Cluster]:
    clusters = [Cluster(fleet.start(number)) for number in (1, 2, 3)]
    until(lambda: clusters[0].ask("GET", "/api/v1/namespaces/default").code == 200)
    return clusters


def saved(cluster: Cluster, name: str) -> bool:
    made = cluster.ask("POST", MAPS, {"metadata": {"name": name}})
    return made.code in (201, 409)


def listed(cluster: Cluster) -> list[str]:
    reply = cluster.ask("GET", MAPS)
    return [row["metadata"]["name"] for row in reply.body["items"]] if reply.code == 200 else []


def members(cluster: Cluster) -> list[str]:
    reply = cluster.ask("GET", "/v1-k3s/etcd/members", user="server")
    assert reply.code == 200, reply.body
    return sorted(row["node"] for row in reply.body if not row["learner"])


def test_any_server_answers_for_the_cluster(fleet: Fleet) -> None:
    clusters = three(fleet)
    assert members(clusters[2]) == ["s1", "s2", "s3"]
    clusters[1].make(MAPS, {"metadata": {"name": "through-two"}})
    assert [listed(cluster) for cluster in clusters] == [["through-two"]] * 3


def test_the_death_of_the_leader_loses_nothing(fleet: Fleet) -> None:
    clusters = three(fleet)
    clusters[0].make(MAPS, {"metadata": {"name": "before"}})
    fleet.stop(fleet.leader())
    until(lambda: "before" in listed(clusters[2]))
    until(lambda: saved(clusters[1], "after"))
    assert listed(clusters[2]) == ["after", "before"]


def test_without_a_majority_nothing_is_answered(fleet: Fleet) -> None:
    clusters = three(fleet)
    fleet.stop(2)
    fleet.stop(3)
    until(lambda: clusters[0].ask("GET", "/readyz").code == 500)
    refused = clusters[0].ask("POST", MAPS, {"metadata": {"name": "lost"}})
    assert (refused.code, refused.body["message"]) == (500, "etcdserver: no leader")


def test_a_server_that_comes_back_has_everything(fleet: Fleet) -> None:
    clusters = three(fleet)
    fleet.stop(3)
    until(lambda: saved(clusters[0], "meanwhile"))
    back = Cluster(fleet.start(3))
    until(lambda: "meanwhile" in listed(back))
    assert members(back) == ["s1", "s2", "s3"]


def test_all_servers_go_on_after_a_restart(fleet: Fleet) -> None:
    clusters = three(fleet)
    clusters[0].make(MAPS, {"metadata": {"name": "kept"}})
    for number in (1, 2, 3):
        fleet.stop(number)
    threads = [threading.Thread(target=fleet.start, args=(number,)) for number in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert listed(Cluster(fleet.servers[2])) == ["kept"]


def test_nobody_joins_while_a_member_is_down(
    fleet: Fleet, capfd: pytest.CaptureFixture[str]
) -> None:
    three(fleet)
    fleet.stop(3)
    until(lambda: len(_replica(fleet, 1).alive()) == 2)
    server = fleet.make(4)
    fleet.servers[4] = server
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    said = ""

    def refused() -> bool:
        nonlocal said
        said += capfd.readouterr().err
        return "etcdserver: unhealthy cluster" in said

    until(refused)
    server.stop()
    thread.join(10)


def test_a_name_that_is_taken_is_refused(fleet: Fleet) -> None:
    three(fleet)
    with pytest.raises(FatalError, match="duplicate node name found"):
        fleet.start(4, node_name="s3")


def test_a_server_with_another_network_is_refused(fleet: Fleet) -> None:
    fleet.start(1, critical={"cluster-cidr": "10.42.0.0/16"})
    with pytest.raises(FatalError, match="critical configuration value mismatch"):
        fleet.start(2, critical={"cluster-cidr": "10.99.0.0/16"})


def test_a_wrong_server_password_is_refused(fleet: Fleet) -> None:
    fleet.start(1)
    with pytest.raises(FatalError, match="401 Unauthorized"):
        fleet.start(2, server_password="wrong")


def test_deleting_a_servers_node_takes_the_member_away(fleet: Fleet) -> None:
    clusters = three(fleet)
    for number in (1, 2, 3):
        clusters[0].make("/api/v1/nodes", {"metadata": {"name": f"s{number}"}})
    nodes = "/api/v1/nodes"
    until(lambda: all(m.registered for m in _replica(fleet, 1).members().values()))
    assert clusters[0].ask("DELETE", f"{nodes}/s3").code == 200
    until(lambda: members(clusters[0]) == ["s1", "s2"])
    until(lambda: fleet.servers[3].failure is not None)
    assert "removed from the etcd cluster" in str(fleet.servers[3].failure)


def test_a_removed_server_joins_again_when_it_is_started(fleet: Fleet) -> None:
    clusters = three(fleet)
    for number in (1, 2, 3):
        clusters[0].make("/api/v1/nodes", {"metadata": {"name": f"s{number}"}})
    until(lambda: all(m.registered for m in _replica(fleet, 1).members().values()))
    clusters[0].ask("DELETE", "/api/v1/nodes/s3")
    until(lambda: fleet.servers[3].failure is not None)
    fleet.stop(3)
    fleet.start(3)
    assert members(clusters[0]) == ["s1", "s2", "s3"]


def test_one_of_the_last_two_live_members_stays(fleet: Fleet) -> None:
    clusters = three(fleet)
    for number in (1, 2, 3):
        clusters[0].make("/api/v1/nodes", {"metadata": {"name": f"s{number}"}})
    until(lambda: all(m.registered for m in _replica(fleet, 1).members().values()))
    fleet.stop(3)
    until(lambda: len(_replica(fleet, 1).alive()) == 2)
    assert clusters[0].ask("DELETE", "/api/v1/nodes/s2").code == 200
    # Two rounds of the pulse are over when the next change is through.
    until(lambda: saved(clusters[0], "later"))
    assert members(clusters[0]) == ["s1", "s2", "s3"]


def test_a_learner_that_vanishes_is_forgotten(fleet: Fleet) -> None:
    server = fleet.start(1)
    body = {"name": "s9", "address": "127.0.0.4", "peer_port": 1, "api_port": 2}
    assert Cluster(server).ask("POST", "/v1-k3s/etcd/members", body, "server").code == 200
    until(lambda: len(_replica(fleet, 1).members()) == 1)


def test_only_servers_reach_the_peers_port(fleet: Fleet) -> None:
    server = fleet.start(1)
    headers = {"authorization": basic("node", "agent-word")}
    request = Request("POST", "/peer/ping", {}, b"{}", headers)
    context = client_context(server.settings.tls_ca)
    answer = call("127.0.0.1", fleet.ports[1], context, request, 5)
    assert (answer.status, json.loads(answer.read())["reason"]) == (401, "Unauthorized")
    answer.close()


def _replica(fleet: Fleet, number: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    replica = fleet.servers[number].replica
    assert replica is not None
    return replica
