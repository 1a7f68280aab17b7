"""Claims about how the control node reads manifests and charts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    Manifest,
    ManifestError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.k3s_manifests import (
    Loader,
    check_objects,
    find_below,
    merged,
)

WEB = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
TEAM = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team}\n"
GZIP = b"\x1f\x8b rest of a chart"


@pytest.fixture
def loader(tmp_path: Path) -> Loader:
    """A loader whose templates come to their text with REPLICAS replaced."""
    return Loader(
        lambda path: find_below(path, [str(tmp_path)]),
        lambda path, more: Path(path).read_text().replace("REPLICAS", str(more.get("replicas"))),
    )


def documents(manifest: Manifest) -> list[Any]:
    return list(yaml.safe_load_all(manifest.text))


def test_a_file_is_taken_as_it_stands(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(f"# a comment\n{WEB}")
    found = loader.manifest({"name": "web", "src": "web.yaml"})
    assert found.text == f"# a comment\n{WEB}"
    assert [str(each) for each in found.objects] == ["Service web"]


def test_a_folder_is_taken_by_name_without_what_is_no_manifest(
    loader: Loader, tmp_path: Path
) -> None:
    folder = tmp_path / "web"
    (folder / "sub").mkdir(parents=True)
    (folder / "20.yml").write_text(WEB)
    (folder / "10.yaml").write_text(f"---\n{TEAM}")
    (folder / "sub" / "30.json").write_text(
        '{"apiVersion": "v1", "kind": "X", "metadata": {"name": "j"}}'
    )
    (folder / "README.md").write_text("not: yaml: at: all")
    (folder / ".hidden.yaml").write_text("oops: [")
    found = loader.manifest({"name": "web", "src": "web"})
    assert [str(each) for each in found.objects] == ["Namespace team", "Service web", "X j"]
    assert len(documents(found)) == 3


def test_a_template_is_rendered_with_the_manifests_own_variables(
    loader: Loader, tmp_path: Path
) -> None:
    (tmp_path / "web.yaml.j2").write_text(f"{WEB}spec: {{replicas: REPLICAS}}\n")
    found = loader.manifest({"name": "web", "src": "web.yaml.j2", "vars": {"replicas": 7}})
    assert documents(found)[0]["spec"] == {"replicas": 7}


def test_objects_without_a_namespace_get_the_manifests(loader: Loader) -> None:
    own = "apiVersion: v1\nkind: Service\nmetadata: {name: own, namespace: mine}\n"
    text = f"{WEB}---\n{own}---\n{TEAM}"
    found = loader.manifest({"name": "web", "content": text, "namespace": "team"})
    assert [str(each) for each in found.objects] == [
        "Service web in team",
        "Service own in mine",
        "Namespace team",
    ]
    assert documents(found)[0]["metadata"] == {"name": "web", "namespace": "team"}


def test_a_namespace_is_made_once_and_belongs_to_no_manifest(loader: Loader) -> None:
    entry = {"content": WEB, "namespace": "team", "create_namespace": True}
    first = loader.manifest({"name": "a", **entry})
    second = loader.manifest({"name": "b", **entry})
    assert [each["kind"] for each in documents(first)] == ["Namespace", "Service"]
    assert [each.kind for each in first.objects] == ["Service"]
    assert [each["kind"] for each in documents(second)] == ["Service"]


def test_a_namespace_that_the_manifest_has_is_not_made_again(loader: Loader) -> None:
    entry = {"content": f"{TEAM}---\n{WEB}", "namespace": "team", "create_namespace": True}
    found = loader.manifest({"name": "a", **entry})
    assert [each["kind"] for each in documents(found)] == ["Namespace", "Service"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        pytest.param({}, "saw none of them, expected exactly one", id="nothing"),
        pytest.param({"src": "a", "content": "b"}, "saw src and content", id="two"),
        pytest.param(
            {"src": "gone.yaml"}, "manifest web: gone.yaml is not on the control node", id="no-file"
        ),
        pytest.param({"content": ""}, "no object of Kubernetes in it", id="empty"),
        pytest.param({"content": "# only\n---\n"}, "no object of Kubernetes", id="comments"),
        pytest.param({"content": "just words"}, "saw a str", id="words"),
        pytest.param({"content": "- 1\n"}, "saw a list", id="list"),
        pytest.param({"content": "kind: X\n"}, "without apiVersion, metadata.name", id="half"),
        pytest.param(
            {"content": "a: 1\nb: [1,\nc: 2\n"}, "content of manifest web: line 4", id="broken"
        ),
        pytest.param({"content": "a: \x07\n"}, "is no YAML", id="control-character"),
        pytest.param(
            {"content": "apiVersion: v1\nkind: List\nitems: []\n"}, "saw a List", id="list-object"
        ),
        pytest.param({"definition": ["x"]}, "saw a str", id="definition-of-words"),
    ],
)
def test_a_wrong_manifest_is_refused(loader: Loader, entry: dict[str, Any], words: str) -> None:
    with pytest.raises(ManifestError) as error:
        loader.manifest({"name": "web", **entry})
    assert words in str(error.value)


def test_an_error_names_file_line_and_text(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("kind: X\n  bad: indent\n")
    with pytest.raises(ManifestError, match=r"web\.yaml: line 2 is no YAML .*'bad: indent'"):
        loader.manifest({"name": "web", "src": "web.yaml"})


def test_a_folder_without_manifests_is_refused(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    with pytest.raises(ManifestError, match="holds no file whose name ends in"):
        loader.manifest({"name": "web", "src": "web"})


def test_bytes_that_are_no_text_are_refused(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="no UTF-8 text"):
        loader.manifest({"name": "web", "src": "web.yaml"})


def test_an_object_of_two_manifests_is_refused(loader: Loader) -> None:
    found = [loader.manifest({"name": name, "content": WEB}) for name in "ab"]
    with pytest.raises(ManifestError, match="Service web is in a and in b"):
        check_objects(found)


def test_an_object_that_stands_twice_in_one_manifest_is_refused(loader: Loader) -> None:
    with pytest.raises(ManifestError, match="Service web is in a and in a"):
        check_objects([loader.manifest({"name": "a", "content": f"{WEB}---\n{WEB}"})])


def test_a_chart_becomes_a_helm_chart(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("hub: {a: 1, b: 2}\nlist: [1]\n")
    found = loader.chart(
        {
            "name": "hub",
            "chart": "jupyterhub",
            "repo": "https://example.org/",
            "version": "4.3.5",
            "namespace": "hub",
            "base_values": {"hub": {"a": 0, "c": 3}},
            "values_file": "values.yaml",
            "values": {"hub": {"b": 9}, "list": [2]},
        }
    )
    (item,) = documents(found)
    values = yaml.safe_load(item["spec"].pop("valuesContent"))
    assert item == {
        "apiVersion": "helm.cattle.io/v1",
        "kind": "HelmChart",
        "metadata": {"name": "hub", "namespace": "kube-system"},
        "spec": {
            "targetNamespace": "hub",
            "createNamespace": True,
            "timeout": "300s",
            "chart": "jupyterhub",
            "repo": "https://example.org/",
            "version": "4.3.5",
        },
    }
    assert values == {"hub": {"a": 1, "b": 9, "c": 3}, "list": [2]}
    assert found.is_confidential


def test_an_archive_travels_inside_the_object(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "hub.tgz").write_bytes(GZIP)
    (item,) = documents(loader.chart({"name": "hub", "content_file": "hub.tgz"}))
    assert base64.b64decode(item["spec"]["chartContent"]) == GZIP
    assert "chart" not in item["spec"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        pytest.param({}, "exactly one of chart", id="neither"),
        pytest.param({"chart": "x", "content_file": "hub.tgz"}, "exactly one of chart", id="both"),
        pytest.param({"content_file": "gone.tgz"}, "chart hub: gone.tgz is not", id="no-archive"),
        pytest.param({"content_file": "plain.txt"}, "is no gzip archive", id="no-gzip"),
        pytest.param({"content_file": "big.tgz"}, "more than 700 KiB", id="too-large"),
        pytest.param({"chart": "x", "values_file": "gone.yaml"}, "gone.yaml", id="no-values"),
        pytest.param({"chart": "x", "values_file": "plain.txt"}, "holds no mapping", id="words"),
        pytest.param({"chart": "x", "values_file": "two.yaml"}, "holds no mapping", id="two"),
    ],
)
def test_a_wrong_chart_is_refused(
    loader: Loader, tmp_path: Path, entry: dict[str, Any], words: str
) -> None:
    (tmp_path / "hub.tgz").write_bytes(GZIP)
    (tmp_path / "plain.txt").write_text("just words")
    (tmp_path / "two.yaml").write_text("a: 1\n---\nb: 2\n")
    (tmp_path / "big.tgz").write_bytes(GZIP + b"x" * 700 * 1024)
    with pytest.raises(ManifestError) as error:
        loader.chart({"name": "hub", **entry})
    assert words in str(error.value)


def test_an_empty_file_of_values_is_no_values(loader: Loader, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("# nothing yet\n")
    (item,) = documents(loader.chart({"name": "x", "chart": "x", "values_file": "values.yaml"}))
    assert "valuesContent" not in item["spec"]


def test_values_merge_as_helm_merges_them() -> None:
    assert merged({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}, "d": {"e": 1}}) == {
        "a": {"b": 1, "c": [2]},
        "d": {"e": 1},
    }


def test_a_file_beside_the_inventory_comes_first(tmp_path: Path) -> None:
    for name in ("inventory", "playbook"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text(name)
    folders = [str(tmp_path / "inventory"), str(tmp_path / "playbook")]
    assert find_below("x.yaml", folders) == str(tmp_path / "inventory" / "x.yaml")
