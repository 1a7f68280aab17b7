"""Claims about the package_sources module on files made for the purpose."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import text_file
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text
from ansible_collections.rackforge.gpu_cluster.plugins.modules import package_sources
from ansible_collections.rackforge.gpu_cluster.plugins.modules.package_sources import main

from tests.unit.plugins.module_utils.test_dnf_sources import ROCKY_9, ROCKY_9_AFTER
from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
LINES = (
    "deb http://archive.example/debian bookworm main\ndeb http://other.example/x bookworm main\n"
)
LINES_AFTER = LINES.replace("http://archive.example/debian", "https://mirror.example/debian")
DEAD = (
    100,
    "",
    "E: Failed to fetch https://mirror.example/debian/dists/x/InRelease  Could not connect\n",
)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the node's source files; pip has no configuration yet."""
    monkeypatch.setattr(package_sources, "PIP_CONF", str(tmp_path / "pip.conf"))
    (tmp_path / "sources.list").write_text(LINES)
    return tmp_path


@pytest.fixture
def debian(node: Node) -> Node:
    """A Debian node whose mirror serves."""
    node.answers("apt-get indextargets", OK)
    node.answers("apt-get update", OK)
    return node


def asked(files: Path, **more: Any) -> dict[str, Any]:
    """Return the arguments for a mirror of Debian's archive."""
    return {
        "distribution": "debian",
        "codename": "bookworm",
        "files": [str(files / "sources.list"), str(files / "debian.sources")],
        "apt_mirror_url": "https://mirror.example/debian",
        **more,
    }


def updates(node: Node) -> list[str]:
    """Return the calls that fetched an index."""
    return [call for call in node.calls if "indextargets" not in call]


def test_the_mirror_is_tried_out_alone_and_then_written(debian: Node, files: Path) -> None:
    seen: list[str] = []
    inner = debian.run_command

    def run_command(args: list[str], **rest: Any) -> Any:
        if "update" in args:
            (parts,) = (w.partition("=")[2] for w in args if w.startswith("Dir::Etc::sourceparts"))
            seen.extend(f"{path.name}: {path.read_text()}" for path in Path(parts).iterdir())
            seen.append((files / "sources.list").read_text())
        return inner(args, **rest)

    vars(debian)["run_command"] = run_command
    result = debian.run(main, **asked(files))
    assert seen == [f"sources.list: {LINES_AFTER.splitlines()[0]}\n", LINES]
    assert (result["changed"], result["rewritten"]) == (True, [str(files / "sources.list")])
    assert (files / "sources.list").read_text() == LINES_AFTER
    assert "APT::Get::List-Cleanup=0" in updates(debian)[0]
    assert not (files / "debian.sources").exists()


def test_the_second_run_asks_no_mirror(debian: Node, files: Path) -> None:
    debian.run(main, **asked(files))
    debian.calls.clear()
    assert debian.run(main, **asked(files))["changed"] is False
    assert updates(debian) == []


def test_a_dead_mirror_leaves_the_files_as_they_were(debian: Node, files: Path) -> None:
    debian.answers("apt-get update", DEAD)
    result = debian.run(main, **asked(files, pip_index_url="https://mirror.example/simple"))
    assert result["failed"] is True
    assert result["msg"] == (
        f"os_base_apt_mirror_url: the mirror did not serve what {files}/sources.list"
        " needs: the package mirror cannot be reached; check the node's DNS, proxy and mirror"
        " (E: Failed to fetch"
        " https://mirror.example/debian/dists/x/InRelease Could not connect); nothing was changed"
    )
    assert (files / "sources.list").read_text() == LINES
    assert not (files / "pip.conf").exists()


def test_check_mode_predicts_and_asks_no_mirror(debian: Node, files: Path) -> None:
    result = debian.run(main, check=True, **asked(files, pip_index_url="https://m.example/simple"))
    assert result["rewritten"] == [str(files / "sources.list"), str(files / "pip.conf")]
    assert result["diff"][0]["after"] == LINES_AFTER
    assert updates(debian) == []
    assert (files / "sources.list").read_text() == LINES
    assert not (files / "pip.conf").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"codename": "trixie"},
            "saw no entry of debian trixie that os_base_apt_mirror_url or"
            " os_base_apt_security_mirror_url is for in FILES/sources.list, expected one; look at",
            id="no-entry",
        ),
        pytest.param(
            {"apt_mirror_url": "mirror.example"},
            "os_base_apt_mirror_url is 'mirror.example', expected an address such as http://",
            id="no-address",
        ),
        pytest.param(
            {"apt_mirror_url": "https://joe:geheim@mirror.example"},
            "os_base_apt_mirror_url has a password, which every user could read",
            id="password",
        ),
    ],
)
def test_what_cannot_be_meant_is_explained(
    debian: Node, files: Path, arguments: dict[str, Any], message: str
) -> None:
    result = debian.run(main, **asked(files, **arguments))
    assert result["msg"].startswith(message.replace("FILES", str(files)))
    assert result["msg"].endswith("; nothing was changed")
    assert "geheim" not in str(result)
    assert (files / "sources.list").read_text() == LINES


