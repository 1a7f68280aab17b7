"""Claims about what a node lacks of a release of k3s."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release import (
    LinkSeen,
    Record,
    Wanted,
    difference,
    doubled_names,
    link_seen,
    needs_by_directory,
    not_replaced,
    parse_record,
    plan_release,
    too_large,
    wanted_files,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
BINARY = "/usr/local/bin/k3s"
IMAGES = "/var/lib/rancher/k3s/agent/images"
MIB = 1 << 20


def artifact(*images: str) -> dict[str, Any]:
    """Return the artifacts of an architecture, with archives of these names."""
    return {
        "binary": {"name": "k3s-arm64", "path": "/srv/k3s-arm64", "sha256": A, "size": 70 * MIB},
        "images": [
            {"name": name, "path": f"/srv/{name}", "sha256": B, "size": 200 * MIB}
            for name in images
        ],
    }


def test_the_binary_comes_last_and_under_its_own_name() -> None:
    assert [(x.path, x.mode) for x in wanted_files(artifact("i.tar.zst"))] == [
        (f"{IMAGES}/i.tar.zst", 0o644),
        (BINARY, 0o755),
    ]


def test_archives_of_one_name_are_told() -> None:
    assert doubled_names(artifact("a.tar", "b.tar")) == []
    assert doubled_names(artifact("a.tar", "a.tar", "k3s")) == ["a.tar", "k3s"]


def test_only_what_differs_is_placed() -> None:
    wanted = wanted_files(artifact("i.tar"))
    plan = plan_release(
        "v2", wanted, {BINARY: (C, 0o755), f"{IMAGES}/i.tar": (B, 0o644)}, [], Record()
    )
    assert [each.path for each in plan.place] == [BINARY]
    assert needs_by_directory(plan) == {"/usr/local/bin": 70 * MIB}


def test_a_node_that_has_all_is_left_alone() -> None:
    wanted = wanted_files(artifact("i.tar"))
    record = Record("v2", {f"{IMAGES}/i.tar": B, BINARY: A})
    seen = {BINARY: (A, 0o755), f"{IMAGES}/i.tar": (B, 0o644)}
    links = [LinkSeen("/usr/local/bin/ctr", "k3s")]
    plan = plan_release("v2", wanted, seen, links, record)
    assert plan.changed is False
    assert difference(plan, "v2") == {"before": "k3s v2\n", "after": "k3s v2\n"}


def test_another_mode_is_mended_without_a_copy() -> None:
    wanted = wanted_files(artifact())
    plan = plan_release("v2", wanted, {BINARY: (A, 0o700)}, [], Record("v2", {BINARY: A}))
    assert (plan.place, [each.path for each in plan.modes], plan.changed) == ((), [BINARY], True)


def test_archives_that_were_brought_before_are_taken_away_and_no_others() -> None:
    record = Record("v1", {f"{IMAGES}/old.tar": B, f"{IMAGES}/gone.tar": B, BINARY: C})
    seen = {BINARY: (C, 0o755), f"{IMAGES}/old.tar": (B, 0o644), f"{IMAGES}/gone.tar": (None, 0)}
    plan = plan_release("v2", wanted_files(artifact()), seen, [], record)
    assert plan.remove == (f"{IMAGES}/old.tar",)
    assert difference(plan, "v1") == {
        "before": f"k3s v1\n{BINARY} sha256:{C}\n{IMAGES}/old.tar sha256:{B}\n",
        "after": f"k3s v2\n{BINARY} sha256:{A}\n",
    }


@pytest.mark.parametrize(
    ("target", "exists", "elsewhere", "links", "left"),
    [
        pytest.param(None, False, "", ("/l/ctr",), (), id="nothing-there"),
        pytest.param("k3s", True, "", (), (), id="ours"),
        pytest.param(BINARY, True, "/usr/bin/ctr", (), (), id="ours-spelt-out"),
        pytest.param(None, True, "", (), ("/l/ctr",), id="somebody-elses-file"),
        pytest.param("/opt/ctr", True, "", (), ("/l/ctr",), id="somebody-elses-link"),
        pytest.param(None, False, "/usr/bin/ctr", (), ("/usr/bin/ctr",), id="elsewhere"),
    ],
)
def test_links_are_made_only_where_nothing_of_the_owners_is(
    target: str | None, exists: bool, elsewhere: str, links: tuple[str, ...], left: tuple[str, ...]
) -> None:
    seen = link_seen("/l/ctr", target, exists, elsewhere)
    plan = plan_release(
        "v2", wanted_files(artifact()), {BINARY: (A, 0o755)}, [seen], Record("v2", {BINARY: A})
    )
    assert (plan.link, plan.left) == (links, left)
    assert plan.changed is bool(links)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("{", id="cut-short"),
        pytest.param("[]", id="list"),
        pytest.param('{"files": 3}', id="no-files"),
    ],
)
def test_an_unreadable_record_counts_as_none(text: str | None) -> None:
    assert parse_record(text) == Record()


def test_a_record_is_read_as_it_was_written() -> None:
    record = Record("v2", {BINARY: A})
    assert parse_record(record.text()) == record


def test_room_is_told_in_words() -> None:
    assert too_large(MIB, "/usr", MIB) == ""
    assert too_large(70 * MIB, "/usr", 10 * MIB) == (
        "/usr has 10 MiB free, expected 70 MiB for the release of k3s; make room there (df -h "
        "/usr), then run the same command again. Nothing was changed"
    )


def test_a_size_that_nobody_knows_needs_no_room() -> None:
    wanted = [Wanted("k3s", BINARY, A, None, 0o755)]
    plan = plan_release("v2", wanted, {}, [], Record())
    assert needs_by_directory(plan) == {"/usr/local/bin": 0}


@pytest.mark.parametrize(
    ("running", "joined"),
    [
        pytest.param("", True, id="a-damaged-binary"),
        pytest.param("v1.34.2+k3s1", True, id="the-same"),
        pytest.param("v1.33.5+k3s1", False, id="not-in-a-cluster"),
    ],
)
def test_a_release_may_come(running: str, joined: bool) -> None:
    assert not_replaced("v1.34.2+k3s1", running, joined) == ""


def test_the_release_of_a_cluster_stays_until_the_node_is_emptied() -> None:
    said = not_replaced("v1.34.2+k3s1", "v1.33.5+k3s1", True)
    assert said.startswith("the node runs v1.33.5+k3s1 in a cluster")
    assert "playbooks/k3s_upgrade.yml" in said
