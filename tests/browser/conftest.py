"""A headless Chromium without network, and pages of made-up clusters in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_page import render_page
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.status_page import (
    render_status_page,
)
from playwright.sync_api import Browser, Page, Request, Route, sync_playwright

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The distribution's Chromium; playwright brings none."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no chromium: run scripts/browser-setup"
    with sync_playwright() as playwright:
        # Root cannot use the sandbox, and a container's /dev/shm is small.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=program, args=arguments)
        yield started
        started.close()


@pytest.fixture
def complaints() -> list[str]:
    """What pages asked the network for, and errors of their scripts; empty at the end."""
    return []


@pytest.fixture
def open_report(browser: Browser, tmp_path: Path, complaints: list[str]) -> Iterator[Open]:
    """Open preflight's page of a document, or the status page of one that is a status.

    It is opened from a file; a request or an error fails the test.
    """
    pages: list[Page] = []

    def open_page(document: Mapping[str, Any], width: int = 1280, **context: Any) -> Page:
        path = tmp_path / f"report{len(pages)}.html"
        render = render_status_page if "health" in document else render_page
        path.write_text(render(document), encoding="utf-8")
        opened = browser.new_context(viewport={"width": width, "height": 900}, **context)
        opened.route("**/*", lambda route: _only(route, path, complaints))
        page = opened.new_page()
        page.on("request", lambda request: _note(request, path, complaints))
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert complaints == []


def _only(route: Route, path: Path, complaints: list[str]) -> None:
    """Let the page itself through and nothing else."""
    if route.request.url.split("#")[0] == path.as_uri():
        route.continue_()
    else:
        complaints.append(f"blocked: {route.request.url}")
        route.abort()


def _note(request: Request, path: Path, complaints: list[str]) -> None:
    """Take down a request for anything but the page."""
    if request.url.split("#")[0] != path.as_uri():
        complaints.append(f"request: {request.url}")
