# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.yaml and flags of the stand-in for k3s."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.k3s.standin import config, flags
from tests.lab.k3s.standin.log import FatalError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("K3S_TOKEN", "K3S_URL", "K3S_CONFIG_FILE", "K3S_NODE_NAME"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "config.yaml"
    monkeypatch.setattr(config, "DEFAULT_CONFIG", str(path))
    return path


def test_a_file_becomes_flags(file: Path) -> None:
    file.write_text(
        "node-ip: 198.19.0.11\ntls-san: [a, b]\ncluster-init: true\nhttps-listen-port: 7443\n"
    )
    found = config.load("server", [])
    assert found.first("node-ip") == "198.19.0.11"
    assert found.many("tls-san") == ["a", "b"]
    assert found.on("cluster-init")
    assert found.number("https-listen-port", 6443) == 7443
    assert found.number("lb-server-port", 6444) == 6444


def test_the_command_line_wins_and_lists_grow(file: Path) -> None:
    file.write_text("node-name: one\nnode-label: [a=1]\n")
    found = config.load("server", ["--node-name", "two", "--node-label=b=2"])
    assert found.text("node-name") == "two"
    assert found.many("node-label") == ["a=1", "b=2"]


def test_dropins_replace_and_add_in_order_of_their_names(file: Path) -> None:
    file.write_text("node-name: main\nnode-label: [a=1]\n")
    folder = file.with_name("config.yaml.d")
    folder.mkdir()
    (folder / "20.yaml").write_text("node-label+: [c=3]\n")
    (folder / "10.yaml").write_text("node-name: dropin\nnode-label+: b=2\n")
    (folder / "30.conf").write_text("node-name: not read\n")
    found = config.load("server", [])
    assert found.text("node-name") == "dropin"
    assert found.many("node-label") == ["a=1", "b=2", "c=3"]


def test_a_server_leaves_unknown_keys_out_and_says_so(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text("colour: blue\nnode-name: one\n")
    assert config.load("server", []).text("node-name") == "one"
    assert "Unknown flag --colour found in config.yaml, skipping" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["cluster-init", "agent-token-file", "colour"])
def test_an_agent_refuses_keys_that_it_does_not_know(file: Path, key: str) -> None:
    file.write_text(f"{key}: x\n")
    with pytest.raises(FatalError, match=f"^flag provided but not defined: -{key}$"):
        config.load("agent", [])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--xyz"], "flag provided but not defined: -xyz"),
        (["--token"], "flag needs an argument: -token"),
        (["--cluster-init=maybe"], 'invalid boolean value "maybe" for -cluster-init: parse error'),
        (["--https-listen-port=x"], 'invalid value "x" for flag -https-listen-port: parse error'),
    ],
    ids=["unknown", "no-value", "no-boolean", "no-number"],
)
def test_wrong_flags_end_with_the_command_line_library_s_words(
    argv: list[str], message: str
) -> None:
    with pytest.raises(FatalError) as caught:
        flags.parse("server", argv)
    assert str(caught.value) == message


def test_short_forms_and_environment_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K3S_URL", "https://198.19.0.11:6443")
    assert flags.parse("agent", ["-t", "secret"]) == {
        "token": "secret",
        "server": "https://198.19.0.11:6443",
    }


def test_a_broken_file_is_one_message(file: Path) -> None:
    file.write_text("a: [1\n")
    with pytest.raises(FatalError, match=r"^yaml: .*config\.yaml"):
        config.load("server", [])
    file.write_text("- a\n")
    with pytest.raises(FatalError, match="cannot unmarshal"):
        config.load("server", [])


def test_a_named_file_must_be_there(file: Path) -> None:
    with pytest.raises(FatalError, match="no such file or directory"):
        config.load("server", ["--config", str(file.with_name("other.yaml"))])


def test_arguments_of_components_are_found() -> None:
    found = config.Settings(
        "server", {"kube-apiserver-arg": ["v=2", "audit-policy-file=/etc/audit.yaml"]}
    )
    assert found.component("kube-apiserver-arg", "audit-policy-file") == "/etc/audit.yaml"
    assert found.component("kube-apiserver-arg", "audit-log-path", "none") == "none"
