#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_artifacts
short_description: Find out whether a directory holds a release of k3s, complete and whole
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Runs on the control node and asks no node. Reads the binary and the archive of images for each architecture and compares their SHA-256
    digests with O(checksums), with those that come with this collection, or with the release's own checksum file beside them.
  - A problem is a finding, never a failure of the task, and all are found in one pass. Each says what to type to fetch the files.
  - A binary is never run. Its version is read from it as text, so that artifacts of other architectures can be judged too.
  - Of the three forms of the archive of images one is enough; C(tar.zst) is preferred to C(tar.gz), and that to C(tar).
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  directory:
    description:
      - The directory. A relative path counts from the working directory of ansible-playbook.
      - When empty, nodes download by themselves, and only the other inputs are judged.
    type: str
    default: ""
  version:
    description: The version, as releases of k3s are tagged.
    type: str
    required: true
  architectures:
    description: The nodes' architectures, V(amd64) and V(arm64), or V(x86_64) and V(aarch64).
    type: list
    elements: str
    required: true
  images:
    description: Whether the release's archive of images must be there.
    type: bool
    default: true
  archives:
    description: Further archives of images.
    type: list
    elements: str
    default: []
  checksums:
    description: SHA-256 digests by version, architecture and file name. They count more than those that come with this collection.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Look whether the release is complete and whole
  rackforge.gpu_cluster.k3s_artifacts:
    directory: /srv/k3s
    version: v1.34.2+k3s1
    architectures: [amd64]
  register: found
"""

RETURN = r"""
artifacts:
  description: By architecture, the C(binary) and the C(images), each with name, path, sha256 and size in bytes. The binary is null where
    it is missing.
  returned: always
  type: dict
  sample:
    amd64:
      binary:
        name: k3s
        path: /srv/k3s/k3s
        sha256: 15811d34187e03fe29d0e46108c42cc33e62cec1b3d9d80f50944536ebcad40a
        size: 78639288
      images: []
findings:
  description:
    - What is wrong, errors first, with severity, code, host, message, seen, expected, fix and variable.
    - "The codes: C(k3s-artifact-missing), C(k3s-artifact-corrupt), C(k3s-artifact-unverified), C(k3s-artifact-version), C(value-invalid),
      and the
      note C(k3s-artifact-unpinned)."
  returned: always
  type: list
  elements: dict
  sample:
    - severity: error
      code: k3s-artifact-corrupt
      host: control node
      message: "k3s is damaged: its SHA-256 digest is another."
      seen: 0a3f1c7d5e9b2846f0a3f1c7d5e9b2846f0a3f1c7d5e9b2846f0a3f1c7d5e9b2
      expected: 15811d34187e03fe29d0e46108c42cc33e62cec1b3d9d80f50944536ebcad40a
      fix: ansible-playbook playbooks/k3s_download.yml -e k3s_artifact_dir=/srv/k3s -e k3s_version=v1.34.2+k3s1 -e k3s_architectures=amd64
      variable: k3s_artifact_dir
directory:
  description: The directory with its whole path; empty when none was asked for.
  returned: always
  type: str
  sample: /srv/k3s
version:
  description: The version that was asked for.
  returned: always
  type: str
  sample: v1.34.2+k3s1
"""
