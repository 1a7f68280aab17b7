"""Claims about which variables count as known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_lists import Item
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils import known_variables
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_variables import (
    collection_version,
    input_of_option,
    load_inputs,
    plain_value,
)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        pytest.param({"type": "bool"}, Input("x", Kind.BOOLEAN), id="boolean"),
        pytest.param({"type": "int"}, Input("x", Kind.INTEGER), id="number"),
        pytest.param(
            {"type": "str", "choices": ["a", "b"]}, Input("x", choices=("a", "b")), id="choice"
        ),
        pytest.param({"choices": ["a"]}, Input("x", choices=("a",)), id="text-is-the-default"),
        pytest.param(
            {"type": "list", "elements": "str", "choices": ["a"]},
            Input("x", Kind.LIST, choices=("a",)),
            id="list-of-choices",
        ),
        pytest.param({"type": "dict"}, Input("x", Kind.DICT), id="map"),
        pytest.param({"type": "float"}, Input("x", Kind.NUMBER), id="fraction"),
        pytest.param(
            {"type": "list", "options": {"base": {"required": True}, "size": {"type": "int"}}},
            Input("x", Kind.LIST, items=(Item("base", "str", True), Item("size", "int"))),
            id="list-of-maps",
        ),
        pytest.param(
            {"type": "list", "elements": "dict"},
            Input("x", Kind.LIST, of_maps=True),
            id="list-of-maps-with-any-keys",
        ),
    ],
)
def test_an_option_of_a_role_becomes_an_input(option: dict[str, object], expected: Input) -> None:
    assert input_of_option("x", option) == expected


def test_options_of_every_role_and_verb_are_known(tmp_path: Path) -> None:
    spec = tmp_path / "roles" / "ray" / "meta" / "argument_specs.yml"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        "argument_specs:\n"
        "  install:\n    options:\n      ray_labels: {type: dict}\n"
        "  verify:\n    options:\n      ray_wait_seconds: {type: int}\n"
        "  remove: {}\n",
        encoding="utf-8",
    )
    inputs = load_inputs(tmp_path)
    assert inputs["ray_labels"] == Input("ray_labels", Kind.DICT)
    assert inputs["ray_wait_seconds"] == Input("ray_wait_seconds", Kind.INTEGER, low=0)
    assert inputs["has_gpu"] == Input("has_gpu", Kind.BOOLEAN)


def test_this_collection_knows_the_variables_of_its_users() -> None:
    assert {"has_gpu", "my_iface", "cluster_subnet", "ray_runtime", "ray_image"} <= set(
        load_inputs()
    )


def test_a_value_is_looked_at_in_full() -> None:
    class Late(list[object]):
        """A list whose elements are worked out when they are looked at."""

        def __iter__(self) -> Iterator[object]:
            """Fail as a template does that names nothing."""
            raise KeyError("x is undefined")

    with pytest.raises(KeyError, match="x is undefined"):
        plain_value({"a": [Late()]})
    assert plain_value({"a": (1, {"b": 2})}) == {"a": [1, {"b": 2}]}


MANIFEST = '{"collection_info": {"name": "gpu_cluster", "version": "1.2.3"}, "format": 1}'


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"galaxy.yml": "name: gpu_cluster\nversion: 0.4.0\n"}, "0.4.0", id="checkout"),
        pytest.param({"MANIFEST.json": MANIFEST}, "1.2.3", id="installed"),
        pytest.param(
            {"galaxy.yml": "version: 0.4.0\n", "MANIFEST.json": MANIFEST}, "0.4.0", id="both"
        ),
        pytest.param(
            {"galaxy.yml": "name: x\n", "MANIFEST.json": MANIFEST}, "1.2.3", id="not-told"
        ),
        pytest.param({"galaxy.yml": "a: [", "MANIFEST.json": MANIFEST}, "1.2.3", id="broken-yaml"),
        pytest.param({"MANIFEST.json": '{"format": 1}'}, "", id="a-manifest-without-it"),
        pytest.param({"galaxy.yml": "- version\n"}, "", id="a-list"),
        pytest.param({"galaxy.yml": ""}, "", id="an-empty-file"),
        pytest.param({}, "", id="neither"),
    ],
)
def test_the_version_is_that_of_the_collection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], expected: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(known_variables, "COLLECTION_ROOT", tmp_path)
    assert collection_version() == expected
