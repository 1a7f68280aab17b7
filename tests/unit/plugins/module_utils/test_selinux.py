"""Claims about SELinux's mode, on recorded files of EL 8, 9 and 10."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.selinux import (
    SelinuxError,
    SelinuxPlan,
    configured_mode,
    plan_selinux,
    with_mode,
)

EL_9 = """\

# This file controls the state of SELinux on the system.
# SELINUX= can take one of these three values:
#     enforcing - SELinux security policy is enforced.
#     permissive - SELinux prints warnings instead of enforcing.
#     disabled - No SELinux policy is loaded.
#    grubby --update-kernel ALL --args selinux=0
#
SELINUX=enforcing
# SELINUXTYPE= can take one of these three values:
SELINUXTYPE=targeted
"""
PERMISSIVE = EL_9.replace("\nSELINUX=enforcing", "\nSELINUX=permissive")
DISABLED = EL_9.replace("\nSELINUX=enforcing", "\nSELINUX=disabled")


def test_configured_mode_is_not_read_from_comments() -> None:
    assert configured_mode(EL_9) == "enforcing"
    assert configured_mode(DISABLED) == "disabled"
    assert configured_mode("# SELINUX=enforcing\n") == ""


def test_only_the_one_key_changes() -> None:
    assert with_mode(EL_9, "permissive") == PERMISSIVE
    assert (
        with_mode("SELINUXTYPE=targeted", "permissive")
        == "SELINUXTYPE=targeted\nSELINUX=permissive\n"
    )


@pytest.mark.parametrize(
    ("text", "running", "wanted", "expected"),
    [
        pytest.param(
            EL_9, "Enforcing\n", "permissive", SelinuxPlan(PERMISSIVE, "0", False), id="default"
        ),
        pytest.param(
            PERMISSIVE,
            "Permissive\n",
            "permissive",
            SelinuxPlan(PERMISSIVE, "", False),
            id="second-run",
        ),
        pytest.param(
            PERMISSIVE,
            "Enforcing",
            "permissive",
            SelinuxPlan(PERMISSIVE, "0", False),
            id="killed-between",
        ),
        pytest.param(
            EL_9,
            "Permissive",
            "permissive",
            SelinuxPlan(PERMISSIVE, "", False),
            id="setenforce-by-hand",
        ),
        pytest.param(
            DISABLED,
            "Disabled",
            "permissive",
            SelinuxPlan(DISABLED, "", False, "SELinux is disabled here, and stays so"),
            id="never-switched-on",
        ),
        pytest.param(
            EL_9,
            "Disabled",
            "permissive",
            SelinuxPlan(EL_9, "", False, "SELinux is disabled here, and stays so"),
            id="selinux=0",
        ),
        pytest.param(EL_9, "Enforcing", "disabled", SelinuxPlan(DISABLED, "0", True), id="disable"),
        pytest.param(
            DISABLED, "Permissive", "disabled", SelinuxPlan(DISABLED, "", True), id="waits-for-boot"
        ),
        pytest.param(
            DISABLED, "Disabled", "disabled", SelinuxPlan(DISABLED, "", False), id="is-disabled"
        ),
        pytest.param(
            PERMISSIVE, "Permissive", "enforcing", SelinuxPlan(EL_9, "1", False), id="enforce"
        ),
        pytest.param(
            None,
            "",
            "permissive",
            SelinuxPlan("", "", False, "this node has no SELinux"),
            id="none",
        ),
        pytest.param(
            EL_9,
            "",
            "disabled",
            SelinuxPlan(EL_9, "", False, "this node has no SELinux"),
            id="no-tools",
        ),
    ],
)
def test_plan(text: str | None, running: str, wanted: str, expected: SelinuxPlan) -> None:
    assert plan_selinux(text, running, wanted) == expected


def test_enforcing_without_labels_is_refused() -> None:
    with pytest.raises(SelinuxError, match="fixfiles -F onboot"):
        plan_selinux(DISABLED, "Disabled", "enforcing")
