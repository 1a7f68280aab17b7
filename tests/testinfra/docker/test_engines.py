# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
import testinfra

SMALLEST = "/usr/bin/echo /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6"


@pytest.fixture
def node(request: pytest.FixtureRequest) -> Any:
    """The node whose number the test asks for."""
    inventory = request.config.getoption("--ansible-inventory")
    name = f"mol-docker-n{request.param}"
    return testinfra.get_host(f"ansible://{name}", ansible_inventory=inventory)


@pytest.mark.parametrize("node", [1, 2], ids=["distribution", "repository"], indirect=True)
def test_engine_runs_a_container_on_its_bridge(node: Any) -> None:
    node.check_output(f"tar --create --dereference {SMALLEST} 2>/dev/null | docker import - said")
    assert node.check_output("docker run --rm said /usr/bin/echo it runs") == "it runs"


@pytest.mark.parametrize("node", [1, 2], ids=["distribution", "repository"], indirect=True)
def test_engine_comes_back_after_a_boot(node: Any) -> None:
    assert node.service("docker").is_enabled
    assert node.service("docker").is_running


@pytest.mark.parametrize("node", [1], ids=["distribution"], indirect=True)
def test_distribution_engine_needs_no_other_repository(node: Any) -> None:
    assert node.check_output("ls /etc/apt/sources.list.d") == "debian.sources"
    assert not node.package("docker-ce").is_installed


@pytest.mark.parametrize("node", [2], ids=["repository"], indirect=True)
@pytest.mark.parametrize(
    "name",
    [
        "docker-ce",
        "docker-ce-cli",
        "containerd.io",
        "docker-buildx-plugin",
        "docker-compose-plugin",
    ],
)
def test_package_comes_from_the_repository(node: Any, name: str) -> None:
    assert node.package(name).version == "1.0-standin1"
    assert ":8100/linux/debian " in node.check_output(f"apt-cache policy {name}")


@pytest.mark.parametrize("node", [2], ids=["repository"], indirect=True)
def test_key_is_trusted_for_this_repository_only(node: Any) -> None:
    assert node.check_output("ls /etc/apt/trusted.gpg.d | grep -c -v debian-archive || true") == "0"
    assert "Signed-By: /etc/apt/keyrings/docker.asc" in node.check_output(
        "cat /etc/apt/sources.list.d/docker.sources"
    )
