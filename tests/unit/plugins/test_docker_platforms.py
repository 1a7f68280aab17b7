"""Claims about what the docker role installs on each platform, read from its own variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

ROLE = Path(__file__).parents[3] / "roles" / "docker"
CE = [
    "docker-ce",
    "docker-ce-cli",
    "containerd.io",
    "docker-buildx-plugin",
    "docker-compose-plugin",
]


def packages(system: str, version: str, source: str) -> object:
    """Return docker_packages as the role's defaults say it for an operating system."""
    loader = DataLoader()
    variables: dict[str, object] = {
        "ansible_facts": {"gpu_cluster": {"os": {"id": system, "version_id": version}}},
    }
    for name in ("defaults/main.yml", "vars/main/platform.yml"):
        variables.update(loader.load_from_file(str(ROLE / name), trusted_as_template=True))
    variables["docker_source"] = source
    return Templar(loader, variables).template(variables["docker_packages"])


@pytest.mark.parametrize(
    ("system", "version", "source", "expected"),
    [
        pytest.param("debian", "12", "distribution", ["docker.io", "iptables"], id="debian-12"),
        pytest.param(
            "debian", "13", "distribution", ["docker.io", "docker-cli", "iptables"], id="debian-13"
        ),
        pytest.param("ubuntu", "22.04", "distribution", ["docker.io", "iptables"], id="jammy"),
        pytest.param("ubuntu", "24.04", "distribution", ["docker.io", "iptables"], id="noble"),
        pytest.param("rocky", "9.6", "distribution", [], id="el-has-none"),
        pytest.param("rocky", "8.10", "repository", CE, id="el-8"),
        pytest.param("rhel", "9.6", "repository", CE, id="el-9"),
        pytest.param("almalinux", "10.0", "repository", CE, id="el-10"),
        pytest.param("ubuntu", "24.04", "repository", CE, id="noble-from-docker"),
        pytest.param("rocky", "8.10", "packages", CE, id="el-8-from-files"),
        pytest.param("debian", "13", "existing", [], id="owners-own"),
    ],
)
def test_packages_are_those_of_the_source(
    system: str, version: str, source: str, expected: list[str]
) -> None:
    assert packages(system, version, source) == expected
