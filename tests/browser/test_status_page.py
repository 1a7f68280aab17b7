# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the status page in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import Parts
from playwright.sync_api import Page, expect

from tests.browser import status_samples as made

Open = Callable[..., Page]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
EVIL = '<script>window.hit = 1</script><img src=x onerror="window.hit = 1">'
WELL = made.document(Parts(made.ray(), made.k3s(), made.monitoring()))
EVERYTHING = made.document(
    Parts(
        made.ray(24, n1={"unit_state": "off", "version": None}, n2=made.DRAINED),
        made.k3s(4, versions={2: "v1.33.5+k3s1"}, k3={"unschedulable": True}),
        made.monitoring("no target is up"),
    ),
    made.record(
        made.operation(), made.operation("upgrade", "failed", failed_hosts=("n1",), phase="agents")
    ),
)


def hostile() -> dict[str, Any]:
    """A cluster whose every text is an attack."""
    ray = made.ray()
    nodes = tuple(replace(node, name=EVIL, reason=EVIL, state=EVIL) for node in ray.nodes)
    job = {"job_id": EVIL, "status": EVIL, "entrypoint": EVIL}
    parts = Parts(replace(ray, nodes=nodes, jobs=(job,)), monitoring=made.monitoring(EVIL))
    found = made.document(parts, made.record(made.operation(EVIL, phase=EVIL, note=EVIL)))
    return {**found, "cluster": EVIL, "notes": [EVIL]}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(WELL, id="well"),
        pytest.param(EVERYTHING, id="everything-wrong"),
        pytest.param(made.document(Parts(made.ray(head=False))), id="down"),
        pytest.param(hostile(), id="hostile"),
    ],
)
def test_the_page_opens_without_a_request_or_an_error(
    open_report: Open, document: dict[str, Any]
) -> None:
    page = open_report(document)
    assert page.locator("h2").all_inner_texts() == [
        "What to know",
        "Nodes",
        "Services and versions",
        "Jobs, pods and alerts",
        "Last operations",
    ]
    assert page.evaluate("window.hit") is None


def test_the_verdict_stands_on_top(open_report: Open) -> None:
    page = open_report(EVERYTHING)
    assert page.locator("h1").inner_text() == "atlas"
    assert page.locator(".headline").inner_text() == "Failed, degraded"
    assert page.locator(".sentence").inner_text() == "5 of 29 nodes not fully at work."
    expect(page.locator("header.top")).to_have_class("top warnings")


def test_a_healthy_cluster_says_that_nothing_is_to_be_done(open_report: Open) -> None:
    page = open_report(WELL)
    assert page.locator(".headline").inner_text() == "Running, healthy"
    expect(page.get_by_text("Nothing is wrong, and nothing is to be done.")).to_be_visible()


def test_every_node_that_is_not_at_work_has_its_reason(open_report: Open) -> None:
    page = open_report(EVERYTHING)
    assert page.locator(".finding.error h3").all_inner_texts() == ["n1", "mon", "k2"]
    assert page.locator(".finding.note h3").all_inner_texts() == ["n2", "k3", "cluster"]


def test_a_version_that_is_not_the_wanted_one_says_so(open_report: Open) -> None:
    row = open_report(EVERYTHING).get_by_role("row").filter(has_text="k2")
    assert "v1.33.5+k3s1" in row.first.inner_text()
    assert "wanted v1.34.2+k3s1" in row.first.inner_text()


def test_the_last_operations_say_who_when_and_how_long(open_report: Open) -> None:
    region = open_report(EVERYTHING).get_by_role("region", name="Last operations")
    cells = region.locator("tbody tr").first.locator("th, td").all_inner_texts()
    assert cells == [
        "2026-01-31 09:00:00 UTC", "upgrade", "ops@ctl", "12 min 5 s", "failed on n1"
    ]  # fmt: skip


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_fits_the_screen(open_report: Open, width: int) -> None:
    assert open_report(EVERYTHING, width=width).evaluate(OVERFLOW) == 0


def test_it_can_be_read_without_scripts_and_in_the_dark(open_report: Open) -> None:
    page = open_report(EVERYTHING, java_script_enabled=False, color_scheme="dark")
    expect(page.get_by_text("It did not answer. timed out")).to_be_visible()
