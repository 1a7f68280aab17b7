# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels, taints and cordons of a cluster's nodes: ours by the inventory, the others the owner's.

What was set here is remembered in annotations of the node, so that what is taken out of the
inventory goes, and what somebody else set stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import ClusterNode

LABELS_NOTE = "rackforge.io/labels"
TAINTS_NOTE = "rackforge.io/taints"
CORDON_NOTE = "rackforge.io/cordoned"
#: What the note says by who keeps pods away, the strongest last: a run, for as long as it takes; an
#: upgrade, until it has finished, whichever run that does; the owner, until he brings it back.
NOTE_OF = {"run": "true", "upgrade": "upgrade", "owner": "drained"}
_STRENGTH = list(NOTE_OF.values())

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_TAINT = re.compile(r"^(?P<key>[^=:]+)(?:=(?P<value>[^=:]*))?:(?P<effect>[A-Za-z]+)$")


class MemberError(ValueError):
    """A label or a taint that Kubernetes would not understand."""


@dataclass(frozen=True)
class WantedNode:
    """A node's labels and taints by the inventory; None where they are not to be touched."""

    name: str
    labels: Optional[Mapping[str, str]] = None
    taints: Optional[Sequence[str]] = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> WantedNode:
        """Return the node that a module's argument describes."""
        labels = params.get("labels")
        taints = params.get("taints")
        return cls(
            name=params["name"],
            labels=None if labels is None else {str(k): label_text(v) for k, v in labels.items()},
            taints=None if taints is None else [canonical_taint(text) for text in taints],
        )


@dataclass(frozen=True)
class NodeChange:
    """What a node becomes: a merge patch for the API, and the same in words for a diff."""

    name: str
    patch: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]


