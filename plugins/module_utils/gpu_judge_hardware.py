# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges a node's GPUs as hardware: which there are, who holds them, how they are connected.

Nothing here reads or writes anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    Finding,
    Severity,
    join_names,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_bars import window_bytes
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    ADDRESSES_SHOWN,
    DISPLAY,
    MAKERS,
    Case,
    Code,
    addresses,
    count_gpus,
    name_gpu,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    Link,
    Vendor,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_xid import bar_lines

#: From this utilisation on a card has no reason to save power on its link.
BUSY_PERCENT = 50
LOOK = "lspci -Dnn | grep -E '\\[(10de|1002):'"


def judge_presence(case: Case) -> Iterator[Finding]:
    """Yield what is to be said about which GPUs there are."""
    node, wanted = case.node, case.expected.vendor
    if not node.gpus:
        if case.expected.expect_gpus:
            yield _no_gpu(case)
        return
    if wanted is not None and not case.gpus(wanted):
        yield _wrong_vendor(case, wanted)
        return
    if len(node.vendors) > 1:
        yield case.finding(
            Severity.WARNING,
            Code.MIXED_VENDORS,
            "This node has GPUs of both NVIDIA and AMD. The playbooks install the driver of one.",
            seen=join_names([count_gpus(len(case.gpus(v)), MAKERS[v]) for v in node.vendors]),
            expected="GPUs of one vendor in a node",
            fix=f"{case.host} gpu_vendor=nvidia   (or amd, in the inventory)",
            variable="gpu_vendor",
        )
    if node.integrated:
        yield case.finding(
            Severity.NOTE,
            Code.INTEGRATED_IGNORED,
            "Graphics that are part of the processor are left out: they are not counted as GPUs.",
            seen=join_names(
                [
                    f"{each.address} ({each.vendor.value} {each.device_id})"
                    for each in node.integrated
                ]
            ),
        )


def _no_gpu(case: Case) -> Finding:
    integrated = case.node.integrated
    message = "The inventory says has_gpu=true, and the node's PCI bus has no GPU of NVIDIA or AMD."
    seen = "no display controller or accelerator of vendor 10de or 1002"
    if integrated:
        message += " Graphics that are part of the processor do not count."
        seen = f"only the processor's own graphics at {join_names([i.address for i in integrated])}"
    return case.finding(
        Severity.ERROR,
        Code.NO_GPU,
        message,
        seen=seen,
        expected="at least one GPU",
        fix=f"{LOOK}   (on the node; if it has none: has_gpu=false in the inventory)",
        variable="has_gpu",
    )


def _wrong_vendor(case: Case, wanted: Vendor) -> Finding:
    found = case.node.vendors[0]
    return case.finding(
        Severity.ERROR,
        Code.WRONG_VENDOR,
        f"gpu_vendor is {wanted.value}, and the node has GPUs of {MAKERS[found]} only.",
        seen=count_gpus(len(case.gpus(found)), MAKERS[found]),
        expected=f"at least one GPU of {MAKERS[wanted]}",
        fix=f"{case.host} gpu_vendor={found.value}   (in the inventory, or leave gpu_vendor out)",
        variable="gpu_vendor",
    )


def judge_hardware(case: Case, vendor: Vendor) -> Iterator[Finding]:
    """Yield what is to be said about a vendor's GPUs without asking its driver."""
    models = sorted({gpu.model for gpu in case.gpus(vendor) if gpu.model})
    if len(models) > 1:
        yield case.finding(
            Severity.NOTE,
            Code.MIXED_MODELS,
            "The node's GPUs are not all of one model. A job that takes several of them runs at "
            "the pace of the slowest.",
            seen=join_names(models),
        )
    yield from _holders(case, vendor)
    yield from _bar_zero(case, vendor)
    yield from _links(case, vendor)


