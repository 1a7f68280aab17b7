"""Claims about apt's source files on texts as the distributions' installers write them."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.apt_sources import (
    Archive,
    parse_origins,
    rewritten,
)

MIRROR = "https://mirror.example"
LIST = "/etc/apt/sources.list"
SOURCES = "/etc/apt/sources.list.d/ubuntu.sources"

BOOKWORM = """\
#deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official amd64 NETINST]/ bookworm main

deb http://archive.example/debian/ bookworm main non-free-firmware # the archive
deb-src http://archive.example/debian/ bookworm main non-free-firmware
deb [signed-by=/k/debian-archive-keyring.gpg] http://any.example/x bookworm-updates main
deb http://security.example/debian-security bookworm-security main contrib
# deb http://archive.example/debian/ bookworm-backports main
deb [arch=amd64 signed-by=/etc/apt/keyrings/d.asc] http://docker.example/x/debian bookworm stable
deb cdrom:[Debian]/ bookworm main
"""
BOOKWORM_AFTER = """\
#deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official amd64 NETINST]/ bookworm main

deb https://mirror.example/debian bookworm main non-free-firmware # the archive
deb-src https://mirror.example/debian bookworm main non-free-firmware
deb [signed-by=/k/debian-archive-keyring.gpg] https://mirror.example/debian bookworm-updates main
deb https://mirror.example/debian-security bookworm-security main contrib
# deb http://archive.example/debian/ bookworm-backports main
deb [arch=amd64 signed-by=/etc/apt/keyrings/d.asc] http://docker.example/x/debian bookworm stable
deb cdrom:[Debian]/ bookworm main
"""

NOBLE = """\
# See the sources.list(5) manual for further settings.
Types: deb
URIs: http://archive.example/ubuntu/
 http://second.example/ubuntu/
Suites: noble noble-updates noble-backports
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

## Ubuntu security updates.
Types: deb
URIs: http://security.example/ubuntu/
Suites: noble-security
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://archive.example/ubuntu/
Suites: noble-proposed
Components: main
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""
NOBLE_AFTER = """\
# See the sources.list(5) manual for further settings.
Types: deb
URIs: https://mirror.example/ubuntu
Suites: noble noble-updates noble-backports
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

## Ubuntu security updates.
Types: deb
URIs: https://mirror.example/ubuntu
Suites: noble-security
Components: main universe restricted multiverse
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://archive.example/ubuntu/
Suites: noble-proposed
Components: main
Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg
"""

# What Debian's cloud images have.
CLOUD = """\
Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: trixie trixie-updates trixie-backports
Components: main

Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian-security.list
Suites: trixie-security
Components: main
"""

DEBIAN = Archive("debian", "bookworm", f"{MIRROR}/debian", f"{MIRROR}/debian-security")
UBUNTU = Archive("ubuntu", "noble", f"{MIRROR}/ubuntu", f"{MIRROR}/ubuntu")


def test_one_line_entries_of_the_distribution_alone_move() -> None:
    found = rewritten(LIST, BOOKWORM, DEBIAN)
    assert (found.text, found.own) == (BOOKWORM_AFTER, 4)
    assert found.mirrored.splitlines() == BOOKWORM_AFTER.splitlines()[2:6]


def test_deb822_stanzas_keep_all_but_their_address() -> None:
    found = rewritten(SOURCES, NOBLE, UBUNTU)
    assert (found.text, found.own) == (NOBLE_AFTER, 2)
    assert found.mirrored.count("Types: deb") == 2
    assert "noble-proposed" not in found.mirrored


@pytest.mark.parametrize(
    ("path", "text", "archive"),
    [
        pytest.param(LIST, BOOKWORM, DEBIAN, id="one-line"),
        pytest.param(SOURCES, NOBLE, UBUNTU, id="deb822"),
        pytest.param(
            LIST,
            "deb http://archive.example/ubuntu/ jammy main",
            Archive("ubuntu", "jammy", f"{MIRROR}/packages/", None),
            id="mirror-that-does-not-name-the-distribution",
        ),
    ],
)
def test_the_second_time_nothing_differs(path: str, text: str, archive: Archive) -> None:
    once = rewritten(path, text, archive)
    twice = rewritten(path, once.text, archive)
    assert once.text != text
    assert (twice.text, twice.own) == (once.text, once.own)


def test_security_stays_where_no_mirror_of_it_is_named() -> None:
    archive = Archive("ubuntu", "noble", f"{MIRROR}/ubuntu", None)
    text = rewritten(SOURCES, NOBLE, archive).text
    assert "http://security.example/ubuntu/" in text
    assert "second.example" not in text


def test_only_security_moves_where_only_its_mirror_is_named() -> None:
    text = rewritten(LIST, BOOKWORM, Archive("debian", "bookworm", None, f"{MIRROR}/s")).text
    assert text == BOOKWORM.replace("http://security.example/debian-security", f"{MIRROR}/s")


def test_cloud_images_with_a_list_of_mirrors_move() -> None:
    archive = Archive("debian", "trixie", f"{MIRROR}/debian", f"{MIRROR}/debian-security")
    found = rewritten("/etc/apt/sources.list.d/debian.sources", CLOUD, archive)
    assert "mirror+file" not in found.text
    assert found.text.splitlines()[6] == f"URIs: {MIRROR}/debian-security"


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("deb http://x.example/ubuntu noble stable", id="components-of-others"),
        pytest.param("deb http://x.example/ubuntu stable main", id="suites-of-others"),
        pytest.param("deb http://x.example/tools noble main", id="another-path"),
        pytest.param(
            "deb [signed-by=/etc/apt/keyrings/x.gpg] http://x.example/ubuntu noble main",
            id="keys-of-others",
        ),
        pytest.param("deb file:/srv/ubuntu noble main", id="a-folder"),
        pytest.param("deb http://x.example/ubuntu ./", id="flat"),
        pytest.param("# deb http://x.example/ubuntu noble main", id="comment"),
        pytest.param("", id="empty"),
    ],
)
def test_entries_of_others_stay(line: str) -> None:
    found = rewritten(LIST, f"{line}\n", UBUNTU)
    assert (found.text, found.mirrored, found.own) == (f"{line}\n", "", 0)


@pytest.mark.parametrize(
    ("origin", "moves"),
    [
        pytest.param("Ubuntu", True, id="the-distribution"),
        pytest.param("LP-PPA-someone", False, id="somebody-else"),
    ],
)
def test_what_apt_has_read_of_a_source_decides(origin: str, moves: bool) -> None:
    listing = f"http://x.example/ubuntu/|noble|{origin}\nhttp://y.example/|noble|\n"
    archive = Archive("ubuntu", "noble", f"{MIRROR}/ubuntu", None, parse_origins(listing))
    found = rewritten(LIST, "deb http://x.example/ubuntu noble main\n", archive)
    assert (found.own == 1) is moves


def test_a_mirror_with_another_name_moves_when_apt_knows_it_as_the_distributions() -> None:
    origins = parse_origins("http://old.example/pkgs/|jammy|Ubuntu\n")
    archive = Archive("ubuntu", "jammy", f"{MIRROR}/ubuntu", None, origins)
    line = "deb [arch=amd64] http://old.example/pkgs/ jammy main\n"
    assert rewritten(LIST, line, archive).text == (
        "deb [arch=amd64] https://mirror.example/ubuntu jammy main\n"
    )
