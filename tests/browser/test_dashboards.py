"""Claims about the monitoring page in a real browser, in front of a stand-in for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from tests.browser import cluster_metrics as metrics
from tests.browser.metrics_server import StandIn, serving
from tests.browser.test_report import CONTRAST, OVERFLOW

Open = Callable[..., Page]

TABS = ["cluster", "node", "gpu", "ray", "k3s"]
SMALL = metrics.cluster(3, 2)

# How many pixels of a canvas are not the paper that it lies on.
INK = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let place = 3; place < data.length; place += 4) if (data[place]) count += 1;
  return count;
}"""


@pytest.fixture
def open_page(browser: Browser, complaints: list[str]) -> Iterator[Open]:
    """Open the page before a stand-in; errors of scripts and requests elsewhere fail the test."""
    with ExitStack() as stack:

        def open_tab(stand_in: StandIn, choice: str = "", width: int = 1500, **other: Any) -> Page:
            stack.enter_context(serving(stand_in))
            context = browser.new_context(viewport={"width": width, "height": 900}, **other)
            stack.callback(context.close)
            page = context.new_page()
            page.on("request", lambda request: _note(request, stand_in, complaints))
            page.on("pageerror", lambda error: complaints.append(f"script: {error}"))
            page.goto(f"{stand_in.address}{stand_in.prefix}/user/#refresh=0&{choice}")
            page.locator("#status:not(:empty)").wait_for()
            return page

        yield open_tab
        assert complaints == []


def _note(request: Request, stand_in: StandIn, complaints: list[str]) -> None:
    """Take down a request for anything but the server's own files and API."""
    own = (f"{stand_in.prefix}/user/", f"{stand_in.prefix}/api/v1/")
    url = request.url.replace("//admin:secret@", "//")
    if not url.startswith((*(stand_in.address + each for each in own), "data:")):
        complaints.append(f"request: {request.url}")


def panel(page: Page, title: str) -> Locator:
    """Return the panel of that title."""
    return page.locator(".panel", has=page.get_by_role("heading", name=title, exact=True))


@pytest.mark.parametrize("tab", TABS)
def test_every_panel_draws(open_page: Open, tab: str) -> None:
    page = open_page(StandIn(SMALL), f"tab={tab}")
    assert page.locator(".body .message").all_inner_texts() == []
    assert page.locator(".panel").count() == page.locator(".body > :not(.message)").count() > 10
    for canvas in page.locator("canvas").all():
        assert canvas.evaluate(INK) > 500


@pytest.mark.parametrize("tab", TABS)
def test_without_data_every_panel_says_so(open_page: Open, tab: str) -> None:
    page = open_page(StandIn(metrics.nothing), f"tab={tab}")
    said = page.locator(".body .message").all_inner_texts()
    assert set(said) == {"No data"}
    assert len(said) == page.locator(".panel").count()


def test_a_cluster_without_k3s_is_told_apart_from_a_broken_one(open_page: Open) -> None:
    page = open_page(StandIn(metrics.nothing), "tab=k3s")
    assert page.locator("#status").inner_text() == (
        "Nothing to show here: no k3s node is scraped: this cluster has no k3s."
    )


def test_a_number_has_its_unit_and_the_colour_of_its_threshold(open_page: Open) -> None:
    answers = metrics.fixed({"max(max by (node, gpu) (DCGM_FI_DEV_GPU_TEMP": [({}, 88)]}, SMALL)
    number = panel(open_page(StandIn(answers), "tab=gpu"), "Hottest").locator(".number")
    assert number.inner_text() == "88 °C"
    assert number.get_attribute("style") == "color: var(--bad);"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0, "0 B", id="zero"),
        pytest.param(1023, "1023 B", id="bytes"),
        pytest.param(81559 * 2**20, "79.6 GiB", id="gibibytes"),
        pytest.param(float("nan"), "not a number", id="nan"),
    ],
)
def test_bytes_are_written_with_binary_prefixes(open_page: Open, value: float, text: str) -> None:
    answers = metrics.fixed({"sum(max by (node, gpu) (DCGM_FI_DEV_FB_USED": [({}, value)]}, SMALL)
    page = open_page(StandIn(answers), "tab=gpu")
    assert panel(page, "Memory in use").locator(".number").inner_text() == text


