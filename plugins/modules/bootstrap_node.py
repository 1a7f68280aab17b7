#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bootstrap_node
short_description: Take a machine that asks for a password to a login with the cluster's key
version_added: 0.1.0
description:
  - Needs nothing on the machine but an SSH server and a POSIX shell, and no connection of Ansible's. Keys are
    tried with the control node's own C(ssh), so agent, jump hosts and C(~/.ssh/config) count; a password
    is used with paramiko, which is imported only then.
  - Makes the cluster's key pair on the control node if it is not there (C(ssh-keygen), no passphrase, mode
    0600), and appends the public key to C(~/.ssh/authorized_keys) of the login user. Other keys stay.
  - Modes become 0700 and 0600, and SELinux labels are restored where C(restorecon) exists.
  - Sets up sudo without a password if O(sudo=true), in a file of C(/etc/sudoers.d) that C(visudo) has checked.
    It is named C(zz-rackforge-USER), since sudo lets the last rule decide and reads the files in the order of their names.
    Nothing is written where sudo asks for no password already.
  - Installs a newer Python if O(python=true) and the one that Ansible would find is missing or older than 3.9. On
    Enterprise Linux 8 that is C(python3.12), or C(python3.11) where the repository lacks it.
  - Logs in once more with the cluster's key and nothing else, and looks whether C(sudo -n) makes root.
  - Passwords reach the machine on standard input. They are in no argument, environment, file or result.
  - Problems of a host are returned as findings and do not fail the task, so that the other hosts go on.
author:
  - rackforge contributors (@rackforge)
options:
  key_file:
    description: Path of the cluster's private key on the control node; the public one is beside it with C(.pub).
    type: path
    required: true
  comment:
    description: The comment of a key that is made now.
    type: str
    default: gpu-cluster
  key_type:
    description: The kind of a key that is made now; V(rsa) has 4096 bits. A key that is there stays as it is.
    type: str
    choices: [ed25519, rsa]
    default: ed25519
  state:
    description:
      - V(present) installs, V(absent) takes the key and the sudo rule out again. The key pair on the control node stays.
      - V(absent) uses another login than the cluster's key, and refuses where there is none, since nobody could log in afterwards.
        An C(authorized_keys) that this module made stays, without the key. A Python that was installed stays.
    type: str
    choices: [present, absent]
    default: present
  sudo:
    description: Whether the login user shall become root with sudo and without a password.
    type: bool
    default: false
  python:
    description: Whether a Python may be installed.
    type: bool
    default: true
  accept_new_host_keys:
    description:
      - Whether the host key of a machine that was never seen is taken for the right one and recorded, once. Its
        fingerprint is returned. C(StrictHostKeyChecking=yes) in ssh's options counts more.
      - A changed key is refused in any case.
    type: bool
    default: true
  connect_timeout:
    description: Seconds to wait for the machine's SSH server.
    type: int
    default: 10
  interpreter:
    description: What C(ansible_python_interpreter) says. A path is looked at, anything else is Ansible's discovery.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    description: Logs in and looks, and says what it would do. No key is made, no host key recorded.
  diff_mode:
    support: full
    description: Shows what is written on the machine.
  idempotent:
    support: full
    description: A machine that is ready is logged in to once and left as it is.
  action:
    description: Runs on the control node only.
    support: full
seealso:
  - module: rackforge.gpu_cluster.bootstrap_report
"""

EXAMPLES = r"""
- name: Install the cluster's key, and log in with nothing else
  rackforge.gpu_cluster.bootstrap_node:
    key_file: "{{ inventory_dir }}/secrets/research/ssh_key"
    sudo: true
  register: __bootstrap
"""

RETURN = r"""
ready:
  description: Whether there is no error among the findings.
  returned: always
  type: bool
  sample: true
user:
  description: The user that was logged in, empty when nobody was.
  returned: always
  type: str
  sample: ubuntu
row:
  description: The host's row in the table of M(rackforge.gpu_cluster.bootstrap_report).
  returned: always
  type: dict
  sample:
    host: gpu01
    login: ubuntu@203.0.113.11 (password)
    key: installed
    sudo: set up
    python: 3.12.8
    result: ok
findings:
  description: What is wrong with the host, as in M(rackforge.gpu_cluster.preflight_report).
  returned: always
  type: list
  elements: dict
  sample: []
"""
