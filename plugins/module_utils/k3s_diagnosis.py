# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why k3s does not come up, by what it says in its log, and what to do about it.

The texts are those of k3s 1.28 to 1.34 and of the Kubernetes parts in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Optional

#: Seconds after which a fault that only a human can mend is taken for one.
SURE = 15
#: Seconds for one that may pass by itself, such as a server that is not up yet.
LIKELY = 90
_UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class Situation:
    """What is known of the node whose k3s is looked at."""

    unit: str
    kind: str
    server: str = ""
    port: int = 0


@dataclass(frozen=True)
class Diagnosis:
    """A fault: what it is, what to do, and after how many seconds nothing else is to come."""

    code: str
    what: str
    fix: str
    patience: int


@dataclass(frozen=True)
class _Rule:
    code: str
    pattern: str
    what: str
    fix: str
    patience: int = SURE


_RULES = (
    _Rule(
        "ca-hash",
        r"token CA hash does not match the Cluster CA certificate hash",
        "{server} shows another CA than the one that this node was told to trust",
        "find out who answers at {server}; when the cluster was founded anew, take this node out "
        "with reset.yml --limit, then run provision.yml again",
    ),
    _Rule(
        "node-password",
        r"[Nn]ode password rejected",
        "the cluster knows another machine by this node's name, or this one before it was "
        "installed anew",
        "give the node another k3s_node_name, or take the old one out on a server: "
        "k3s kubectl delete node NAME",
    ),
    _Rule(
        "bootstrap-token",
        r"bootstrap data already found and encrypted with different token",
        "the cluster's state was written with another token than this server now has",
        "put the old token back into k3s_server_token_file on the control node, run provision.yml, "
        "and change it while k3s runs",
    ),
    _Rule(
        "configuration-differs",
        r"critical configuration (?:value )?mismatch",
        "this server's settings differ from those of the servers that are there, in one that must "
        "be the same on all",
        "compare the lines above with k3s_cluster_cidr, k3s_service_cidr, k3s_flannel_backend, "
        "k3s_secrets_encryption and k3s_disable of the servers",
    ),
    _Rule(
        "unknown-flag",
        r"flag provided but not defined: -+(?P<seen>[\w-]+)",
        "this version of k3s does not know the setting {seen}",
        "take {seen} out of k3s_extra_config, or choose a k3s_version that knows it",
    ),
    _Rule(
        "kernel-defaults",
        r"[Ii]nvalid kernel flag: (?P<seen>[\w/.]+)",
        "the kernel setting {seen} is not what the kubelet wants, and "
        "k3s_protect_kernel_defaults forbids it to change it",
        "find who sets it: grep -r {seen} /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d; "
        "or set k3s_protect_kernel_defaults to false",
    ),
    _Rule(
        "port-taken",
        r"listen (?:tcp|udp)\d? (?P<seen>\S+): bind: address already in use",
        "somebody else listens on {seen}",
        "find out who: ss -lntup | grep {seen_port}; stop it, or move k3s (k3s_api_port)",
    ),
    _Rule(
        "no-default-route",
        r"no default routes? found|unable to select an IP from default routes",
        "the node has no default route, and k3s does not start without one",
        "set k3s_default_route_enabled to true, or add a route: ip route",
    ),
    _Rule(
        "interface",
        r"(?:unable|failed) to find (?:the )?interface (?:with name )?\"?(?P<seen>[\w.@-]+)"
        r"|no such network interface",
        "the interface of the cluster network is not there",
        "set my_iface to one that is: ip -brief address",
    ),
    _Rule(
        "disk-full",
        r"no space left on device",
        "a disk of this node is full",
        "make room: df -h /var/lib/rancher /run /var/lib/kubelet",
    ),
    _Rule(
        "cgroup",
        r"failed to find (?P<seen>\w+) cgroup|cgroup \(v\d\) \w+ controller",
        "the kernel lacks a control group that k3s needs",
        "add cgroup_memory=1 cgroup_enable=memory to the kernel's command line and boot",
    ),
    _Rule(
        "clock",
        r"certificate has expired or is not yet valid",
        "a certificate is out of its time, or this node's clock is wrong",
        "compare the clocks: timedatectl; k3s renews its own certificates when it is restarted "
        "within 120 days of their end",
    ),
    _Rule(
        "etcd-learner",
        r"too many learner members in cluster",
        "another server joins at this moment, and etcd takes one at a time",
        "run provision.yml again",
        LIKELY,
    ),
    _Rule(
        "not-authorized",
        r"not authorized|\b401\b|[Uu]nauthorized|invalid username/password",
        "{server} refused this node's token",
        "run provision.yml for the servers too, without --limit: they learn the token on the "
        "control node when they restart",
    ),
    _Rule(
        "default-runtime",
        r"default runtime (?P<seen>[\w.-]+) was not found",
        "k3s_default_runtime is {seen}, and this node has no container runtime of that name",
        "set has_gpu to true and run provision.yml, which installs NVIDIA's container toolkit; or "
        "set k3s_default_runtime to '' for this node",
    ),
    _Rule(
        _UNREACHABLE,
        r"connection refused|connection reset by peer|no route to host|network is unreachable"
        r"|i/o timeout|TLS handshake timeout|context deadline exceeded|Client\.Timeout exceeded"
        r"|: (?:unexpected )?EOF\b",
        "no answer from {server}",
        "try the way from this node: curl --insecure https://{server}/cacerts; then look at the "
        "server (systemctl status k3s) and at the firewalls between",
        LIKELY,
    ),
)
_COMPILED = tuple((re.compile(rule.pattern), rule) for rule in _RULES)
#: What a server answers, asked through the balancer on the agent's own loopback. The balancer
#: hangs up when it reaches no server, so that the line does not name the server's address.
_ASKED_BY_AGENTS = re.compile(r"failed to get CA certs|/cacerts\b|/v1-k3s/")
#: klog's and logrus's lines that tell of no trouble.
_CHATTER = re.compile(r'^(?:I\d{4} |time="[^"]*" level=(?:info|debug|trace) )|level=info ')

