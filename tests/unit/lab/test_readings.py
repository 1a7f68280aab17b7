# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab reads from programs and from /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.lab.control import parse_freezer
from tests.lab.engine import drop_stale_pid_file, parse_uplink_mtu, process_name
from tests.lab.images import digest_of
from tests.lab.nodes import Found, parse_container
from tests.lab.paths import state_of
from tests.lab.shell import LabError

LINKS = '[{"ifname": "lo", "mtu": 65536}, {"ifname": "eth0", "mtu": 1400}]'


@pytest.mark.parametrize(
    ("routes", "links", "expected"),
    [
        pytest.param('[{"dst": "default", "dev": "eth0"}]', LINKS, 1400, id="small-uplink"),
        pytest.param("[]", LINKS, 1500, id="no-default-route"),
        pytest.param("", "", 1500, id="no-ip-program"),
        pytest.param('[{"dst": "default", "dev": "gone0"}]', LINKS, 1500, id="unknown-device"),
    ],
)
def test_uplink_mtu(routes: str, links: str, expected: int) -> None:
    assert parse_uplink_mtu(routes, links) == expected


@pytest.mark.parametrize(
    ("content", "program", "removed"),
    [
        pytest.param("0\n", "dockerd", True, id="no-such-process"),
        pytest.param("garbage", "dockerd", True, id="half-written"),
        pytest.param(f"{os.getpid()}\n", "dockerd", True, id="number-inherited-by-another"),
        pytest.param(f"{os.getpid()}\n", process_name(os.getpid()), False, id="still-alive"),
    ],
)
def test_a_dead_engines_pid_file_is_removed(
    tmp_path: Path, content: str, program: str, removed: bool
) -> None:
    path = tmp_path / "docker.pid"
    path.write_text(content)
    assert (drop_stale_pid_file(path, program), path.exists()) == (removed, not removed)


def test_a_missing_pid_file_is_fine(tmp_path: Path) -> None:
    assert drop_stale_pid_file(tmp_path / "docker.pid", "dockerd") is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("6:devices:/docker/a\n5:freezer:/docker/a\n0::/\n", "docker/a", id="v1"),
        pytest.param("0::/system.slice/docker-a.scope\n", "system.slice/docker-a.scope", id="v2"),
        pytest.param("", "", id="dead-process"),
    ],
)
def test_freezer_cgroup(text: str, expected: str) -> None:
    assert parse_freezer(text) == expected


def test_a_recipe_hash_depends_on_contents_names_and_words() -> None:
    recipes: list[tuple[dict[str, bytes], tuple[str, ...]]] = [
        ({"a": b"1"}, ("x",)),
        ({"a": b"2"}, ("x",)),
        ({"b": b"1"}, ("x",)),
        ({"a": b"1"}, ("y",)),
        ({"a": b"1"}, ("x", "")),
    ]
    assert len({digest_of(files, words) for files, words in recipes}) == 5


def test_a_recipe_hash_does_not_depend_on_order() -> None:
    assert digest_of({"a": b"1", "b": b"2"}, ()) == digest_of({"b": b"2", "a": b"1"}, ())


def container(**changes: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Name": "/lab-n1",
        "Image": "sha256:aa",
        "Config": {
            "Labels": {
                "rackforge.lab": "lab",
                "rackforge.lab.id": "f00d",
                "rackforge.lab.node": "1",
                "rackforge.lab.os": "debian13",
            }
        },
        "HostConfig": {"PortBindings": {"22/tcp": [{"HostIp": "127.0.0.1", "HostPort": "2201"}]}},
        "State": {"Status": "running", "Pid": 4711},
        "NetworkSettings": {
            "Networks": {
                "lab-management": {"IPAddress": "198.18.1.11"},
                "lab-cluster": {"IPAddress": "198.19.1.11"},
            }
        },
    }
    return entry | changes


def test_a_node_is_read_from_docker_inspect() -> None:
    assert parse_container(container()) == Found(
        container="lab-n1",
        lab="lab",
        lab_id="f00d",
        number=1,
        os="debian13",
        image="sha256:aa",
        status="running",
        addresses=(("lab-cluster", "198.19.1.11"), ("lab-management", "198.18.1.11")),
        port=2201,
        pid=4711,
    )


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        pytest.param({}, True, id="running"),
        pytest.param({"State": {"Status": "exited", "Pid": 0}}, True, id="powered-off"),
        pytest.param({"State": {"Status": "created", "Pid": 0}}, False, id="never-started"),
        pytest.param(
            {"NetworkSettings": {"Networks": {"lab-management": {"IPAddress": ""}}}},
            False,
            id="one-network-only",
        ),
    ],
)
def test_half_made_nodes_are_recognised(changes: dict[str, Any], whole: bool) -> None:
    assert parse_container(container(**changes)).whole is whole


@pytest.mark.parametrize("name", ["", "Lab", "a/b", "../x", "9lives", "a" * 25])
def test_lab_names_that_would_not_work_are_refused(name: str) -> None:
    with pytest.raises(LabError, match="cannot be called"):
        state_of(name)
