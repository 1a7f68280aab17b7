# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the k3s_metrics_credentials module, with a fake in place of kubectl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules.k3s_metrics_credentials import main

from tests.unit.plugins.module_utils.test_k3s_metrics import PEM, coded, secret
from tests.unit.plugins.modules.conftest import Answer, Node

FILLED = secret(token=coded("a.b.c"), **{"ca.crt": coded(PEM)})
EMPTY: Answer = (0, json.dumps(secret()), "")
READY: Answer = (0, json.dumps(FILLED), "")
MISSING: Answer = (1, "", 'Error from server (NotFound): secrets "x" not found\n')
SILENT: Answer = (1, "", "The connection to the server 127.0.0.1:6443 was refused - did you "
                  "specify the right host or port?\n")  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The arguments for a server that has run; waiting takes no time."""
    path = tmp_path / "k3s.yaml"
    path.touch()
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    return {"kubeconfig": str(path)}


def test_token_and_authority_are_returned(node: Node, place: dict[str, Any]) -> None:
    node.answers("timeout", READY)
    result = node.run(main, **place)
    assert (result["ready"], result["token"], result["ca"]) == (True, "a.b.c", PEM)
    assert result["changed"] is False
    assert node.calls[0].endswith(
        "get secret rackforge-metrics-reader --namespace=kube-system --output=json"
    )


def test_it_waits_until_the_token_is_there(node: Node, place: dict[str, Any]) -> None:
    node.answers("timeout", SILENT, MISSING, EMPTY, READY)
    assert node.run(main, **place)["token"] == "a.b.c"
    assert len(node.calls) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(SILENT, "the API did not tell of the Secret", id="silent"),
        pytest.param(
            MISSING, "with k3s_metrics_reader=true provision.yml deploys it", id="missing"
        ),
        pytest.param(EMPTY, "has no token; 'k3s kubectl", id="never-filled"),
    ],
)
def test_the_last_reason_is_told_when_the_time_is_over(
    node: Node, place: dict[str, Any], answer: Answer, words: str
) -> None:
    node.answers("timeout", answer)
    result = node.run(main, timeout=0, **place)
    assert result["failed"] is True
    assert result["msg"].startswith("No token to read metrics with: ")
    assert words in result["msg"]


@pytest.mark.parametrize("answer", [SILENT, MISSING, EMPTY], ids=["silent", "missing", "empty"])
def test_check_mode_neither_waits_nor_fails(
    node: Node, place: dict[str, Any], answer: Answer
) -> None:
    node.answers("timeout", answer)
    result = node.run(main, check=True, **place)
    assert (result["ready"], result["token"], result["ca"]) == (False, "", "")
    assert len(node.calls) == 1


def test_check_mode_on_a_fresh_node_asks_nobody(node: Node, tmp_path: Path) -> None:
    result = node.run(main, check=True, kubeconfig=str(tmp_path / "none"))
    assert (result["ready"], node.calls) == (False, [])


def test_a_node_that_is_no_server_is_told(node: Node, tmp_path: Path) -> None:
    result = node.run(main, kubeconfig=str(tmp_path / "none"))
    assert "run this on a host of group k3s_server" in result["msg"]


def test_another_secret_of_that_name_fails_at_once(node: Node, place: dict[str, Any]) -> None:
    node.answers("timeout", (0, json.dumps(secret("Opaque")), ""))
    assert "is of type Opaque" in node.run(main, **place)["msg"]
    assert len(node.calls) == 1
