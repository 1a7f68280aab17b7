# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container is asked which GPUs it sees: what to pack, what to run, how to read the answer.

Nothing here reads or writes anything.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import ContainerView

#: Own names, so that what an interrupted run has left is found and removed by the next.
IMAGE = "rackforge-gpu-check:local"
CONTAINER = "rackforge-gpu-check"
CDI, LEGACY, AMD = "cdi", "legacy", "amd"
MODES = (CDI, LEGACY, AMD)

# What NVIDIA's CDI specification and its legacy runtime do in the image, and what they need there.
# They mount nvidia-smi and the libraries with their full version in the name, at the paths of the
# node, and then run the node's own ldconfig inside the image's root, which makes libnvidia-ml.so.1.
# Toolkits from 1.16 to 1.18 leave that out where the image has no /etc/ld.so.cache, and ldconfig
# needs the folder /etc/ld.so.conf.d, so the image has both (container-toolkit issue 71, pull
# requests 1326 and 1471). The loader finds the libraries of the image in its built-in folders.
EMPTY_FILES = ("etc/ld.so.cache",)
TEXT_FILES = {"etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n"}
FOLDERS = ("etc/ld.so.conf.d", "tmp", "usr/bin")
#: The links of a merged /usr, which the image has where the node has them.
ROOT_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")

_LDD = re.compile(r"^\s*(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)\s*$", re.MULTILINE)
_GPU_LINE = re.compile(r"^GPU \d+: ", re.MULTILINE)
_RENDER = re.compile(r"^(?:/dev/dri/)?(renderD\d+)$", re.MULTILINE)


def program_to_pack(mode: str) -> str:
    """Return the program of the node whose libraries the image needs."""
    return "ls" if mode == AMD else "nvidia-smi"


def packs_program(mode: str) -> bool:
    """Return whether the image has the program itself: NVIDIA's toolkit brings its own."""
    return mode == AMD


def parse_ldd(text: str) -> list[str]:
    """Return the files that ldd names, each once; libraries that it does not find are left out."""
    return list(dict.fromkeys(_LDD.findall(text)))


def place_in_image(path: str, real_folder: str) -> str:
    """Return where a file of the node belongs in the image, so that no link is needed there."""
    return posixpath.join(real_folder, posixpath.basename(path)).lstrip("/")


def question(mode: str) -> list[str]:
    """Return what the container runs to show its GPUs."""
    return ["ls", "-1", "/dev/kfd", "/dev/dri"] if mode == AMD else ["nvidia-smi", "-L"]


def run_arguments(mode: str, image: str) -> list[str]:
    """Return the command line that asks a container for every GPU, without the network."""
    devices = {
        CDI: ["--device", "nvidia.com/gpu=all"],
        LEGACY: [
            "--runtime=nvidia",
            "--env",
            "NVIDIA_VISIBLE_DEVICES=all",
            "--env",
            "NVIDIA_DRIVER_CAPABILITIES=utility",
        ],
        AMD: ["--runtime=amd", "--env", "AMD_VISIBLE_DEVICES=all"],
    }
    command = ["docker", "run", "--rm", "--name", CONTAINER, "--network", "none"]
    # The own image is nowhere else; one that the inventory names may have to be pulled.
    pull = ["--pull", "never"] if image == IMAGE else []
    # Without an entry point, so that an image's own start-up text does not come in between.
    program, *arguments = question(mode)
    return [*command, *pull, *devices[mode], "--entrypoint", program, image, *arguments]


def bounded(command: Sequence[str], seconds: int) -> list[str]:
    """Return a command line that ends after so many seconds, killed 5 s later if it must be."""
    return ["timeout", "--kill-after=5", str(seconds), *command]


def read_answer(
    mode: str,
    rc: int,
    out: str,
    err: str,
    seconds: int,
    renders: Optional[Mapping[str, str]] = None,
) -> ContainerView:
    """Return how many GPUs the container showed, or why it showed none in its own words.

    ``renders`` has the PCI address of each GPU by its render node (renderD128), so that an
    integrated GPU or a part of a card does not count.
    """
    if rc in (124, 137):
        return ContainerView(error=f"the container gave no answer within {seconds} s")
    listed = 0 if mode == AMD else len(_GPU_LINE.findall(out))
    # nvidia-smi lists the GPUs that answer and ends with the error of one that does not.
    if rc != 0 and not listed:
        return ContainerView(error=_words(err) or _words(out) or f"it ended with {rc} and no word")
    if mode != AMD:
        return ContainerView(gpus=listed)
    names = set(_RENDER.findall(out))
    if renders is None:
        return ContainerView(gpus=len(names))
    if not renders:
        return ContainerView(error="no GPU of the node has a render node: amdgpu did not start it")
    return ContainerView(gpus=len({renders[name] for name in names if name in renders}))


def _words(text: str) -> str:
    """Return the telling lines of an error in one line, without docker's advice to read help."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    told = [line for line in lines if line and not line.startswith(("Run 'docker", "See 'docker"))]
    return " / ".join(told[-3:])[:600]


#: What docker says, and what helps; the first that fits counts.
_REMEDIES = (
    (
        r"unresolvable CDI devices?",
        "nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml   (on the node; then look at "
        "nvidia-ctk cdi list)",
    ),
    (
        r"could not select device driver \"?cdi|CDI (?:is not|support is)",
        "{playbook}   (it sets features.cdi=true in daemon.json; an engine older than 25.0 knows "
        "no CDI: nvidia_container_mode=legacy)",
    ),
    (
        r"unknown or invalid runtime name: (?:nvidia|amd)|[Uu]nknown runtime specified",
        "{playbook}   (daemon.json does not name the vendor's runtime, or Docker Engine was not "
        "restarted after it did: systemctl restart docker.service)",
    ),
    (
        r"Unable to find image|No such image|pull access denied",
        "docker pull IMAGE   (on the node; or leave container_image empty: then one is made there)",
    ),
    (
        r"[Cc]annot connect to the Docker daemon|no docker command",
        "systemctl status docker.service   (on the node; install_docker=true has the playbook "
        "bring Docker Engine)",
    ),
    (
        r"this node has no program nvidia-smi",
        "{playbook}   (it is part of the driver's packages; with a driver of your own, install it)",
    ),
    (
        r"Failed to initialize NVML|driver/library version mismatch",
        "nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml   (on the node; a driver that "
        "was changed leaves an old list of libraries; boot the node if that does not help)",
    ),
    (
        r"no answer within",
        "nvidia-smi   (on the node: if it hangs too, boot the node; if not: journalctl -u docker "
        "-n 30)",
    ),
)


def remedy(words: str, mode: str, playbook: str) -> str:
    """Return what helps against an error of docker or of the program in the container."""
    for pattern, text in _REMEDIES:
        if re.search(pattern, words):
            return text.format(playbook=playbook)
    by_hand = " ".join(run_arguments(mode, "IMAGE"))
    return f"{by_hand}   (on the node, with an image that has the program)"
