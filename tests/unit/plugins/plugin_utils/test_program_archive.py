"""Claims about the program that is made of this collection's own code."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.program_file import (
    ProgramError,
    compiled,
    interpreter,
    is_current,
    source_digest,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.program_archive import (
    FOLDER,
    PACKAGE,
    program,
    sources,
)

ENTRY = "node_metrics_read"
PLACE = f"{PACKAGE.replace('.', '/')}"


def small(folder: Path, **texts: str) -> bytes:
    """Return a program made of modules with these texts; that of ``start`` is run."""
    for name, text in texts.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return program("start", folder)


def run(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program as the unit does: with nothing of this environment."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(path), *words],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath},
    )


def test_the_collector_runs_without_ansible_and_without_this_checkout(tmp_path: Path) -> None:
    path, out = tmp_path / "collector.pyz", tmp_path / "out"
    path.write_bytes(compiled(program(ENTRY), str(path)))
    (tmp_path / "c.json").write_text(json.dumps({"directory": str(out), "gpus": "none"}))
    ended = run(path, str(tmp_path / "c.json"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "gpu_cluster_collector_last_run_timestamp_seconds" in (out / "node.prom").read_text()


def test_settings_that_are_missing_are_named(tmp_path: Path) -> None:
    path = tmp_path / "collector.pyz"
    path.write_bytes(program(ENTRY))
    ended = run(path, "/nowhere.json")
    assert (ended.returncode, ended.stderr) == (1, "/nowhere.json: No such file or directory\n")


def test_it_holds_what_it_imports_and_nothing_of_ansible() -> None:
    found = sources(ENTRY)
    assert {"nvml", "gpu_join", "amd_sysfs", "x509", "exposition"} <= set(found)
    assert {"gpu_read", "amd_smi", "nvidia_smi", "ledger"}.isdisjoint(found)
    assert not [name for name, text in found.items() if "ansible.module_utils" in text]


def test_it_is_the_same_whenever_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "start": f"from {PACKAGE} import part\n\ndef main():\n    return part.N\n",
        "part": "N = 3\n",
    }
    first = small(tmp_path, **texts)
    os.utime(tmp_path / "part.py", (1, 1))
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert program("start", tmp_path) == first
    names = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert names == sorted(names)
    assert f"{PLACE}/part.py" in names


def test_a_change_anywhere_in_it_is_another_digest(tmp_path: Path) -> None:
    start = f"from {PACKAGE}.part import N\n\ndef main():\n    return N\n"
    one = source_digest(small(tmp_path, start=start, part="N = 3\n"))
    two = source_digest(small(tmp_path, start=start, part="N = 4\n"))
    assert one != two


def test_the_compiled_form_changes_neither_digest_nor_answer(tmp_path: Path) -> None:
    made = small(tmp_path, start="def main():\n    return 7\n")
    path = tmp_path / "p.pyz"
    path.write_bytes(compiled(made, str(path)))
    assert run(path).returncode == 7
    assert source_digest(path.read_bytes()) == source_digest(made)
    assert f"{PLACE}/start.pyc" in zipfile.ZipFile(path).namelist()


def test_python_uses_the_compiled_form(tmp_path: Path) -> None:
    made = small(tmp_path, start="def main():\n    return 7\n")
    other = compiled(small(tmp_path, start="def main():\n    return 8\n"), "p")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as mixed, zipfile.ZipFile(io.BytesIO(other)) as right:
        for name in right.namelist():
            source = zipfile.ZipFile(io.BytesIO(made)) if name.endswith(".py") else right
            mixed.writestr(name, source.read(name))
    (tmp_path / "p.pyz").write_bytes(buffer.getvalue())
    assert run(tmp_path / "p.pyz").returncode == 8


def test_a_program_is_current_only_for_its_sources_and_its_python(tmp_path: Path) -> None:
    made = small(tmp_path, start="def main():\n    return 7\n")
    digest = source_digest(made)
    assert is_current(compiled(made, "p"), digest) is True
    assert is_current(made, digest) is False
    assert is_current(compiled(made, "p"), "0" * 64) is False
    assert is_current(None, digest) is False
    assert is_current(b"#!/bin/sh\n", digest) is False


def test_what_is_no_program_is_said_so() -> None:
    with pytest.raises(ProgramError, match="saw no zip application"):
        source_digest(b"nothing")


def test_the_usual_name_of_python_is_taken_where_it_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "python3").symlink_to("python3.13")
    usual = str(tmp_path / "python3")
    assert interpreter(str(tmp_path / "python3.13"), usual) == usual
    assert interpreter("/opt/python/bin/python3.12", usual) == "/opt/python/bin/python3.12"


def test_every_part_lies_where_the_program_looks_for_it() -> None:
    assert (FOLDER / f"{ENTRY}.py").is_file()
