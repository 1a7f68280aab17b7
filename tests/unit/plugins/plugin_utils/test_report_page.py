"""Claims about report.html that need no browser (those that do are in tests/browser)."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.preflight_files import (
    write_report,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_html import gib, plain
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_mesh import pack_mesh
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_page import (
    render_page,
    sentence,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_skeleton import embedded
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.report_topology import (
    node_states,
    paths,
    short,
)

from tests.browser import samples


class Outline(HTMLParser):
    """The elements of a page, in order, and whether each end tag ends the last open one."""

    VOID = frozenset({"meta", "input", "br", "circle", "path", "rect", "polygon"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a start tag."""
        values = dict(attrs)
        self.ids += [str(values["id"])] if "id" in values else []
        self.links += [str(values[name]) for name in ("href", "src") if name in values]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without content."""

    def handle_endtag(self, tag: str) -> None:
        """Note an end tag."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


DOCUMENTS = [
    pytest.param(samples.healthy(1), id="one-node"),
    pytest.param(samples.healthy(3), id="healthy"),
    pytest.param(samples.broken(3), id="three-broken"),
    pytest.param(samples.broken(10), id="ten-broken"),
    pytest.param(samples.broken(24), id="ring"),
    pytest.param(samples.broken(100), id="tiles"),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_element_is_closed_and_every_id_is_unique(document: dict[str, Any]) -> None:
    outline = Outline()
    outline.feed(render_page(document))
    assert (outline.wrong, outline.open) == ([], [])
    assert len(outline.ids) == len(set(outline.ids))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_outside_the_file_is_referred_to(document: dict[str, Any]) -> None:
    page = render_page(document)
    outline = Outline()
    outline.feed(page)
    assert {link[0] for link in outline.links} == {"#"}
    assert re.findall(r"@import|url\(|https?://", page) == []


def test_no_document_of_a_hundred_nodes_makes_a_page_above_two_megabytes() -> None:
    members = samples.names(100)
    bad = {
        (source, to): {**samples.PARTLY, "good": place, "rtt_ms": 1.234}
        for place, (source, to) in enumerate(
            (source, to) for source in members for to in members if source != to
        )
    }
    document = {**samples.healthy(100), "mesh": samples.matrix(members, bad)}
    assert len(render_page(document).encode()) < 2_000_000


def test_data_cannot_end_the_script_that_holds_it() -> None:
    text = embedded({"name": "</script><!--&\u2028"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><!--&\u2028"}


def test_control_characters_and_turned_text_are_shown_as_such() -> None:
    assert plain("a\x00b\u202ec\ud800") == "a\ufffdb\ufffdc\ufffd"


@pytest.mark.parametrize(
    ("mib", "expected"),
    [
        pytest.param(None, "", id="unknown"),
        pytest.param(512, "0.5 GiB", id="small"),
        pytest.param(81559, "80 GiB", id="gpu"),
        pytest.param(1031884, "1,008 GiB", id="large"),
    ],
)
def test_sizes_read_as_people_write_them(mib: object, expected: str) -> None:
    assert gib(mib) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(
            samples.healthy(1), "1 node, no problem found. Ports were not tried.", id="alone"
        ),
        pytest.param(
            samples.healthy(3),
            "3 nodes, no problem found. All 9 paths are open (90,072 ports proven).",
            id="healthy",
        ),
        pytest.param(
            samples.broken(3),
            "1 error to mend before anything is changed on 3 nodes. 7 of 9 paths are fully open.",
            id="broken",
        ),
    ],
)
def test_the_verdict_is_a_sentence(document: dict[str, Any], expected: str) -> None:
    assert sentence(document) == expected


def test_a_node_shows_the_worst_that_counts() -> None:
    states = node_states(samples.broken(10))
    assert states == {
        "head": "warning",
        **{f"gpu-{number:02d}": "warning" for number in (1, 2, 3, 4, 6, 7)},
        "gpu-05": "error",
        "gpu-08": "",
        "gpu-09": "error",
    }


def test_a_finding_about_all_hosts_is_one_about_each() -> None:
    document = samples.healthy(3)
    document["findings"] = [
        {"host": "all hosts", "severity": "warning", "ignored": False},
        {"host": "gpu-01", "severity": "error", "ignored": True},
    ]
    assert set(node_states(document).values()) == {"warning"}


def test_a_path_knows_which_direction_is_closed() -> None:
    bad = {("a", "b"): samples.PARTLY}
    document = {"mesh": samples.matrix(["a", "b"], bad)}
    assert [path for path in paths(document) if path.left == "a" and path.right == "b"] == [
        ("a", "b", "partly", "good")
    ]


def test_the_matrix_is_packed_without_loss() -> None:
    bad = {("b", "a"): {**samples.CLOSED, "mtu": None}}
    packed = pack_mesh(samples.matrix(["a", "b"], bad))
    assert packed is not None
    assert packed["sources"] == ["control node", "a", "b"]
    assert packed["states"] == ["gg", "sg", "cs"]
    assert packed["ports"][packed["ports_of"][2][0]] == [10008, 0]
    assert packed["faults"][packed["faults_of"][2][0]] == [
        ["every service", "tcp", "filtered", "8076-8077,10002-20000"]
    ]
    assert packed["mtus_of"][2][0] == -1
    assert packed["rtt"][2][0] is None


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(None, id="not-tested"),
        pytest.param(
            {"sources": ["a"], "destinations": ["b"], "cells": [], "summary": {}}, id="no-cell"
        ),
        pytest.param(
            {
                "sources": ["a"],
                "destinations": ["b"],
                "cells": [{"source": "a", "destination": "b", "state": "of another version"}],
                "summary": {},
            },
            id="only-what-must-be-there",
        ),
    ],
)
def test_a_page_is_made_of_any_mesh(mesh: dict[str, Any] | None) -> None:
    assert "Port mesh" in render_page({**samples.healthy(3), "mesh": mesh})


def test_long_names_are_cut_in_the_middle() -> None:
    assert short("gpu-node-0123456789", 11) == "gpu-n…56789"
    assert short("gpu-01", 11) == "gpu-01"


def test_both_files_are_written_whole_and_again(tmp_path: Path) -> None:
    document = samples.healthy(3)
    page = write_report(str(tmp_path / "new" / "folder"), document)
    again = write_report(str(tmp_path / "new" / "folder"), document)
    assert page == again
    assert json.loads(page.with_name("preflight.json").read_text(encoding="utf-8")) == document
    assert page.read_text(encoding="utf-8") == render_page(document)
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "preflight.json",
        "report.html",
    ]