def test_a_full_disk_leaves_no_half(
    debian: Node, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(module: Any, path: str, text: str) -> None:
        if path.endswith("pip.conf"):
            raise OSError(28, "No space left on device")
        write_text(module, path, text)

    monkeypatch.setattr(text_file, "write_text", full)
    result = debian.run(main, **asked(files, pip_index_url="https://mirror.example/simple"))
    assert result["msg"] == (
        "could not write the source files: [Errno 28] No space left on device; see 'df -h'; nothing"
        " was changed"
    )
    assert (files / "sources.list").read_text() == LINES


def test_pips_other_keys_stay(debian: Node, files: Path) -> None:
    (files / "pip.conf").write_text("[global]\ncert = /etc/ssl/x.crt\n")
    debian.run(main, distribution="debian", pip_index_url="http://pip.example:8080/simple")
    assert (files / "pip.conf").read_text() == (
        "[global]\ncert = /etc/ssl/x.crt\nindex-url = http://pip.example:8080/simple\n"
        "trusted-host = pip.example:8080\n"
    )
    assert debian.calls == []


def test_an_index_with_a_password_is_roots(debian: Node, files: Path) -> None:
    url = "https://joe:geheim@pip.example/simple"
    result = debian.run(main, distribution="debian", pip_index_url=url)
    assert (files / "pip.conf").stat().st_mode & 0o777 == 0o600
    assert "geheim" not in str(result)
    assert "geheim" in (files / "pip.conf").read_text()


def test_pips_file_can_be_read_by_everybody_whatever_the_umask(debian: Node, files: Path) -> None:
    mask = os.umask(0o077)
    try:
        result = debian.run(main, **asked(files, pip_index_url="https://pip.example/simple"))
    finally:
        os.umask(mask)
    assert result["changed"] is True
    assert oct((files / "pip.conf").stat().st_mode & 0o7777) == "0o644"


SECRET_INDEX = "https://joe:geheim@pip.example/simple"


@pytest.mark.parametrize("before", ["", "[global]\nx = 1\n"], ids=["new-file", "old-file"])
def test_a_password_is_never_readable_by_others(
    debian: Node, files: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    path, modes = files / "pip.conf", []
    if before:
        path.write_text(before)
        path.chmod(0o644)

    def watched(module: Any, target: str, text: str) -> None:
        write_text(module, target, text)
        modes.append(oct(path.stat().st_mode & 0o7777))

    monkeypatch.setattr(text_file, "write_text", watched)
    debian.run(main, distribution="debian", pip_index_url=SECRET_INDEX)
    assert modes == ["0o600"]
    assert oct(path.stat().st_mode & 0o7777) == "0o600"


def test_a_password_that_cannot_be_written_leaves_the_file_as_it_was(
    debian: Node, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files / "pip.conf"
    path.write_text("[global]\nx = 1\n")
    path.chmod(0o644)

    def full(_module: Any, _path: str, _text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(text_file, "write_text", full)
    result = debian.run(main, distribution="debian", pip_index_url=SECRET_INDEX)
    assert result["failed"] is True
    assert path.read_text() == "[global]\nx = 1\n"
    assert oct(path.stat().st_mode & 0o7777) == "0o644"


def test_rockys_repositories_are_tried_out_by_dnf(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "rocky.repo"
    path.write_text(ROCKY_9)
    node.answers("dnf", OK)
    arguments: dict[str, Any] = {
        "files": [str(path)],
        "dnf_mirror_url": "https://mirror.example/rocky",
    }
    result = node.run(main, distribution="rocky", **arguments)
    assert result["changed"] is True
    assert path.read_text() == ROCKY_9_AFTER
    (call,) = node.calls
    assert call.startswith("dnf --quiet --refresh --setopt=reposdir=")
    assert call.endswith("makecache")
    assert node.run(main, distribution="rocky", **arguments)["changed"] is False


def test_a_mirror_without_rockys_folders_is_refused(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "rocky.repo"
    path.write_text(ROCKY_9)
    said = "Error: Failed to download metadata for repo 'baseos': Cannot download repomd.xml: 404\n"
    node.answers("dnf", (1, "", said))
    result = node.run(
        main, distribution="rocky", files=[str(path)], dnf_mirror_url="https://mirror.example/x"
    )
    assert "os_base_dnf_mirror_url: the mirror did not serve what" in result["msg"]
    assert "Cannot download repomd.xml" in result["msg"]
    assert path.read_text() == ROCKY_9


@pytest.mark.parametrize(
    ("distribution", "message"),
    [
        pytest.param(
            "rhel", "RHEL's repositories stand in redhat.repo, which subscription-manager"
        ),
        pytest.param("ol", "saw no repository of ol, expected repositories whose baseurl"),
    ],
    ids=["rhel", "unknown"],
)
def test_distributions_without_files_of_their_own_are_refused(
    node: Node, distribution: str, message: str
) -> None:
    node.answers("dnf", OK)
    result = node.run(main, distribution=distribution, dnf_mirror_url="https://mirror.example/x")
    assert message in result["msg"]
    assert node.calls == []
