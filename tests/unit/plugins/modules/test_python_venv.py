"""Claims about the python_venv module; most make a real environment, from a wheel made here."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.venv_mark import MARK
from ansible_collections.rackforge.gpu_cluster.plugins.modules.python_venv import (
    digest,
    find_python,
    main,
    pip_arguments,
    pip_environment,
    present_digest,
    version_of,
)

from tests.unit.plugins.modules.conftest import Answer, Node

WHEEL = "tiny-1.0-py3-none-any.whl"
PROBE = "-c import sys, venv, ensurepip"


def tiny_wheel() -> bytes:
    """Return a wheel of a package with one constant."""
    content = io.BytesIO()
    information = "tiny-1.0.dist-info"
    files = {
        "tiny.py": "ANSWER = 42\n",
        f"{information}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in files) + f"{information}/RECORD,,\n"
    with zipfile.ZipFile(content, "w") as wheel:
        for name, text in {**files, f"{information}/RECORD": record}.items():
            wheel.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def wheels(tmp_path: Path) -> str:
    """A packed wheel folder, but for a path that leads astray."""
    path = tmp_path / "wheels.tar"
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo(f"../../{WHEEL}")
        data = tiny_wheel()
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return str(path)


class RealNode(Node):
    """A node whose commands really run, but for those that the test answers."""

    def run_command(
        self, args: list[str], environ_update: dict[str, str] | None = None, **_ignored: object
    ) -> Answer:
        """Run the command."""
        line = " ".join(args)
        if any(line.startswith(key) for key in self.programs):
            return super().run_command(args, environ_update)
        self.calls.append(line)
        environment = {**os.environ, **(environ_update or {})}
        done = subprocess.run(args, capture_output=True, text=True, env=environment, check=False)
        return done.returncode, done.stdout, done.stderr

    def get_bin_path(self, arg: str, *_ignored: object, **_ignored_too: object) -> str | None:
        """Find this Python only."""
        return sys.executable if arg == "python3" else None


@pytest.fixture
def real(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> RealNode:
    made = RealNode(tmp_path, capsys)
    monkeypatch.setattr(
        AnsibleModule, "run_command", lambda _self, *a, **k: made.run_command(*a, **k)
    )
    monkeypatch.setattr(
        AnsibleModule, "get_bin_path", lambda _self, *a, **k: made.get_bin_path(*a, **k)
    )
    return made


def answer_of(environment: Path) -> str:
    """Return what the installed package says."""
    program = [str(environment / "bin" / "python"), "-c", "import tiny; print(tiny.ANSWER)"]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


def test_a_real_environment_is_made_and_then_left_alone(
    real: RealNode, tmp_path: Path, wheels: str
) -> None:
    path = tmp_path / "opt" / "ray" / "1.0"
    arguments: dict[str, Any] = {"path": str(path), "requirements": ["tiny==1.0"]}
    previous = os.umask(0o077)
    try:
        result = real.run(main, **arguments, wheel_dir="/x", source_file=wheels)
    finally:
        os.umask(previous)
    assert (result["changed"], result["python"]) == (True, sys.executable)
    assert answer_of(path) == "42"
    assert sorted(each.name for each in path.iterdir() if each.name.startswith(".")) == [
        MARK,
        *([".gitignore"] if (path / ".gitignore").exists() else []),
    ]
    for part in (path, path.parent, path / "lib", path / "bin" / "pip"):
        assert part.stat().st_mode & 0o005 == 0o005, part
    real.calls.clear()
    assert real.run(main, **arguments, wheel_dir="/x")["changed"] is False
    assert real.calls == []


def test_a_failed_installation_leaves_nothing_and_tells_why(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "venv"
    said = "ERROR: Could not find a version\nERROR: No matching distribution found for tiny==2.0\n"
    node.answers(f"python3 {PROBE}", (0, "3.11\n", ""))
    node.answers("python3 -m venv", (0, "", ""))
    node.answers(f"{path}/bin/python -m pip install", (1, "", said))
    result = node.run(main, path=str(path), requirements=["tiny==2.0"])
    assert result["failed"] is True
    assert result["msg"] == (
        f"Could not make the virtual environment {path}: '{path}/bin/python -m pip install ...'"
        f" exited with 1:\n{said.strip()}"
    )
    assert not path.exists()


def environment(path: Path, mark: str) -> None:
    """Lay down what an environment looks like, with this text as its mark."""
    (path / "bin").mkdir(parents=True)
    (path / "bin" / "python").symlink_to(sys.executable)
    (path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (path / MARK).write_text(mark)


PARAMS: dict[str, Any] = {"requirements": ["tiny==1.0"], "lock": None}


@pytest.mark.parametrize(
    ("mark", "expected"),
    [
        pytest.param('{"digest": "abc", "python": "/usr/bin/python3"}', "abc", id="finished"),
        pytest.param('{"digest": ""}', "", id="begun"),
        pytest.param('{"dig', "", id="cut-short"),
        pytest.param("[]", "", id="something-else"),
        pytest.param("{}", "", id="without-digest"),
    ],
)
def test_the_mark_is_read(tmp_path: Path, mark: str, expected: str) -> None:
    environment(tmp_path / "venv", mark)
    assert present_digest(str(tmp_path / "venv")) == expected


def test_an_environment_whose_interpreter_is_gone_has_no_mark(tmp_path: Path) -> None:
    environment(tmp_path / "venv", '{"digest": "abc"}')
    (tmp_path / "venv" / "bin" / "python").unlink()
    (tmp_path / "venv" / "bin" / "python").symlink_to("/usr/bin/python3.0")
    assert present_digest(str(tmp_path / "venv")) == ""


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"requirements": ["tiny==1.1"]}, id="version"),
        pytest.param({"requirements": ["tiny==1.0", "x==1"]}, id="one-more"),
        pytest.param({"lock": "tiny==1.0 --hash=sha256:aa\n"}, id="lock"),
    ],
)
def test_other_packages_have_another_digest(other: dict[str, Any]) -> None:
    assert digest({**PARAMS, **other}) != digest(PARAMS)


@pytest.mark.parametrize(
    ("mark", "wheel_dir", "changed", "needs_source"),
    [
        pytest.param(digest(PARAMS), None, False, None, id="finished"),
        pytest.param(digest(PARAMS), "/x", False, None, id="finished-and-no-transfer"),
        pytest.param("", "/x", True, True, id="interrupted-wants-the-wheels"),
        pytest.param("older", "/x", True, True, id="other-packages-want-the-wheels"),
    ],
)
def test_wheels_are_asked_for_only_when_needed(
    node: Node, tmp_path: Path, mark: str, wheel_dir: str | None, changed: bool,
    needs_source: bool | None,
) -> None:  # fmt: skip
    environment(tmp_path / "venv", f'{{"digest": "{mark}"}}')
    result = node.run(
        main, path=str(tmp_path / "venv"), requirements=["tiny==1.0"], wheel_dir=wheel_dir
    )
    assert (result["changed"], result.get("needs_source")) == (changed, needs_source)
    assert node.calls == []


def test_check_mode_predicts_and_touches_nothing(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "venv"
    result = node.run(main, check=True, path=str(path), requirements=["tiny==1.0"])
    assert (result["changed"], path.exists(), node.calls) == (True, False, [])
    assert result["diff"]["after"] == f"{path}\ntiny==1.0\n"


def test_an_interrupted_installation_is_made_anew(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "venv"
    environment(path, '{"digest": ""}')
    (path / "half").write_text("")
    node.answers(f"python3 {PROBE}", (0, "3.11\n", ""))
    node.answers("python3 -m venv", (0, "", ""))
    node.answers(f"{path}/bin/python -m pip install", (0, "", ""))
    node.answers(f"sync --file-system {path}", (0, "", ""))
    assert node.run(main, path=str(path), requirements=["tiny==1.0"])["changed"] is True
    assert not (path / "half").exists()
    assert node.calls[-1].startswith("sync"), "no mark before its files are on the disk"
    assert f'"digest": "{digest(PARAMS)}"' in (path / MARK).read_text()


def test_a_folder_that_is_somebody_elses_is_not_removed(node: Node, tmp_path: Path) -> None:
    (tmp_path / "opt").mkdir()
    (tmp_path / "opt" / "thesis.txt").write_text("years of work")
    node.answers("python3", (0, "3.11\n", ""))
    result = node.run(main, path=str(tmp_path / "opt"), requirements=["tiny==1.0"])
    assert result["failed"] is True
    assert "holds something that is no virtual environment; move it away" in result["msg"]
    assert (tmp_path / "opt" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        pytest.param({"python3": (0, "3.11\n", "")}, "python3", id="first"),
        pytest.param(
            {"python3": (0, "3.9\n", ""), "python3.12": (0, "3.12\n", "")},
            "python3.12",
            id="first-that-is-new-enough",
        ),
        pytest.param(
            {
                "python3": (1, "", "ModuleNotFoundError: No module named 'ensurepip'\n"),
                "python3.10": (0, "3.10\n", ""),
            },
            "python3.10",
            id="first-that-can-make-environments",
        ),
    ],
)
def test_an_interpreter_is_found(node: Node, programs: dict[str, Answer], expected: str) -> None:
    node.programs = {f"{name} {PROBE}": [answer] for name, answer in programs.items()}
    assert find_python(parameters(node)) == expected


def parameters(node: Node) -> AnsibleModule:
    """Return what find_python needs of a module."""

    class Module:
        """Parameters and the command seam."""

        params = {  # noqa: RUF012 - a stand-in for an instance
            "python": ["python3", "python3.12", "python3.10"],
            "python_minimum": "3.10",
        }
        run_command = node.run_command
        get_bin_path = node.get_bin_path

    return Module()


@pytest.mark.parametrize(
    ("programs", "arguments", "message"),
    [
        pytest.param(
            {}, {}, "saw none; install one (Debian: python3-venv, EL: python3.12)", id="none"
        ),
        pytest.param(
            {f"python3 {PROBE}": [(0, "3.9\n", "")], f"python3.11 {PROBE}": [(1, "", "")]},
            {},
            "saw python3: 3.9; python3.11: exit status 1; install one",
            id="too-old-and-broken",
        ),
        pytest.param(
            {},
            {"python_minimum": "three"},
            "python_minimum: saw 'three', expected a version such as 3.10",
            id="no-version",
        ),
    ],
)
def test_a_node_without_a_fitting_python_is_explained(
    node: Node,
    tmp_path: Path,
    programs: dict[str, list[Answer]],
    arguments: dict[str, Any],
    message: str,
) -> None:
    node.programs = programs
    result = node.run(main, path=str(tmp_path / "venv"), requirements=["tiny"], **arguments)
    assert result["failed"] is True
    assert message in result["msg"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3.11\n", (3, 11)), ("3.9", (3, 9)), ("hello\n3.11", ()), ("", ()), ("3", ())],
)
def test_a_version_is_read(text: str, expected: tuple[int, ...]) -> None:
    assert version_of(text) == expected


QUIET = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
PLAIN: dict[str, Any] = {
    "requirements": ["ray==2.60.0"],
    "lock": None,
    "source_file": None,
    "index_url": None,
}


def test_packages_come_from_the_index_that_pip_knows(tmp_path: Path) -> None:
    assert pip_arguments(PLAIN, str(tmp_path)) == [*QUIET, "ray==2.60.0"]
    assert pip_environment(PLAIN) == {}


def test_an_index_with_a_password_is_on_no_command_line(tmp_path: Path) -> None:
    params = {**PLAIN, "index_url": "https://me:s3cret@index.example/simple"}
    assert pip_arguments(params, str(tmp_path)) == [*QUIET, "ray==2.60.0"]
    assert pip_environment(params) == {"PIP_INDEX_URL": "https://me:s3cret@index.example/simple"}


def test_wheels_win_over_an_index(tmp_path: Path, wheels: str) -> None:
    params = {**PLAIN, "source_file": wheels, "index_url": "https://index.example/simple"}
    folder = str(tmp_path / "wheels")
    assert pip_arguments(params, str(tmp_path)) == [
        *QUIET, "--no-index", "--find-links", folder, "ray==2.60.0",
    ]  # fmt: skip
    assert pip_environment(params) == {}
    assert os.listdir(folder) == [WHEEL]


def test_a_lock_demands_every_hash(tmp_path: Path) -> None:
    params = {**PLAIN, "lock": "ray==2.60.0 --hash=sha256:aa\n"}
    assert pip_arguments(params, str(tmp_path)) == [
        *QUIET, "--require-hashes", "--only-binary", ":all:",
        "--requirement", str(tmp_path / "requirements.txt"),
    ]  # fmt: skip
    assert (tmp_path / "requirements.txt").read_text() == "ray==2.60.0 --hash=sha256:aa\n"
