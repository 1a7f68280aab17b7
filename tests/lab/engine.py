# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes sure that a Docker Engine answers, and starts one where there is no service manager."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tests.lab.shell import LabError, check, lock, run, say, stream

DATA_ROOT = Path("/var/lib/rackforge-lab/docker")
LOG = Path("/var/log/rackforge-lab-dockerd.log")
PID_FILES = (
    (Path("/var/run/docker.pid"), "dockerd"),
    (Path("/var/run/docker/containerd/containerd.pid"), "containerd"),
)
OUR_PID = Path("/var/lib/rackforge-lab/dockerd.pid")
# Labs that boot at the same time would start two engines; apt-get refuses to run twice. The second
# lock is that of scripts/browser-setup, too.
ENGINE_LOCK = Path("/var/lib/rackforge-lab/engine.lock")
APT_LOCK = Path("/var/lib/rackforge-lab/apt.lock")
START_TIMEOUT_SECONDS = 60
# What a minimal machine may lack, with the package that has it. The packet filter of a node is read
# and broken with this machine's nft and iptables, in the node's network.
PROGRAMS = (
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("ss", "iproute2"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
)


def ensure_engine() -> None:
    """Return once `docker info` answers; install and start the engine if need be and allowed."""
    alone = os.geteuid() == 0
    with lock(ENGINE_LOCK, "the Docker Engine") if alone else contextlib.nullcontext():
        _ensure_engine()


def _ensure_engine() -> None:
    missing = sorted({package for program, package in PROGRAMS if not shutil.which(program)})
    if missing:
        install(missing)
    if engine_answers():
        return
    if os.geteuid() != 0:
        raise LabError(
            "no Docker Engine answers and this user is not root: install one with "
            "`sudo apt-get install docker.io debootstrap`, start it, and join the group docker"
        )
    if not shutil.which("dockerd"):
        install(["docker.io"])
    if not shutil.which("docker"):
        install(["docker-cli"])
    if Path("/run/systemd/system").is_dir():
        _start_by_systemd()
    elif not engine_answers():
        _start_ourselves()


def engine_answers() -> bool:
    """Whether a Docker Engine answers this user."""
    # Older clients exit 0 without an engine, but then know no server version.
    done = run(["docker", "info", "--format", "{{.ServerVersion}}"], timeout=20)
    return done.ok and bool(done.stdout.strip())


def install(packages: list[str]) -> None:
    """Install Debian packages when root, or say which are missing."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LabError(
            f"missing programs: install the packages {', '.join(packages)} and try again"
        )
    say(f"installing {' '.join(packages)} with apt-get")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    with lock(APT_LOCK, "apt-get"):
        stream(["apt-get", "update", "-q"], LOG)
        stream(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], LOG)


def _start_by_systemd() -> None:
    say("starting docker.service")
    check(["systemctl", "start", "docker.service"])
    if not engine_answers():
        raise LabError(
            "docker.service runs but `docker info` fails; look at: journalctl -u docker.service, "
            "and at the variables DOCKER_HOST and DOCKER_CONTEXT"
        )


def _start_ourselves() -> None:
    for path, program in PID_FILES:
        drop_stale_pid_file(path, program)
    DATA_ROOT.mkdir(parents=True, exist_ok=True)
    argv = ["dockerd", "--data-root", str(DATA_ROOT), "--mtu", str(uplink_mtu())]
    say(
        f"no Docker Engine answers and there is no systemd: "
        f"starting `{' '.join(argv)}`, log in {LOG}"
    )
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    OUR_PID.write_text(f"{process.pid}\n")
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if engine_answers():
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    tail = "\n".join(LOG.read_text(errors="replace").splitlines()[-10:])
    raise LabError(
        f"dockerd did not answer within {START_TIMEOUT_SECONDS} s; the end of {LOG}:\n{tail}"
    )


def drop_stale_pid_file(path: Path, program: str) -> bool:
    """Remove a pid file unless its process is the program that wrote it; return whether it went.

    dockerd refuses to start while any process has the recorded number, even an unrelated one.
    """
    try:
        pid = int(path.read_text().strip() or "0")
    except (FileNotFoundError, ValueError):
        pid = 0
    if not path.exists() or process_name(pid) == program:
        return False
    say(f"removing {path}: the {program} that wrote it is dead")
    path.unlink(missing_ok=True)
    return True


def process_name(pid: int) -> str:
    """Return the name of a running process, or an empty text if there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def was_started() -> bool:
    """Whether the lab started an engine here once, so that it may hold what is left of a lab."""
    return OUR_PID.exists()


def stop_own_engine() -> None:
    """Stop the dockerd that the lab started, if it did, and remove its data."""
    try:
        pid = int(OUR_PID.read_text())
    except (FileNotFoundError, ValueError):
        return
    if process_name(pid) == "dockerd":
        say(f"stopping the dockerd that the lab started (process {pid})")
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while process_name(pid) == "dockerd" and time.monotonic() < deadline:
            time.sleep(0.2)
    shutil.rmtree(DATA_ROOT, ignore_errors=True)
    OUR_PID.unlink(missing_ok=True)


def uplink_mtu() -> int:
    """Return the MTU of the default route's interface, which nested networks must not exceed."""
    routes = run(["ip", "-json", "route", "show", "default"])
    links = run(["ip", "-json", "link", "show"])
    return parse_uplink_mtu(routes.stdout, links.stdout)


def parse_uplink_mtu(routes: str, links: str) -> int:
    """Return the default route's MTU from the JSON of `ip route` and `ip link`, or 1500."""
    devices = [route.get("dev") for route in json.loads(routes or "[]")]
    by_name = {link.get("ifname"): int(link.get("mtu", 1500)) for link in json.loads(links or "[]")}
    return by_name.get(devices[0], 1500) if devices else 1500
