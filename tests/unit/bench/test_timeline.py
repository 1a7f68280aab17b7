"""The output of ansible-playbook becomes a timeline."""

from __future__ import annotations

import pytest

from tests.bench.timeline import Host, Timeline, read_timeline, tasks_by_role

OUTPUT = [
    (0.5, "PLAY [Start the Ray head] ****\n"),
    (1.0, "TASK [Install the head] ****\n"),
    (1.5, "changed: [node1]\n"),
    (4.0, "PLAY [Let the Ray workers join] ***\n"),
    (9.0, "PLAY RECAP ****\n"),
    (9.0, "node1    : ok=12   changed=3    unreachable=0    failed=0    skipped=1\n"),
    (9.0, "node2    : ok=7    changed=0    unreachable=1    failed=0    skipped=0\n"),
]


def test_plays_and_recap_are_read() -> None:
    assert read_timeline(OUTPUT, 10.0) == Timeline(
        plays=(("Start the Ray head", 3.5), ("Let the Ray workers join", 6.0)),
        hosts=(Host("node1", 12, 3, 0, 0), Host("node2", 7, 0, 1, 0)),
        seconds=10.0,
    )


@pytest.mark.parametrize(
    ("play", "seconds"),
    [
        pytest.param("Start the Ray head", 9.5, id="first-play"),
        pytest.param("Let the Ray workers join", 6.0, id="last-play"),
    ],
)
def test_time_since_a_play_runs_to_the_end(play: str, seconds: float) -> None:
    assert read_timeline(OUTPUT, 10.0).since(play) == seconds


def test_output_without_plays_is_an_empty_timeline() -> None:
    assert read_timeline([], 1.0) == Timeline((), (), 1.0)


def test_tasks_of_a_role_are_counted_for_each_host() -> None:
    output = [
        "TASK [rackforge.gpu_cluster.docker : Validating arguments against arg spec 'install'] *\n",
        "ok: [node1]\n",
        "TASK [rackforge.gpu_cluster.docker : install | Run the engine with its settings] ***\n",
        "changed: [node1]\n",
        "ok: [node2]\n",
        "TASK [rackforge.gpu_cluster.docker : verify | Have an engine that answers] ***\n",
        "ok: [node1]\n",
        "skipping: [node2]\n",
        "TASK [Install the head] ****\n",
        "ok: [node1]\n",
    ]
    assert tasks_by_role(output) == {"docker": {"node1": 2, "node2": 1}}