def test_a_legend_names_each_line_with_its_last_value(open_page: Open) -> None:
    page = open_page(StandIn(SMALL), "tab=node")
    rows = panel(page, "CPU").locator(".legend tbody tr").all_inner_texts()
    assert rows == ["gpu-00\t40 %\t40 %", "gpu-01\t41 %\t41 %", "gpu-02\t42 %\t42 %"]


def test_hovering_shows_the_values_of_that_time(open_page: Open) -> None:
    page = open_page(StandIn(SMALL), "tab=node")
    panel(page, "CPU").locator("canvas").hover()
    tip = panel(page, "CPU").locator(".tip li")
    expect(tip).to_have_text(["gpu-02: 42 %", "gpu-01: 41 %", "gpu-00: 40 %"])


def test_one_line_can_be_looked_at_alone(open_page: Open) -> None:
    page = open_page(StandIn(SMALL), "tab=node")
    panel(page, "CPU").get_by_role("button", name="gpu-01").click()
    panel(page, "CPU").locator("canvas").hover()
    expect(panel(page, "CPU").locator(".tip li")).to_have_text(["gpu-01: 41 %"])


def test_a_bar_is_as_long_as_its_value(open_page: Open) -> None:
    page = open_page(StandIn(metrics.cluster(1, 2)), "tab=cluster")
    bars = panel(page, "Hottest GPUs")
    assert bars.locator("li").all_inner_texts() == ["gpu-00 GPU 1\n13 °C", "gpu-00 GPU 0\n0 °C"]
    style = bars.locator(".fill").first.get_attribute("style")
    assert style == "width: 13%; background: var(--good);"


def test_a_table_joins_what_several_queries_say_of_a_node(open_page: Open) -> None:
    answers = metrics.fixed(
        {
            "gpu_cluster_reboot_required": [({"node": "a2"}, 1), ({"node": "a10"}, 0)],
            'max by (node) (up{job="node"': [({"node": "a10"}, 1), ({"node": "a2"}, 0)],
        }
    )
    table = panel(open_page(StandIn(answers)), "Nodes").locator("tbody")
    assert table.locator("tr").all_inner_texts() == [
        "a2\tdown\t-\t-\t-\t-\tyes",
        "a10\tup\t-\t-\t-\t-\tno",
    ]


def test_two_failed_gpus_without_a_number_are_two_rows(open_page: Open) -> None:
    failed = {"node": "a", "modelName": "NVIDIA H100", "state": "failed"}
    states = [
        ({**failed, "pci_bus_id": each}, 1.0) for each in ("00000000:1B:00.0", "00000000:2B:00.0")
    ]
    page = open_page(StandIn(metrics.fixed({"gpu_cluster_gpu_state": states})), "tab=gpu")
    assert panel(page, "GPUs").last.locator("tbody tr").all_inner_texts() == [
        "a\t00000000:1B:00.0\tNVIDIA H100\tfailed\t-\t-\t-\t-",
        "a\t00000000:2B:00.0\tNVIDIA H100\tfailed\t-\t-\t-\t-",
    ]


