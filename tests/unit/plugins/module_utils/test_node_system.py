"""Claims about reading what a node is, on file trees and scripts in place of a node's."""

from __future__ import annotations

import json
import os
import pwd
import socket
from pathlib import Path
from typing import Any

import jinja2
import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import node_system
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_system import read_system

from tests.unit.plugins.gpu_hosts import ScriptHost
from tests.unit.plugins.gpu_trees import plant_devices, read_fixture

UPGRADES_ON = 'APT::Periodic::Unattended-Upgrade "1";\n'
SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


@pytest.fixture
def host(tmp_path: Path) -> ScriptHost:
    """A host without programs; a test says which there are."""
    return ScriptHost(tmp_path / "bin")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A file tree in which a test plants what the node has."""
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def ops(monkeypatch: pytest.MonkeyPatch) -> pwd.struct_passwd:
    """The user that Ansible logged in as before sudo."""
    account = pwd.struct_passwd(("ops", "x", os.getuid(), 4242, "", "/home/ops", "/bin/bash"))
    monkeypatch.setattr(node_system, "_login_account", lambda: account)
    return account


def write(root: Path, path: str, data: str | bytes) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data if isinstance(data, bytes) else data.encode())


def read(host: ScriptHost, root: Path) -> dict[str, Any]:
    """Return what is read, through JSON as a module's result goes."""
    found: dict[str, Any] = json.loads(json.dumps(read_system(host.command, str(root))))
    return found


def test_empty_tree_without_programs_is_a_node_of_which_little_is_known(
    host: ScriptHost, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_system, "_login_account", lambda: None)
    found = read(host, root)
    assert found == {
        "boot_id": None,
        "disks": [],
        "docker_root": "/var/lib/docker",
        "system_disk_mib": None,
        "cgroup": None,
        "secure_boot": None,
        "reboot": {"required": False, "packages": [], "newer_kernel": None},
        "upgrades": {"tool": None, "active": False, "held": False},
        "swap": None,
        "pci_gpus": [],
        "nameservers": [],
        "names": {
            "hostname": socket.gethostname(),
            "hosts_file": [],
            "resolved": None,
            "localhost": None,
        },
        "login": None,
        "installed": {"ray": False, "k3s": False, "k3s_foreign": []},
    }


@pytest.mark.usefixtures("ops")
def test_foreign_bytes_break_nothing(host: ScriptHost, root: Path) -> None:
    for path in (
        "proc/self/mountinfo",
        "proc/swaps",
        "etc/resolv.conf",
        "etc/hosts",
        "etc/docker/daemon.json",
        "etc/dnf/automatic.conf",
        "run/reboot-required.pkgs",
        "proc/sys/kernel/osrelease",
    ):
        write(root, path, b"\xff\xfe\x00 - \xf0{\n\xff\xff - \n")
    found = read(host, root)
    assert (found["disks"], found["nameservers"], found["login"]["user"]) == ([], [], "ops")


def test_debians_note_about_a_boot_is_read(host: ScriptHost, root: Path) -> None:
    write(root, "run/reboot-required", "*** System restart required ***\n")
    write(root, "run/reboot-required.pkgs", "linux-image-a\nlibc6\nlibc6\n")
    write(root, "proc/sys/kernel/osrelease", "6.8.0-59-generic\n")
    for release in ("6.8.0-59-generic", "6.8.0-60-generic"):
        write(root, f"boot/vmlinuz-{release}", "")
    assert read(host, root)["reboot"] == {
        "required": True,
        "packages": ["linux-image-a", "libc6"],
        "newer_kernel": "6.8.0-60-generic",
    }


def apt_node(root: Path) -> None:
    """Plant unattended upgrades as Ubuntu has them."""
    write(root, "usr/bin/unattended-upgrade", "")
    write(root, "etc/apt/apt.conf.d/20auto-upgrades", UPGRADES_ON)
    write(root, "etc/systemd/system/timers.target.wants/apt-daily-upgrade.timer", "")


