# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of panels of a live cluster, opened in headless Chromium as its owner opens it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import HttpCredentials, Page, expect, sync_playwright

from tests.testinfra.monitoring.conftest import NAMES
from tests.testinfra.monitoring.support import Server

_HEAD, WORKER, _MONITORING = NAMES
TABS = ("cluster", "node", "gpu", "ray", "k3s")
#: Milliseconds for a tab's queries on two busy cores.
PATIENCE = 60_000


@pytest.fixture(scope="module")
def page(prometheus: Server) -> Iterator[Page]:
    """A page of a browser that knows the password."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no chromium: run scripts/browser-setup"
    with sync_playwright() as playwright:
        # Root cannot use the sandbox, and a container's /dev/shm is small.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        login = HttpCredentials(username=prometheus.user, password=prometheus.password)
        context = browser.new_context(http_credentials=login)
        yield context.new_page()
        browser.close()


def shown(page: Page, prometheus: Server, tab: str) -> str:
    """Return the text of a tab once all of its panels are drawn."""
    page.goto(f"{prometheus.address}/user/#refresh=0&tab={tab}")
    page.reload()
    expect(page.locator("#panels[aria-busy=false]")).to_be_attached(timeout=PATIENCE)
    expect(page.locator("#status")).not_to_be_empty(timeout=PATIENCE)
    return page.locator("#panels").inner_text()


@pytest.mark.parametrize("tab", TABS)
def test_every_tab_draws_without_an_error(page: Page, prometheus: Server, tab: str) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    shown(page, prometheus, tab)
    assert complaints == []
    assert page.locator(".message.error").all_inner_texts() == []


def test_the_cluster_shows_its_two_gpus(page: Page, prometheus: Server) -> None:
    text = shown(page, prometheus, "cluster")
    assert WORKER in text
    assert "GPUs by state\n2\nok" in text


def test_the_gpus_are_named(page: Page, prometheus: Server) -> None:
    assert "NVIDIA H100 80GB HBM3" in shown(page, prometheus, "gpu")
