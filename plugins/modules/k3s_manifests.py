#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have manifests deployed by k3s, and wait for what they hold."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_manifests
short_description: Have a list of manifests and charts deployed by k3s
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Writes one file for each manifest into the folder C(rackforge) of the server's manifest directory, mode 0600. k3s applies every file below
    that directory (k3s documentation, Managing Packaged Components), which takes up to 15 seconds.
  - Run it on one server, always the same one. k3s does not carry these files to other servers.
  - Everything is rendered and parsed on the control node first. A wrong one fails there, with file and line, before anything is written.
  - k3s keeps the objects of a file that disappears. So a manifest that is no longer in the list has its objects deleted first, then its file.
    Files of other groups (O(group)) and files that this module did not write stay as they are.
  - Then it waits until every object exists and is rolled out. For a Deployment, a StatefulSet and a DaemonSet that means all pods updated and
    available, for a Job that it completed, for a Pod that it is ready or has ended well, for a chart that its job completed and the workloads
    of its release are rolled out. Other objects, volume claims too, only have to exist.
  - When the time is over each object that is not ready is named with its pods' reasons.
attributes:
  check_mode:
    support: full
    description: Says which files would change, without asking the cluster.
  diff_mode:
    support: full
    description: Shows the files. Of a file with a Secret or a chart, whose values may hold secrets, only the names of its objects.
  idempotent:
    support: full
    description: An equal file is left alone, and a rolled out cluster is asked once.
options:
  group:
    description:
      - Name of the list, lower case letters and digits. Manifests of the same group that are not in the list are removed.
    type: str
    required: true
  manifests:
    description: The manifests, in the order in which they are written.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the file, unique in the group, at most 50 lower case letters, digits and hyphens.
        type: str
        required: true
      src:
        description:
          - A file or a folder on the control node. Of a folder all files ending in C(.yaml), C(.yml) or C(.json) are taken, by name.
          - A file whose name ends in C(.j2) as well is rendered as a template first, with the play's variables.
          - A relative path is looked for beside the inventory, then beside the playbook, then where the command is run.
          - Exactly one of O(manifests[].src), O(manifests[].content) and O(manifests[].definition) is needed.
        type: str
      content:
        description: The text itself, YAML with one or several documents.
        type: str
      definition:
        description: One object as a mapping, or several as a list.
        type: raw
      vars:
        description: More variables for the templates of O(manifests[].src).
        type: dict
        default: {}
      namespace:
        description:
          - Namespace of the objects that name none. It must exist or be an object of the manifest.
          - It is also given to objects that have no namespace, which Kubernetes ignores for those that live in none.
        type: str
      create_namespace:
        description:
          - Whether O(manifests[].namespace) is made as well. It stays when the manifest is removed, since it may hold more than that.
        type: bool
        default: false
      wait_for:
        description: More objects to wait for, such as those that a controller makes. Each has apiVersion, kind, name and namespace.
        type: list
        elements: dict
        default: []
        suboptions:
          api_version:
            description: Its API version.
            type: str
            default: apps/v1
          kind:
            description: Its kind.
            type: str
            default: Deployment
          name:
            description: Its name.
            type: str
            required: true
          namespace:
            description: Its namespace.
            type: str
            default: default
  charts:
    description:
      - Charts, which k3s's helm-controller installs by a job (k3s documentation, Helm). They come after O(manifests).
      - Without internet the job's image, C(rancher/klipper-helm), has to be among the images of the nodes; k3s's image archive has it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the release and of its file.
        type: str
        required: true
      chart:
        description: Name of the chart in O(charts[].repo), or the whole URL of a chart archive. Not needed with O(charts[].content_file).
        type: str
      repo:
        description: URL of the repository.
        type: str
      version:
        description: Version of the chart. Without one Helm takes the newest, so that the cluster depends on the day.
        type: str
      namespace:
        description: Namespace of the release; it is made when it does not exist.
        type: str
        default: default
      values:
        description: The chart's values.
        type: dict
        default: {}
      values_file:
        description:
          - YAML file with values on the control node, looked for as O(manifests[].src). O(charts[].values) are merged over it.
        type: str
      base_values:
        description: Values beneath those of O(charts[].values_file).
        type: dict
        default: {}
      content_file:
        description:
          - Archive of the chart (C(.tgz)) on the control node, for nodes that cannot reach a repository. It may have 700 KiB at most, since the
            API takes no larger objects than 1.5 MiB.
        type: str
      timeout:
        description: Seconds that Helm may take for one operation.
        type: int
        default: 300
  wait:
    description: Whether to wait for the objects.
    type: bool
    default: true
  timeout:
    description: Seconds to wait for the objects. With O(one_by_one) for those of each manifest.
    type: int
    default: 600
  one_by_one:
    description: Whether each manifest is waited for before the next one is written.
    type: bool
    default: false
  kubeconfig:
    description: Credentials on the server.
    type: path
    default: /etc/rancher/k3s/k3s.yaml
  folder:
    description: Folder of the files on the server.
    type: path
    default: /var/lib/rancher/k3s/server/manifests/rackforge
