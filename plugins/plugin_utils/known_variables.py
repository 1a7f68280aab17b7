# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that this collection reads, from its roles' argument specs and its playbooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
)

COLLECTION_ROOT = Path(__file__).resolve().parents[2]

# Inputs that playbooks read themselves or hand to roles under another name; what a role's spec has
# is not repeated here.
PLAYBOOK_INPUTS = (
    Input("boot_time_command"),
    Input("cluster_name"),
    Input("cluster_secrets_dir"),
    Input("cluster_subnet", Kind.SUBNET),
    Input("gpu_vendor", choices=("nvidia", "amd")),
    Input("has_gpu", Kind.BOOLEAN),
    Input("install_docker", Kind.BOOLEAN),
    Input("install_nvidia_driver", Kind.BOOLEAN),
    Input("my_iface"),
    Input("preflight_own_variables"),
    Input("preflight_timeout_seconds", Kind.INTEGER),
    Input("preflight_tolerate_unreachable", Kind.BOOLEAN),
    Input("reset_force", Kind.BOOLEAN),
    Input("status_file"),
    Input("status_format", choices=("text", "json")),
)

_KINDS = {"bool": Kind.BOOLEAN, "int": Kind.INTEGER}


def inputs_of_specs(specs: Iterable[Mapping[str, Any]]) -> dict[str, Input]:
    """Return the options of every entry point in the argument specs of some roles."""
    return {
        name: input_of_option(name, option)
        for spec in specs
        for entry in (spec.get("argument_specs") or {}).values()
        for name, option in ((entry or {}).get("options") or {}).items()
    }


def input_of_option(name: str, option: Mapping[str, Any]) -> Input:
    """Return what one option of an argument spec accepts."""
    kind = str(option.get("type", "str"))
    choices = option.get("choices") or ()
    return Input(
        name=name,
        kind=_KINDS.get(kind, Kind.TEXT),
        choices=() if kind in ("list", "bool") else tuple(str(choice) for choice in choices),
    )


def load_inputs(root: Path = COLLECTION_ROOT) -> dict[str, Input]:
    """Return every input by its name; a playbook's word about one counts more than a role's."""
    files = sorted(root.glob("roles/*/meta/argument_specs.yml"))
    specs = [yaml.safe_load(file.read_text(encoding="utf-8")) or {} for file in files]
    return {**inputs_of_specs(specs), **{each.name: each for each in PLAYBOOK_INPUTS}}
