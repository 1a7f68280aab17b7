#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remember a node's GPUs over an upgrade, and prove that the same ones are back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_record
short_description: Remember a node's GPUs over an upgrade, and prove that the same ones are back
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Keeps a small file on the node from the moment before it is drained until it is back in the cluster. It outlives a boot, a run that is killed and a
    driver that loses a GPU, so the next run knows that the node is half-way, and which GPUs it must have.
  - A GPU is known by its UUID, and by its PCI address where no driver told one.
attributes:
  check_mode:
    support: full
    description: Says whether the file would be written or taken away.
  diff_mode:
    support: full
    description: Shows the file.
  idempotent:
    support: full
    description: A record that is there is kept as it is, whatever the node shows meanwhile.
options:
  state:
    description:
      - V(shown) reads the record. V(begun) writes it unless there is one, and fails where the node has fewer GPUs
        than provision.yml found, which the collector of metrics remembers. V(proved) fails unless every GPU of the record is among those of O(gpu).
        V(finished) takes it away.
    type: str
    choices: [shown, begun, proved, finished]
    default: shown
  gpu:
    description: The fact C(gpu) of M(rackforge.gpu_cluster.gpu_info), for O(state=begun) and O(state=proved).
    type: dict
    default: {}
  host:
    description: Name of the host, for messages.
    type: str
    default: this node
"""

EXAMPLES = r"""
- name: Remember the GPUs before the driver changes
  rackforge.gpu_cluster.upgrade_record:
    state: begun
    gpu: "{{ ansible_facts['gpu'] }}"

- name: Have the same GPUs after the boot
  rackforge.gpu_cluster.upgrade_record:
    state: proved
    gpu: "{{ ansible_facts['gpu'] }}"
    host: "{{ inventory_hostname }}"
"""

RETURN = r"""
begun:
  description: Whether there is a record now, so whether an upgrade of the node has begun and not finished.
  returned: success
  type: bool
  sample: true
began:
  description: When it began, in UTC; empty without a record.
  returned: success
  type: str
  sample: "2026-11-23T06:35:00Z"
gpus:
  description: The GPUs of the record.
  returned: success
  type: list
  elements: str
  sample: ["NVIDIA H100 80GB HBM3 at 0000:1b:00.0 (GPU-5f2a1c9e)"]
"""

import time
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_state import (
    CONFIG,
    ConfigError,
    parse_config,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    place_text,
    read_text,
    shown,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.upgrade_record import (
    PATH,
    Record,
    RecordError,
    cards_of,
    missing_cards,
    parse_record,
    record_text,
)


def now() -> str:
    """Return the time in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def wanted(state: str, record: Optional[Record], gpu: dict[str, Any]) -> Optional[Record]:
    """Return the record as it is to be."""
    if state == "finished":
        return None
    if state == "begun" and record is None:
        return Record(now(), cards_of(gpu))
    return record


def expect(gpu: dict[str, Any], host: str) -> None:
    """Raise RecordError where a GPU is missing before anything was done.

    The collector of metrics remembers the most GPUs that provision.yml ever found.
    """
    try:
        expected = parse_config(read_text(CONFIG) or "").expected_gpus or 0
    except ConfigError:  # A node without monitoring, or settings that monitoring will mend.
        return
    cards = cards_of(gpu)
    if len(cards) < expected:
        raise RecordError(
            f"{host}: saw {len(cards)} GPUs before the upgrade ({', '.join(map(str, cards))}), "
            f"expected the {expected} that {CONFIG} has from provision.yml. Nothing was changed. "
            f"Mend the node first, or say node_metrics_expected_gpus={len(cards)} and run "
            "provision.yml if the others were taken out"
        )


def prove(record: Optional[Record], gpu: dict[str, Any], host: str) -> None:
    """Raise RecordError unless all GPUs of the record are back."""
    missing = missing_cards(record.cards, cards_of(gpu)) if record else []
    if record is None or not missing:
        return
    raise RecordError(
        f"{host}: expected the {len(record.cards)} GPUs that it had at {record.began}, saw "
        f"{len(record.cards) - len(missing)} of them: {'; '.join(missing)}. Look at 'dmesg | grep "
        "-i -e nvrm -e amdgpu' and 'lspci' on the node, power it off and on or reseat the card, "
        f"and run the same command again. If the card is out for good: rm {PATH} on the node first"
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["shown", "begun", "proved", "finished"],
                "default": "shown",
            },
            "gpu": {"type": "dict", "default": {}},
            "host": {"type": "str", "default": "this node"},
        },
        supports_check_mode=True,
    )
    state, gpu = module.params["state"], module.params["gpu"]
    before = read_text(PATH)
    try:
        record = parse_record(before)
        if state == "proved":
            prove(record, gpu, module.params["host"])
        elif state == "begun" and record is None:
            expect(gpu, module.params["host"])
        record = wanted(state, record, gpu)
    except RecordError as error:
        module.fail_json(msg=str(error))
        return
    after = before if record and before else record_text(record) if record else None
    if before != after and not module.check_mode:
        place_text(module, PATH, after)
    module.exit_json(
        changed=before != after,
        begun=record is not None,
        began=record.began if record else "",
        gpus=[str(card) for card in record.cards] if record else [],
        diff=shown(PATH, before, after),
    )


if __name__ == "__main__":
    main()
