# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where k3s keeps what, on every node (k3s documentation, Advanced Options and Air-Gap Install)."""

from __future__ import annotations

BINARY = "/usr/local/bin/k3s"
#: Names by which the binary is called as well; they are links to it.
LINKS = ("/usr/local/bin/kubectl", "/usr/local/bin/crictl", "/usr/local/bin/ctr")

CONFIG_DIR = "/etc/rancher/k3s"
KUBECONFIG = f"{CONFIG_DIR}/k3s.yaml"
#: What a server or an agent joins with (0600): on the first server the bare password.
TOKEN = f"{CONFIG_DIR}/token"
#: What agents join with, as servers are told it (0600).
AGENT_TOKEN = f"{CONFIG_DIR}/agent-token"
#: What a node shows for its name; k3s makes it when the node joins.
NODE_PASSWORD = "/etc/rancher/node/password"  # noqa: S105 - a path

DATA_DIR = "/var/lib/rancher/k3s"
IMAGES_DIR = f"{DATA_DIR}/agent/images"
MANIFESTS_DIR = f"{DATA_DIR}/server/manifests"
#: Its SHA-256 is the middle of a secure token: K10<hash>::<user>:<password>.
SERVER_CA = f"{DATA_DIR}/server/tls/server-ca.crt"
#: The token that the running server has, in the secure form.
SERVER_TOKEN = f"{DATA_DIR}/server/token"
CONTAINERD_CONFIG = f"{DATA_DIR}/agent/etc/containerd/config.toml"

UNITS = {"server": "k3s.service", "agent": "k3s-agent.service"}
