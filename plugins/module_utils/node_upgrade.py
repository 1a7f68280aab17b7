# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade of one node would change below Ray and k3s, from what its roles have registered.

The roles' entries ``look`` register ``__nvidia_offer``, ``__rocm_offer`` and so on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.pinned_packages import upstream

Row = dict[str, Any]
#: Nodes that are upgraded in batches come before those that are upgraded alone.
IN_BATCHES, ALONE = 100, 150
#: Packages that a note names before it counts the others.
_NAMED = 4
_ROCM = "ROCm and AMD driver"
_EXCHANGE = "kernel module exchanged; booted only where the old one stays in use"


def node_upgrade(
    variables: Mapping[str, Any], alone: bool = False, boots: bool = False
) -> dict[str, Any]:
    """Return rows of what changes on a node, refusals of what must not, and whether it is due.

    ``variables`` are one host's, ``alone`` says that it is upgraded after the others, ``boots``
    that it is booted whatever changes. A node on which an upgrade has begun is due in any case.
    """
    usual = {
        "host": str(variables.get("inventory_hostname")),
        "reboot": boots,
        "order": ALONE if alone else IN_BATCHES,
        "note": "",
    }
    found = [{**usual, **row} for row in _components(variables)]
    refusals = [row for row in found if row.get("reason")]
    rows = [row for row in found if not row.get("reason") and row["found"] != row["wanted"]]
    record = _result(variables, "__upgrade_record")
    if record.get("begun") is True and not rows:
        note = f"begun at {record.get('began')} and not finished"
        rows.append({**usual, **_row("node", "half-way", "back in the cluster", note=note)})
    for row in (*rows, *refusals):
        row["text"] = _text(row)
    return {"rows": rows, "refusals": refusals, "due": bool(rows)}


def _text(row: Row) -> str:
    """Return a row as a sentence."""
    more = row.get("reason") or row["note"]
    reboot = ", with a boot" if row["reboot"] else ""
    step = f"{row['host']}: {row['component']} {row['found'] or '(none)'} to {row['wanted']}"
    return f"{step}{reboot} ({more})" if more else f"{step}{reboot}"


def _components(variables: Mapping[str, Any]) -> Iterator[Row]:
    """Return a row for each component that a node has, whether it changes or not."""
    yield from _packages(variables)
    yield from _docker(variables)
    for name, component, note in (
        ("__nvidia_offer", "NVIDIA driver", _EXCHANGE),
        ("__nvidia_toolkit_offer", "NVIDIA container toolkit", ""),
    ):
        result = _result(variables, name)
        found, wanted = result.get("found") or "", result.get("wanted") or ""
        if result.get("refusal"):
            yield _row(component, found, wanted, reason=result["refusal"])
        elif wanted:
            yield _row(component, found, wanted, note=note)
    yield from _rocm(variables)


def _packages(variables: Mapping[str, Any]) -> Iterator[Row]:
    result = _result(variables, "__os_base_offer")
    due, offers = result.get("due") or [], result.get("packages") or []
    held = [each["name"] for each in offers if each.get("held")]
    if due:
        note = _named("", due) + (f"; held: {_named('', held)}" if held else "")
        yield _row("packages", f"{len(due)} older", "newest", note=note)


def _docker(variables: Mapping[str, Any]) -> Iterator[Row]:
    offer, seen = _result(variables, "__docker_offer"), _result(variables, "__docker_seen")
    due = [each for each in offer.get("packages") or [] if not each.get("held")]
    if not due:
        return
    running = [str(name) for name in seen.get("running") or []]
    note = "ray.service and what requires docker.service stop with it"
    if running and seen.get("live_restore"):
        note = f"{_named('containers go on (live-restore): ', running)}; {note}"
    elif running:
        note = f"{_named('stops containers: ', running)}; {note}"
    first = due[0]
    yield _row("Docker Engine", upstream(first["found"]), upstream(first["wanted"]), note=note)


def _rocm(variables: Mapping[str, Any]) -> Iterator[Row]:
    forecast, due = _result(variables, "__rocm_forecast"), _result(variables, "__rocm_due")
    wanted = str(forecast.get("rocm_version") or "")
    for finding in forecast.get("findings") or []:
        yield _row(_ROCM, "", wanted, reason=str(finding.get("message")))
        return
    names = [*(due.get("missing") or []), *(due.get("outdated") or [])]
    if names or due.get("files_changed"):
        driver = forecast.get("driver_version")
        words = f"ROCm {wanted}, driver {driver}" if driver else f"ROCm {wanted}"
        yield _row(_ROCM, "older", words, note=_named("", names) or "another release of the driver")


def _result(variables: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return what a role has registered, empty where it did not."""
    result = variables.get(name)
    return result if isinstance(result, Mapping) else {}


def _row(component: str, found: str, wanted: str, **more: Any) -> Row:
    return {"component": component, "found": found, "wanted": wanted, **more}


def _named(before: str, names: Sequence[str]) -> str:
    """Return some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{before}{', '.join(names[:_NAMED])}{more}"
