# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With ``auto`` members come through the owner's firewall, and the owner's own rules stay."""

from __future__ import annotations

import pytest

from tests import lab
from tests.testinfra.firewall.doors import knock
from tests.testinfra.firewall.support import (
    BY_HAND,
    HEAD,
    STRANGER,
    UFW,
    management,
    ours,
    reached,
)

# 22 and 5000 are the owner's own rules; 8100 and 8443 are in os_base_firewall_owner_ports; 8443
# and 8444 are what a container on the node with ufw publishes.


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        pytest.param(
            UFW, HEAD, "22,5000,6379,8076-8077,8100,10002-20000,56999", id="worker-firewalld"
        ),
        pytest.param(
            HEAD,
            UFW,
            "22,5000,8076-8078,8100,8443-8444,10002-20000,52365,56999",
            id="head-ufw",
        ),
        pytest.param(
            HEAD, BY_HAND, "22,5000,8076-8078,8100,10002-20000,52365,56999", id="head-nftables"
        ),
        pytest.param(
            BY_HAND, UFW, "22,5000,8076-8077,8100,8443-8444,10002-20000,56999", id="worker-ufw"
        ),
        pytest.param(
            UFW, BY_HAND, "22,5000,8076-8077,8100,10002-20000,56999", id="worker-nftables"
        ),
    ],
)
def test_members_reach_the_catalogue_and_no_more(source: str, target: str, expected: str) -> None:
    assert reached(source, target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        pytest.param(HEAD, "22,5000,8100", id="firewalld"),
        pytest.param(UFW, "22,5000,8100,8443-8444", id="ufw"),
        pytest.param(BY_HAND, "22,5000,8100", id="nftables"),
    ],
)
def test_strangers_reach_what_the_owner_opened(target: str, expected: str) -> None:
    assert reached(STRANGER, target) == expected


def test_the_control_node_reaches_metrics_and_dashboard_of_the_head() -> None:
    asked = [6379, 8000, 8079, 8265, 44217, 44227, 52365, 54311]
    assert sorted(knock(management(HEAD), asked)) == [8000, 8079, 8265, 44217, 44227, 54311]


def test_rules_in_firewalld_outlast_its_reload() -> None:
    lab.exec(HEAD, ["firewall-cmd", "--reload"])
    assert reached(UFW, HEAD, "6379,8076,5000") == "5000,6379,8076"


def test_rules_in_nftables_come_back_after_the_owners_reload() -> None:
    lab.exec(BY_HAND, ["systemctl", "reload", "nftables"])
    # The reload of our unit is a job of its own, which systemd has queued by now.
    lab.exec(BY_HAND, ["systemctl", "reload", "rackforge-firewall"])
    assert ours(BY_HAND) == 2
    assert reached(UFW, BY_HAND, "8076,5000,3306") == "5000,8076"
