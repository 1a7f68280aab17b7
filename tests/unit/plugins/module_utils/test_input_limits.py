"""Claims about the bounds of inputs, and about lists that may be written as a text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_limits import (
    TAKE_TEXT,
    limited,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
    judge_value,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    load_inputs,
)

ROOT = Path(__file__).parents[4]
INPUTS = load_inputs()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("os_base_ssh_port", 22332, id="a-port"),
        pytest.param("os_base_ssh_port", " 22332 ", id="a-port-as-text"),
        pytest.param("ray_serve_port", 65535, id="the-last-port"),
        pytest.param("ray_wait_seconds", 0, id="ask-once"),
        pytest.param("os_base_ssh_client_alive_interval_seconds", 0, id="off"),
        pytest.param("ray_num_gpus", "0", id="no-gpus"),
        pytest.param("ray_object_store_fraction", "0.1", id="a-fraction"),
        pytest.param("ray_object_store_memory_mib", 75, id="the-least-store"),
        pytest.param("cluster_reboot_batch", "25%", id="a-share"),
        pytest.param("cluster_reboot_batch", [1, "50%"], id="growing-batches"),
        pytest.param("cluster_subnet", "198.18.0.0/31", id="two-nodes"),
        pytest.param("cluster_control_addresses", ["198.18.0.1"], id="addresses"),
        pytest.param("k3s_version", "v1.33.5+k3s1", id="release-of-k3s"),
        pytest.param("k3s_version", "v1.34.0-rc1+k3s2", id="candidate-of-k3s"),
        pytest.param("k3s_node_name", "gpu-01.rack2", id="node-name"),
        pytest.param("k3s_cluster_cidr", "10.60.0.0/16", id="network-of-pods"),
        pytest.param("k3s_token", "anything", id="tokens-are-judged-elsewhere"),
        pytest.param("jhub_config_path", "thu-vars/jupyterhub.yaml", id="so-are-files"),
        pytest.param("k3s_flannel_backend", "host-gw", id="backend"),
    ],
)
def test_values_within_their_bounds_are_silent(name: str, value: Any) -> None:
    assert judge_value(INPUTS[name], value) is None


@pytest.mark.parametrize(
    ("name", "value", "expected", "fix"),
    [
        pytest.param(
            *("os_base_ssh_port", 70000, "a whole number from 1 to 65535"),
            "os_base_ssh_port=NUMBER",
            id="no-such-port",
        ),
        pytest.param(
            *("k3s_version", "1.33.5", "a release of k3s as it is tagged, such as v1.33.5+k3s1"),
            "k3s_version=v1.33.5+k3s1",
            id="release-without-its-marks",
        ),
        pytest.param(
            *("k3s_version", "stable", "a release of k3s as it is tagged, such as v1.33.5+k3s1"),
            "k3s_version=v1.33.5+k3s1",
            id="channel",
        ),
        pytest.param(
            "k3s_node_name",
            "GPU_01",
            "small letters, digits, hyphens and dots, with a letter or digit at both ends",
            "k3s_node_name=gpu-01",
            id="node-name-of-no-kubernetes",
        ),
        pytest.param(
            *("k3s_node_name", "g" * 64, "at most 63 characters, not 64"),
            f"k3s_node_name={'g' * 63}",
            id="long-node-name",
        ),
        pytest.param(
            *("k3s_service_cidr", "10.43.0.0", "an IPv4 network with its prefix length"),
            "k3s_service_cidr=10.43.0.0/16",
            id="network-without-a-prefix",
        ),
        pytest.param(
            *("k3s_flannel_backend", "vxlna", "one of vxlan, host-gw, none"),
            "k3s_flannel_backend=vxlan",
            id="unknown-backend",
        ),
        pytest.param(
            *("k3s_node_port_last", 70000, "a whole number from 1 to 65535"),
            "k3s_node_port_last=NUMBER",
            id="node-port-out-of-bounds",
        ),
        pytest.param(
            *("ray_gcs_port", "0", "a whole number from 1 to 65535"),
            "ray_gcs_port=NUMBER",
            id="port-0",
        ),
        pytest.param(
            *("ray_gcs_port", "²", "a whole number from 1 to 65535"),
            "ray_gcs_port=NUMBER",
            id="a-digit-that-is-no-number",
        ),
        pytest.param(
            *("preflight_timeout_seconds", 0, "a whole number, 1 or more"),
            "preflight_timeout_seconds=1",
            id="no-time-at-all",
        ),
        pytest.param(
            *("ray_num_gpus", -1, "a whole number, 0 or more"),
            "ray_num_gpus=0",
            id="less-than-none",
        ),
        pytest.param(
            *("ray_object_store_memory_mib", 10, "a whole number, 75 or more"),
            "ray_object_store_memory_mib=75",
            id="less-than-ray-takes",
        ),
        pytest.param(
            *("ray_object_store_fraction", 1, "a number from 0.001 to 0.999"),
            "ray_object_store_fraction=NUMBER",
            id="all-of-the-memory",
        ),
        pytest.param(
            *("cluster_reboot_batch", "half", "a number of nodes, 1 or more, or 1% to 100%"),
            "cluster_reboot_batch=1",
            id="a-word",
        ),
        pytest.param(
            *("cluster_reboot_batch", 0, "a number of nodes, 1 or more, or 1% to 100%"),
            "cluster_reboot_batch=1",
            id="nobody-or-everybody",
        ),
        pytest.param(
            *("cluster_reboot_batch", "120%", "a number of nodes, 1 or more, or 1% to 100%"),
            "cluster_reboot_batch=1",
            id="more-than-there-are",
        ),
        pytest.param(
            *("cluster_subnet", "198.18.0.7/32"),
            "a network of several nodes, so a prefix shorter than 32",
            "cluster_subnet=198.18.0.0/24",
            id="a-network-of-one",
        ),
    ],
)
def test_values_out_of_their_bounds_are_refused(
    name: str, value: Any, expected: str, fix: str
) -> None:
    refusal = judge_value(INPUTS[name], value)
    assert refusal is not None
    assert (refusal.code, refusal.expected, refusal.fix) == ("value-invalid", expected, fix)


def test_addresses_in_one_text_would_be_taken_for_letters() -> None:
    refusal = judge_value(INPUTS["cluster_control_addresses"], "198.18.0.1")
    assert refusal is not None
    assert refusal.code == "list-as-text"


def test_every_port_of_the_catalogue_has_the_bounds_of_a_port() -> None:
    moved = limited(Input("k3s_node_port_first", Kind.INTEGER))
    assert (moved.low, moved.high) == (1, 65535)


def test_what_a_playbook_says_of_an_input_counts_more() -> None:
    known = limited(Input("ray_wait_seconds", Kind.INTEGER, low=5, high=9))
    assert (known.low, known.high) == (5, 9)


def uses(name: str) -> list[str]:
    """Return the templates and conditions of the roles in which an input stands."""
    files = [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/vars/main/*.yml")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(files))
    word = re.compile(rf"(?<![\w.=]){name}(?![\w=])")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in lines if word.search(line) and not line.strip().startswith(f"{name}:")]


def is_safe(name: str, line: str) -> bool:
    """Return whether a line takes a text for the list that it writes.

    Handed over as it is, counted against none, asked for a word, or named in a message.
    """
    safe = (
        rf"^[\w -]*: *\"?{{{{ {name} }}}}\"?$",
        rf"{name} \| length > 0",
        rf"'[a-z]+' (not )?in {name}\b",
        rf"\b(if|and) {name} (else|and)\b",
        rf"\b(if|and) {name}\)? ?(}}}}|else|$)",
        rf"_input: {name}$",
    )
    return any(re.search(pattern, line.strip()) for pattern in safe)


IN_ROLES = sorted(name for name in TAKE_TEXT if not name.startswith("preflight_"))


@pytest.mark.parametrize("name", IN_ROLES)
def test_roles_hand_over_as_they_are_the_lists_that_take_a_text(name: str) -> None:
    found = uses(name)
    assert found
    assert [line.strip() for line in found if not is_safe(name, line)] == []


@pytest.mark.parametrize(
    "name", ["os_base_kernel_arguments", "os_base_dns_servers", "docker_users"]
)
def test_a_list_that_a_role_adds_to_takes_no_text(name: str) -> None:
    assert [line for line in uses(name) if not is_safe(name, line)]
    assert not INPUTS[name].takes_text
