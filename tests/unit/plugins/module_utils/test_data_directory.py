"""Claims about directories for data: room, rights, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.data_directory import (
    GIB,
    Seen,
    Wanted,
    differences,
    problem,
)

MODELS = Wanted("/srv/models", "2775", 0, 3000, 100)
ABSENT = Seen("absent", "/srv", 200 * GIB)
THERE = Seen("directory", "/srv/models", 200 * GIB, 0o2775, 0, 3000)


@pytest.mark.parametrize(
    ("wanted", "seen", "expected"),
    [
        pytest.param(MODELS, ABSENT, "", id="room"),
        pytest.param(MODELS, replace(ABSENT, free=100 * GIB), "", id="just-room"),
        pytest.param(
            MODELS,
            replace(ABSENT, free=int(3.24 * GIB)),
            "/srv/models: 3.2 GiB are free on the file system of /srv, expected 100 GiB; see "
            "'df -h /srv', free space, mount a larger disk there, or choose another path",
            id="no-room",
        ),
        pytest.param(MODELS, replace(THERE, free=GIB, empty=False), "", id="filled-with-models"),
        pytest.param(
            MODELS,
            replace(THERE, kind="link"),
            "/srv/models is there and no directory (link); move it away",
            id="link",
        ),
        pytest.param(
            replace(MODELS, path="/srv"),
            ABSENT,
            "/srv: expected a plain absolute path below a top-level directory",
            id="top-level",
        ),
        pytest.param(
            replace(MODELS, mode="rwx"),
            ABSENT,
            "/srv/models: mode is 'rwx', expected octal digits such as 0755",
            id="mode",
        ),
    ],
)
def test_a_directory_that_cannot_be_had_is_explained(
    wanted: Wanted, seen: Seen, expected: str
) -> None:
    assert problem(wanted, seen) == expected


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param(THERE, [], id="as-wanted"),
        pytest.param(replace(THERE, mode=0o755), [("mode", "0755", "2775")], id="mode"),
        pytest.param(replace(THERE, gid=0), [("owner", "0:0", "0:3000")], id="owner"),
        pytest.param(
            ABSENT,
            [("state", "absent", "directory"), ("mode", "", "2775"), ("owner", "", "0:3000")],
            id="absent",
        ),
    ],
)
def test_only_what_differs_is_changed(seen: Seen, expected: list[tuple[str, str, str]]) -> None:
    assert differences(MODELS, seen) == expected
