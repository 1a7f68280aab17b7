#!/usr/bin/python3
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for nvidia-ctk, for test nodes: CDI specifications and the engines' settings.

What differs from the real one in a specification is one mount: /run/lab-hardware, by which the
stand-in library in a container knows the simulated machine.
"""

from __future__ import annotations

import argparse
import ctypes
import glob
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

VERSION = "@VERSION@"
NO_SPECIFICATION = (
    "failed to generate CDI spec: failed to create device CDI specs: failed to initialize NVML"
)
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
DOCKER = Path("/etc/docker/daemon.json")
CONTAINERD = Path("/etc/containerd/conf.d/99-nvidia.toml")
CONTAINERD_MAIN = Path("/etc/containerd/config.toml")


def fail(text: str) -> NoReturn:
    """End with a message as the real program writes it."""
    sys.exit(f'time="2026-11-22T12:00:00Z" level=error msg="{text}"')


def gpus() -> list[tuple[int, str]]:
    """Return device file number and UUID of each GPU, asked of the driver's library."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        fail(f"{NO_SPECIFICATION}: ERROR_LIBRARY_NOT_FOUND")
    code = nvml.nvmlInit_v2()
    if code:
        name = {9: "ERROR_DRIVER_NOT_LOADED", 18: "ERROR_LIB_RM_VERSION_MISMATCH"}.get(
            code, "ERROR_UNKNOWN"
        )
        fail(f"{NO_SPECIFICATION}: {name}")
    count, found = ctypes.c_uint(), []
    nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
    for index in range(count.value):
        handle, minor = ctypes.c_void_p(), ctypes.c_uint()
        uuid = ctypes.create_string_buffer(96)
        if nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
            fail("failed to generate CDI spec: failed to get device handle: GPU is lost")
        nvml.nvmlDeviceGetMinorNumber(handle, ctypes.byref(minor))
        nvml.nvmlDeviceGetUUID(handle, uuid, 96)
        found.append((minor.value, uuid.value.decode()))
    return found


def device_nodes(*names: str) -> list[dict[str, str]]:
    """Return those device files that are there, as a specification has them."""
    return [{"path": name} for name in names if os.path.exists(name)]


def mount(name: str, kind: str = "rbind") -> dict[str, object]:
    """Return the entry for a file or folder that is the same in the container."""
    options = ["ro", "nosuid", "nodev", kind, "rprivate"]
    return {"hostPath": name, "containerPath": name, "options": options}


def specification() -> dict[str, object]:
    """Return the CDI specification of this machine."""
    found = gpus()
    numbers = {str(index): minor for index, (minor, _) in enumerate(found)}
    names = {uuid: minor for minor, uuid in found}
    devices = [
        {"name": name, "containerEdits": {"deviceNodes": device_nodes(f"/dev/nvidia{minor}")}}
        for name, minor in {**numbers, **names}.items()
    ]
    every = device_nodes(*(f"/dev/nvidia{minor}" for minor, _ in found))
    devices.append({"name": "all", "containerEdits": {"deviceNodes": every}})
    files = [os.path.realpath(f"{LIBRARIES}/{stem}.so.1") for stem in ("libnvidia-ml", "libcuda")]
    files += ["/usr/bin/nvidia-smi", "/run/nvidia-persistenced"]
    hook = {
        "hookName": "createContainer",
        "path": "/usr/bin/nvidia-cdi-hook",
        "args": ["nvidia-cdi-hook", "update-ldcache", "--folder", LIBRARIES],
    }
    shared = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
    edits = {
        "env": ["NVIDIA_VISIBLE_DEVICES=void"],
        "deviceNodes": device_nodes(*shared),
        "hooks": [hook],
        "mounts": [
            *(mount(name) for name in files if os.path.exists(name)),
            mount("/run/lab-hardware", "bind"),
        ],
    }
    return {
        "cdiVersion": "0.5.0",
        "kind": "nvidia.com/gpu",
        "devices": devices,
        "containerEdits": edits,
    }


def yaml(value: Any, depth: int = 0) -> str:
    """Return plain data as YAML."""
    gap = "    " * depth
    if isinstance(value, dict):
        return "".join(f"{gap}{key}:{inner(each, depth)}" for key, each in value.items())
    text = ""
    for each in value:
        if isinstance(each, dict):
            first, *rest = yaml(each, depth + 1).splitlines(True)
            text += f"{gap}  - {first.strip()}\n" + "".join(rest)
        else:
            text += f"{gap}  - {scalar(each)}\n"
    return text


def inner(value: Any, depth: int) -> str:
    """Return what stands after a key."""
    return (
        "\n" + yaml(value, depth + (1 if isinstance(value, dict) else 0))
        if isinstance(value, (dict, list))
        else f" {scalar(value)}\n"
    )


def scalar(value: object) -> str:
    """Return a single value; numbers in quotation marks where they are names."""
    return json.dumps(value) if re.fullmatch(r"[\d.]+", str(value)) else str(value)


