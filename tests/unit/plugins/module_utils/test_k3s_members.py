"""Claims about labels, taints and cordons: ours come and go, the owner's stay."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_cluster import parse_nodes
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_members import (
    MemberError,
    WantedNode,
    canonical_taint,
    parse_taint,
    plan_present,
)

from tests.unit.plugins.module_utils.k3s_objects import api_node

OWNERS = {"key": "owner", "value": "x", "effect": "NoSchedule", "timeAdded": "2026-01-01"}
OURS = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}


def plan(item: dict[str, Any], **wanted: Any) -> Any:
    """Return the patch that a node gets, None for none."""
    change = plan_present(
        parse_nodes([item])[0],
        item["spec"].get("taints") or [],
        WantedNode.from_params({"name": item["metadata"]["name"], **wanted}),
    )
    return change.patch if change else None


def test_labels_are_set_and_remembered() -> None:
    assert plan(api_node("a"), labels={"registry": "yes", "gpu": True, "rack": 7}) == {
        "metadata": {
            "labels": {"registry": "yes", "gpu": "true", "rack": "7"},
            "annotations": {
                "rackforge.io/labels": '{"gpu": "true", "rack": "7", "registry": "yes"}'
            },
        }
    }


def test_a_node_that_is_as_wanted_gets_no_patch() -> None:
    item = api_node(
        "a",
        labels={"registry": "yes"},
        taints=[OWNERS, OURS],
        annotations={
            "rackforge.io/labels": '{"registry": "yes"}',
            "rackforge.io/taints": '["dedicated=gpu:NoSchedule"]',
        },
    )
    assert plan(item, labels={"registry": "yes"}, taints=["dedicated=gpu:NoSchedule"]) is None


def test_a_label_taken_out_of_the_list_goes_and_the_owners_stay() -> None:
    item = api_node(
        "a",
        labels={"registry": "yes", "owner": "x"},
        annotations={"rackforge.io/labels": '{"registry": "yes"}'},
    )
    assert plan(item, labels={}) == {
        "metadata": {"labels": {"registry": None}, "annotations": {"rackforge.io/labels": None}}
    }


def test_a_label_that_somebody_has_changed_since_is_theirs() -> None:
    item = api_node(
        "a",
        labels={"registry": "no"},
        annotations={"rackforge.io/labels": '{"registry": "yes"}'},
    )
    assert plan(item, labels={}) == {"metadata": {"annotations": {"rackforge.io/labels": None}}}


def test_a_label_that_was_there_before_is_not_ours_to_take_away() -> None:
    item = api_node("a", labels={"registry": "yes"})
    assert plan(item, labels={"registry": "yes"}) is None


def test_a_wanted_label_is_set_back_when_it_differs() -> None:
    item = api_node(
        "a",
        labels={"registry": "no"},
        annotations={"rackforge.io/labels": '{"registry": "yes"}'},
    )
    assert plan(item, labels={"registry": "yes"}) == {"metadata": {"labels": {"registry": "yes"}}}


@pytest.mark.parametrize("note", ["{", "[]", "null", "7"], ids=["half", "list", "null", "number"])
def test_a_note_that_cannot_be_read_takes_no_label_away(note: str) -> None:
    item = api_node("a", labels={"x": "y"}, annotations={"rackforge.io/labels": note})
    assert plan(item, labels={}) == {"metadata": {"annotations": {"rackforge.io/labels": None}}}


def test_taints_of_others_are_handed_back_as_they_were() -> None:
    patch = plan(api_node("a", taints=[OWNERS]), taints=["dedicated=gpu:NoSchedule"])
    assert patch["spec"] == {"taints": [OWNERS, OURS]}
    assert patch["metadata"] == {
        "annotations": {"rackforge.io/taints": '["dedicated=gpu:NoSchedule"]'}
    }


def test_a_taint_taken_out_of_the_list_goes_and_the_owners_stay() -> None:
    item = api_node(
        "a",
        taints=[OWNERS, OURS],
        annotations={"rackforge.io/taints": '["dedicated=gpu:NoSchedule"]'},
    )
    assert plan(item, taints=[])["spec"] == {"taints": [OWNERS]}


def test_a_taint_with_another_value_takes_the_place_of_the_one_with_its_key_and_effect() -> None:
    item = api_node("a", taints=[OURS])
    wanted = {"key": "dedicated", "value": "cpu", "effect": "NoSchedule"}
    assert plan(item, taints=["dedicated=cpu:NoSchedule"])["spec"] == {"taints": [wanted]}


def test_a_taint_without_a_value_has_one_spelling() -> None:
    item = api_node(
        "a",
        taints=[{"key": "alone", "effect": "NoExecute"}],
        annotations={"rackforge.io/taints": '["alone:NoExecute"]'},
    )
    assert canonical_taint(" alone=:NoExecute ") == "alone:NoExecute"
    assert plan(item, taints=["alone=:NoExecute"]) is None


def test_what_is_not_given_is_left_alone() -> None:
    item = api_node("a", labels={"x": "y"}, annotations={"rackforge.io/labels": '{"x": "y"}'})
    assert plan(item) is None


def test_our_cordon_is_undone() -> None:
    item = api_node("a", unschedulable=True, annotations={"rackforge.io/cordoned": "true"})
    assert plan(item) == {
        "metadata": {"annotations": {"rackforge.io/cordoned": None}},
        "spec": {"unschedulable": None},
    }


@pytest.mark.parametrize("note", ["drained", "upgrade"])
def test_a_drain_that_is_to_stay_is_not_undone(note: str) -> None:
    item = api_node("a", unschedulable=True, annotations={"rackforge.io/cordoned": note})
    assert plan(item, labels={}) is None


def test_the_owners_cordon_stays() -> None:
    assert plan(api_node("a", unschedulable=True), labels={}) is None


@pytest.mark.parametrize(
    "text",
    ["dedicated=gpu", "dedicated=gpu:Sometimes", ":NoSchedule", "a=b=c:NoExecute", ""],
    ids=["no-effect", "unknown-effect", "no-key", "two-values", "empty"],
)
def test_a_taint_that_kubernetes_would_not_understand_is_named(text: str) -> None:
    with pytest.raises(MemberError) as caught:
        parse_taint(text)
    assert str(caught.value) == (
        f"taint {text!r}: expected key=value:Effect or key:Effect, with an effect of NoSchedule, "
        "PreferNoSchedule, NoExecute; correct k3s_taints"
    )


def test_a_change_shows_what_it_changes_and_nothing_else() -> None:
    item = api_node("a", labels={"x": "1", "other": "o"}, taints=[OWNERS])
    wanted = WantedNode.from_params(
        {"name": "a", "labels": {"x": "2", "y": "3"}, "taints": ["k:NoSchedule"]}
    )
    change = plan_present(parse_nodes([item])[0], [OWNERS], wanted)
    assert change is not None
    assert change.before == {"labels": {"x": "1"}, "taints": ["owner=x:NoSchedule"]}
    assert change.after == {
        "labels": {"x": "2", "y": "3"},
        "taints": ["owner=x:NoSchedule", "k:NoSchedule"],
    }
