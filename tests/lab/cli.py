# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the lab."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from tests.lab import artifacts, control, engine, images, lifecycle
from tests.lab.gpu.machine import (
    DEFAULT_MODEL,
    MODELS,
    parse_assignments,
    parse_counts,
    render,
)
from tests.lab.paths import DEFAULT_NAME
from tests.lab.platforms import PLATFORMS
from tests.lab.shell import LabError, warn
from tests.lab.topology import DEFAULT_OS


def parser() -> argparse.ArgumentParser:
    """Return the parser of `python3 -m tests.lab`."""
    top = argparse.ArgumentParser(
        prog="python3 -m tests.lab", description="Test nodes: containers with systemd and sshd"
    )
    commands = top.add_subparsers(dest="command", required=True)
    start = commands.add_parser(
        "up", help="boot nodes and write their inventory; harmless when they are up"
    )
    _add_name(start)
    start.add_argument(
        "--nodes", type=int, metavar="N", help="number of nodes (default: as it is, or 3)"
    )
    start.add_argument(
        "--os",
        type=platforms,
        default=(),
        metavar="NAME[,NAME...]",
        help="platforms that the nodes take in turn (default: as it is, or debian13)",
    )
    start.add_argument(
        "--runtime", choices=["container", "venv"], help="write ray_runtime into the inventory"
    )
    start.add_argument(
        "--gpus",
        type=counts,
        default=(),
        metavar="N[,N...]",
        help="simulated GPUs that the nodes have, in turn (default: as it is, or none)",
    )
    start.add_argument(
        "--gpu-model",
        choices=sorted(MODELS),
        default=DEFAULT_MODEL,
        help="their model (default: %(default)s)",
    )
    start.add_argument(
        "--ssh-ports",
        type=ports,
        default=(),
        metavar="N[,N...]",
        help="loopback ports at which the nodes' sshd answers, one for each (default: free ones)",
    )
    start.add_argument(
        "--no-ray-image",
        action="store_true",
        help="do not build the Ray image and wheels (what has been built is still handed over)",
    )
    for command, text in (
        ("down", "remove nodes, networks, volumes and files"),
        ("status", "say how nodes stand"),
    ):
        sub = commands.add_parser(command, help=text)
        _add_name(sub)
        sub.add_argument("--all", action="store_true", help="every lab on this machine")
    for command, text in (
        ("image", "build the node image"),
        ("ray-image", "build the stand-in for the Ray image and save it as an archive"),
        ("wheels", "download Ray's wheels for the nodes' Python"),
    ):
        sub = commands.add_parser(command, help=text)
        sub.add_argument("--os", choices=sorted(PLATFORMS), default=DEFAULT_OS)
        if command == "wheels":
            sub.add_argument(
                "--ray-version",
                default=artifacts.RAY_VERSION,
                help="another one lies in a folder of its own (default: %(default)s)",
            )
    commands.add_parser(
        "clean", help="remove every lab, all images and caches, and the engine that the lab started"
    )
    inside = commands.add_parser("exec", help="run a command inside a node, past SSH")
    _add_name(inside)
    inside.add_argument("node")
    inside.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- command")
    for command, text in (
        ("power-off", "cut a node's power"),
        ("power-on", "switch a node on and wait for its systemd"),
        ("pause", "freeze a node"),
        ("unpause", "let a frozen node go on"),
    ):
        sub = commands.add_parser(command, help=text)
        _add_name(sub)
        sub.add_argument("node")
    _add_gpu(commands)
    return top


def _add_gpu(commands: Any) -> None:
    change = commands.add_parser("gpu", help="show or change a node's simulated GPUs")
    _add_name(change)
    change.add_argument("node")
    change.add_argument(
        "--set",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings, as in gpu.1.fault=lost; no value removes one (tests/lab/gpu/README.md)",
    )
    change.add_argument("--reset", action="store_true", help="as healthy as `up` made them")
    serve = commands.add_parser(
        "gpu-repository", help="let a node serve stand-ins of the GPU vendors' packages"
    )
    _add_name(serve)
    serve.add_argument("node")


