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
    group_findings,
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


def drop(host: str, seen: str = "no answer") -> Finding:
    return Finding(
        Severity.ERROR,
        "disk-too-small",
        host,
        f"The disk of {host} is too small.",
        seen=seen,
        expected="200 GiB",
        fix=f"ansible -i inv.ini {host} -b -m ansible.builtin.command -a 'df -h /'",
    )


def test_findings_that_differ_by_their_host_are_told_together() -> None:
    assert render_findings([drop("n2"), drop("n1")]) == (
        "SEVERITY  HOST    FINDING\n"
        "ERROR     n1, n2  disk-too-small\n"
        "          The disk of HOST is too small.\n"
        "          seen:     no answer\n"
        "          expected: 200 GiB\n"
        "          fix:      ansible -i inv.ini n1,n2 -b -m ansible.builtin.command -a 'df -h /'"
    )


def test_what_was_seen_is_told_by_host_where_it_differs() -> None:
    table = render_findings([drop("n1", "20 GiB"), drop("n2", "30 GiB")])
    assert "          seen:     n1: 20 GiB; n2: 30 GiB\n" in table


def test_many_hosts_of_an_error_are_all_named_below_its_title() -> None:
    names = [f"node{number:02d}" for number in range(40)]
    table = render_findings([drop(name) for name in names])
    assert table.splitlines()[1] == "ERROR     40 hosts  disk-too-small"
    listed = table[table.index("hosts:") : table.index("seen:")]
    assert [name for name in names if name not in listed] == []


def test_a_name_within_another_name_is_not_taken_for_it() -> None:
    table = render_findings(
        [
            Finding(Severity.NOTE, "c", "n1", "Look at n1, n1.example, n11 and my-n1."),
            Finding(Severity.NOTE, "c", "n2", "Look at n2, n1.example, n11 and my-n1."),
        ]
    )
    assert "Look at HOST, n1.example, n11 and my-n1." in table


def test_lines_that_are_no_command_of_ansible_are_given_for_each_host() -> None:
    table = render_findings(
        [
            Finding(Severity.ERROR, "c", name, "Wrong.", fix=f"{name} my_iface=eth1")
            for name in ("n1", "n2")
        ]
    )
    assert table.endswith(
        "          fix:      n1 my_iface=eth1\n          fix:      n2 my_iface=eth1"
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(
            Finding(Severity.ERROR, "disk-too-small", "n2", "Another thing."), id="message"
        ),
        pytest.param(Finding(Severity.ERROR, "other", "n2", "M."), id="code"),
        pytest.param(Finding(Severity.NOTE, "disk-too-small", "n2", "M."), id="severity"),
        pytest.param(Finding(Severity.ERROR, "disk-too-small", "n2", "M.", fix="x"), id="fix"),
        pytest.param(Finding(Severity.ERROR, "disk-too-small", "n1", "M.", "seen"), id="same-host"),
    ],
)
def test_different_findings_stay_apart(other: Finding) -> None:
    same = Finding(Severity.ERROR, "disk-too-small", "n1", "M.")
    assert len(group_findings([same, other])) == 2


def test_errors_are_never_cut_and_the_rest_is_counted() -> None:
    findings = [
        *(finding(Severity.ERROR, f"h{number}", f"error-{number}") for number in range(30)),
        *(finding(Severity.WARNING, f"h{number}", f"warning-{number}") for number in range(21)),
        *(finding(Severity.NOTE, f"h{number}", f"note-{number}") for number in range(3)),
    ]
    lines = render_findings(findings, most=20).splitlines()
    assert sum(line.startswith("ERROR") for line in lines) == 30
    assert sum(line.startswith("WARNING") for line in lines) == 20
    assert lines[-1] == "          and 1 warning, 3 notes more: see the report"


def test_without_a_limit_everything_is_shown() -> None:
    notes = [finding(Severity.NOTE, "h", f"note-{number}") for number in range(99)]
    assert render_findings(notes).count("NOTE ") == 99


def test_long_lists_of_a_warning_are_cut_and_say_so() -> None:
    table = render_findings(
        [
            Finding(Severity.WARNING, "c", f"n{number}", "M.", f"{number} s", fix=f"mend n{number}")
            for number in range(10, 30)
        ]
    )
    assert "n10: 10 s; n11: 11 s; n12: 12 s; n13: 13 s; n14: 14 s; n15: 15 s; and 14 more" in table
    assert table.splitlines()[-1] == "                    and likewise on 14 more"


def test_notes_about_each_of_a_hundred_nodes_fit_on_a_screen() -> None:
    notes = [
        Finding(
            Severity.NOTE, code, f"n{place}", f"n{place} has a thing.", f"n{place} shows {place}"
        )
        for code in ("upgrades-unattended", "rdma-devices", "gpu-unused")
        for place in range(100)
    ]
    assert len(render_findings(notes, most=20).splitlines()) <= 36
