"""Claims about findings, their order and what a terminal shows of them."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    INVENTORY,
    Finding,
    Severity,
    count_by_severity,
    finding_from_dict,
    join_names,
    merge_common,
    render_findings,
    sort_findings,
    summarise,
)


def finding(severity: Severity, host: str, code: str = "some-code") -> Finding:
    return Finding(severity=severity, code=code, host=host, message="Something is odd.")


ERROR_B = finding(Severity.ERROR, "b")
ERROR_A = finding(Severity.ERROR, "a")
ERROR_INVENTORY = finding(Severity.ERROR, INVENTORY)
WARNING_A = finding(Severity.WARNING, "a")
NOTE_A = finding(Severity.NOTE, "a")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param(
            [NOTE_A, WARNING_A, ERROR_A], [ERROR_A, WARNING_A, NOTE_A], id="severity-comes-first"
        ),
        pytest.param([ERROR_B, ERROR_A], [ERROR_A, ERROR_B], id="then-the-host"),
        pytest.param(
            [ERROR_A, ERROR_INVENTORY], [ERROR_INVENTORY, ERROR_A], id="inventory-before-hosts"
        ),
        pytest.param([ERROR_A, ERROR_A], [ERROR_A], id="equal-ones-once"),
    ],
)
def test_findings_are_sorted(given: list[Finding], expected: list[Finding]) -> None:
    assert sort_findings(given) == expected


@pytest.mark.parametrize(
    ("given", "hosts", "expected"),
    [
        pytest.param(
            [ERROR_A, ERROR_B],
            ["a", "b"],
            [finding(Severity.ERROR, ALL_HOSTS)],
            id="all-hosts-become-one-finding",
        ),
        pytest.param(
            [ERROR_A, ERROR_B], ["a", "b", "c"], [ERROR_A, ERROR_B], id="some-hosts-stay-apart"
        ),
        pytest.param([ERROR_A], ["a"], [ERROR_A], id="a-single-host-keeps-its-name"),
    ],
)
def test_a_finding_about_every_host_is_told_once(
    given: list[Finding], hosts: list[str], expected: list[Finding]
) -> None:
    assert merge_common(given, hosts) == expected


def test_a_finding_survives_the_way_through_a_result() -> None:
    original = Finding(Severity.WARNING, "code", "a", "Message.", "seen", "wanted", "type it", "v")
    assert original.to_dict() == {
        "severity": "warning",
        "code": "code",
        "host": "a",
        "message": "Message.",
        "seen": "seen",
        "expected": "wanted",
        "fix": "type it",
        "variable": "v",
    }
    assert finding_from_dict(original.to_dict()) == original


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param([], "no problem found", id="none"),
        pytest.param([ERROR_A], "1 error", id="one"),
        pytest.param([ERROR_A, ERROR_B, NOTE_A], "2 errors, 1 note", id="several"),
    ],
)
def test_the_summary_counts_what_there_is(given: list[Finding], expected: str) -> None:
    assert summarise(given) == expected


def test_every_severity_is_counted() -> None:
    assert count_by_severity([ERROR_A, ERROR_B, NOTE_A]) == {"error": 2, "warning": 0, "note": 1}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["a"], "a", id="one"),
        pytest.param(["a", "b", "c"], "a, b and c", id="three"),
        pytest.param(list("abcdefgh"), "a, b, c, d, e, f and 2 more", id="too-many"),
    ],
)
def test_names_read_like_a_sentence(names: list[str], expected: str) -> None:
    assert join_names(names) == expected


def test_the_table_shows_each_finding_with_its_fix() -> None:
    table = render_findings(
        [
            Finding(Severity.NOTE, "left-alone", "storage", "It is left alone."),
            Finding(
                Severity.ERROR,
                "boolean-as-word",
                "n1",
                "has_gpu has a value that it does not accept.",
                seen="has_gpu=ja",
                expected="true or false",
                fix="has_gpu=true",
                variable="has_gpu",
            ),
        ]
    )
    assert table == (
        "SEVERITY  HOST     FINDING\n"
        "ERROR     n1       boolean-as-word (has_gpu)\n"
        "          has_gpu has a value that it does not accept.\n"
        "          seen:     has_gpu=ja\n"
        "          expected: true or false\n"
        "          fix:      has_gpu=true\n"
        "NOTE      storage  left-alone\n"
        "          It is left alone."
    )


def test_a_long_fix_stays_in_one_line_to_be_copied() -> None:
    command = "ssh " + " ".join(f"-o Option{number}=yes" for number in range(20)) + " host true"
    table = render_findings([Finding(Severity.ERROR, "c", "h", "M.", fix=command)], width=60)
    assert f"fix:      {command}" in table.splitlines()[-1]


def test_no_findings_make_no_table() -> None:
    assert render_findings([]) == ""
