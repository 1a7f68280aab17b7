# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the stand-in for k3s."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from tests.lab.k3s.standin import payload
from tests.lab.k3s.standin.log import FatalError, log

DATA_DIR = "/var/lib/rancher/k3s"
ALIASES = ("kubectl", "crictl", "ctr")
HELP = """NAME:
   k3s - Kubernetes, but small and simple (a stand-in for tests; it runs no containers)

USAGE:
   k3s [global options] command [command options] [arguments...]

COMMANDS:
   server           Run management server
   agent            Run node agent
   kubectl          Run kubectl
   crictl           Run crictl
   ctr              Run ctr
   check-config     Run config check
   token            Manage tokens
   etcd-snapshot    Manage etcd snapshots
   secrets-encrypt  Control secrets encryption and keys rotation
   certificate      Manage K3s certificates
   help, h          Shows a list of commands or help for one command
"""
Command = Callable[[Sequence[str]], int]
RUNNING = ("server", "agent")
TOOLS = (
    "crictl",
    "ctr",
    "check-config",
    "token",
    "etcd-snapshot",
    "secrets-encrypt",
    "certificate",
)


def command(name: str) -> Command | None:
    """Return what carries out a command; only what it needs is loaded."""
    if name == "kubectl":
        return kubectl
    if name in RUNNING:
        module = importlib.import_module(
            "tests.lab.k3s.standin." + ("run" if name == "agent" else "run_server")
        )
        return cast(Command, getattr(module, name))
    if name in TOOLS:
        module = importlib.import_module("tests.lab.k3s.standin.tools")
        return cast(Command, getattr(module, name.replace("-", "_")))
    return None


def main(argv: Sequence[str]) -> int:
    """Carry out a command and return its exit status."""
    called = Path(argv[0]).name
    words = list(argv[1:])
    if called in ALIASES:
        words = [called, *words]
    if not words or words[0] in ("help", "h", "--help", "-h"):
        print(HELP, end="")
        return 0
    if words[0] in ("--version", "-v"):
        print(payload.version_text(payload.about()), end="")
        return 0
    try:
        carry_out = command(words[0])
        return carry_out(words[1:]) if carry_out else _unknown(words[0])
    except FatalError as error:
        if str(error).startswith(("flag ", "invalid ")):
            print(f"Incorrect Usage: {error}\n")
        log("fatal", str(error))
        return 1
    except OSError as error:
        log("fatal", str(error))
        return 1
    except KeyboardInterrupt:
        return 130


def _unknown(word: str) -> int:
    if word.startswith("-"):
        name = word.lstrip("-").partition("=")[0]
        print(f"Incorrect Usage: flag provided but not defined: -{name}\n\n{HELP}")
        log("fatal", f"flag provided but not defined: -{name}")
        return 1
    print(f"No help topic for '{word}'", file=sys.stderr)
    return 3


def kubectl(words: Sequence[str]) -> int:
    """Become the real kubectl, with the server's kubeconfig unless another is named."""
    binaries = payload.unpack(Path(os.environ.get("K3S_DATA_DIR") or DATA_DIR))
    environment = dict(os.environ)
    if not environment.get("KUBECONFIG") and "--kubeconfig" not in " ".join(words):
        environment["KUBECONFIG"] = "/etc/rancher/k3s/k3s.yaml"
        if not os.access(environment["KUBECONFIG"], os.R_OK):
            path = environment["KUBECONFIG"]
            why = "permission denied" if os.path.exists(path) else "no such file or directory"
            log(
                "warning",
                f"Unable to read {path}, please start server with "
                f"--write-kubeconfig-mode or --write-kubeconfig-group to modify kube config "
                f"permissions ({why})",
            )
    sys.stdout.flush()
    os.execve(binaries / "kubectl", ["kubectl", *words], environment)  # noqa: S606
