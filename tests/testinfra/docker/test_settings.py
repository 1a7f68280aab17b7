# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engines run with: n1 by nearly every input, n2 by default, n3 beside the owner's own."""

from __future__ import annotations

import json
from typing import Any

import pytest
import testinfra

OWNERS = "owners"
SMALLEST = "/usr/bin/echo /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6"


def node_of(request: pytest.FixtureRequest, number: int) -> Any:
    inventory = request.config.getoption("--ansible-inventory")
    return testinfra.get_host(f"ansible://mol-docker-n{number}", ansible_inventory=inventory)


@pytest.fixture
def changed(request: pytest.FixtureRequest) -> Any:
    """The node with changed inputs."""
    return node_of(request, 1)


@pytest.fixture
def default(request: pytest.FixtureRequest) -> Any:
    """The node with the default inputs."""
    return node_of(request, 2)


@pytest.fixture
def owned(request: pytest.FixtureRequest) -> Any:
    """The node whose engine is the owner's."""
    return node_of(request, 3)


def info(node: Any) -> dict[str, Any]:
    """Return what the running engine tells of itself."""
    told: dict[str, Any] = json.loads(node.check_output("docker info --format '{{json .}}'"))
    return told


def test_running_engine_has_the_changed_settings(changed: Any) -> None:
    seen = info(changed)
    mirror = changed.check_output("ip -4 -brief address show eth0").split()[2].rpartition(".")[0]
    assert seen["DockerRootDir"] == "/srv/lab/docker"
    assert seen["LiveRestoreEnabled"] is False
    assert seen["Labels"] == ["site=lab"]
    assert seen["RegistryConfig"]["Mirrors"] == [f"http://{mirror}.13:5001/"]
    assert "registry.example:5000" in seen["RegistryConfig"]["IndexConfigs"]
    assert seen["HttpProxy"] == f"http://xxxxx:xxxxx@{mirror}.13:3128"
    assert seen["NoProxy"] == "localhost,198.18.0.0/15,.example"


def test_a_new_network_comes_from_the_pool(changed: Any) -> None:
    changed.check_output("docker network create pooled")
    form = "{{range .IPAM.Config}}{{.Subnet}}{{end}}"
    subnet = changed.check_output(f"docker network inspect pooled --format '{form}'")
    changed.check_output("docker network rm pooled")
    assert subnet.startswith("10.240.")
    assert subnet.endswith(".0/24")


def test_settings_were_there_at_the_first_start(changed: Any) -> None:
    log = changed.check_output("journalctl --unit docker.service --output cat --quiet")
    assert log.count("Starting up") == 1


def test_a_password_is_for_root_only(changed: Any) -> None:
    drop_in = "/etc/systemd/system/docker.service.d/60-rackforge-proxy.conf"
    assert changed.check_output(f"stat --format '%a %U' {drop_in}") == "600 root"
    assert changed.run("runuser -u ops -- grep -q pa%%40ss " + drop_in).rc != 0


def test_a_user_of_docker_needs_no_sudo(changed: Any) -> None:
    version = changed.check_output("docker version --format '{{.Server.Version}}'")
    form = "{{.Server.Version}}"
    assert changed.check_output(f"runuser -u alice -- docker version --format '{form}'") == version
    assert changed.run("runuser -u ops -- docker version").rc != 0


def test_certificates_lie_where_the_engine_looks(changed: Any) -> None:
    folder = "/etc/docker/certs.d/registry.example:5000"
    first = changed.check_output(f"head -1 {folder}/rackforge.crt")
    assert first == "-----BEGIN CERTIFICATE-----"


def log_options(node: Any, image: str = "") -> dict[str, str]:
    """Return the log options that a container gets which asks for none."""
    if not image:
        image = "logs"
        node.check_output(f"tar --create --dereference {SMALLEST} | docker import - {image}")
    node.check_output(f"docker create --name logs {image} /usr/bin/echo")
    seen = node.check_output("docker inspect logs --format '{{json .HostConfig.LogConfig}}'")
    node.check_output("docker rm logs")
    told: dict[str, Any] = json.loads(seen)
    assert told["Type"] == "json-file"
    return dict(told["Config"])


def test_logs_are_rotated_by_default(default: Any) -> None:
    assert log_options(default) == {"max-size": "10m", "max-file": "3"}


def test_logs_are_rotated_as_asked(changed: Any) -> None:
    assert log_options(changed) == {"max-size": "20m", "max-file": "2"}


def test_logs_of_the_owners_engine_stay_as_the_owner_wants(owned: Any) -> None:
    assert log_options(owned, "owners/image") == {"max-size": "50m"}


def test_default_engine_lives_through_its_own_restart(default: Any) -> None:
    assert info(default)["LiveRestoreEnabled"] is True


def test_owners_keys_survive(owned: Any) -> None:
    text = owned.check_output("cat /etc/docker/daemon.json")
    assert json.loads(text) == {
        "labels": ["owner=me", "site=lab"],
        "live-restore": True,
        "log-opts": {"max-size": "50m"},
        "debug": False,
        "max-concurrent-uploads": 2,
        "default-address-pools": [
            {"base": "172.17.0.0/16", "size": 16},
            {"base": "172.18.0.0/16", "size": 16},
            {"base": "172.19.0.0/16", "size": 16},
            {"base": "172.21.0.0/16", "size": 16},
            {"base": "172.22.0.0/15", "size": 16},
            {"base": "172.24.0.0/14", "size": 16},
            {"base": "172.28.0.0/14", "size": 16},
            {"base": "192.168.0.0/16", "size": 20},
        ],
    }
    assert text.splitlines()[1].startswith('    "labels"')
    assert owned.check_output("stat --format %a /etc/docker/daemon.json") == "640"


def test_owners_container_lived_through_the_restart(owned: Any) -> None:
    # A reload puts them through a set, which has no order.
    assert sorted(info(owned)["Labels"]) == ["owner=me", "site=lab"]
    # Without a restart policy a container does not come back by itself.
    form = "{{.State.Running}} {{.RestartCount}} {{.HostConfig.RestartPolicy.Name}}"
    assert owned.check_output(f"docker inspect --format '{form}' {OWNERS}") == "true 0 no"
