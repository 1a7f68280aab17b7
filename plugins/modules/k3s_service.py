#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have k3s run with the files that lie on the disk, and wait until it is up."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_service
short_description: Have k3s run with its present files, and wait until it is up
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Enables and starts k3s's unit, restarts it when a file that it was started from is younger than its start, and waits until it is up.
  - An agent is up when systemd calls its unit active, which k3s tells it; a server when its API says that it is ready, too.
  - k3s looks for NVIDIA's container runtime when it starts. It is restarted when the runtime appeared after that.
  - When k3s does not come up, the answer names the fault where its log tells one, what to do about it, and the last lines of the log without
    tokens. A fault that only a human can mend is reported after 15 seconds, a server that does not answer after 90; both are this collection's
    choice.
  - The unit is left as systemd has it, which tries again and again.
attributes:
  check_mode:
    support: full
    description: Says what would be done. Waits for nothing.
  diff_mode:
    support: full
    description: Shows the unit's state before, and what is done to it.
  idempotent:
    support: full
    description: A unit that runs from its present files is left alone.
options:
  kind:
    description: Whether this node is a server or an agent.
    type: str
    choices: [server, agent]
    required: true
  server:
    description: Address and port of the server that this node joins, for messages. Empty on the first server.
    type: str
    default: ""
  api_port:
    description: Port of the Kubernetes API.
    type: int
    required: true
  files:
    description: Files that k3s is started from.
    type: list
    elements: path
    default: []
  join_files:
    description:
      - Files that k3s reads to join and never again, such as an agent's token. They count while the unit is not active.
    type: list
    elements: path
    default: []
  changed_inputs:
    description: Whether an earlier task of this play has changed one of them; lets check mode predict the restart.
    type: bool
    default: false
  rotate_token:
    description:
      - Whether a running server whose own token is not that of C(/etc/rancher/k3s/token) replaces the cluster's token by that one before it
        restarts, as C(k3s token rotate) does. That command would show the new token to everybody who lists processes, so it is not run.
      - One server of a cluster does this; the others restart.
    type: bool
    default: false
  timeout:
    description: Seconds to wait after a start. With 0 the unit is looked at once.
    type: int
    default: 600
  log_lines:
    description: Lines of the log that a failure shows.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: Run the first server
  rackforge.gpu_cluster.k3s_service:
    kind: server
    api_port: 6443
    files: [/etc/rancher/k3s/config.yaml, /etc/systemd/system/k3s.service, /usr/local/bin/k3s]
    rotate_token: true
  register: __k3s_service_result
"""

RETURN = r"""
done:
  description: What was done.
  returned: always
  type: list
  elements: str
  sample: [enabled, started]
reasons:
  description: Why a running k3s was restarted.
  returned: success
  type: list
  elements: str
  sample: [/etc/rancher/k3s/config.yaml is younger than the running k3s]
ca_hash:
  description: SHA-256 of the CA of the cluster's servers, which joining nodes need; empty on an agent, and where there is none yet.
  returned: success
  type: str
  sample: 6f2d1e3b7c0a4f5e8d9c6b1a2f3e4d5c6b7a8f9e0d1c2b3a4f5e6d7c8b9a0f1e
fault:
  description: The fault by a short name, empty when the log tells none.
  returned: failure
  type: str
  sample: ca-hash
seconds:
  description: Seconds that the wait took.
  returned: always
  type: float
  sample: 12.4
"""

import time
from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_diagnosis import (
    Situation,
    diagnose,
    telling,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import UNITS
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_service import (
    ROTATED,
    Outcome,
    Reasons,
    Wait,
    explain,
    failure,
    plan,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_unit import (
    RotationError,
    Unit,
    ca_hash,
    gpu_runtime_since,
    passwords,
    rotate,
    token_differs,
    younger_than,
)

_VERBS = {"enabled": "enable", "started": "start", "restarted": "restart"}


def apply(module: AnsibleModule, unit: Unit, steps: list[str]) -> Outcome:
    """Do the steps, then wait."""
    if ROTATED in steps:
        rotate(module.params["api_port"])
    if steps:
        # Costs little beside a start, and a unit whose file is new may not be known yet.
        unit.systemctl("daemon-reload")
    for step in steps:
        if step == "enabled":
            unit.systemctl("enable", unit.name)
        elif step in _VERBS:
            unit.systemctl("--no-block", _VERBS[step], unit.name)
    return wait(module, unit)


def wait(module: AnsibleModule, unit: Unit) -> Outcome:
    """Return how the wait for the unit ended."""
    waiting = Wait(unit.look, situation(module, unit), time.monotonic, time.sleep)
    return waiting.run(module.params["timeout"])


def situation(module: AnsibleModule, unit: Unit) -> Situation:
    """Return what is known of this node."""
    params = module.params
    return Situation(unit.name, params["kind"], params["server"], params["api_port"])


def fail(module: AnsibleModule, unit: Unit, outcome: Outcome, steps: list[str]) -> None:
    """Say why k3s is not up."""
    lines = unit.log(unit.begin, passwords())
    fault = outcome.diagnosis or diagnose(lines, situation(module, unit))
    told = replace(outcome, diagnosis=fault)
    module.fail_json(
        msg=failure(unit.name, told, telling(lines, module.params["log_lines"])),
        done=steps,
        fault=fault.code if fault else "",
        seconds=round(outcome.seconds, 1),
        changed=bool(steps),
    )


def bring_up(module: AnsibleModule, unit: Unit) -> None:
    """Bring the unit to its present files, and leave the module."""
    params = module.params
    seen = unit.read()
    joins = [] if seen.active_state == "active" else params["join_files"]
    reasons = Reasons(
        params["changed_inputs"],
        younger_than(seen.started_at, [*params["files"], *joins]),
        gpu_runtime_since(seen.started_at),
    )
    steps = plan(seen, reasons, params["rotate_token"] and token_differs())
    outcome = None
    if not module.check_mode and (steps or seen.active_state == "activating"):
        outcome = apply(module, unit, steps)
        if not outcome.up:
            fail(module, unit, outcome, steps)
    before = f"{unit.name}: {seen.file_state}, {seen.active_state}\n"
    module.exit_json(
        changed=bool(steps),
        done=steps,
        reasons=explain(seen, reasons) if "restarted" in steps else [],
        ca_hash=ca_hash() if params["kind"] == "server" else "",
        seconds=round(outcome.seconds, 1) if outcome else 0.0,
        diff={"before": before, "after": f"{unit.name}: {', '.join(steps)}\n" if steps else before},
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "kind": {"type": "str", "choices": ["server", "agent"], "required": True},
            "server": {"type": "str", "default": ""},
            "api_port": {"type": "int", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "join_files": {"type": "list", "elements": "path", "default": []},
            "changed_inputs": {"type": "bool", "default": False},
            # Not a token, but whether there is one to replace.
            "rotate_token": {"type": "bool", "default": False, "no_log": False},
            "timeout": {"type": "int", "default": 600},
            "log_lines": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    unit = Unit(Command(module), UNITS[module.params["kind"]], module.params["kind"], time.time())
    try:
        bring_up(module, unit)
    except (CommandError, RotationError, OSError) as error:
        module.fail_json(
            msg=f"Could not bring {unit.name} up: {error}; "
            f"see 'journalctl --unit {unit.name}' on this node"
        )


if __name__ == "__main__":
    main()
