"""Claims about the proxy_settings module on files made for the purpose."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text
from ansible_collections.rackforge.gpu_cluster.plugins.modules import proxy_settings
from ansible_collections.rackforge.gpu_cluster.plugins.modules.proxy_settings import main

from tests.unit.plugins.modules.conftest import Node

OWNERS = "# BEGIN rackforge.gpu_cluster os_base\n{}# END rackforge.gpu_cluster os_base\n"


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The node's /etc."""
    for name, path in (
        ("APT_FILE", "apt/apt.conf.d/60rackforge-proxy"),
        ("DNF_FILE", "dnf/dnf.conf"),
        ("PROFILE_FILE", "profile.d/60-rackforge-proxy.sh"),
        ("ENVIRONMENT_FILE", "environment"),
    ):
        monkeypatch.setattr(proxy_settings, name, str(tmp_path / path))
    (tmp_path / "environment").write_text("EDITOR=vim\n")
    (tmp_path / "environment").chmod(0o644)
    return tmp_path


@pytest.fixture
def debian(node: Node, etc: Path) -> Node:
    """A Debian node."""
    (etc / "apt" / "apt.conf.d").mkdir(parents=True)
    node.answers("apt-get", (0, "", ""))
    return node


@pytest.fixture
def redhat(node: Node, etc: Path) -> Node:
    """A node of Red Hat's family."""
    node.answers("dnf", (0, "", ""))
    (etc / "dnf").mkdir()
    (etc / "dnf" / "dnf.conf").write_text("[main]\ngpgcheck=1\n\n[x]\nenabled=0\n")
    (etc / "dnf" / "dnf.conf").chmod(0o644)
    return node


@pytest.fixture
def proxy() -> Iterator[str]:
    """Something that takes connections; its host and port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def modes(etc: Path) -> dict[str, str]:
    """Return the modes of the files that are there."""
    found = sorted(path for path in etc.rglob("*") if path.is_file())
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in found}


def test_all_files_are_written_in_one_call(debian: Node, etc: Path, proxy: str) -> None:
    arguments: dict[str, Any] = {"owner": "os_base", "http_proxy": f"http://{proxy}"}
    arguments["no_proxy"] = ["localhost"]
    result = debian.run(main, **arguments)
    assert result["changed"] is True
    rows = "".join(
        f"{name}=http://{proxy}\n" if name.lower() == "http_proxy" else f"{name}=localhost\n"
        for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY")
    )
    assert (etc / "environment").read_text() == "EDITOR=vim\n" + OWNERS.format(rows)
    assert modes(etc) == {
        "60-rackforge-proxy.sh": "644",
        "60rackforge-proxy": "644",
        "environment": "644",
    }
    assert debian.run(main, **arguments)["changed"] is False


def test_dnfs_line_stands_in_its_section(redhat: Node, etc: Path, proxy: str) -> None:
    redhat.run(main, owner="os_base", https_proxy=f"http://{proxy}")
    assert (etc / "dnf" / "dnf.conf").read_text() == (
        "[main]\ngpgcheck=1\n" + OWNERS.format(f"proxy=http://{proxy}\n") + "\n[x]\nenabled=0\n"
    )
    assert not (etc / "apt").exists()


def test_a_password_stays_roots_and_out_of_answers(redhat: Node, etc: Path, proxy: str) -> None:
    arguments: dict[str, Any] = {"owner": "os_base", "http_proxy": f"http://joe:geheim@{proxy}"}
    result = redhat.run(main, **arguments)
    assert "geheim" not in str(result)
    assert "geheim" in (etc / "dnf" / "dnf.conf").read_text()
    assert (etc / "environment").read_text() == "EDITOR=vim\n"
    assert modes(etc) == {
        "60-rackforge-proxy.sh": "600",
        "dnf.conf": "600",
        "environment": "644",
    }
    assert redhat.run(main, **arguments)["changed"] is False


def test_a_file_that_was_opened_to_others_is_closed_again(
    debian: Node, etc: Path, proxy: str
) -> None:
    arguments: dict[str, Any] = {"owner": "os_base", "http_proxy": f"http://joe:geheim@{proxy}"}
    debian.run(main, **arguments)
    (etc / "profile.d" / "60-rackforge-proxy.sh").chmod(0o644)
    assert debian.run(main, **arguments)["changed"] is True
    assert modes(etc)["60-rackforge-proxy.sh"] == "600"


def test_a_proxy_where_nobody_answers_is_refused(debian: Node, etc: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = debian.run(main, owner="os_base", http_proxy=f"http://127.0.0.1:{port}")
    assert result["msg"] == (
        f"os_base_http_proxy: nobody answers at 127.0.0.1:{port} ([Errno 111] Connection refused),"
        f" expected a web proxy; try 'curl --head --proxy http://127.0.0.1:{port} http://HOST/'"
        " on the node; nothing was changed"
    )
    assert modes(etc) == {"environment": "644"}


def test_check_mode_predicts_and_tries_no_proxy(debian: Node, etc: Path) -> None:
    result = debian.run(main, check=True, owner="os_base", http_proxy="http://127.0.0.1:9")
    assert [Path(path).name for path in result["written"]] == [
        "60-rackforge-proxy.sh",
        "60rackforge-proxy",
        "environment",
    ]
    assert modes(etc) == {"environment": "644"}


def test_a_list_that_pam_would_cut_is_warned_of(
    debian: Node, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: said.append(text))
    direct = [f"gpu-{number:04}.lab.example" for number in range(100)]
    debian.run(main, owner="os_base", http_proxy=f"http://{proxy}", no_proxy=direct)
    assert "no_proxy has the first entries of os_base_no_proxy only" in said[0]


def test_a_full_disk_leaves_no_half(
    debian: Node, etc: Path, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(module: Any, path: str, text: str) -> None:
        if path.endswith("environment"):
            raise OSError(28, "No space left on device")
        write_text(module, path, text)

    monkeypatch.setattr(proxy_settings, "write_text", full)
    result = debian.run(main, owner="os_base", http_proxy=f"http://{proxy}")
    assert f"could not write {etc}/environment: [Errno 28] No space left" in result["msg"]
    assert modes(etc) == {"environment": "644"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            {"http_proxy": "proxy:3128"},
            "os_base_http_proxy is 'proxy:3128', expected an address",
            id="address",
        ),
        pytest.param(
            {"no_proxy": ["a,b"]},
            "os_base_no_proxy has 'a,b', expected a name, a domain",
            id="entry",
        ),
        pytest.param(
            {"http_proxy": "http://proxy.example:99999"},
            "Port out of range 0-65535; nothing was changed",
            id="port",
        ),
    ],
)
def test_what_cannot_be_meant_is_explained(
    debian: Node, etc: Path, arguments: dict[str, Any], message: str
) -> None:
    result = debian.run(main, owner="os_base", **arguments)
    assert message in result["msg"]
    assert modes(etc) == {"environment": "644"}
