"""Claims about the docker_engine module."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.modules import docker_engine
from ansible_collections.rackforge.gpu_cluster.plugins.modules.docker_engine import main

from tests.unit.plugins.modules.conftest import Answer, Node

OK: Answer = (0, "", "")
LATER = 10**18
DEFAULT = {
    "live-restore": True,
    "log-driver": "json-file",
    "log-opts": {"max-size": "10m", "max-file": "3"},
}


def shown(since_boot: int = LATER, reload: str = "no", active: str = "active") -> Answer:
    """Return systemd's answer about docker.service, started so many microseconds after boot."""
    return (
        0,
        f"ActiveState={active}\nUnitFileState=enabled\nLoadState=loaded\nNeedDaemonReload={reload}\n"
        f"InactiveExitTimestampMonotonic={since_boot}\nStateChangeTimestampMonotonic={since_boot}\n"
        "MainPID=0\nExecStart={ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// ; }\n",
        "",
    )


def told(**changes: Any) -> Answer:
    """Return what ``docker info`` tells."""
    info = {
        "ServerVersion": "26.1.5",
        "LiveRestoreEnabled": True,
        "LoggingDriver": "json-file",
        "DockerRootDir": "/var/lib/docker",
        "Containers": 0,
        "Swarm": {"LocalNodeState": "inactive"},
    }
    return (0, json.dumps({**info, **changes}), "")


