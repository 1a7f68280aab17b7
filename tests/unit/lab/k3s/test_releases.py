# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Release folders of the stand-in for k3s, and the inventory that hands one over."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.lab.k3s import releases
from tests.lab.k3s.inventory import as_k3s
from tests.lab.shell import LabError

VERSION = "v1.33.5+k3s1"


@pytest.fixture
def no_kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "kubectl"
    small.write_text('#!/bin/sh\necho kubectl "$@"\n')
    monkeypatch.setattr(releases, "kubectl", lambda: small)
    monkeypatch.delenv("K3S_REAL_BINARY", raising=False)


@pytest.mark.usefixtures("no_kubectl")
def test_the_same_source_gives_the_same_binary_and_versions_differ(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("one", "two", "other")}
    releases.write_release(VERSION, "amd64", folders["one"])
    releases.write_release(VERSION, "amd64", folders["two"])
    releases.write_release("v1.34.1+k3s1", "amd64", folders["other"])
    digests = {name: releases.digest(folder / "k3s") for name, folder in folders.items()}
    assert digests["one"] == digests["two"]
    assert digests["one"] != digests["other"]


@pytest.mark.usefixtures("no_kubectl")
def test_architectures_have_their_names_and_bytes(tmp_path: Path) -> None:
    for arch in ("amd64", "arm64"):
        releases.write_release(VERSION, arch, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] != ".") == [
        "k3s",
        "k3s-airgap-images-amd64.tar.gz",
        "k3s-airgap-images-arm64.tar.gz",
        "k3s-arm64",
        "k3s-images.txt",
        "kubectl",
        "sha256sum-amd64.txt",
        "sha256sum-arm64.txt",
    ]
    assert releases.digest(tmp_path / "k3s") != releases.digest(tmp_path / "k3s-arm64")


@pytest.mark.usefixtures("no_kubectl")
def test_checksums_are_those_of_the_files(tmp_path: Path) -> None:
    releases.write_release(VERSION, "amd64", tmp_path)
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "sha256sum-amd64.txt"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert releases.handed_over(VERSION, tmp_path)["k3s_checksums"][VERSION]["amd64"]["k3s"] == (
        releases.digest(tmp_path / "k3s")
    )


@pytest.mark.usefixtures("no_kubectl")
def test_the_binary_runs_and_says_its_version(tmp_path: Path) -> None:
    releases.write_release(VERSION, "amd64", tmp_path)
    binary = tmp_path / "k3s"
    assert os.access(binary, os.X_OK)
    assert zipfile.is_zipfile(binary)
    said = run(binary, "--version")
    assert said.stdout.startswith(f"k3s version {VERSION} (")
    assert said.stdout.splitlines()[1].startswith("go version go")


@pytest.mark.usefixtures("no_kubectl")
def test_called_by_a_link_it_is_the_kubectl_inside(tmp_path: Path) -> None:
    releases.write_release(VERSION, "amd64", tmp_path)
    link = tmp_path / "links" / "kubectl"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "k3s")
    said = run(link, "get", "nodes", K3S_DATA_DIR=str(tmp_path / "data"))
    assert said.stdout == "kubectl get nodes\n"
    current = tmp_path / "data/data/current/bin"
    assert {"kubectl", "containerd-shim-runc-v2"} <= {path.name for path in current.iterdir()}


@pytest.mark.usefixtures("no_kubectl")
@pytest.mark.parametrize(
    ("argv", "code", "text"),
    [
        (["--xyz"], 1, 'level=fatal msg="flag provided but not defined: -xyz"'),
        (["server", "--xyz"], 1, 'level=fatal msg="flag provided but not defined: -xyz"'),
        (["agent", "--token", "t"], 1, 'level=fatal msg="--server is required"'),
        (["agent"], 1, 'level=fatal msg="--token is required"'),
        (["dance"], 3, "No help topic for 'dance'"),
    ],
    ids=["global", "server", "no-server", "no-token", "no-command"],
)
def test_wrong_commands_end_with_one_message(
    tmp_path: Path, argv: list[str], code: int, text: str
) -> None:
    releases.write_release(VERSION, "amd64", tmp_path)
    done = run(tmp_path / "k3s", *argv)
    assert done.returncode == code
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def run(binary: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", **environment}
    return subprocess.run(
        [str(binary), *argv], capture_output=True, text=True, env=clean, check=False, timeout=60
    )


def test_a_real_binary_is_copied_with_the_archive_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "k3s").write_bytes(b"real")
    (given / "k3s-airgap-images-amd64.tar.zst").write_bytes(b"images")
    monkeypatch.setenv("K3S_REAL_BINARY", str(given / "k3s"))
    releases.write_release(VERSION, "amd64", tmp_path / "out")
    assert (tmp_path / "out/k3s").read_bytes() == b"real"
    assert (tmp_path / "out/k3s-airgap-images-amd64.tar.zst").read_bytes() == b"images"


def test_a_real_binary_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K3S_REAL_BINARY", str(tmp_path / "none"))
    with pytest.raises(LabError, match="which is no file"):
        releases.write_release(VERSION, "amd64", tmp_path / "out")


LAB = """# Written by the lab
[ray_head]
one ansible_host=198.18.0.11

[ray_worker]
two ansible_host=198.18.0.12
three ansible_host=198.18.0.13

[all:vars]
ansible_user=root
ray_runtime=venv
"""


def test_an_inventory_becomes_one_of_a_k3s_cluster() -> None:
    assert as_k3s(LAB, 1, {"k3s_version": VERSION, "k3s_checksums": {"a": {"b": {"c": "d"}}}}) == (
        "# Written by the lab\n"
        "[k3s_server]\none ansible_host=198.18.0.11\n\n"
        "[k3s_agent]\ntwo ansible_host=198.18.0.12\nthree ansible_host=198.18.0.13\n\n"
        "[all:vars]\nansible_user=root\nk3s_version=v1.33.5+k3s1\n"
        'k3s_checksums={"a": {"b": {"c": "d"}}}\n'
    )


def test_doing_it_again_moves_hosts_between_the_groups() -> None:
    once = as_k3s(LAB, 1, {"k3s_version": "a"})
    assert as_k3s(once, 3, {"k3s_version": "b"}) == (
        "# Written by the lab\n"
        "[k3s_server]\none ansible_host=198.18.0.11\ntwo ansible_host=198.18.0.12\n"
        "three ansible_host=198.18.0.13\n\n[k3s_agent]\n\n"
        "[all:vars]\nansible_user=root\nk3s_version=b\n"
    )


def test_variables_of_ray_stay_for_a_cluster_that_gets_both() -> None:
    assert "ray_runtime" not in as_k3s(LAB, 1, {})
    assert as_k3s(LAB, 1, {}, ray=True).endswith("ansible_user=root\nray_runtime=venv\n")
