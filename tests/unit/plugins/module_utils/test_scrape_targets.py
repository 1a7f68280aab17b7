"""Claims about files of scrape targets."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.scrape_targets import (
    Plan,
    ScrapeTargetsError,
    plan_targets,
    wanted_files,
)

NODE = {"node": [{"targets": ["192.0.2.1:9100"], "labels": {"node": "a"}}]}
TEXT = """\
[
 {
  "labels": {
   "node": "a"
  },
  "targets": [
   "192.0.2.1:9100"
  ]
 }
]
"""


def test_each_host_and_job_has_a_file() -> None:
    assert wanted_files({"a": {**NODE, "ray": []}}) == {"node/a.json": TEXT}


def test_equal_files_are_left_alone() -> None:
    assert plan_targets({"a": NODE}, [], {"node/a.json": TEXT}) == Plan({}, ())


@pytest.mark.parametrize(
    ("targets", "keep", "present", "written", "removed"),
    [
        pytest.param({"a": NODE}, [], {}, ["node/a.json"], (), id="new"),
        pytest.param({"a": NODE}, [], {"node/a.json": "[]"}, ["node/a.json"], (), id="changed"),
        pytest.param({}, [], {"node/b.json": "[]"}, [], ("node/b.json",), id="host-left"),
        pytest.param({}, ["b"], {"node/b.json": "[]"}, [], (), id="host-not-in-this-run"),
        pytest.param(
            {"a": NODE},
            ["a"],
            {"node/a.json": TEXT, "ray/a.json": "[]"},
            [],
            ("ray/a.json",),
            id="job-left-a-host-of-this-run",
        ),
        pytest.param({}, ["a.b"], {"node/a.b.json": "[]"}, [], (), id="name-with-a-dot"),
    ],
)
def test_only_what_changed_is_written_and_only_who_left_is_removed(
    targets: dict[str, Any],
    keep: list[str],
    present: dict[str, str],
    written: list[str],
    removed: tuple[str, ...],
) -> None:
    plan = plan_targets(targets, keep, present)
    assert (list(plan.write), plan.remove) == (written, removed)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        pytest.param({"../a": NODE}, "host '../a' cannot be the name of a file", id="host"),
        pytest.param({"a": {"x/y": []}}, "job 'x/y' cannot be the name of a file", id="job"),
        pytest.param({"a": {"node": [{}]}}, "job node: saw None", id="no-targets"),
        pytest.param({"a": {"node": [{"targets": ["x"]}]}}, "saw 'x', expected", id="no-port"),
    ],
)
def test_what_cannot_be_scraped_is_refused(targets: dict[str, Any], message: str) -> None:
    with pytest.raises(ScrapeTargetsError, match=message):
        wanted_files(targets)
