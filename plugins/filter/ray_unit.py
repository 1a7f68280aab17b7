# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: a Ray node's settings to the contents of its systemd unit."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ray_unit
short_description: What a Ray node's systemd unit must say
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Turns a node's settings into the arguments of C(ray start), the environment of the process and the sizes of its
    shared memory.
  - Every port of the port catalogue is set, by flag or by environment.
positional: _input
options:
  _input:
    description:
      - The settings. V(kind) (V(head) or V(worker)), V(version) and V(node_address) are needed; a worker needs V(head_address).
      - V(ports) maps port variables to numbers; what is missing has the catalogue's number.
      - V(object_store_memory_mib) wins over V(object_store_fraction) of V(memory_mib), which is held under V(shm_mib) MiB.
      - V(labels), V(resources), V(num_cpus), V(num_gpus), V(temp_dir), V(extra) and V(environment) are passed on.
      - V(gpu) are the facts of M(rackforge.gpu_cluster.gpu_info). Where they are given, the GPUs that the driver lists and that answer are
        what Ray offers, unless V(num_gpus) says otherwise, and C(accelerator_type) of tasks finds them by Ray's own name of the model. GPUs
        that do not answer are hidden from Ray. V(gpu_vendor) says which count on a node with both.
      - V(gpu_container_mode) (V(auto), V(cdi), V(legacy), V(amd), V(none)) says how a container gets the devices, V(gpu_device_gids) which groups
        may open them, V(predicted) that GPUs count which have no driver yet.
      - V(monitoring) tells a head's dashboard where Prometheus and Grafana are (V(prometheus_url), V(prometheus_name), V(grafana_url),
        V(grafana_iframe_url)). V(prometheus_user) and V(prometheus_password_file) are only looked at; the password is no setting.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show how a head would be started
  ansible.builtin.debug:
    msg: >-
      {{ {'kind': 'head', 'version': '2.60.0', 'node_address': '192.0.2.10', 'memory_mib': 65536}
         | rackforge.gpu_cluster.ray_unit }}
"""

RETURN = r"""
_value:
  description:
    - C(arguments) of C(ray start) and C(environment) (V(NAME=value)), each quoted for a unit file.
    - C(environment_words), the same assignments quoted for a command line such as that of C(docker run --env).
    - C(object_store_bytes) and the C(shared_memory_bytes) that a container needs for it.
    - C(container_options), the options of C(docker run) that bring the GPUs; C(groups) and C(units) of their device files.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_command import (
    RayCommandError,
    unit,
)


def ray_unit(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the unit's contents; AnsibleFilterError says which setting is wrong."""
    try:
        return unit(settings)
    except RayCommandError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"ray_unit": ray_unit}
