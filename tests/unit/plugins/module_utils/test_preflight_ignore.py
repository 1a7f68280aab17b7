"""Claims about preflight_ignore."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding_codes import (
    KNOWN,
    NEVER_IGNORED,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_model import Verdict
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.preflight_ignore import (
    apply_ignores,
    describe_ignored,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.probe_reason import (
    UNREACHABLE_CODES,
)


def finding(code: str, host: str = "node2", severity: Severity = Severity.ERROR) -> Finding:
    return Finding(severity=severity, code=code, host=host, message="Something is odd.")


FILTERED = finding("port-filtered")
REFUSED = finding("port-refused")
AWAY = finding("unreachable")


@pytest.mark.parametrize(
    ("codes", "active", "ignored"),
    [
        pytest.param([], [FILTERED, REFUSED, AWAY], [], id="nothing-ignored"),
        pytest.param(["port-filtered"], [REFUSED, AWAY], [FILTERED], id="one-code"),
        pytest.param([" port-filtered ", ""], [REFUSED, AWAY], [FILTERED], id="blanks-are-nothing"),
        pytest.param(
            ["port-refused", "port-filtered"], [AWAY], [FILTERED, REFUSED], id="two-codes"
        ),
    ],
)
def test_ignored_findings_are_set_apart(
    codes: list[str], active: list[Finding], ignored: list[Finding]
) -> None:
    assert apply_ignores([AWAY, REFUSED, FILTERED], codes) == (active, ignored)


def test_a_code_that_cannot_be_ignored_is_refused_and_still_counts() -> None:
    active, ignored = apply_ignores([AWAY], ["unreachable"])
    assert ignored == []
    assert active == [
        Finding(
            Severity.ERROR,
            "ignore-refused",
            "inventory",
            "unreachable cannot be ignored: nothing can be done on a node that Ansible cannot work"
            " on.",
            seen="preflight_ignore has unreachable",
            expected="codes whose findings leave a cluster that can be built",
            fix="take unreachable out of preflight_ignore",
            variable="preflight_ignore",
        ),
        AWAY,
    ]


def test_a_code_that_matches_nothing_is_a_note() -> None:
    active, ignored = apply_ignores([], ["port-filtered"])
    assert ignored == []
    assert [(each.severity, each.code, each.message) for each in active] == [
        (
            Severity.NOTE,
            "ignore-unused",
            "Nothing has the code port-filtered that is to be ignored.",
        )
    ]


@pytest.mark.parametrize(
    ("code", "message", "fix"),
    [
        pytest.param(
            "port-filterd",
            "No finding has the code port-filterd. Did you mean port-filtered?",
            "preflight_ignore: [port-filtered]",
            id="misspelt",
        ),
        pytest.param(
            "everything",
            "No finding has the code everything.",
            "take everything out of preflight_ignore",
            id="nothing-like-it",
        ),
    ],
)
def test_a_code_that_does_not_exist_is_a_warning(code: str, message: str, fix: str) -> None:
    active, _ignored = apply_ignores([], [code])
    assert [(each.severity, each.code, each.message, each.fix) for each in active] == [
        (Severity.WARNING, "ignore-unknown", message, fix)
    ]


@pytest.mark.parametrize(
    ("ignored", "expected"),
    [
        pytest.param([], "", id="nothing"),
        pytest.param(
            [FILTERED], "Ignored by preflight_ignore: port-filtered on node2 (1)", id="one"
        ),
        pytest.param(
            [REFUSED, FILTERED, finding("port-filtered", "node1")],
            "Ignored by preflight_ignore: port-filtered on node1 and node2 (2); port-refused on"
            " node2 (1)",
            id="several",
        ),
    ],
)
def test_the_terminal_says_who_was_ignored(ignored: list[Finding], expected: str) -> None:
    assert describe_ignored(ignored) == expected


def test_a_node_that_is_away_can_never_be_ignored() -> None:
    assert UNREACHABLE_CODES <= NEVER_IGNORED.keys() <= KNOWN


# What only bootstrap.yml says.
BOOTSTRAP = ("bootstrap_plan.py", "bootstrap_script.py", "discovery.py")


def literal_codes(path: Path) -> Iterator[str]:
    """Yield what a file gives as code to a finding, by name or in its place."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        given = [each.value for each in node.keywords if each.arg == "code"]
        given += node.args[:2] if name.lower().endswith("finding") else []
        for each in given:
            if isinstance(each, ast.Constant) and re.fullmatch(CODE, str(each.value)):
                yield str(each.value)


CODE = r"[a-z0-9]+(-[a-z0-9]+)+|unreachable|xid"


def test_every_code_of_the_sources_is_known(repository: Path) -> None:
    sources = sorted((repository / "plugins" / "module_utils").glob("*.py"))
    missing = {
        f"{path.name}: {code}"
        for path in sources
        if path.name not in BOOTSTRAP
        for code in literal_codes(path)
        if code not in KNOWN
    }
    assert missing == set()


# Codes that are put together from a verdict.
PORT_CODES = {f"port-{verdict.value}" for verdict in Verdict}


def test_every_known_code_is_in_the_sources(repository: Path) -> None:
    folder = repository / "plugins" / "module_utils"
    others = [path for path in folder.glob("*.py") if path.name != "finding_codes.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in others)
    gone = {code for code in KNOWN - PORT_CODES if f'"{code}"' not in text}
    assert gone == set()
