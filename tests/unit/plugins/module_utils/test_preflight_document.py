"""Claims about the document of a run, preflight.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    Host,
    Inventory,
    Probe,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    Run,
    build_document,
    describe_tested,
    dump_document,
    run_seconds,
)

from tests.browser import samples

RUN = Run(started_at="2026-01-31T09:00:00Z", finished_at="2026-01-31T09:00:12Z", version="0.1.0")
ERROR = Finding(Severity.ERROR, "no-gpu", "a", "There is none.", fix="lspci")
WARNING = Finding(Severity.WARNING, "mtu-differs", "a", "It differs.")
ALONE = Inventory(hosts=(Host("a", groups=frozenset({HEAD})),), inputs={})


@pytest.fixture
def schema(repository: Path) -> Any:
    text = (repository / "docs" / "preflight-schema.json").read_text(encoding="utf-8")
    loaded = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(loaded)
    return loaded


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(build_document(RUN, Inventory(hosts=(), inputs={}), []), id="no-host"),
        pytest.param(build_document(RUN, ALONE, [ERROR]), id="a-node-that-nobody-asked"),
        pytest.param(samples.healthy(3), id="healthy"),
        pytest.param(samples.broken(10), id="broken"),
    ],
)
def test_the_document_keeps_its_schema(document: dict[str, Any], schema: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(json.loads(dump_document(document)))


def test_the_schema_refuses_what_it_does_not_know(schema: Any) -> None:
    document = {**build_document(RUN, ALONE, []), "hostvars": {}}
    assert not jsonschema.Draft202012Validator(schema).is_valid(document)


@pytest.mark.parametrize(
    ("findings", "ignored", "expected"),
    [
        pytest.param([], [], "clean", id="nothing"),
        pytest.param([WARNING], [], "warnings", id="a-warning"),
        pytest.param([WARNING, ERROR], [], "errors", id="an-error"),
        pytest.param([], [ERROR], "clean", id="an-ignored-error-does-not-count"),
    ],
)
def test_the_outcome_is_told_in_a_word(
    findings: list[Finding], ignored: list[Finding], expected: str
) -> None:
    assert build_document(RUN, ALONE, findings, ignored)["exit"] == expected


def test_who_was_ignored_is_recorded() -> None:
    run = Run(**{**RUN.__dict__, "ignore": ("no-gpu", "no-gpu", "b-code")})
    document = build_document(run, ALONE, [WARNING], [ERROR])
    assert document["ignored_by"] == {"codes": ["b-code", "no-gpu"]}
    assert document["counts"] == {"error": 0, "warning": 1, "note": 0, "ignored": 1}
    assert [(each["code"], each["ignored"]) for each in document["findings"]] == [
        ("mtu-differs", False),
        ("no-gpu", True),
    ]


def test_no_password_and_no_variable_gets_into_the_document() -> None:
    facts = {"node_address": "198.19.0.1", "user": "ops", "machine_id": "sesame"}
    host = Host(
        "a",
        groups=frozenset({HEAD}),
        values={"ray_token": "sesame"},
        probe=Probe(reachable=True, facts=facts),
    )
    finding = Finding(
        Severity.ERROR, "value-invalid", "a", "Odd.", seen="proxy=http://ops:sesame@proxy.example/"
    )
    text = dump_document(build_document(RUN, Inventory(hosts=(host,), inputs={}), [finding]))
    assert "sesame" not in text
    assert "http://***@proxy.example/" in text


def test_two_runs_differ_in_nothing_whatever_the_order_of_the_inventory() -> None:
    hosts = tuple(samples.host(name, 1) for name in ("b", "a"))
    mesh = samples.matrix(["b", "a"], {})
    turned = {**mesh, "cells": list(reversed(mesh["cells"]))}
    one = build_document(RUN, Inventory(hosts, {}), [WARNING, ERROR], mesh=mesh)
    other = build_document(RUN, Inventory(hosts[::-1], {}), [ERROR, WARNING], mesh=turned)
    assert dump_document(one) == dump_document(other)


def test_a_node_is_described_from_its_facts() -> None:
    document = build_document(
        RUN,
        Inventory(hosts=(samples.host("head", 0),), inputs={}),
        [],
        gpus={"head": {**samples.GPUS, "gpus": samples.GPUS["gpus"][:1]}},
    )
    assert document["nodes"] == [
        {
            "name": "head",
            "groups": ["ray_head"],
            "address": "198.19.0.10",
            "interface": "bond0",
            "reachable": True,
            "os": "Ubuntu 24.04.3 LTS",
            "kernel": "6.8.0-87-generic",
            "architecture": "x86_64",
            "python": "3.12.3",
            "cpu_count": 128,
            "memory_mib": 1031884,
            "disks": [{"mount": "/", "size_mib": 915000, "free_mib": 702000}],
            "gpus": [
                {
                    "model": "NVIDIA H100 80GB HBM3",
                    "vendor": "nvidia",
                    "memory_mib": 81559,
                    "driver": "570.124.06",
                }
            ],
            "link": {"kind": "bond", "mtu": 9000, "speed_mbit": 200000, "driver": None},
        }
    ]


def test_each_finding_node_and_pair_has_a_line_of_its_own() -> None:
    lines = dump_document(samples.healthy(3)).splitlines()
    assert sum('"destination":' in line for line in lines) == 9
    assert sum('"kernel":' in line for line in lines) == 3


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            samples.healthy(100),
            "Tested 100 nodes, 10,000 paths, 100,080,000 ports, 792 GPUs in 17 s.",
            id="a-hundred-nodes",
        ),
        pytest.param(
            samples.healthy(1), "Tested 1 node, 8 GPUs in 17 s; no port was tried.", id="alone"
        ),
        pytest.param(
            build_document(RUN, ALONE, []),
            "Tested 0 nodes in 12 s; no port was tried.",
            id="nobody-answered",
        ),
    ],
)
def test_the_terminal_says_what_was_tested(document: dict[str, Any], expected: str) -> None:
    assert describe_tested(document) == expected


def test_odd_times_are_not_guessed_about() -> None:
    document = build_document(Run(started_at="yesterday", finished_at=""), ALONE, [])
    assert run_seconds(document) is None
    assert describe_tested(document) == "Tested 0 nodes; no port was tried."
