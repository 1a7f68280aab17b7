# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where nodes get their packages from follows the machine that builds them."""

from __future__ import annotations

import pytest

from tests.lab.platforms import (
    PLATFORMS,
    Mirror,
    NoMirrorError,
    choose_mirror,
    parse_os_release,
    render_apt_settings,
    render_sources,
)

DEBIAN_12 = {"ID": "debian", "VERSION_CODENAME": "bookworm"}

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
"""


@pytest.mark.parametrize(
    ("os_release", "sources", "expected"),
    [
        pytest.param(
            DEBIAN_12,
            [DEB822],
            Mirror("http://mirror.example/debian", "http://mirror.example/security"),
            id="deb822",
        ),
        pytest.param(
            DEBIAN_12,
            ["# old\ndeb [arch=amd64 signed-by=/k.gpg] http://a.example/debian bookworm main\n"],
            Mirror("http://a.example/debian", ""),
            id="one-line-with-options",
        ),
    ],
)
def test_nodes_use_the_mirror_of_a_debian_host(
    os_release: dict[str, str], sources: list[str], expected: Mirror
) -> None:
    assert choose_mirror(os_release, sources) == expected


@pytest.mark.parametrize(
    ("os_release", "sources"),
    [
        pytest.param(
            DEBIAN_12, ["deb http://tools.example/apt tools-bookworm main\n"], id="another-vendor"
        ),
        pytest.param(
            DEBIAN_12,
            [DEB822.replace("Types: deb\n", "Types: deb\nEnabled: no\n", 1)],
            id="disabled-stanza",
        ),
        pytest.param(
            DEBIAN_12, ["deb-src http://a.example/debian bookworm main\n"], id="sources-only"
        ),
        pytest.param(
            {"ID": "ubuntu", "VERSION_CODENAME": "noble"},
            ["deb http://archive.example/ubuntu noble main\n"],
            id="ubuntu-host",
        ),
        pytest.param({}, [], id="nothing-known"),
    ],
)
def test_without_a_mirror_the_lab_says_how_to_name_one(
    os_release: dict[str, str], sources: list[str]
) -> None:
    with pytest.raises(NoMirrorError, match="LAB_DEBIAN_MIRROR=http"):
        choose_mirror(os_release, sources)
    assert choose_mirror(os_release, sources, "http://m.example/debian/") == Mirror(
        "http://m.example/debian"
    )


def test_a_node_gets_sources_of_its_own_release_from_the_host_mirror() -> None:
    mirror = Mirror("http://m.example/debian", "http://m.example/security")
    assert render_sources(PLATFORMS["debian13"], mirror) == (
        "Types: deb\n"
        "URIs: http://m.example/debian\n"
        "Suites: trixie trixie-updates\n"
        "Components: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        "\n"
        "Types: deb\n"
        "URIs: http://m.example/security\n"
        "Suites: trixie-security\n"
        "Components: main\n"
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )


def test_only_settings_about_reaching_the_mirror_are_handed_on() -> None:
    dump = (
        'APT "";\n'
        'Acquire::Check-Valid-Until "false";\n'
        'Acquire::http "";\n'
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::Languages "none";\n'
        'DPkg::Post-Invoke:: "something";\n'
    )
    assert render_apt_settings(dump) == (
        'Acquire::Check-Valid-Until "false";\nAcquire::http::Proxy "http://proxy.example:3128";\n'
    )


def test_os_release_values_lose_their_quotes() -> None:
    assert parse_os_release('ID=debian\nVERSION_ID="12"\n\n') == {
        "ID": "debian",
        "VERSION_ID": "12",
    }
