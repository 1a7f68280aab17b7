# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collector: reads what this node tells of itself and writes it for the node exporter.

It runs every few seconds, so that it starts one short program only (dmesg, on nodes with a GPU).
Package managers are asked again only when their database has changed.
"""

from __future__ import annotations

import glob
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import (
    gpu_log,
    node_metrics_state,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import (
    Command,
    CommandError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.exposition import (
    Family,
    exposition,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Stack
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import Tree
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.local_host import LocalHost
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics import (
    GpuReading,
    NodeReading,
    gpu_families,
    node_families,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_gpus import (
    GpuSource,
    NoAnswerError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_log import (
    XidRecord,
    follow,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_state import (
    Config,
    ConfigError,
    State,
    identified,
    parse_config,
    parse_state,
    remember,
    state_text,
)

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_REBOOT_MARK = "/run/reboot-required"
_MODE = 0o644
#: More would be a pattern that matches by mistake.
_MOST_CERTIFICATES = 200


@dataclass
class Collector:
    """One run. ``complaints`` says of each part that failed why."""

    config: Config
    command: Command
    tree: Tree
    state: State
    clock: Callable[[], float] = time.time
    errors: dict[str, bool] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def collect(self) -> dict[str, str]:
        """Return the texts of the files by name."""
        begin = time.monotonic()
        texts, stacks = self._gpus()
        reading = NodeReading(
            stacks=stacks,
            reboot_required=self._reboot_required(),
            certificates=self._certificates(),
            errors=self.errors,
            finished=self.clock(),
            duration=time.monotonic() - begin,
        )
        return {**texts, node_metrics_state.NODE_FILE: exposition(node_families(reading))}

    @contextmanager
    def _part(self, name: str) -> Iterator[None]:
        """Let a part fail without the others."""
        self.errors.setdefault(name, False)
        try:
            yield
        except Exception as problem:
            self.errors[name] = True
            self.complaints.append(f"{name}: {str(problem) or type(problem).__name__}")

    def _gpus(self) -> tuple[dict[str, str], tuple[Stack, ...]]:
        config, families, stacks = self.config, list[Family](), tuple[Stack, ...]()
        if config.gpus == node_metrics_state.NONE:
            return {}, ()
        reading = GpuReading(
            expected=config.expected_gpus,
            hostname=os.uname().nodename,
            dcgm=config.gpus == node_metrics_state.ALL,
        )
        with self._part("gpu"):
            source = GpuSource(self.command, self.tree, os.path.join(config.directory, "nvml.lock"))
            bus, vendors = source.bus()
            log = self._log(bool(vendors))
            with self._part("packages"):
                installed = source.installed(vendors, self.state.installed)
                self.state = replace(self.state, installed=installed)
            node, no_answer = source.node(bus, vendors, self.state.installed.versions, log)
            stacks = node.stacks
            seen = remember(self.state.seen, self._boot(), node.gpus)
            self.state = replace(self.state, seen=seen)
            node = replace(node, gpus=identified(node.gpus, seen))
            events = None if self.errors["kernel_log"] else self.state.xids.events
            reading = replace(reading, node=node, present=len(bus.gpus), events=events)
            if no_answer:
                raise NoAnswerError(no_answer)
        families = gpu_families(reading)
        return {node_metrics_state.GPU_FILE: exposition(families)}, stacks

    def _log(self, wanted: bool) -> tuple[str, ...]:
        """Return the kernel's lines about GPUs, and count its Xid events."""
        with self._part("kernel_log"):
            if not wanted:
                self.state = replace(self.state, xids=XidRecord())
                return ()
            text = self.command.need(["dmesg"])
            xids = follow(self.state.xids, self._boot(), text, self._journal)
            self.state = replace(self.state, xids=xids)
            return (*gpu_log.gpu_lines([text]), *(event.line for event in xids.events))
        return ()

    def _boot(self) -> str:
        return self.tree.text(_BOOT_ID).strip()

    def _journal(self) -> str:
        argv = ["journalctl", "--dmesg", "--boot", "--no-pager", "--quiet"]
        if self.command.find(argv[0]) is None:
            return ""
        return self.command.run([*argv, "--output=short-monotonic"]).out

    def _reboot_required(self) -> Optional[bool]:
        with self._part("reboot"):
            if self.tree.exists(_REBOOT_MARK):
                return True
            running = self.tree.text("/proc/sys/kernel/osrelease").strip()
            newer = node_metrics_state.waits_for_kernel(running, self.tree.names("/boot"))
            # Debian and Ubuntu leave the mark; others say nothing but by their kernels.
            return False if newer is None and self.tree.exists("/var/lib/dpkg") else newer
        return None

    def _certificates(self) -> dict[str, float]:
        # Only here: nodes without certificates need not load it.
        from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import x509

        found: dict[str, float] = {}
        wrong: list[str] = []
        with self._part("certificates"):
            for path in self._certificate_files():
                with _noting(path, wrong):
                    found[path] = x509.earliest_end(self.tree.text(path))
            if wrong:
                raise CommandError("; ".join(wrong))
        return found

    def _certificate_files(self) -> list[str]:
        # A path without a pattern that is not there is no error: k3s may come later.
        paths = {
            os.path.normpath(f"/{os.path.relpath(found, self.tree.root)}")
            for pattern in self.config.certificates
            for found in glob.glob(self.tree.path(pattern))
            if os.path.isfile(found)
        }
        if len(paths) > _MOST_CERTIFICATES:
            raise CommandError(
                f"saw {len(paths)} certificates, expected {_MOST_CERTIFICATES} at most; make the "
                "patterns of node_metrics_certificates narrower"
            )
        return sorted(paths)


@contextmanager
def _noting(what: str, wrong: list[str]) -> Iterator[None]:
    """Note a failure beside what it is about, and go on."""
    try:
        yield
    except Exception as problem:
        wrong.append(f"{what}: {problem}")


def put(directory: str, name: str, text: str) -> None:
    """Have a file whole or not at all: the node exporter reads it at any moment."""
    draft = os.path.join(directory, f".{name}.new")
    with open(draft, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    os.chmod(draft, _MODE)
    os.rename(draft, os.path.join(directory, name))


def run(config: Config, command: Command, tree: Tree) -> list[str]:
    """Read everything and write the files; return the complaints of parts that failed."""
    os.makedirs(config.directory, mode=0o755, exist_ok=True)
    before = Tree(config.directory).text(node_metrics_state.STATE_FILE)
    collector = Collector(config, command, tree, parse_state(before))
    texts = collector.collect()
    for name, text in texts.items():
        put(config.directory, name, text)
    if node_metrics_state.GPU_FILE not in texts:
        gone = os.path.join(config.directory, node_metrics_state.GPU_FILE)
        if os.path.exists(gone):
            os.unlink(gone)
    after = state_text(collector.state)
    if after != before:
        put(config.directory, node_metrics_state.STATE_FILE, after)
    return collector.complaints


def main() -> int:
    """Run the collector with the settings in the file that is the argument."""
    path = sys.argv[1] if len(sys.argv) > 1 else node_metrics_state.CONFIG
    try:
        with open(path, encoding="utf-8") as file:
            config = parse_config(file.read())
        complaints = run(config, Command(LocalHost()), Tree())
    except ConfigError as error:
        complaints = [f"{path}: {error}; run provision.yml again"]
    except OSError as error:
        complaints = [f"{error.filename or path}: {error.strerror or error}"]
    for each in complaints:
        sys.stderr.write(f"{each}\n")
    return 1 if complaints else 0