def cdi(args: argparse.Namespace) -> None:
    """Write or list CDI specifications."""
    if args.action == "list":
        names = []
        for path in sorted(glob.glob("/etc/cdi/nvidia*") + glob.glob("/var/run/cdi/nvidia*")):
            names += re.findall(
                r'^\s*-?\s*"?name"?:\s*"?([\w-]+)', Path(path).read_text(), re.MULTILINE
            )
        print(
            f'time="2026-11-22T12:00:00Z" level=info msg="Found {len(names)} CDI devices"',
            file=sys.stderr,
        )
        print("".join(f"nvidia.com/gpu={name}\n" for name in names), end="")
        return
    data = specification()
    text = (
        json.dumps(data, indent=2) + "\n"
        if args.format == "json" or (args.output or "").endswith(".json")
        else "---\n" + yaml(data)
    )
    if not args.output:
        print(text, end="")
        return
    target = Path(args.output)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.write_text(text)
    new.rename(target)
    print(
        'time="2026-11-22T12:00:00Z" level=info msg="Generated CDI spec with version 0.5.0"',
        file=sys.stderr,
    )


def configure(args: argparse.Namespace) -> None:
    """Name the runtime in an engine's settings."""
    if args.runtime == "docker":
        path = Path(args.config or DOCKER)
        data = json.loads(path.read_text()) if path.exists() else {}
        data.setdefault("runtimes", {})["nvidia"] = {"args": [], "path": "nvidia-container-runtime"}
        if args.set_as_default:
            data["default-runtime"] = "nvidia"
        if args.cdi:
            data.setdefault("features", {})["cdi"] = True
        text = json.dumps(data, indent=4) + "\n"
    else:
        path = Path(args.config or CONTAINERD)
        default = '      default_runtime_name = "nvidia"\n' if args.set_as_default else ""
        plugin = 'plugins."io.containerd.grpc.v1.cri"'
        text = (
            f"version = 2\n\n[plugins]\n\n  [{plugin}]\n"
            + ("    enable_cdi = true\n" if args.cdi else "")
            + f"\n    [{plugin}.containerd]\n{default}\n"
            f"      [{plugin}.containerd.runtimes.nvidia]\n"
            '        runtime_type = "io.containerd.runc.v2"\n\n'
            f"        [{plugin}.containerd.runtimes.nvidia.options]\n"
            '          BinaryName = "/usr/bin/nvidia-container-runtime"\n'
        )
        if (
            not CONTAINERD_MAIN.exists()
            or "/etc/containerd/conf.d" not in CONTAINERD_MAIN.read_text()
        ):
            old = CONTAINERD_MAIN.read_text() if CONTAINERD_MAIN.exists() else "version = 2\n"
            CONTAINERD_MAIN.parent.mkdir(parents=True, exist_ok=True)
            CONTAINERD_MAIN.write_text('imports = ["/etc/containerd/conf.d/*.toml"]\n' + old)
    if args.dry_run:
        print(text, end="")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    print(
        f'time="2026-11-22T12:00:00Z" level=info msg="Wrote updated config to {path}"',
        file=sys.stderr,
    )


def main() -> None:
    """Carry out the command line."""
    parser = argparse.ArgumentParser(prog="nvidia-ctk", allow_abbrev=False)
    parser.add_argument("--version", "-v", action="store_true")
    parser.add_argument("--quiet", "-q", action="store_true")
    groups = parser.add_subparsers(dest="group")
    sub = groups.add_parser("cdi").add_subparsers(dest="action", required=True)
    generate = sub.add_parser("generate")
    generate.add_argument("--output")
    generate.add_argument("--format", default="yaml")
    for name in (
        "--mode",
        "--device-name-strategy",
        "--library-search-path",
        "--driver-root",
        "--nvidia-cdi-hook-path",
    ):
        generate.add_argument(name)
    sub.add_parser("list")
    change = (
        groups.add_parser("runtime")
        .add_subparsers(dest="action", required=True)
        .add_parser("configure")
    )
    change.add_argument("--runtime", choices=["docker", "containerd", "crio"], default="docker")
    change.add_argument("--config")
    change.add_argument("--drop-in-config", dest="config")
    change.add_argument("--set-as-default", "--nvidia-set-as-default", action="store_true")
    change.add_argument("--cdi.enabled", dest="cdi", action="store_true")
    change.add_argument("--dry-run", action="store_true")
    args = parser.parse_args()
    if args.version:
        print(
            f"NVIDIA Container Toolkit CLI version {VERSION}\n"
            "commit: stand-in for test nodes, made by tests/lab/gpu"
        )
        return
    actions = {"cdi": cdi, "runtime": configure}
    if args.group not in actions:
        parser.error("a command is missing")
    actions[args.group](args)


if __name__ == "__main__":
    main()
