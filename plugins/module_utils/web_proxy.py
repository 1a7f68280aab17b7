# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the files that name a web proxy say, for apt, dnf and login sessions."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.url_secret import passwords

HEADER = "Managed by rackforge.gpu_cluster"
#: PAM before 1.6 reads lines of /etc/environment in pieces of 1023 bytes.
PAM_LINE = 1000


@dataclass(frozen=True)
class Proxy:
    """The proxies by scheme, and what is reached without them."""

    http: Optional[str]
    https: Optional[str]
    direct: tuple[str, ...] = ()

    @property
    def secret(self) -> bool:
        """Return whether an address has a password."""
        return bool(passwords((self.http, self.https)))


def wrong_entry(direct: Iterable[str]) -> str:
    """Return the first entry that is no name, domain, address or network; nothing: all are."""
    return next((each for each in direct if not re.match(r"[A-Za-z0-9.:*/_\[\]-]+$", each)), "")


def variables(proxy: Proxy, limit: int = 0) -> list[tuple[str, str]]:
    """Return the variables, each in lower and upper case, since programs disagree.

    With a limit, no_proxy ends with the last whole entry that fits.
    """
    rows = [("http_proxy", proxy.http), ("https_proxy", proxy.https)]
    found = [(name, value) for name, value in rows if value]
    if found and proxy.direct:
        found.append(("no_proxy", _joined(proxy.direct, limit)))
    return [(case, value) for name, value in found for case in (name, name.upper())]


def _joined(direct: Sequence[str], limit: int) -> str:
    kept: list[str] = []
    for each in direct:
        if limit and len(",".join([*kept, each])) > limit:
            break
        kept.append(each)
    return ",".join(kept)


def fits(proxy: Proxy) -> bool:
    """Return whether all that is reached without the proxy fits into a line that PAM reads."""
    return variables(proxy, PAM_LINE) == variables(proxy)


def profile_text(proxy: Proxy) -> str:
    """Return the script that login shells read."""
    rows = [f"export {name}={shlex.quote(value)}\n" for name, value in variables(proxy)]
    return f"# {HEADER}\n" + "".join(rows)


def environment_lines(proxy: Proxy) -> list[str]:
    """Return the lines for /etc/environment; none where all users would see a password."""
    if proxy.secret:
        return []
    return [f"{name}={value}" for name, value in variables(proxy, PAM_LINE)]


def apt_text(proxy: Proxy) -> str:
    """Return apt's settings: one scheme's proxy is never the other's."""
    lines = [f"// {HEADER}"]
    for scheme, url in (("http", proxy.http), ("https", proxy.https)):
        lines.append(f'Acquire::{scheme}::Proxy "{url or "DIRECT"}";')
    for host in _hosts(proxy.direct):
        lines += [f'Acquire::{scheme}::Proxy::{host} "DIRECT";' for scheme in ("http", "https")]
    return "".join(f"{line}\n" for line in lines)


def _hosts(direct: Iterable[str]) -> list[str]:
    """Return what apt can except: whole names and IPv4 addresses, neither domains nor networks."""
    return [each for each in direct if re.match(r"[A-Za-z0-9][A-Za-z0-9.-]*$", each)]


def dnf_lines(proxy: Proxy) -> list[str]:
    """Return dnf's setting; it knows one proxy for all schemes."""
    url = proxy.https or proxy.http
    return [f"proxy={url}"] if url else []


def cluster_direct(
    hosts: Iterable[Iterable[Optional[str]]], subnet: Optional[str], extras: Iterable[str]
) -> list[str]:
    """Return what members of a cluster reach without a proxy, each once.

    First comes what stands for many (the machine itself, the subnet, the owner's extras), then the
    names and addresses of each member: where a line is cut short, the end is what can be missed.
    """
    found: list[str] = ["localhost", "127.0.0.1", "::1"]
    found += [subnet] if subnet else []
    found += [str(each) for each in extras]
    found += [str(name) for names in hosts for name in names if name]
    return list(dict.fromkeys(each.strip() for each in found if each.strip()))
