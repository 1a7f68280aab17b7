"""Claims about the collector on file trees like those of nodes."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import to_plain
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_tree import Tree
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_gpus import (
    GpuSource,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_read import run
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_state import (
    Config,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvml import read_nvml

from tests.unit.plugins.gpu_hosts import ScriptHost, StillHost
from tests.unit.plugins.module_utils.nvml_library import Library
from tests.unit.plugins.module_utils.test_amd_sysfs import MI300X
from tests.unit.plugins.module_utils.test_exposition import read
from tests.unit.plugins.module_utils.test_gpu_read_amd import Machine
from tests.unit.plugins.module_utils.test_nvml import H100
from tests.unit.plugins.module_utils.test_x509 import SERVER

LOG = "[0.0] Linux version 6.12\n[5.0] NVRM: Xid (PCI:0000:3b:00): 48, pid=1\n"


class Site:
    """A node in a folder: its files, its programs, and where the collector writes."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.host = ScriptHost(folder / "bin")
        self.out = folder / "out"
        self.root.mkdir()

    def file(self, path: str, text: str = "") -> None:
        """Have a file on the node."""
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def collect(self, config: Config | None = None) -> list[str]:
        """Run the collector once and return its complaints."""
        found = config or Config(expected_gpus=2)
        config = Config(str(self.out), found.gpus, found.expected_gpus, found.certificates)
        return run(config, self.host.command, Tree(str(self.root)))

    def values(self) -> dict[str, float]:
        """Return everything in the files."""
        return read("".join(path.read_text() for path in sorted(self.out.glob("*.prom"))))

    def value(self, beginning: str) -> float:
        """Return the only value with this beginning."""
        (found,) = [v for k, v in self.values().items() if k.startswith(beginning)]
        return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A Debian node without anything of interest."""
    made = Site(tmp_path)
    made.file("/var/lib/dpkg/status", "x")
    made.file("/proc/sys/kernel/random/boot_id", "b1\n")
    return made


@pytest.fixture
def nvidia(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The same with an H100 whose driver answers."""
    site.file("/sys/module/nvidia/version", "580.95.05\n")
    site.host.prints("dmesg", LOG)
    site.host.prints("dpkg-query", "ii \tnvidia-open\t580.105.08-1\n")
    library = Library([H100])
    monkeypatch.setattr(
        GpuSource, "_ask_nvml", lambda _self: to_plain(read_nvml(lambda _name: library))
    )
    return site


def test_a_node_without_gpus_starts_no_program_and_tells_of_itself(site: Site) -> None:
    config = Config(str(site.out), expected_gpus=0)
    assert run(config, Command(StillHost()), Tree(str(site.root))) == []
    values = site.values()
    assert values["gpu_cluster_gpus_present"] == 0
    assert values["gpu_cluster_reboot_required"] == 0
    assert values['gpu_cluster_collector_error{part="gpu"}'] == 0
    assert values["gpu_cluster_collector_last_run_timestamp_seconds"] > 1_700_000_000


def test_files_can_be_read_by_the_exporter(site: Site) -> None:
    site.collect()
    modes = {path.name: path.stat().st_mode & 0o777 for path in site.out.glob("*.prom")}
    assert modes == {"gpu.prom": 0o644, "node.prom": 0o644}
    assert not list(site.out.glob(".*"))


def test_a_gpu_its_driver_and_its_events_are_told(nvidia: Site) -> None:
    assert nvidia.collect() == []
    assert nvidia.value("DCGM_FI_DEV_GPU_TEMP") == 31
    assert nvidia.value("gpu_cluster_gpus_usable") == 1
    assert nvidia.value("gpu_cluster_gpu_xid_count") == 1
    assert nvidia.value('gpu_cluster_driver_mismatch{vendor="nvidia"}') == 1


def test_packages_are_asked_again_only_when_their_database_changed(nvidia: Site) -> None:
    counter = nvidia.out.parent / "asked"
    nvidia.host.script("dpkg-query", f"echo x >> {counter}; printf 'ii \\tnvidia-open\\t1.2-1\\n'")
    for _run in range(3):
        nvidia.collect()
    assert counter.read_text() == "x\n"
    nvidia.file("/var/lib/dpkg/status.new", "y")
    (nvidia.root / "var/lib/dpkg/status.new").rename(nvidia.root / "var/lib/dpkg/status")
    nvidia.collect()
    assert counter.read_text() == "x\nx\n"


