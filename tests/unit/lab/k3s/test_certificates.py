# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the stand-in's `k3s certificate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.k3s.standin import files, tools
from tests.lab.k3s.standin.log import FatalError

NAMES = ["localhost", "127.0.0.1"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The state of a server, with its kubelet's certificate."""
    tls = tmp_path / "server/tls"
    files.make_authorities(tls, 1)
    files.write_certificates(tls, NAMES)
    for ending in ("crt", "key"):
        files.write(tmp_path / f"agent/serving-kubelet.{ending}", "kubelet's")
    return tmp_path


def run(data: Path, *words: str) -> int:
    return tools.certificate([*words, f"--data-dir={data}"])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}


def test_rotation_keeps_a_copy_and_the_next_start_makes_others(data: Path) -> None:
    tls = data / "server/tls"
    before = contents(tls)
    assert run(data, "rotate") == 0
    (backup,) = (data / "server").glob("tls-*")
    assert {**before, "serving-kubelet.crt": b"kubelet's"}.items() <= contents(backup).items()
    assert not (data / "agent/serving-kubelet.key").exists()
    assert not (tls / "client-admin.crt").exists()
    files.make_authorities(tls, 2)
    files.write_certificates(tls, NAMES)
    after = contents(tls)
    assert sorted(name for name, content in after.items() if before[name] != content) == [
        "client-admin.crt",
        "client-admin.key",
        "serving-kube-apiserver.crt",
        "serving-kube-apiserver.key",
    ]


def test_one_service_alone_is_rotated(data: Path) -> None:
    assert run(data, "rotate", "--service", "admin") == 0
    assert not (data / "server/tls/client-admin.key").exists()
    assert (data / "server/tls/serving-kube-apiserver.crt").exists()
    assert (data / "agent/serving-kubelet.crt").exists()


def test_an_agents_copy_lies_with_the_agent(tmp_path: Path) -> None:
    files.write(tmp_path / "agent/serving-kubelet.crt", "kubelet's")
    assert run(tmp_path, "rotate") == 0
    (backup,) = (tmp_path / "agent").glob("tls-*")
    assert contents(backup) == {"serving-kubelet.crt": b"kubelet's"}


def test_an_unknown_service_changes_nothing(data: Path) -> None:
    with pytest.raises(FatalError, match="service scales is not recognized"):
        run(data, "rotate", "--service=scales")
    assert list((data / "server").glob("tls-*")) == []


def test_check_tells_when_certificates_end(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "agent/serving-kubelet.crt").unlink()
    assert run(data, "check", "--output=json") == 0
    rows = json.loads(capsys.readouterr().out)["Certificates"]
    assert [(row["Filename"], row["Subject"]) for row in rows] == [
        ("serving-kube-apiserver.crt", "kube-apiserver"),
        ("client-admin.crt", "system:admin"),
    ]
