#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a node trust certificates of authorities."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_certificates
short_description: Have a node trust certificates of authorities
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Reads PEM files of the control node and has the node's store of trusted authorities hold every certificate in them. In
    Debian's family they lie in C(/usr/local/share/ca-certificates/rackforge), one in each file, and C(update-ca-certificates) takes
    them in. In Red Hat's they lie in C(/etc/pki/ca-trust/source/anchors/rackforge.pem), and C(update-ca-trust) does.
  - A file with something else than PEM, with a private key, with a certificate that has expired or is not valid yet, or with a
    server's certificate is refused on the control node before anything changes. A server's certificate that it signed itself is
    taken.
  - What counts is the store's bundle. Where it lacks a certificate although the file is there, it is built anew.
  - When the bundle does not take a certificate, the files are put back as they were and the module fails.
  - Where the node has no such tool yet, the files are written and a warning says so; installing the package ca-certificates takes
    them in.
attributes:
  check_mode:
    support: full
    description: Says which certificates would be trusted.
  diff_mode:
    support: full
    description: Lists the certificates' names before and after.
  idempotent:
    support: full
    description: When files and bundle have what they should, nothing is run.
options:
  files:
    description:
      - PEM files on the control node. What an earlier call brought and none of them has any more is taken away.
    type: list
    elements: path
    required: true
  certificates:
    description: Names and certificates; filled in by the control node's half.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Trust the authority of the house
  rackforge.gpu_cluster.ca_certificates:
    files: [files/house-ca.pem]
"""

RETURN = r"""
names:
  description: Names of the certificates on the node.
  returned: success
  type: list
  elements: str
  sample: [rackforge-house-ca]
"""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.write_file import write_text
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.x509 import held


@dataclass(frozen=True)
class Store:
    """A family's store: our place in it, its bundle, and what builds the bundle."""

    place: str
    bundle: str
    tool: tuple[str, ...]
    one_file: str = ""

    def files(self, certificates: Mapping[str, str]) -> dict[str, str]:
        """Return paths and texts of our files for the certificates."""
        if self.one_file:
            return {os.path.join(self.place, self.one_file): "".join(certificates.values())}
        return {os.path.join(self.place, f"{n}.crt"): pem for n, pem in certificates.items()}

    def present(self) -> dict[str, str]:
        """Return paths and texts of our files that are there."""
        names = sorted(os.listdir(self.place)) if os.path.isdir(self.place) else []
        if self.one_file:
            names = [name for name in names if name == self.one_file]
        return {path: read(path) for path in (os.path.join(self.place, name) for name in names)}


DEBIAN = Store(
    place="/usr/local/share/ca-certificates/rackforge",
    bundle="/etc/ssl/certs/ca-certificates.crt",
    tool=("update-ca-certificates", "--fresh"),
)
RED_HAT = Store(
    place="/etc/pki/ca-trust/source/anchors",
    bundle="/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    tool=("update-ca-trust", "extract"),
    one_file="rackforge.pem",
)


def read(path: str) -> str:
    """Return a file's text, empty when there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


class Trust:
    """Our certificates in the node's store."""

    def __init__(self, module: AnsibleModule, store: Store, wanted: Mapping[str, str]) -> None:
        self._module = module
        self._command = Command(module)
        self._store = store
        self.wanted = store.files(wanted)
        self.present = store.present()
        self._made_place = not os.path.isdir(store.place)

    @property
    def has_tool(self) -> bool:
        """Return whether the node can build its bundle."""
        return self._command.find(self._store.tool[0]) is not None

    def missing(self) -> bool:
        """Return whether the bundle lacks a certificate."""
        trusted = held(read(self._store.bundle))
        return any(not held(text) <= trusted for text in self.wanted.values())

    def apply(self) -> None:
        """Have files and bundle as they should be; CommandError and the old state when that fails."""
        try:
            os.makedirs(self._store.place, mode=0o755, exist_ok=True)
            self._write(self.wanted)
            if self.has_tool:
                self._command.need(self._store.tool)
                if self.missing():
                    raise CommandError(
                        f"'{' '.join(self._store.tool)}' ran, and {self._store.bundle} lacks a certificate all "
                        "the same; the node takes authorities only (CA:TRUE), see 'openssl x509 -noout -text'"
                    )
        except (CommandError, OSError):
            self._undo()
            raise

    def _write(self, files: Mapping[str, str]) -> None:
        for path in set(self._store.present()) - set(files):
            os.unlink(path)
        for path, text in files.items():
            if read(path) != text:
                write_text(self._module, path, text)
                os.chmod(path, 0o644)

    def _undo(self) -> None:
        self._write(self.present)
        if self._made_place:
            shutil.rmtree(self._store.place, ignore_errors=True)
        if self.has_tool:
            self._command.run(self._store.tool)


def store_of(module: AnsibleModule) -> Optional[Store]:
    """Return the node's kind of store."""
    command = Command(module)
    if command.find("update-ca-trust") or (command.find("dnf") and not command.find("apt-get")):
        return RED_HAT
    return DEBIAN if command.find("apt-get") else None


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "path", "required": True},
            "certificates": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    store = store_of(module)
    if store is None:
        module.fail_json(
            msg="This node has neither apt-get nor dnf; see the README's support table"
        )
        raise AssertionError
    trust = Trust(module, store, module.params["certificates"])
    changed = trust.present != trust.wanted or (trust.has_tool and trust.missing())
    if changed and not module.check_mode:
        try:
            trust.apply()
        except (CommandError, OSError) as error:
            module.fail_json(
                msg=re.sub(
                    r"\s+", " ", f"os_base_ca_files: {error}; the node trusts what it did before"
                )
            )
    if not trust.has_tool:
        module.warn(f"{store.tool[0]} is missing: install ca-certificates (os_base_packages)")
    names = sorted(module.params["certificates"])
    diff = {
        "before": "".join(f"{path}\n" for path in sorted(trust.present)),
        "after": "".join(f"{path}\n" for path in sorted(trust.wanted)),
    }
    module.exit_json(changed=changed, names=names, diff=diff)


if __name__ == "__main__":
    main()
