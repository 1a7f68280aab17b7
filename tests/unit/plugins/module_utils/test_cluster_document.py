# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what status.yml shows: its document and its text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_document import (
    exit_words,
    render_status,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_record import Record
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import Parts

from tests.browser import status_samples as made

EVERYTHING = Parts(made.ray(n1=made.DRAINED), made.k3s(k1={"ready": False}), made.monitoring())
BUSY = made.record(
    made.operation(),
    made.operation("upgrade", "failed", failed_hosts=("n1",)),
    made.operation("upgrade", "interrupted", phase="agents"),
    made.operation("drain", "running", phase="pods"),
)


@pytest.fixture
def schema(repository: Path) -> Any:
    text = (repository / "docs" / "status-schema.json").read_text(encoding="utf-8")
    loaded = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(made.document(Parts(made.ray())), id="ray"),
        pytest.param(made.document(Parts(k3s=made.k3s()), Record("atlas")), id="k3s-unrecorded"),
        pytest.param(made.document(Parts(monitoring=made.monitoring())), id="monitoring"),
        pytest.param(made.document(EVERYTHING, BUSY), id="everything"),
        pytest.param(made.document(Parts(made.ray(head=False))), id="down"),
    ],
)
def test_the_document_keeps_its_schema(document: dict[str, Any], schema: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(document)))


def test_the_schema_refuses_what_it_does_not_know(schema: Any) -> None:
    document = {**made.document(Parts(made.ray())), "hostvars": {}}
    assert not jsonschema.Draft202012Validator(schema).is_valid(document)


@pytest.mark.parametrize(
    ("ray", "status"),
    [
        pytest.param(made.ray(), 0, id="healthy"),
        pytest.param(made.ray(n1={"unit_state": "off"}), 4, id="degraded"),
        pytest.param(made.ray(head=False), 2, id="failed"),
    ],
)
def test_the_exit_status_tells_the_health(ray: Any, status: int) -> None:
    assert made.document(Parts(ray))["exit"] == status


def test_the_running_operation_has_run_so_far() -> None:
    document = made.document(Parts(made.ray()), BUSY)
    assert (document["running"]["operation"], document["running"]["seconds"]) == ("drain", 725)
    assert document["unfinished"] is None
    names = [each["operation"] for each in document["operations"]]
    assert names == ["drain", "upgrade", "upgrade", "provision"]


def test_the_text_says_state_health_and_what_was_done() -> None:
    parts = Parts(made.ray())
    left = made.record(
        made.operation(), made.operation("upgrade", "interrupted", phase="agents")
    )  # fmt: skip
    assert render_status(made.document(parts, left), parts) == (
        "Cluster atlas: Running, healthy\n"
        "  upgrade of 2026-01-31T09:00:00Z by ops@ctl was interrupted at 'agents'; "
        "to finish it, run ansible-playbook -i inv.ini upgrade.yml\n"
        "\n"
        "Ray cluster atlas: running, 2 of 2 nodes alive, Ray 2.60.0\n"
        "Dashboard: http://198.19.0.0:8265\n"
        "\n"
        "NODE  ROLE    ADDRESS     STATE  RAY     CPU  GPU  MEMORY  RESTARTS\n"
        "n0    head    198.19.0.0  alive  2.60.0  64   8    -       0\n"
        "n1    worker  198.19.0.1  alive  2.60.0  64   8    -       0\n"
        "\n"
        "Last operations:\n"
        "  BEGUN                 OPERATION  BY       TOOK        RESULT\n"
        "  2026-01-31T09:00:00Z  upgrade    ops@ctl  -           interrupted at 'agents'\n"
        "  2026-01-31T09:00:00Z  provision  ops@ctl  12 min 5 s  succeeded"
    )


def test_a_reason_is_printed_once() -> None:
    mixed = Parts(made.ray(n1={"unit_state": "off"}), made.k3s(versions={2: "v1.33.5+k3s1"}))
    text = render_status(made.document(mixed), mixed)
    assert text.count("It did not answer. timed out") == 1
    assert text.count("  k2: k3s v1.33.5+k3s1 runs, wanted v1.34.2+k3s1; run upgrade.yml") == 1


def test_the_last_words_name_every_node_and_the_way_out() -> None:
    document = made.document(Parts(made.ray(n1={"unit_state": "off"})))
    assert exit_words(document) == (
        "Cluster atlas: Failed, degraded. n1: It did not answer. timed out. "
        "(-e status_exit=false ends with 0 in any case.)"
    )
