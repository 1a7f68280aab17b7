#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a file of scrape targets for each host and job."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scrape_targets
short_description: Have a file of scrape targets for each host and job
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes C(DIRECTORY/JOB/HOST.json) for every host and job, as C(file_sd_configs) of Prometheus reads them. It notices a new, changed or
    removed file by itself; nothing is restarted or reloaded for it.
  - Files of hosts that are neither in O(targets) nor in O(keep) are removed, and so are files of a host's jobs that have no targets any more.
  - Every job of this collection gets a directory, with targets or without, since Prometheus watches only directories that it has found.
  - Files are replaced whole or not at all, mode 0640, owned by root.
attributes:
  check_mode:
    support: full
    description: Says which files would be written and removed.
  diff_mode:
    support: full
    description: Shows each file that differs, before and after.
  idempotent:
    support: full
    description: Equal files are left alone.
options:
  directory:
    description: Directory of the targets. Directories of jobs are made below it, mode 0750.
    type: path
    default: /etc/rackforge-monitoring/targets
  targets:
    description:
      - For each host its jobs, and for each job a list of C(targets) (address:port) and C(labels).
    type: dict
    default: {}
  keep:
    description: Hosts whose files stay as they are although they are not in O(targets), for a run that is limited to some hosts.
    type: list
    elements: str
    default: []
  group:
    description: Group whose members read the files.
    type: str
    default: prometheus
"""

EXAMPLES = r"""
- name: Scrape the node exporter of a new node, and leave the targets of the others
  rackforge.gpu_cluster.scrape_targets:
    targets:
      gpu-7:
        node:
          - targets: ["192.0.2.17:9100"]
            labels: {node: gpu-7, cluster: lab}
    keep: "{{ groups['all'] }}"
"""

RETURN = r"""
written:
  description: Files that were written, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/rackforge-monitoring/targets/node/gpu-7.json]
removed:
  description: Files that were removed, or would be.
  returned: success
  type: list
  elements: str
  sample: [/etc/rackforge-monitoring/targets/node/gpu-3.json]
"""

import grp
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.owned_file import put_owned
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.prometheus_config import JOBS
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.scrape_targets import (
    ENDING,
    Plan,
    ScrapeTargetsError,
    jobs_of,
    plan_targets,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.text_file import (
    read_text,
    shown,
)

FILE_MODE, FOLDER_MODE = 0o640, 0o750


def read_targets(directory: str) -> dict[str, str]:
    """Return the texts of the files that are there, by path below the directory."""
    found = {}
    for job in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        folder = os.path.join(directory, job)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.endswith(ENDING) and not name.startswith("."):
                found[f"{job}/{name}"] = read_text(os.path.join(folder, name)) or ""
    return found


def group_number(name: str) -> int:
    """Return the group's number."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ScrapeTargetsError(
            f"this node has no group '{name}', expected it from the installation of the role monitoring"
        ) from None


def apply(directory: str, folders: list[str], plan: Plan, gid: int) -> None:
    """Make, write and remove."""
    for folder in folders:
        os.makedirs(folder)
        os.chown(folder, os.geteuid(), gid)
        os.chmod(folder, FOLDER_MODE)
    for path, text in plan.write.items():
        put_owned(os.path.join(directory, path), text, FILE_MODE, os.geteuid(), gid)
    for path in plan.remove:
        os.unlink(os.path.join(directory, path))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/rackforge-monitoring/targets"},
            "targets": {"type": "dict", "default": {}},
            "keep": {"type": "list", "elements": "str", "default": []},
            "group": {"type": "str", "default": "prometheus"},
        },
        supports_check_mode=True,
    )
    params: dict[str, Any] = module.params
    directory = params["directory"]
    try:
        present = read_targets(directory)
        plan = plan_targets(params["targets"], params["keep"], present)
        if not (plan.write or os.path.isdir(directory)):
            # Nobody monitors from here, so there is nothing to forget.
            module.exit_json(changed=False, written=[], removed=[], diff=[])
        jobs = sorted({*JOBS, *jobs_of(params["targets"])})
        folders = [os.path.join(directory, job) for job in jobs]
        folders = [folder for folder in folders if not os.path.isdir(folder)]
        changed = bool(folders or plan.write or plan.remove)
        if changed and not module.check_mode:
            apply(directory, folders, plan, group_number(params["group"]))
    except (ScrapeTargetsError, OSError) as error:
        module.fail_json(msg=f"Could not write the scrape targets: {error}")
        return
    changes = {**plan.write, **dict.fromkeys(plan.remove)}
    module.exit_json(
        changed=changed,
        written=[os.path.join(directory, path) for path in plan.write],
        removed=[os.path.join(directory, path) for path in plan.remove],
        diff=[shown(folder, None, "(directory)\n") for folder in folders]
        + [
            shown(os.path.join(directory, path), present.get(path), text)
            for path, text in changes.items()
        ],
    )


if __name__ == "__main__":
    main()
