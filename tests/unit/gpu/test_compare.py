"""Claims about the second opinion on what was read of a GPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import to_plain
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import parse_smi_xml

from tests.gpu.compare import compare, main, table

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "gpu" / "nvidia"
#: Reports in which every GPU answers.
WHOLE = sorted(
    each.name
    for each in FIXTURES.iterdir()
    if not each.name.startswith(("text-", "broken-"))
    and each.name not in ("fault-lost-handle", "fault-handle-numbered", "fault-undescribed")
    # Its process name breaks the XML for every parser that does not leave it out first.
    and each.name != "hidden-in-noise"
)


def read(name: str) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Return a report, the views of both readers and the facts, as the script hands them over."""
    text = (FIXTURES / name / "nvidia-smi.txt").read_text(encoding="utf-8")
    view = to_plain(parse_smi_xml(text))
    stack = {"vendor": "nvidia", "loaded": view["driver_version"], "source": "nvml"}
    gpus = [{**gpu, "vendor": "nvidia"} for gpu in to_plain(view["gpus"])]
    return text, {"nvidia-smi": view}, {"gpus": gpus, "stacks": [stack]}


@pytest.mark.parametrize("name", WHOLE)
def test_both_readers_of_a_report_agree(name: str) -> None:
    report, views, facts = read(name)
    assert [row for row in compare(report, views, facts) if row.verdict == "NO"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("memory_mib", 1, id="memory"),
        pytest.param("uuid", None, id="uuid"),
        pytest.param("power_limit_w", 699.0, id="power-limit"),
        pytest.param("index", 7, id="index"),
    ],
)
def test_a_field_that_differs_is_found(field: str, value: Any) -> None:
    report, views, facts = read("h200")
    views["nvidia-smi"]["gpus"][0][field] = value
    found = [row for row in compare(report, views, facts) if row.verdict == "NO"]
    assert [(row.source, row.field, row.ours) for row in found] == [
        ("nvidia-smi", f"0 {field}", value)
    ]


def test_a_nested_field_that_differs_is_found() -> None:
    report, views, facts = read("fault-ecc-uncorrected")
    facts["gpus"][0]["ecc"]["volatile_uncorrected"] = 0
    (row,) = [row for row in compare(report, views, facts) if row.verdict == "NO"]
    assert (row.source, row.field, row.ours, row.theirs) == (
        "gpu_info",
        "0 ecc.volatile_uncorrected",
        0,
        6,
    )


def test_a_missing_gpu_is_found() -> None:
    report, views, facts = read("h100-x8")
    facts["gpus"].pop()
    (row,) = [row for row in compare(report, views, facts) if row.verdict == "NO"]
    assert (row.source, row.field, row.ours, row.theirs) == ("gpu_info", "number of GPUs", 7, 8)


def test_what_changes_by_the_moment_is_shown_and_not_judged() -> None:
    report, views, facts = read("h200")
    views["nvidia-smi"]["gpus"][0]["temperature_c"] = 99
    changed = [row for row in compare(report, views, facts) if row.verdict == "varies"]
    assert [row.field for row in changed] == ["0 temperature_c"]


def test_a_reader_that_failed_is_found() -> None:
    report, views, facts = read("h200")
    views["nvml"] = {"gpus": [], "driver_version": None, "runtime_version": None, "error": "lost"}
    found = [row.field for row in compare(report, views, facts) if row.verdict == "NO"]
    assert found == ["driver version", "CUDA version", "error", "number of GPUs"]


def test_the_table_is_aligned() -> None:
    report, views, facts = read("h200")
    lines = table(compare(report, views, facts)).splitlines()
    assert lines[0].split() == ["SOURCE", "FIELD", "OURS", "NVIDIA-SMI", "EQUAL"]
    column = lines[0].index("EQUAL")
    assert {line[column:] for line in lines[1:]} == {"yes"}


@pytest.mark.parametrize(("change", "status"), [(0, 0), (1, 1)], ids=["equal", "different"])
def test_a_difference_is_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: int, status: int
) -> None:
    report, views, facts = read("h200")
    views["nvidia-smi"]["gpus"][0]["memory_mib"] += change
    (tmp_path / "nvidia-smi.txt").write_text(report)
    (tmp_path / "views.json").write_text(json.dumps(views))
    (tmp_path / "results.json").write_text(json.dumps({"gpu": facts, "findings": []}))
    assert main([str(tmp_path)]) == status
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(f"0 that vary by the moment, {change} different")
