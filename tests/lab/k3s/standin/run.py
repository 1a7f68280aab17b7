# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`k3s agent`, and what starting an agent and a server have in common."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence

from tests.lab.k3s.standin import config, files, node, payload, tokens
from tests.lab.k3s.standin.agent import Agent, Identity
from tests.lab.k3s.standin.config import Settings
from tests.lab.k3s.standin.log import FatalError, info

BALANCER_PORT = 6444


def notify(state: str) -> None:
    """Tell systemd how the service stands (sd_notify)."""
    where = os.environ.pop("NOTIFY_SOCKET", "")
    if not where:
        return
    target = "\0" + where[1:] if where.startswith("@") else where
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect(target)
        out.send(state.encode())


def agent(argv: Sequence[str]) -> int:
    """Run an agent until SIGTERM."""
    settings = config.load("agent", argv)
    token = files.read_token(settings.text("token"), settings.text("token-file"))
    if not token:
        raise FatalError("--token is required")
    url = settings.text("server")
    if not url:
        raise FatalError("--server is required")
    started("agent")
    tokens.parse(token)
    name, address = identity_of(settings)
    node.check_interface(settings.text("flannel-iface"))
    node.check_free(settings.number("lb-server-port", BALANCER_PORT), "127.0.0.1")
    binaries = payload.unpack(settings.data_dir)
    files.private(settings.data_dir / "agent")
    identity = Identity(name, address, payload.about()["version"], url, token)
    worker = Agent(identity, settings, binaries)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop.set())
    balancer = listen(settings.number("lb-server-port", BALANCER_PORT))

    def ready() -> None:
        info("k3s agent is up and running")
        notify("READY=1\n")

    worker.run(ready)
    balancer.close()
    return 0


def started(command: str) -> None:
    facts = payload.about()
    if os.geteuid() != 0:
        raise FatalError(f"{command} must run as root, or with --rootless and/or --disable-agent")
    info(
        f"Starting k3s {'agent ' if command == 'agent' else ''}{facts['version']} "
        f"({facts['data'][:8]})"
    )


def identity_of(settings: Settings) -> tuple[str, str]:
    given = settings.first("node-ip")
    return node.node_name(settings.text("node-name")), node.node_address(given)


def listen(port: int) -> socket.socket:
    node.check_free(port, "127.0.0.1")
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(16)
    return made
