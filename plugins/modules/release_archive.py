#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have programs out of release archives."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_archive
short_description: Have programs out of release archives
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Takes programs out of C(.tar.gz) archives that are laid out as the releases of Prometheus and its family,
    C(NAME-VERSION.linux-ARCHITECTURE/PROGRAM), and puts them into one directory, mode 0755, owned by root.
  - Each archive must have the given SHA-256 digest. It is looked at on the control node before anything travels, and after a download.
  - A version older than the one that was brought before is refused, since it may not read the newer one's data.
attributes:
  check_mode:
    support: full
    description: Says which releases would come. Archives of the control node are checked, nothing is downloaded.
  diff_mode:
    support: full
    description: Shows the versions before and after.
  idempotent:
    support: full
    description: A release whose programs are there unchanged is left alone; nothing travels for it.
options:
  dest:
    description: Directory for the programs. Made with mode 0755 where it is missing.
    type: path
    required: true
  architecture:
    description: The node's processor, V(x86_64) or V(aarch64). An archive for another one is refused.
    type: str
    required: true
  releases:
    description: The releases.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The release's name, with which the archive's directory begins, such as V(prometheus) or V(node_exporter).
        type: str
        required: true
      source:
        description: The archive, a path on the control node, or a URL (http or https) from which the node downloads it.
        type: str
        required: true
      checksum:
        description: The archive's SHA-256 digest, 64 hexadecimal digits, with or without C(sha256:) before it.
        type: str
        required: true
      programs:
        description: Files to take out of it.
        type: list
        elements: str
        required: true
      input:
        description: Name of the input that says where the archive is, for messages.
        type: str
        default: ""
  timeout:
    description: Seconds after which a download is given up. This collection's choice.
    type: int
    default: 900
  environment:
    description: Variables that name a proxy for downloads (C(HTTP_PROXY), C(HTTPS_PROXY), C(NO_PROXY)).
    type: dict
    default: {}
  sources:
    description: Archives that were brought, by name; filled in by the control node's half.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Have Prometheus from its release
  rackforge.gpu_cluster.release_archive:
    dest: /opt/rackforge-monitoring
    architecture: x86_64
    releases:
      - name: prometheus
        source: /srv/releases/prometheus-2.53.3.linux-amd64.tar.gz
        checksum: "{{ prometheus_archive_sha256 }}"
        programs: [prometheus, promtool]
        input: monitoring_archives.prometheus
"""

RETURN = r"""
versions:
  description: Versions that are on the node afterwards, by name; in check mode those that are there.
  returned: success
  type: dict
  sample: {prometheus: 2.53.3}
placed:
  description: Releases whose programs came, or would come.
  returned: success
  type: list
  elements: str
  sample: [prometheus]
"""

import os
import tarfile
from collections.abc import Iterator
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_fetch import (
    Web,
    shown,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    BLOCK,
    Content,
    ReleaseError,
    blocks_of,
    digest_of,
    draft_of,
    put,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.release_archive import (
    Record,
    Release,
    ReleaseArchiveError,
    chosen_members,
    is_missing,
    parse_record,
    parse_release,
    refuse_older,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    make_parents,
    read_text,
)

MODE = 0o755
RELEASE = {
    "name": {"type": "str", "required": True},
    "source": {"type": "str", "required": True},
    "checksum": {"type": "str", "required": True},
    "programs": {"type": "list", "elements": "str", "required": True},
    "input": {"type": "str", "default": ""},
}


class Place:
    """The directory with the programs."""

    def __init__(self, params: dict[str, Any]) -> None:
        self._params = params
        self.dest = params["dest"]

    def record_path(self, release: Release) -> str:
        """Return the file that says what was brought."""
        return os.path.join(self.dest, f".{release.name}.json")

    def record(self, release: Release) -> Record:
        """Return what was brought before."""
        return parse_record(read_text(self.record_path(release)))

    def lacks(self, release: Release) -> bool:
        """Return whether the archive is needed."""
        seen = {name: digest_of(os.path.join(self.dest, name)) for name in release.programs}
        return is_missing(release, self.record(release), seen)

    def have(self, release: Release, archive: str) -> str:
        """Take the programs out of a checked archive and return its version."""
        with tarfile.open(archive, "r:gz") as tar:
            names = [member.name for member in tar.getmembers()]
            version, members = chosen_members(release, names, self._params["architecture"])
            refuse_older(release, self.record(release).version, version)
            files = {}
            for program, member in members.items():
                blocks = _blocks(tar, member, names)
                path = os.path.join(self.dest, program)
                files[program] = put(blocks, path, MODE, lambda _content: "").sha256
        record = Record(version, release.checksum, files)
        put([record.text().encode()], self.record_path(release), 0o644, lambda _content: "")
        return version


def _blocks(tar: tarfile.TarFile, member: str, names: list[str]) -> Iterator[bytes]:
    """Yield a member's contents; only its own, a link leads nowhere."""
    found = tar.getmember(member if member in names else f"./{member}")
    file = tar.extractfile(found) if found.isfile() else None
    if file is None:
        raise ReleaseArchiveError(f"{member} in the archive is no file, expected a program")
    return iter(lambda: file.read(BLOCK), b"")