def label_text(value: Any) -> str:
    """Return a label's value as Kubernetes has it: YAML's true and false are words there."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def parse_taint(text: str) -> dict[str, str]:
    """Return the parts of ``key=value:Effect`` or ``key:Effect``, as the API has them."""
    match = _TAINT.match(text.strip())
    if not match or match.group("effect") not in EFFECTS:
        raise MemberError(
            f"taint {text!r}: expected key=value:Effect or key:Effect, with an effect of "
            f"{', '.join(EFFECTS)}; correct k3s_taints"
        )
    found = {"key": match.group("key"), "effect": match.group("effect")}
    value = match.group("value")
    return {**found, "value": value} if value else found


def canonical_taint(text: str) -> str:
    """Return the one spelling of a taint, in which an empty value is left out."""
    parts = parse_taint(text)
    value = f"={parts['value']}" if "value" in parts else ""
    return f"{parts['key']}{value}:{parts['effect']}"


def plan_present(
    node: ClusterNode, rows: Sequence[Mapping[str, Any]], wanted: WantedNode
) -> Optional[NodeChange]:
    """Return what brings a node to its labels and taints and undoes our cordon, None for nothing.

    ``rows`` are the node's taints as the API has them: those of others are handed back unchanged.
    """
    labels, label_note = _plan_labels(node, wanted.labels)
    taints, taint_note = _plan_taints(node, wanted.taints)
    ours = may_open(node, "run")
    notes: dict[str, Optional[str]] = {**label_note, **taint_note}
    spec: dict[str, Any] = {}
    if taints is not None:
        kept = [row for text, row in zip(node.taints, rows) if text in taints]
        spec["taints"] = kept + [parse_taint(each) for each in taints if each not in node.taints]
    if ours:
        notes[CORDON_NOTE] = None
        spec["unschedulable"] = None
    metadata = {key: value for key, value in (("labels", labels), ("annotations", notes)) if value}
    if not metadata and not spec:
        return None
    patch = {"metadata": metadata, **({"spec": spec} if spec else {})}
    return NodeChange(node.name, patch, *_words(node, labels, taints, ours))


def _words(
    node: ClusterNode,
    labels: Mapping[str, Optional[str]],
    taints: Optional[Sequence[str]],
    uncordons: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what changes, before and after; what stays is not shown."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if labels:
        before["labels"] = {key: node.labels[key] for key in labels if key in node.labels}
        after["labels"] = {key: value for key, value in labels.items() if value is not None}
    if taints is not None:
        before["taints"], after["taints"] = list(node.taints), list(taints)
    if uncordons:
        before["unschedulable"], after["unschedulable"] = node.unschedulable, False
    return before, after


def _plan_labels(
    node: ClusterNode, wanted: Optional[Mapping[str, str]]
) -> tuple[dict[str, Optional[str]], dict[str, Optional[str]]]:
    """Return the labels to set, None for those to take away, and what is to be remembered."""
    if wanted is None:
        return {}, {}
    noted = _noted_labels(node.annotations.get(LABELS_NOTE))
    patch: dict[str, Optional[str]] = {
        key: value for key, value in sorted(wanted.items()) if node.labels.get(key) != value
    }
    for key, value in noted.items():
        # Somebody has changed it since: then it is theirs.
        if key not in wanted and node.labels.get(key) == value:
            patch[key] = None
    # What stood there before, just so, is the owner's and stays when the inventory drops it.
    mine = {key: value for key, value in sorted(wanted.items()) if key in noted or key in patch}
    return patch, _note(node, LABELS_NOTE, mine)


def _plan_taints(
    node: ClusterNode, wanted: Optional[Sequence[str]]
) -> tuple[Optional[list[str]], dict[str, Optional[str]]]:
    """Return the whole list of taints, None where it is right, and what is to be remembered."""
    if wanted is None:
        return None, {}
    noted = _noted_taints(node.annotations.get(TAINTS_NOTE))
    replaced = {_place(text) for text in wanted}
    kept = [
        text
        for text in node.taints
        if text in wanted or (text not in noted and _place(text) not in replaced)
    ]
    taints = kept + [text for text in dict.fromkeys(wanted) if text not in kept]
    mine = sorted(text for text in set(wanted) if text in noted or text not in node.taints)
    changed = taints if taints != list(node.taints) else None
    return changed, _note(node, TAINTS_NOTE, mine)


def _place(text: str) -> tuple[str, str]:
    """Return what the API allows only once on a node: key and effect."""
    key, _colon, effect = text.rpartition(":")
    return key.partition("=")[0], effect


def _note(node: ClusterNode, name: str, mine: Any) -> dict[str, Optional[str]]:
    """Return the annotation to write, nothing where it stands so, None in it to take it away."""
    text = json.dumps(mine, sort_keys=True) if mine else None
    return {} if node.annotations.get(name) == text else {name: text}


def _noted_labels(text: Optional[str]) -> dict[str, str]:
    """Return the labels that were set here; what cannot be read was not set by us."""
    found = _load(text)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _noted_taints(text: Optional[str]) -> list[str]:
    found = _load(text)
    return [str(each) for each in found] if isinstance(found, list) else []


def _load(text: Optional[str]) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def cordon_patch(kept_by: str = "run") -> dict[str, Any]:
    """Return the patch that keeps new pods away from a node and says for whom we did it."""
    note = NOTE_OF[kept_by]
    return {"metadata": {"annotations": {CORDON_NOTE: note}}, "spec": {"unschedulable": True}}


def is_closed(node: ClusterNode, kept_by: str) -> bool:
    """Return whether pods are kept away for as long as is wanted, by us or by the owner."""
    note = node.annotations.get(CORDON_NOTE)
    return node.unschedulable and (note is None or _strength(note) >= _strength(NOTE_OF[kept_by]))


def who_closed(node: ClusterNode) -> str:
    """Return for whom pods are kept away, a word of NOTE_OF, or other for a cordon of kubectl's.

    Empty where they may come.
    """
    if not node.unschedulable:
        return ""
    note = node.annotations.get(CORDON_NOTE)
    return "other" if note is None else list(NOTE_OF)[_strength(note)]


def may_open(node: ClusterNode, kept_by: str) -> bool:
    """Return whether we keep pods away, and for nobody stronger than who lets them come again."""
    note = node.annotations.get(CORDON_NOTE)
    return note is not None and _strength(note) <= _strength(NOTE_OF[kept_by])


def _strength(note: str) -> int:
    """Return how strong a note is; one that nobody here has written counts as a run's."""
    return _STRENGTH.index(note) if note in _STRENGTH else 0


def uncordon_patch() -> dict[str, Any]:
    """Return the patch that undoes it."""
    return {"metadata": {"annotations": {CORDON_NOTE: None}}, "spec": {"unschedulable": None}}
