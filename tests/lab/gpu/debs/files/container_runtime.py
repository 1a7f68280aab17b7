#!/usr/bin/python3
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for @NAME@, for test nodes: hands devices to a container, then is runc.

Which devices, says the container's environment: @VARIABLE@=all, numbers or UUIDs.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

VARIABLE = "@VARIABLE@"


def bundle_of(words: list[str]) -> Path:
    """Return the folder of the container that is to be created."""
    for number, word in enumerate(words):
        if word in ("--bundle", "-b"):
            return Path(words[number + 1])
        if word.startswith("--bundle="):
            return Path(word.split("=", 1)[1])
    return Path.cwd()


def specification() -> dict[str, Any]:
    """Return devices and edits as a CDI specification has them."""
    if VARIABLE == "NVIDIA_VISIBLE_DEVICES":
        done = subprocess.run(
            ["nvidia-ctk", "cdi", "generate", "--format=json"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = done.stderr.strip().rpartition(": ")[2]
            sys.exit(f"nvidia-container-cli: initialization error: {reason} (stand-in)")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    nodes = (
        sorted(str(path) for path in Path("/dev/dri").glob("renderD*"))
        if Path("/dev/kfd").exists()
        else []
    )
    one = [
        {"name": str(number), "containerEdits": {"deviceNodes": [{"path": path}]}}
        for number, path in enumerate(nodes)
    ]
    every = {"name": "all", "containerEdits": {"deviceNodes": [{"path": path} for path in nodes]}}
    shared = [{"path": "/dev/kfd"}] if nodes else []
    folder = {
        "hostPath": "/run/lab-hardware",
        "containerPath": "/run/lab-hardware",
        "options": ["ro", "bind"],
    }
    return {"devices": [*one, every], "containerEdits": {"deviceNodes": shared, "mounts": [folder]}}


def wanted(environment: list[str]) -> list[str]:
    """Return the names of the devices that the container asks for."""
    values = [row.split("=", 1)[1] for row in environment if row.startswith(f"{VARIABLE}=")]
    value = values[-1] if values else ""
    return [] if value in ("", "void", "none") else value.split(",")


def edit(config: dict[str, Any], edits: dict[str, Any]) -> None:
    """Add devices, mounts, hooks and variables to a container's settings."""
    linux = config.setdefault("linux", {})
    for node in edits.get("deviceNodes", []):
        found = os.stat(node["path"])
        numbers = {"major": os.major(found.st_rdev), "minor": os.minor(found.st_rdev)}
        linux.setdefault("devices", []).append(
            {
                "path": node["path"],
                "type": "c",
                **numbers,
                "fileMode": stat.S_IMODE(found.st_mode),
                "uid": found.st_uid,
                "gid": found.st_gid,
            }
        )
        linux.setdefault("resources", {}).setdefault("devices", []).append(
            {"allow": True, "type": "c", **numbers, "access": "rwm"}
        )
    for mount in edits.get("mounts", []):
        config.setdefault("mounts", []).append(
            {
                "destination": mount["containerPath"],
                "source": mount["hostPath"],
                "type": "bind",
                "options": mount["options"],
            }
        )
    for hook in edits.get("hooks", []):
        config.setdefault("hooks", {}).setdefault(hook["hookName"], []).append(
            {"path": hook["path"], "args": hook["args"]}
        )


def main() -> None:
    """Change the settings where a container is created, then become runc."""
    words = sys.argv[1:]
    if words == ["--version"]:
        print("@NAME@: a stand-in for test nodes, made by tests/lab/gpu", file=sys.stderr)
    if "create" in words or "run" in words:
        path = bundle_of(words) / "config.json"
        config = json.loads(path.read_text())
        names = wanted(config.get("process", {}).get("env", []))
        if names:
            data = specification()
            devices = {device["name"]: device["containerEdits"] for device in data["devices"]}
            for name in names:
                if name not in devices:
                    sys.exit(
                        f"nvidia-container-cli: device error: {name}: unknown device (stand-in)"
                    )
                edit(config, devices[name])
            edit(config, data["containerEdits"])
            path.write_text(json.dumps(config))
    runc = shutil.which("runc") or "/usr/sbin/runc"
    os.execv(runc, [runc, *words])  # noqa: S606 (it becomes runc)


if __name__ == "__main__":
    main()
