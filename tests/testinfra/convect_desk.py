# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The desk of a user of the ConvectHub document: its inventory, a home with a key, a user vagrant.

``python -m tests.testinfra.convect_desk mol-convect`` makes it beside the lab's files. Its
inventory is the document's, to the letter; what is the lab's own lies in group_vars beside it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from tests import lab
from tests.lab.paths import ROOT, State, state_of
from tests.lab.shell import check

SAMPLE = ROOT / "inventories" / "convect" / "inv.toml"
MAPPING = ROOT / "inventories" / "convect" / "mapping.ini"

#: The document's user and its password-free sudo, as its Vagrant machines have them.
USER = """
set -eu
id -u vagrant >/dev/null 2>&1 || useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
chmod 440 /etc/sudoers.d/vagrant
install -d -m 700 -o vagrant -g vagrant /home/vagrant/.ssh
printf '%s\\n' "$1" >/home/vagrant/.ssh/authorized_keys
chmod 600 /home/vagrant/.ssh/authorized_keys
chown vagrant:vagrant /home/vagrant/.ssh/authorized_keys
"""

#: The smallest file of JupyterHub's values that says something.
JUPYTERHUB = "hub:\n  config:\n    JupyterHub:\n      authenticator_class: dummy\n"


def home_of(state: State) -> Path:
    """Return the home that the run has, with the document's ~/.ssh/id_rsa in it."""
    return state.directory / "home"


def folder_of(state: State) -> Path:
    """Return the folder with the document's inventory."""
    return state.directory / "desk"


def environment(state: State) -> dict[str, str]:
    """Return what a run of Ansible at this desk has in its environment.

    ssh looks for known hosts in the home that the system knows, not in HOME.
    """
    known_hosts = f"-o UserKnownHostsFile={state.known_hosts}"
    strict = "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    return {"HOME": str(home_of(state)), "ANSIBLE_SSH_COMMON_ARGS": f"{known_hosts} {strict}"}


def prepare(name: str) -> State:
    """Make the desk and let its user into the nodes."""
    state = state_of(name)
    key = home_of(state) / ".ssh" / "id_rsa"
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not key.exists():
        check(["ssh-keygen", "-q", "-t", "rsa", "-b", "3072", "-N", "", "-f", str(key)])
    public = key.with_name("id_rsa.pub").read_text(encoding="utf-8").strip()
    for node in lab.names(name):
        done = lab.exec(node, ["sh", "-c", USER, "sh", public])
        if not done.ok:
            raise RuntimeError(f"{node} got no user vagrant: {done.stderr.strip()}")
    folder = folder_of(state)
    (folder / "thu-vars").mkdir(parents=True, exist_ok=True)
    (folder / "group_vars").mkdir(exist_ok=True)
    shutil.copyfile(SAMPLE, folder / "inv.toml")
    (folder / "thu-vars" / "jupyterhub.yaml").write_text(JUPYTERHUB, encoding="utf-8")
    return state


def main() -> int:
    """Make the desk of the lab that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lab")
    state = prepare(parser.parse_args().lab)
    sys.stdout.write(f"{folder_of(state)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
