"""Claims about handing GPUs to containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_containers import (
    Described,
    is_out_of_date,
    parse_spec,
)
from ansible_collections.rackforge.gpu_cluster.plugins.modules import nvidia_containers
from ansible_collections.rackforge.gpu_cluster.plugins.modules.nvidia_containers import main

from tests.unit.plugins.modules.conftest import Node

OK = (0, "", "")
ENABLED = (0, "ActiveState=active\nSubState=waiting\nUnitFileState=enabled\n", "")
DISABLED = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=disabled\n", "")
MISSING = (0, "ActiveState=inactive\nSubState=dead\nUnitFileState=\n", "")


def spec(devices: str, version: str) -> str:
    """Return a description as the toolkit writes it."""
    rows = "".join(
        f'- containerEdits:\n    deviceNodes:\n    - path: /dev/nvidia{each}\n  name: "{each}"\n'
        for each in devices
    )
    library = f"/usr/lib/x86_64-linux-gnu/libcuda.so.{version}"
    return (
        "---\ncdiVersion: 0.5.0\ncontainerEdits:\n  mounts:\n"
        f"  - containerPath: {library}\n    hostPath: {library}\n"
        f"devices:\n{rows}- containerEdits: {{}}\n  name: all\nkind: nvidia.com/gpu\n"
    )


def test_a_description_is_read_by_its_devices_and_libraries() -> None:
    assert parse_spec(spec("01", "580.95.05")) == Described(
        frozenset({"0", "1", "all"}), frozenset({"580.95.05"})
    )


def test_json_is_read_like_yaml() -> None:
    text = '{\n  "devices": [\n    {\n      "name": "GPU-3a1f",\n      "x": 1\n    }\n  ]\n}\n'
    assert parse_spec(text).devices == frozenset({"GPU-3a1f"})


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        pytest.param(spec("01", "580.95.05"), False, id="as-it-is-now"),
        pytest.param(f"# other settings\n{spec('10', '580.95.05')}", False, id="other-order"),
        pytest.param(spec("0", "580.95.05"), True, id="a-gpu-fewer"),
        pytest.param(spec("01", "575.57.08"), True, id="older-driver"),
        pytest.param("garbage\0", True, id="garbage"),
        pytest.param(None, True, id="none"),
    ],
)
def test_a_description_is_out_of_date_when_gpus_or_driver_changed(
    present: str | None, expected: bool
) -> None:
    assert is_out_of_date(present, spec("01", "580.95.05")) is expected


class Place:
    """The files of one node, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.spec = folder / "cdi" / "nvidia.yaml"
        self.unit = folder / "rackforge-nvidia-cdi.service"
        self.loaded = folder / "version"
        self.drop_in = folder / "99-nvidia.toml"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A node with a driver that runs."""
    made = Place(tmp_path)
    made.loaded.write_text("580.95.05\n")
    monkeypatch.setattr(nvidia_containers, "SPEC", str(made.spec))
    monkeypatch.setattr(nvidia_containers, "OWN_UNIT_FILE", str(made.unit))
    monkeypatch.setattr(nvidia_containers, "LOADED", str(made.loaded))
    monkeypatch.setattr(nvidia_containers, "CONTAINERD", str(tmp_path / "config.toml"))
    monkeypatch.setattr(nvidia_containers, "CONTAINERD_DROP_IN", str(made.drop_in))
    return made


@pytest.fixture
def toolkit(node: Node) -> Node:
    """A node with a toolkit that keeps the description itself."""
    node.answers("nvidia-ctk cdi generate", (0, spec("01", "580.95.05"), ""))
    node.answers("nvidia-ctk cdi generate --output", OK)
    node.answers("systemctl", OK)
    node.answers("systemctl show nvidia-cdi-refresh.path", ENABLED)
    node.answers("systemctl show rackforge-nvidia-cdi.service", MISSING)
    return node


def test_an_up_to_date_description_is_left_alone(toolkit: Node, place: Place) -> None:
    place.spec.parent.mkdir()
    place.spec.write_text(spec("01", "580.95.05"))
    result = toolkit.run(main)
    assert (result["changed"], result["done"]) == (False, [])


def test_the_toolkits_own_unit_makes_a_missing_one(toolkit: Node, place: Place) -> None:
    toolkit.answers("systemctl show nvidia-cdi-refresh.path", DISABLED)
    result = toolkit.run(main)
    assert result["done"] == ["enable nvidia-cdi-refresh.path", f"make {place.spec}"]
    assert "systemctl restart nvidia-cdi-refresh.service" in toolkit.calls
    assert toolkit.calls[-1] == f"nvidia-ctk cdi generate --output={place.spec}"


def test_an_older_toolkit_gets_a_unit_for_every_boot(toolkit: Node, place: Place) -> None:
    toolkit.answers("systemctl show nvidia-cdi-refresh.path", MISSING)
    result = toolkit.run(main)
    assert result["done"] == [
        f"write {place.unit}",
        "enable rackforge-nvidia-cdi.service",
        f"make {place.spec}",
    ]
    assert "cdi generate --output=/var/run/cdi/nvidia.yaml" in place.unit.read_text()


def test_a_driver_that_waits_for_a_boot_leaves_the_description_to_it(
    toolkit: Node, place: Place
) -> None:
    place.loaded.unlink()
    assert toolkit.run(main)["changed"] is False


@pytest.mark.usefixtures("place")
def test_a_description_is_not_tried_while_an_older_driver_is_loaded(toolkit: Node) -> None:
    said = "failed to initialize NVML: Driver/library version mismatch\n"
    toolkit.answers("nvidia-ctk cdi generate", (1, "", said))
    result = toolkit.run(main, driver_waits=True)
    assert (result.get("msg"), result["changed"]) == (None, False)


@pytest.mark.usefixtures("place")
def test_a_gpu_in_trouble_is_left_to_the_check_that_names_it(toolkit: Node) -> None:
    said = "failed to create device: failed to get device 1: GPU is lost\n"
    toolkit.answers("nvidia-ctk cdi generate", (1, "", said))
    result = toolkit.run(main)
    assert (result.get("failed", False), result["changed"]) == (False, False)
    assert result["problem"] == (
        "'nvidia-ctk cdi generate' exited 1: failed to create device: failed to get device 1: GPU "
        "is lost"
    )


@pytest.mark.usefixtures("place")
def test_what_describes_gpus_at_the_boot_is_enabled_before_it(toolkit: Node) -> None:
    toolkit.answers("systemctl show nvidia-cdi-refresh.path", DISABLED)
    assert toolkit.run(main, driver_waits=True)["done"] == ["enable nvidia-cdi-refresh.path"]


def test_the_legacy_mode_needs_no_description(toolkit: Node, place: Place) -> None:
    assert toolkit.run(main, mode="legacy")["changed"] is False
    assert not place.spec.exists()


def test_containerd_is_told_once_and_restarted(toolkit: Node, place: Place) -> None:
    started = "ActiveState=active\nUnitFileState=enabled\nInactiveExitTimestampMonotonic={}\n"
    toolkit.answers("systemctl show containerd.service", (0, started.format(10**18), ""))
    toolkit.answers("nvidia-ctk runtime configure", OK)
    result = toolkit.run(main, mode="legacy", engines=["containerd"])
    assert result["done"] == [
        "make the toolkit known to containerd",
        "restart containerd.service",
    ]
    place.drop_in.write_text("[plugins]\n")
    assert toolkit.run(main, mode="legacy", engines=["containerd"])["changed"] is False


def test_check_mode_only_looks(toolkit: Node, place: Place) -> None:
    result = toolkit.run(main, check=True)
    assert (result["changed"], place.spec.exists()) == (True, False)
    assert not [c for c in toolkit.calls if c.startswith(("systemctl restart", "systemctl en"))]


def test_a_missing_toolkit_is_told(node: Node, place: Place) -> None:
    result = node.run(main)
    assert result["msg"] == (
        "GPUs cannot be handed to containers: saw no nvidia-ctk on this node, expected NVIDIA's "
        "container toolkit; set nvidia_toolkit_source=repository, or install it yourself"
    )
    assert node.run(main, check=True, toolkit_may_come=True)["changed"] is True
    assert not place.spec.exists()
