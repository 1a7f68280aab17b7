"""Claims about what files and programs say of a node's GPU software."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_system import (
    LoadedModule,
    answer_limit_seconds,
    first_version,
    is_signed,
    library_version,
    parse_active,
    parse_nvidia_version,
    secure_boot,
)

GCC = "GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build"
            f"  (dvs-builder@U16-A24-9-2)  Thu Oct 10 12:15:00 UTC 2024\n{GCC}",
            LoadedModule("565.57.01", True),
            id="open",
        ),
        pytest.param(
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC"
            f" 2023\n{GCC}",
            LoadedModule("535.129.03", False),
            id="proprietary",
        ),
        pytest.param(
            "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.95.05  Release Build\n",
            LoadedModule("580.95.05", True),
            id="arm",
        ),
        pytest.param(
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module 390.48 Thu Mar 22 00:42:57 PDT 2018\n",
            LoadedModule("390.48", False),
            id="single-spaces",
        ),
        pytest.param(GCC, LoadedModule(), id="only-the-compiler"),
        pytest.param("NVRM version: NVIDIA UNIX Open Ker", LoadedModule(), id="cut-short"),
        pytest.param("\ufffd\ufffd\x00", LoadedModule(), id="not-utf-8"),
        pytest.param("", LoadedModule(), id="no-driver"),
    ],
)
def test_loaded_module(text: str, expected: LoadedModule) -> None:
    assert parse_nvidia_version(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("7.0.2-56\n", "7.0.2", id="rocm-info"),
        pytest.param("580.95.05\n", "580.95.05", id="module-version"),
        pytest.param(
            "NVIDIA Container Toolkit CLI version 1.17.8\ncommit: f202b80a9b9d\n",
            "1.17.8",
            id="nvidia-ctk",
        ),
        pytest.param("no version here", None, id="none"),
        pytest.param("", None, id="empty"),
    ],
)
def test_first_version(text: str, expected: str | None) -> None:
    assert first_version(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("libnvidia-ml.so.580.95.05", "580.95.05", id="real-file"),
        pytest.param("libnvidia-ml.so.570.144", "570.144", id="two-numbers"),
        pytest.param("libnvidia-ml.so.1", None, id="link-that-leads-nowhere"),
        pytest.param("libnvidia-ml.so.580.95.05.bak", None, id="other-file"),
    ],
)
def test_library_version_is_in_the_name_of_its_file(name: str, expected: str | None) -> None:
    assert library_version(name) == expected


@pytest.mark.parametrize(
    ("variable", "efi", "expected"),
    [
        pytest.param(b"\x06\x00\x00\x00\x01", True, True, id="on"),
        pytest.param(b"\x06\x00\x00\x00\x00", True, False, id="off"),
        pytest.param(None, True, None, id="variables-out-of-sight"),
        pytest.param(b"\x06\x00", True, None, id="cut-short"),
        pytest.param(None, False, False, id="no-efi"),
        pytest.param(None, None, None, id="firmware-hidden"),
    ],
)
def test_secure_boot(variable: bytes | None, efi: bool | None, expected: bool | None) -> None:
    assert secure_boot(variable, efi) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "filename: /lib/modules/6.8.0/updates/dkms/nvidia.ko.zst\nsig_id:         PKCS#7\n"
            "signer:         gpu7 Secure Boot Module Signature key\n",
            True,
            id="signed",
        ),
        pytest.param("version: 580.95.05\nsignat:         PKCS#7\nsigner:\n", True, id="old-kmod"),
        pytest.param("version:        580.95.05\nlicense: Dual MIT/GPL\n", False, id="unsigned"),
    ],
)
def test_signature_of_a_module(text: str, expected: bool) -> None:
    assert is_signed(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("LoadState=loaded\nActiveState=active\n", True, id="runs"),
        pytest.param("LoadState=loaded\nActiveState=failed\n", False, id="failed"),
        pytest.param("LoadState=not-found\nActiveState=inactive\n", None, id="no-unit"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_state_of_a_unit(text: str, expected: bool | None) -> None:
    assert parse_active(text) is expected


@pytest.mark.parametrize(
    ("gpus", "seconds"),
    [
        pytest.param(0, 5, id="driver-without-a-gpu"),
        pytest.param(1, 5, id="one"),
        pytest.param(8, 26, id="eight"),
        pytest.param(16, 50, id="sixteen"),
    ],
)
def test_each_gpu_gets_three_seconds_to_start(gpus: int, seconds: int) -> None:
    assert answer_limit_seconds(gpus) == seconds