seealso:
  - name: k3s documentation, Managing Packaged Components
    description: What k3s does with its manifest directory.
    link: https://docs.k3s.io/installation/packaged-components
  - name: k3s documentation, Helm
    description: What a HelmChart resource can say.
    link: https://docs.k3s.io/helm
"""

EXAMPLES = r"""
- name: Have a namespace and a folder of manifests
  rackforge.gpu_cluster.k3s_manifests:
    group: workloads
    manifests:
      - name: team
        definition: {apiVersion: v1, kind: Namespace, metadata: {name: team}}
      - name: web
        src: manifests/web
        namespace: team

- name: Have a chart
  rackforge.gpu_cluster.k3s_manifests:
    group: workloads
    charts:
      - name: jupyterhub
        chart: jupyterhub
        repo: https://hub.jupyter.org/helm-chart/
        version: 4.3.5
        namespace: jupyterhub
        values_file: jupyterhub.yaml

- name: Have none of them any more
  rackforge.gpu_cluster.k3s_manifests:
    group: workloads
"""

RETURN = r"""
written:
  description: Files that were written, or would be.
  returned: always
  type: list
  elements: str
  sample: [/var/lib/rancher/k3s/server/manifests/rackforge/rackforge-workloads-web.yaml]
removed:
  description: Files that were taken away with their objects, or would be.
  returned: always
  type: list
  elements: str
  sample: []
objects:
  description: The objects of all manifests and how far they are. Empty in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - {kind: Deployment, namespace: team, name: web, ready: true, reason: ""}
ready:
  description: Whether all of them are ready; null in check mode and where nothing was waited for.
  returned: always
  type: bool
  sample: true
before:
  description: Generation and job of each chart before the change, by its name.
  returned: always
  type: dict
  sample: {}
"""

import zlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import (
    Kubectl,
    KubectlError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    FOLDER,
    ManifestError,
    plan_files,
    ref_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests_server import (
    ManifestServer,
    read_folder,
    wanted_manifests,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import KUBECONFIG
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_rollout_look import Rollout

ARGUMENTS = {
    "group": {"type": "str", "required": True},
    "files": {"type": "list", "elements": "dict", "default": []},
    "contents": {"type": "str", "no_log": True, "default": ""},
    "count": {"type": "int"},
    "wait": {"type": "bool", "default": True},
    "slice": {"type": "int", "default": 10},
    "before": {"type": "dict", "default": {}},
    "kubeconfig": {"type": "path", "default": KUBECONFIG},
    "folder": {"type": "path", "default": FOLDER},
}


def work(module: AnsibleModule) -> dict[str, Any]:
    """Return the module's result."""
    params = module.params
    rollout = Rollout(Kubectl(Command(module), params["kubeconfig"]))
    server = ManifestServer(module, rollout, params["folder"], params["group"])
    manifests = wanted_manifests(params["files"], params["contents"])
    files = params["files"][: params["count"]]
    extra = [ref_of(each) for file in files for each in file.get("wait_for") or []]
    changes = plan_files(
        params["folder"],
        params["group"],
        manifests,
        read_folder(params["folder"]),
        params["count"],
    )
    written = manifests[: params["count"]]
    before, seen = dict(params["before"]), []
    if not module.check_mode:
        changing = [each for each in changes if each.after is not None]
        if not before and changing:
            refs = [ref for each in changing for ref in each.manifest.objects]
            before = rollout.charts(refs)
        server.apply(changes)
        if params["wait"] and written:
            seen = server.watch(written, extra, before, params["slice"])
    waited = params["wait"] and not module.check_mode
    return {
        "changed": bool(changes),
        "written": [each.path for each in changes if each.after is not None],
        "removed": [each.path for each in changes if each.after is None],
        "diff": [each.diff() for each in changes],
        "objects": [each.to_dict() for each in seen],
        "ready": all(each.ready for each in seen) if waited else None,
        "before": before,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = work(module)
    except (KubectlError, ManifestError) as error:
        module.fail_json(msg=f"Could not deploy the manifests: {error}")
    except OSError as error:
        module.fail_json(msg=f"Could not write the manifests: {error}")
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        module.fail_json(msg=f"Could not read the manifests that were handed in: {error!r}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
