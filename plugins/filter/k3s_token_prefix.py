# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: the hash of a cluster's CA to what stands before the password in a k3s token."""

from __future__ import annotations

DOCUMENTATION = r"""
name: k3s_token_prefix
short_description: What stands before the password in a k3s token
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes the first part of a token in k3s's secure form, with which a node trusts a server only when its CA is the right one.
  - Fails when the hash is none, since a token without it goes to whoever answers.
positional: _input, user, predicted
options:
  _input:
    description: SHA-256 of the CA of the cluster's servers, in hexadecimal digits.
    type: str
    required: true
  user:
    description: V(server) in the token of a server, V(node) in that of an agent.
    type: str
    required: true
  predicted:
    description: Whether an empty hash is taken, as in check mode, where no CA may exist yet.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show how an agent's token begins
  ansible.builtin.debug:
    msg: "{{ __k3s_ca_hash | rackforge.gpu_cluster.k3s_token_prefix('node') }}"
"""

RETURN = r"""
_value:
  description: The first part of the token.
  type: str
  sample: "K106f2d1e3b...::node:"
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_config import (
    K3sConfigError,
    token_prefix,
)


def k3s_token_prefix(ca_hash: str, user: str, predicted: bool = False) -> str:
    """Return the prefix; AnsibleFilterError when the hash is none."""
    try:
        return token_prefix(user, ca_hash, predicted)
    except K3sConfigError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filter under its name."""
        return {"k3s_token_prefix": k3s_token_prefix}
