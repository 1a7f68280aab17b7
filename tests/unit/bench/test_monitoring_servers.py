"""What the bench of monitoring servers serves, counts and prints."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.bench.monitoring_programs import commands, scrape_config
from tests.bench.monitoring_servers import Figures, table, total
from tests.bench.synthetic_exporter import Series, make_nodes, recorded_series

RECORDED = """# HELP node_cpu_seconds_total Seconds.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{cpu="0",mode="idle"} 5000
node_cpu_seconds_total{cpu="0",mode="nice"} 0
# TYPE node_memory_MemFree_bytes gauge
node_memory_MemFree_bytes 2e+06
# TYPE node_load1 gauge
node_load1 0.5
"""


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        pytest.param(0, "counter", id="counter-grows"),
        pytest.param(1, "fixed", id="counter-at-zero-stays"),
        pytest.param(2, "gauge", id="bytes-wander"),
        pytest.param(3, "fixed", id="small-gauge-stays"),
    ],
)
def test_a_recorded_series_moves_as_its_type_says(number: int, kind: str) -> None:
    assert recorded_series(RECORDED)[number].kind == kind


def test_a_recorded_series_keeps_its_labels() -> None:
    assert recorded_series(RECORDED)[0].name == 'node_cpu_seconds_total{cpu="0",mode="idle"}'


def test_a_counter_never_falls() -> None:
    series = Series("x_total", "counter", 10, 0, 5)
    chance = random.Random(1)  # noqa: S311 (the same values in every run)
    values = []
    for _ in range(50):
        series.move(chance)
        values.append(series.value)
    assert values == sorted(values)
    assert values[-1] > 10


def test_a_node_has_what_was_recorded_and_eight_gpus() -> None:
    lines = make_nodes(RECORDED, 1)[0].render(1).decode().splitlines()
    assert len(lines) == 4 + 8 * 18
    assert sum(line.startswith("DCGM_FI_DEV_GPU_TEMP{") for line in lines) == 8


def test_all_who_ask_within_one_interval_get_the_same_text() -> None:
    node = make_nodes(RECORDED, 1)[0]
    first = node.render(7)
    assert node.render(7) == first
    assert node.render(8) != first


def test_each_synthetic_node_is_a_target_of_its_own() -> None:
    config = scrape_config(2, 5)
    assert config["global"] == {"scrape_interval": "5s", "scrape_timeout": "5s"}
    assert [job["metrics_path"] for job in config["scrape_configs"]] == ["/node/0", "/node/1"]


def test_no_two_programs_listen_at_the_same_address() -> None:
    flags = ("-httpListenAddr=", "--web.listen-address=")
    words = [word for command in commands(Path("/x")).values() for word in command]
    addresses = [word.split("=", 1)[1] for word in words if word.startswith(flags)]
    assert len(addresses) == len(set(addresses)) == 7


def test_a_total_adds_up_a_metric_and_no_other() -> None:
    text = 'rows_total{type="a"} 3\nrows_total{type="b"} 4\nrows_total_other 9\nrows_total 1e2\n'
    assert total(text, "rows_total") == 107


def test_the_table_tells_bytes_for_each_sample() -> None:
    figures = Figures("Prometheus", 120.4, 130.2, 3.94, 1000, 6000, 2840, (16.61, 14.12))
    assert table([figures], 10).splitlines()[2] == (
        "| Prometheus | 120 | 130 | 3.9 | 1000 | 100 | 6.00 | 2.84 | 16.6, 14.1 |"
    )
