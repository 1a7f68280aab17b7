"""Claims about fixtures that are recorded on hardware: nothing in them names the hardware."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.gpu.record import main, names_in, replacements, scrub

REPORT = """<nvidia_smi_log>
\t<driver_version>580.95.05</driver_version>
\t<gpu id="00000000:3B:00.0">
\t\t<product_name>NVIDIA H100 80GB HBM3</product_name>
\t\t<serial>1654321098765</serial>
\t\t<uuid>GPU-1a2b3c4d-1111-2222-3333-444455556666</uuid>
\t\t<pdi>0xdeadbeef12345678</pdi>
\t\t<gpu_fabric_guid>0xdeadbeef12345678</gpu_fabric_guid>
\t\t<chassis_serial_number>N/A</chassis_serial_number>
\t\t<clusterUuid>00000000-0000-0000-0000-000000000000</clusterUuid>
\t\t<processes>
\t\t\t<process_info><process_name>/home/someone/train.py</process_name></process_info>
\t\t</processes>
\t</gpu>
</nvidia_smi_log>
"""


def test_names_of_the_hardware_are_found_once_and_missing_ones_are_none() -> None:
    assert names_in(REPORT) == [
        "GPU-1a2b3c4d-1111-2222-3333-444455556666",
        "1654321098765",
        "0xdeadbeef12345678",
    ]


def test_a_replacement_has_the_shape_of_the_name() -> None:
    names = ["GPU-1a2b3c4d-1111-2222-3333-444455556666", "16543X1098765", "0xdeadbeef"]
    assert replacements(names) == {
        "GPU-1a2b3c4d-1111-2222-3333-444455556666": "GPU-00000000-0000-0000-0000-000000000001",
        "16543X1098765": "0000000000002",
        "0xdeadbeef": "0x00000003",
    }


def test_one_name_is_replaced_alike_everywhere() -> None:
    known = replacements(names_in(REPORT))
    scrubbed = scrub(REPORT, known)
    assert scrubbed.count("0x0000000000000003") == 2
    assert scrub('{"uuid": "GPU-1a2b3c4d-1111-2222-3333-444455556666"}', known) == (
        '{"uuid": "GPU-00000000-0000-0000-0000-000000000001"}'
    )


@pytest.mark.parametrize("gone", ["1a2b3c4d", "1654321098765", "deadbeef", "someone", "train.py"])
def test_nothing_that_names_hardware_or_people_is_left(gone: str) -> None:
    assert gone not in scrub(REPORT, replacements(names_in(REPORT)))


def test_what_is_not_there_stays_not_there() -> None:
    scrubbed = scrub(REPORT, replacements(names_in(REPORT)))
    assert "<chassis_serial_number>N/A<" in scrubbed
    assert "<clusterUuid>00000000-0000-0000-0000-000000000000<" in scrubbed


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("NVIDIA-SMI version  : 580.95.05\n", "recorded", id="real"),
        pytest.param("nvidia-smi stand-in of the lab 580.95.05\n", "invented", id="simulated"),
    ],
)
def test_a_fixture_says_on_what_it_was_made(tmp_path: Path, version: str, expected: str) -> None:
    (tmp_path / "nvidia-smi.txt").write_text(REPORT)
    (tmp_path / "nvidia-smi-version.txt").write_text(version)
    (tmp_path / "views.json").write_text('"MIG-1a2b3c4d-1111-2222-3333-444455556666"')
    (tmp_path / "results.json").write_text("{}")
    assert main([str(tmp_path)]) == 0
    origin = json.loads((tmp_path / "fixture" / "origin.json").read_text())
    assert origin["origin"] == expected
    assert origin["note"].startswith("NVIDIA H100 80GB HBM3; driver 580.95.05; kernel ")
    views = (tmp_path / "fixture" / "views.json").read_text()
    assert views == '"MIG-00000000-0000-0000-0000-000000000002"'
