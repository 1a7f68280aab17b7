# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes may be taken out of a cluster that stays, and what to do where one may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Optional, Union

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import closest_name
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    HEAD,
    K3S_SERVER,
    MONITORING,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (
    EXPANSIONS,
    K3S_NODES,
    MEMBERS,
)

_NOTHING = "no node is named; say which ones leave, with commas between them: -e node=NAME"
_UNKNOWN = "{name} is no node of this inventory{hint}; its nodes are {known}"
_LIMITED = (
    "--limit {limit} would leave out nodes that must learn who has gone; run the same command"
    " without --limit"
)
_EVERYBODY = "no node would stay; reset.yml takes the whole cluster out"
_HEAD = (
    "{name} is the Ray head. Ray keeps the cluster's state in it and cannot hand it to another"
    " node, so the Ray cluster ends with it: wait until no job runs (status.yml), run 'reset.yml"
    " --limit {name}', put {successor} into [ray_head] in its place, and run provision.yml, which"
    " starts the cluster anew there and has the workers join it"
)
_DEAD_HEAD = (
    "{name} was the Ray head, and the cluster's state, with its jobs and actors, is gone with it:"
    " forgetting it is not enough. Put {successor} into [ray_head] in its place, take its line out"
    " of the inventory, and run provision.yml, which starts the cluster anew there and has the"
    " workers join it"
)
_SERVER = (
    "{name} is the only k3s server, and {agents} would stay without one. Take these out as well,"
    " or first have two more servers join, where the cluster was founded for several"
)
_MONITORING = (
    "{name} is the monitoring host, and its samples do not move to another one. Say what becomes"
    " of them: -e reset_monitoring_data=false leaves them in its monitoring_storage_dir, =true"
    " deletes them. Afterwards put another host into [monitoring], or none"
)


@dataclass(frozen=True)
class Wish:
    """What is asked of remove_node.yml.

    ``samples_decided`` says that the owner has said what becomes of the monitoring host's samples,
    ``gone`` that the nodes will not come back.
    """

    leaving: tuple[str, ...]
    limit: str = ""
    successor: str = ""
    samples_decided: bool = False
    gone: bool = False


def named(text: Union[str, Sequence[str], None]) -> tuple[str, ...]:
    """Return the names in a list, or in text with commas, each once."""
    rows = text.split(",") if isinstance(text, str) else [str(each) for each in text or ()]
    return tuple(dict.fromkeys(row.strip() for row in rows if row.strip()))


def removal_problems(groups: Mapping[str, Sequence[str]], wish: Wish) -> list[str]:
    """Return why these nodes may not be taken out, a sentence with the way out each."""
    nodes = list(dict.fromkeys(name for group in MEMBERS for name in groups.get(group) or ()))
    unknown = [name for name in wish.leaving if name not in nodes]
    if not wish.leaving:
        return [_NOTHING]
    if unknown:
        return [_unknown(name, nodes) for name in unknown]
    staying = [name for name in nodes if name not in wish.leaving]
    found = [
        _LIMITED.format(limit=wish.limit) if wish.limit else None,
        _EVERYBODY if not staying else None,
        _of_head(groups, wish),
        _of_server(groups, wish),
        _of_monitoring(groups, wish),
    ]
    return [problem for problem in found if problem]


def _unknown(name: str, nodes: Sequence[str]) -> str:
    meant = closest_name(name, nodes)
    hint = f" (did you mean {meant}?)" if meant else ""
    return _UNKNOWN.format(name=name, hint=hint, known=", ".join(nodes) or "none")


def _of_head(groups: Mapping[str, Sequence[str]], wish: Wish) -> Optional[str]:
    leaving = [name for name in groups.get(HEAD) or () if name in wish.leaving]
    others = [name for name in groups.get("ray_worker") or () if name not in wish.leaving]
    if not leaving or not others:
        return None
    text = _DEAD_HEAD if wish.gone else _HEAD
    return text.format(name=leaving[0], successor=wish.successor or others[0])


def _of_server(groups: Mapping[str, Sequence[str]], wish: Wish) -> Optional[str]:
    servers = groups.get(K3S_SERVER) or ()
    members = (name for group in EXPANSIONS[K3S_NODES] for name in groups.get(group) or ())
    staying = [name for name in dict.fromkeys(members) if name not in wish.leaving]
    if len(servers) != 1 or servers[0] not in wish.leaving or not staying:
        return None
    return _SERVER.format(name=servers[0], agents=", ".join(staying))


def _of_monitoring(groups: Mapping[str, Sequence[str]], wish: Wish) -> Optional[str]:
    leaving = [name for name in groups.get(MONITORING) or () if name in wish.leaving]
    if not leaving or wish.samples_decided:
        return None
    return _MONITORING.format(name=leaving[0])
