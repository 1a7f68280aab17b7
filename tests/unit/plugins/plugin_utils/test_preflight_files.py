"""Claims about how preflight.json and report.html come to lie where they do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils import preflight_files
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.preflight_files import (
    write_report,
)

from tests.browser import samples

OLD = "what the run before wrote\n"


@pytest.fixture
def umask_027() -> Iterator[None]:
    """Have the umask of a user who keeps others out."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the mode of each file in a folder."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


def with_old_files(folder: Path) -> Path:
    """Return the folder with the files of a former run in it."""
    for name in ("preflight.json", "report.html"):
        (folder / name).write_text(OLD, encoding="utf-8")
    return folder


@pytest.mark.usefixtures("umask_027")
def test_who_may_read_the_files_is_what_the_umask_says(tmp_path: Path) -> None:
    write_report(str(tmp_path), samples.healthy(1))
    assert modes(tmp_path) == {"preflight.json": 0o640, "report.html": 0o640}


@pytest.mark.usefixtures("umask_027")
def test_the_umask_is_the_same_afterwards(tmp_path: Path) -> None:
    write_report(str(tmp_path), samples.healthy(1))
    (tmp_path / "other").touch()
    assert modes(tmp_path)["other"] == 0o640


def test_a_tilde_is_the_home_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    page = write_report("~/reports", samples.healthy(1))
    assert page == tmp_path / "reports" / "report.html"
    assert page.is_file()


def test_the_former_page_stays_when_the_new_one_cannot_be_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_document: Mapping[str, Any]) -> str:
        raise RuntimeError("no such table")

    monkeypatch.setattr(preflight_files, "render_page", fail)
    with pytest.raises(RuntimeError, match="no such table"):
        write_report(str(with_old_files(tmp_path)), samples.healthy(1))
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == OLD
    assert sorted(modes(tmp_path)) == ["preflight.json", "report.html"]


def test_a_file_that_cannot_take_the_place_of_the_former_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_source: str, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="No space left on device"):
        write_report(str(with_old_files(tmp_path)), samples.healthy(1))
    assert sorted(modes(tmp_path)) == ["preflight.json", "report.html"]
    assert (tmp_path / "preflight.json").read_text(encoding="utf-8") == OLD


def test_whoever_has_the_former_file_open_goes_on_reading_it(tmp_path: Path) -> None:
    page = with_old_files(tmp_path) / "report.html"
    with page.open(encoding="utf-8") as reader:
        write_report(str(tmp_path), samples.healthy(1))
        assert reader.read() == OLD
    assert page.read_text(encoding="utf-8") != OLD


def test_a_file_where_the_directory_should_be_is_an_error(tmp_path: Path) -> None:
    place = tmp_path / "report"
    place.write_text(OLD, encoding="utf-8")
    with pytest.raises(FileExistsError):
        write_report(str(place), samples.healthy(1))
    assert place.read_text(encoding="utf-8") == OLD


def test_a_directory_below_a_file_is_an_error(tmp_path: Path) -> None:
    place = tmp_path / "report"
    place.write_text(OLD, encoding="utf-8")
    with pytest.raises(NotADirectoryError):
        write_report(str(place / "of" / "today"), samples.healthy(1))
