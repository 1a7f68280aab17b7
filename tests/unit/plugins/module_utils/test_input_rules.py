"""Claims about accepted values and misspelt names."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
    Refusal,
    edit_distance,
    judge_value,
    meant_input,
)

HAS_GPU = Input("has_gpu", Kind.BOOLEAN)
RUNTIME = Input("ray_runtime", choices=("container", "venv"))
SUBNET = Input("cluster_subnet", Kind.SUBNET)
SECONDS = Input("ray_start_timeout_seconds", Kind.INTEGER)
INPUTS = {
    each.name: each
    for each in (HAS_GPU, RUNTIME, SUBNET, SECONDS, Input("my_iface"), Input("ray_image"))
}


@pytest.mark.parametrize(
    ("known", "value"),
    [
        pytest.param(HAS_GPU, True, id="a-boolean"),
        pytest.param(HAS_GPU, "true", id="what-ini-makes-of-it"),
        pytest.param(HAS_GPU, " FALSE ", id="in-any-case"),
        pytest.param(HAS_GPU, None, id="not-set"),
        pytest.param(RUNTIME, "venv", id="a-choice"),
        pytest.param(SUBNET, "198.19.1.0/24", id="a-network"),
        pytest.param(SUBNET, "", id="no-network"),
        pytest.param(SECONDS, 60, id="a-number"),
        pytest.param(SECONDS, "60", id="a-number-as-text"),
        pytest.param(Input("ray_image"), "whatever", id="any-text"),
    ],
)
def test_good_values_are_accepted(known: Input, value: object) -> None:
    assert judge_value(known, value) is None


@pytest.mark.parametrize(
    "value", ["yes", "no", "ja", "1x", "on", "", "wahr", 1, 0, [True], {"a": 1}]
)
def test_a_boolean_is_nothing_but_true_or_false(value: object) -> None:
    assert judge_value(HAS_GPU, value) == Refusal(
        "boolean-as-word", f"has_gpu={value}", "true or false", "has_gpu=true"
    )


@pytest.mark.parametrize(
    ("known", "value", "expected"),
    [
        pytest.param(
            RUNTIME,
            "contaner",
            Refusal(
                "value-invalid",
                "ray_runtime=contaner",
                "one of container, venv",
                "ray_runtime=container",
            ),
            id="misspelt-choice",
        ),
        pytest.param(
            RUNTIME,
            "kubernetes",
            Refusal(
                "value-invalid",
                "ray_runtime=kubernetes",
                "one of container, venv",
                "ray_runtime=container",
            ),
            id="no-such-choice",
        ),
        pytest.param(
            SUBNET,
            "198.19.1.0",
            Refusal(
                "value-invalid",
                "cluster_subnet=198.19.1.0",
                "an IPv4 network with its prefix length",
                "cluster_subnet=198.18.0.0/24",
            ),
            id="network-without-length",
        ),
        pytest.param(
            SECONDS,
            "1m",
            Refusal(
                "value-invalid",
                "ray_start_timeout_seconds=1m",
                "a whole number",
                "ray_start_timeout_seconds=NUMBER",
            ),
            id="number-with-unit",
        ),
    ],
)
def test_a_refused_value_comes_with_a_good_one(
    known: Input, value: object, expected: Refusal
) -> None:
    assert judge_value(known, value) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("has_gpu", None, id="a-known-name"),
        pytest.param("has_gpuu", "has_gpu", id="a-letter-more"),
        pytest.param("hasgpu", "has_gpu", id="an-underscore-less"),
        pytest.param("Has-GPU", "has_gpu", id="case-and-hyphen"),
        pytest.param("has_gup", "has_gpu", id="letters-swapped"),
        pytest.param("my_ifcae", "my_iface", id="letters-swapped-inside"),
        pytest.param("my_interface", "my_iface", id="a-synonym"),
        pytest.param("claster_subnets", "cluster_subnet", id="two-slips-in-a-long-name"),
        pytest.param("gpu_hours", None, id="someone-elses-name"),
        pytest.param("ansible_has_gpu", None, id="ansibles-own"),
        pytest.param("group_names", None, id="magic"),
        pytest.param("ray_images", None, id="declared-as-own"),
        pytest.param("gpu", "has_gpu", id="half-the-name"),
        pytest.param("hg", None, id="too-short-to-judge"),
    ],
)
def test_a_misspelt_variable_is_recognised(name: str, expected: str | None) -> None:
    assert meant_input(name, INPUTS, own_names=frozenset({"ray_images"})) == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param("abc", "abc", 0, id="equal"),
        pytest.param("abc", "abd", 1, id="other-letter"),
        pytest.param("abc", "abcd", 1, id="one-more"),
        pytest.param("abcd", "acbd", 1, id="swapped"),
        pytest.param("abc", "xyz", 3, id="different"),
        pytest.param("a", "abcdef", 3, id="lengths-too-different"),
    ],
)
def test_slips_are_counted(left: str, right: str, expected: int) -> None:
    assert edit_distance(left, right) == expected


PORTS = Input("preflight_ports", choices=("required", "full", "sample", "off"))


def test_a_bare_off_is_false_in_yaml_and_means_the_choice_off() -> None:
    assert judge_value(PORTS, False) is None
    assert judge_value(PORTS, "off") is None


@pytest.mark.parametrize(
    ("known", "value", "seen", "expected", "fix"),
    [
        pytest.param(
            PORTS,
            True,
            "preflight_ports=True",
            "one of required, full, sample, off",
            "preflight_ports=required",
            id="a-bare-on",
        ),
        pytest.param(
            PORTS,
            0,
            "preflight_ports=0",
            "one of required, full, sample, off",
            "preflight_ports=required",
            id="a-zero",
        ),
        pytest.param(
            RUNTIME,
            False,
            "ray_runtime=False",
            "one of container, venv",
            "ray_runtime=container",
            id="off-where-it-is-no-choice",
        ),
    ],
)
def test_a_boolean_is_no_other_choice(
    known: Input, value: object, seen: str, expected: str, fix: str
) -> None:
    assert judge_value(known, value) == Refusal("value-invalid", seen, expected, fix)