def _holders(case: Case, vendor: Vendor) -> Iterator[Finding]:
    held = case.held(vendor)
    for name in sorted({str(gpu.kernel_driver) for gpu in held}):
        gpus = [gpu for gpu in held if gpu.kernel_driver == name]
        yield (
            _held_by_display(case, name, gpus)
            if name in DISPLAY[vendor]
            else case.finding(
                # Some of several may be set aside on purpose.
                Severity.WARNING if case.free(vendor) else Severity.ERROR,
                Code.GPU_HELD_BY,
                f"{name} holds {count_gpus(len(gpus))}: it is set aside for virtual machines, and "
                "no driver on this node can have it.",
                seen=f"{name} at {addresses(gpus)}",
                expected=f"the driver of {MAKERS[vendor]}, or none yet",
                fix=f"grep -rn {name.split('-')[0]} /etc/modprobe.d /proc/cmdline   (on the node: "
                "take the device ids out there, rebuild the initramfs, boot)",
            )
        )
    if vendor is Vendor.NVIDIA and case.node.nouveau_loaded and not held:
        yield case.finding(
            Severity.WARNING if case.expected.driver_required else Severity.NOTE,
            Code.NOUVEAU_LOADED,
            "The kernel has loaded nouveau. It holds no GPU now, and it can take one at the next "
            "boot.",
            seen="nouveau in /proc/modules",
            expected="nouveau is kept from loading",
            fix=case.playbook(),
            variable="install_nvidia_driver",
        )


def _held_by_display(case: Case, name: str, gpus: list[Gpu]) -> Finding:
    required = case.expected.driver_required
    return case.finding(
        Severity.ERROR if required else Severity.NOTE,
        Code.GPU_HELD_BY,
        f"The display driver {name} holds {count_gpus(len(gpus))}. Nothing can compute there "
        "until the driver of the vendor takes its place"
        + (
            ", which needs a boot."
            if required
            else "; provision.yml sees to that, unless install_nvidia_driver is false."
        ),
        seen=f"{name} at {addresses(gpus)}",
        expected="the driver of the GPU's vendor",
        fix=case.playbook() + "   (it keeps the module from loading; then boot the node)",
        variable="install_nvidia_driver" if name != "radeon" else "",
    )


def bar_problem(case: Case, gpu: Gpu) -> Optional[str]:
    """Return which memory region of a GPU got no room from the BIOS, None if none is known to.

    A share of a card has no regions of its own.
    """
    if gpu.is_virtual:
        return None
    if gpu.bar1_mib == 0 or bar_lines(case.node.kernel_log, gpu.pci_address):
        return "BAR1"
    if gpu.vendor is Vendor.NVIDIA and window_bytes(gpu.bars) == 0:
        return "BAR1"
    empty = [bar.index for bar in gpu.bars if bar.size_bytes == 0]
    return f"BAR{empty[0]}" if empty else None


def _bar_zero(case: Case, vendor: Vendor) -> Iterator[Finding]:
    regions = {gpu: bar_problem(case, gpu) for gpu in case.gpus(vendor)}
    for region in sorted({region for region in regions.values() if region}):
        gpus = [gpu for gpu, its in regions.items() if its == region]
        lines = [bar_lines(case.node.kernel_log, gpu.pci_address) for gpu in gpus]
        yield case.finding(
            Severity.ERROR,
            Code.BAR1_ZERO,
            f"The BIOS gave memory region {region} of {count_gpus(len(gpus))} of "
            f"{len(case.gpus(vendor))} no address space, so the driver cannot use "
            f"{'it' if len(gpus) == 1 else 'them'}: {addresses(gpus)}.",
            seen=" / ".join(next((each for each in lines if each), [])) or f"{region} has size 0",
            expected=f"{region} with an address; let the kernel assign it anew, and switch 'Above "
            "4G Decoding' on in the BIOS",
            fix="os_base_kernel_arguments=\"['pci=realloc']\"   (in the inventory; then "
            f"{case.playbook()}, which boots the node)",
            variable="os_base_kernel_arguments",
        )


