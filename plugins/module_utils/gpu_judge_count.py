# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges whether every GPU on the PCI bus arrives in the driver and in a container.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.driver_range import (
    is_older,
    parse_version,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_container import (
    remedy,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    ADDRESSES_SHOWN,
    MAKERS,
    RAY_SEES_NONE,
    Case,
    Code,
    addresses,
    count_gpus,
    name_gpu,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_hardware import (
    bar_problem,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import Gpu, Vendor
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import (
    last_about,
    lost_line,
    refused_line,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_generation import (
    architecture,
    branches,
    kernel_modules,
)

#: Which version of NVIDIA's container toolkit closed which hole (NVIDIA's security bulletins).
TOOLKIT_HOLES = (
    ("1.16.2", "CVE-2024-0132"),
    ("1.17.4", "CVE-2025-23359"),
    ("1.17.8", "CVE-2025-23266"),
)


def judge_generation(case: Case) -> Iterator[Finding]:
    """Yield which NVIDIA GPUs the loaded driver is not made for."""
    stack = case.stack(Vendor.NVIDIA)
    for gpu in case.free(Vendor.NVIDIA):
        problem = _unfit(case, gpu)
        if problem is None:
            continue
        wanted_module, reason = problem
        line = refused_line(case.node.kernel_log, gpu.pci_address)
        if wanted_module:
            yield case.finding(
                Severity.ERROR,
                Code.KERNEL_MODULE_UNFIT,
                f"GPU {name_gpu(gpu)} needs NVIDIA's {wanted_module} kernel module, and the other "
                "one is loaded.",
                seen=line or reason,
                expected=f"the {wanted_module} kernel module",
                fix=f"{case.playbook()} -e nvidia_kernel_module={wanted_module}",
                variable="nvidia_kernel_module",
            )
            continue
        yield case.finding(
            Severity.ERROR,
            Code.UNSUPPORTED_GENERATION,
            f"The driver {stack.loaded or 'that is loaded'} does not serve GPU {name_gpu(gpu)}.",
            seen=line or reason,
            expected="a driver branch that serves every GPU of the node",
            fix=f"{case.playbook()} -e nvidia_driver_branch=580 -e nvidia_replace_driver=true   "
            "(580 serves Maxwell to Blackwell)",
            variable="nvidia_driver_branch",
        )


def _unfit(case: Case, gpu: Gpu) -> Optional[tuple[str, str]]:
    """Return why the loaded driver does not serve a GPU, None when it may well do.

    First the kernel module that the GPU needs instead (open, proprietary; nothing where the whole
    branch does not know it), then the reason.
    """
    stack = case.stack(Vendor.NVIDIA)
    line = refused_line(case.node.kernel_log, gpu.pci_address) or ""
    if "open kernel module" in line.lower() and "requires" in line.lower():
        return "open", line
    if gpu.index is not None or not case.is_loaded(Vendor.NVIDIA):
        return ("", line) if line and gpu.index is None else None
    device, version = gpu.device_id or "", parse_version(stack.loaded)
    if architecture(device) is None:
        return ("", line) if line else None
    modules, known = kernel_modules([device]), branches([device])
    if version and known.last is not None and version[0] > known.last:
        return "", f"{architecture(device)}, whose last driver branch is {known.last}"
    if version and known.lowest is not None and version[0] < known.lowest:
        return "", f"{architecture(device)}, whose first driver branch is {known.lowest}"
    if stack.is_open and modules.open_problem:
        return "proprietary", modules.open_problem
    if stack.is_open is False and modules.proprietary_problem:
        return "open", modules.proprietary_problem
    return ("", line) if line else None


def judge_lost(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield which GPUs have left the bus, and which are listed and do not answer."""
    for gpu in case.free(vendor):
        if case.is_lost(gpu):
            yield case.finding(
                Severity.ERROR,
                Code.GPU_LOST,
                f"GPU {name_gpu(gpu)} has fallen off the PCI bus. Only a power cycle brings it "
                "back; if that happens again, look at its power supply, its temperature and its "
                "seat.",
                seen=lost_line(case.node.kernel_log, gpu.pci_address) or gpu.error or "",
                expected="a GPU that answers",
                fix="ipmitool chassis power cycle   (through the machine's BMC; a reboot does not "
                "cut the power)",
            )
        elif gpu.error:
            yield case.finding(
                Severity.ERROR,
                Code.GPU_NOT_ANSWERING,
                f"The driver lists GPU {name_gpu(gpu)} and gets no answer from it. Programs that "
                f"count GPUs may stop here: {RAY_SEES_NONE}",
                seen=gpu.error,
                expected="an answer from every GPU",
                fix=f"nvidia-smi --gpu-reset --id={gpu.pci_address}   (or boot: {case.boot()})"
                if vendor is Vendor.NVIDIA
                else case.boot(),
            )


def judge_in_driver(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield which GPUs on the bus the driver does not list, unless another finding says why."""
    if not case.has_answered(vendor):
        return
    count = case.stack(vendor).driver_gpus
    if count is not None and count >= len(case.gpus(vendor)):
        return  # All are there; only their addresses could not be told.
    missing = [gpu for gpu in case.free(vendor) if gpu.index is None and not gpu.error]
    missing = [gpu for gpu in missing if not _is_explained(case, vendor, gpu)]
    if not missing:
        return
    listed = sum(gpu.index is not None for gpu in case.gpus(vendor))
    reasons = [last_about(case.node.kernel_log, gpu.pci_address) for gpu in missing]
    lines = [reason for reason in reasons if reason][:3]
    module = "nvrm|nvidia" if vendor is Vendor.NVIDIA else "amdgpu|kfd"
    yield case.finding(
        Severity.ERROR,
        Code.GPU_MISSING_IN_DRIVER,
        f"The PCI bus has {count_gpus(len(case.gpus(vendor)), MAKERS[vendor])}, and the driver "
        f"lists {listed}. Missing: "
        f"{join_names([name_gpu(gpu) for gpu in missing], most=ADDRESSES_SHOWN)}."
        + (f" {RAY_SEES_NONE}" if listed == 0 else ""),
        seen=" / ".join(lines) or f"{listed}; the kernel log says nothing about the missing",
        expected=str(len(case.gpus(vendor))),
        fix=f"dmesg | grep -iE '{module}|{missing[0].pci_address[5:]}'   (on the node)",
    )


def _is_explained(case: Case, vendor: Vendor, gpu: Gpu) -> bool:
    if case.is_lost(gpu) or bar_problem(case, gpu):
        return True
    return vendor is Vendor.NVIDIA and _unfit(case, gpu) is not None


def judge_toolkit(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield that the software that hands GPUs to containers is missing or has known holes."""
    stack, view = case.stack(vendor), case.node.container
    if stack.toolkit is None:
        if view is None or view.gpus is None:
            yield _no_toolkit(case, vendor)
        return
    lowest = case.expected.toolkit_min_version
    if vendor is not Vendor.NVIDIA or lowest is None:
        return
    older = is_older(stack.toolkit, lowest)
    if older is None:
        yield case.finding(
            Severity.WARNING,
            Code.TOOLKIT_VERSION_UNREADABLE,
            "The version of the NVIDIA container toolkit could not be compared with the lowest "
            "one.",
            seen=repr(stack.toolkit[:80]),
            expected=f"{lowest} or newer",
            fix="nvidia-ctk --version   (on the node)",
        )
    elif older:
        holes = [hole for fixed, hole in TOOLKIT_HOLES if is_older(stack.toolkit, fixed)]
        yield case.finding(
            Severity.ERROR,
            Code.TOOLKIT_OLD,
            "The NVIDIA container toolkit is too old."
            + (f" A container can break out to the node by {join_names(holes)}." if holes else ""),
            seen=stack.toolkit,
            expected=f"{lowest} or newer",
            fix=case.playbook(),
            variable="nvidia_toolkit_version",
        )


def _no_toolkit(case: Case, vendor: Vendor) -> Finding:
    view = case.node.container
    package = {Vendor.NVIDIA: "nvidia-container-toolkit", Vendor.AMD: "amd-container-toolkit"}
    return case.finding(
        Severity.ERROR if case.expected.container else Severity.WARNING,
        Code.TOOLKIT_MISSING,
        f"The {MAKERS[vendor]} container toolkit is not installed: containers get no GPU.",
        seen=f"no package {package[vendor]}" + (f"; {view.error}" if view and view.error else ""),
        expected=f"{package[vendor]}"
        + (f" {case.expected.toolkit_min_version} or newer" if vendor is Vendor.NVIDIA else ""),
        fix=case.playbook(),
        variable="nvidia_toolkit_source" if vendor is Vendor.NVIDIA else "",
    )


def judge_container(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield that a container sees fewer GPUs than the driver lists, or could not be run."""
    view = case.node.container
    # The toolkit has no name for a partitioned GPU without parts; mig-empty says that.
    usable = [gpu for gpu in case.usable(vendor) if not gpu.mig.enabled or gpu.mig.devices]
    if view is None or not usable:
        return
    if view.gpus is None:
        if case.stack(vendor).toolkit is None:
            return  # judge_toolkit has said why.
        yield case.finding(
            Severity.ERROR,
            Code.CONTAINER_FAILED,
            f"A container that asks for every GPU did not run. The driver lists {len(usable)}.",
            seen=view.error or "no reason given",
            expected=f"a container that sees {count_gpus(len(usable))}",
            fix=remedy(view.error or "", case.expected.container_mode, case.playbook()),
        )
    elif view.gpus < len(usable):
        yield case.finding(
            Severity.ERROR,
            Code.GPU_MISSING_IN_CONTAINER,
            f"A container that asks for every GPU sees {view.gpus}, and the driver lists "
            f"{len(usable)} ({addresses(usable)}).",
            seen=str(view.gpus),
            expected=str(len(usable)),
            fix="nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml   (on the node: the "
            "list of devices is older than the driver's)"
            if case.expected.container_mode == "cdi"
            else f"{case.playbook()}   (then: systemctl restart docker.service on the node)",
        )
