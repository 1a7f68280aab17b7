# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about --limit where it would leave out what a playbook needs, in real runs here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.playbooks.stand_in_collection import Collection


@pytest.fixture
def collection(tmp_path: Path, repository: Path) -> Collection:
    return Collection(tmp_path, repository)


@pytest.mark.parametrize(
    ("command", "limit", "words"),
    [
        pytest.param(
            ("rotate_k3s_tokens.yml",),
            "s1,a1",
            "--limit leaves out s2, s3, expected every server of [k3s_server]: one with the old "
            "tokens could not start again. Nothing was changed. Run it without --limit.",
            id="tokens-of-some-servers",
        ),
        pytest.param(
            ("rotate_k3s_certificates.yml",),
            "s1,a1",
            "--limit leaves out s2, s3, expected every server of [k3s_server]: each restarts only "
            "while the others are Ready. Nothing was changed. Run it without --limit, or to leave "
            "out agents with --limit 'k3s_server,AGENT'.",
            id="certificates-of-some-servers",
        ),
        pytest.param(
            ("rotate_k3s_certificates.yml",),
            "w1",
            "--limit leaves out s1, s2, s3, expected every server",
            id="certificates-of-none",
        ),
        pytest.param(
            ("rotate_ray_token.yml",),
            "h1,w1",
            "--limit leaves out w2, expected every member of the Ray cluster: one with the old "
            "token could not join again. Nothing was changed. Run it without --limit.",
            id="token-of-some-members",
        ),
        pytest.param(
            ("rotate_ray_token.yml",),
            "a1",
            "--limit leaves out h1, w1, w2, expected every member of the Ray cluster",
            id="token-of-none",
        ),
        pytest.param(
            ("remove_node.yml", "-e", "node=w2"),
            "w1",
            "--limit w1 would leave out nodes that must learn who has gone; run the same command "
            "without --limit. Nothing was changed.",
            id="remove-unknown-to-others",
        ),
        pytest.param(
            ("drain.yml", "-e", "node=w2,w1"),
            "w1",
            "--limit leaves out w2, expected every node that -e node=w2,w1 names. Nothing was "
            "changed. Run it without --limit.",
            id="drain-another",
        ),
        pytest.param(
            ("undrain.yml", "-e", "node=w2"),
            "w1",
            "--limit leaves out w2, expected every node that -e node=w2 names. Nothing was "
            "changed. Run it without --limit.",
            id="undrain-another",
        ),
    ],
)
def test_a_limit_that_leaves_out_what_is_needed_is_refused_before_a_change(
    collection: Collection, command: tuple[str, ...], limit: str, words: str
) -> None:
    collection.build({})
    code, said = collection.play(*command, "--limit", limit)
    assert code == 2, said
    assert words in said
    assert "Ask every node what it is" not in said
    # What ends in its checks is noted as refused by the next run.
    assert collection.phase == "checks"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param(
            ("drain.yml", "-e", "node=w2"), "--limit leaves out w2, expected every node", id="drain"
        ),
        pytest.param(
            ("remove_node.yml", "-e", "node=w2"), "--limit nas would leave out nodes", id="remove"
        ),
        pytest.param(
            ("rotate_ray_token.yml",), "--limit leaves out h1, w1, w2, expected", id="token"
        ),
    ],
)
def test_a_limit_to_a_host_outside_the_cluster_is_no_silent_success(
    collection: Collection, command: tuple[str, ...], words: str
) -> None:
    collection.build({})
    code, said = collection.play(*command, "--limit", "nas")
    assert code == 2, said
    assert words in said


@pytest.mark.parametrize(
    ("command", "group", "words"),
    [
        pytest.param(
            ("rotate_k3s_tokens.yml",),
            "ray_head",
            "The inventory has no host in [k3s_server], expected the servers of the cluster",
            id="k3s-tokens",
        ),
        pytest.param(
            ("rotate_ray_token.yml",),
            "k3s_agent",
            "The inventory has no host in [ray_head], expected the head of the Ray cluster",
            id="ray-token",
        ),
        pytest.param(
            ("remove_node.yml", "-e", "node=w2"),
            "storage",
            "w2 is no node of this inventory; its nodes are none. Nothing was changed.",
            id="remove",
        ),
    ],
)
def test_an_inventory_without_what_the_playbook_is_for_is_no_silent_success(
    collection: Collection, command: tuple[str, ...], group: str, words: str
) -> None:
    collection.build({})
    (collection.folder / "inv.ini").write_text(
        f"[{group}]\nx1 ansible_connection=local\n", encoding="utf-8"
    )
    code, said = collection.play(*command)
    assert code == 2, said
    assert words in said
    assert "Ask every node what it is" not in said


@pytest.mark.parametrize("limit", ["w1", "nas"])
def test_the_state_of_a_part_of_the_cluster_is_not_told(collection: Collection, limit: str) -> None:
    collection.build({})
    code, said = collection.play("status.yml", "--limit", limit, "-e", "status_exit=false")
    assert code == 2, said
    assert "and 1 more" in said or "and 2 more" in said
    assert "expected every node of the cluster, whose state is that of all of them." in said
    assert "Run it without --limit: ansible-playbook -i <inventory> status.yml" in said
    assert "Show the cluster" not in said


def test_a_limit_that_has_every_node_of_the_cluster_is_as_good_as_none(
    collection: Collection,
) -> None:
    collection.build({"ray/look": collection.call("ray/look")})
    code, said = collection.play("status.yml", "--limit", "all", "-e", "status_format=json")
    assert "Show the cluster" in said
    assert '"cluster": "gpu-cluster"' in said
    # Nothing is installed here.
    assert code == 2, said
    assert "nas" not in said
