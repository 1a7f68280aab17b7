"""Claims about the collector's settings and about what it keeps."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Gpu, Vendor
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import XidEvent
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_log import (
    XidRecord,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_state import (
    Config,
    ConfigError,
    Identity,
    Installed,
    Seen,
    State,
    config_text,
    expected_count,
    identified,
    parse_config,
    parse_state,
    remember,
    state_text,
    waits_for_kernel,
)


def test_settings_and_state_survive_being_written() -> None:
    config = Config("/var/lib/x", "own", 8, ("/a/*.crt",))
    assert parse_config(config_text(config)) == config
    state = State(
        XidRecord("b", 1.5, (XidEvent("0000:3b:00.0", 79, 2, "gone"),)),
        Installed("k", {"nvidia": "580.95.05"}),
        Seen("b", ("0000:3b:00.0",), (Identity("GPU-1", "H100"),)),
    )
    assert parse_state(state_text(state)) == state


@pytest.mark.parametrize("text", ["", "[]", "{", '{"xids": 3}'], ids=repr)
def test_a_broken_state_is_begun_anew(text: str) -> None:
    assert parse_state(text) == State()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "saw no JSON object", id="empty"),
        pytest.param('{"gpus": "some"}', "saw gpus 'some', expected all, own or none", id="word"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(text)


@pytest.mark.parametrize(
    ("asked", "recorded", "seen", "expected"),
    [
        pytest.param(None, None, 8, 8, id="first-run"),
        pytest.param(None, 8, 7, 8, id="lost-one-stays-missing"),
        pytest.param(None, 4, 8, 8, id="more-came"),
        pytest.param(6, 8, 8, 6, id="as-asked"),
        pytest.param(None, 8, None, 8, id="not-looked"),
        pytest.param(None, None, None, None, id="nobody-knows"),
    ],
)
def test_a_lost_gpu_is_not_forgotten(
    asked: int | None, recorded: int | None, seen: int | None, expected: int | None
) -> None:
    assert expected_count(asked, recorded, seen) == expected


@pytest.mark.parametrize(
    ("running", "names", "expected"),
    [
        pytest.param("6.1.0-18-amd64", ["vmlinuz-6.1.0-18-amd64"], False, id="newest"),
        pytest.param(
            "6.1.0-9-amd64", ["vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-18-amd64"], True, id="newer"
        ),
        pytest.param(
            "6.1.0-9-amd64",
            ["vmlinuz-6.1.0-9-amd64", "vmlinuz-6.1.0-18-cloud-amd64"],
            False,
            id="newer-of-another-kind",
        ),
        pytest.param(
            "5.14.0-503.11.1.el9_5.x86_64",
            [
                "vmlinuz-0-rescue-92ffe43721554ae8b9e6bf13f8ad24a8",
                "vmlinuz-5.14.0-503.11.1.el9_5.x86_64",
                "vmlinuz-5.14.0-570.12.1.el9_6.x86_64",
            ],
            True,
            id="el9",
        ),
        pytest.param("6.18.44", ["vmlinuz-6.19.0"], None, id="container"),
    ],
)
def test_a_newer_kernel_waits_for_a_boot(
    running: str, names: list[str], expected: bool | None
) -> None:
    assert waits_for_kernel(running, names) is expected


def test_a_gpu_that_went_silent_keeps_its_name_until_the_next_boot() -> None:
    answering = Gpu(Vendor.NVIDIA, "0000:3b:00.0", 0, "H100", "GPU-1")
    silent = Gpu(Vendor.NVIDIA, "0000:3b:00.0", error="GPU is lost")
    seen = remember(remember(Seen(), "b1", [answering]), "b1", [silent])
    (gpu,) = identified([silent], seen)
    assert (gpu.uuid, gpu.model, gpu.error) == ("GPU-1", "H100", "GPU is lost")
    (other,) = identified([silent], remember(seen, "b2", [silent]))
    assert (other.uuid, other.model) == (None, None)
