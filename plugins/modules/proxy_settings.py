#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have apt, dnf and login sessions use a web proxy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_settings
short_description: Have apt, dnf and login sessions use a web proxy
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes C(/etc/apt/apt.conf.d/60rackforge-proxy) where the node has apt, a marked block in the section C([main]) of C(/etc/dnf/dnf.conf)
    where it has dnf, C(/etc/profile.d/60-rackforge-proxy.sh), and a marked block in C(/etc/environment), which PAM reads for sessions
    without a login shell, Ansible's own among them.
  - Sessions get C(http_proxy), C(https_proxy) and C(no_proxy) in lower and in upper case, since programs disagree. pip goes by these.
    Its own option C(proxy) is not set since it knows no exceptions.
  - Docker Engine and other services read none of these. The docker role sets the engine's.
  - Before anything changes, a connection to each proxy is tried. Where nobody answers, the module fails and nothing is changed.
  - With a password in an address, it stays root's. apt's file, dnf's and the script in profile.d are then readable by root only, and
    C(/etc/environment) gets nothing, since every session would show it. Other users set their own.
attributes:
  check_mode:
    support: full
    description: Says what would be written. The proxy is not tried.
  diff_mode:
    support: full
    description: Shows the files before and after; a password is masked.
  idempotent:
    support: full
    description: Equal files are left alone, and no proxy is tried then.
