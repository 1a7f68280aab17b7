"""Claims about the command line and environment of ``ray start``."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.port_catalogue import CATALOGUE
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_command import (
    RayCommandError,
    object_store_bytes,
    release,
    reserved_ports,
    shared_memory_bytes,
    systemd_word,
    unit,
)

MIB = 1024 * 1024
HEAD: dict[str, Any] = {"kind": "head", "version": "2.60.0", "node_address": "198.18.1.10"}
WORKER: dict[str, Any] = {
    "kind": "worker",
    "version": "2.60.0",
    "node_address": "198.18.1.11",
    "head_address": "198.18.1.10",
}

HEAD_ARGUMENTS = [
    "--head",
    "--disable-usage-stats",
    "--dashboard-host=198.18.1.10",
    "--port=6379",
    "--dashboard-port=8265",
    "--ray-client-server-port=10001",
    "--node-ip-address=198.18.1.10",
    "--node-manager-port=8077",
    "--object-manager-port=8076",
    "--runtime-env-agent-port=56999",
    "--dashboard-agent-listen-port=52365",
    "--dashboard-agent-grpc-port=8078",
    "--metrics-export-port=54311",
    "--min-worker-port=10002",
    "--max-worker-port=20000",
    "--block",
]
WORKER_ARGUMENTS = [
    "--address=198.18.1.10:6379",
    "--node-ip-address=198.18.1.11",
    "--node-manager-port=8077",
    "--object-manager-port=8076",
    "--runtime-env-agent-port=56999",
    "--dashboard-agent-listen-port=52365",
    "--dashboard-agent-grpc-port=8078",
    "--metrics-export-port=54311",
    "--min-worker-port=10002",
    "--max-worker-port=20000",
    "--block",
]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(HEAD, HEAD_ARGUMENTS, id="head"),
        pytest.param(WORKER, WORKER_ARGUMENTS, id="worker"),
    ],
)
def test_a_plain_node_starts_like_this(settings: dict[str, Any], expected: list[str]) -> None:
    assert unit(settings)["arguments"] == expected
    assert unit(settings)["environment"] == [
        "AUTOSCALER_METRIC_PORT=44217",
        "DASHBOARD_METRIC_PORT=44227",
    ]


def mentioned(settings: dict[str, Any], number: int) -> bool:
    """Tell whether some word of the unit ends with this number."""
    made = unit(settings)
    return any(word.endswith((f"={number}", f":{number}")) for word in
               made["arguments"] + made["environment"])  # fmt: skip


# Serve opens its port when an application is deployed: it is kept free, nothing is told to Ray.
RESERVED_ONLY = {"ray_serve_port"}
OLD_RAY_ONLY = {"ray_dashboard_grpc_port"}
HEAD_ONLY = {"ray_dashboard_port", "ray_client_port"} | RESERVED_ONLY | OLD_RAY_ONLY
VARIABLES = [
    variable
    for row in CATALOGUE
    if row.profile == "ray"
    for variable in (row.variable, row.last_variable)
    if variable
]


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_port_of_the_catalogue_moves(variable: str) -> None:
    moved: dict[str, Any] = {"ports": {variable: 19999}}
    assert mentioned({**HEAD, **moved}, 19999) is (variable not in RESERVED_ONLY | OLD_RAY_ONLY)
    assert mentioned({**WORKER, **moved}, 19999) is (variable not in HEAD_ONLY)
    assert "19999" not in " ".join(unit(HEAD)["arguments"])


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("2.44.1", ["--dashboard-grpc-port=8079"], id="last-that-has-it"),
        pytest.param("2.45.0", [], id="first-without"),
        pytest.param("2.60.0", [], id="current"),
    ],
)
def test_dashboard_grpc_is_set_where_ray_knows_it(version: str, expected: list[str]) -> None:
    arguments = unit({**HEAD, "version": version})["arguments"]
    assert [word for word in arguments if word.startswith("--dashboard-grpc-port")] == expected


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        pytest.param(
            {}, "6379,8000,8076-8079,8265,10001-20000,44217,44227,52365,54311,56999", id="catalogue"
        ),
        pytest.param(
            {"ray_serve_port": 8001, "ray_max_worker_port": "10009", "ray_gcs_port": "6380"},
            "6380,8001,8076-8079,8265,10001-10009,44217,44227,52365,54311,56999",
            id="moved-ports-some-as-text",
        ),
    ],
)
def test_all_ports_are_reserved_and_neighbours_merged(moved: dict[str, Any], expected: str) -> None:
    assert reserved_ports({"ansible_host": "198.18.1.10", **moved}) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"num_cpus": "4"}, ["--num-cpus=4"], id="cpus-as-text-of-an-ini-file"),
        pytest.param({"num_gpus": 0}, ["--num-gpus=0"], id="no-gpus-is-said"),
        pytest.param({"num_gpus": None, "num_cpus": ""}, [], id="unset-is-left-to-ray"),
        pytest.param(
            {"object_store_memory_mib": "200"},
            ["--object-store-memory=209715200"],
            id="object-store-as-text",
        ),
        pytest.param(
            {"memory_mib": 1000, "object_store_fraction": "0.5"},
            ["--object-store-memory=524288000"],
            id="fraction-as-text",
        ),
        pytest.param(
            {"resources": {"ssd": 1, "a": 0.5}},
            [r'"--resources={\"a\": 0.5, \"ssd\": 1}"'],
            id="resources-quoted",
        ),
        pytest.param(
            {"labels": {"rack": "r1", "gpu": "h100"}}, ["--labels=gpu=h100,rack=r1"], id="labels"
        ),
        pytest.param({"temp_dir": "/tmp/ray"}, ["--temp-dir=/tmp/ray"], id="temp-dir"),
        pytest.param({"extra": ["--verbose"]}, ["--verbose"], id="extra"),
        pytest.param(
            {"labels": None, "resources": None, "extra": None, "environment": None, "ports": None},
            [],
            id="nulls-of-an-inventory",
        ),
    ],
)
def test_settings_become_arguments(given: dict[str, Any], expected: list[str]) -> None:
    plain = set(WORKER_ARGUMENTS)
    arguments = unit({**WORKER, **given})["arguments"]
    assert [word for word in arguments if word not in plain] == expected
    assert arguments[-1] == "--block"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"kind": "master"}, "kind: saw 'master', expected head or worker", id="kind"),
        pytest.param({"kind": None}, "kind: saw None, expected head or worker", id="no-kind"),
        pytest.param(
            {"node_address": ""},
            "node_address: empty; set my_iface to the cluster network's interface",
            id="no-address",
        ),
        pytest.param(
            {"head_address": ""},
            "a Ray worker needs the address of its head, and none was given",
            id="worker-without-head",
        ),
        pytest.param(
            {"version": "latest"},
            "ray_version: saw 'latest', expected a release such as 2.60.0",
            id="no-release",
        ),
        pytest.param(
            {"version": None, "auth_enabled": True},
            "ray_version: empty, expected a release such as 2.60.0",
            id="no-version",
        ),
        pytest.param(
            {"num_cpus": "four"},
            "ray_num_cpus: saw 'four', expected a whole number, 0 or more",
            id="number-as-word",
        ),
        pytest.param(
            {"num_gpus": True},
            "ray_num_gpus: saw True, expected a whole number, 0 or more",
            id="boolean-for-a-number",
        ),
        pytest.param(
            {"num_gpus": 1.5},
            "ray_num_gpus: saw 1.5, expected a whole number, 0 or more",
            id="half-a-gpu",
        ),
        pytest.param(
            {"num_cpus": -1},
            "ray_num_cpus: saw -1, expected a whole number, 0 or more",
            id="negative",
        ),
        pytest.param(
            {"object_store_memory_mib": "20G"},
            "ray_object_store_memory_mib: saw '20G', expected a whole number, 0 or more",
            id="unit-in-a-number",
        ),
        pytest.param(
            {"memory_mib": 1000, "object_store_fraction": "30%"},
            "ray_object_store_fraction: saw '30%', expected a number between 0 and 1",
            id="fraction-as-percent",
        ),
        pytest.param(
            {"memory_mib": 1000, "object_store_fraction": 30},
            "ray_object_store_fraction: saw 30.0, expected a number between 0 and 1",
            id="fraction-over-1",
        ),
        pytest.param(
            {"ports": {"ray_gcs_port": "redis"}},
            "ray_gcs_port: saw 'redis', expected a port from 1 to 65535",
            id="port-as-word",
        ),
        pytest.param(
            {"ports": {"ray_node_manager_port": 0}},
            "ray_node_manager_port: saw 0, expected a port from 1 to 65535",
            id="port-zero",
        ),
        pytest.param(
            {"ports": {"ray_dashboard_metrics_port": 70000}},
            "ray_dashboard_metrics_port: saw 70000, expected a port from 1 to 65535",
            id="port-too-high",
        ),
        pytest.param(
            {"ports": {"ray_min_worker_port": 30000}},
            "ray_min_worker_port=30000 is above ray_max_worker_port=20000, "
            "expected the lower end of the range first",
            id="range-the-wrong-way-round",
        ),
    ],
)
def test_wrong_settings_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RayCommandError) as caught:
        unit({**WORKER, **given})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("version", "enabled", "refused"),
    [
        pytest.param("2.51.1", True, True, id="too-old-for-tokens"),
        pytest.param("2.51.1", False, False, id="knowingly-open"),
        pytest.param("2.52.0", True, False, id="first-with-tokens"),
        pytest.param("2.60.0", True, False, id="current"),
    ],
)
def test_a_ray_without_tokens_is_refused(version: str, enabled: bool, refused: bool) -> None:
    settings = {**HEAD, "version": version, "auth_enabled": enabled}
    if not refused:
        assert unit(settings)["arguments"][0] == "--head"
        return
    with pytest.raises(RayCommandError, match=r"^ray_version 2\.51\.1 knows no tokens"):
        unit(settings)


def test_ports_that_are_none_cannot_be_reserved() -> None:
    with pytest.raises(RayCommandError, match="ray_serve_port: saw 'http', expected a port"):
        reserved_ports({"ray_serve_port": "http"})
    with pytest.raises(RayCommandError, match="ray_min_worker_port=10002 is above"):
        reserved_ports({"ray_max_worker_port": 9000})


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("2.60.0", (2, 60), id="release"),
        pytest.param("3.0.0rc1", (3, 0), id="candidate"),
        pytest.param(2.6, (2, 6), id="yaml-number"),
    ],
)
def test_release_is_read(version: Any, expected: tuple[int, int]) -> None:
    assert release(version) == expected


@pytest.mark.parametrize(
    ("memory", "shm", "fraction", "expected"),
    [
        pytest.param(10000, None, 0.3, 3000 * MIB, id="container-makes-its-own-shm"),
        pytest.param(10000, 5000, 0.3, 3000 * MIB, id="fits"),
        pytest.param(10000, 1000, 0.3, 900 * MIB, id="held-under-shm"),
        pytest.param(100, None, 0.3, 80 * MIB, id="never-below-what-ray-takes"),
    ],
)
def test_object_store_fits_into_shared_memory(
    memory: int, shm: int | None, fraction: float, expected: int
) -> None:
    assert object_store_bytes(memory, shm, fraction) == expected


def test_container_gets_more_shared_memory_than_the_store_needs() -> None:
    assert shared_memory_bytes(1000 * MIB) == 1114 * MIB


@pytest.mark.parametrize(
    ("text", "on_command_line", "in_environment"),
    [
        pytest.param("--head", "--head", "--head", id="plain"),
        pytest.param("", '""', '""', id="empty"),
        pytest.param("a b", '"a b"', '"a b"', id="space"),
        pytest.param("50%", "50%%", "50%%", id="percent"),
        pytest.param("$HOME/x", "$$HOME/x", "$HOME/x", id="dollar"),
        pytest.param('say "hi"', r'"say \"hi\""', r'"say \"hi\""', id="double-quotes"),
        pytest.param("it's", '"it\'s"', '"it\'s"', id="single-quote"),
        pytest.param("a\\b", r'"a\\b"', r'"a\\b"', id="backslash"),
        pytest.param(";", '";"', '";"', id="semicolon"),
        pytest.param("a\nb", r'"a\nb"', r'"a\nb"', id="line-break"),
    ],
)
def test_one_word_stays_one_word_in_a_unit_file(
    text: str, on_command_line: str, in_environment: str
) -> None:
    assert systemd_word(text) == on_command_line
    assert systemd_word(text, expands_variables=False) == in_environment


def test_environment_comes_quoted_for_both_places() -> None:
    made = unit({**HEAD, "environment": {"A": "$x y", "DASHBOARD_METRIC_PORT": "1"}})
    assert made["environment"] == [
        '"A=$x y"',
        "AUTOSCALER_METRIC_PORT=44217",
        "DASHBOARD_METRIC_PORT=1",
    ]
    assert made["environment_words"] == [
        '"A=$$x y"',
        "AUTOSCALER_METRIC_PORT=44217",
        "DASHBOARD_METRIC_PORT=1",
    ]


def test_sizes_come_in_bytes() -> None:
    made = unit({**HEAD, "object_store_memory_mib": 200})
    assert (made["object_store_bytes"], made["shared_memory_bytes"]) == (209715200, 287309824)
