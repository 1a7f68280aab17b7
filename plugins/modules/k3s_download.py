#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the action of this name; it runs on the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_download
short_description: Fill a directory with a release of k3s
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Runs on the control node. Downloads the binary, the archive of images in its smallest form and the release's checksum file, for each
    architecture.
  - A file takes its place when its SHA-256 digest is right, in one step. The digest is O(checksums)'s or this collection's, else that of
    the
    release's checksum file, which counts over https only. A checksum file that contradicts a known digest ends the download.
  - Says every ten seconds how far it is. The proxies of the environment (C(https_proxy), C(http_proxy), C(no_proxy)) are used.
  - Files of another release in the directory are replaced. When nothing is missing and the digests are known, nothing is asked of the
    server.
attributes:
  check_mode:
    support: full
    description: Says what would be downloaded. The checksum file may be read for it.
  diff_mode:
    support: none
    description: The result lists what came.
  idempotent:
    support: full
    description: Files with the right digest are left alone.
options:
  directory:
    description:
      - The directory; it is made where it is missing. A relative path counts from the working directory of ansible-playbook.
      - An empty one is refused.
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
    description: Whether the archive of images is downloaded.
    type: bool
    default: true
  checksums:
    description: SHA-256 digests by version, architecture and file name. They count more than those that come with this collection.
    type: dict
    default: {}
  url:
    description: Where releases are downloaded from; the version and the file's name are appended.
    type: str
    required: true
  timeout:
    description: Seconds after which the download of one file is given up. A server counts as silent after 60 s. Both are this collection's
      choice.
    type: int
    default: 1800
"""

EXAMPLES = r"""
- name: Fetch a release for two architectures
  rackforge.gpu_cluster.k3s_download:
    directory: /srv/k3s
    version: v1.34.2+k3s1
    architectures: [amd64, arm64]
    url: https://github.com/k3s-io/k3s/releases/download
"""

RETURN = r"""
directory:
  description: The directory with its whole path.
  returned: success
  type: str
  sample: /srv/k3s
version:
  description: The version that lies there.
  returned: success
  type: str
  sample: v1.34.2+k3s1
downloaded:
  description: Files that came, or would come.
  returned: success
  type: list
  elements: str
  sample: [k3s, k3s-airgap-images-amd64.tar.zst, sha256sum-amd64.txt]
files:
  description: Digests of the release's files by name.
  returned: success
  type: dict
  sample:
    k3s: 15811d34187e03fe29d0e46108c42cc33e62cec1b3d9d80f50944536ebcad40a
"""
