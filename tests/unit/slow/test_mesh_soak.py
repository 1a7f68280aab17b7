# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from tests.slow.mesh_soak import judge
from tests.testinfra.preflight.support import Report

NODES = ("x-n1", "x-n2")


def finding(severity: str, code: str, host: str) -> dict[str, str]:
    return {"severity": severity, "code": code, "host": host}


def report(*findings: dict[str, str], state: str = "good", rc: int = 0) -> Report:
    cells: list[dict[str, Any]] = [
        {"source": source, "destination": destination, "state": state, "tested": 10}
        for source, destination in (NODES, NODES[::-1])
    ]
    # The control node may well be outside.
    cells.append({"source": "control node", "destination": "x-n1", "state": "closed", "tested": 2})
    mesh = {"destinations": list(NODES), "cells": cells}
    nodes = [{"name": name} for name in NODES]
    return Report(rc, "", {"nodes": nodes, "findings": list(findings), "mesh": mesh})


SMALL = finding("warning", "disk-small", "all hosts")


@pytest.mark.parametrize(
    ("later", "complaint"),
    [
        pytest.param(report(SMALL), "", id="the-same"),
        pytest.param(report(), "", id="less"),
        pytest.param(
            report(*(finding("warning", "disk-small", name) for name in NODES)),
            "",
            id="the-same-node-by-node",
        ),
        pytest.param(
            report(SMALL, finding("note", "odd", "x-n2")),
            "not said before: [('note', 'odd', 2)]",
            id="something-new",
        ),
        pytest.param(
            report(SMALL, state="partly"),
            "pairs: ['x-n1 -> x-n2 partly', 'x-n2 -> x-n1 partly']",
            id="a-port-that-is-not-proven",
        ),
    ],
)
def test_only_what_the_first_run_said_is_no_alarm(later: Report, complaint: str) -> None:
    assert judge(report(SMALL), later) == complaint


def test_an_error_of_the_first_run_is_an_alarm() -> None:
    bad = report(finding("error", "port-filtered", "x-n2"), rc=2)
    assert judge(bad, bad) == "exit status 2; errors [('error', 'port-filtered', 2)]"