def test_unattended_upgrades_of_ubuntu_are_on(host: ScriptHost, root: Path) -> None:
    apt_node(root)
    expected = {"tool": "unattended-upgrades", "active": True, "held": False}
    assert read(host, root)["upgrades"] == expected


def test_a_masked_timer_upgrades_nothing(host: ScriptHost, root: Path) -> None:
    apt_node(root)
    (root / "etc/systemd/system/apt-daily-upgrade.timer").symlink_to("/dev/null")
    assert read(host, root)["upgrades"]["active"] is False


def test_our_list_of_held_packages_is_seen(host: ScriptHost, root: Path) -> None:
    apt_node(root)
    write(root, "etc/apt/apt.conf.d/52rackforge-held", "")
    assert read(host, root)["upgrades"]["held"] is True


@pytest.mark.parametrize(
    ("timer", "text", "active", "held"),
    [
        pytest.param("dnf-automatic.timer", "", False, False, id="only-reports"),
        pytest.param(
            "dnf-automatic.timer", "[commands]\napply_updates = yes\n", True, False, id="applies"
        ),
        pytest.param("dnf-automatic-install.timer", "", True, False, id="always-installs"),
        pytest.param(
            "dnf-automatic-install.timer",
            "[base]\n# BEGIN rackforge.gpu_cluster default\n",
            True,
            True,
            id="held",
        ),
    ],
)
def test_dnf_automatic_is_read(
    host: ScriptHost, root: Path, timer: str, text: str, active: bool, held: bool
) -> None:
    write(root, f"etc/systemd/system/timers.target.wants/{timer}", "")
    write(root, "etc/dnf/automatic.conf", text)
    expected = {"tool": "dnf-automatic", "active": active, "held": held}
    assert read(host, root)["upgrades"] == expected


def test_gpus_are_seen_on_the_bus_without_a_driver(host: ScriptHost, root: Path) -> None:
    plant_devices(root, read_fixture("hgx-h100-8"))
    gpus = read(host, root)["pci_gpus"]
    assert len(gpus) == 8
    assert gpus[0].startswith("nvidia 0x2330 at 0000:")


@pytest.mark.parametrize("name", ["no-gpu", "server-consoles", "apu-of-tomorrow"])
def test_graphics_of_boards_and_processors_are_no_gpus(
    host: ScriptHost, root: Path, name: str
) -> None:
    plant_devices(root, read_fixture(name))
    assert read(host, root)["pci_gpus"] == []


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        pytest.param(b"\x06\x00\x00\x00\x01", True, id="on"),
        pytest.param(b"\x06\x00\x00\x00\x00", False, id="off"),
    ],
)
def test_secure_boot_is_read(host: ScriptHost, root: Path, variable: bytes, expected: bool) -> None:
    write(root, SECURE_BOOT, variable)
    assert read(host, root)["secure_boot"] is expected


def test_swap_and_control_groups_are_read(host: ScriptHost, root: Path) -> None:
    write(root, "proc/swaps", "Filename Type Size Used Priority\n/swap.img file 4194300 0 -2\n")
    write(root, "proc/self/mountinfo", "9 1 0:9 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
    found = read(host, root)
    assert (found["swap"], found["cgroup"]) == (["/swap.img"], "v2")


def test_names_are_asked_for_with_a_limit(host: ScriptHost, root: Path) -> None:
    host.script("timeout", 'test "$1" = 3 && shift && exec "$@"')
    host.script("getent", 'test "$2" = localhost && echo "::1 STREAM localhost" && exit 0; exit 2')
    names = read(host, root)["names"]
    assert (names["localhost"], names["resolved"]) == (["::1"], [])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(124, [], id="took-too-long"),
        pytest.param(2, [], id="not-found"),
        pytest.param(1, None, id="usage"),
        pytest.param(127, None, id="does-not-start"),
    ],
)
def test_a_lookup_that_fails_says_why(
    host: ScriptHost, root: Path, status: int, expected: list[str] | None
) -> None:
    host.script("timeout", f"exit {status}")
    host.script("getent", "exit 0")
    assert read(host, root)["names"]["localhost"] == expected


