"""Claims about lists and maps that an inventory file left as something else."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_lists import Item
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
    judge_value,
)

ARGUMENTS = Input("os_base_kernel_arguments", Kind.LIST)
MIRRORS = Input("docker_registry_mirrors", Kind.LIST, takes_text=True)
ENGINES = Input("engines", Kind.LIST, choices=("docker", "containerd"), takes_text=True)
POOLS = Input("pools", Kind.LIST, items=(Item("base", "str", True), Item("size", "int", True)))
USERS = Input("users", Kind.LIST, items=(Item("name", "str", True), Item("sudo", "bool")))
MANIFESTS = Input("k3s_manifests", Kind.LIST, of_maps=True)
LABELS = Input("ray_labels", Kind.DICT)
OPTIONS = Input("docker_daemon_options", Kind.DICT, takes_text=True)


@pytest.mark.parametrize(
    ("known", "value"),
    [
        pytest.param(ARGUMENTS, ["pci=realloc"], id="a-list"),
        pytest.param(ARGUMENTS, [], id="an-empty-list"),
        pytest.param(ARGUMENTS, ("a", 1), id="a-tuple-of-words-and-numbers"),
        pytest.param(ARGUMENTS, None, id="not-set"),
        pytest.param(MIRRORS, "https://a.example,https://b.example", id="text-that-is-split"),
        pytest.param(MIRRORS, 8443, id="one-number-that-is-split"),
        pytest.param(ENGINES, "docker,containerd", id="choices-in-a-text"),
        pytest.param(POOLS, [{"base": "10.0.0.0/8", "size": "24"}], id="a-number-as-text-in-a-map"),
        pytest.param(USERS, [{"name": "ada", "sudo": "yes"}], id="a-word-that-ansible-takes"),
        pytest.param(MANIFESTS, [{"name": "web", "vars": {"n": 2}}], id="maps-of-any-keys"),
        pytest.param(MANIFESTS, [], id="an-empty-list-of-maps"),
        pytest.param(LABELS, {"rack": "r1"}, id="a-map"),
        pytest.param(OPTIONS, '{"debug": true}', id="json-that-is-read"),
    ],
)
def test_what_a_role_can_use_is_silent(known: Input, value: Any) -> None:
    assert judge_value(known, value) is None


@pytest.mark.parametrize(
    ("known", "value", "fix"),
    [
        pytest.param(
            ARGUMENTS,
            "[pci=realloc]",
            "os_base_kernel_arguments=\"['pci=realloc']\"   (below [all:vars] without the outer "
            "quotes)",
            id="quotes-lost-on-a-hosts-line",
        ),
        pytest.param(
            ARGUMENTS,
            "pci=realloc, quiet",
            "os_base_kernel_arguments=\"['pci=realloc', 'quiet']\"   (below [all:vars] without "
            "the outer quotes)",
            id="words",
        ),
        pytest.param(
            ARGUMENTS,
            "['pci=realloc']",
            "os_base_kernel_arguments=['pci=realloc']   (below [all:vars], without quotes around "
            "it)",
            id="quoted-below-vars",
        ),
        pytest.param(
            ARGUMENTS,
            "",
            'os_base_kernel_arguments="[]"   (below [all:vars] without the outer quotes)',
            id="nothing",
        ),
        pytest.param(
            MIRRORS,
            "[https://a.example]",
            "docker_registry_mirrors=\"['https://a.example']\"   (below [all:vars] without the "
            "outer quotes)",
            id="brackets-are-never-split",
        ),
        pytest.param(
            LABELS,
            "{'rack': 'r1'}",
            "ray_labels={'rack': 'r1'}   (below [all:vars], without quotes around it)",
            id="a-quoted-map",
        ),
        pytest.param(
            LABELS,
            "rack=r1",
            "ray_labels=\"{'KEY': 'VALUE'}\"   (below [all:vars] without the outer quotes)",
            id="no-map-at-all",
        ),
        pytest.param(
            LABELS,
            '{"rack": true}',
            "ray_labels=\"{'rack': True}\"   (below [all:vars] without the outer quotes)",
            id="json-is-no-python",
        ),
        pytest.param(
            POOLS,
            "10.240.0.0/16",
            "pools=\"[{'base': 'TEXT', 'size': 1}]\"   (below [all:vars] without the outer quotes)",
            id="a-text-in-place-of-maps",
        ),
    ],
)
def test_a_text_in_place_of_a_list_is_named_with_a_good_line(
    known: Input, value: Any, fix: str
) -> None:
    refusal = judge_value(known, value)
    assert refusal is not None
    assert (refusal.code, refusal.fix) == ("list-as-text", fix)


@pytest.mark.parametrize(
    ("known", "value", "expected"),
    [
        pytest.param(ARGUMENTS, True, "a list", id="a-boolean"),
        pytest.param(ARGUMENTS, {"a": 1}, "a list", id="a-map-for-a-list"),
        pytest.param(ARGUMENTS, [None], "a list of texts; one element is nothing", id="a-hole"),
        pytest.param(ARGUMENTS, [["a"]], "a list of texts; one element is a list", id="nested"),
        pytest.param(ENGINES, ["podman"], "a list of docker, containerd", id="no-such-choice"),
        pytest.param(ENGINES, "podman", "a list of docker, containerd", id="nor-as-text"),
        pytest.param(POOLS, [{"base": "10.0.0.0/8"}], "size in each map", id="a-key-is-missing"),
        pytest.param(
            POOLS,
            [{"base": "10.0.0.0/8", "size": "x"}],
            "size of the kind int in each map",
            id="no-number",
        ),
        pytest.param(
            POOLS,
            [{"base": "10.0.0.0/8", "size": 24, "siez": 1}],
            "no key but base, size; saw siez",
            id="a-misspelt-key",
        ),
        pytest.param(
            POOLS,
            ["10.0.0.0/8"],
            "a list of maps with base, size; one element is a text",
            id="words-for-maps",
        ),
        pytest.param(
            USERS,
            [{"name": "ada", "sudo": "maybe"}],
            "sudo of the kind bool in each map",
            id="no-boolean",
        ),
        pytest.param(LABELS, ["a"], "a map of keys to values", id="a-list-for-a-map"),
    ],
)
def test_what_is_in_a_list_counts_too(known: Input, value: Any, expected: str) -> None:
    refusal = judge_value(known, value)
    assert refusal is not None
    assert (refusal.code, refusal.expected) == ("value-invalid", expected)


def test_neither_a_password_nor_a_map_is_shown() -> None:
    mirrors = judge_value(MIRRORS, "[https://ada:secret@a.example]")
    labels = judge_value(LABELS, "{'TOKEN': 'secret'")
    assert mirrors is not None
    assert labels is not None
    assert "secret" not in f"{mirrors} {labels}"
    assert labels.seen == "ray_labels: a text of 18 characters"


@pytest.mark.parametrize("value", ["[" * 5000, "'", "\x00", "{" * 90000, "ä,ö", object(), b"x"])
def test_garbage_is_refused_and_no_crash(value: object) -> None:
    for known in (ARGUMENTS, POOLS, LABELS, OPTIONS):
        assert judge_value(known, value) is not None


@pytest.mark.parametrize(
    ("value", "seen", "expected", "code"),
    [
        pytest.param(
            [{"name": "web"}, "secret"],
            "k3s_manifests: of 2, one is a text",
            "a list of maps",
            "value-invalid",
            id="a-text-among-maps",
        ),
        pytest.param(
            [None],
            "k3s_manifests: of 1, one is nothing",
            "a list of maps",
            "value-invalid",
            id="nothing",
        ),
        pytest.param(
            {"name": "secret"},
            "k3s_manifests: a map",
            "a list of maps",
            "value-invalid",
            id="a-map-without-its-list",
        ),
        pytest.param(
            "[{'name': 'secret'}]",
            "k3s_manifests: a text",
            "a list of maps, not a text",
            "list-as-text",
            id="a-list-in-quotes",
        ),
    ],
)
def test_a_list_of_maps_with_any_keys_is_judged_without_being_shown(
    value: Any, seen: str, expected: str, code: str
) -> None:
    refusal = judge_value(MANIFESTS, value)
    assert refusal is not None
    assert (refusal.code, refusal.seen, refusal.expected) == (code, seen, expected)
    assert refusal.fix.startswith("k3s_manifests=")
    assert "secret" not in refusal.fix