def test_a_driver_that_crashes_is_an_error_and_the_rest_is_told(
    nvidia: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_self: GpuSource) -> None:
        raise OSError("crashed")

    monkeypatch.setattr(GpuSource, "_ask_nvml", crash)
    (complaint,) = nvidia.collect()
    assert complaint == "gpu: NVML: OSError: crashed"
    assert nvidia.values()['gpu_cluster_collector_error{part="gpu"}'] == 1
    assert nvidia.value("gpu_cluster_gpus_usable") == 0
    assert nvidia.value("gpu_cluster_gpu_xid_count") == 1


def test_only_one_process_at_a_time_waits_for_a_driver(site: Site) -> None:
    site.file("/sys/module/nvidia/version", "580.95.05\n")
    site.host.prints("dmesg", LOG)
    site.out.mkdir()
    with open(site.out / "nvml.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (complaint,) = site.collect()
    assert complaint.endswith("an earlier question to the driver has not come back yet")


def test_an_unreadable_log_leaves_the_gpus_readable(nvidia: Site) -> None:
    nvidia.host.script("dmesg", "echo 'dmesg: not permitted' >&2; exit 1")
    (complaint,) = nvidia.collect()
    assert complaint.startswith("kernel_log: 'dmesg' exited 1: dmesg: not permitted")
    assert nvidia.value("DCGM_FI_DEV_GPU_TEMP") == 31
    assert not [name for name in nvidia.values() if "xid" in name.lower()]


def test_gpus_that_nobody_wants_are_not_looked_at(nvidia: Site) -> None:
    nvidia.collect()
    assert nvidia.collect(Config(gpus="none")) == []
    assert [path.name for path in nvidia.out.glob("*.prom")] == ["node.prom"]


def test_amd_gpus_are_read_from_the_kernel_alone(site: Site) -> None:
    machine = Machine(site.root)
    machine.card("0000:0a:00.0", "0x74a2")
    machine.topology("kfd-mi308x-cpx")
    for name, text in MI300X.items():
        folder = "hwmon/hwmon3/" if name.startswith(("temp", "power")) else ""
        site.file(f"/sys/bus/pci/devices/0000:0a:00.0/{folder}{name}", text)
    site.host.prints("dmesg", "[0.0] Linux version 6.12\n")
    site.host.prints("dpkg-query", "")
    assert site.collect() == []
    assert site.value("gpu_cluster_gpus_present") == 1
    assert site.value("DCGM_FI_DEV_GPU_TEMP") == 55
    assert site.value("DCGM_FI_DEV_FB_USED") == 1024
    assert site.value("DCGM_FI_DEV_ECC_DBE_VOL_TOTAL") == 1


def test_ends_of_certificates_are_told_and_broken_ones_named(site: Site) -> None:
    site.file("/etc/tls/a.crt", SERVER)
    site.file("/etc/tls/b.crt", "nothing")
    (complaint,) = site.collect(Config(certificates=("/etc/tls/*.crt", "/not/there.crt")))
    assert complaint.startswith("certificates: /etc/tls/b.crt: saw no '-----BEGIN CERTIFICATE")
    assert site.value("gpu_cluster_certificate_not_after_seconds") == 1826863774
    assert site.values()['gpu_cluster_collector_error{part="certificates"}'] == 1


def test_the_mark_of_a_waiting_boot_counts(site: Site) -> None:
    site.file("/run/reboot-required")
    site.collect()
    assert site.value("gpu_cluster_reboot_required") == 1


def test_what_is_kept_is_written_only_when_it_changed(nvidia: Site) -> None:
    nvidia.collect()
    before = (nvidia.out / "state.json").stat().st_mtime_ns
    nvidia.collect()
    assert (nvidia.out / "state.json").stat().st_mtime_ns == before
    assert json.loads((nvidia.out / "state.json").read_text())["seen"]["boot"] == "b1"
