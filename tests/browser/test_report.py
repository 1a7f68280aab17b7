"""Claims about report.html in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_document import (
    build_document,
)
from playwright.sync_api import Page, expect

from tests.browser import samples

Open = Callable[..., Page]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CLIPBOARD = "navigator.clipboard.readText()"
EVIL = '<script>window.hit = 1</script><img src=x onerror="window.hit = 1">'
FIRST_FIX = "ssh -p 22 ubuntu@gpu-05 true"


def evil_document() -> dict[str, Any]:
    """A cluster that is called, and whose every text is, an attack."""
    host = replace(samples.host("head", 0), name=EVIL, groups=frozenset({HEAD, EVIL}))
    other = replace(samples.host("x", 1), name="</script>'\">&amp;\x07\u202e")
    finding = Finding(Severity.ERROR, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL, EVIL)
    fault = samples.fault(EVIL, EVIL, EVIL, EVIL)
    bad = {"state": "partly", "faults": [fault], "good": 1}
    return build_document(
        replace(samples.RUN, cluster_name=EVIL, inventory=(EVIL,), modes={EVIL: EVIL}),
        Inventory(hosts=(host, other), inputs={}),
        [finding],
        ignored=[finding],
        gpus={EVIL: {"gpus": [{"model": EVIL, "vendor": EVIL, "memory_mib": 1}]}},
        mesh=samples.matrix([EVIL, other.name], {(EVIL, other.name): bad}),
    )


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(samples.healthy(1), id="one-node"),
        pytest.param(samples.healthy(3), id="three-healthy"),
        pytest.param(samples.broken(10), id="ten-broken"),
        pytest.param(samples.broken(24), id="twenty-four-on-a-ring"),
        pytest.param(evil_document(), id="hostile"),
    ],
)
def test_the_page_opens_without_a_request_or_an_error(
    open_report: Open, document: dict[str, Any]
) -> None:
    page = open_report(document)
    headings = page.locator("h2").all_inner_texts()
    assert headings == [
        "Topology",
        "Findings",
        "Port mesh",
        "GPUs",
        "Nodes",
        "What was tested, and how to read it",
    ]


def test_the_verdict_stands_on_top(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    assert page.locator("h1").inner_text() == "atlas"
    assert page.locator(".headline").inner_text() == "Not ready"
    assert page.locator(".sentence").inner_text() == (
        "2 errors to mend before anything is changed on 10 nodes. 73 of 100 paths are fully open."
    )


def shown_codes(page: Page) -> list[str]:
    """Return the codes of the findings that can be seen."""
    return page.locator(".finding:visible h3 code").all_inner_texts()


ALL_CODES = [
    "unreachable",
    "port-filtered",
    "clock-not-synchronised",
    "head-is-worker-too",
    "mtu-differs",
]


def test_a_severity_can_be_taken_away_and_brought_back(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    assert shown_codes(page) == ALL_CODES
    errors = page.locator("#tools button[data-severity=error]")
    errors.click()
    assert errors.get_attribute("aria-pressed") == "false"
    assert shown_codes(page) == ALL_CODES[2:]
    errors.press("Enter")
    assert shown_codes(page) == ALL_CODES


def test_a_count_on_top_shows_only_its_findings(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    page.locator(".counts a[data-severity=warning]").click()
    assert shown_codes(page) == ["clock-not-synchronised"]
    assert page.locator("#shown").inner_text() == "1 of 5 shown"


def test_findings_are_filtered_by_host_and_by_words(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    page.locator("#filter-host").select_option("gpu-09")
    assert shown_codes(page) == ["port-filtered", "mtu-differs"]
    page.locator("#filter-text").fill("UFW allow")
    assert shown_codes(page) == ["port-filtered"]


def test_a_click_on_a_cell_shows_ports_of_both_directions(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    page.locator('td[aria-label^="gpu-01 to gpu-09:"]').click()
    drill = page.locator("#drill")
    expect(drill.locator("h3")).to_have_text("gpu-01 and gpu-09")
    assert drill.locator("h4").all_inner_texts() == ["gpu-01 → gpu-09", "gpu-09 → gpu-01"]
    assert drill.locator("tbody tr").all_inner_texts() == [
        "ray-object-manager\t8076 tcp\tfiltered: no answer: something on the way drops it",
        "ray-workers\t15000 tcp\trefused: a reset came back although something listens there,"
        " so a firewall sent it",
    ]
    assert "10,006 of 10,008 open" in drill.inner_text()
    assert "10,008 of 10,008 open" in drill.inner_text()


def test_the_heat_map_is_worked_by_keyboard(open_report: Open) -> None:
    page = open_report(samples.healthy(3))
    assert page.locator("#heat td[tabindex='0']").count() == 1
    page.locator("#heat td[tabindex='0']").focus()
    expect(page.locator("#drill h3")).to_have_text("control node and head")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    # Down from (control node, gpu-01): its own cell (gpu-01, gpu-01) is stepped over.
    expect(page.locator("#drill h3")).to_have_text("gpu-02 and gpu-01")
    assert page.locator("#heat td[aria-selected='true']").count() == 1


def test_the_worst_pair_is_open_from_the_start(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    expect(page.locator("#drill h3")).to_have_text("head and gpu-05")


def test_a_fix_is_copied(open_report: Open) -> None:
    page = open_report(samples.broken(10), permissions=["clipboard-read", "clipboard-write"])
    page.locator(".fix button").first.click()
    expect(page.locator(".fix button").first).to_have_attribute("data-copied", "yes")
    assert page.evaluate(CLIPBOARD) == FIRST_FIX


def test_a_fix_is_copied_where_there_is_no_clipboard(open_report: Open) -> None:
    page = open_report(samples.broken(10), permissions=["clipboard-read"])
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.evaluate(
        "document.addEventListener('copy', () => { window.copied = '' + getSelection() })"
    )
    page.locator(".fix button").first.click()
    expect(page.locator(".fix button").first).to_have_attribute("data-copied", "yes")
    assert page.evaluate("window.copied") == FIRST_FIX


def test_a_fix_is_selected_where_nothing_can_be_copied(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.evaluate("document.execCommand = () => false")
    page.locator(".fix button").first.click()
    expect(page.locator(".fix button").first).to_have_attribute("data-copied", "no")
    assert page.evaluate("'' + getSelection()") == FIRST_FIX


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "document",
    [
        pytest.param(samples.healthy(1), id="one-node"),
        pytest.param(samples.broken(10), id="ten-broken"),
        pytest.param(samples.broken(100), id="a-hundred"),
        pytest.param(evil_document(), id="hostile"),
    ],
)
def test_a_phone_needs_no_scrolling_sideways(
    open_report: Open, document: dict[str, Any], scheme: str
) -> None:
    page = open_report(document, width=360, color_scheme=scheme)
    assert page.evaluate(OVERFLOW) == 0


def test_paper_shows_every_fix_whatever_is_filtered(open_report: Open) -> None:
    page = open_report(samples.broken(10))
    page.locator("#filter-text").fill("nothing has these words")
    assert page.locator(".fix:visible").count() == 0
    page.emulate_media(media="print")
    assert page.locator(".fix:visible").count() == page.locator(".fix").count() == 3
    assert page.locator(".fix code").all_inner_texts()[0] == FIRST_FIX
    assert page.locator("button:visible").count() == 0


def test_the_page_prints(open_report: Open) -> None:
    assert open_report(samples.broken(10)).pdf(format="A4").startswith(b"%PDF-")


def test_hostile_names_stay_text(open_report: Open) -> None:
    page = open_report(evil_document())
    page.locator("#heat td[data-row]").first.click()
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator(".message").first.inner_text() == EVIL
    assert page.locator("script").count() == 2


def test_a_hundred_nodes_appear_with_all_their_pairs(open_report: Open) -> None:
    page = open_report(samples.broken(100))
    # The control node and 100 nodes try 100 nodes, none itself.
    assert page.locator("#heat td[data-row]").count() == 10_000
    assert page.locator("#heat td.closed").count() == 199
    page.locator('td[aria-label^="gpu-98 to gpu-50:"]').click()
    expect(page.locator("#drill h3")).to_have_text("gpu-98 and gpu-50")


def test_without_scripts_everything_can_be_read(open_report: Open) -> None:
    page = open_report(samples.broken(10), java_script_enabled=False)
    assert shown_codes(page) == ALL_CODES
    assert page.locator("#tools").is_hidden()
    assert page.locator("#mesh-plain tbody tr").count() == 27
    assert page.locator("#mesh-plain tbody tr").first.inner_text() == (
        "gpu-01 → gpu-05\t8076-8077,10002-20000 tcp (every service): filtered"
    )


CONTRAST = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const part = (v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
    return .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = parse(getComputedStyle(each).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return parse(getComputedStyle(document.body).backgroundColor);
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || element.closest("svg, script") || !element.checkVisibility()) continue;
    const ink = light(parse(getComputedStyle(element).color));
    const paper = light(behind(element));
    const ratio = (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
    if (ratio < 4.5) low.push(element.className + ": " + element.textContent + " " + ratio);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(open_report: Open, scheme: str) -> None:
    page = open_report(samples.broken(10), color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []


def test_a_page_that_asks_the_network_would_be_noticed(
    open_report: Open, complaints: list[str]
) -> None:
    page = open_report(samples.healthy(1))
    with page.expect_console_message(lambda said: "Content Security Policy" in said.text):
        page.evaluate("new Image().src = 'http://198.18.0.1/x.png'")
    assert any("http://198.18.0.1/x.png" in text for text in complaints)
    complaints.clear()
