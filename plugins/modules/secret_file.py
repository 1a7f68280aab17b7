#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_file
short_description: Deliver a secret that is generated once on the control node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - When the file O(secret) does not exist on the control node it is made, with 256 random bits in hexadecimal, mode 0600.
  - It is then copied to the node, owned by root, mode 0600 unless said otherwise. The value stands in no argument, no result and no log.
attributes:
  check_mode:
    support: full
    description: Makes no secret and says whether the node's file would change.
  diff_mode:
    support: none
    description: A secret is never shown.
  idempotent:
    support: full
    description: An equal file is left alone.
options:
  secret:
    description: The file on the control node.
    type: path
    required: true
  dest:
    description: The file on the node.
    type: path
    required: true
  group:
    description: The group of the node's file, for a service that reads it without being root.
    type: str
    default: root
  mode:
    description: Permissions of the node's file, V(0640) together with O(group).
    type: str
    choices: ["0400", "0600", "0640"]
    default: "0600"
  prefix:
    description:
      - What stands before the secret in the node's file, such as the first part of a k3s token. It is not part of the secret.
    type: str
    default: ""
  user:
    description:
      - Name of the user whose password the secret is. The node's file then has, between O(prefix) and O(suffix), what HTTP's basic
        authentication sends for both (RFC 7617), which is the word Basic, a space, and user and password in base64.
      - "When not set: the secret itself."
    type: str
  suffix:
    description: What stands after the secret in the node's file.
    type: str
    default: ""
  value:
    description:
      - Your own secret, one word. It becomes the content of O(secret), whatever that held before.
      - "When not set: what O(secret) holds, or a random one."
    type: str
"""

EXAMPLES = r"""
- name: Deliver the token that members of the cluster show each other
  rackforge.gpu_cluster.secret_file:
    secret: "{{ inventory_dir }}/secrets/lab/ray_auth_token"
    dest: /etc/ray/auth_token
  no_log: true

- name: Deliver the token with which an agent joins a k3s cluster
  rackforge.gpu_cluster.secret_file:
    secret: "{{ inventory_dir }}/secrets/lab/k3s_agent_token"
    prefix: "K10{{ k3s_ca_hash }}::node:"
    dest: /etc/rancher/k3s/token
  no_log: true

- name: Deliver an environment file with the header that Prometheus asks for
  rackforge.gpu_cluster.secret_file:
    secret: "{{ inventory_dir }}/secrets/lab/monitoring_ray_password"
    user: ray
    prefix: 'RAY_PROMETHEUS_HEADERS={"Authorization":"'
    suffix: "\"}\n"
    dest: /etc/ray/prometheus.env
  no_log: true
"""

RETURN = r"""
dest:
  description: The file on the node.
  returned: success
  type: str
  sample: /etc/ray/auth_token
"""
