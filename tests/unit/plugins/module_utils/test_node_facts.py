"""Claims about what is read from a node's files and programs."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_facts import (
    OperatingSystem,
    parse_chronyc,
    parse_memory_mib,
    parse_os_release,
    parse_timedatectl,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\n'
            'VERSION_ID="13"\nVERSION_CODENAME=trixie\nID=debian\n',
            OperatingSystem("debian", "13", "trixie", "Debian GNU/Linux 13 (trixie)", "Debian"),
            id="debian13",
        ),
        pytest.param(
            'PRETTY_NAME="Ubuntu 24.04.1 LTS"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
            "ID=ubuntu\nID_LIKE=debian\n",
            OperatingSystem("ubuntu", "24.04", "noble", "Ubuntu 24.04.1 LTS", "Debian"),
            id="ubuntu2404",
        ),
        pytest.param(
            'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n'
            'PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\n',
            OperatingSystem("rocky", "9.4", "", "Rocky Linux 9.4 (Blue Onyx)", "RedHat"),
            id="rocky9",
        ),
        pytest.param(
            '# a comment\nID=nixos\nPRETTY_NAME="NixOS\n',
            OperatingSystem("nixos", "", "", "NixOS", ""),
            id="unknown-family-and-broken-quotes",
        ),
        pytest.param("", OperatingSystem(), id="no-file"),
    ],
)
def test_the_distribution_is_read(text: str, expected: OperatingSystem) -> None:
    assert parse_os_release(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("MemTotal:       24684576 kB\nMemFree: 1 kB\n", 24106, id="meminfo"),
        pytest.param("", None, id="no-file"),
    ],
)
def test_memory_is_read_in_mib(text: str, expected: int | None) -> None:
    assert parse_memory_mib(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("NTPSynchronized=yes\n", True, id="yes"),
        pytest.param("NTPSynchronized=no\n", False, id="no"),
        pytest.param("", None, id="silent"),
        pytest.param("Unknown property\n", None, id="something-else"),
    ],
)
def test_timedatectl_is_understood(text: str, expected: bool | None) -> None:
    assert parse_timedatectl(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Stratum         : 3\nLeap status     : Normal\n", True, id="normal"),
        pytest.param("Leap status     : Not synchronised\n", False, id="not-synchronised"),
        pytest.param("506 Cannot talk to daemon\n", None, id="no-daemon"),
    ],
)
def test_chronyc_is_understood(text: str, expected: bool | None) -> None:
    assert parse_chronyc(text) is expected
