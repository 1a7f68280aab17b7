# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about what package managers offer, and which version is taken of it."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.package_offers import (
    Bounds,
    Choice,
    Offer,
    choose,
    parse_dnf_list,
    parse_kept,
    parse_madison,
    parse_policy,
    parse_upgrades,
    with_holds,
)

POLICY = """\
docker.io:
  Installed: 26.1.5+dfsg1-9
  Candidate: 26.1.5+dfsg1-10
  Version table:
     26.1.5+dfsg1-10 500
iptables:
  Installed: (none)
  Candidate: 1.8.11-2
  Version table:
"""
UPGRADE = """\
The following packages have been kept back:
  libc6 linux-base
  zlib1g
The following packages will be upgraded:
  curl openssl
Inst curl [8.14.1-2] (8.14.1-3 Debian:13.2/stable [amd64])
Inst openssl:amd64 [3.5.1-1] (3.5.1-2 Debian:13/stable, Debian-Security:13/x-security [amd64]) []
Inst newcomer (1.0 Debian:13.2/stable [amd64])
Conf curl (8.14.1-3 Debian:13.2/stable [amd64])
"""
MADISON = """\
driver | 590.48.01-1 | http://mirror/debian13 ./ Packages
driver | 580.105.08-1 | http://mirror/debian13 ./ Packages
driver | 580.105.08-1 | http://mirror/debian13 ./ Sources
module | 1:580.95.05-1 | http://mirror/debian13 ./ Packages
"""
BRANCH = {
    "driver": {"590.48.01-1", "580.105.08-1", "580.95.05-1"},
    "module": {"590.48.01-1", "1:580.105.08-1", "580.95.05-1"},
}
NAMES = ["driver", "module"]
RANGE = ("530", "590")


def test_only_installed_packages_have_a_candidate() -> None:
    assert parse_policy(POLICY) == {"docker.io": ("26.1.5+dfsg1-9", "26.1.5+dfsg1-10")}


def test_sources_are_no_offers() -> None:
    assert parse_madison(MADISON) == {
        "driver": {"590.48.01-1", "580.105.08-1"},
        "module": {"1:580.95.05-1"},
    }


def test_a_listing_of_dnf_is_read_without_its_headings() -> None:
    said = "Available Packages\nnvidia-driver.x86_64   3:580.95.05-1.el9   cuda\n  noise here too\n"
    assert parse_dnf_list(said) == {"nvidia-driver": {"3:580.95.05-1.el9"}}


@pytest.mark.parametrize(
    ("security", "names"),
    [
        pytest.param(False, ["curl", "openssl"], id="all-but-newcomers"),
        pytest.param(True, ["openssl"], id="security-fixes-only"),
    ],
)
def test_upgrades_are_told_by_their_origin(security: bool, names: list[str]) -> None:
    assert [offer.name for offer in parse_upgrades(UPGRADE, security)] == names


def test_packages_that_apt_keeps_back_are_found() -> None:
    assert parse_kept(UPGRADE) == ["libc6", "linux-base", "zlib1g"]


def test_held_packages_stay_and_say_why() -> None:
    offers = [Offer(name, "1", "2") for name in ("docker.io", "curl", "vim")]
    held = with_holds(offers, {"vim"}, ["(docker|containerd)"])
    assert [offer.is_due for offer in held] == [False, True, False]
    assert [offer.held for offer in held] == [
        "held by (docker|containerd)",
        "",
        "held by its owner",
    ]


def test_patterns_of_dnf_are_globs() -> None:
    offers = [Offer(name, "1", "2") for name in ("cuda-libs", "curl")]
    held = with_holds(offers, set(), ["*cuda*"], globs=True)
    assert [offer.is_due for offer in held] == [False, True]


@pytest.mark.parametrize(
    ("found", "bounds", "wanted"),
    [
        pytest.param("580.95.05", Bounds("580", *RANGE), "580.105.08", id="newest-of-the-branch"),
        pytest.param("580.105.08", Bounds("580", *RANGE), "580.105.08", id="nothing-newer"),
        pytest.param("580.95.05", Bounds("590", *RANGE), "590.48.01", id="the-next-branch"),
        pytest.param("580.95.05", Bounds(None, "530", "580"), "580.105.08", id="below-the-bound"),
        pytest.param("580.200.01", Bounds("580", *RANGE), "580.200.01", id="newer-than-on-offer"),
        pytest.param(None, Bounds("580", *RANGE), "580.105.08", id="not-installed"),
    ],
)
def test_the_newest_within_bounds_is_wanted(found: str | None, bounds: Bounds, wanted: str) -> None:
    assert choose(found, BRANCH, NAMES, bounds) == Choice(found, wanted)


def test_a_version_that_one_package_lacks_is_not_taken() -> None:
    offered = {**BRANCH, "module": {"580.95.05-1"}}
    assert choose("580.95.05", offered, NAMES, Bounds("580", *RANGE)).is_due is False


def test_the_version_that_is_there_stays_where_no_repository_answers() -> None:
    assert choose("580.95.05", {}, NAMES, Bounds("580")) == Choice("580.95.05", "580.95.05")


def test_a_version_that_is_not_on_offer_is_refused() -> None:
    choice = choose("580.95.05", BRANCH, NAMES, Bounds("580.99.01", *RANGE))
    assert (choice.wanted, "offers 580.99.01" in choice.refusal) == (None, True)


@pytest.mark.parametrize("rollback", [False, True], ids=["not-asked-for", "asked-for"])
def test_the_way_back_has_to_be_asked_for(rollback: bool) -> None:
    choice = choose("580.105.08", BRANCH, NAMES, Bounds("580.95.05", *RANGE), rollback)
    assert choice.wanted == "580.95.05"
    assert ("upgrade_rollback=true" in choice.refusal) is not rollback
