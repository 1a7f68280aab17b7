# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the inventory of a k3s cluster: groups, names, labels, taints, token.

What a single input may be is for input_rules, ports are for input_ports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    INVENTORY,
    Finding,
    Severity,
    join_names,
    merge_common,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    node_name_problem,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.inventory_model import (
    K3S_AGENT,
    K3S_SERVER,
    Host,
    Inventory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_check_networks import (
    check_k3s_cidrs,
)

#: The token of the ConvectHub document's sample inventory, which everybody can read.
SAMPLE_TOKEN = "k3s_hub_token"  # noqa: S105 - it is public, and refused for that
#: The least length of a password of the owner's (our choice; a generated one is longer).
LEAST_TOKEN = 16
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")

# Kubernetes documentation, Labels and Selectors: Syntax and character set.
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PREFIX = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/"
_KEY = re.compile(rf"({_PREFIX})?{_NAME}", re.ASCII)
_VALUE = re.compile(rf"({_NAME})?", re.ASCII)
_KEY_WORDS = (
    "letters, digits, hyphens, underscores and dots, at most 63, and a domain with / before it"
    " where you like"
)


def check_k3s(inventory: Inventory) -> list[Finding]:
    """Return every finding about what the inventory says of k3s."""
    hosts = k3s_hosts(inventory)
    per_host = [
        finding
        for host in hosts
        for finding in (*_both_groups(host), *_name(host), *_labels(host), *_taints(host))
    ]
    return [
        *merge_common(per_host, [host.name for host in inventory.nodes]),
        *_doubled_names(hosts),
        *check_k3s_cidrs(hosts),
        *_tokens(hosts),
    ]


def k3s_hosts(inventory: Inventory) -> list[Host]:
    """Return the hosts that get k3s."""
    return [host for host in inventory.hosts if host.is_in((K3S_SERVER, K3S_AGENT))]


def node_name(host: Host) -> str:
    """Return the host's name in Kubernetes, as the role makes it."""
    given = host.values.get("k3s_node_name")
    return str(given) if given else host.name.lower().replace("_", "-")


def _both_groups(host: Host) -> Iterator[Finding]:
    if {K3S_SERVER, K3S_AGENT} <= host.groups:
        yield Finding(
            Severity.ERROR,
            "k3s-server-is-agent-too",
            host.name,
            f"{host.name} is in {K3S_SERVER} and in {K3S_AGENT}. A server runs pods as an agent "
            "does, and two of k3s on one node would take each other's ports.",
            seen=f"{host.name} in both groups",
            expected="each host in one of them",
            fix=f"take {host.name} out of [{K3S_AGENT}]",
        )


def _name(host: Host) -> Iterator[Finding]:
    """Yield what Kubernetes has against a name of the inventory; a given one is judged before."""
    if host.values.get("k3s_node_name"):
        return
    expected = node_name_problem(node_name(host))
    if expected:
        yield Finding(
            Severity.ERROR,
            "k3s-node-name",
            host.name,
            "The name in the inventory cannot be the node's name in Kubernetes.",
            seen=node_name(host),
            expected=expected,
            fix=f"{host.name} k3s_node_name=NAME",
            variable="k3s_node_name",
        )


def _doubled_names(hosts: list[Host]) -> list[Finding]:
    owners: dict[str, list[str]] = {}
    for host in hosts:
        owners.setdefault(node_name(host), []).append(host.name)
    return [
        Finding(
            Severity.ERROR,
            "k3s-node-name-doubled",
            names[-1],
            f"{join_names(names)} would have one name in Kubernetes, and the second could not "
            "join.",
            seen=f"{name} for {join_names(names)}",
            expected="another name for each; capital letters become small, underscores hyphens",
            fix=f"{names[-1]} k3s_node_name={name[:60]}-{len(names)}",
            variable="k3s_node_name",
        )
        for name, names in owners.items()
        if len(names) > 1
    ]


def _labels(host: Host) -> Iterator[Finding]:
    labels = host.values.get("k3s_labels")
    for key, value in (labels if isinstance(labels, Mapping) else {}).items():
        expected = _label_problem(key, value)
        if expected:
            yield Finding(
                Severity.ERROR,
                "k3s-label",
                host.name,
                "k3s_labels has a label that Kubernetes refuses.",
                seen=f"{key}: {value!r}",
                expected=expected,
                fix=f"correct {key} in k3s_labels",
                variable="k3s_labels",
            )


def _label_problem(key: Any, value: Any) -> Optional[str]:
    if not _KEY.fullmatch(str(key)):
        return f"a key of {_KEY_WORDS}"
    if isinstance(value, bool):
        # YAML reads a bare yes, no, on and off so.
        return "a text: quotes around yes, no, true and false"
    if not isinstance(value, (str, int)) or not _VALUE.fullmatch(str(value)):
        return "a value of letters, digits, hyphens, underscores and dots, at most 63, or none"
    return None


def _taints(host: Host) -> Iterator[Finding]:
    taints = host.values.get("k3s_taints")
    for taint in taints if isinstance(taints, (list, tuple)) else ():
        expected = taint_problem(str(taint))
        if expected:
            yield Finding(
                Severity.ERROR,
                "k3s-taint",
                host.name,
                "k3s_taints has a taint that Kubernetes refuses.",
                seen=str(taint),
                expected=expected,
                fix="k3s_taints=\"['KEY=VALUE:NoSchedule']\"   (below [all:vars])",
                variable="k3s_taints",
            )


def taint_problem(taint: str) -> Optional[str]:
    """Return what is expected of a taint instead, None where it is well."""
    words, colon, effect = taint.rpartition(":")
    key, _equals, value = words.partition("=")
    if not colon:
        return "KEY=VALUE:EFFECT, or KEY:EFFECT"
    if effect not in EFFECTS:
        return f"one of {', '.join(EFFECTS)} after the colon"
    if not _KEY.fullmatch(key):
        return f"a key of {_KEY_WORDS}"
    return None if _VALUE.fullmatch(value) else "a value of letters and digits, at most 63"


def _tokens(hosts: list[Host]) -> list[Finding]:
    """Return findings about a token of the owner's, which is counted and never shown."""
    found: list[Finding] = []
    for name in ("k3s_token", "convect_token"):
        tokens = {str(host.values[name]) for host in hosts if host.values.get(name) is not None}
        if name == "convect_token" and SAMPLE_TOKEN in tokens:
            found.append(_public())
            tokens.discard(SAMPLE_TOKEN)
        problems = sorted({problem for problem in map(token_problem, tokens) if problem})
        if len(tokens) > 1:
            problems = [f"{len(tokens)} different ones"]
        found += [_weak(name, problem) for problem in problems[:1]]
    return found


def token_problem(token: str) -> Optional[str]:
    """Return what is wrong with a token, in words that do not show it."""
    if token == SAMPLE_TOKEN:
        return "the one that the ConvectHub document shows to everybody"
    if re.match(r"K10[0-9a-f]{64}::", token):
        return "a whole join token (K10...), not the password in it"
    if re.search(r"[\s:]", token):
        return "blanks or colons in it"
    return f"{len(token)} characters" if len(token) < LEAST_TOKEN else None


def _weak(name: str, problem: str) -> Finding:
    return Finding(
        Severity.ERROR,
        "k3s-token-weak",
        INVENTORY,
        f"{name} must not be the cluster's token: whoever has it is the cluster's administrator.",
        seen=problem,
        expected=f"one password for all hosts, {LEAST_TOKEN} characters or more, without blanks"
        " and colons",
        fix=f"remove {name}: a random token is generated and kept in the cluster's secrets",
        variable=name,
    )


def _public() -> Finding:
    return Finding(
        Severity.WARNING,
        "k3s-token-public",
        INVENTORY,
        "convect_token is the one that the ConvectHub document shows to everybody. It is not used:"
        " a random token is generated and kept in the cluster's secrets.",
        seen="the document's sample value",
        expected="no convect_token, or a password of your own",
        fix="remove convect_token from the inventory",
        variable="convect_token",
    )
