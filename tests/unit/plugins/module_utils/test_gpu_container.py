"""Claims about asking a container for its GPUs."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_container import (
    IMAGE,
    parse_ldd,
    place_in_image,
    read_answer,
    remedy,
    run_arguments,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_container_run import (
    ContainerCheck,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import ContainerView

TWO = "GPU 0: NVIDIA A100 (UUID: GPU-a)\n  MIG 1g.5gb Device 0: (UUID: MIG-b)\nGPU 1: NVIDIA A100\n"


@pytest.mark.parametrize(
    ("mode", "image", "line"),
    [
        pytest.param(
            "cdi",
            IMAGE,
            "docker run --rm --name rackforge-gpu-check --network none --pull never"
            " --device nvidia.com/gpu=all --entrypoint nvidia-smi rackforge-gpu-check:local -L",
            id="cdi",
        ),
        pytest.param(
            "legacy",
            "registry.example/cuda:13",
            "docker run --rm --name rackforge-gpu-check --network none --runtime=nvidia"
            " --env NVIDIA_VISIBLE_DEVICES=all --env NVIDIA_DRIVER_CAPABILITIES=utility"
            " --entrypoint nvidia-smi registry.example/cuda:13 -L",
            id="legacy-with-an-image",
        ),
        pytest.param(
            "amd",
            IMAGE,
            "docker run --rm --name rackforge-gpu-check --network none --pull never --runtime=amd"
            " --env AMD_VISIBLE_DEVICES=all --entrypoint ls rackforge-gpu-check:local"
            " -1 /dev/kfd /dev/dri",
            id="amd",
        ),
    ],
)
def test_the_command_line_of_each_mode(mode: str, image: str, line: str) -> None:
    assert " ".join(run_arguments(mode, image)) == line


@pytest.mark.parametrize(
    ("mode", "rc", "out", "err", "view"),
    [
        pytest.param("cdi", 0, TWO, "", ContainerView(gpus=2), id="parts-of-a-gpu-do-not-count"),
        pytest.param("cdi", 0, "", "", ContainerView(gpus=0), id="an-empty-answer-is-none"),
        pytest.param(
            "cdi", 0, "\udcff\udcfe GPU x: \n", "", ContainerView(gpus=0), id="garbage-is-none"
        ),
        pytest.param(
            "cdi",
            124,
            "",
            "",
            ContainerView(error="the container gave no answer within 120 s"),
            id="hangs",
        ),
        pytest.param(
            "cdi",
            137,
            "",
            "",
            ContainerView(error="the container gave no answer within 120 s"),
            id="hangs-and-had-to-be-killed",
        ),
        pytest.param(
            "cdi",
            125,
            "",
            "docker: Error response from daemon: no\n\nRun 'docker run --help' for more\n",
            ContainerView(error="docker: Error response from daemon: no"),
            id="docker-s-words-without-its-advice",
        ),
        pytest.param(
            "cdi",
            9,
            "Failed to initialize NVML: Unknown Error\n",
            "",
            ContainerView(error="Failed to initialize NVML: Unknown Error"),
            id="the-program-s-words",
        ),
        pytest.param(
            "cdi",
            15,
            "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)\n"
            "Unable to determine the device handle for GPU1: 0000:43:00.0: GPU is lost.\n",
            "",
            ContainerView(gpus=1),
            id="those-that-answer-count-beside-a-lost-one",
        ),
        pytest.param(
            "cdi", 1, "", "", ContainerView(error="it ended with 1 and no word"), id="no-words"
        ),
        pytest.param(
            "amd",
            0,
            "/dev/kfd\n\n/dev/dri:\nby-path\ncard0\nrenderD128\nrenderD129\n",
            "",
            ContainerView(gpus=2),
            id="amd",
        ),
    ],
)
def test_an_answer_is_a_number_or_a_reason(
    mode: str, rc: int, out: str, err: str, view: ContainerView
) -> None:
    assert read_answer(mode, rc, out, err, 120) == view


def test_render_nodes_of_the_processor_and_of_parts_do_not_count() -> None:
    renders = {"renderD129": "0000:05:00.0"}
    out = "/dev/kfd\n\n/dev/dri:\nrenderD128\nrenderD129\nrenderD130\n"
    assert read_answer("amd", 0, out, "", 120, renders) == ContainerView(gpus=1)


def test_gpus_without_render_nodes_are_no_silent_zero() -> None:
    out = "/dev/kfd\n\n/dev/dri:\nrenderD128\n"
    assert read_answer("amd", 0, out, "", 120, {}) == ContainerView(
        error="no GPU of the node has a render node: amdgpu did not start it"
    )


LDD = """\tlinux-vdso.so.1 (0x00007ffd4a5f2000)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f3f8c400000)
\tlibnvidia-x.so => not found
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f3f8c1ad000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f3f8c3f6000)
"""


def test_the_files_that_a_program_needs_are_read_from_ldd() -> None:
    assert parse_ldd(LDD) == [
        "/lib/x86_64-linux-gnu/libm.so.6",
        "/lib/x86_64-linux-gnu/libc.so.6",
        "/lib64/ld-linux-x86-64.so.2",
    ]
    assert parse_ldd("\tnot a dynamic executable\n") == []


def test_a_file_lies_in_the_image_where_its_folder_really_is() -> None:
    assert place_in_image("/lib64/ld.so.2", "/usr/lib64") == "usr/lib64/ld.so.2"


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        pytest.param(
            "docker: Error response from daemon: CDI device injection failed: unresolvable CDI "
            "devices nvidia.com/gpu=all",
            "nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml",
            id="no-cdi-list",
        ),
        pytest.param(
            'docker: Error response from daemon: could not select device driver "cdi" with '
            "capabilities: []",
            "PLAYBOOK",
            id="cdi-off",
        ),
        pytest.param(
            "docker: Error response from daemon: unknown or invalid runtime name: nvidia",
            "PLAYBOOK",
            id="no-runtime",
        ),
        pytest.param(
            "docker: Error response from daemon: Unknown runtime specified amd",
            "PLAYBOOK",
            id="no-runtime-docker-20",
        ),
        pytest.param(
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock.",
            "systemctl status docker.service",
            id="no-engine",
        ),
        pytest.param(
            "this node has no docker command", "systemctl status docker.service", id="none"
        ),
        pytest.param("Unable to find image 'x:y' locally", "docker pull IMAGE", id="no-image"),
        pytest.param(
            "Failed to initialize NVML: Driver/library version mismatch",
            "nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml",
            id="old-list",
        ),
        pytest.param("the container gave no answer within 120 s", "nvidia-smi", id="hangs"),
        pytest.param(
            "something new",
            "docker run --rm --name rackforge-gpu-check --network none"
            " --device nvidia.com/gpu=all --entrypoint nvidia-smi IMAGE -L",
            id="anything-else",
        ),
    ],
)
def test_each_error_of_docker_gets_its_fix(words: str, fix: str) -> None:
    assert remedy(words, "cdi", "PLAYBOOK").partition("   (")[0] == fix


@dataclass
class Engine:
    """A node with Docker; keeps the names in the archive that was imported."""

    answers: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    programs: tuple[str, ...] = ("docker", "nvidia-smi", "ls")
    calls: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)

    def run_command(
        self,
        args: list[str],
        data: str | None,  # noqa: ARG002 - named as the protocol does
        environ_update: dict[str, str],  # noqa: ARG002
    ) -> tuple[int, str, str]:
        """Stand in for AnsibleModule.run_command; every command line is bounded in time."""
        assert args[:2] == ["timeout", "--kill-after=5"]
        line = " ".join(args[3:])
        self.calls.append(line)
        if line.startswith("docker import"):
            with tarfile.open(args[5]) as tar:
                self.members = tar.getnames()
        fitting = [key for key in self.answers if line.startswith(key)]
        return self.answers[max(fitting, key=len)] if fitting else (0, "", "")

    def get_bin_path(
        self,
        arg: str,
        required: bool,  # noqa: ARG002
        opt_dirs: list[str],  # noqa: ARG002
    ) -> str | None:
        """Stand in for AnsibleModule.get_bin_path."""
        return f"/usr/bin/{arg}" if arg in self.programs else None


CLEAR = [
    "docker rm --force rackforge-gpu-check",
    "docker image rm --force rackforge-gpu-check:local",
]


def library(folder: Path) -> str:
    """Return ldd's line about a library that is there."""
    path = folder / "libc.so.6"
    path.write_bytes(b"\x7fELF")
    return f"\tlibc.so.6 => {path} (0x00007f3f8c1ad000)\n"


