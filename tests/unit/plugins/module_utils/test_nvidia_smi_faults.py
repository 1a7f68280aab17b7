"""Claims about GPUs that do not answer, and about what nvidia-smi prints instead of a report."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import DriverView
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import parse_smi_xml

from tests.unit.plugins.module_utils.nvidia_reports import report, text_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "fault-lost",
            [(0, "0000:53:00.0", None), (1, "0000:64:00.0", "GPU is lost")],
            id="lost-in-its-values",
        ),
        pytest.param(
            "fault-lost-handle",
            [
                (0, "0000:53:00.0", None),
                (
                    1,
                    "0000:64:00.0",
                    "GPU is lost.  Reboot the system to recover this GPU",
                ),
                (2, "0000:75:00.0", None),
            ],
            id="lost-before-the-report",
        ),
        pytest.param(
            "fault-handle-numbered",
            [
                (0, "0000:1b:00.0", None),
                (1, "0000:1c:00.0", None),
                (2, "0000:5e:00.0", None),
                (3, "0000:5f:00.0", "Unknown Error"),
                (4, "0000:60:00.0", None),
                (5, "0000:b1:00.0", None),
                (6, "0000:b2:00.0", None),
                (7, "0000:db:00.0", None),
            ],
            id="unknown-error-after-the-report-by-number",
        ),
        pytest.param(
            "fault-undescribed",
            [
                (0, "0000:53:00.0", None),
                (1, None, "nvidia-smi counts 2 GPUs and describes 1"),
            ],
            id="counted-and-not-described",
        ),
        pytest.param(
            "fault-reset-required",
            [(0, "0000:31:00.0", "GPU requires reset")],
            id="requires-reset-in-its-values",
        ),
        pytest.param(
            "fault-reset-status",
            [(0, "0000:31:00.0", "GPU requires reset")],
            id="requires-reset-by-its-status",
        ),
        pytest.param(
            "fault-recovery-reboot",
            [(0, "0000:01:00.0", "GPU recovery action: Reboot")],
            id="asks-for-a-boot",
        ),
        pytest.param(
            "fault-unknown-error", [(0, "0000:65:00.0", "Unknown Error")], id="unknown-error"
        ),
    ],
)
def test_a_gpu_that_does_not_answer_stays_in_its_place(
    name: str, expected: list[tuple[int, str | None, str | None]]
) -> None:
    view = report(name)
    assert view.error is None
    assert [(gpu.index, gpu.pci_address, gpu.error) for gpu in view.gpus] == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("GPU 0000:54:00.0: Not Found", (1, "0000:54:00.0", "Not Found"), id="space"),
        pytest.param(
            "GPU0000:54:00.0: Unknown Error", (1, "0000:54:00.0", "Unknown Error"), id="no-space"
        ),
        pytest.param(
            "GPU 00000000:54:00.0: Timeout", (1, "0000:54:00.0", "Timeout"), id="long-domain"
        ),
        pytest.param("GPU0: 0000:54:00.0: X", (0, "0000:54:00.0", "X"), id="number-and-address"),
        pytest.param("GPU2: Unknown Error", (2, None, "Unknown Error"), id="number-alone"),
        pytest.param("GPU", (1, None, "no device handle"), id="nothing"),
    ],
)
def test_the_forms_of_the_message_about_a_handle(
    said: str, expected: tuple[int, str | None, str]
) -> None:
    text = text_of("h200")
    view = parse_smi_xml(f"{text}Unable to determine the device handle for {said}\n")
    (lost,) = [gpu for gpu in view.gpus if gpu.error]
    assert (lost.index, lost.pci_address, lost.error) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(
            "text-driver-not-loaded",
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
            "Make sure that the latest NVIDIA driver is installed and running.",
            id="driver-not-loaded",
        ),
        pytest.param(
            "text-version-mismatch",
            "Failed to initialize NVML: Driver/library version mismatch "
            "NVML library version: 535.183",
            id="version-mismatch",
        ),
        pytest.param(
            "text-no-permission",
            "Failed to initialize NVML: Insufficient Permissions",
            id="no-permission",
        ),
        pytest.param(
            "text-handle-only",
            "Unable to determine the device handle for GPU0000:25:00.0: Unknown Error "
            "No devices were found",
            id="the-only-gpu-fell-off-the-bus",
        ),
        pytest.param(
            "broken-truncated",
            "the report of nvidia-smi ends early, after 2 GPUs",
            id="truncated",
        ),
        pytest.param("broken-empty", "nvidia-smi printed nothing", id="empty"),
        pytest.param(
            "broken-garbage",
            "nvidia-smi printed no report but: ??\ufffd\ufffdELF??? not a report ?[31m<<<&&&>>>",
            id="garbage",
        ),
        pytest.param(
            "broken-entity-bomb",
            "the report of nvidia-smi is no XML: undefined entity: line 2, column 17",
            id="entity-bomb",
        ),
        pytest.param(
            "broken-external-entity",
            "the report of nvidia-smi is no XML: undefined entity: line 2, column 17",
            id="external-entity",
        ),
    ],
)
def test_what_is_no_report_is_an_error_in_its_words(name: str, expected: str) -> None:
    assert report(name) == DriverView("nvidia-smi", error=expected)


def test_a_driver_without_gpus_is_an_empty_list_and_no_error() -> None:
    assert report("text-no-devices") == DriverView("nvidia-smi")


def test_a_count_that_no_machine_has_adds_no_gpus() -> None:
    text = text_of("h200")
    broken = text.replace("<attached_gpus>1<", "<attached_gpus>4000000000<")
    assert len(parse_smi_xml(broken).gpus) == 1
