"""Claims about the text_files module."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.modules.text_files import main

from tests.unit.plugins.modules.conftest import Node

OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


def file(path: Path, content: str, **more: Any) -> dict[str, Any]:
    """Return one entry of the list, owned by whoever runs the tests."""
    return {"path": str(path), "content": content, "owner": OWNER, "group": GROUP, **more}


def test_all_files_come_in_one_call_and_the_second_changes_nothing(
    node: Node, tmp_path: Path
) -> None:
    files = [
        file(tmp_path / "a" / "one.conf", "1\n"),
        file(tmp_path / "two", "2\n", mode="0440"),
    ]
    result = node.run(main, files=files)
    assert result["paths"] == [str(tmp_path / "a" / "one.conf"), str(tmp_path / "two")]
    assert (tmp_path / "a" / "one.conf").read_text() == "1\n"
    assert (tmp_path / "two").stat().st_mode & 0o7777 == 0o440
    again = node.run(main, files=files)
    assert (again["changed"], again["paths"], again["diff"]) == (False, [], [])


def test_only_what_differs_is_written_and_shown(node: Node, tmp_path: Path) -> None:
    (tmp_path / "same").write_text("s\n")
    (tmp_path / "same").chmod(0o644)
    (tmp_path / "mode").write_text("m\n")
    (tmp_path / "mode").chmod(0o600)
    result = node.run(main, files=[file(tmp_path / "same", "s\n"), file(tmp_path / "mode", "m\n")])
    assert result["paths"] == [str(tmp_path / "mode")]
    assert result["diff"] == [
        {
            "before_header": str(tmp_path / "mode"),
            "after_header": str(tmp_path / "mode"),
            "before": "m\n(mode) 0600\n",
            "after": "m\n(mode) 0644\n",
        }
    ]
    assert (tmp_path / "mode").stat().st_mode & 0o7777 == 0o644


def test_one_wrong_draft_leaves_every_file_as_it_was(node: Node, tmp_path: Path) -> None:
    (tmp_path / "two").write_text("old\n")
    node.answers("visudo", (1, "", "syntax error near line 1\n"))
    result = node.run(
        main,
        files=[
            file(tmp_path / "one", "1\n"),
            file(tmp_path / "two", "broken\n", validate=["visudo", "-cf", "%s"]),
        ],
    )
    assert result["failed"] is True
    assert result["msg"] == (
        f"Could not write the files: {tmp_path}/two would not be valid: 'visudo -cf {tmp_path}/two'"
        " exited 1: syntax error near line 1; no file was changed"
    )
    assert not (tmp_path / "one").exists()
    assert (tmp_path / "two").read_text() == "old\n"
    assert list(node.folder.iterdir()) == []


def test_an_equal_file_is_not_validated_again(node: Node, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x\n")
    (tmp_path / "x").chmod(0o644)
    node.run(main, files=[file(tmp_path / "x", "x\n", validate=["visudo", "-cf", "%s"])])
    assert node.calls == []


def test_check_mode_validates_and_writes_nothing(node: Node, tmp_path: Path) -> None:
    node.answers("visudo", (0, "", ""))
    files = [file(tmp_path / "d" / "x", "x\n", validate=["visudo", "-cf", "%s"])]
    result = node.run(main, check=True, files=files)
    assert (result["changed"], result["paths"]) == (True, [str(tmp_path / "d" / "x")])
    assert len(node.calls) == 1
    assert not (tmp_path / "d").exists()


def test_an_unknown_owner_is_named(node: Node, tmp_path: Path) -> None:
    result = node.run(main, files=[file(tmp_path / "x", "x\n") | {"owner": "nobody-at-all"}])
    assert f"{tmp_path}/x: this node has no such user or group" in result["msg"]
    assert not (tmp_path / "x").exists()


def folder(path: Path, **more: Any) -> dict[str, Any]:
    """Return one entry of the directories, owned by whoever runs the tests."""
    return {"path": str(path), "owner": OWNER, "group": GROUP, **more}


def test_directories_come_before_the_files_with_their_own_modes(node: Node, tmp_path: Path) -> None:
    wanted: dict[str, Any] = {
        "directories": [folder(tmp_path / "a", mode="0750"), folder(tmp_path / "a" / "b")],
        "files": [file(tmp_path / "a" / "b" / "x", "x\n")],
    }
    assert node.run(main, **wanted)["paths"] == [
        str(tmp_path / "a"),
        str(tmp_path / "a" / "b"),
        str(tmp_path / "a" / "b" / "x"),
    ]
    modes = [path.stat().st_mode & 0o7777 for path in (tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o750, 0o755]
    assert node.run(main, **wanted)["changed"] is False


def test_a_directory_with_another_mode_is_set_and_shown(node: Node, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o777)
    (tmp_path / "a").chmod(0o777)
    result = node.run(main, directories=[folder(tmp_path / "a", mode="0750")])
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o750
    assert ("0777" in result["diff"][0]["before"], "0750" in result["diff"][0]["after"]) == (
        True,
        True,
    )


def test_check_mode_foresees_owners_and_programs_that_are_to_come(
    node: Node, tmp_path: Path
) -> None:
    later = {"owner": "nobody-at-all", "group": "nobody-at-all"}
    result = node.run(
        main,
        check=True,
        directories=[folder(tmp_path / "d") | later],
        files=[file(tmp_path / "d" / "x", "x\n", validate=["not-there-yet", "%s"]) | later],
    )
    assert result["paths"] == [str(tmp_path / "d"), str(tmp_path / "d" / "x")]
    assert not (tmp_path / "d").exists()
