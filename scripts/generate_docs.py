"""Write the tables of docs/ and of the roles' READMEs from what decides them.

``--check`` writes nothing and fails when a table is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".cache" / "collections"))

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_model import (  # noqa: E402
    Thresholds,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_rules import (  # noqa: E402
    alert_table,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (  # noqa: E402
    Input,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import (  # noqa: E402
    ANY,
    CATALOGUE,
    EXPANSIONS,
    K3S,
    K3S_HA,
    LAN,
    MANAGEMENT,
    MONITORING,
    RAY,
    Port,
    groups_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (  # noqa: E402
    PLAYBOOK_INPUTS,
)

# The tables of docs/ports.md: the title of each profile, and when it counts.
PROFILE_TEXTS = {
    ANY: ("Every cluster", "Counts always."),
    RAY: ("Ray (profile `ray`)", "Counts when `ray_head` or `ray_worker` has hosts."),
    K3S: ("k3s (profile `k3s`)", "Counts when `k3s_server` or `k3s_agent` has hosts."),
    K3S_HA: (
        "k3s with more than one server (profile `k3s-ha`)",
        "Counts when `k3s_server` has several hosts.",
    ),
    MANAGEMENT: (
        "Management cluster (profile `management`)",
        "Counts with `preflight_profiles: [management]`. What k3s needs anyway is in its own "
        "table.",
    ),
    MONITORING: ("Monitoring (profile `monitoring`)", "Counts when `monitoring` has hosts."),
    LAN: (
        "LAN cluster (profile `lan`)",
        "Counts with `preflight_profiles: [lan]`. The document asks for all ports and names no "
        "protocol, so TCP and UDP both count. Preflight tests 1,024 of each, all with "
        "`preflight_ports: full`.",
    ),
}

README_MARK = "<!-- Below: written by `make docs` from meta/argument_specs.yml. -->"
ALERTS_MARK = "<!-- Below: written by `make docs` from plugins/module_utils/alert_rules_*.py. -->"
NOTE = "<!-- Written by `make docs`. Change {source}, not this file. -->"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell(c) for c in line) + " |" for line in lines)


def cell(text: str) -> str:
    """Return ``text`` as one cell: a single line without column separators."""
    return " ".join(text.split()).replace("|", "\\|")


def ports_page(catalogue: Iterable[Port]) -> str:
    """Return the page about ports: a table for each profile."""
    rows = list(catalogue)
    parts = [
        "# Ports\n",
        NOTE.format(source="plugins/module_utils/port_catalogue.py") + "\n",
        "Who must reach whom. The firewall rules, what preflight tests, the reserved local ports "
        "and the flags of each service come from the same list. What the nodes are for decides "
        "which tables count.\n",
        "- " + "\n- ".join(_expansion(name) for name in EXPANSIONS) + "\n",
    ]
    for profile, (title, text) in PROFILE_TEXTS.items():
        parts += [f"## {title}\n", f"{text}\n", _ports_table(rows, profile) + "\n"]
    return "\n".join(parts)


def _expansion(name: str) -> str:
    groups = [f"`{group}`" for group in groups_of(name)]
    return f"{name}: the hosts of {', '.join(groups[:-1])} and {groups[-1]}"


def _ports_table(catalogue: Iterable[Port], profile: str) -> str:
    return table(
        ("from", "to", "port", "for", "variable", "document"),
        [
            (
                ", ".join(port.clients),
                port.role,
                f"{_numbers(port)} {port.protocol}",
                port.purpose,
                _variables(port) or "stays",
                port.source,
            )
            for port in catalogue
            if port.profile == profile
        ],
    )


def _numbers(port: Port) -> str:
    return str(port.number) if port.end == port.number else f"{port.number}-{port.end}"


def _variables(port: Port) -> str:
    return ", ".join(f"`{name}`" for name in port.variables)


def variables_page(root: Path) -> str:
    """Return the page about the inputs of playbooks and roles."""
    parts = [
        "# Variables\n",
        NOTE.format(source="roles/*/meta/argument_specs.yml or known_variables.py") + "\n",
        "## Playbooks\n",
        "What the playbooks read themselves; they hand it to roles where a role needs it.\n",
        table(
            ("variable", "type", "meaning"),
            [(f"`{each.name}`", _kind(each), each.meaning) for each in PLAYBOOK_INPUTS],
        )
        + "\n",
    ]
    for path in sorted(root.glob("roles/*/meta/argument_specs.yml")):
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        entry = entries.get("main") or entries.get("install") or {}
        options: dict[str, dict[str, Any]] = entry.get("options") or {}
        parts.append(f"## {path.parent.parent.name}\n")
        parts.append(f"{entry.get('short_description', '')}\n")
        parts.append(options_table(options) + "\n")
    return "\n".join(parts)


def _kind(known: Input) -> str:
    return " or ".join(known.choices) or known.kind.value


def options_table(options: dict[str, dict[str, Any]]) -> str:
    """Return the table of a role's inputs."""
    rows = [_option_row(name, option) for name, option in options.items()]
    return table(("variable", "type", "default", "meaning"), rows) if rows else "No inputs."


def role_readme(readme: Path) -> str:
    """Return a role's README with its own text and, below the mark, the table of its inputs."""
    specs = readme.parent / "meta" / "argument_specs.yml"
    entries = yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"]
    own = readme.read_text(encoding="utf-8").split(README_MARK)[0].rstrip("\n")
    return f"{own}\n\n{README_MARK}\n\n{options_table(entries['main'].get('options') or {})}\n"


def alerts_page(page: Path) -> str:
    """Return the page of alerts with its own text and, below the mark, their table."""
    own = page.read_text(encoding="utf-8").split(ALERTS_MARK)[0].rstrip("\n")
    return f"{own}\n\n{ALERTS_MARK}\n\n{alert_table(Thresholds())}"


def _option_row(name: str, option: dict[str, Any]) -> tuple[str, str, str, str]:
    default = "required" if option.get("required") else _value(option.get("default"))
    meaning = option.get("description", "")
    text = " ".join(meaning) if isinstance(meaning, list) else str(meaning)
    choices = option.get("choices")
    if choices:
        text += f" One of {', '.join(f'`{c}`' for c in choices)}."
    return f"`{name}`", _type(option), default, text


def _type(option: dict[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    return f"{kind} of {option['elements']}" if "elements" in option else kind


def _value(value: object) -> str:
    if value is None:
        return ""
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{shown}`" if shown else "empty"


def main() -> int:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when stale")
    check = parser.parse_args().check
    pages = {
        ROOT / "docs" / "ports.md": ports_page(CATALOGUE),
        ROOT / "docs" / "variables.md": variables_page(ROOT),
        ROOT / "docs" / "monitoring-alerts.md": alerts_page(ROOT / "docs" / "monitoring-alerts.md"),
        **{path: role_readme(path) for path in sorted(ROOT.glob("roles/*/README.md"))},
    }
    stale = [
        path
        for path, text in pages.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is stale: run `make docs` and commit the result", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages[path], encoding="utf-8")
            print(f"wrote {name}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
