"""Claims about what the plans of the GPU roles add to a preflight."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    ALL_HOSTS,
    Finding,
    Severity,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.plan_check import (
    join_plans,
    plan_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.plan_refusal import PlanError

SECURE_BOOT = Finding(Severity.ERROR, "secure-boot-unsigned", "n1", "Secure Boot is on.")
UNEXPLAINED = Finding(Severity.ERROR, "plan-impossible", "n1", "It cannot be worked out.")


def wrong(variable: str, host: str = "n1") -> Finding:
    """Return the finding about an input that was refused."""
    return Finding(Severity.ERROR, "value-invalid", host, "No.", variable=variable)


def test_a_plan_adds_its_findings() -> None:
    assert join_plans([wrong("ray_image")], [SECURE_BOOT]) == [wrong("ray_image"), SECURE_BOOT]


def test_a_plans_error_takes_the_place_of_a_warning_of_the_same_fault() -> None:
    warning = Finding(Severity.WARNING, "secure-boot-unsigned", "n1", "Perhaps.")
    other = Finding(Severity.WARNING, "secure-boot-unsigned", "n2", "Perhaps.")
    assert join_plans([warning, other], [SECURE_BOOT]) == [other, SECURE_BOOT]


def test_an_error_that_is_known_is_not_told_again() -> None:
    known = Finding(Severity.ERROR, "secure-boot-unsigned", "n1", "The module is not signed.")
    assert join_plans([known], [SECURE_BOOT]) == [known]


@pytest.mark.parametrize("host", ["n1", ALL_HOSTS])
def test_a_refused_value_explains_why_a_plan_could_not_be_made(host: str) -> None:
    refused = wrong("nvidia_driver_source", host)
    assert join_plans([refused], [UNEXPLAINED]) == [refused]


def test_a_plan_that_failed_for_no_known_reason_is_told() -> None:
    known = [wrong("ray_image"), wrong("nvidia_driver_source", "n2")]
    assert join_plans(known, [UNEXPLAINED]) == [*known, UNEXPLAINED]


def test_one_input_is_refused_once() -> None:
    planned = Finding(
        Severity.ERROR, "range-invalid", "n1", "No range.", variable="nvidia_driver_min_version"
    )
    refused = wrong("nvidia_driver_min_version")
    assert join_plans([refused], [planned]) == [refused]


@pytest.mark.parametrize("registered", [None, {}, {"skipped": True}, {"findings": None}, "x"])
def test_a_plan_that_was_not_made_has_no_findings(registered: object) -> None:
    assert plan_findings(registered) == []


def test_findings_come_back_from_what_a_role_left() -> None:
    assert plan_findings({"findings": [SECURE_BOOT.to_dict()]}) == [SECURE_BOOT]


@pytest.mark.parametrize(
    ("error", "message", "fix"),
    [
        pytest.param(
            PlanError("driver 610 is none. Nothing was changed; take 580", "c", "v", "v=580"),
            "Driver 610 is none.",
            "v=580",
            id="with-a-fix-of-its-own",
        ),
        pytest.param(
            PlanError("driver 610 is none. Nothing was changed; take 580"),
            "Driver 610 is none.",
            "take 580",
            id="with-the-advice-of-the-text",
        ),
        pytest.param(
            PlanError("nvidia_driver_branch is 'x', expected such as 580"),
            "nvidia_driver_branch is 'x', expected such as 580.",
            "",
            id="an-input-keeps-its-letters",
        ),
    ],
)
def test_an_error_of_a_role_becomes_a_finding(error: PlanError, message: str, fix: str) -> None:
    found = error.finding("n1")
    assert (found.severity, found.host, found.message, found.fix) == (
        Severity.ERROR,
        "n1",
        message,
        fix,
    )
