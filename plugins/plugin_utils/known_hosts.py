# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host keys: what known_hosts files say about a machine, and one line more in them."""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import os
import re
import secrets
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass


class Verdict(enum.Enum):
    """What the known_hosts files say about a key that a machine shows."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"


@dataclass(frozen=True)
class HostKey:
    """A public host key as known_hosts has it; ``where`` is file:line."""

    kind: str
    blob: str
    is_revoked: bool = False
    where: str = ""

    @property
    def fingerprint(self) -> str:
        """Return SHA256:..., as ssh shows it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def look_up(name: str, files: Iterable[str]) -> tuple[HostKey, ...]:
    """Return the keys that the files have for a machine, hashed names too."""
    found: list[HostKey] = []
    for file in files:
        if os.path.isfile(file):
            done = subprocess.run(
                ["ssh-keygen", "-F", name, "-f", file],  # noqa: S607 - the user's own OpenSSH
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
            found += parse_found(done.stdout, file)
    return tuple(found)


def parse_found(text: str, file: str) -> list[HostKey]:
    """Return the keys that ``ssh-keygen -F`` prints; certificate authorities are left to ssh."""
    found: list[HostKey] = []
    where = file
    for line in text.splitlines():
        words = line.split()
        if line.startswith("#"):
            number = re.search(r"found: line (\d+)", line)
            where = f"{file}:{number[1]}" if number else where
            continue
        is_revoked = words[:1] == ["@revoked"]
        if words[:1] == ["@cert-authority"]:
            continue
        words = words[1:] if is_revoked else words
        if len(words) >= 3:
            found.append(HostKey(words[1], words[2], is_revoked, where))
    return found


def judge(shown: HostKey, known: Iterable[HostKey]) -> Verdict:
    """Return what ``known`` says about the key that a machine shows.

    A machine that is known with other keys only counts as changed, also when those are of another
    kind: a machine in the middle would show such a one.
    """
    entries = list(known)
    same = [each for each in entries if (each.kind, each.blob) == (shown.kind, shown.blob)]
    if any(each.is_revoked for each in same):
        return Verdict.CHANGED
    if same:
        return Verdict.KNOWN
    return Verdict.CHANGED if any(not each.is_revoked for each in entries) else Verdict.UNKNOWN


def record(file: str, name: str, key: HostKey, *, is_hashed: bool = False) -> None:
    """Append a machine's key to a known_hosts file in one write."""
    directory = os.path.dirname(file)
    if directory:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    line = f"{hash_name(name) if is_hashed else name} {key.kind} {key.blob}\n"
    if _lacks_newline(file):
        line = "\n" + line
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def hash_name(name: str) -> str:
    """Return a name as HashKnownHosts writes it."""
    salt = secrets.token_bytes(20)
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def _lacks_newline(file: str) -> bool:
    """Return whether the file's last line is not ended."""
    try:
        with open(file, "rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) != b"\n"
    except OSError:
        return False
