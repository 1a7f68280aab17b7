# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images that the stand-in for k3s imports, and pods that may run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.k3s import releases
from tests.lab.k3s.standin import agent_pods, images


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    releases.write_images(tmp_path, "v1.33.5+k3s1", "amd64")
    return tmp_path / "k3s-airgap-images-amd64.tar.gz"


def test_an_archive_s_images_are_imported(archive: Path, tmp_path: Path) -> None:
    found = images.import_all(tmp_path, tmp_path / "known" / "images")
    assert "docker.io/rancher/mirrored-pause:3.6" in found
    assert images.known(tmp_path / "known" / "images") == found
    assert archive.exists()


def test_one_flipped_byte_is_logged_and_the_rest_goes_on(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = bytearray(archive.read_bytes())
    raw[len(raw) // 2] ^= 1
    archive.write_bytes(bytes(raw))
    assert images.import_all(tmp_path, tmp_path / "known" / "images") == []
    assert "Failed to process k3s-airgap-images-amd64.tar.gz" in capsys.readouterr().err


def test_the_same_version_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two, other = tmp_path / "one", tmp_path / "two", tmp_path / "other"
    for folder, version in ((one, "v1"), (two, "v1"), (other, "v2")):
        folder.mkdir()
        releases.write_images(folder, version, "amd64")
    name = releases.archive_name("amd64")
    assert (one / name).read_bytes() == (two / name).read_bytes()
    assert (one / name).read_bytes() != (other / name).read_bytes()


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("rancher/pause:3.6", "docker.io/rancher/pause:3.6"),
        ("nvcr.io/nvidia/k8s-device-plugin:v0.20.0", "nvcr.io/nvidia/k8s-device-plugin:v0.20.0"),
        ("registry:5000/a", "registry:5000/a:latest"),
        ("localhost/a@sha256:ab", "localhost/a@sha256:ab"),
    ],
)
def test_names_are_completed_as_containerd_does(short: str, full: str) -> None:
    assert images.full_name(short) == full


def pod(image: str, **spec: object) -> dict[str, object]:
    return {
        "metadata": {"namespace": "default", "name": "web", "uid": "u1"},
        "spec": {"containers": [{"name": "web", "image": image}], **spec},
    }


def test_an_image_that_is_nowhere_waits_in_backoff() -> None:
    pulling = agent_pods.Pulling(["docker.io/library/a:1"], lambda: False)
    assert pulling.problem("a:1") == ""
    assert "network is unreachable" in pulling.problem("b:1")
    state = agent_pods.Pod("default", "web", "u1")
    shown = agent_pods.status(pod("b:1"), state, "198.19.0.11", pulling.problem("b:1"))
    assert shown["phase"] == "Pending"
    assert shown["containerStatuses"][0]["state"]["waiting"]["reason"] == "ImagePullBackOff"


def test_an_image_that_does_not_exist_cannot_be_pulled_with_a_registry_either() -> None:
    pulling = agent_pods.Pulling([], lambda: True)
    assert pulling.problem("example.org/does-not-exist:1").endswith("not found")
    assert pulling.problem("example.org/web:1") == ""


def test_a_job_s_pod_ends_and_fails_only_when_it_is_told_to() -> None:
    owned = pod("a:1")
    owned["metadata"] = {"ownerReferences": [{"kind": "Job"}]}
    state = agent_pods.Pod("default", "web", "u1")
    assert agent_pods.status(owned, state, "198.19.0.11", "")["phase"] == "Succeeded"
    owned["spec"] = {"containers": [{"name": "web", "image": "a:1", "command": ["false"]}]}
    assert agent_pods.status(owned, state, "198.19.0.11", "")["phase"] == "Failed"


def test_a_running_pod_is_ready() -> None:
    state = agent_pods.Pod("default", "web", "u1", address="10.42.0.5")
    shown = agent_pods.status(pod("a:1"), state, "198.19.0.11", "")
    assert shown["phase"] == "Running"
    assert shown["podIP"] == "10.42.0.5"
    assert {row["type"]: row["status"] for row in shown["conditions"]}["Ready"] == "True"
