"""Claims about what the inventory says of the nodes of a k3s cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_inventory import (
    InventoryError,
    expected,
    members,
    node_name,
    read_labels,
    read_taints,
    truth,
)

GPUS = {
    "vendor": "nvidia",
    "gpus": [{"vendor": "nvidia"}, {"vendor": "nvidia"}, {"vendor": "amd"}],
}


def host(**more: Any) -> dict[str, Any]:
    """Return the variables of a host that was probed."""
    facts = {"gpu_cluster": {"node_address": "198.19.1.11"}, **more.pop("facts", {})}
    return {"ansible_facts": facts, **more}


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        pytest.param({}, "gpu-node-1", id="by-its-name"),
        pytest.param({"k3s_node_name": "big"}, "big", id="by-its-variable"),
    ],
)
def test_a_host_has_one_name_in_kubernetes(variables: dict[str, Any], name: str) -> None:
    assert node_name("GPU_node_1", variables) == name


def test_what_the_inventory_says_counts_more_than_what_was_found() -> None:
    hostvars = {"a": host(k3s_labels={"x": "mine"}, k3s_taints=["k:NoSchedule"]), "b": host()}
    assert members(hostvars, ["a", "b"], {"a": {"x": "found", "y": "1"}}) == [
        {"name": "a", "labels": {"x": "mine", "y": "1"}, "taints": ["k:NoSchedule"]},
        {"name": "b", "labels": {}, "taints": []},
    ]


def test_a_host_in_both_groups_is_expected_once_as_a_server() -> None:
    rows = expected({"a": host(), "b": host()}, ["a"], ["a", "b"], "v1.33.5+k3s1")
    assert [(row["name"], row["kind"], row["version"]) for row in rows] == [
        ("a", "server", "v1.33.5+k3s1"),
        ("b", "agent", "v1.33.5+k3s1"),
    ]
    assert rows[0]["address"] == "198.19.1.11"


@pytest.mark.parametrize(
    ("variables", "with_gpus", "gpus"),
    [
        pytest.param(
            host(has_gpu=True, facts={"gpu": GPUS}), True, (2, "nvidia.com/gpu"), id="nvidia"
        ),
        pytest.param(
            host(has_gpu="yes", gpu_vendor="amd", facts={"gpu": GPUS}),
            True,
            (1, "amd.com/gpu"),
            id="the-owners-vendor",
        ),
        *(
            pytest.param(
                host(has_gpu=True, k3s_nvidia_mig_strategy=strategy, facts={"gpu": GPUS}),
                True,
                gpus,
                id=f"mig-{strategy}",
            )
            for strategy, gpus in (
                ("none", (2, "nvidia.com/gpu")),
                ("single", (None, None)),
                ("mixed", (None, None)),
            )
        ),
        pytest.param(
            host(
                has_gpu=True,
                gpu_vendor="amd",
                k3s_nvidia_mig_strategy="mixed",
                facts={"gpu": GPUS},
            ),
            True,
            (1, "amd.com/gpu"),
            id="mig-is-no-concern-of-amds",
        ),
        pytest.param(host(has_gpu="false", facts={"gpu": GPUS}), True, (None, None), id="has-none"),
        pytest.param(host(has_gpu=True), True, (None, None), id="was-not-asked"),
        pytest.param(
            host(has_gpu=True, facts={"gpu": GPUS}), False, (None, None), id="no-device-plugin"
        ),
        pytest.param(
            host(has_gpu=True, facts={"gpu": {"vendor": None, "gpus": []}}),
            True,
            (None, None),
            id="none-found",
        ),
    ],
)
def test_gpus_are_expected_where_the_inventory_promises_and_the_node_shows_them(
    variables: dict[str, Any], with_gpus: bool, gpus: tuple[Any, Any]
) -> None:
    (row,) = expected({"a": variables}, [], ["a"], with_gpus=with_gpus)
    assert (row.get("gpus"), row.get("gpu_resource")) == gpus


@pytest.mark.parametrize(
    ("value", "says"),
    [(True, True), ("True", True), ("1", True), ("no", False), ("", False), (None, False)],
    ids=["true", "word", "one", "no", "empty", "null"],
)
def test_words_for_yes_and_no_are_understood(value: Any, says: bool) -> None:
    assert truth(value) is says


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        pytest.param({"a": 1}, {"a": 1}, id="mapping"),
        pytest.param("a=b, c=d=e,", {"a": "b", "c": "d=e"}, id="pairs"),
        pytest.param('{"a": true}', {"a": True}, id="json"),
        pytest.param("{'a': 'b'}", {"a": "b"}, id="python"),
        pytest.param("", {}, id="empty"),
        pytest.param(None, {}, id="null"),
    ],
)
def test_labels_may_be_written_as_an_ini_file_can(value: Any, labels: dict[str, Any]) -> None:
    assert read_labels(value, "a") == labels


@pytest.mark.parametrize(
    ("value", "taints"),
    [
        pytest.param(["a=b:NoSchedule"], ["a=b:NoSchedule"], id="list"),
        pytest.param(
            "a=b:NoSchedule, c:NoExecute", ["a=b:NoSchedule", "c:NoExecute"], id="with-commas"
        ),
        pytest.param('["a:NoSchedule"]', ["a:NoSchedule"], id="json"),
        pytest.param("", [], id="empty"),
        pytest.param(None, [], id="null"),
    ],
)
def test_taints_may_be_written_as_an_ini_file_can(value: Any, taints: list[str]) -> None:
    assert read_taints(value, "a") == taints


@pytest.mark.parametrize(
    "value", ["registry", ["a"], 7, "{a"], ids=["word", "list", "number", "half"]
)
def test_labels_of_another_form_are_named(value: Any) -> None:
    with pytest.raises(InventoryError) as caught:
        read_labels(value, "gpu1")
    assert str(caught.value) == (
        f"gpu1: k3s_labels is {value!r}, expected a mapping, or text such as registry=yes,disk=ssd"
    )


@pytest.mark.parametrize("value", [7, {"a": "b"}], ids=["number", "mapping"])
def test_taints_of_another_form_are_named(value: Any) -> None:
    with pytest.raises(InventoryError) as caught:
        read_taints(value, "gpu1")
    assert str(caught.value) == (
        f"gpu1: k3s_taints is {value!r}, expected a list such as ['dedicated=gpu:NoSchedule']"
    )
