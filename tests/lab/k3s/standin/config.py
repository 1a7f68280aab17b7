# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""config.yaml and its drop-ins: how k3s turns them into flags, and what the flags mean."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab.k3s.standin import flags
from tests.lab.k3s.standin.log import FatalError, warning

DEFAULT_CONFIG = "/etc/rancher/k3s/config.yaml"
DATA_DIR = "/var/lib/rancher/k3s"
BACKENDS = ("none", "vxlan", "host-gw", "wireguard-native", "ipsec", "wireguard", "tailscale")


@dataclass(frozen=True)
class Settings:
    """What a server or an agent was told."""

    command: str
    values: dict[str, Any] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """Return a flag's text."""
        return str(self.values.get(name, default))

    def number(self, name: str, default: int) -> int:
        """Return a flag's number."""
        return int(self.values.get(name, default))

    def on(self, name: str) -> bool:
        """Return whether a switch is on."""
        return bool(self.values.get(name, False))

    def many(self, name: str, default: Sequence[str] = ()) -> list[str]:
        """Return a flag's list."""
        return list(self.values.get(name, default))

    def first(self, name: str, default: str = "") -> str:
        """Return the first entry of a flag's list."""
        return self.many(name, [default] if default else [])[0] if self.many(name) else default

    @property
    def data_dir(self) -> Path:
        """The folder that holds all state."""
        return Path(self.text("data-dir", DATA_DIR))

    def component(self, flag: str, argument: str, default: str = "") -> str:
        """Return an argument of a component, as in kube-apiserver-arg: audit-policy-file=F."""
        for entry in self.many(flag):
            name, _, value = entry.lstrip("-").partition("=")
            if name == argument:
                default = value
        return default


def load(command: str, argv: Sequence[str]) -> Settings:
    """Return settings from config.yaml, its drop-ins, the environment and the command line.

    Flags of the command line come after those of the files, so they win, and lists grow.
    Unknown keys are left out with a warning for a server; an agent's are not checked when they are
    read, so that the command line refuses them (k3s, pkg/configfilearg: ValidFlags).
    """
    arguments = file_arguments(config_path(argv))
    if command == "server":
        arguments = _known(arguments)
    return Settings(command, flags.parse(command, [*arguments, *argv]))


def config_path(argv: Sequence[str]) -> str:
    """Return which file holds the settings."""
    if os.environ.get("K3S_CONFIG_FILE"):
        return os.environ["K3S_CONFIG_FILE"]
    for number, word in enumerate(argv):
        if word in ("--config", "-c") and number + 1 < len(argv):
            return argv[number + 1]
        for prefix in ("--config=", "-c="):
            if word.startswith(prefix):
                return word[len(prefix) :]
    return DEFAULT_CONFIG


def file_arguments(path: str) -> list[str]:
    """Return the arguments that a file and its drop-ins stand for."""
    main = Path(path)
    if not main.exists() and path != DEFAULT_CONFIG:
        raise FatalError(f"stat {path}: no such file or directory")
    files = [main] if main.exists() else []
    folder = Path(f"{path}.d")
    if folder.is_dir():
        files += sorted(entry for entry in folder.iterdir() if entry.suffix in (".yaml", ".yml"))
    merged: dict[str, Any] = {}
    for entry in files:
        for key, value in read_mapping(entry).items():
            if key.endswith("+"):
                merged[key[:-1]] = _list(merged.get(key[:-1])) + _list(value)
            else:
                merged[key] = value
    return [word for key, value in merged.items() for word in _words(key, value)]


def read_mapping(path: Path) -> dict[str, Any]:
    """Return a YAML file's mapping, or raise what k3s says about a broken one."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FatalError(f"yaml: {path}: {' '.join(str(error).split())}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise FatalError("yaml: unmarshal errors: cannot unmarshal into yaml.MapSlice")
    return {str(key): value for key, value in found.items()}


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def _words(key: str, value: Any) -> list[str]:
    dash = "-" if len(key) == 1 else "--"
    return [f"{dash}{key}={_text(entry)}" for entry in (_list(value) or [""])]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _known(arguments: Sequence[str]) -> list[str]:
    known = flags.table("server")
    kept = []
    for argument in arguments:
        name = argument.partition("=")[0]
        if name.lstrip("-") in known:
            kept.append(argument)
        else:
            warning(f"Unknown flag {name} found in config.yaml, skipping\n")
    return kept