def fetched(params: dict[str, Any], release: Release, path: str) -> None:
    """Have the archive at ``path``, from where it was brought or from its server."""
    source = params["sources"].get(release.name)
    if source:
        blocks, origin = blocks_of(source), release.source
    else:
        environment = {name: str(value) for name, value in params["environment"].items()}
        web = Web(float(params["timeout"]), environment, "monitoring_download_timeout_seconds")
        blocks, origin = web.blocks(release.source, lambda _seen, _all: None), shown(release.source)

    def accepted(content: Content) -> str:
        if content.sha256 == release.checksum:
            return ""
        return (
            f"{release.given_by}: {origin} has the SHA-256 digest {content.sha256}, expected "
            f"{release.checksum}; nothing was changed"
        )

    put(blocks, path, 0o600, accepted)


def bring(params: dict[str, Any], place: Place, release: Release) -> str:
    """Have a release's programs and return its version."""
    make_parents(place.record_path(release))
    with draft_of(os.path.join(place.dest, "archive")) as archive:
        fetched(params, release, archive)
        return place.have(release, archive)


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    return {
        "dest": {"type": "path", "required": True},
        "architecture": {"type": "str", "required": True},
        "releases": {"type": "list", "elements": "dict", "required": True, "options": RELEASE},
        "timeout": {"type": "int", "default": 900},
        "environment": {"type": "dict", "default": {}, "no_log": True},
        "sources": {"type": "dict", "default": {}},
    }


def difference(
    before: dict[str, str], lacking: list[Release], after: dict[str, str]
) -> dict[str, str]:
    """Return both sides of a diff."""
    names = [each.name for each in lacking]
    return {
        "before": "".join(f"{name} {before[name] or 'none'}\n" for name in names),
        "after": "".join(f"{name} {after.get(name) or 'of the archive'}\n" for name in names),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    params, place = module.params, Place(module.params)
    try:
        releases = [parse_release(each) for each in params["releases"]]
        before = {each.name: place.record(each).version for each in releases}
        lacking = [each for each in releases if place.lacks(each)]
        waiting = [x.name for x in lacking if not x.remote and x.name not in params["sources"]]
        after: dict[str, Optional[str]] = {}
        if not module.check_mode and not waiting:
            after = {each.name: bring(params, place, each) for each in lacking}
    except (ReleaseArchiveError, ReleaseError, tarfile.TarError, OSError, EOFError) as error:
        module.fail_json(msg=f"Could not have the release: {error}")
        return
    module.exit_json(
        changed=bool(lacking),
        placed=[each.name for each in lacking],
        versions={**before, **after},
        needs_sources=waiting,
        diff=difference(before, lacking, {k: v or "" for k, v in after.items()}),
    )


if __name__ == "__main__":
    main()
