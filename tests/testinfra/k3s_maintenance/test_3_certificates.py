# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that k3s has on each node are replaced."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.testinfra.k3s_maintenance.support import (
    LAB,
    NODES,
    SECOND,
    SERVER,
    THIRD,
    K3s,
    play,
    prose,
    shims,
    unit_started,
)
from tests.testinfra.playbooks import changes

DATA = "/var/lib/rancher/k3s"
TLS = f"{DATA}/server/tls"
UNITS = ("k3s", "k3s-agent", "k3s-agent")
#: Certificates of each node, and what signs them.
MADE_ANEW = (
    [f"{TLS}/client-admin.crt", f"{TLS}/serving-kube-apiserver.crt"],
    [f"{DATA}/agent/serving-kubelet.crt"],
    [f"{DATA}/agent/serving-kubelet.crt"],
)
KEPT = f"{TLS}/server-ca.crt {TLS}/server-ca.key {TLS}/client-ca.crt {TLS}/service.key"
_AWAY = re.compile(r"([\w-]+) has new certificates; .*? was away for (\d+\.\d) s")


def digests(nodes: list[Any]) -> list[str]:
    """Return the digest of each certificate, with the name of its file."""
    return [
        line
        for node, paths in zip(nodes, MADE_ANEW, strict=True)
        for line in node.check_output(f"sha256sum {' '.join(paths)}").splitlines()
    ]


def kubeconfig(inventory: Path) -> Path:
    """Return the administrator's kubeconfig on the control node."""
    return inventory.parent / "secrets" / LAB / "kubeconfig"


def backups(nodes: list[Any]) -> list[int]:
    """Return how many copies of former certificates each node has."""
    return [int(node.check_output(f"ls -d {DATA}/*/tls-* 2>/dev/null | wc -l")) for node in nodes]


def works(server: Any, config: Path) -> bool:
    """Return whether a kubeconfig of the control node opens the API, tried on the server."""
    text = config.read_text()
    server.check_output(f"umask 077; cat > /run/admin.yaml <<'END'\n{text}\nEND")
    done = server.run("k3s kubectl --kubeconfig=/run/admin.yaml get secrets -A")
    server.check_output("rm /run/admin.yaml")
    return bool(done.rc == 0)


@pytest.fixture(scope="module", autouse=True)
def _web(k3s: K3s) -> Any:
    """Have a pod on an agent, which must go on."""
    k3s.run_web(SECOND)
    yield
    k3s.end_web()


def test_check_mode_says_what_would_be_done(inventory: Path, nodes: list[Any]) -> None:
    before, began = digests(nodes), [unit_started(*each) for each in zip(nodes, UNITS, strict=True)]
    code, said = play(inventory, "rotate_k3s_certificates.yml", "--check")
    assert code == 0
    assert sorted(changes(said)) == list(NODES)
    assert digests(nodes) == before
    assert [unit_started(*each) for each in zip(nodes, UNITS, strict=True)] == began


def test_every_node_gets_new_certificates_and_pods_go_on(
    inventory: Path, k3s: K3s, nodes: list[Any]
) -> None:
    before, kept = digests(nodes), nodes[0].check_output(f"sha256sum {KEPT}")
    pods, web = [shims(node) for node in nodes[:2]], k3s.web()
    config, copies = kubeconfig(inventory).read_text(), backups(nodes)
    code, said = play(inventory, "rotate_k3s_certificates.yml")
    assert code == 0
    away = dict(_AWAY.findall(prose(said)))
    assert list(away) == [SERVER, SECOND, THIRD]
    assert all(0 < float(seconds) < 120 for seconds in away.values())
    assert "and so was the API" in prose(said)
    assert set(digests(nodes)).isdisjoint(before)
    assert nodes[0].check_output(f"sha256sum {KEPT}") == kept
    assert ([shims(node) for node in nodes[:2]], k3s.web()) == (pods, web)
    assert k3s.ready() == list(NODES)
    assert backups(nodes) == [count + 1 for count in copies]
    assert kubeconfig(inventory).read_text() != config
    assert works(nodes[0], kubeconfig(inventory))


def test_the_api_shows_the_new_certificate(nodes: list[Any]) -> None:
    shown = nodes[0].check_output(
        "openssl s_client -connect 127.0.0.1:6443 </dev/null 2>/dev/null | openssl x509"
    )
    there = nodes[0].check_output(f"openssl x509 -in {TLS}/serving-kube-apiserver.crt")
    assert shown == there


def test_provision_finds_nothing_to_do_afterwards(inventory: Path) -> None:
    code, said = play(inventory, "provision.yml")
    assert (code, changes(said)) == (0, {})


def test_a_run_that_is_killed_with_k3s_stopped_is_made_good(
    inventory: Path, k3s: K3s, nodes: list[Any]
) -> None:
    # What a run leaves that was killed between the steps of the module.
    nodes[0].check_output("systemctl stop k3s && k3s certificate rotate")
    assert play(inventory, "rotate_k3s_certificates.yml")[0] == 0
    assert k3s.ready() == list(NODES)
    assert works(nodes[0], kubeconfig(inventory))


def test_a_node_that_fails_ends_the_run_and_the_next_ones_are_as_before(
    inventory: Path, k3s: K3s, nodes: list[Any]
) -> None:
    # Another program where the agent listens, as a mistake of an owner's would have it.
    before = digests(nodes)[-1]
    drop_in = "/run/systemd/system/k3s-agent.service.d"
    nodes[1].check_output(
        f"mkdir -p {drop_in} && printf '[Service]\\nExecStartPre=/bin/false\\n' > {drop_in}/t.conf"
        " && systemctl daemon-reload"
    )
    code, said = play(inventory, "rotate_k3s_certificates.yml")
    nodes[1].check_output(f"rm -r {drop_in} && systemctl daemon-reload")
    assert code != 0
    assert f"fatal: [{SECOND}]" in said
    assert "run rotate_k3s_certificates.yml again" in prose(said)
    assert "Traceback" not in said
    assert digests([nodes[0], nodes[2], nodes[2]])[-1] == before
    assert play(inventory, "rotate_k3s_certificates.yml")[0] == 0
    assert k3s.ready() == list(NODES)
    assert digests(nodes)[-1] != before
