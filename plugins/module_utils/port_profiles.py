# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes of an inventory are for, as the rows of the port catalogue say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Union

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    K3S,
    K3S_HA,
    K3S_NODES,
    MONITORING,
    PROFILES,
    RAY,
    RAY_NODES,
    groups_of,
)


def profiles_of(
    groups: Mapping[str, Sequence[str]], chosen: Union[str, Sequence[str], None] = ()
) -> frozenset[str]:
    """Return the profiles of the groups that have hosts, and those ``chosen``.

    ``chosen`` is a list, or a text with commas. ValueError names a profile that there is not.
    """
    filled = {name for name, hosts in groups.items() if hosts}
    found = set(chosen_profiles(chosen))
    found |= {
        profile
        for profile, names in (
            (RAY, groups_of(RAY_NODES)),
            (K3S, groups_of(K3S_NODES)),
            (MONITORING, groups_of(MONITORING)),
        )
        if not filled.isdisjoint(names)
    }
    if len(set(groups.get("k3s_server", ()))) > 1:
        found.add(K3S_HA)
    return frozenset(found)


def chosen_profiles(chosen: Union[str, Sequence[str], None]) -> list[str]:
    """Return the profiles of a list, or of a text with commas; ValueError names an unknown one."""
    given = chosen.split(",") if isinstance(chosen, str) else list(chosen or ())
    names = [str(each).strip() for each in given if str(each).strip()]
    for name in names:
        if name not in PROFILES:
            raise ValueError(
                f"preflight_profiles: saw {name!r}, expected some of {', '.join(PROFILES)}"
            )
    return names
