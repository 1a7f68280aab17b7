# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is being done to a cluster: one at a time, on record, and shown by status.yml."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from tests.lab.paths import ROOT
from tests.testinfra.lifecycle.support import Running, quiet, wait_for
from tests.testinfra.operations.support import Desk


@contextmanager
def under_way(desk: Desk, playbook: str) -> Iterator[Running]:
    """Have a playbook at work on the nodes for the block; it is killed if it still is then."""
    run = desk.cluster.start(playbook)
    try:
        wait_for(f"{playbook} at work", 120, lambda: desk.lock_is_held(run))
        yield run
    finally:
        if run.process.poll() is None:
            run.kill()
            run.process.wait(timeout=30)


def nodes(desk: Desk) -> list[str]:
    """Return the nodes' names in the inventory."""
    return [f"{desk.cluster.lab}-n{number}" for number in (1, 2)]


def test_nodes_that_were_never_touched_are_initializing(desk: Desk) -> None:
    seen = desk.status()
    assert seen.verdict == ("Initializing", "failed", 2)
    assert seen.document["notes"] == ["it is not built yet; run provision.yml"]
    assert not desk.record.exists()


def test_check_mode_takes_no_lock_and_leaves_no_record(desk: Desk) -> None:
    assert desk.cluster.play("provision.yml", "--check").rc == 0
    assert not desk.record.exists()


def test_a_run_that_preflight_refuses_is_not_taken_for_interrupted(desk: Desk) -> None:
    refused = desk.cluster.play("provision.yml", "-e", "my_iface=nosuch0")
    assert refused.rc == 2
    seen = desk.status()
    assert seen.verdict == ("Initializing", "failed", 2)
    assert seen.history == [("provision", "refused")]
    assert seen.document["unfinished"] is None


def test_the_first_provision_is_seen_guarded_and_survived(desk: Desk) -> None:
    """It runs, a second one is refused, it is killed, and the next one is told."""
    with under_way(desk, "provision.yml") as first:
        seen = desk.status()
        assert seen.verdict == ("Initializing", "failed", 2)
        assert seen.document["running"]["pid"] == first.process.pid
        assert f"provision runs, begun by root@{seen.document['running']['host']}" in seen.page
        for playbook in ("provision.yml", "reset.yml"):
            second = desk.cluster.play(playbook)
            assert second.rc == 2
            assert "is in other hands: provision by root@" in second.prose
            assert f"process {first.process.pid}, since " in second.prose
            assert f"stop it with 'kill -INT {first.process.pid}'" in second.prose
            assert set(second.changed.values()) == {0}
        assert first.process.poll() is None
    seen = desk.status()
    assert seen.document["running"] is None
    assert seen.history[0] == ("provision", "interrupted")
    command = f"ansible-playbook -i {desk.cluster.inventory} {ROOT}/playbooks/provision.yml"
    assert seen.document["unfinished"]["command"] == command
    assert f"was interrupted at 'changes'; to finish it, run {command}" in seen.page
    assert seen.document["state"] == "Initializing"


def test_the_next_provision_goes_on_and_says_what_was_before(desk: Desk) -> None:
    finished = desk.cluster.play("provision.yml")
    assert finished.rc == 0
    assert "was interrupted at 'changes'." in finished.prose
    seen = desk.status()
    assert seen.verdict == ("Running", "healthy", 0)
    assert seen.history[:2] == [("provision", "succeeded"), ("provision", "interrupted")]
    assert seen.document["unfinished"] is None
    assert seen.document["record"]["initialized"] is not None
    assert seen.document["versions"] == [
        {"engine": "ray", "wanted": "2.60.0", "found": {"2.60.0": nodes(desk)}}
    ]
    assert seen.document["ray"]["dashboard"] == f"http://{desk.cluster.head}:8265"


def test_a_later_provision_is_an_update_and_of_two_at_once_one_is_refused(desk: Desk) -> None:
    with under_way(desk, "provision.yml") as run:
        assert desk.status().verdict == ("Updating", "healthy", 0)
        assert run.finish().rc == 0
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: desk.cluster.play("provision.yml"), range(2)))
    winner, refused = sorted(both, key=lambda played: played.rc)
    assert quiet(winner, nodes(desk)), winner.recap
    assert refused.rc == 2
    assert "is in other hands: provision by" in refused.prose


def test_a_node_that_is_off_is_named_with_status_4(desk: Desk) -> None:
    off = nodes(desk)[1]
    with desk.cluster.powered_off(off):
        seen = desk.status()
        forgiven = desk.status("-e", "status_exit=false")
    assert seen.verdict == ("Failed", "degraded", 4)
    assert seen.played.lost == {off}
    assert [each["node"] for each in seen.document["reasons"]] == [off]
    assert forgiven.verdict == ("Failed", "degraded", 0)


def test_a_head_that_is_stopped_is_a_failure_with_status_2(desk: Desk) -> None:
    def well() -> bool | None:
        return True if desk.status().document["health"] == "healthy" else None

    wait_for("both nodes alive after the boot", 180, well)
    head = nodes(desk)[0]
    desk.cluster.run(head, "systemctl stop ray")
    try:
        seen = desk.status()
    finally:
        desk.cluster.run(head, "systemctl start ray")
    assert seen.verdict == ("Failed", "failed", 2)
    # How its programs end on a stop decides whether systemd calls it inactive or failed.
    assert f"{head}: ray.service is " in seen.played.prose
    wait_for("both nodes alive again", 180, well)


def test_a_lost_record_costs_its_history_and_nothing_else(desk: Desk) -> None:
    desk.record.unlink()
    seen = desk.status()
    assert seen.verdict == ("Running", "healthy", 0)
    assert seen.history == []
    assert not desk.record.exists()


def test_a_broken_record_is_kept_aside_and_rebuilt_from_the_nodes(desk: Desk) -> None:
    desk.record.write_text("half a fi", encoding="utf-8")
    seen = desk.status()
    assert seen.verdict == ("Running", "healthy", 0)
    assert "it is not JSON" in seen.document["record"]["problem"]
    with under_way(desk, "provision.yml") as run:
        # That it has stood before is known from the nodes: this is no first provision.
        assert desk.known()["initialized"] is not None
        assert desk.status().document["state"] == "Updating"
        assert run.finish().rc == 0
    kept = desk.record.with_name(f"{desk.record.name}.broken")
    assert kept.read_text(encoding="utf-8") == "half a fi"


def test_a_holder_on_another_machine_is_passed_only_when_told_so(desk: Desk) -> None:
    known = desk.known()
    last = known["operations"][-1]
    last["process"]["host"] = "elsewhere"
    last.update(name="upgrade", result="running", ended=None, phase="agents")
    desk.record.write_text(json.dumps(known), encoding="utf-8")
    assert desk.status().document["state"] == "Upgrading"
    refused = desk.cluster.play("provision.yml")
    assert refused.rc == 2
    assert "look on elsewhere." in refused.prose
    assert "-e cluster_take_lock=true" in refused.prose
    assert desk.cluster.play("provision.yml", "-e", "cluster_take_lock=true").rc == 0
    assert desk.status().history[:2] == [("provision", "succeeded"), ("upgrade", "interrupted")]


def test_reset_is_a_deletion_and_afterwards_nothing_is_built(desk: Desk) -> None:
    with under_way(desk, "reset.yml") as run:
        assert desk.status().document["state"] == "Deleting"
        assert run.finish().rc == 0
    seen = desk.status()
    assert seen.verdict == ("Initializing", "failed", 2)
    assert seen.document["record"]["initialized"] is None
    assert seen.history[0] == ("reset", "succeeded")
