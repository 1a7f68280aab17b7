"""Claims about kernel modules that a node should have."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.kernel_module_list import (
    KernelModuleError,
    absent,
    check_names,
    parse_builtin,
    render,
)

BUILTIN = "kernel/fs/fuse/fuse.ko\nkernel/drivers/nvme/host/nvme-core.ko\n"


def test_builtin_modules_are_read_with_the_kernels_names() -> None:
    assert parse_builtin(BUILTIN) == {"fuse", "nvme_core"}


def test_modules_that_are_there_under_either_spelling_are_not_loaded() -> None:
    loaded = ["ib_core", "nvidia_drm", "nvme_core"]
    names = ["ib-core", "nvidia-drm", "rdma_ucm", "rdma_ucm", "nvme-core"]
    assert absent(names, loaded) == ["rdma_ucm"]


@pytest.mark.parametrize("name", ["", "-r", "a b", "../x", "a;b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(KernelModuleError, match="expected a module's name"):
        check_names(["rdma_ucm", name])


def test_file_has_one_module_a_line() -> None:
    assert render(["ib_uverbs", "rdma_ucm", "ib_uverbs"]) == (
        "# Managed by rackforge.gpu_cluster\nib_uverbs\nrdma_ucm\n"
    )
    assert render([]) is None
