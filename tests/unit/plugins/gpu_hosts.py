"""Hosts whose programs are real scripts, or which must not start any."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command


class ScriptHost:
    """Starts the scripts of a folder, as AnsibleModule starts programs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def script(self, name: str, body: str) -> None:
        """Have a program ``name`` that runs the shell commands ``body``."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def prints(self, name: str, text: str | bytes, rc: int = 0) -> None:
        """Have a program ``name`` that prints ``text`` and exits with ``rc``."""
        data = text if isinstance(text, bytes) else text.encode()
        (self.folder / f"{name}.out").write_bytes(data)
        self.script(name, f"cat '{self.folder / name}.out'; exit {rc}")

    def run_command(
        self, args: list[str], data: str | None, environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Stand in for AnsibleModule.run_command."""
        done = subprocess.run(
            [str(self.folder / args[0]), *args[1:]],
            input=data,
            env={**os.environ, **environ_update},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def get_bin_path(self, arg: str, *_ignored: object) -> str | None:
        """Stand in for AnsibleModule.get_bin_path."""
        path = self.folder / arg
        return str(path) if path.exists() else None

    @property
    def command(self) -> Command:
        """Return what the code under test runs programs with."""
        return Command(self)


class StillHost:
    """A host on which not even a program is looked for."""

    def run_command(
        self, args: list[str], data: str | None, environ_update: dict[str, str]
    ) -> tuple[int, str, str]:
        """Stand in for AnsibleModule.run_command."""
        raise AssertionError(f"started {args} with {data} and {environ_update}")

    def get_bin_path(self, arg: str, required: bool, opt_dirs: list[str]) -> str | None:
        """Stand in for AnsibleModule.get_bin_path."""
        raise AssertionError(f"looked for {arg} ({required}, {opt_dirs})")
