# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory plugin: a file in INI form under a name that ends in .toml."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ini_named_toml
short_description: Reads an inventory in INI form whose name ends in .toml
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - The ConvectHub document calls its inventory C(inv.toml) and fills it in INI form. Ansible's own INI plugin refuses every name that ends
    in C(.toml), whatever the file has in it, and its TOML plugin cannot read INI, so without this plugin the inventory would be empty.
  - Takes a file only if its name ends in C(.toml) and what it holds is not TOML. Everything else is left to the other plugins.
  - What it reads is what P(ansible.builtin.ini#inventory) would read under another name.
  - Must stand in C(enable_plugins) before C(toml). The C(ansible.cfg) of this collection's repository has it; elsewhere set
    E(ANSIBLE_INVENTORY_ENABLED), or give the file a name that ends in C(.ini).
"""

EXAMPLES = r"""
# ansible.cfg
# [inventory]
# enable_plugins = host_list, script, auto, yaml, ini, rackforge.gpu_cluster.ini_named_toml, toml
#
# $ ansible-inventory -i inv.toml -i inventories/convect/mapping.ini --graph

# inv.toml, as the ConvectHub document has it:
#
# worker1 ansible_ssh_host=127.0.0.1 ansible_ssh_port=2200 my_iface=eth1
#
# [worker]
# worker1
"""

import os.path

import tomllib
from ansible.plugins.inventory.ini import InventoryModule as IniInventory


def is_ini_named_toml(path: str) -> bool:
    """Return whether a file is called .toml and holds something else."""
    if os.path.splitext(path)[1] != ".toml":
        return False
    try:
        with open(path, "rb") as stream:
            tomllib.load(stream)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return True
    except OSError:
        return False
    return False


class InventoryModule(IniInventory):  # type: ignore[misc]
    """Ansible's own INI plugin for files that it refuses by their names."""

    NAME = "rackforge.gpu_cluster.ini_named_toml"

    def verify_file(self, path: str) -> bool:
        """Return whether this plugin is to read the file."""
        return is_ini_named_toml(path)