@pytest.mark.usefixtures("ops")
def test_tight_files_of_ssh_need_no_question(host: ScriptHost, root: Path) -> None:
    host.script("timeout", "exit 3")
    host.script("sshd", "exit 3")
    write(root, "home/ops/.ssh/authorized_keys", "")
    for path, mode in (("", 0o755), (".ssh", 0o700), (".ssh/authorized_keys", 0o600)):
        (root / "home/ops" / path).chmod(mode)
    login = read(host, root)["login"]
    assert [(each["path"], each["mode"]) for each in login["paths"]] == [
        ("/home/ops", "0755"),
        ("/home/ops/.ssh", "0700"),
        ("/home/ops/.ssh/authorized_keys", "0600"),
    ]
    assert login["strict_modes"] is None


@pytest.mark.usefixtures("ops")
def test_sshd_is_asked_where_others_may_write(host: ScriptHost, root: Path) -> None:
    host.script("timeout", 'shift; exec "$@"')
    host.prints("sshd", "port 22\nstrictmodes yes\n")
    (root / "home/ops/.ssh").mkdir(parents=True)
    (root / "home/ops/.ssh").chmod(0o777)
    assert read(host, root)["login"]["strict_modes"] is True


def test_user_before_sudo_is_the_login_user(
    monkeypatch: pytest.MonkeyPatch, host: ScriptHost, root: Path
) -> None:
    monkeypatch.setenv("SUDO_USER", pwd.getpwuid(0).pw_name)
    assert read(host, root)["login"]["uid"] == 0
    monkeypatch.setenv("SUDO_USER", "nobody-of-this-name")
    assert read(host, root)["login"] is None


ROLE = Path(__file__).parents[4] / "roles" / "k3s"
AGENT = "/etc/systemd/system/k3s-agent.service"


@pytest.mark.parametrize(
    ("unit", "text", "expected"),
    [
        pytest.param("ray", "", {"ray": True, "k3s": False, "k3s_foreign": []}, id="ray"),
        pytest.param(
            "k3s-agent",
            "# Managed by rackforge.gpu_cluster\n",
            {"ray": False, "k3s": True, "k3s_foreign": []},
            id="k3s-of-ours",
        ),
        pytest.param(
            "k3s-agent",
            "[Unit]\nDescription=Lightweight Kubernetes\n",
            {"ray": False, "k3s": True, "k3s_foreign": [AGENT]},
            id="k3s-of-the-owner",
        ),
        pytest.param("other", "", {"ray": False, "k3s": False, "k3s_foreign": []}, id="other"),
    ],
)
def test_what_is_installed_is_known_by_its_unit(
    host: ScriptHost, root: Path, unit: str, text: str, expected: dict[str, object]
) -> None:
    write(root, f"etc/systemd/system/{unit}.service", text)
    assert read(host, root)["installed"] == expected


@pytest.mark.parametrize(("kind", "unit"), [("server", "k3s"), ("agent", "k3s-agent")])
def test_the_units_that_the_role_k3s_writes_are_known_as_ours(
    host: ScriptHost, root: Path, kind: str, unit: str
) -> None:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        undefined=jinja2.ChainableUndefined,
        autoescape=False,  # noqa: S701 a unit is no HTML
    )
    templates.filters["bool"] = bool
    text = templates.get_template("k3s.service.j2").render(k3s_kind=kind)
    assert f" {kind}\n" in text
    write(root, f"etc/systemd/system/{unit}.service", text)
    assert read(host, root)["installed"] == {"ray": False, "k3s": True, "k3s_foreign": []}
