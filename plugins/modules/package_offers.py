#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read which newer versions of packages a node could get."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_offers
short_description: Read which newer versions of packages a node could get
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Compares what is installed with what the node's repositories have, through C(apt-get) or C(dnf). Installs nothing.
  - "Three questions: packages each by itself (O(names)), packages that must have one version (O(together)), and all packages of the node (O(all))."
  - The package index is fetched anew for it, so that the answer is that of an upgrade. Check mode asks the index that is there.
attributes:
  check_mode:
    support: full
    description: Installs nothing in either mode. In check mode no index is fetched.
  diff_mode:
    support: N/A
    description: Changes nothing, so there is nothing to compare.
  idempotent:
    support: N/A
    description: Changes nothing but the package index.
options:
  names:
    description: Packages to look at. One that is not installed is left out, unless O(together) is true.
    type: list
    elements: str
    default: []
  together:
    description:
      - Whether the packages get one version, the newest that all of them are offered in. A version that is held by a pin or by C(includepkgs) is no
        bound here, since an upgrade moves it.
    type: bool
    default: false
  version:
    description: With O(together), the version or the beginning of it.
    type: str
  lowest:
    description: With O(together), the lowest version that may be taken.
    type: str
  highest:
    description: With O(together), the highest version that may be taken. A bound counts with as many parts as it has.
    type: str
  rollback:
    description: With O(together), whether an older version than the one that is there may be taken.
    type: bool
    default: false
  all:
    description: Whether all packages of the node are looked at, instead of O(names).
    type: bool
    default: false
  security:
    description: With O(all), whether only packages with a security fix count.
    type: bool
    default: false
  held:
    description: Names that are held besides those that the node holds itself, as regular expressions for their beginning (apt) or globs (dnf).
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for another package manager to finish.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: See whether Docker Engine has a newer version
  rackforge.gpu_cluster.package_offers:
    names: [docker-ce, docker-ce-cli, containerd.io]
  register: offers

- name: See which driver of branch 580 is the newest that all its packages have
  rackforge.gpu_cluster.package_offers:
    names: [nvidia-driver-cuda, nvidia-kernel-open-dkms]
    together: true
    version: "580"
    lowest: "530"
    highest: "590"
"""

RETURN = r"""
packages:
  description: What could change, each with C(name), C(found), C(wanted) and C(held), which says why it does not change (empty where it may).
  returned: success
  type: list
  elements: dict
  sample: [{name: docker-ce, found: "5:28.1.0-1", wanted: "5:28.2.2-1", held: ""}]
installed:
  description: Versions of those of O(names) that are installed.
  returned: success
  type: dict
  sample: {docker-ce: "5:28.1.0-1"}
due:
  description: Names of the packages that would change.
  returned: success
  type: list
  elements: str
  sample: [docker-ce]
found:
  description: With O(together), the version that is there; null where it is missing or differs from package to package.
  returned: success
  type: str
  sample: 580.95.05
wanted:
  description: With O(together), the version that would be taken; null where none is on offer.
  returned: success
  type: str
  sample: 580.105.08
refusal:
  description: With O(together), why RV(wanted) is not taken; empty where it may be.
  returned: success
  type: str
  sample: ""
reboot_required:
  description: With O(all), whether packages that came earlier wait for a boot.
  returned: success
  type: bool
  sample: false
reboot_reasons:
  description: Why, a few words each.
  returned: success
  type: list
  elements: str
  sample: ["packages: linux-base"]
"""

from dataclasses import asdict
from typing import Any, Union

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.package_managers import (
    Apt,
    Dnf,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.package_offers import (
    Bounds,
    Choice,
    Offer,
    choose,
    with_holds,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.package_offers_read import (
    AptOffers,
    DnfOffers,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import (
    common_version,
)

Manager = Union[AptOffers, DnfOffers]


def manager_of(module: AnsibleModule) -> Manager:
    """Return the node's package manager, its index fetched anew but in check mode."""
    command = Command(module)
    if command.find("apt-get"):
        if not module.check_mode:
            Apt(command, module.params).refresh()
        return AptOffers(command)
    if command.find("dnf"):
        if not module.check_mode:
            Dnf(command, module.params).refresh()
        return DnfOffers(command)
    raise CommandError("this node has neither apt-get nor dnf; see the README's support table")


def look(module: AnsibleModule, manager: Manager) -> tuple[list[Offer], Choice]:
    """Return what could change, and the version of packages that belong together."""
    params = module.params
    if params["together"]:
        names = params["names"]
        installed = manager.versions(names)
        found = common_version(names, installed) if len(installed) == len(names) else None
        bounds = Bounds(params["version"], params["lowest"], params["highest"])
        choice = choose(found, manager.offered(names), names, bounds, params["rollback"])
        offers = [
            Offer(name, installed.get(name, ""), choice.wanted or "", choice.refusal)
            for name in names
            if choice.is_due
        ]
        return offers, choice
    offers = (
        manager.upgrades(params["security"]) if params["all"] else manager.newer(params["names"])
    )
    globs = isinstance(manager, DnfOffers)
    return with_holds(offers, manager.marked(), params["held"], globs), Choice()


def main() -> None:
    """Run the module."""
    lists: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "names": lists,
            "together": {"type": "bool", "default": False},
            "version": {"type": "str"},
            "lowest": {"type": "str"},
            "highest": {"type": "str"},
            "rollback": {"type": "bool", "default": False},
            "all": {"type": "bool", "default": False},
            "security": {"type": "bool", "default": False},
            "held": lists,
            "lock_timeout": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    try:
        manager = manager_of(module)
        offers, choice = look(module, manager)
        reasons = manager.boot_reasons() if module.params["all"] else []
        installed = manager.versions(module.params["names"])
    except CommandError as error:
        module.fail_json(msg=f"Could not look for newer packages: {error}")
        return
    changing = [offer for offer in offers if offer.found != offer.wanted]
    module.exit_json(
        changed=False,
        packages=[asdict(offer) for offer in changing],
        due=[offer.name for offer in changing if offer.is_due],
        found=choice.found,
        wanted=choice.wanted,
        refusal=choice.refusal,
        installed=installed,
        reboot_required=bool(reasons),
        reboot_reasons=reasons,
    )


if __name__ == "__main__":
    main()