def test_a_heading_sorts_its_table(open_page: Open) -> None:
    page = open_page(StandIn(SMALL), "tab=gpu")
    table = panel(page, "GPUs").last
    heading = table.get_by_role("button", name="Utilisation")
    heading.click()
    heading.click()
    expect(table.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    first = table.locator("tbody tr").first.locator("th, td")
    expect(first.nth(0)).to_have_text("gpu-02")
    expect(first.nth(1)).to_have_text("1")


def test_a_hundred_nodes_have_a_heat_map_of_all_their_gpus(open_page: Open) -> None:
    page = open_page(StandIn(metrics.cluster(100, 8)))
    heat = panel(page, "GPU temperature, every GPU")
    assert heat.locator("td").count() == 800
    assert heat.locator("thead th").all_inner_texts() == ["Node", *"01234567"]
    hot = heat.locator("tr", has_text="gpu-13").locator("td").nth(0)
    assert hot.get_attribute("title") == "gpu-13 GPU 0: 91 °C"
    assert hot.get_attribute("style") == "background: var(--bad);"


def test_eight_hundred_gpus_are_asked_for_with_fewer_points(open_page: Open) -> None:
    stand_in = StandIn(metrics.cluster(100, 8))
    page = open_page(stand_in, "tab=gpu&range=1h")
    legend = panel(page, "Temperature").locator(".legend tbody tr")
    assert legend.last.inner_text() == "and 600 more lines; choose a node"
    assert {each["step"] for each in stand_in.asked if "step" in each} == {"120"}


def test_a_missing_gpu_leaves_a_hole_in_the_heat_map(open_page: Open) -> None:
    there = [({"node": "a", "gpu": "1"}, 40.0), ({"node": "b", "gpu": "0"}, 50.0)]
    page = open_page(StandIn(metrics.fixed({"DCGM_FI_DEV_GPU_TEMP": there})))
    heat = panel(page, "GPU temperature, every GPU")
    assert heat.locator("tbody tr").all_inner_texts() == ["a\t·\t40", "b\t50\t·"]


def test_a_query_that_fails_is_told_in_its_panel_and_the_others_draw(open_page: Open) -> None:
    page = open_page(StandIn(metrics.failing("node_load1", SMALL)), "tab=node")
    told = page.locator(".message.error").all_inner_texts()
    assert told == ["query timed out <b>node_load1</b>"]
    assert panel(page, "CPU").locator("canvas").count() == 1


def test_a_server_that_wants_a_password_is_told(open_page: Open) -> None:
    page = open_page(StandIn(SMALL, password_wanted=True))
    said = "The server asks for a user and a password; reload the page."
    assert page.locator("#status").inner_text() == said
    assert page.locator("#alerts .error").inner_text() == f"Alerts cannot be read. {said}"


def test_a_server_that_goes_away_is_told(open_page: Open) -> None:
    page = open_page(StandIn(SMALL))
    page.context.set_offline(True)
    page.locator("#reload").click()
    expect(page.locator("#status")).to_have_text("The server does not answer.")


@pytest.mark.parametrize("tab", TABS)
def test_hostile_labels_stay_text(open_page: Open, tab: str) -> None:
    alerts = [metrics.alert(metrics.EVIL, metrics.EVIL, metrics.EVIL)]
    page = open_page(StandIn(metrics.hostile, alerts=alerts), f"tab={tab}")
    if tab != "ray":
        page.locator("canvas").first.hover()
    assert page.evaluate("window.hit") is None
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1
    assert page.locator("h1").inner_text() == metrics.EVIL
    assert page.locator("#alerts strong").inner_text() == metrics.EVIL


def test_the_worst_alert_stands_first_with_the_command_to_type(open_page: Open) -> None:
    alerts = [
        metrics.alert("RebootRequired", "info", "gpu-01"),
        metrics.alert("GpuHot", "warning", "gpu-00"),
        metrics.alert("NodeDown", "critical", "gpu-02"),
        metrics.alert("DiskWillFill", "critical", "gpu-00", state="pending"),
    ]
    page = open_page(StandIn(SMALL, alerts=alerts))
    names = page.locator("#alerts strong").all_inner_texts()
    assert names == ["NodeDown", "GpuHot", "RebootRequired"]
    page.locator("#alerts summary").first.click()
    expect(page.locator("#alerts code").first).to_have_text("ssh gpu-02 nvidia-smi")


def test_an_opened_alert_stays_open_when_the_page_refreshes(open_page: Open) -> None:
    stand_in = StandIn(SMALL, alerts=[metrics.alert("GpuHot", "warning", "gpu-00")])
    page = open_page(stand_in)
    page.locator("#alerts summary").click()
    stand_in.alerts = [metrics.alert("NodeDown", "critical", "gpu-01"), *stand_in.alerts]
    page.locator("#reload").click()
    expect(page.locator("#alerts strong")).to_have_text(["NodeDown", "GpuHot"])
    assert page.locator("#alerts details[open] strong").all_inner_texts() == ["GpuHot"]


def test_no_alert_is_said_in_words(open_page: Open) -> None:
    page = open_page(StandIn(SMALL))
    assert page.locator("#alerts-list").inner_text() == "No alert is firing."


def test_a_chosen_node_is_put_into_the_queries_as_a_text(open_page: Open) -> None:
    there = metrics.fixed({"count by (node": [({"node": 'a.b"'}, 1)]}, SMALL)
    wanted = 'sum(up{job="node",node=~"a\\\\.b\\""})'
    page = open_page(StandIn(metrics.fixed({wanted: [({}, 77)]}, there)), "tab=node")
    page.locator("#node").select_option('a.b"')
    expect(panel(page, "Nodes up").locator(".number")).to_have_text("77")
    expect(page).to_have_url(re.compile("node=a.b%22"))


def test_a_node_in_the_heat_map_leads_to_its_gpus(open_page: Open) -> None:
    page = open_page(StandIn(SMALL))
    panel(page, "GPU utilisation, every GPU").get_by_role("link", name="gpu-01").click()
    expect(page.get_by_role("tab", selected=True)).to_have_text("GPUs")
    expect(page.locator("#node")).to_have_value("gpu-01")


@pytest.mark.parametrize(
    ("chosen", "seconds", "step"),
    [
        pytest.param("15m", 900, 15, id="quarter-of-an-hour"),
        pytest.param("1h", 3600, 15, id="hour"),
        pytest.param("6h", 21600, 120, id="six-hours"),
        pytest.param("24h", 86400, 600, id="day"),
        pytest.param("7d", 604800, 3600, id="week"),
    ],
)
def test_the_range_is_what_is_asked_for(
    open_page: Open, chosen: str, seconds: int, step: int
) -> None:
    stand_in = StandIn(SMALL)
    open_page(stand_in, f"tab=node&range={chosen}")
    spans = {
        (int(each["end"]) - int(each["start"]), int(each["step"]))
        for each in stand_in.asked
        if "step" in each
    }
    assert spans == {(seconds, step)}


def test_tabs_are_worked_by_keyboard(open_page: Open) -> None:
    page = open_page(StandIn(SMALL))
    page.get_by_role("tab", name="Cluster").press("ArrowRight")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Nodes")
    page.get_by_role("tab", name="Nodes").press("ArrowLeft")
    expect(page.get_by_role("tab", selected=True)).to_have_text("Cluster")


def test_the_page_works_below_another_path(open_page: Open) -> None:
    page = open_page(StandIn(SMALL, prefix="/metrics"))
    assert panel(page, "Nodes up").locator(".number").first.inner_text() == "40"


def test_a_password_in_the_address_does_not_break_the_page(open_page: Open) -> None:
    stand_in = StandIn(SMALL)
    page = open_page(stand_in)
    page.goto(stand_in.address.replace("//", "//admin:secret@") + "/user/#refresh=0&tab=node")
    expect(panel(page, "CPU").locator("canvas")).to_be_visible()


def test_a_graph_is_told_to_who_cannot_see_it(open_page: Open) -> None:
    page = open_page(StandIn(SMALL), "tab=node")
    assert panel(page, "CPU").locator("canvas").get_attribute("aria-label") == (
        "CPU, 3 lines; last values: gpu-00 40 %, gpu-01 41 %, gpu-02 42 %"
    )
    assert page.get_by_role("region", name="CPU", exact=True).count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("tab", ["cluster", "gpu"])
def test_every_text_has_enough_contrast(open_page: Open, tab: str, scheme: str) -> None:
    alerts = [metrics.alert("A", each, "gpu-00") for each in ("critical", "warning", "info")]
    stand_in = StandIn(metrics.cluster(12, 8), alerts=alerts)
    page = open_page(stand_in, f"tab={tab}", color_scheme=scheme)
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("tab", ["cluster", "gpu"])
def test_a_phone_needs_no_scrolling_sideways(open_page: Open, tab: str) -> None:
    page = open_page(StandIn(metrics.cluster(20, 8)), f"tab={tab}", width=360)
    assert page.evaluate(OVERFLOW) == 0


def test_dark_and_light_can_be_chosen(open_page: Open) -> None:
    page = open_page(StandIn(SMALL), color_scheme="dark")
    theme = page.locator("#theme")
    assert theme.get_attribute("aria-pressed") == "true"
    theme.click()
    expect(theme).to_have_attribute("aria-pressed", "false")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
