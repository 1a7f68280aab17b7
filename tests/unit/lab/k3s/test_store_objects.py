# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches, selectors and what is filled in (pure parts of the API)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.k3s.standin.objects_patch import json_patch, merge_patch, patched, strategic_patch
from tests.lab.k3s.standin.objects_select import fields_match, labels_match, selector_matches
from tests.lab.k3s.standin.store import ApiError, Change, Key, Store
from tests.lab.k3s.standin.store_disk import Disk
from tests.lab.k3s.standin.store_solo import Solo

LABELS = {"app": "web", "tier": "front"}
KEY = Key("", "configmaps", "default", "one")


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param("", True, id="everything"),
        pytest.param("app=web", True, id="equal"),
        pytest.param("app==db", False, id="not-equal"),
        pytest.param("app!=db,tier=front", True, id="both"),
        pytest.param("app in (db, web),tier", True, id="one-of-and-there"),
        pytest.param("app notin (db,web)", False, id="none-of"),
        pytest.param("!gpu", True, id="not-there"),
    ],
)
def test_labels_are_selected(selector: str, expected: bool) -> None:
    assert labels_match(selector, LABELS) is expected


def test_a_selector_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ApiError, match="unable to parse requirement"):
        labels_match("app=(", LABELS)


def test_fields_are_selected_by_their_path() -> None:
    pod = {"spec": {"nodeName": "a1"}, "status": {"phase": "Running"}}
    assert fields_match("spec.nodeName=a1,status.phase!=Failed", pod)
    assert not fields_match("spec.nodeName=a2", pod)


def test_expressions_of_a_selector_count() -> None:
    rows = [{"key": "gpu", "operator": "DoesNotExist"}]
    assert selector_matches({"matchExpressions": rows}, LABELS)
    assert not selector_matches({"matchExpressions": rows}, {"gpu": "yes"})


def test_a_merge_patch_removes_what_is_null() -> None:
    assert merge_patch({"a": 1, "b": {"c": 2, "d": 3}}, {"a": None, "b": {"c": 4}}) == {
        "b": {"c": 4, "d": 3}
    }


@pytest.mark.parametrize(
    ("old", "patch", "expected"),
    [
        pytest.param(
            {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]},
            {"containers": [{"name": "a", "image": "2"}]},
            {"containers": [{"name": "a", "image": "2"}, {"name": "b"}]},
            id="containers-by-name",
        ),
        pytest.param(
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "A", "$patch": "delete"}, {"name": "B", "value": "2"}]},
            {"env": [{"name": "B", "value": "2"}]},
            id="one-is-deleted",
        ),
        pytest.param(
            {"taints": [{"key": "a", "effect": "NoSchedule"}]},
            {"taints": [{"key": "b", "effect": "NoExecute"}]},
            {"taints": [{"key": "b", "effect": "NoExecute"}]},
            id="taints-as-a-whole",
        ),
        pytest.param(
            {"ports": [{"port": 80, "nodePort": 30080}]},
            {"ports": [{"port": 80, "name": "web"}]},
            {"ports": [{"port": 80, "nodePort": 30080, "name": "web"}]},
            id="ports-of-a-service",
        ),
        pytest.param(
            {"finalizers": ["a", "b"]},
            {"$deleteFromPrimitiveList/finalizers": ["a"]},
            {"finalizers": ["b"]},
            id="from-a-list-of-words",
        ),
        pytest.param(
            {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}},
            {"$retainKeys": ["type"], "type": "Recreate"},
            {"type": "Recreate"},
            id="keys-to-keep",
        ),
        pytest.param(
            {"containers": [{"name": "a"}]},
            {
                "containers": [{"name": "b"}],
                "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            },
            {"containers": [{"name": "b"}, {"name": "a"}]},
            id="order-as-asked",
        ),
    ],
)
def test_a_strategic_patch(old: Any, patch: Any, expected: Any) -> None:
    assert strategic_patch(old, patch) == expected


def test_a_json_patch_reaches_labels_with_a_slash() -> None:
    rows = [
        {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"},
        {"op": "remove", "path": "/spec/taints/0"},
    ]
    old = {"metadata": {"labels": {}}, "spec": {"taints": [{"key": "x"}]}}
    new = {"metadata": {"labels": {"a/b": "c"}}, "spec": {"taints": []}}
    assert json_patch(old, rows) == new


def test_a_json_patch_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        json_patch({"spec": {}}, [{"op": "remove", "path": "/spec/unschedulable"}])
    assert caught.value.code == 422


def test_an_unknown_kind_of_patch_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        patched({}, {}, "text/plain")
    assert caught.value.code == 415


def _kept(store: Store, disk: Disk) -> Store:
    Solo(store, disk).start()
    return store


def test_changes_are_there_after_a_restart(tmp_path: Any) -> None:
    store = _kept(Store(), Disk(tmp_path / "db"))
    store.create(KEY, {"metadata": {"name": "one"}, "data": {"a": "1"}})
    store.update(KEY, {"metadata": {"name": "one"}, "data": {"a": "2"}})
    again = _kept(Store(), Disk(tmp_path / "db"))
    found = again.get(KEY)
    assert found is not None
    assert (found["data"], again.revision) == ({"a": "2"}, store.revision)


def test_a_torn_last_line_does_not_count(tmp_path: Any) -> None:
    store = _kept(Store(), Disk(tmp_path / "db"))
    store.create(KEY, {"metadata": {"name": "one"}})
    with (tmp_path / "db" / "changes.log").open("a") as handle:
        handle.write('{"revision": 3, "chan')
    assert _kept(Store(), Disk(tmp_path / "db")).revision == 2


def test_the_state_is_for_root_only(tmp_path: Any) -> None:
    store = _kept(Store(), Disk(tmp_path / "db"))
    store.create(KEY, {"metadata": {"name": "one"}})
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "db").iterdir()}
    assert modes == {"state.json": 0o600, "changes.log": 0o600}


def test_the_same_contents_are_no_change() -> None:
    store = Store()
    made = store.create(KEY, {"metadata": {"name": "one"}})
    assert store.update(KEY, made)["metadata"]["resourceVersion"] == "2"
    assert store.revision == 2


def test_what_is_refused_by_the_disk_does_not_count() -> None:
    def refuse(_revision: int, _changes: list[Change]) -> None:
        raise ApiError(500, "InternalError", "no space")

    store = Store(refuse)
    with pytest.raises(ApiError):
        store.create(KEY, {"metadata": {"name": "one"}})
    assert store.get(KEY) is None
