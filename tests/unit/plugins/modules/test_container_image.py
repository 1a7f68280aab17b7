"""Claims about the container_image module."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.modules.container_image import main

from tests.unit.plugins.modules.conftest import Answer, Node

RAY = "rayproject/ray:2.60.0"
THERE = (0, "sha256:aa sha256:bb\n", "")
OTHER = (0, "sha256:aa sha256:old\n", "")
MISSING = (1, "", f"Error response from daemon: No such image: {RAY}\n")
LAYERS = ["sha256:aa", "sha256:bb"]
ARCHIVE = {"archive": "/srv/ray.tar", "layers": LAYERS}


@pytest.mark.parametrize(
    ("image", "arguments", "changed", "needs_source"),
    [
        pytest.param(THERE, {}, False, None, id="there-from-a-registry"),
        pytest.param(THERE, ARCHIVE, False, None, id="there-from-the-archive"),
        pytest.param(OTHER, ARCHIVE, True, True, id="archive-has-another"),
        pytest.param(MISSING, ARCHIVE, True, True, id="archive-needed"),
    ],
)
def test_the_archive_is_asked_for_only_when_it_differs(
    node: Node, image: Answer, arguments: dict[str, Any], changed: bool, needs_source: bool | None
) -> None:
    node.answers("docker image inspect", image)
    result = node.run(main, name=RAY, **arguments)
    assert (result["changed"], result.get("needs_source")) == (changed, needs_source)
    assert len(node.calls) == 1


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        pytest.param({}, f"docker pull --quiet {RAY}", id="pulled"),
        pytest.param(
            {**ARCHIVE, "source_file": "/tmp/x/ray.tar"},
            "docker load --input /tmp/x/ray.tar",
            id="loaded",
        ),
    ],
)
def test_a_missing_image_is_brought(node: Node, arguments: dict[str, Any], command: str) -> None:
    node.answers("docker image inspect", MISSING, THERE)
    node.answers(command, (0, "", ""))
    result = node.run(main, name=RAY, **arguments)
    assert (result["changed"], result["layers"]) == (True, LAYERS)
    assert node.calls[1] == command


@pytest.mark.parametrize("arguments", [{}, ARCHIVE, {**ARCHIVE, "source_file": "/tmp/x"}])
def test_check_mode_predicts_and_only_looks(node: Node, arguments: dict[str, Any]) -> None:
    node.answers("docker image inspect", MISSING)
    assert node.run(main, check=True, name=RAY, **arguments)["changed"] is True
    assert len(node.calls) == 1


def test_check_mode_works_before_docker_is_installed(node: Node) -> None:
    result = node.run(main, check=True, name=RAY)
    assert (result["changed"], result["layers"]) == (True, [])


@pytest.mark.parametrize(
    ("programs", "arguments", "message"),
    [
        pytest.param(
            {},
            {},
            "this node has no docker command. Let provision.yml install Docker Engine",
            id="no-docker",
        ),
        pytest.param(
            {"docker": [(1, "", "Cannot connect to the Docker daemon\n")]},
            {},
            f"Docker Engine did not answer about image {RAY}: Cannot connect to the Docker daemon;"
            " try 'systemctl status docker' on this node",
            id="engine-silent",
        ),
        pytest.param(
            {"docker image": [MISSING], "docker pull": [(1, "", "dial tcp: no route to host\n")]},
            {},
            f"'docker pull --quiet {RAY}' failed: dial tcp: no route to host; check the"
            " registry's address and the node's way to it, or set ray_image_archive",
            id="registry-away",
        ),
        pytest.param(
            {"docker image": [MISSING], "docker load": [(1, "", "no space left on device\n")]},
            {**ARCHIVE, "source_file": "/tmp/x"},
            "'docker load --input /tmp/x' failed: no space left on device; check the free space on"
            " /var/lib/docker and the archive",
            id="disk-full",
        ),
        pytest.param(
            {"docker image": [MISSING], "docker load": [(0, "Loaded image ID: sha256:cc\n", "")]},
            {**ARCHIVE, "source_file": "/tmp/x"},
            f"and yet the image {RAY} is not there afterwards",
            id="loaded-without-a-name",
        ),
        pytest.param(
            {"docker image": [OTHER], "docker load": [(0, "", "")]},
            {**ARCHIVE, "source_file": "/tmp/x"},
            f"and yet the image {RAY} is another one afterwards",
            id="loaded-and-still-another",
        ),
    ],
)
def test_what_went_wrong_is_explained(
    node: Node, programs: dict[str, list[Answer]], arguments: dict[str, Any], message: str
) -> None:
    node.programs = programs
    result = node.run(main, name=RAY, **arguments)
    assert result["failed"] is True
    assert message in result["msg"]
