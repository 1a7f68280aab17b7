"""The reports of nvidia-smi in tests/fixtures/gpu/nvidia, for the tests of its reader."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_smi import parse_smi_xml

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "gpu" / "nvidia"


def text_of(name: str) -> str:
    """Return all that nvidia-smi printed."""
    return (FIXTURES / name / "nvidia-smi.txt").read_text(encoding="utf-8")


def report(name: str) -> DriverView:
    """Return what is read of it."""
    return parse_smi_xml(text_of(name))


def only(name: str) -> DriverGpu:
    """Return its only GPU."""
    (gpu,) = report(name).gpus
    return gpu


def fixtures() -> list[str]:
    """Return the names of all fixtures."""
    return sorted(each.name for each in FIXTURES.iterdir())