def counts(text: str) -> tuple[int, ...]:
    """Return numbers of GPUs, with commas between them."""
    try:
        return parse_counts(text)
    except LabError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def ports(text: str) -> tuple[int, ...]:
    """Return the ports that are named, with commas between them."""
    words = text.split(",")
    if not all(word.isdigit() and 1024 <= int(word) <= 65535 for word in words):
        raise argparse.ArgumentTypeError(f"{text} is no list of ports from 1024 to 65535")
    if len(set(words)) < len(words):
        raise argparse.ArgumentTypeError(f"{text} names a port twice")
    return tuple(int(word) for word in words)


def platforms(text: str) -> tuple[str, ...]:
    """Return the platforms that are named, with commas between them."""
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in PLATFORMS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown)} is none of {', '.join(sorted(PLATFORMS))}"
        )
    return names


def _add_name(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--name", default=DEFAULT_NAME, help="which lab (default: %(default)s)")


def main(argv: Sequence[str]) -> int:
    """Carry out a command and return its exit status."""
    args = parser().parse_args(argv)
    try:
        if (
            args.command in ("down", "status", "clean")
            and not engine.engine_answers()
            and not engine.was_started()
        ):
            print("no Docker Engine runs, so no lab is up")
            return 0
        engine.ensure_engine()
        return carry_out(args)
    except LabError as error:
        warn(str(error))
        return 1
    except KeyboardInterrupt:
        warn("interrupted; run the same command again, it takes up what was left")
        return 130


def carry_out(args: argparse.Namespace) -> int:
    """Carry out a parsed command against a running engine."""
    outcome = ACTIONS[args.command](args)
    if isinstance(outcome, str):
        print(outcome)
    return outcome if isinstance(outcome, int) else 0


def _up(args: argparse.Namespace) -> None:
    wish = lifecycle.Wish(
        args.name,
        args.nodes,
        args.os,
        args.runtime,
        not args.no_ray_image,
        args.gpus,
        args.gpu_model,
        args.ssh_ports,
    )
    lifecycle.up(wish)


def _down(args: argparse.Namespace) -> None:
    for name in lifecycle.all_labs() if args.all else [args.name]:
        lifecycle.down(name)


def _status(args: argparse.Namespace) -> str:
    return lifecycle.status(lifecycle.all_labs() if args.all else [args.name])


def _image(args: argparse.Namespace) -> str:
    return images.ensure_node_image(images.platform_called(args.os))


def _ray_image(args: argparse.Namespace) -> str:
    return str(artifacts.ensure_ray_image(images.platform_called(args.os)))


def _wheels(args: argparse.Namespace) -> str:
    return str(artifacts.ensure_wheels(images.platform_called(args.os), args.ray_version))


def _clean(_: argparse.Namespace) -> str:
    lifecycle.clean()
    engine.stop_own_engine()
    return (
        "removed every lab, the lab's images and caches, and the engine if the lab had started it"
    )


def run_inside(args: argparse.Namespace) -> int:
    """Run a command inside a node and pass on what it prints and how it exits."""
    words = args.argv[1:] if args.argv[:1] == ["--"] else args.argv
    if not words:
        raise LabError(
            "no command given; write it after --, as in: exec node1 -- systemctl --failed"
        )
    done = control.exec(args.node, words, lab=args.name)
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.rc


def _gpu(args: argparse.Namespace) -> str:
    wishes = parse_assignments(args.set)
    return render(control.gpus(args.node, wishes, reset=args.reset, lab=args.name)).rstrip()


def _gpu_repository(args: argparse.Namespace) -> str:
    """Return the roles' inputs that name the repositories, as an inventory has them."""
    inputs = control.gpu_repository(args.node, lab=args.name).inputs()
    return "\n".join(f"{key}={value}" for key, value in inputs.items())


ACTIONS: dict[str, Callable[[argparse.Namespace], int | str | None]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "image": _image,
    "ray-image": _ray_image,
    "wheels": _wheels,
    "clean": _clean,
    "exec": run_inside,
    "gpu": _gpu,
    "gpu-repository": _gpu_repository,
    "power-off": lambda args: control.power_off(args.node, lab=args.name),
    "power-on": lambda args: control.power_on(args.node, lab=args.name),
    "pause": lambda args: control.pause(args.node, lab=args.name),
    "unpause": lambda args: control.unpause(args.node, lab=args.name),
}
