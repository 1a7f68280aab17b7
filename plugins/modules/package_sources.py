#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have the distribution's packages, and pip's, come from a mirror."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_sources
short_description: Have the distribution's packages, and pip's, come from a mirror
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Points the distribution's own entries of the given source files at a mirror. apt's one-line and deb822 forms and dnf's C(.repo) files
    are known. Entries of others, comments, options, suites, components and keys stay as they are.
  - An entry of apt is the distribution's own when the Release file that apt has read for it says so (its Origin). Where apt has read
    none yet, it must have the distribution's suites and components, and its key or the end of its address must name the distribution.
  - Before anything is written, the mirror's index is fetched through the new entries alone (C(apt-get update), C(dnf makecache)). When
    that fails, the files stay as they are and the module fails with the cause.
  - In a C(.repo) file the mirror lists are commented out and C(baseurl) is set. The folders below the mirror are those of the
    distribution's own baseurl from C($releasever) or C($stream) on.
attributes:
  check_mode:
    support: full
    description: Says what would be rewritten. The mirror is not asked.
  diff_mode:
    support: full
    description: Shows the files before and after; a password in an address is masked.
  idempotent:
    support: full
    description: Where nothing is to be rewritten, no index is fetched.
options:
  distribution:
    description: The distribution's ID, as in C(/etc/os-release).
    type: str
    required: true
  codename:
    description: The release's name in apt's suites, such as V(bookworm).
    type: str
    default: ""
  files:
    description: Source files that may hold entries of the distribution. Those that do not exist are passed over.
    type: list
    elements: path
    default: []
  apt_mirror_url:
    description: Mirror of the distribution's archive for apt.
    type: str
  apt_security_mirror_url:
    description:
      - Mirror for entries that have security suites only. When not set, such entries stay as they are.
      - An entry that names security suites beside others goes to O(apt_mirror_url).
    type: str
  dnf_mirror_url:
    description:
      - Mirror of the distribution for dnf, such as V(https://mirror.example/rocky) with C(9/BaseOS/x86_64/os/) below it.
      - RHEL is refused, whose file belongs to subscription-manager.
    type: str
  pip_index_url:
    description:
      - Package index that C(/etc/pip.conf) names for all users (C([global]) C(index-url)). Other keys of the file stay.
      - For an index without TLS its host becomes pip's C(trusted-host), since pip ignores it otherwise.
      - With a password in the address only root can read the file, so other users are without the index.
    type: str
  timeout:
    description: Seconds to wait for a mirror's answer to one connection attempt.
    type: int
    default: 20
"""

EXAMPLES = r"""
- name: Have packages come from the mirror in the house
  rackforge.gpu_cluster.package_sources:
    distribution: ubuntu
    codename: noble
    files: [/etc/apt/sources.list, /etc/apt/sources.list.d/ubuntu.sources]
    apt_mirror_url: https://mirror.example/ubuntu
    apt_security_mirror_url: https://mirror.example/ubuntu
    pip_index_url: https://mirror.example/pypi/simple
"""

RETURN = r"""
rewritten:
  description: Files that differ from what they were.
  returned: success
  type: list
  elements: str
  sample: [/etc/apt/sources.list.d/ubuntu.sources]
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.apt_sources import (
    Archive,
    parse_origins,
    rewritten,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.dnf_sources import with_mirror
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ini_text import with_key
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.packages import (
    cause_of_failure,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import place_text
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.url_secret import (
    passwords,
    wrong_url,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text

PIP_CONF = "/etc/pip.conf"
URLS = ("apt_mirror_url", "apt_security_mirror_url", "dnf_mirror_url", "pip_index_url")
UNTOUCHED = "nothing was changed"


class SourceError(Exception):
    """The sources cannot be as asked, and why."""


def read(path: str) -> Optional[str]:
    """Return a file's text, None when there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


class Apt:
    """Debian's family."""

    def __init__(self, command: Command, params: Mapping[str, Any]) -> None:
        self._command = command
        self._params = params

    @property
    def wanted(self) -> bool:
        """Return whether a mirror for apt is asked for."""
        return bool(self._params["apt_mirror_url"] or self._params["apt_security_mirror_url"])

    def rewrite(self, texts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the files afterwards, and drafts that hold the mirror's entries only."""
        form = "$(REPO_URI)|$(RELEASE)|$(ORIGIN)"
        known = self._command.run(["apt-get", "indextargets", "--format", form]).out
        archive = Archive(
            distribution=self._params["distribution"],
            codename=self._params["codename"],
            mirror=self._params["apt_mirror_url"],
            security_mirror=self._params["apt_security_mirror_url"],
            origins=parse_origins(known),
        )
        found = {path: rewritten(path, text, archive) for path, text in texts.items()}
        if not any(each.mirrored for each in found.values()):
            raise SourceError(
                f"saw no entry of {archive.distribution} {archive.codename} that os_base_apt_mirror_url or "
                f"os_base_apt_security_mirror_url is for in {', '.join(texts) or 'any source file'}, "
                "expected one; look at 'apt-get indextargets', and unset what does not apply to this node"
            )
        return (
            {path: each.text for path, each in found.items()},
            {path: each.mirrored for path, each in found.items() if each.mirrored},
        )

    def try_out(self, folder: str, drafts: Mapping[str, str]) -> None:
        """Fetch the index through the drafts; nothing else in apt's store is touched."""
        for path in drafts:
            if not path.endswith(".sources"):  # apt reads this name only, in a folder of parts.
                draft = os.path.join(folder, os.path.basename(path))
                os.rename(draft, f"{draft.rpartition('.list')[0] or draft}.list")
        seconds = self._params["timeout"]
        options = (
            "Dir::Etc::sourcelist=/dev/null",
            f"Dir::Etc::sourceparts={folder}",
            "APT::Get::List-Cleanup=0",
            "Acquire::Retries=1",
            f"Acquire::http::Timeout={seconds}",
            f"Acquire::https::Timeout={seconds}",
            "DPkg::Lock::Timeout=300",
        )
        argv = ["apt-get", "update", "--error-on=any"]
        result = self._command.run([*argv, *(word for each in options for word in ("-o", each))])
        if result.rc != 0:
            raise SourceError(_why("os_base_apt_mirror_url", drafts, result.err or result.out))


class Dnf:
    """Red Hat's family."""

    def __init__(self, command: Command, params: Mapping[str, Any]) -> None:
        self._command = command
        self._params = params

    @property
    def wanted(self) -> bool:
        """Return whether a mirror for dnf is asked for."""
        return bool(self._params["dnf_mirror_url"])

    def rewrite(self, texts: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Return the files afterwards, and drafts that hold the mirror's repositories only."""
        name, mirror = self._params["distribution"], self._params["dnf_mirror_url"]
        if name == "rhel":
            raise SourceError(
                "os_base_dnf_mirror_url: RHEL's repositories stand in redhat.repo, which subscription-manager "
                "writes anew; give it the mirror with 'subscription-manager config --rhsm.baseurl=URL', or add "
                "a file of your own to /etc/yum.repos.d, and unset os_base_dnf_mirror_url for this node"
            )
        found = {path: with_mirror(text, mirror) for path, text in texts.items()}
        gaps = [f"{name} in {path}" for path, each in found.items() for name in each.unknown]
        if gaps or not any(each.own for each in found.values()):
            raise SourceError(
                f"os_base_dnf_mirror_url: saw {', '.join(gaps) or 'no repository of ' + name}, expected "
                "repositories whose baseurl (also a commented one) has $releasever or $stream; restore the "
                "distribution's files with 'dnf reinstall \"*-repos\"', or unset os_base_dnf_mirror_url"
            )
        return (
            {path: each.text for path, each in found.items()},
            {path: each.mirrored for path, each in found.items() if each.mirrored},
        )

    def try_out(self, folder: str, drafts: Mapping[str, str]) -> None:
        """Fetch the index through the drafts."""
        options = (
            f"reposdir={folder}",
            "*.skip_if_unavailable=0",
            f"timeout={self._params['timeout']}",
            "retries=2",
        )
        settings = [f"--setopt={each}" for each in options]
        result = self._command.run(["dnf", "--quiet", "--refresh", *settings, "makecache"])
        if result.rc != 0:
            raise SourceError(_why("os_base_dnf_mirror_url", drafts, result.err or result.out))


def _why(name: str, drafts: Mapping[str, str], said: str) -> str:
    cause = cause_of_failure(said, [])
    return f"{name}: the mirror did not serve what {', '.join(drafts)} needs: {cause}"


def pip_text(text: str, url: str) -> str:
    """Return pip's configuration with the index."""
    text = with_key(text or "# Managed by rackforge.gpu_cluster\n", "global", "index-url", url)
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname:
        text = with_key(text, "global", "trusted-host", parts.netloc.rpartition("@")[2])
    return text


class Sources:
    """The source files of a node."""

    def __init__(self, module: AnsibleModule) -> None:
        self._module = module
        self.before: dict[str, Optional[str]] = {}
        self.after: dict[str, str] = {}
        self._modes: dict[str, int] = {}

    def plan(self) -> None:
        """Find out what is to be written; the mirror is asked where that differs."""
        params, command = self._module.params, Command(self._module)
        for name in URLS:
            wrong = wrong_url(params[name], ("http", "https"))
            if wrong:
                raise SourceError(f"os_base_{name} {wrong}")
            if name != "pip_index_url" and passwords([params[name]]):
                raise SourceError(
                    f"os_base_{name} has a password, which every user could read in the source files; expected "
                    "an address without one (apt takes it from /etc/apt/auth.conf.d, see apt_auth.conf(5))"
                )
        manager = Apt(command, params) if command.find("apt-get") else Dnf(command, params)
        if manager.wanted:
            texts = {path: text for path in params["files"] for text in (read(path),) if text}
            self.before.update(texts)
            wanted, drafts = manager.rewrite(texts)
            if wanted != texts and not self._module.check_mode:
                self._try_out(manager, drafts)
            self.after.update(wanted)
        if params["pip_index_url"]:
            self.before[PIP_CONF] = read(PIP_CONF)
            self.after[PIP_CONF] = pip_text(self.before[PIP_CONF] or "", params["pip_index_url"])

    def _try_out(self, manager: Any, drafts: Mapping[str, str]) -> None:
        folder = tempfile.mkdtemp(dir=self._module.tmpdir)
        try:
            for path, text in drafts.items():
                write_text(self._module, os.path.join(folder, os.path.basename(path)), text)
            if drafts:
                manager.try_out(folder, drafts)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def _secret(self) -> bool:
        return bool(passwords([self._module.params["pip_index_url"]]))

    @property
    def differing(self) -> list[str]:
        """Return the files that are to be written."""
        return [path for path, text in self.after.items() if self.before[path] != text]

    def write(self) -> None:
        """Write what differs: all of it, or none."""
        done: list[str] = []
        try:
            for path in self.differing:
                done.append(path)
                if path == PIP_CONF and self._secret:
                    self._place_secret(path, self.after[path])
                else:
                    place_text(self._module, path, self.after[path])
        except OSError as error:
            for path in done:
                self._put_back(path)
            raise SourceError(f"could not write the source files: {error}; see 'df -h'") from error

    def _place_secret(self, path: str, text: str) -> None:
        """Write a file for root alone; others cannot read it, not for a moment."""
        if self.before[path] is not None:
            self._modes[path] = stat.S_IMODE(os.stat(path).st_mode)
            os.chmod(path, 0o600)
        mask = os.umask(0o077)
        try:
            place_text(self._module, path, text, 0o600)
        finally:
            os.umask(mask)

    def _put_back(self, path: str) -> None:
        if read(path) != self.before[path]:
            place_text(self._module, path, self.before[path])
        if path in self._modes:
            os.chmod(path, self._modes[path])

    def diff(self) -> list[dict[str, str]]:
        """Return each file before and after."""
        return [
            {
                "before_header": path,
                "after_header": path,
                "before": self.before[path] or "",
                "after": self.after[path],
            }
            for path in self.differing
        ]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "distribution": {"type": "str", "required": True},
            "codename": {"type": "str", "default": ""},
            "files": {"type": "list", "elements": "path", "default": []},
            **{name: {"type": "str"} for name in URLS},
            "timeout": {"type": "int", "default": 20},
        },
        supports_check_mode=True,
    )
    module.no_log_values.update(passwords(module.params[name] for name in URLS))
    sources = Sources(module)
    try:
        sources.plan()
        if not module.check_mode:
            sources.write()
    except (SourceError, OSError) as error:
        module.fail_json(msg=re.sub(r"\s+", " ", f"{error}; {UNTOUCHED}"))
    names = sources.differing
    module.exit_json(changed=bool(names), rewritten=names, diff=sources.diff())


if __name__ == "__main__":
    main()
