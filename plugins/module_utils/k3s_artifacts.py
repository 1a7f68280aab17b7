# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a directory holds a release of k3s: complete, whole, and of the wanted version.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
    sort_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    BINARIES,
    CHECKSUMS_SHAPE,
    checksum_name,
    image_names,
    is_version,
    known_digests,
    other_version,
    release_architecture,
    wrong_checksums,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    CONTROL_NODE,
)


@dataclass(frozen=True)
class Request:
    """What is looked for. ``archives`` are paths of further archives of images."""

    directory: str
    version: str
    architectures: tuple[str, ...]
    images: bool = True
    archives: tuple[str, ...] = ()
    checksums: Mapping[str, Any] = field(default_factory=dict)

    def problem(self) -> Optional[Finding]:
        """Return the finding about an input that cannot be used, None when all can."""
        wrong = wrong_checksums(self.checksums)
        if wrong:
            return _invalid("k3s_checksums", wrong, CHECKSUMS_SHAPE)
        if not is_version(self.version):
            return _invalid("k3s_version", self.version, "a release's tag such as v1.34.2+k3s1")
        strange = [each for each in self.architectures if not release_architecture(each)]
        if strange or not self.architectures:
            expected = "amd64 or arm64 (x86_64, aarch64), at least one"
            return _invalid("k3s_architectures", join_names(strange) or "empty", expected)
        return None

    def names(self) -> list[str]:
        """Return the releases' names of the architectures, each once."""
        found = [release_architecture(each) for each in self.architectures]
        return sorted({each for each in found if each})


@dataclass(frozen=True)
class SeenFile:
    """A file of the control node. ``error`` is why it could not be read."""

    path: str
    sha256: str = ""
    size: int = 0
    versions: frozenset[str] = frozenset()
    error: str = ""

    @property
    def name(self) -> str:
        """Return the name within its directory."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Survey:
    """What was read: files by name, the checksum files' digests by architecture."""

    files: Mapping[str, SeenFile]
    listed: Mapping[str, Mapping[str, str]]
    archives: tuple[SeenFile, ...] = ()
    error: str = ""


def judge(request: Request, survey: Survey) -> tuple[dict[str, Any], list[Finding]]:
    """Return the artifacts by architecture, and what is wrong with them."""
    if survey.error:
        return {}, [_missing(request, request.names(), survey.error)]
    artifacts: dict[str, Any] = {}
    findings: list[Finding] = []
    lacking: dict[str, list[str]] = {}
    unpinned: list[str] = []
    for architecture in request.names():
        found: list[dict[str, Any]] = []
        for choices in _choices(request, architecture):
            seen = _first(survey, choices)
            if seen is None:
                lacking.setdefault(architecture, []).append(choices[0])
                continue
            known, listed = _digests(request, survey, architecture)
            problem = _problem(request, seen, known, listed, architecture)
            findings += [problem] if problem else []
            unpinned += [] if problem or seen.name in known else [seen.name]
            found.append(_entry(seen))
        artifacts[architecture] = _artifact(architecture, found, survey.archives)
    if lacking:
        findings.append(_missing(request, list(lacking), _names_of(lacking)))
    if unpinned:
        findings.append(_unpinned(request, unpinned))
    return artifacts, sort_findings([*findings, *_archive_findings(survey.archives)])


def _artifact(
    architecture: str, found: Sequence[dict[str, Any]], archives: Sequence[SeenFile]
) -> dict[str, Any]:
    """Return what nodes of an architecture get."""
    binary = BINARIES[architecture]
    images = [each for each in found if each["name"] != binary]
    images += [_entry(seen) for seen in archives if not seen.error]
    return {
        "binary": next((each for each in found if each["name"] == binary), None),
        "images": images,
    }


def _digests(
    request: Request, survey: Survey, architecture: str
) -> tuple[dict[str, str], Mapping[str, str]]:
    """Return the digests that are known, and those that the release lists."""
    known = known_digests(request.version, architecture, request.checksums)
    return known, survey.listed.get(architecture, {})


def fetch_command(request: Request, architectures: Sequence[str]) -> str:
    """Return the line to type where there is internet."""
    return (
        f"ansible-playbook playbooks/k3s_download.yml -e k3s_artifact_dir={request.directory} "
        f"-e k3s_version={request.version} -e k3s_architectures={','.join(architectures)}"
    )


def _choices(request: Request, architecture: str) -> Iterator[list[str]]:
    """Yield the names under which each artifact can lie; the preferred one is the first."""
    yield [BINARIES[architecture]]
    if request.images:
        yield image_names(architecture)


def _first(survey: Survey, names: Sequence[str]) -> Optional[SeenFile]:
    return next((survey.files[name] for name in names if name in survey.files), None)


def _entry(seen: SeenFile) -> dict[str, Any]:
    return {"name": seen.name, "path": seen.path, "sha256": seen.sha256, "size": seen.size}


