"""Claims about k3s_manifests: which files are written, which go, and what is shown of them."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_manifests import (
    Manifest,
    ManifestError,
    ObjectRef,
    check_names,
    file_path,
    file_text,
    pack,
    plan_files,
    read_label,
    ref_of,
    unpack,
)

FOLDER = "/manifests"
WEB = ObjectRef("apps/v1", "Deployment", "team", "web")
TEAM = ObjectRef("v1", "Namespace", "", "team")
SECRET = ObjectRef("v1", "Secret", "team", "pw")


def manifest(name: str, *objects: ObjectRef, text: str = "kind: X\n", order: int = 0) -> Manifest:
    return Manifest(name, text, objects or (WEB,), order)


def written(group: str, *manifests: Manifest) -> dict[str, str]:
    return {file_path(FOLDER, group, each.name): file_text(group, each) for each in manifests}


def test_a_file_says_what_it_holds() -> None:
    text = file_text("workloads", manifest("web", TEAM, WEB, text="kind: X"))
    assert text == (
        "# Managed by rackforge.gpu_cluster\n"
        '# rackforge: {"group": "workloads", "name": "web", "objects": '
        '[{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}, '
        '{"apiVersion": "apps/v1", "kind": "Deployment", '
        '"metadata": {"name": "web", "namespace": "team"}}]}\n'
        "kind: X\n"
    )
    label = read_label(text)
    assert label is not None
    assert (label.group, label.name, label.objects) == ("workloads", "web", (TEAM, WEB))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("kind: X\n", id="somebody-elses"),
        pytest.param("# Managed by rackforge.gpu_cluster\nkind: X\n", id="no-label"),
        pytest.param("# Managed by rackforge.gpu_cluster\n# rackforge: {oops\n", id="cut-short"),
        pytest.param("# Managed by rackforge.gpu_cluster\n# rackforge: [1]\n", id="no-mapping"),
        pytest.param(
            '# Managed by rackforge.gpu_cluster\n# rackforge: {"group": "g", "name": "n", '
            '"objects": [{}]}\n',
            id="object-without-name",
        ),
    ],
)
def test_a_file_that_is_not_ours_has_no_label(text: str) -> None:
    assert read_label(text) is None


def test_equal_files_are_left_alone() -> None:
    assert plan_files(FOLDER, "w", [manifest("web")], written("w", manifest("web"))) == []


def test_what_is_taken_out_goes_with_its_objects_the_last_first() -> None:
    present = written("w", manifest("web", TEAM, WEB))
    (change,) = plan_files(FOLDER, "w", [], present)
    assert (change.path, change.after) == ("/manifests/rackforge-w-web.yaml", None)
    assert change.goes == (WEB, TEAM)


def test_files_of_other_groups_and_of_others_stay() -> None:
    present = {**written("other", manifest("web")), "/manifests/mine.yaml": "kind: X\n"}
    assert plan_files(FOLDER, "w", [], present) == []


def test_an_object_that_moved_to_another_file_is_not_deleted() -> None:
    present = written("w", manifest("old", TEAM, WEB))
    changes = plan_files(FOLDER, "w", [manifest("new", WEB)], present)
    assert [(each.manifest.name, each.goes) for each in changes] == [("old", (TEAM,)), ("new", ())]


def test_an_object_that_left_its_file_is_deleted() -> None:
    present = written("w", manifest("web", TEAM, WEB))
    (change,) = plan_files(FOLDER, "w", [manifest("web", WEB)], present)
    assert change.goes == (TEAM,)


def test_ordered_files_go_in_reverse_order() -> None:
    present = written(
        "m", manifest("db", order=1), manifest("apps", order=2), manifest("metrics", order=3)
    )
    changes = plan_files(FOLDER, "m", [], present)
    assert [each.manifest.name for each in changes] == ["metrics", "apps", "db"]


def test_only_the_first_files_are_written_and_the_later_ones_kept() -> None:
    old = manifest("second", text="kind: Old\n")
    wanted = [manifest("first", TEAM), manifest("second"), manifest("third", SECRET)]
    changes = plan_files(FOLDER, "w", wanted, written("w", old), count=1)
    assert [each.manifest.name for each in changes] == ["first"]


def test_the_diff_of_a_secret_shows_its_name_only() -> None:
    (change,) = plan_files(FOLDER, "w", [manifest("pw", SECRET, text="password: hunter2\n")], {})
    assert "hunter2" not in str(change.diff())
    assert "# Secret pw in team\n" in change.diff()["after"]


def test_the_diff_of_a_file_that_held_a_secret_hides_the_old_text() -> None:
    present = written("w", manifest("pw", SECRET, text="password: hunter2\n"))
    (change,) = plan_files(FOLDER, "w", [manifest("pw", WEB)], present)
    assert "hunter2" not in str(change.diff())


def test_the_diff_of_a_removed_secret_hides_it() -> None:
    present = written("w", manifest("pw", SECRET, text="password: hunter2\n"))
    (change,) = plan_files(FOLDER, "w", [], present)
    assert "hunter2" not in str(change.diff())


def test_the_diff_of_an_ordinary_file_shows_it() -> None:
    (change,) = plan_files(FOLDER, "w", [manifest("web", text="kind: Fine\n")], {})
    assert change.diff()["after"].endswith("kind: Fine\n")


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param(["Web"], "'Web' is no name", id="capital"),
        pytest.param(["a.b"], "'a.b' is no name", id="dot-which-k3s-cuts-at"),
        pytest.param(["../x"], "'../x' is no name", id="path"),
        pytest.param(["-x"], "'-x' is no name", id="hyphen-first"),
        pytest.param(["x" * 51], "at most 50", id="long"),
        pytest.param([""], "'' is no name", id="empty"),
        pytest.param(["a", "a"], "used twice", id="twice"),
    ],
)
def test_a_name_that_makes_no_file_is_refused(names: list[str], words: str) -> None:
    with pytest.raises(ManifestError, match=words.replace(".", r"\.")):
        check_names(names)


@pytest.mark.parametrize(
    ("item", "missing"),
    [
        pytest.param({}, "without apiVersion, kind, metadata.name", id="empty"),
        pytest.param({"apiVersion": "v1", "kind": "X"}, "without metadata.name", id="no-name"),
        pytest.param(
            {"apiVersion": "v1", "kind": "X", "metadata": {"generateName": "x-"}},
            "without metadata.name",
            id="generated-name",
        ),
        pytest.param(
            {"apiVersion": "v1", "kind": "X", "metadata": {"name": 5}},
            "without a proper name",
            id="number",
        ),
    ],
)
def test_an_object_without_identity_is_refused(item: dict[str, object], missing: str) -> None:
    with pytest.raises(ManifestError, match=missing):
        ref_of(item)


def test_texts_travel_as_one_word_that_shows_none_of_them() -> None:
    word = pack([manifest("web", text="password: häger\n"), manifest("b", text="---\n")])
    assert word.isascii()
    assert word.split() == [word]
    assert "password" not in word
    assert unpack(word) == {"web": "password: häger\n", "b": "---\n"}


def test_nothing_was_packed_where_there_is_no_word() -> None:
    assert unpack("") == {}
