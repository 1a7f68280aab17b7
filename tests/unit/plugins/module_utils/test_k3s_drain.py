"""Claims about why a node could not be drained, by what kubectl 1.32 writes."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_drain import (
    explain_drain,
    keepers,
)

from tests.unit.plugins.module_utils.k3s_objects import api_pod

BUDGET = """\
node/n1 already cordoned
evicting pod default/web-1
error when evicting pods/"web-1" -n "default" (will retry after 5s): Cannot evict pod as it would \
violate the pod's disruption budget.
error when evicting pods/"web-1" -n "default" (will retry after 5s): Cannot evict pod as it would \
violate the pod's disruption budget.
There are pending nodes to be drained:
 n1
error: error when evicting pods/"web-1" -n "default": global timeout reached: 20s
"""
BARE = (
    'error: unable to drain node "n1" due to error: [cannot delete Pods that declare no controller '
    "(use --force to override): default/bare, lab/x, cannot delete DaemonSet-managed Pods (use "
    "--ignore-daemonsets to ignore): kube-system/lb], continuing command...\n"
)


@pytest.mark.parametrize(
    ("text", "left", "message"),
    [
        pytest.param(
            BUDGET,
            ["default/web-1"],
            "n1 is not drained within 20 s: a PodDisruptionBudget keeps default/web-1; see "
            "'k3s kubectl get poddisruptionbudgets --all-namespaces', let the budget allow one pod "
            "less or start a replica elsewhere, then run it again",
            id="budget",
        ),
        pytest.param(
            BARE,
            ["default/bare"],
            "n1 is not drained: default/bare, lab/x would be lost, since no controller makes them "
            "again; delete them yourself, or set k3s_drain_force to true",
            id="bare-pods",
        ),
        pytest.param(
            "error: ... global timeout reached: 20s\n",
            [f"default/p{number:02}" for number in range(12)],
            "n1 is not drained within 20 s: default/p00, default/p01, default/p02, default/p03, "
            "default/p04, default/p05, default/p06, default/p07, default/p08, default/p09 and 2 "
            "more still ran there; see why with 'k3s kubectl describe pod', or raise "
            "k3s_drain_timeout_seconds",
            id="pods-that-do-not-end",
        ),
        pytest.param(
            "node/n1 cordoned\nerror: unknown flag: --x\nSee 'kubectl drain --help'\n",
            [],
            "n1 is not drained: error: unknown flag: --x",
            id="something-else",
        ),
        pytest.param("", [], "n1 is not drained: kubectl did not say why", id="silence"),
    ],
)
def test_what_kept_the_drain_is_named(text: str, left: list[str], message: str) -> None:
    assert explain_drain("n1", text, 20, left) == message


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        pytest.param(["a/b"], "the PodDisruptionBudget a/b keeps default/web-1", id="one"),
        pytest.param(
            ["a/b", "a/c"], "the PodDisruptionBudgets a/b, a/c keep default/web-1", id="two"
        ),
    ],
)
def test_budgets_that_are_known_are_named(budgets: list[str], words: str) -> None:
    assert words in explain_drain("n1", BUDGET, 20, [], budgets)


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        pytest.param({"matchLabels": {"app": "web"}}, True, id="label"),
        pytest.param({"matchLabels": {"app": "web", "tier": "back"}}, False, id="another-label"),
        pytest.param({}, True, id="empty-is-all"),
        pytest.param(None, False, id="none-is-nothing"),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "api"]}]},
            True,
            id="in",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            False,
            id="not-in",
        ),
        pytest.param(
            {
                "matchLabels": {"app": "web"},
                "matchExpressions": [{"key": "tier", "operator": "Exists"}],
            },
            False,
            id="exists",
        ),
        pytest.param(
            {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True, id="absent"
        ),
        pytest.param({"matchExpressions": [{"key": "app"}]}, False, id="unknown-operator"),
    ],
)
def test_a_budget_is_found_by_its_selector(selector: Any, found: bool) -> None:
    budget = {
        "metadata": {"name": "keep", "namespace": "default"},
        "spec": {"selector": selector},
    }
    pod = api_pod("web", metadata={"labels": {"app": "web"}})
    assert keepers([budget], [pod]) == (["default/keep"] if found else [])


def test_a_budget_of_another_namespace_is_not_meant() -> None:
    budget = {"metadata": {"name": "keep", "namespace": "lab"}, "spec": {"selector": {}}}
    assert keepers([budget], [api_pod("web")]) == []
