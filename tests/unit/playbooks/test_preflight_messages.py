"""Claims about what a user reads: real ansible-playbook runs on inventories made for the purpose.

The nodes are this machine (local connection) or addresses at which nobody answers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

# 127.0.0.1 port 1 refuses every connection at once: a node that is away.
AWAY = "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1"
LOCAL = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
SILENT = "ansible_connection=local ansible_python_interpreter=/nonexistent/python3"

PROVISION = """
- name: Check first
  ansible.builtin.import_playbook: {preflight}
  vars:
    preflight_tolerate_unreachable: true

- name: Work
  hosts: ray_head:ray_worker
  gather_facts: false
  tasks:
    - name: Show that the work goes on
      ansible.builtin.debug:
        msg: "work on {{{{ ansible_facts['gpu_cluster']['hostname'] }}}}"
"""


@dataclass(frozen=True)
class Run:
    """How a run of ansible-playbook ended."""

    rc: int
    text: str

    def recap(self, host: str) -> str:
        """Return the line of PLAY RECAP about ``host``, "" when it has none."""
        lines = [line for line in self.text.splitlines() if line.startswith(f"{host} ")]
        return " ".join(lines[-1].split()) if lines and "ok=" in lines[-1] else ""


@dataclass(frozen=True)
class Desk:
    """A folder of a user, with an inventory to run playbooks on."""

    folder: Path
    repository: Path

    def play(self, inventory: str, *options: str, playbook: str = "") -> Run:
        """Run preflight.yml, or the text of another playbook, on the text of an inventory."""
        (self.folder / "inv.ini").write_text(inventory, encoding="utf-8")
        path = self.repository / "playbooks" / "preflight.yml"
        if playbook:
            text = playbook.format(preflight=path)
            path = self.folder / "playbook.yml"
            path.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [
                *(sys.executable, "-m", "ansible", "playbook", "-i", "inv.ini"),
                # These nodes are this machine: the lab has paths to try.
                *("-e", "preflight_ports=off"),
                *options,
                str(path),
            ],
            cwd=self.folder,
            env={
                **{name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ},
                "ANSIBLE_CONFIG": str(self.repository / "ansible.cfg"),
                "ANSIBLE_COLLECTIONS_PATH": str(self.repository / ".cache" / "collections"),
                "ANSIBLE_LOCAL_TEMP": str(self.folder / "tmp"),
                "ANSIBLE_TIMEOUT": "5",
                "RACKFORGE_PROGRESS_CACHE": str(self.folder / "progress"),
                "ANSIBLE_NOCOLOR": "1",
                "COLUMNS": "100",
                "LC_ALL": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Run(done.returncode, done.stdout + done.stderr)


@pytest.fixture
def desk(tmp_path: Path, repository: Path) -> Desk:
    return Desk(tmp_path, repository)


# One inventory with many mistakes, so that one run answers for most tests.
MISTAKES = f"""
[ray_head]
h1 {LOCAL} has_gpu=ja my_ifcae=eth0
h2 {AWAY} ansible_user=alice hasgpu=true
[ray_worker]
w1 {SILENT} install_docker='{{{{ nobody_knows }}}}'
w2 {LOCAL} my_iface=eth99
w3 {LOCAL}
[storage]
nas
[all:vars]
ray_runtime=contaner
cluster_subnet=198.19.1.0
"""


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Run:
    desk = Desk(tmp_path_factory.mktemp("mistakes"), repository)
    return desk.play(MISTAKES, "-e", "reset_forse=true")


def test_one_pass_names_every_problem_in_order(mistakes: Run) -> None:
    assert mistakes.rc == 2
    report = mistakes.text[mistakes.text.index("SEVERITY") : mistakes.text.index("PLAY RECAP")]
    titles = [" ".join(line.split()) for line in report.splitlines() if line.startswith("ERROR")]
    assert titles == [
        "ERROR all hosts value-invalid (cluster_subnet)",
        "ERROR all hosts value-invalid (ray_runtime)",
        "ERROR all hosts variable-misspelt (reset_forse)",
        "ERROR inventory head-doubled",
        "ERROR h1 address-doubled",
        "ERROR h1 boolean-as-word (has_gpu)",
        "ERROR h1 variable-misspelt (my_ifcae)",
        "ERROR h2 unreachable",
        "ERROR h2 variable-misspelt (hasgpu)",
        "ERROR w1 python-missing (ansible_python_interpreter)",
        "ERROR w1 value-unresolved (install_docker)",
        "ERROR w2 my-iface-missing (my_iface)",
    ]


def test_a_host_without_a_group_is_noted_below_the_errors(mistakes: Run) -> None:
    # Warnings about the machine that runs this test may stand between them.
    last_error = mistakes.text.rindex("ERROR     ")
    assert mistakes.text.index("NOTE      nas        host-without-group") > last_error


def test_the_run_ends_with_one_line_and_no_traceback(mistakes: Run) -> None:
    assert "Traceback" not in mistakes.text
    assert "Preflight of 5 nodes, 1 not reached: 12 errors, " in mistakes.text
    assert (
        ". Nothing was changed. Do what the lines 'fix:' above say, then run the same command"
        " again." in mistakes.text
    )


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            [
                "2 hosts are in the group ray_head.",
                "seen:     ray_head: h1 and h2",
                "fix:      leave h1 in [ray_head] and move h2 to [ray_worker]",
            ],
            id="two-heads",
        ),
        pytest.param(
            ["The node has no interface eth99.", "expected: an interface eth99, as my_iface says"],
            id="no-such-interface",
        ),
        pytest.param(["h1 and w3 are one machine under 2 names."], id="one-address-twice"),
        pytest.param(
            ["seen:     has_gpu=ja", "expected: true or false", "fix:      has_gpu=true"],
            id="boolean-as-word",
        ),
        pytest.param(
            ["Nothing reads the variable my_ifcae. Did you mean my_iface?"],
            id="misspelt-variable",
        ),
        pytest.param(
            ["Nothing reads the variable reset_forse. Did you mean reset_force?"],
            id="misspelt-extra-variable",
        ),
        pytest.param(
            [
                "seen:     ray_runtime=contaner",
                "expected: one of container, venv",
                "fix:      ray_runtime=container",
            ],
            id="no-such-choice",
        ),
        pytest.param(
            [
                "h2 could not be reached at [127.0.0.1]:1.",
                "seen:     ssh: connect to host 127.0.0.1 port 1: Connection refused",
                "fix:      ssh -p 1 alice@127.0.0.1 true",
            ],
            id="unreachable",
        ),
        pytest.param(["The value of install_docker cannot be worked out."], id="undefined"),
        pytest.param(["w1 has no Python where Ansible looks for it."], id="no-python"),
    ],
)
def test_each_wrong_input_is_explained_with_its_fix(mistakes: Run, lines: list[str]) -> None:
    assert [line for line in lines if line not in mistakes.text] == []


@pytest.mark.parametrize(
    ("inventory", "options", "lines"),
    [
        pytest.param(
            f"[ray_worker]\nw1 {LOCAL}\n",
            (),
            [
                "ERROR     inventory  head-missing",
                "fix:      [ray_head] with one line below it: w1",
            ],
            id="no-head",
        ),
        pytest.param(
            "",
            (),
            ["The inventory names no machine.", "ERROR     inventory  inventory-empty"],
            id="empty-inventory",
        ),
        pytest.param(
            f"[ray_head]\nh1 {LOCAL}\n[ray_worker]\nw1 {AWAY}\n",
            ("--limit", "w1"),
            [
                "--limit leaves out the head h1, which every node depends on",
                "fix:      --limit 'w1,h1'",
            ],
            id="head-outside-limit",
        ),
    ],
)
def test_a_cluster_without_its_head_is_refused(
    desk: Desk, inventory: str, options: tuple[str, ...], lines: list[str]
) -> None:
    run = desk.play(inventory, *options)
    assert run.rc == 2
    assert "Traceback" not in run.text
    assert [line for line in lines if line not in run.text] == []


def test_a_sound_inventory_passes_in_check_mode_too(desk: Desk) -> None:
    run = desk.play(f"[ray_head]\nh1 {LOCAL} has_gpu=FALSE install_docker=true\n", "--check")
    assert run.rc == 0, run.text
    assert run.recap("h1").startswith("h1 : ok=4 changed=0 unreachable=0 failed=0")


def test_declared_names_stop_nobody(desk: Desk) -> None:
    own = '{"preflight_own_variables": ["has_gpus"]}'
    run = desk.play(f"[ray_head]\nh1 {LOCAL} has_gpus=4\n", "-e", own)
    assert run.rc == 0, run.text
    assert "variable-misspelt" not in run.text


@pytest.mark.parametrize(
    ("line", "options"),
    [
        pytest.param(" ansible_sudo_pass=hunter2", (), id="in-the-inventory"),
        pytest.param("", ("--extra-vars", "ansible_sudo_pass=hunter2"), id="on-the-command-line"),
    ],
)
def test_the_sudo_password_of_the_convecthub_document_is_explained_and_not_shown(
    desk: Desk, line: str, options: tuple[str, ...]
) -> None:
    run = desk.play(f"[ray_head]\nh1 {LOCAL}{line}\n", *options)
    assert run.rc == 2, run.text
    assert "ERROR     h1    sudo-password-name (ansible_sudo_pass)" in run.text
    assert "expected: the option -K, or ansible_become_password in a vaulted vars file" in run.text
    assert "fix:      ansible-playbook -K ..." in run.text
    assert "hunter2" not in run.text


def test_a_worker_that_is_away_drops_out_as_unreachable_and_the_others_go_on(desk: Desk) -> None:
    run = desk.play(f"[ray_head]\nh1 {LOCAL}\n[ray_worker]\nw1 {AWAY}\n", playbook=PROVISION)
    assert run.rc == 4, run.text
    assert "ERROR     w1    unreachable" in run.text
    assert "work on " in run.text
    assert "unreachable=1 failed=0" in run.recap("w1")
    assert "unreachable=0 failed=0" in run.recap("h1")


def test_a_head_that_is_away_stops_everything(desk: Desk) -> None:
    run = desk.play(f"[ray_head]\nh1 {AWAY}\n[ray_worker]\nw1 {LOCAL}\n", playbook=PROVISION)
    assert run.rc == 2
    assert "ERROR     h1    unreachable" in run.text
    assert "work on " not in run.text


def test_another_error_of_a_worker_stops_everything(desk: Desk) -> None:
    run = desk.play(f"[ray_head]\nh1 {LOCAL}\n[ray_worker]\nw1 {SILENT}\n", playbook=PROVISION)
    assert run.rc == 2
    assert "ERROR     w1    python-missing" in run.text
    assert "work on " not in run.text
