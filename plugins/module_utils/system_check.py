# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about what nodes are, judged against the documents: values in, findings out."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import Finding
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import Inventory
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_check_node import (
    check_first_server,
    check_foreign,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_clock import (
    check_skew,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_common import (
    for_hosts,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_platform import (
    check_mixed_machines,
    check_platforms,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_role import (
    check_roles,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_size import (
    check_shared_memory,
    check_sizes,
    check_space,
    check_tmp,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.system_check_state import (
    check_states,
)


def check_system(inventory: Inventory) -> list[Finding]:
    """Return every finding about what the nodes are; one for all of them where all have it."""
    per_host = [
        *check_sizes(inventory),
        *check_space(inventory),
        *check_shared_memory(inventory),
        *check_tmp(inventory),
        *check_platforms(inventory),
        *check_states(inventory),
        *check_foreign(inventory),
        *check_first_server(inventory),
    ]
    return [
        *for_hosts(per_host, inventory),
        *check_mixed_machines(inventory),
        *check_skew(inventory),
        *check_roles(inventory),
    ]