#: When a line was written, as logrus and klog have it.
_TIME = re.compile(r'^time="[^"]*" |^[IWEF]\d{4} [\d:.]+ +\d+ ')


def diagnose(lines: Sequence[str], situation: Situation) -> Optional[Diagnosis]:
    """Return the fault that the latest telling line names, None when no line does."""
    for line in reversed(lines):
        for pattern, rule in _COMPILED:
            found = pattern.search(line)
            if found and _fits(rule, line, situation):
                return _diagnosis(rule, found, situation)
    return None


def _fits(rule: _Rule, line: str, situation: Situation) -> bool:
    """Return whether the rule can hold: the first server joins nobody.

    A line that tells of no answer must be about the server, not about etcd, containerd or the
    node's own API, which answer late at every start.
    """
    if "{server}" in rule.what and not situation.server:
        return False
    if rule.code != _UNREACHABLE or situation.server in line:
        return True
    return situation.kind == "agent" and bool(_ASKED_BY_AGENTS.search(line))


def _diagnosis(rule: _Rule, found: re.Match[str], situation: Situation) -> Diagnosis:
    seen = found.groupdict().get("seen") or ""
    words = {
        "server": situation.server,
        "seen": seen,
        "seen_port": f":{seen.rpartition(':')[2]}",
    }
    return Diagnosis(rule.code, rule.what.format(**words), rule.fix.format(**words), rule.patience)


def telling(lines: Sequence[str], most: int) -> list[str]:
    """Return the last lines that tell of trouble, the last of all where none does.

    Of a line that comes again and again, as k3s tries again and again, only the last one is kept.
    """
    found: dict[str, str] = {}
    for line in lines:
        if line.strip():
            text = _TIME.sub("", line)
            found.pop(text, None)
            found[text] = line
    last = list(found.values())
    kept = [line for line in last if not _CHATTER.search(line) or _is_known(line)]
    return (kept or last)[-most:] if most > 0 else []


def _is_known(line: str) -> bool:
    return any(pattern.search(line) for pattern, _rule in _COMPILED)