def _names_of(lacking: Mapping[str, Sequence[str]]) -> str:
    return "no " + join_names([name for names in lacking.values() for name in names], 12)


def _problem(
    request: Request,
    seen: SeenFile,
    known: Mapping[str, str],
    listed: Mapping[str, str],
    architecture: str,
) -> Optional[Finding]:
    """Return what is wrong with one artifact, None when it can be used."""
    name, fix = seen.name, fetch_command(request, request.names())
    expected = known.get(name) or listed.get(name)
    if seen.error:
        return _finding("k3s-artifact-corrupt", f"{name} cannot be read.", seen.error, fix=fix)
    if not expected:
        return _unverified(request, architecture, name, fix)
    # The checksum file beside it vouches for it, and the digests that somebody confirmed do not.
    strange = name not in known and other_version(seen.sha256, request.version, request.checksums)
    if seen.sha256 != expected or strange:
        return _mismatch(request, seen, known.get(name, ""), listed.get(name, ""), fix)
    if _tells_other(seen.versions, request.version):
        return _of_another(request, name, join_names(sorted(seen.versions)), fix)
    if name not in known and any(listed.get(each, known[each]) != known[each] for each in known):
        words = f"{checksum_name(architecture)} beside it, which is of another release"
        return _of_another(request, name, words, fix)
    return None


def _mismatch(request: Request, seen: SeenFile, known: str, listed: str, fix: str) -> Finding:
    """Return the finding about a digest that is another: a file of another release, or damage."""
    name = seen.name
    another = other_version(seen.sha256, request.version, request.checksums)
    if another:
        return _of_another(request, name, f"the digest of {another}'s", fix)
    if known and seen.sha256 == listed:
        words = "a file that is whole by the checksum file beside it, and of another release"
        return _of_another(request, name, words, fix)
    return _finding(
        "k3s-artifact-corrupt",
        f"{name} is damaged: its SHA-256 digest is another.",
        seen.sha256,
        known or listed,
        fix,
    )


def _of_another(request: Request, name: str, seen: str, fix: str) -> Finding:
    return _finding(
        "k3s-artifact-version",
        f"{name} is of another version of k3s than k3s_version says.",
        seen,
        request.version,
        fix,
    )


def _unverified(request: Request, architecture: str, name: str, fix: str) -> Finding:
    return _finding(
        "k3s-artifact-unverified",
        f"Nothing tells what {name} must be: {request.version} has no digest in this collection or "
        "in k3s_checksums.",
        f"no line for it in {checksum_name(architecture)} of {request.directory}",
        "the release's checksum file beside it",
        fix,
    )


def _unpinned(request: Request, names: Sequence[str]) -> Finding:
    return _finding(
        "k3s-artifact-unpinned",
        f"{join_names(names)}: whole by the checksum file beside it, which proves nothing about "
        "where both come from.",
        f"no digest of {request.version} in this collection or in k3s_checksums",
        "digests that somebody else has confirmed",
        "k3s_checksums in the inventory, as docs/k3s-air-gap.md shows it",
        Severity.NOTE,
        "k3s_checksums",
    )


def _tells_other(versions: frozenset[str], wanted: str) -> bool:
    """Return whether a binary names releases, and the wanted one is not among them."""
    return bool(versions) and not any(wanted.startswith(each) for each in versions)


def _missing(request: Request, architectures: Sequence[str], seen: str) -> Finding:
    needed = [choices[0] for each in architectures for choices in _choices(request, each)]
    needed += [checksum_name(each) for each in architectures]
    return _finding(
        "k3s-artifact-missing",
        f"{request.directory} lacks artifacts of k3s {request.version}. Fetch them on a machine "
        "with internet and bring the directory here.",
        seen,
        join_names(needed, 12),
        fetch_command(request, request.names()),
    )


def _archive_findings(archives: Sequence[SeenFile]) -> list[Finding]:
    return [
        _finding(
            "k3s-artifact-missing",
            "An archive of k3s_image_archives cannot be read.",
            f"{seen.path}: {seen.error}",
            "a file as docker save writes it",
            f"ls -l {seen.path}",
            variable="k3s_image_archives",
        )
        for seen in archives
        if seen.error
    ]


def _invalid(variable: str, seen: str, expected: str) -> Finding:
    return _finding(
        "value-invalid",
        f"{variable} cannot be used.",
        seen,
        expected,
        f"correct {variable} in the inventory",
        variable=variable,
    )


def _finding(
    code: str,
    message: str,
    seen: str,
    expected: str = "",
    fix: str = "",
    severity: Severity = Severity.ERROR,
    variable: str = "k3s_artifact_dir",
) -> Finding:
    return Finding(severity, code, CONTROL_NODE, message, seen, expected, fix, variable)
