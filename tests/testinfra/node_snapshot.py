# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a whole node stands, and what differs between two moments.

Independent of the ledger on purpose: it looks at everything and knows no role, so it finds what
a role forgot to declare. ``snapshot`` needs nothing but a callable that runs a shell command
on the node as root and returns what it printed::

    before = snapshot(lambda script: host.check_output(script))
    ...provision, reset...
    assert compare(before, snapshot(run)) == []
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

Run = Callable[[str], str]
Snapshot = dict[str, dict[str, str]]

TREES = ("/etc", "/opt", "/usr/local", "/var/lib", "/root", "/home")


@dataclass(frozen=True)
class Known:
    """A difference that is not ours: where it shows, and why nobody minds."""

    section: str
    pattern: str
    reason: str


# What a node changes by itself or what every use of a package manager changes. Keep it short:
# whatever a role could declare and put back does not belong here.
EXCEPTIONS = (
    Known("files", "/var/lib/apt/lists*", "package lists: 'apt-get update' refreshes them"),
    Known("files", "/var/lib/apt/extended_states*", "apt's database; it is 'automatic' here"),
    Known("files", "/var/lib/dpkg/tmp.ci*", "what a dpkg that was killed had unpacked"),
    Known("files", "/var/lib/dpkg/status*", "dpkg's database; its content is 'packages' here"),
    Known("files", "/var/lib/dpkg/info/*", "dpkg's database; its content is 'packages' here"),
    Known("files", "/etc/ld.so.cache", "rebuilt whenever a library comes or goes"),
    Known("versions", "*", "a dependency may need a newer version of what is there; it stays"),
    Known("files", "/etc/passwd-", "backup that useradd writes"),
    Known("files", "/etc/shadow-", "backup that useradd writes"),
    Known("files", "/etc/group-", "backup that groupadd writes"),
    Known("files", "/etc/gshadow-", "backup that groupadd writes"),
    Known("files", "/etc/sub[ug]id-", "backup that useradd writes"),
    Known("units", "*session-*.scope", "login sessions, ours among them"),
    Known("units", "user@*.service", "login sessions, ours among them"),
    Known("units", "user-*", "login sessions, ours among them"),
    Known("units", "run-user-*.mount", "login sessions, ours among them"),
    Known("units", "systemd-timedated.service", "started by asking for the time; goes by itself"),
    Known("units", "systemd-hostnamed.service", "started by asking for the name; goes by itself"),
    Known("mounts", "/run/user/*", "login sessions, ours among them"),
    Known("sysctls", "fs.dentry-state", "counter"),
    Known("sysctls", "fs.file-nr", "counter"),
    Known("sysctls", "fs.inode-*", "counter"),
    Known("sysctls", "fs.quota.*", "counter"),
    Known("sysctls", "kernel.ns_last_pid", "counter"),
    Known("sysctls", "kernel.pty.nr", "counter"),
    Known("sysctls", "kernel.random.*", "random"),
    Known("sysctls", "net.netfilter.nf_conntrack_count", "counter"),
)

_PACKAGES = r"""
if command -v dpkg-query >/dev/null; then
  dpkg-query -W -f '${Package}:${Architecture}\t${db:Status-Abbrev}\n'
else
  rpm -qa --qf '%{NAME}.%{ARCH}\tinstalled\n' | grep -v '^gpg-pubkey'
fi | sort
"""
_VERSIONS = r"""
if command -v dpkg-query >/dev/null; then
  dpkg-query -W -f '${Package}:${Architecture}\t${Version}\n'
else
  rpm -qa --qf '%{NAME}.%{ARCH}\t%{VERSION}-%{RELEASE}\n'
fi
"""
_AUTOMATIC = r"""
if command -v apt-mark >/dev/null; then apt-mark showauto | sed 's/$/\tautomatic/'; fi
"""
_UNITS = r"""
systemctl list-unit-files --no-legend --no-pager --plain | awk '{print "file " $1 "\t" $2}'
systemctl list-units --all --no-legend --no-pager --plain \
  | awk '$2 != "not-found" {print $1 "\t" $2 " " $3 " " $4}'
"""
_FILES = r"""
find {trees} -printf '%p\t%y %m %u:%g %l\n' 2>/dev/null
echo
find {trees} -type f -print0 2>/dev/null | xargs -0 -r sha256sum | sed 's/^\\//'
"""
_SYSCTLS = r"sysctl -a 2>/dev/null | sed 's/ = /\t/;s/ =$/\t/'"
_MOUNTS = r"""awk '{print $2 "\t" $1 " " $3 " " $4}' /proc/mounts"""
_SOCKETS = r"""ss -Hltun | awk '{print $1 " " $5 "\tlistening"}' | sort -u"""
_FIREWALL = r"""
for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
  command -v $tool-save >/dev/null && echo "== $tool" && $tool-save
done
command -v nft >/dev/null && echo "== nft" && nft --stateless list ruleset
true
"""


