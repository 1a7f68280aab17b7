"""Claims about the text of daemon.json."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_daemon import (
    DaemonError,
    Wishes,
    changed_keys,
    check_types,
    flags_of,
    merge,
    metrics_kept,
    parse_daemon,
    render_daemon,
    twice_said,
    wanted,
)

# As the CVGL document writes it.
COMMENTED = '{\n  // Other configs...,\n  "default-address-pools" : []\n}\n'


@pytest.mark.parametrize("text", ["", " \n"], ids=["empty", "blank"])
def test_a_file_without_words_says_nothing(text: str) -> None:
    assert parse_daemon(text) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            COMMENTED,
            "line 2, column 3: saw '// Other configs...,', expected JSON, which has no comments",
            id="comment",
        ),
        pytest.param(
            '{\n  "debug": true,\n}\n', "in which no comma stands after the last entry", id="comma"
        ),
        pytest.param('{"debug": tru}', "line 1, column 11: saw 'tru}', expected JSON", id="word"),
        pytest.param('{"debug": true', "line 1, column 15", id="cut-short"),
        pytest.param("[]", "saw no map, expected {...}", id="list"),
        pytest.param(
            '{"debug": true, "debug": false}', "the key debug stands there twice", id="twice"
        ),
    ],
)
def test_a_broken_file_is_explained_with_its_place(text: str, words: str) -> None:
    with pytest.raises(DaemonError) as caught:
        parse_daemon(text)
    assert words in str(caught.value)
    assert "/etc/docker/daemon.json" in str(caught.value)
    assert "Nothing was changed" in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"debug": "yes"}, 'debug is "yes", expected true or false', id="boolean"),
        pytest.param({"mtu": True}, "mtu is true, expected a number", id="number"),
        pytest.param({"hosts": "fd://"}, 'hosts is "fd://", expected a list', id="list"),
        pytest.param(
            {"log-opts": {"max-file": 3}},
            "log-opts has max-file: 3, expected a text in quotes",
            id="log-option",
        ),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(DaemonError, match="Nothing was changed") as caught:
        check_types(values, "here")
    assert str(caught.value).startswith(f"here: {words}")


def test_keys_that_only_the_engine_knows_are_left_to_it() -> None:
    check_types({"of-a-later-release": [1], "debug": True, "mtu": 1400}, "here")
    assert flags_of(["dockerd", "--of-a-later-release"]) == {"of-a-later-release"}


def test_a_new_file_rotates_logs_and_keeps_containers_alive() -> None:
    assert wanted(Wishes(), {}) == {
        "live-restore": True,
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
    }


@pytest.mark.parametrize(
    "present",
    [
        pytest.param({"live-restore": False, "log-driver": "journald"}, id="another-driver"),
        pytest.param({"live-restore": True, "log-opts": {"max-size": "1g"}}, id="own-limit"),
        pytest.param({"live-restore": False, "log-driver": "local"}, id="driver-that-rotates"),
    ],
)
def test_what_the_owner_decided_is_not_decided_again(present: dict[str, Any]) -> None:
    assert wanted(Wishes(), present) == {}


def test_explicit_inputs_win() -> None:
    wishes = Wishes(
        options={"dns": ["192.0.2.53"]},
        log_max_size="1g",
        log_max_files=2,
        data_root="/data/docker",
        live_restore=False,
        registry_mirrors=("https://mirror.example",),
        insecure_registries=("registry.example:5000",),
        cdi_enabled=True,
    )
    present = {"live-restore": True, "log-driver": "local"}
    assert wanted(wishes, present, [{"base": "10.240.0.0/16", "size": 24}]) == {
        "dns": ["192.0.2.53"],
        "default-address-pools": [{"base": "10.240.0.0/16", "size": 24}],
        "data-root": "/data/docker",
        "registry-mirrors": ["https://mirror.example"],
        "insecure-registries": ["registry.example:5000"],
        "features": {"cdi": True},
        "live-restore": False,
        "log-driver": "local",
        "log-opts": {"max-size": "1g", "max-file": "2"},
    }


def test_what_stands_on_the_command_line_is_not_repeated() -> None:
    flags = flags_of(["/usr/bin/dockerd", "-H", "fd://", "--log-driver=journald", "--live-restore"])
    assert flags == {"hosts", "log-driver", "live-restore"}
    assert wanted(Wishes(), {}, flags=flags) == {}


def test_a_swarm_is_left_without_live_restore() -> None:
    assert "live-restore" not in wanted(Wishes(), {}, swarm=True)
    with pytest.raises(DaemonError, match="member of a swarm"):
        wanted(Wishes(live_restore=True), {}, swarm=True)


@pytest.mark.parametrize(
    ("wishes", "present", "words"),
    [
        pytest.param(
            Wishes(log_max_size="10 MB"), {}, "docker_log_max_size is '10 MB'", id="no-size"
        ),
        pytest.param(
            Wishes(log_max_files=3),
            {"log-driver": "journald"},
            "work with the log drivers json-file and local, saw log-driver journald",
            id="driver-without-rotation",
        ),
        pytest.param(
            Wishes(options={"data-root": "/a/b"}, data_root="/c/d"),
            {},
            'docker_daemon_options says data-root: "/a/b", but docker_data_root says "/c/d"',
            id="said-twice",
        ),
        pytest.param(
            Wishes(options={"debug": "on"}),
            {},
            'docker_daemon_options: debug is "on", expected true or false',
            id="wrong-kind",
        ),
    ],
)
def test_inputs_that_cannot_be_are_named(
    wishes: Wishes, present: dict[str, Any], words: str
) -> None:
    with pytest.raises(DaemonError, match="Nothing was changed") as caught:
        wanted(wishes, present)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("present", "more", "expected"),
    [
        pytest.param({"a": 1}, {"b": 2}, {"a": 1, "b": 2}, id="new-key"),
        pytest.param({"debug": True}, {"debug": False}, {"debug": False}, id="ours-wins"),
        pytest.param(
            {"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}},
            {"runtimes": {"other": {"path": "o"}}},
            {"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}, "other": {"path": "o"}}},
            id="maps-by-key",
        ),
        pytest.param(
            {"registry-mirrors": ["https://a.example/"]},
            {"registry-mirrors": ["https://a.example", "https://b.example"]},
            {"registry-mirrors": ["https://a.example/", "https://b.example"]},
            id="lists-joined",
        ),
        pytest.param(
            {"exec-opts": ["native.cgroupdriver=cgroupfs", "x=1"]},
            {"exec-opts": ["native.cgroupdriver=systemd"]},
            {"exec-opts": ["x=1", "native.cgroupdriver=systemd"]},
            id="one-value-for-a-name",
        ),
        pytest.param(
            {"default-address-pools": [{"base": "172.240.0.0/16", "size": 24}]},
            {"default-address-pools": [{"base": "10.240.0.0/16", "size": 24}]},
            {"default-address-pools": [{"base": "10.240.0.0/16", "size": 24}]},
            id="pools-replaced",
        ),
    ],
)
def test_owners_keys_survive(
    present: dict[str, Any], more: dict[str, Any], expected: dict[str, Any]
) -> None:
    joined = merge(present, more)
    assert joined == expected
    assert merge(joined, more) == expected
    assert list(joined)[: len(present)] == list(present)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{\n\t"z": 1\n}', '{\n\t"z": 1,\n\t"a": "ü"\n}\n', id="tabs"),
        pytest.param('{\n    "z": 1\n}\n', '{\n    "z": 1,\n    "a": "ü"\n}\n', id="four-spaces"),
        pytest.param('{"z": 1}', '{\n  "z": 1,\n  "a": "ü"\n}\n', id="one-line"),
    ],
)
def test_order_and_indentation_stay(text: str, expected: str) -> None:
    before = json.loads(text)
    assert render_daemon(text, before, {**before, "a": "ü"}) == expected
    assert render_daemon(text, before, before) == text


def test_only_differing_keys_count_as_changed() -> None:
    assert changed_keys({"a": 1, "b": [1]}, {"b": [1], "c": 2, "a": 2}) == {"a", "c"}


def test_a_setting_in_two_places_is_refused() -> None:
    flags = flags_of(["/usr/sbin/dockerd", "-H", "fd://", "--containerd=/run/containerd.sock"])
    assert twice_said({"debug": True}, flags) == ""
    assert "dockerd gets hosts on its command line" in twice_said({"hosts": []}, flags)


METRICS = "198.18.0.11:9323"


def test_metrics_are_served_where_asked_and_nowhere_else() -> None:
    assert wanted(Wishes(metrics_address=METRICS), {})["metrics-addr"] == METRICS
    assert "metrics-addr" not in wanted(Wishes(), {})
    assert wanted(Wishes(metrics_address="[fd00::1]:9323"), {})["metrics-addr"] == "[fd00::1]:9323"


@pytest.mark.parametrize(
    "address",
    ["9323", "198.18.0.11", "198.18.0.11:", "198.18.0.11:0", "198.18.0.11:65536", "a b:9323"],
    ids=["port-alone", "address-alone", "no-port", "port-0", "port-too-high", "space"],
)
def test_an_address_for_metrics_has_a_port(address: str) -> None:
    with pytest.raises(DaemonError, match=r"expected ADDRESS:PORT such as 198\.18\.0\.11:9323"):
        wanted(Wishes(metrics_address=address), {})


OWN = "127.0.0.1:9323"


@pytest.mark.parametrize(
    ("present", "options", "flags", "told"),
    [
        pytest.param({}, {}, (), "", id="none"),
        pytest.param({"metrics-addr": METRICS}, {}, (), "", id="the-same"),
        pytest.param({}, {"metrics-addr": OWN}, (), "", id="as-options-say"),
        pytest.param(
            {"metrics-addr": OWN},
            {},
            (),
            "says metrics-addr: 127.0.0.1:9323, which stays",
            id="file",
        ),
        pytest.param({}, {}, ("metrics-addr",), "on its command line, which stays", id="flag"),
    ],
)
def test_an_address_of_the_owner_stays_and_is_told(
    present: dict[str, Any], options: dict[str, Any], flags: tuple[str, ...], told: str
) -> None:
    said = metrics_kept(METRICS, present, options, flags)
    assert told in said
    assert bool(said) is bool(told)
    more = wanted(Wishes(options=options, metrics_address=METRICS), present, None, flags)
    if present or flags:
        assert "metrics-addr" not in more
    elif options:
        assert more["metrics-addr"] == OWN
