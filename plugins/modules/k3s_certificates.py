#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have k3s make its certificates on this node anew."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_certificates
short_description: Replace the certificates that k3s has on a node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Stops k3s, runs C(k3s certificate rotate), starts k3s and waits until it is up. Pods go on meanwhile, since the service that this
    collection installs leaves their processes alone.
  - On a server the certificates of the API, the administrator, etcd, the control plane and the node's own agent are made anew, on an agent those
    of its agent. The cluster's certificate authorities and the key of service accounts stay, so members need not be told anything.
  - k3s keeps a copy of what it removes, with the keys, in C(/var/lib/rancher/k3s/server/tls-SECONDS), on an agent in
    C(/var/lib/rancher/k3s/agent/tls-SECONDS). Nobody removes these but whoever takes k3s out.
  - The kubeconfigs that were copied from a server hold its former certificate, which stays valid until it ends; fetch them anew.
  - A k3s that was stopped, such as by a run that was cut off, is started.
attributes:
  check_mode:
    support: full
    description: Says that certificates would be replaced.
  diff_mode:
    support: none
    description: What a certificate says is of no use to a reader.
  idempotent:
    support: none
    description: Each call replaces them.
options:
  kind:
    description: Whether this node is a server or an agent.
    type: str
    choices: [server, agent]
    required: true
  api_port:
    description: Port of the Kubernetes API, for messages.
    type: int
    required: true
  timeout:
    description: Seconds to wait until k3s is up again.
    type: int
    default: 600
  log_lines:
    description: Lines of k3s's log that a failed start shows.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: Replace the certificates of a server
  rackforge.gpu_cluster.k3s_certificates:
    kind: server
    api_port: 6443
"""

RETURN = r"""
backup:
  description: The folder with the former certificates and keys; empty in check mode.
  returned: success
  type: str
  sample: /var/lib/rancher/k3s/server/tls-1767225600
seconds:
  description: Seconds for which k3s was away on this node, from before it was stopped until it was up.
  returned: success
  type: float
  sample: 9.4
"""

import time

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_certificates import (
    PROOFS,
    backup_folder,
    digests,
    kept,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_diagnosis import (
    Situation,
    telling,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import (
    BINARY,
    UNITS,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_service import (
    Outcome,
    Wait,
    failure,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_unit import (
    Unit,
    passwords,
)

AGAIN = "run rotate_k3s_certificates.yml again"


def start(module: AnsibleModule, unit: Unit) -> Outcome:
    """Start k3s and return how the wait for it ended."""
    params = module.params
    situation = Situation(unit.name, params["kind"], "", params["api_port"])
    unit.systemctl("--no-block", "start", unit.name)
    return Wait(unit.look, situation, time.monotonic, time.sleep).run(params["timeout"])


def rotate(module: AnsibleModule, command: Command, unit: Unit) -> None:
    """Replace the certificates, and leave the module."""
    proofs = PROOFS[module.params["kind"]]
    before, begin = digests(proofs), time.monotonic()
    unit.systemctl("stop", unit.name)
    result = command.run([BINARY, "certificate", "rotate"])
    outcome = start(module, unit)
    seconds = round(time.monotonic() - begin, 1)
    if not outcome.up:
        lines = telling(unit.log(unit.begin, passwords()), module.params["log_lines"])
        text = failure(unit.name, outcome, lines)
        module.fail_json(msg=f"{text}\nMend it, then {AGAIN}.", seconds=seconds, changed=True)
    if result.rc != 0:
        module.fail_json(
            msg=f"k3s did not rotate its certificates: {result.explain()}. It was started again "
            f"and is up. Mend what it says, then {AGAIN}.",
            seconds=seconds,
            changed=True,
        )
    same = kept(before, digests(proofs))
    backup = backup_folder(f"{result.out}\n{result.err}")
    if same:
        module.fail_json(
            msg=f"{unit.name} is up, but {', '.join(same)} was not made anew. The former ones lie "
            f"in {backup or 'no folder that k3s named'}. See 'k3s certificate check' and "
            f"'journalctl --unit {unit.name}' on this node, then {AGAIN}.",
            seconds=seconds,
            changed=True,
        )
    module.exit_json(changed=True, backup=backup, seconds=seconds)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kind": {"type": "str", "choices": ["server", "agent"], "required": True},
            "api_port": {"type": "int", "required": True},
            "timeout": {"type": "int", "default": 600},
            "log_lines": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    command, kind = Command(module), module.params["kind"]
    unit = Unit(command, UNITS[kind], kind, time.time())
    if module.check_mode:
        module.exit_json(changed=True, backup="", seconds=0.0)
    try:
        rotate(module, command, unit)
    except (CommandError, OSError) as error:
        module.fail_json(
            msg=f"Could not replace the certificates: {error}; see 'journalctl --unit {unit.name}' "
            f"on this node, then {AGAIN}."
        )


if __name__ == "__main__":
    main()