def _known(value: Optional[int], most: int) -> Optional[int]:
    """Return a width or generation, None for what a link that is down shows."""
    return value if value is not None and 0 < value <= most else None


def _most(device: Optional[int], slot: Optional[int], now: Optional[int]) -> Optional[int]:
    """Return what both ends can; None where that is not known.

    The ports of virtual machines claim less than their links run at: those are not believed.
    """
    if device is None or slot is None or (now is not None and slot < now):
        return None
    return min(device, slot)


def _links(case: Case, vendor: Vendor) -> Iterator[Finding]:
    real = [gpu for gpu in case.gpus(vendor) if not gpu.is_virtual]
    for gpu in real:
        yield from _width(case, gpu)
    busy = [gpu for gpu in real if _is_slow(gpu.link) and _is_busy(gpu)]
    idle = [gpu for gpu in real if _is_slow(gpu.link) and gpu not in busy]
    if busy:
        yield case.finding(
            Severity.WARNING,
            Code.LINK_SLOW,
            f"{count_gpus(len(busy))} under load {_run(busy)} on a slower PCI Express link than "
            "card and slot can. Transfers to and from the GPU take longer.",
            seen=_speeds(busy),
            expected="the generation that both ends can",
            fix="lspci -vv -s "
            f"{busy[0].pci_address} | grep -E 'LnkCap|LnkSta'   (reseat the card; look for a limit "
            "in the BIOS)",
        )
    if idle:
        yield case.finding(
            Severity.NOTE,
            Code.LINK_SLOW,
            f"{count_gpus(len(idle))} {_run(idle)} on a slower PCI Express link than card and slot "
            "can. Idle cards do so to save power: it means something only while they work.",
            seen=_speeds(idle),
            expected="the generation that both ends can, under load",
            fix=f"ansible-playbook -i inv.ini playbooks/gpu_burn.yml --limit {case.host}   (and "
            "look again while it runs)",
        )


def _run(gpus: list[Gpu]) -> str:
    return "runs" if len(gpus) == 1 else "run"


def _is_busy(gpu: Gpu) -> bool:
    return gpu.utilization_percent is not None and gpu.utilization_percent >= BUSY_PERCENT


def _is_slow(link: Link) -> bool:
    now = _known(link.generation, 8)
    most = _most(_known(link.max_generation, 8), _known(link.slot_generation, 8), now)
    return now is not None and most is not None and now < most


def _speeds(gpus: list[Gpu]) -> str:
    texts = []
    for gpu in gpus:
        most = _most(gpu.link.max_generation, gpu.link.slot_generation, gpu.link.generation)
        texts.append(f"{gpu.pci_address} at generation {gpu.link.generation} of {most}")
    return join_names(texts, most=ADDRESSES_SHOWN)


def _width(case: Case, gpu: Gpu) -> Iterator[Finding]:
    now, card = _known(gpu.link.width, 32), _known(gpu.link.max_width, 32)
    slot = _known(gpu.link.slot_width, 32)
    most = _most(card, slot, now)
    if now is not None and most is not None and now < most:
        yield case.finding(
            Severity.WARNING,
            Code.LINK_NARROW,
            f"GPU {name_gpu(gpu)} runs on fewer PCI Express lanes than card and slot have. Lanes "
            "do not go to sleep: this is a bad contact, a riser or a setting of the BIOS.",
            seen=f"x{now}",
            expected=f"x{most} (card x{card}, slot x{slot})",
            fix=f"lspci -vv -s {gpu.pci_address} | grep -E 'LnkCap|LnkSta'   (power off, reseat "
            "the card and its riser)",
        )
    if card is not None and slot is not None and most is not None and slot < card:
        yield case.finding(
            Severity.NOTE,
            Code.SLOT_LIMITS,
            f"GPU {name_gpu(gpu)} is in a slot with fewer PCI Express lanes than the card has.",
            seen=f"slot x{slot}",
            expected=f"x{card}, which the card can use",
            fix="move the card to a wider slot, if the machine has one and transfers matter",
        )