def snapshot(run: Run, in_network: Run | None = None) -> Snapshot:
    """Return how the node stands, by section and item.

    ``in_network`` runs a command in the node's network namespace with tools from elsewhere;
    with it packet-filter rules are seen even when the node has no nft of its own.
    """
    return {
        "packages": _pairs(run(_PACKAGES)),
        "versions": _pairs(run(_VERSIONS)),
        "automatic": _pairs(run(_AUTOMATIC)),
        "units": _pairs(run(_UNITS)),
        "files": _files(run(_FILES.format(trees=" ".join(TREES)))),
        "sysctls": _pairs(run(_SYSCTLS)),
        "users": _accounts(run("getent passwd")),
        "groups": _accounts(run("getent group")),
        "mounts": _pairs(run(_MOUNTS)),
        "sockets": _pairs(run(_SOCKETS)),
        "interfaces": _pairs(run("ls /sys/class/net | sed 's/$/\tpresent/'")),
        "firewall": _firewall((in_network or run)(_FIREWALL)),
    }


def compare(
    before: Snapshot, after: Snapshot, exceptions: Iterable[Known] = EXCEPTIONS
) -> list[str]:
    """Return one line for each difference that no exception names."""
    known = tuple(exceptions)
    differences = []
    for section in sorted({*before, *after}):
        old, new = before.get(section, {}), after.get(section, {})
        for item in sorted({*old, *new}):
            if old.get(item) == new.get(item) or _is_known(section, item, known):
                continue
            was, now = old.get(item, "(absent)"), new.get(item, "(absent)")
            differences.append(f"{section}: {item}: was {was}; now {now}")
    return differences


def _is_known(section: str, item: str, known: Iterable[Known]) -> bool:
    return any(k.section == section and fnmatchcase(item, k.pattern) for k in known)


def _pairs(text: str) -> dict[str, str]:
    rows = (line.partition("\t") for line in text.splitlines() if line.strip())
    found: dict[str, str] = {}
    for item, _tab, value in rows:
        found[item] = f"{found[item]} | {value}" if item in found else value
    return found


def _files(text: str) -> dict[str, str]:
    """Return the description of each path; a directory's time and size do not count."""
    listing, _blank, sums = text.partition("\n\n")
    found = {item: value.strip() for item, value in _pairs(listing).items()}
    for line in sums.splitlines():
        digest, _space, path = line.partition("  ")
        if path in found:
            found[path] += f" sha256:{digest[:16]}"
    return found


def _accounts(text: str) -> dict[str, str]:
    return {line.split(":", 1)[0]: line for line in text.splitlines() if ":" in line}


def _firewall(text: str) -> dict[str, str]:
    """Return each program's rules, one item per rule, without counters and comments.

    A table without rules and with open policies is no rule: the old iptables creates one when
    it is looked at, and no program can take it away again.
    """
    found: dict[str, str] = {}
    for part in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        tool, _newline, rules = part.partition("\n")
        tables = _nft_tables(rules) if tool == "nft" else _iptables_tables(rules)
        for table, lines in tables.items():
            for line in lines:
                found[f"{tool} {table} {line}"] = "present"
    return found


def _iptables_tables(text: str) -> Mapping[str, list[str]]:
    tables: dict[str, list[str]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith((":", "-A")):
            tables.setdefault(table, []).append(re.sub(r" \[\d+:\d+\]$", "", line))
    closed = re.compile(r":\S+ ACCEPT$")
    return {name: lines for name, lines in tables.items() if not all(map(closed.match, lines))}


def _nft_tables(text: str) -> Mapping[str, list[str]]:
    tables: dict[str, list[str]] = {}
    path: list[str] = []
    for raw in text.splitlines():
        line = raw.partition(" # ")[0].strip()
        if not line or line.startswith("#"):
            continue
        if line == "}":
            path.pop()
            continue
        tables.setdefault(" / ".join(path), []).append(line)
        if line.endswith("{"):
            path.append(line[:-1].strip())
    return tables
