# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster's SSH key pair, made once on the control node."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import (
    SecretError,
    check_secret,
)

#: What ssh-keygen is asked for, by the name of the key's kind.
KINDS = {"ed25519": ("-t", "ed25519"), "rsa": ("-t", "rsa", "-b", "4096")}


@dataclass(frozen=True)
class PublicKey:
    """The half of the pair that is no secret."""

    kind: str
    blob: str
    comment: str

    @property
    def line(self) -> str:
        """Return the line for authorized_keys."""
        return f"{self.kind} {self.blob} {self.comment}".rstrip()


def ensure_key_pair(path: str, kind: str, comment: str) -> bool:
    """Make the pair at ``path`` and ``path``.pub unless it is there; return whether it was made.

    Several processes may ask at once (one for each node): the first one's key is everybody's.
    """
    made = False
    if not os.path.exists(path):
        directory = os.path.dirname(path)
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory, prefix=".new-") as folder:
            draft = os.path.join(folder, "key")
            _keygen([*KINDS[kind], "-N", "", "-C", comment, "-q", "-f", draft])
            try:
                os.link(draft, path)
                made = True
            except FileExistsError:
                pass
    public = read_public_key(path, comment)
    _write_public(f"{path}.pub", public.line)
    return made


def read_public_key(path: str, comment: str) -> PublicKey:
    """Return the public half of a private key; SecretError when that cannot be used."""
    check_secret(path)
    words = _keygen(["-y", "-P", "", "-f", path]).split(None, 2)
    if len(words) < 2 or not re.fullmatch(r"[A-Za-z0-9+/=]+", words[1]):
        raise SecretError(f"{path}: ssh-keygen does not read it as a private key")
    return PublicKey(words[0], words[1], _plain(words[2] if len(words) > 2 else comment))


def _plain(comment: str) -> str:
    """Return a comment as one line."""
    return " ".join(comment.split())


def _write_public(path: str, line: str) -> None:
    """Keep the public half beside the private one, for people to copy."""
    try:
        with open(path, encoding="utf-8") as file:
            if file.read().split()[:2] == line.split()[:2]:
                return
    except OSError:
        pass
    handle, draft = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".new-")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{line}\n")
    os.chmod(draft, 0o644)
    os.replace(draft, path)


def _keygen(words: list[str]) -> str:
    """Return what ssh-keygen prints; SecretError in its words when it fails."""
    try:
        done = subprocess.run(
            ["ssh-keygen", *words],  # noqa: S607 - the user's own OpenSSH
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        raise SecretError("ssh-keygen is not on this machine: install an OpenSSH client") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no reason given"]
        hint = ""
        if "incorrect passphrase" in done.stderr:
            hint = (
                "; the key has a passphrase, which an unattended run cannot type: take it off with"
                f" ssh-keygen -p -f {words[-1]}"
            )
        raise SecretError(f"{words[-1]}: ssh-keygen says: {said[-1]}{hint}")
    return done.stdout
