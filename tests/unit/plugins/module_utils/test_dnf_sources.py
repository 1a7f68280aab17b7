"""Claims about .repo files on texts as the distributions' release packages write them."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.dnf_sources import with_mirror

ROCKY_9 = """\
# rocky.repo
#
# The mirrorlist system uses the connecting IP address of the client.

[baseos]
name=Rocky Linux $releasever - BaseOS
mirrorlist=https://lists.example/mirrorlist?arch=$basearch&repo=BaseOS-$releasever$rltype
#baseurl=http://archive.example/$contentdir/$releasever/BaseOS/$basearch/os/
gpgcheck=1
enabled=1
countme=1
metadata_expire=6h
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9

[baseos-source]
name=Rocky Linux $releasever - BaseOS - Source
mirrorlist=https://lists.example/mirrorlist?arch=source&repo=BaseOS-$releasever-source$rltype
#baseurl=http://archive.example/$contentdir/$releasever/BaseOS/source/tree/
gpgcheck=1
enabled=0
"""
ROCKY_9_AFTER = """\
# rocky.repo
#
# The mirrorlist system uses the connecting IP address of the client.

[baseos]
name=Rocky Linux $releasever - BaseOS
#mirrorlist=https://lists.example/mirrorlist?arch=$basearch&repo=BaseOS-$releasever$rltype
baseurl=https://mirror.example/rocky/$releasever/BaseOS/$basearch/os/
#baseurl=http://archive.example/$contentdir/$releasever/BaseOS/$basearch/os/
gpgcheck=1
enabled=1
countme=1
metadata_expire=6h
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9

[baseos-source]
name=Rocky Linux $releasever - BaseOS - Source
#mirrorlist=https://lists.example/mirrorlist?arch=source&repo=BaseOS-$releasever-source$rltype
baseurl=https://mirror.example/rocky/$releasever/BaseOS/source/tree/
#baseurl=http://archive.example/$contentdir/$releasever/BaseOS/source/tree/
gpgcheck=1
enabled=0
"""
ALMA_9 = """\
[appstream]
name=AlmaLinux $releasever - AppStream
mirrorlist=https://lists.example/mirrorlist/$releasever/appstream
# baseurl=https://archive.example/almalinux/$releasever/AppStream/$basearch/os/
enabled=1
gpgcheck=1
"""
STREAM_9 = """\
[baseos]
name=CentOS Stream $releasever - BaseOS
metalink=https://lists.example/metalink?repo=centos-baseos-$stream&arch=$basearch&protocol=https,http
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-centosofficial
gpgcheck=1
enabled=1

[baseos-source]
name=CentOS Stream $releasever - BaseOS - Source
metalink=https://lists.example/metalink?repo=centos-baseos-source-$stream&arch=source&protocol=https,http
gpgcheck=1
enabled=0

[extras-common]
name=CentOS Stream $releasever - Extras packages
metalink=https://lists.example/metalink?repo=centos-extras-sig-extras-common-$stream&arch=$basearch
enabled=1
"""


def baseurls(text: str) -> list[str]:
    """Return the addresses that count."""
    rows = text.splitlines()
    return [row.partition("=")[2] for row in rows if row.startswith("baseurl=")]


def test_rockys_lists_give_way_to_the_mirror() -> None:
    found = with_mirror(ROCKY_9, "https://mirror.example/rocky/")
    assert (found.text, found.own, found.unknown) == (ROCKY_9_AFTER, 2, ())


def test_only_enabled_repositories_are_tried_out() -> None:
    found = with_mirror(ROCKY_9, "https://mirror.example/rocky")
    assert baseurls(found.mirrored) == [
        "https://mirror.example/rocky/$releasever/BaseOS/$basearch/os/"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(ALMA_9, ["m/$releasever/AppStream/$basearch/os/"], id="almalinux"),
        pytest.param(
            STREAM_9,
            ["m/$stream/BaseOS/$basearch/os/", "m/SIGs/$stream/extras/$basearch/extras-common/"],
            id="centos-stream-names-no-folders",
        ),
        pytest.param(
            "[baseos]\nbaseurl=http://a.example/x/$releasever/BaseOS/$basearch/os/\n"
            "  http://b.example/x/$releasever/BaseOS/$basearch/os/\nenabled=1\n",
            ["m/$releasever/BaseOS/$basearch/os/"],
            id="owners-own-list-of-addresses",
        ),
    ],
)
def test_folders_below_the_mirror_are_the_distributions(text: str, expected: list[str]) -> None:
    found = with_mirror(text, "m")
    assert baseurls(found.text) == expected
    assert "b.example" not in found.text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(ROCKY_9, id="rocky-9"),
        pytest.param(ALMA_9, id="alma-9"),
        pytest.param(STREAM_9, id="stream-9"),
    ],
)
def test_the_second_time_nothing_differs(text: str) -> None:
    once = with_mirror(text, "https://mirror.example/el")
    assert once.text != text
    assert with_mirror(once.text, "https://mirror.example/el").text == once.text
    moved = with_mirror(once.text, "https://other.example/el").text
    assert moved == once.text.replace("mirror.example", "other.example")


def test_a_repository_of_which_nobody_told_the_folder_is_named() -> None:
    found = with_mirror("[house]\nbaseurl=https://house.example/rpms\n", "https://mirror.example")
    assert (found.unknown, found.own) == (("house",), 0)
    assert found.text == "[house]\nbaseurl=https://house.example/rpms\n"