options:
  http_proxy:
    description: Proxy for addresses that begin with C(http://), such as V(http://proxy.example:3128).
    type: str
  https_proxy:
    description:
      - Proxy for addresses that begin with C(https://). Most proxies want an address that begins with C(http://) here too.
      - dnf has one proxy for both; it is this one where both are set.
    type: str
  no_proxy:
    description:
      - Names, domains (V(.lab.example)), addresses and networks (V(10.0.0.0/8)) that are reached without the proxy.
      - Not every program understands domains and networks here. apt is given the names and IPv4 addresses only. dnf knows no
        exceptions but those of its session's C(no_proxy).
      - PAM reads lines of 1023 bytes. Of a longer list, C(/etc/environment) has the first entries that fit, and a warning says so;
        login shells get the whole.
    type: list
    elements: str
    default: []
  owner:
    description: Whose blocks they are; it stands in their marks.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Reach the internet through the proxy
  rackforge.gpu_cluster.proxy_settings:
    owner: os_base
    http_proxy: http://proxy.example:3128
    https_proxy: http://proxy.example:3128
    no_proxy: [localhost, 127.0.0.1, 10.1.0.0/24, .lab.example]
"""

RETURN = r"""
written:
  description: Files that differ from what they were.
  returned: success
  type: list
  elements: str
  sample: [/etc/apt/apt.conf.d/60rackforge-proxy, /etc/environment]
"""

import os
import re
import socket
import stat
from dataclasses import dataclass
from typing import Optional
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ini_text import with_block
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.marked_block import with_lines
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.url_secret import (
    passwords,
    wrong_url,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.web_proxy import (
    Proxy,
    apt_text,
    dnf_lines,
    environment_lines,
    fits,
    profile_text,
    wrong_entry,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text

APT_FILE = "/etc/apt/apt.conf.d/60rackforge-proxy"
DNF_FILE = "/etc/dnf/dnf.conf"
PROFILE_FILE = "/etc/profile.d/60-rackforge-proxy.sh"
ENVIRONMENT_FILE = "/etc/environment"
SECONDS = 10.0
PORTS = {"http": 80, "https": 443}


class ProxyError(Exception):
    """The proxy cannot be used as asked, and why."""


@dataclass(frozen=True)
class Change:
    """A file as it is and as it is to be; ``mode`` is None where the present one stays."""

    path: str
    before: Optional[str]
    after: str
    mode: Optional[int]
    present_mode: Optional[int]

    @property
    def due(self) -> bool:
        """Return whether anything differs."""
        return self.rewrites or self.mode not in (None, self.present_mode)

    @property
    def rewrites(self) -> bool:
        """Return whether the text differs; a file is not made to be empty."""
        return self.after != (self.before or "") or (self.before is None and bool(self.after))


def read(path: str) -> tuple[Optional[str], Optional[int]]:
    """Return a file's text and mode, None when there is no such file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read(), stat.S_IMODE(os.fstat(file.fileno()).st_mode)
    except FileNotFoundError:
        return None, None


def checked(module: AnsibleModule) -> Proxy:
    """Return what is asked for; raise ProxyError when it cannot be meant."""
    params = module.params
    for name in ("http_proxy", "https_proxy"):
        wrong = wrong_url(params[name], ("http", "https"))
        if wrong:
            raise ProxyError(f"os_base_{name} {wrong}")
    entry = wrong_entry(params["no_proxy"])
    if entry:
        raise ProxyError(
            f"os_base_no_proxy has '{entry}', expected a name, a domain, an address or a network in each entry"
        )
    return Proxy(
        params["http_proxy"] or None, params["https_proxy"] or None, tuple(params["no_proxy"])
    )


def changes(module: AnsibleModule, proxy: Proxy) -> list[Change]:
    """Return what becomes of each file."""
    command, owner = Command(module), module.params["owner"]
    own_mode = 0o600 if proxy.secret else 0o644
    whole = [(PROFILE_FILE, profile_text(proxy))]
    blocks = [(ENVIRONMENT_FILE, environment_lines(proxy), "")]
    if command.find("apt-get"):
        whole.append((APT_FILE, apt_text(proxy)))
    if command.find("dnf"):
        blocks.append((DNF_FILE, dnf_lines(proxy), "main"))
    found = []
    for path, text in whole:
        before, mode = read(path)
        found.append(Change(path, before, text, own_mode, mode))
    for path, lines, section in blocks:
        before, mode = read(path)
        wanted = 0o600 if proxy.secret and section else None
        after = (
            with_block(before or "", owner, lines, section)
            if section
            else with_lines(before or "", owner, lines)
        )
        found.append(Change(path, before, after, wanted, mode))
    return [change for change in found if change.due]


def try_proxy(name: str, url: Optional[str]) -> None:
    """Connect to a proxy; raise ProxyError when nobody answers."""
    parts = urlsplit(url or "")
    if not parts.hostname:
        return
    port = parts.port or PORTS[parts.scheme]
    try:
        socket.create_connection((parts.hostname, port), timeout=SECONDS).close()
    except OSError as error:
        raise ProxyError(
            f"os_base_{name}: nobody answers at {parts.hostname}:{port} ({error}), expected a web proxy; "
            f"try 'curl --head --proxy http://{parts.hostname}:{port} http://HOST/' on the node"
        ) from error


def apply(module: AnsibleModule, change: Change) -> None:
    """Write one file; one with a secret is never readable by others, not for a moment."""
    os.makedirs(os.path.dirname(change.path), exist_ok=True)
    if change.mode is not None and change.before is not None:
        os.chmod(change.path, change.mode)
    if change.rewrites:
        mask = os.umask(0o077 if change.mode == 0o600 else 0o022)
        try:
            write_text(module, change.path, change.after)
        finally:
            os.umask(mask)
    if change.mode is not None:
        os.chmod(change.path, change.mode)


def put_back(module: AnsibleModule, change: Change) -> None:
    """Put a file back as it was."""
    if change.before is None:
        os.unlink(change.path)
        return
    write_text(module, change.path, change.before)
    if change.present_mode is not None:
        os.chmod(change.path, change.present_mode)


def write(module: AnsibleModule, due: list[Change]) -> None:
    """Write all files, or none."""
    done: list[Change] = []
    try:
        for change in due:
            apply(module, change)
            done.append(change)
    except OSError as error:
        for change in done:
            put_back(module, change)
        raise ProxyError(f"could not write {due[len(done)].path}: {error}; see 'df -h'") from error


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "http_proxy": {"type": "str"},
            "https_proxy": {"type": "str"},
            "no_proxy": {"type": "list", "elements": "str", "default": []},
            "owner": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    urls = {name: module.params[name] for name in ("http_proxy", "https_proxy")}
    module.no_log_values.update(passwords(urls.values()))
    try:
        proxy = checked(module)
        due = changes(module, proxy)
        if due and not module.check_mode:
            for name, url in urls.items():
                try_proxy(name, url)
            write(module, due)
    except (ProxyError, OSError, ValueError) as error:
        module.fail_json(msg=re.sub(r"\s+", " ", f"{error}; nothing was changed"))
    if due and not fits(proxy) and not proxy.secret:
        module.warn(
            f"{ENVIRONMENT_FILE}: no_proxy has the first entries of os_base_no_proxy only, since PAM reads no "
            "longer lines; name networks or domains before single hosts"
        )
    diff = [
        {
            "before_header": change.path,
            "after_header": change.path,
            "before": change.before or "",
            "after": change.after,
        }
        for change in due
    ]
    module.exit_json(changed=bool(due), written=[change.path for change in due], diff=diff)


if __name__ == "__main__":
    main()
