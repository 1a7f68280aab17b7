#!/usr/bin/python3
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for amd-ctk, for test nodes: names the runtime `amd` in Docker's settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

words = sys.argv[1:]
if words == ["--version"]:
    sys.exit(print("amd-ctk version @VERSION@ (a stand-in for test nodes, made by tests/lab/gpu)"))
if words[:2] == ["cdi", "generate"]:
    nodes = (
        sorted(str(path) for path in Path("/dev/dri").glob("renderD*"))
        if Path("/dev/kfd").exists()
        else []
    )
    devices = [
        {"name": str(number), "containerEdits": {"deviceNodes": [{"path": path}]}}
        for number, path in enumerate(nodes)
    ]
    devices.append(
        {"name": "all", "containerEdits": {"deviceNodes": [{"path": path} for path in nodes]}}
    )
    data = {
        "cdiVersion": "0.6.0",
        "kind": "amd.com/gpu",
        "devices": devices,
        "containerEdits": {
            "deviceNodes": [{"path": "/dev/kfd"}],
            "mounts": [
                {
                    "hostPath": "/run/lab-hardware",
                    "containerPath": "/run/lab-hardware",
                    "options": ["ro", "bind"],
                }
            ],
        },
    }
    target = Path(
        next(
            (word.split("=", 1)[1] for word in words if word.startswith("--output=")),
            "/etc/cdi/amd.json",
        )
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(data, indent=2) + "\n")
elif words[:2] == ["runtime", "configure"]:
    path = Path("/etc/docker/daemon.json")
    engine = json.loads(path.read_text()) if path.exists() else {}
    engine.setdefault("runtimes", {})["amd"] = {"args": [], "path": "amd-container-runtime"}
    engine.setdefault("features", {})["cdi"] = True
    if "--set-as-default" in words:
        engine["default-runtime"] = "amd"
    if "--remove" in words:
        engine["runtimes"].pop("amd")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(engine, indent=4) + "\n")
else:
    sys.exit("amd-ctk (stand-in): knows `runtime configure` and `cdi generate`")