def test_an_own_image_is_made_asked_and_removed(tmp_path: Path) -> None:
    engine = Engine({"ldd": (0, library(tmp_path), ""), "docker run": (0, TWO, "")})
    view = ContainerCheck(Command(engine), str(tmp_path)).ask("cdi", "", 120, [])
    assert view == ContainerView(gpus=2)
    assert engine.calls[:2] == engine.calls[-2:] == CLEAR
    assert engine.calls[2] == "ldd /usr/bin/nvidia-smi"
    folder = tmp_path.resolve().as_posix().lstrip("/")
    assert set(engine.members) >= {"etc/ld.so.cache", "etc/ld.so.conf", "etc/ld.so.conf.d"}
    assert f"{folder}/libc.so.6" in engine.members
    assert "usr/bin/nvidia-smi" not in engine.members
    assert [path.name for path in tmp_path.iterdir()] == ["libc.so.6"]


def test_an_image_that_was_named_is_kept(tmp_path: Path) -> None:
    engine = Engine({"docker run": (0, "GPU 0: x\n", "")})
    view = ContainerCheck(Command(engine), str(tmp_path)).ask("legacy", "mine:1", 60, [])
    assert view == ContainerView(gpus=1)
    assert [call.split()[:3] for call in engine.calls] == [
        ["docker", "rm", "--force"],
        ["docker", "run", "--rm"],
        ["docker", "rm", "--force"],
    ]


