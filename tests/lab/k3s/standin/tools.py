# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smaller commands: crictl, ctr, token, etcd-snapshot and the like."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab.k3s.standin import agent_machine, certificates, config, files, images, node, tokens
from tests.lab.k3s.standin.log import FatalError

DATA = Path(config.DATA_DIR)
SNAPSHOTS = "server/db/snapshots"
LOCAL = "https://127.0.0.1:6443"


def imported() -> list[str]:
    """Return the images that this node has."""
    return images.known(DATA / "agent" / ".imported")


def crictl(argv: Sequence[str]) -> int:
    """`crictl images|ps|info|version`, with -o json where the real one has it."""
    words = [word for word in argv if not word.startswith("-")]
    if not agent_machine.answers():
        where = f"unix://{agent_machine.SOCKET}"
        print(
            f'level=fatal msg="validate service connection: validate CRI v1 runtime API for '
            f'endpoint \\"{where}\\": rpc error: code = Unavailable"',
            file=sys.stderr,
        )
        return 1
    command = words[0] if words else "help"
    if command in ("images", "image", "img"):
        return _images("json" in words or "--output=json" in argv)
    if command == "ps":
        print(
            "CONTAINER           IMAGE               CREATED             STATE               NAME"
        )
        for sandbox in sorted(agent_machine.running()):
            print(f"{sandbox[:13]}       -                   -                   Running")
        return 0
    if command == "info":
        state = [{"type": "RuntimeReady", "status": True}, {"type": "NetworkReady", "status": True}]
        print(json.dumps({"status": {"conditions": state}}, indent=2))
        return 0
    print(f"crictl: the stand-in does not know {command}", file=sys.stderr)
    return 1


def _images(as_json: bool) -> int:
    names = imported()
    if as_json:
        rows = [{"id": images.identity(name), "repoTags": [name], "size": "1024"} for name in names]
        print(json.dumps({"images": rows}, indent=2))
        return 0
    print(f"{'IMAGE':60} {'TAG':30} {'IMAGE ID':20} SIZE")
    for name in names:
        path, _, tag = name.rpartition(":")
        print(f"{path:60} {tag:30} {images.identity(name)[7:20]:20} 1.02kB")
    return 0


def ctr(argv: Sequence[str]) -> int:
    """`ctr images ls [-q]` and `ctr version`."""
    words = [word for word in argv if not word.startswith("-")]
    if words[:1] == ["version"]:
        print("Client:\n  Version:  v2.1.4-k3s1")
        return 0
    if not agent_machine.answers():
        print(f"ctr: failed to dial {agent_machine.SOCKET}: connection error", file=sys.stderr)
        return 1
    if words[:2] in (["images", "ls"], ["image", "ls"], ["i", "ls"], ["images", "list"]):
        if "-q" not in argv:
            print("REF TYPE DIGEST SIZE PLATFORMS LABELS")
        for name in imported():
            print(name)
        return 0
    print(f"ctr: the stand-in does not know {' '.join(words)}", file=sys.stderr)
    return 1


def check_config(argv: Sequence[str]) -> int:
    """`k3s check-config`: here it only says that the stand-in needs nothing of the kernel."""
    del argv
    print("Verifying binaries in the data folder:\n- stand-in: good\n\nSTATUS: pass")
    return 0


def options(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return words and --name value pairs of a command line."""
    words: list[str] = []
    found: dict[str, str] = {}
    rest = list(argv)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            words.append(word)
            continue
        name, given, value = word.lstrip("-").partition("=")
        found[name] = value if given or not rest or rest[0].startswith("-") else rest.pop(0)
    return words, found


def _server_access(given: dict[str, str]) -> tuple[tokens.Access, Path]:
    data = Path(given.get("data-dir") or config.DATA_DIR)
    kept = data / "server" / "token"
    text = given.get("token") or (kept.read_text().strip() if kept.exists() else "")
    if not text:
        raise FatalError("failed to read token: no server token on this node")
    try:
        return tokens.connect(given.get("server") or _local(data), text, "server"), data
    except tokens.AnswerError as error:
        raise FatalError(str(error)) from error


def _local(data: Path) -> str:
    path = data / "server/cred/admin.kubeconfig"
    if path.exists():
        clusters = config.read_mapping(path)["clusters"]
        return str(clusters[0]["cluster"]["server"])
    return LOCAL


def token(argv: Sequence[str]) -> int:
    """`k3s token rotate|list|generate`."""
    words, given = options(argv)
    command = words[0] if words else ""
    if command == "generate":
        print(f"{secrets.token_hex(3)}.{secrets.token_hex(8)}")
        return 0
    if command == "list":
        print("TOKEN     TTL       EXPIRES   USAGES    DESCRIPTION")
        return 0
    if command != "rotate":
        print(f"No help topic for '{command}'", file=sys.stderr)
        return 3
    access, _data = _server_access(given)
    new = tokens.parse(given.get("new-token") or secrets.token_hex(16)).password
    try:
        access.request("PUT", "/v1-k3s/token", {"newToken": new})
    except tokens.AnswerError as error:
        raise FatalError(f"failed to rotate token: {error}") from error
    print("Token rotated, restart k3s nodes with new token")
    return 0


def etcd_snapshot(argv: Sequence[str]) -> int:
    """`k3s etcd-snapshot save|ls`."""
    words, given = options(argv)
    command = words[0] if words else "save"
    data = Path(given.get("data-dir") or config.DATA_DIR)
    folder = Path(given.get("dir") or given.get("etcd-snapshot-dir") or data / SNAPSHOTS)
    if command in ("ls", "list", "l"):
        print(f"{'Name':60} {'Location':80} {'Size':8} Created")
        for path in sorted(folder.glob("*")):
            print(f"{path.name:60} file://{path!s:73} {path.stat().st_size:<8} -")
        return 0
    if command != "save":
        print(f"No help topic for '{command}'", file=sys.stderr)
        return 3
    access, _ = _server_access(given)
    try:
        state: Any = access.request("GET", "/v1-k3s/etcd/snapshot")
    except tokens.AnswerError as error:
        raise FatalError(f"see server log for details: {error}") from error
    name = f"{given.get('name') or 'on-demand'}-{node.node_name('')}-{int(time.time())}"
    files.private(folder)
    files.write(folder / name, json.dumps(state) if not isinstance(state, bytes) else state)
    print(f"Snapshot {name} saved.")
    return 0


def secrets_encrypt(argv: Sequence[str]) -> int:
    """`k3s secrets-encrypt status`."""
    words, _ = options(argv)
    if words[:1] != ["status"]:
        print(f"the stand-in does not know secrets-encrypt {' '.join(words)}", file=sys.stderr)
        return 1
    if (DATA / "server/cred/encryption-config.json").exists():
        print(
            "Encryption Status: Enabled\nCurrent Rotation Stage: start\n"
            "Server Encryption Hashes: All hashes match\n\n"
            "Active  Key Type  Name\n------  --------  ----\n *      AES-CBC   aescbckey"
        )
    else:
        print("Encryption Status: Disabled, no configuration file found")
    return 0


def certificate(argv: Sequence[str]) -> int:
    """`k3s certificate check|rotate`."""
    return certificates.command(argv, *options(argv))
