"""Claims about how tests/gpu/accept.sh says that it cannot run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "gpu" / "accept.sh"


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with the programs in ``folder`` and the shell's own ones alone."""
    for name in ("dirname", "mktemp", "ln", "mkdir", "rm", "find", "head"):
        (folder / name).symlink_to(shutil.which(name) or name)
    environment = {"PATH": str(folder), "PYTHON": sys.executable, "HOME": os.environ["HOME"]}
    bash = shutil.which("bash") or "bash"
    return subprocess.run(
        [bash, str(SCRIPT), *words], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "words", [[], ["--wrong"], ["one"], ["one", "two", "three"]], ids=lambda words: f"{len(words)}"
)
def test_wrong_arguments_show_the_right_ones(tmp_path: Path, words: list[str]) -> None:
    ended = run(*words, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("accept: usage: accept.sh ")


def test_a_machine_without_a_driver_is_told_so(tmp_path: Path) -> None:
    ended = run("wheels", str(tmp_path / "out"), folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr == (
        "accept: nvidia-smi is not there: this machine shows no NVIDIA driver\n"
    )


def test_missing_wheels_name_the_step_that_fetches_them(tmp_path: Path) -> None:
    (tmp_path / "nvidia-smi").symlink_to(shutil.which("true") or "true")
    (tmp_path / "wheels").mkdir()
    ended = run(str(tmp_path / "wheels"), str(tmp_path / "out"), folder=tmp_path)
    assert ended.returncode == 2
    assert "run tests/gpu/accept.sh --prepare on a machine with a package index" in ended.stderr
    assert "Traceback" not in ended.stderr