@pytest.mark.parametrize(
    ("programs", "answers", "error"),
    [
        pytest.param((), {}, "this node has no docker command", id="no-docker"),
        pytest.param(
            ("docker",),
            {},
            "the image could not be made: this node has no program nvidia-smi; name an image that "
            "has it in container_image",
            id="no-nvidia-smi",
        ),
        pytest.param(
            ("docker", "nvidia-smi"),
            {"ldd": (1, "", "\tnot a dynamic executable\n")},
            "'ldd /usr/bin/nvidia-smi' exited 1: not a dynamic executable",
            id="a-script",
        ),
        pytest.param(
            ("docker", "nvidia-smi"),
            {"ldd": (0, "\tlibc.so.6 => /nowhere/libc.so.6 (0x0000)\n", "")},
            "the image could not be made: [Errno 2] No such file or directory: "
            "'/nowhere/libc.so.6'",
            id="a-library-that-went-away",
        ),
        pytest.param(
            ("docker", "nvidia-smi"),
            {"docker import": (1, "", "Cannot connect to the Docker daemon\n")},
            "'docker import FOLDER/rackforge-gpu-check.tar rackforge-gpu-check:local' exited 1: "
            "Cannot connect to the Docker daemon",
            id="no-engine",
        ),
    ],
)
def test_what_cannot_be_asked_is_a_reason_and_leaves_nothing(
    programs: tuple[str, ...],
    answers: dict[str, tuple[int, str, str]],
    error: str,
    tmp_path: Path,
) -> None:
    engine = Engine(answers, programs)
    view = ContainerCheck(Command(engine), str(tmp_path)).ask("cdi", "", 120, [])
    assert view.gpus is None
    assert (view.error or "").replace(str(tmp_path), "FOLDER") == error
    assert engine.calls[-2:] == (CLEAR if programs else [])
    assert list(tmp_path.iterdir()) == []
