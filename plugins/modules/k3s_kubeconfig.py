#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_kubeconfig
short_description: Keep a k3s cluster's kubeconfig on the control node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Reads the administrator's kubeconfig from a server and writes it to a file of its own on the control node, mode 0600, with the
    server's node
    address instead of the loopback address that k3s writes. Cluster, context and user in it have the cluster's name.
  - Nobody's C(~/.kube/config) is touched unless O(merge_into) asks for it. Then only the entries of the cluster's name are added or
    replaced in it, a
    copy of the file is kept beside it, and its current context stays as it is.
attributes:
  check_mode:
    support: full
    description: Writes nothing and says whether a file would change.
  diff_mode:
    support: none
    description: A secret is never shown.
  idempotent:
    support: full
    description: A file that says the same is left alone.
options:
  source:
    description: The kubeconfig on the server.
    type: path
    default: /etc/rancher/k3s/k3s.yaml
  dest:
    description:
      - The cluster's own file on the control node. It is written anew whenever it differs.
      - A file that is there and has any other cluster, context or user than the one of the name in O(cluster), or that is no kubeconfig, is
        somebody else's. The module fails and leaves it as it is. To have the cluster in such a file, use O(merge_into).
    type: path
    required: true
  address:
    description: The server's node address.
    type: str
    required: true
  port:
    description: The port of the API.
    type: int
    required: true
  cluster:
    description: The cluster's name.
    type: str
    required: true
  merge_into:
    description:
      - A kubeconfig of yours on the control node that gets the cluster's entries as well, such as V(~/.kube/config). One that is no
        kubeconfig is refused.
      - Comments in it do not outlive the change; they are in the copy.
      - It gets mode 0600, since the administrator's key stands in it.
    type: path
"""

EXAMPLES = r"""
- name: Keep the kubeconfig beside the cluster's secrets
  rackforge.gpu_cluster.k3s_kubeconfig:
    dest: secrets/lab/kubeconfig
    address: 192.0.2.10
    port: 6443
    cluster: lab

- name: Have the cluster among those that kubectl knows already
  rackforge.gpu_cluster.k3s_kubeconfig:
    dest: secrets/lab/kubeconfig
    address: 192.0.2.10
    port: 6443
    cluster: lab
    merge_into: ~/.kube/config
"""

RETURN = r"""
dest:
  description: The cluster's own file on the control node.
  returned: always
  type: str
  sample: /home/ops/cluster/secrets/lab/kubeconfig
backup:
  description: The copy of the file of O(merge_into), empty where that was not changed or is new.
  returned: always
  type: str
  sample: /home/ops/.kube/config.2026-01-31@12:00:00~
"""