class Place:
    """The engine's files, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.daemon = folder / "docker" / "daemon.json"
        self.drop_in = folder / "units" / "proxy.conf"
        self.certificates = folder / "docker" / "certs.d"

    def settings(self) -> Any:
        return json.loads(self.daemon.read_text())

    def have(self, text: str) -> None:
        self.daemon.parent.mkdir(exist_ok=True)
        self.daemon.write_text(text)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    monkeypatch.setattr(docker_engine, "DAEMON_FILE", str(made.daemon))
    monkeypatch.setattr(docker_engine, "DROP_IN", str(made.drop_in))
    monkeypatch.setattr(docker_engine, "CERTIFICATES", str(made.certificates))
    return made


@pytest.fixture
def engine(node: Node) -> Node:
    """A node with an engine that runs, without containers, from files that are older."""
    node.answers("systemctl", OK)
    node.answers("systemctl show", shown())
    node.answers("docker info", told())
    node.answers("docker ps", OK)
    node.answers("docker network ls", (0, "1a\n", ""))
    node.answers("docker network inspect", (0, "[]", ""))
    node.answers("ip -j route", (0, "[]", ""))
    node.answers("dockerd --help", (0, "      --validate   Validate daemon configuration\n", ""))
    node.answers("dockerd --validate", OK)
    node.answers("journalctl", (0, "failed to start daemon: no space left on device\n", ""))
    return node


@pytest.fixture
def bare(node: Node) -> Node:
    """A node without an engine."""
    node.answers("systemctl show", (0, "ActiveState=inactive\nLoadState=not-found\n", ""))
    node.answers("ip -j route", (0, "[]", ""))
    return node


def moves(node: Node) -> list[str]:
    """Return what was done to units."""
    return [c for c in node.calls if c.startswith("systemctl") and "show" not in c]


def test_check_mode_predicts_on_a_node_without_an_engine(bare: Node, place: Place) -> None:
    result = bare.run(main, check=True, http_proxy="http://proxy.example:3128")
    assert result["done"] == [
        f"write {place.daemon}",
        f"write {place.drop_in}",
        "enable docker.service",
        "start docker.service",
    ]
    assert json.loads(result["diff"][0]["after"]) == DEFAULT
    assert not place.daemon.exists()
    assert moves(bare) == []


def test_an_engine_is_restarted_with_new_settings(engine: Node, place: Place) -> None:
    result = engine.run(main)
    assert (result["changed"], result["version"]) == (True, "26.1.5")
    assert place.settings() == DEFAULT
    assert moves(engine) == ["systemctl restart docker.service"]


def test_a_second_run_leaves_everything_alone(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    result = engine.run(main)
    assert (result["changed"], result["done"]) == (False, [])
    assert moves(engine) == []
    assert place.daemon.read_text() == json.dumps(DEFAULT)


def test_what_a_killed_run_wrote_is_brought_into_effect(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    engine.answers("systemctl show", shown(since_boot=1))
    assert engine.run(main)["done"] == ["restart docker.service"]


def test_a_running_engine_is_told_without_a_restart(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    engine.answers("docker ps", (0, "mine\n", ""))
    result = engine.run(main, registry_mirrors=["https://mirror.example"])
    assert result["done"] == [f"write {place.daemon}", "reload docker.service"]
    assert moves(engine) == ["systemctl reload docker.service"]


def test_running_containers_are_not_stopped_unasked(engine: Node, place: Place) -> None:
    place.have('{"debug": true}')
    engine.answers("docker info", told(LiveRestoreEnabled=False))
    engine.answers("docker ps", (0, "ray\nmine\n", ""))
    result = engine.run(main)
    assert result["failed"] is True
    assert "would stop its running containers: mine, ray. Nothing was changed" in result["msg"]
    assert place.daemon.read_text() == '{"debug": true}'
    assert moves(engine) == []


def test_settings_that_the_engine_refuses_are_not_written(engine: Node, place: Place) -> None:
    place.have('{"debug": true}')
    refusal = (1, "", "unable to configure the Docker daemon: don't match any option: nonsense\n")
    engine.answers("dockerd --validate", refusal)
    result = engine.run(main, check=True, options={"nonsense": 1})
    assert "don't match any option: nonsense. Nothing was changed" in result["msg"]
    assert place.daemon.read_text() == '{"debug": true}'


def test_an_engine_that_does_not_come_up_gets_its_old_file_back(engine: Node, place: Place) -> None:
    place.have('{"debug": true}')
    engine.answers("systemctl restart", (1, "", "Job for docker.service failed.\n"), OK)
    result = engine.run(main)
    assert result["msg"] == (
        "Docker Engine did not come up as asked: 'systemctl restart docker.service' exited 1: Job "
        "for "
        "docker.service failed.; its log says: failed to start daemon: no space left on device. "
        f"The old state of {place.daemon} is back, and the engine runs with it"
    )
    assert place.daemon.read_text() == '{"debug": true}'
    assert moves(engine)[-2:] == [
        "systemctl reset-failed docker.service docker.socket",
        "systemctl restart docker.service",
    ]


def test_a_new_file_goes_again_when_the_engine_does_not_come_up(engine: Node, place: Place) -> None:
    engine.answers("systemctl restart", (1, "", "failed"), OK)
    assert "is back, and the engine runs with it" in engine.run(main)["msg"]
    assert not place.daemon.parent.exists()


def test_what_was_no_fault_of_ours_restarts_nothing(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    os.utime(place.daemon, (1000, 1000))
    engine.answers("docker info", told(LoggingDriver="journald"))
    result = engine.run(main, registry_certificates={"registry.example": _pem()})
    assert "log-driver is journald, expected json-file" in result["msg"]
    assert "is back" in result["msg"]
    assert not place.certificates.exists()
    assert moves(engine) == []


def test_a_file_that_came_back_is_as_old_as_before(engine: Node, place: Place) -> None:
    place.have('{"debug": true}')
    os.utime(place.daemon, (1000, 1000))
    engine.answers("docker info", told(LoggingDriver="journald"))
    assert "otherwise than asked" in engine.run(main)["msg"]
    assert place.daemon.stat().st_mtime == 1000


def test_a_proxy_without_effect_is_taken_back(engine: Node, place: Place) -> None:
    engine.answers("docker info", told(HttpProxy="http://of-the-owner.example:1"))
    result = engine.run(main, http_proxy="http://me:secret@proxy.example:3128")
    assert "otherwise than asked: HTTP_PROXY is 'http://of-the-owner.example:1'" in result["msg"]
    assert not place.drop_in.parent.exists()
    assert "secret" not in json.dumps(result)


def test_a_password_is_for_root_only_and_never_told(engine: Node, place: Place) -> None:
    engine.answers("docker info", told(HttpsProxy="http://xxxxx:xxxxx@proxy.example:3128"))
    result = engine.run(main, https_proxy="http://me:pa%40ss@proxy.example:3128")
    assert place.drop_in.stat().st_mode & 0o777 == 0o600
    assert "pa%%40ss" in place.drop_in.read_text()
    assert "pa%" not in json.dumps(result)
    assert moves(engine) == ["systemctl daemon-reload", "systemctl restart docker.service"]


def test_a_proxy_that_is_not_asked_for_any_more_goes(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    place.drop_in.parent.mkdir()
    place.drop_in.write_text("# Managed by rackforge.gpu_cluster\n[Service]\n")
    assert engine.run(main)["done"] == [f"remove {place.drop_in}", "restart docker.service"]
    assert not place.drop_in.exists()


def test_certificates_need_no_restart(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    pem = _pem()
    result = engine.run(main, registry_certificates={"registry.example:5000": pem})
    path = place.certificates / "registry.example:5000" / "rackforge.crt"
    assert result["done"] == [f"write {path}"]
    assert path.read_text() == pem
    assert moves(engine) == []


def _pem() -> str:
    body = base64.b64encode(b"\x30\x81\xc8" + b"\x05" * 200).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            {"registry_certificates": {"../x": "text"}},
            "docker_registry_ca_files has '../x', expected host or host:port",
            id="no-host",
        ),
        pytest.param(
            {"registry_certificates": {"registry.example": "text"}},
            "saw no '-----BEGIN CERTIFICATE-----'",
            id="no-certificate",
        ),
        pytest.param(
            {"options": {"hosts": ["fd://"]}}, "dockerd gets hosts on its command line", id="flag"
        ),
        pytest.param(
            {"address_pools": [{"base": "172.240.0.0/16", "size": 24}]},
            "172.240.0.0/16 is not private",
            id="public-range",
        ),
        pytest.param(
            {"options": {"default-address-pools": [{"base": "172.240.0.0/16", "size": 24}]}},
            "172.240.0.0/16 is not private",
            id="public-range-in-options",
        ),
        pytest.param({"http_proxy": "proxy.example"}, "docker_http_proxy is", id="proxy"),
        pytest.param(
            {"users": ["nobody-here"]},
            "docker_users names nobody-here, who is no user of this node",
            id="user",
        ),
        pytest.param(
            {"reserved_subnets": ["172.17.0.0/16"]},
            "the Docker network app has 172.17.0.0/16, which overlaps 172.17.0.0/16 "
            "(docker_reserved_subnets); no containers on it; remove it with 'docker network "
            "rm app'",
            id="network-in-the-vpn",
        ),
    ],
)
def test_what_cannot_be_is_said_before_the_first_change(
    engine: Node, place: Place, arguments: dict[str, Any], words: str
) -> None:
    config = [{"Subnet": "172.17.0.0/16"}]
    networks = [{"Name": "app", "Driver": "bridge", "IPAM": {"Config": config}}]
    engine.answers("docker network inspect", (0, json.dumps(networks), ""))
    engine.answers("getent passwd", (2, "", ""))
    result = engine.run(main, **arguments)
    assert result["failed"] is True
    assert words in result["msg"]
    assert not place.daemon.parent.exists()
    assert moves(engine) == []


def test_a_data_root_with_containers_is_not_left_behind(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    engine.answers("docker info", told(Containers=2))
    result = engine.run(main, data_root="/data/docker")
    assert "the engine has 2 containers below /var/lib/docker" in result["msg"]
    assert place.settings() == DEFAULT


def test_a_full_disk_is_said_before_the_first_change(
    engine: Node, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.have('{"debug": true}')
    monkeypatch.setattr(docker_engine, "free_bytes", lambda _path: 0)
    result = engine.run(main)
    assert f"the disk under {place.daemon} is full: 0 bytes are free" in result["msg"]
    assert place.daemon.read_text() == '{"debug": true}'


def test_users_join_the_group_once(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    engine.answers("getent passwd", (0, "x:x:1000:1000::/:/bin/sh\n", ""))
    engine.answers("getent group docker", (0, "docker:x:103:ada\n", ""))
    engine.answers("usermod", OK)
    result = engine.run(main, users=["ada", "eve"])
    assert result["done"] == ["add eve to group docker"]
    assert [c for c in engine.calls if c.startswith("usermod")] == [
        "usermod --append --groups docker eve"
    ]


def test_check_mode_lets_users_come_later(bare: Node, place: Place) -> None:
    bare.answers("getent", (2, "", ""))
    result = bare.run(main, check=True, users=["ada"], users_may_come=True)
    assert "add ada to group docker" in result["done"]
    assert not place.daemon.exists()


def test_a_mask_of_a_killed_run_is_taken_off(engine: Node, place: Place) -> None:
    masked = shown(active="inactive")[1].replace("=enabled", "=masked-runtime")
    engine.answers("systemctl show", (0, masked, ""))
    engine.run(main)
    assert moves(engine) == [
        "systemctl unmask --runtime docker.service docker.socket",
        "systemctl enable docker.service",
        "systemctl start docker.service",
    ]
    assert os.path.exists(place.daemon)


def test_an_engine_is_restarted_to_serve_its_metrics(engine: Node, place: Place) -> None:
    place.have(json.dumps(DEFAULT))
    asked = "198.18.0.11:9323"
    result = engine.run(main, metrics_address=asked)
    assert result["done"] == [f"write {place.daemon}", "restart docker.service"]
    assert place.settings() == {**DEFAULT, "metrics-addr": "198.18.0.11:9323"}
    assert engine.run(main, metrics_address=asked)["changed"] is False


def test_an_owner_who_serves_metrics_elsewhere_is_told(
    engine: Node, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _self, text: said.append(text))
    place.have(json.dumps({**DEFAULT, "metrics-addr": "127.0.0.1:9323"}))
    result = engine.run(main, metrics_address="198.18.0.11:9323")
    assert (result["changed"], result["settings"]["metrics-addr"]) == (False, "127.0.0.1:9323")
    assert "which stays; docker_metrics_address=198.18.0.11:9323 has no effect" in said[0]
