"""Claims about what is said of a directory with a release of k3s."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding, Severity
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_artifacts import (
    Request,
    SeenFile,
    Survey,
    judge,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
VERSION = "v1.40.1+k3s1"
IMAGES = "k3s-airgap-images-amd64.tar.zst"
KNOWN = {VERSION: {"amd64": {"k3s": A, IMAGES: B}}}
FETCH = (
    "ansible-playbook playbooks/k3s_download.yml -e k3s_artifact_dir=/srv/k3s "
    f"-e k3s_version={VERSION} -e k3s_architectures=amd64"
)


def request(**more: Any) -> Request:
    """Return a request for amd64 whose digests are known."""
    values = {"architectures": ("x86_64",), "checksums": KNOWN, **more}
    return Request("/srv/k3s", VERSION, **values)


def survey(*files: SeenFile, listed: dict[str, str] | None = None, **more: Any) -> Survey:
    """Return what was read."""
    return Survey({each.name: each for each in files}, {"amd64": listed or {}}, **more)


def seen(name: str, digest: str, **more: Any) -> SeenFile:
    """Return a file of the directory."""
    return SeenFile(f"/srv/k3s/{name}", digest, 7, **more)


def brief(findings: list[Finding]) -> list[tuple[str, str]]:
    """Return codes, and what was seen."""
    return [(each.code, each.seen) for each in findings]


def test_a_whole_release_has_no_finding() -> None:
    artifacts, findings = judge(request(), survey(seen("k3s", A), seen(IMAGES, B)))
    assert findings == []
    assert artifacts == {
        "amd64": {
            "binary": {"name": "k3s", "path": "/srv/k3s/k3s", "sha256": A, "size": 7},
            "images": [{"name": IMAGES, "path": f"/srv/k3s/{IMAGES}", "sha256": B, "size": 7}],
        }
    }


def test_everything_that_is_missing_is_told_once_with_what_to_type() -> None:
    _artifacts, findings = judge(request(architectures=("amd64", "arm64")), survey(seen("k3s", A)))
    assert len(findings) == 1
    assert findings[0].seen == f"no {IMAGES}, k3s-arm64 and k3s-airgap-images-arm64.tar.zst"
    assert findings[0].fix == f"{FETCH},arm64"
    assert findings[0].host == "control node"


def test_a_directory_that_is_not_there_lacks_all() -> None:
    artifacts, findings = judge(request(), Survey({}, {}, error="/srv/k3s: No such file"))
    assert artifacts == {}
    assert brief(findings) == [("k3s-artifact-missing", "/srv/k3s: No such file")]
    assert findings[0].expected == f"k3s, {IMAGES} and sha256sum-amd64.txt"


def test_each_damaged_file_is_named() -> None:
    _artifacts, findings = judge(request(), survey(seen("k3s", C), seen(IMAGES, C)))
    assert brief(findings) == [("k3s-artifact-corrupt", C), ("k3s-artifact-corrupt", C)]
    assert {each.expected for each in findings} == {A, B}
    assert {each.fix for each in findings} == {FETCH}


def test_a_file_that_cannot_be_read_is_corrupt() -> None:
    _artifacts, findings = judge(
        request(), survey(seen("k3s", A), seen(IMAGES, "", error="Input/output error"))
    )
    assert brief(findings) == [("k3s-artifact-corrupt", "Input/output error")]


@pytest.mark.parametrize(
    ("files", "listed", "told"),
    [
        pytest.param(
            (seen("k3s", C), seen(IMAGES, B)),
            {"k3s": C},
            "a file that is whole by the checksum file beside it, and of another release",
            id="list-of-another-release",
        ),
        pytest.param(
            (
                seen(
                    "k3s",
                    "86945269160fdd1bbd06283ea5b3bafd6c0ec0d1df3ac68ad3686656632081a5",
                ),
                seen(IMAGES, B),
            ),
            {},
            "the digest of v1.33.6+k3s1's",
            id="digest-of-another-release",
        ),
        pytest.param(
            (seen("k3s", A, versions=frozenset({"v1.39.0+k3s1"})), seen(IMAGES, B)),
            {},
            "v1.39.0+k3s1",
            id="binary-tells-another",
        ),
        pytest.param(
            (seen("k3s", A), seen("k3s-airgap-images-amd64.tar.gz", C)),
            {"k3s": B, "k3s-airgap-images-amd64.tar.gz": C},
            "sha256sum-amd64.txt beside it, which is of another release",
            id="archive-vouched-for-by-another-release",
        ),
    ],
)
def test_an_expired_artifact_is_told_from_a_damaged_one(
    files: tuple[SeenFile, ...], listed: dict[str, str], told: str
) -> None:
    _artifacts, findings = judge(request(), survey(*files, listed=listed))
    assert brief(findings) == [("k3s-artifact-version", told)]
    assert findings[0].expected == VERSION


def test_a_file_known_of_another_release_is_refused_though_the_list_beside_it_vouches() -> None:
    """k3s_version was raised, and the directory still holds the whole release from before."""
    older = {"v1.39.0+k3s1": {"amd64": {"k3s": A, IMAGES: B}}}
    files = survey(seen("k3s", A), seen(IMAGES, B), listed={"k3s": A, IMAGES: B})
    _artifacts, findings = judge(request(checksums=older), files)
    told = ("k3s-artifact-version", "the digest of v1.39.0+k3s1's")
    assert brief(findings) == [told, told]


def test_a_file_that_two_releases_share_is_right() -> None:
    both = {**KNOWN, "v1.39.0+k3s1": {"amd64": {IMAGES: B}}}
    files = survey(seen("k3s", A), seen(IMAGES, B))
    assert judge(request(checksums=both), files)[1] == []


def test_a_binary_that_names_the_wanted_version_among_others_is_right() -> None:
    binary = seen("k3s", A, versions=frozenset({"v1.39.0+k3s1", "v1.40.1+k3s1"}))
    assert judge(request(), survey(binary, seen(IMAGES, B)))[1] == []


def test_what_nobody_vouches_for_is_refused() -> None:
    _artifacts, findings = judge(
        request(checksums={}), survey(seen("k3s", A), seen(IMAGES, B), listed={"k3s": A})
    )
    assert [each.code for each in findings] == ["k3s-artifact-unverified", "k3s-artifact-unpinned"]
    assert findings[0].seen == "no line for it in sha256sum-amd64.txt of /srv/k3s"


def test_what_only_the_list_beside_it_vouches_for_is_a_note() -> None:
    listed = {"k3s": A, IMAGES: B}
    _artifacts, findings = judge(
        request(checksums={}), survey(seen("k3s", A), seen(IMAGES, B), listed=listed)
    )
    assert [each.severity for each in findings] == [Severity.NOTE]
    assert findings[0].message.startswith(f"k3s and {IMAGES}: whole by the checksum file")


def test_images_may_be_left_to_a_registry() -> None:
    artifacts, findings = judge(request(images=False), survey(seen("k3s", A)))
    assert findings == []
    assert artifacts["amd64"]["images"] == []


def test_further_archives_go_to_every_architecture() -> None:
    request_ = request(images=False, architectures=("amd64", "arm64"))
    own = SeenFile("/srv/jupyter.tar", C, 9)
    artifacts, _findings = judge(request_, survey(seen("k3s", A), archives=(own,)))
    assert [each["images"] for each in artifacts.values()] == [
        [{"name": "jupyter.tar", "path": "/srv/jupyter.tar", "sha256": C, "size": 9}]
    ] * 2


def test_a_further_archive_that_is_missing_is_named() -> None:
    own = SeenFile("/srv/jupyter.tar", error="No such file or directory")
    artifacts, findings = judge(request(images=False), survey(seen("k3s", A), archives=(own,)))
    assert artifacts["amd64"]["images"] == []
    assert brief(findings) == [
        ("k3s-artifact-missing", "/srv/jupyter.tar: No such file or directory")
    ]
    assert findings[0].variable == "k3s_image_archives"


@pytest.mark.parametrize(
    ("more", "variable", "told"),
    [
        pytest.param(
            {"checksums": {"v1": {"amd64": {"k3s": 1}}}},
            "k3s_checksums",
            "v1: amd64: k3s has '1'",
            id="checksums",
        ),
        pytest.param({"architectures": ("ppc64le",)}, "k3s_architectures", "ppc64le", id="machine"),
        pytest.param({"architectures": ()}, "k3s_architectures", "empty", id="no-machine"),
    ],
)
def test_an_input_that_cannot_be_used_is_named(
    more: dict[str, Any], variable: str, told: str
) -> None:
    problem = request(**more).problem()
    assert problem is not None
    assert (problem.code, problem.variable, problem.seen) == ("value-invalid", variable, told)


def test_a_version_that_is_no_tag_is_named() -> None:
    problem = Request("/srv/k3s", "stable", ("amd64",)).problem()
    assert problem is not None
    assert (problem.variable, problem.seen) == ("k3s_version", "stable")
    assert request().problem() is None
