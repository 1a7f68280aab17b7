# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about mirrors, proxy, authorities and unattended upgrades of the scenario's first node.

The second node runs the stand-in for mirror and proxy (archive_mirror.py, /srv/mirror, port 8200);
the first has the stand-in for updates (update_repository.py, /srv/updates) and, in /srv/house, an
authority's certificate (ca.pem) that the scenario hands in, and a server's that it signed.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.testinfra.ray_cluster import node_address

PORT = 8200
UPDATES = "APT_CONFIG=/srv/updates/apt.conf"


@pytest.fixture(scope="session")
def mirror(worker: Any) -> str:
    """The address of the stand-in for mirror and proxy."""
    return f"http://{node_address(worker)}:{PORT}"


def requests(worker: Any) -> list[str]:
    """Return what the stand-in was asked for."""
    return str(worker.check_output("cat /srv/mirror/requests || true")).splitlines()


def test_packages_come_from_the_mirror(head: Any, mirror: str) -> None:
    policy = head.check_output("apt-cache policy bash")
    assert f"{mirror}/debian " in policy
    assert head.check_output("apt-get indextargets --format '$(REPO_URI)' | sort -u").split() == [
        f"{mirror}/debian-security/",
        f"{mirror}/debian/",
    ]


def test_the_index_is_fetched_through_the_mirror(head: Any, worker: Any) -> None:
    before = len(requests(worker))
    head.check_output("apt-get update")
    assert any(line.startswith("GET /debian/dists/") for line in requests(worker)[before:])


def test_a_new_session_has_the_proxy(head: Any, mirror: str) -> None:
    login = head.check_output("runuser --login ops --command env").splitlines()
    assert f"http_proxy={mirror}" in login
    assert f"HTTPS_PROXY={mirror}" in login
    known = next(line for line in login if line.startswith("no_proxy=")).split("=")[1].split(",")
    assert {"localhost", "127.0.0.1", head.backend.host} <= set(known)


def test_apt_reaches_others_through_the_proxy(head: Any, worker: Any) -> None:
    before = len(requests(worker))
    source = "'deb [trusted=yes] http://elsewhere.example/x ./'"
    head.check_output(f"echo {source} > /tmp/elsewhere.list")
    head.run(
        "apt-get update -o Dir::Etc::sourcelist=/tmp/elsewhere.list"
        " -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0 -o Acquire::Retries=0"
    )
    head.check_output("rm /tmp/elsewhere.list")
    asked = requests(worker)[before:]
    assert any(line.startswith("GET http://elsewhere.example/x/") for line in asked)


def test_a_server_of_the_house_is_trusted(head: Any) -> None:
    head.check_output("openssl verify -CApath /etc/ssl/certs /srv/house/server.pem")
    head.check_output(
        "openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt /srv/house/server.pem"
    )


def test_unattended_upgrades_pass_the_driver_over(head: Any) -> None:
    head.check_output(f"{UPDATES} apt-get update")
    said = head.check_output(f"{UPDATES} unattended-upgrade --dry-run --verbose --debug 2>&1")
    head.check_output("rm --force /var/lib/apt/periodic/unattended-upgrades-stamp")  # of this run
    assert "skipping blacklisted package nvidia-standin" in said
    assert "Packages that will be upgraded: harmless-standin\n" in said
