# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the page of status.yml that need no browser (those that do are in tests/browser)."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.cluster_state import Parts
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.status_page import (
    render_status_page,
)

from tests.browser import status_samples as made

VOID = frozenset({"meta", "br"})
EVERYTHING = Parts(made.ray(n1=made.DRAINED), made.k3s(k1={"ready": False}), made.monitoring())


class Tags(HTMLParser):
    """Whether each end tag ends the element that was opened last."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a start tag."""
        assert dict(attrs).get("href", "#").startswith("#")  # type: ignore[union-attr]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an end tag."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(made.document(Parts()), id="nothing"),
        pytest.param(made.document(Parts(made.ray())), id="healthy"),
        pytest.param(made.document(EVERYTHING), id="everything"),
        pytest.param(made.document(Parts(made.ray(head=False))), id="down"),
    ],
)
def test_every_element_is_closed_and_nothing_is_loaded(document: dict[str, Any]) -> None:
    tags = Tags()
    tags.feed(render_status_page(document))
    assert (tags.open, tags.wrong) == ([], [])


def test_the_page_may_run_no_script() -> None:
    page = render_status_page(made.document(EVERYTHING))
    assert "default-src 'none'; style-src 'sha256-" in page
    assert "script-src" not in page
    assert "<script" not in page


def test_what_comes_from_a_node_is_shown_as_text() -> None:
    document = made.document(Parts(made.ray()))
    document["notes"] = ["<img src=x onerror=alert(1)>"]
    page = render_status_page(document)
    assert "<img" not in page
    assert "&lt;img src=x" in page
