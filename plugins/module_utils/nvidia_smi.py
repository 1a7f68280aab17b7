# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's GPUs as ``nvidia-smi -q -x`` describes them, for drivers 470 to 615.

The names of the elements are those of NVIDIA's nvsmi_device DTDs (versions 11 to 13) and of the
reports that NVIDIA/k8s-test-infra publishes. What nvidia-smi prints instead of a report is the
view's error, in its words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import plural
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    DriverView,
    Ecc,
    Link,
    Mig,
    MigDevice,
    Remapping,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_pci import normal_address
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nvidia_text import (
    LOST,
    RESET_REQUIRED,
    THROTTLE_BITS,
    UNKNOWN_ERROR,
    generation,
    recovery,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.xml_tree import (
    Element,
    XmlError,
    parse_xml,
)

SOURCE = "nvidia-smi"
ROOT = "nvidia_smi_log"
NO_DEVICES = "No devices were found"
#: Longer messages are cut: a report that is no XML may be anything.
MOST_WORDS = 300

# Long lists that nobody reads here; names of processes may even break the XML.
_UNREAD = ("processes", "accounted_processes", "supported_clocks")
_NO_VALUE = frozenset(
    {
        "",
        "n/a",
        "none",
        "not supported",
        "not found",
        "not available",
        "function not found",
        "insufficient permissions",
        "requested functionality has been deprecated",
        "unknown error",
        "err!",
        LOST.lower(),
        RESET_REQUIRED.lower(),
    }
)
_MESSAGES = ("NVIDIA-SMI has failed", "Failed to initialize NVML", "Unable to determine")
# "GPU 0000:04:00.0: Not Found", "GPU0000:25:00.0: Unknown Error", "GPU3: 0000:5F:00.0: Unknown
# Error" and "GPU2: Unknown Error" were all printed by some driver.
_NO_HANDLE = re.compile(
    r"Unable to determine the device handle for GPU[ \t]*"
    r"(?:(?P<index>\d{1,3}):[ \t]*)?"
    r"(?:(?P<address>(?:[0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]):?[ \t]*)?"
    r"(?P<words>[^\r\n<]{0,300})"
)
_NUMBER = re.compile(r"(-?\d{1,18}(?:\.\d{1,6})?)\s*(?:MiB|MHz|W|C|%|x)?")
_VERSION = re.compile(r"\d{1,4}(?:\.\d{1,4}){1,3}")
_YES_NO = {"enabled": True, "yes": True, "disabled": False, "no": False}


@dataclass(frozen=True)
class _Missing:
    """A GPU that nvidia-smi could not open, and what it printed of it."""

    words: str
    index: Optional[int] = None
    address: Optional[str] = None


def parse_smi_xml(text: str) -> DriverView:
    """Return the GPUs of a report, or the view's error.

    ``text`` is all that nvidia-smi printed: what it says of GPUs that it cannot open goes to
    standard error in some versions, so hand in both.
    """
    start, end = text.find(f"<{ROOT}"), text.rfind(f"</{ROOT}>")
    if start < 0:
        return _without_report(text)
    if end < start:
        whole = text[start:].count("</gpu>")
        words = f"the report of nvidia-smi ends early, after {plural(whole, 'GPU')}"
        return DriverView(SOURCE, error=words)
    end += len(f"</{ROOT}>")
    try:
        # What stands before the root is left out: no DTD, so no entities and nothing to fetch.
        root = parse_xml(_shorten(text[start:end]))
    except XmlError as error:
        return DriverView(SOURCE, error=f"the report of nvidia-smi is no XML: {error}")
    said = "\n".join((text[:start], root.text, text[end:]))
    return DriverView(
        SOURCE,
        gpus=_numbered([_gpu(each) for each in _named(root, "gpu")], _missing(root, said)),
        driver_version=_version(root, "driver_version", "kmd_version"),
        runtime_version=_version(root, "cuda_version", "cuda_umd_version"),
    )


def _without_report(text: str) -> DriverView:
    """Return the view of a nvidia-smi that printed no XML."""
    words = " ".join(text.split())
    if not words:
        return DriverView(SOURCE, error="nvidia-smi printed nothing")
    for message in _MESSAGES:
        if message in words:
            return DriverView(SOURCE, error=words[words.index(message) :][:MOST_WORDS])
    if NO_DEVICES in words:
        return DriverView(SOURCE)
    shown = "".join(each if each.isprintable() else "?" for each in words[:MOST_WORDS])
    return DriverView(SOURCE, error=f"nvidia-smi printed no report but: {shown}")


def _shorten(text: str) -> str:
    """Return the report without the lists that are not read."""
    for name in _UNREAD:
        kept, done = [], 0
        while True:
            start = text.find(f"<{name}>", done)
            end = text.find(f"</{name}>", start)
            if start < 0 or end < 0:
                break
            kept.append(text[done:start])
            done = end + len(f"</{name}>")
        text = "".join([*kept, text[done:]])
    return text


def _missing(root: Element, said: str) -> list[_Missing]:
    """Return the GPUs that could not be opened, and those counted but neither shown nor named."""
    found = [
        _Missing(
            words=match["words"].strip().rstrip(".") or "no device handle",
            index=int(match["index"]) if match["index"] else None,
            address=normal_address(match["address"] or ""),
        )
        for match in _NO_HANDLE.finditer(said)
    ]
    found = list(dict.fromkeys(found))
    counted = _whole(root.text_of("attached_gpus")) or 0
    shown = len(list(_named(root, "gpu")))
    # A count that no machine has is a broken report, not a list of lost GPUs.
    unnamed = counted - shown - len(found) if counted <= 64 else 0
    words = f"nvidia-smi counts {counted} GPUs and describes {shown}"
    return found + [_Missing(words)] * max(0, unnamed)


def _numbered(shown: Sequence[DriverGpu], missing: Sequence[_Missing]) -> tuple[DriverGpu, ...]:
    """Return all GPUs by their index: NVML numbers them in the order of their PCI addresses."""
    lost = [DriverGpu(index=-1, pci_address=each.address, error=each.words) for each in missing]
    fixed = {
        each.index: replace(gpu, index=each.index)
        for each, gpu in zip(missing, lost)
        if each.index is not None
    }
    rest = [*shown, *(gpu for each, gpu in zip(missing, lost) if each.index not in fixed)]
    if lost:
        rest.sort(key=lambda gpu: (gpu.pci_address is None, gpu.pci_address or ""))
    free = (index for index in range(len(rest) + len(fixed)) if index not in fixed)
    placed = [*fixed.values(), *(replace(gpu, index=index) for index, gpu in zip(free, rest))]
    return tuple(sorted(placed, key=lambda gpu: gpu.index))


def _gpu(gpu: Element) -> DriverGpu:
    """Return one GPU of the report, not numbered yet."""
    return DriverGpu(
        index=-1,
        pci_address=normal_address(gpu.text_of("pci/pci_bus_id") or gpu.attributes.get("id", "")),
        model=_value(gpu.text_of("product_name")),
        uuid=_value(gpu.text_of("uuid")),
        memory_mib=_whole(gpu.text_of("fb_memory_usage/total")),
        link=_link(gpu),
        bar1_mib=_whole(gpu.text_of("bar1_memory_usage/total")),
        mig=_mig(gpu),
        ecc=_ecc(gpu),
        remapping=_remapping(gpu),
        persistence=_yes(gpu.text_of("persistence_mode")),
        architecture=generation(gpu.text_of("product_architecture")),
        temperature_c=_whole(gpu.text_of("temperature/gpu_temp")),
        power_w=_first(gpu, _POWERS),
        power_limit_w=_first(gpu, _LIMITS),
        utilization_percent=_whole(gpu.text_of("utilization/gpu_util")),
        memory_used_mib=_whole(gpu.text_of("fb_memory_usage/used")),
        memory_free_mib=_whole(gpu.text_of("fb_memory_usage/free")),
        sm_clock_mhz=_whole(gpu.text_of("clocks/sm_clock")),
        memory_clock_mhz=_whole(gpu.text_of("clocks/mem_clock")),
        throttle_reasons=_throttle_reasons(gpu),
        error=_error(gpu),
    )


#: The power draw and its limit: newest drivers first. The average is what NVML answers.
_POWERS = (
    "gpu_power_readings/average_power_draw",
    "gpu_power_readings/power_draw",
    "gpu_power_readings/instant_power_draw",
    "power_readings/power_draw",
)
_LIMITS = (
    "gpu_power_readings/current_power_limit",
    "power_readings/enforced_power_limit",
    "power_readings/power_limit",
)
#: What every GPU that works has.
_ESSENTIAL = ("product_name", "uuid", "pci/pci_bus_id", "fb_memory_usage/total")


def _error(gpu: Element) -> Optional[str]:
    """Return why a GPU does not compute, None where the report shows no sign of it."""
    texts = {_bare(text).lower() for text in gpu.texts()}
    for words in (LOST, RESET_REQUIRED):
        if words.lower() in texts:
            return words
    if any(_bare(gpu.text_of(each)).lower() in ("unknown error", "err!") for each in _ESSENTIAL):
        return UNKNOWN_ERROR
    if _yes(gpu.text_of("gpu_reset_status/reset_required")):
        return RESET_REQUIRED
    return recovery(gpu.text_of("gpu_recovery_action"))


def _link(gpu: Element) -> Link:
    info = gpu.find("pci/pci_gpu_link_info") or Element("none")
    most = _whole(info.text_of("pcie_gen/max_device_link_gen"))
    return Link(
        generation=_whole(info.text_of("pcie_gen/current_link_gen")) or None,
        width=_whole(info.text_of("link_widths/current_link_width")) or None,
        max_generation=most or _whole(info.text_of("pcie_gen/max_link_gen")) or None,
        max_width=_whole(info.text_of("link_widths/max_link_width")) or None,
    )


def _mig(gpu: Element) -> Mig:
    """Return the partition; the report gives no profiles, and UUIDs in some versions only."""
    parts = gpu.find("mig_devices") or Element("none")
    return Mig(
        enabled=_yes(gpu.text_of("mig_mode/current_mig")),
        pending=_yes(gpu.text_of("mig_mode/pending_mig")),
        devices=tuple(
            MigDevice(
                uuid=_value(part.text_of("uuid")),
                memory_mib=_whole(part.text_of("fb_memory_usage/total")),
            )
            for part in _named(parts, "mig_device")
        ),
    )


def _ecc(gpu: Element) -> Ecc:
    errors = gpu.find("ecc_errors") or Element("none")
    return Ecc(
        enabled=_yes(gpu.text_of("ecc_mode/current_ecc")),
        pending=_yes(gpu.text_of("ecc_mode/pending_ecc")),
        volatile_corrected=_ecc_errors(errors, "volatile", "single_bit", "correctable"),
        volatile_uncorrected=_ecc_errors(errors, "volatile", "double_bit", "uncorrectable"),
        aggregate_corrected=_ecc_errors(errors, "aggregate", "single_bit", "correctable"),
        aggregate_uncorrected=_ecc_errors(errors, "aggregate", "double_bit", "uncorrectable"),
    )


def _ecc_errors(errors: Element, counter: str, old: str, new: str) -> Optional[int]:
    """Return the total: given as such up to Volta, as counts by kind of memory since.

    Newer drivers split sram_uncorrectable into parity and SEC-DED errors.
    """
    total = _whole(errors.text_of(f"{counter}/{old}/total"))
    if total is not None:
        return total
    kinds = errors.find(counter) or Element("none")
    counts = [
        _whole(each.text)
        for each in kinds.children
        if re.fullmatch(rf"[sd]ram_{new}(_parity|_secded)?", each.name)
    ]
    known = [count for count in counts if count is not None]
    # An unknown count can only add: a total above zero is worth saying, a zero is not known.
    return sum(known) if known and (len(known) == len(counts) or any(known)) else None


def _throttle_reasons(gpu: Element) -> Optional[int]:
    """Return NVML's mask of the reasons that are active; drivers before 535 call them throttle."""
    found = gpu.find("clocks_event_reasons") or gpu.find("clocks_throttle_reasons")
    if found is None:
        return None
    states = {each.name.partition("_reason_")[2]: _bare(each.text) for each in found.children}
    known = {name: state for name, state in states.items() if state in ("Active", "Not Active")}
    if not known:
        return None
    return sum(THROTTLE_BITS.get(name, 0) for name, state in known.items() if state == "Active")


def _remapping(gpu: Element) -> Remapping:
    """Return the replaced rows; GPUs before Ampere retire pages instead."""
    rows = gpu.find("remapped_rows") or Element("none")
    pages = gpu.find("retired_pages") or Element("none")
    causes = ("multiple_single_bit_retirement", "double_bit_retirement")
    counts = [_whole(pages.text_of(f"{cause}/retired_count")) for cause in causes]
    known = [count for count in counts if count is not None]
    pending = _yes(rows.text_of("remapped_row_pending"))
    if pending is None:
        pages_pending = pages.text_of("pending_retirement") or pages.text_of("pending_blacklist")
        pending = _yes(pages_pending)
    return Remapping(
        corrected=_whole(rows.text_of("remapped_row_corr")),
        uncorrected=_whole(rows.text_of("remapped_row_unc")),
        pending=pending,
        failed=_yes(rows.text_of("remapped_row_failure")),
        retired_pages=sum(known) if known else None,
    )


def _named(parent: Element, name: str) -> Iterator[Element]:
    return (each for each in parent.children if each.name == name)


def _first(gpu: Element, paths: Iterable[str]) -> Optional[float]:
    """Return the number at the first path that has one."""
    return next(
        (found for found in (_number(gpu.text_of(p)) for p in paths) if found is not None), None
    )


def _version(root: Element, *names: str) -> Optional[str]:
    """Return the version in the first element that holds one."""
    texts = (root.text_of(name) for name in names)
    return next((text for text in texts if _VERSION.fullmatch(text)), None)


def _bare(text: str) -> str:
    """Return a text without the brackets that some versions put around a missing value."""
    return text.strip().removeprefix("[").removesuffix("]").strip()


def _value(text: str) -> Optional[str]:
    return None if _bare(text).lower() in _NO_VALUE else text.strip()


def _yes(text: str) -> Optional[bool]:
    return _YES_NO.get(_bare(text).lower())


def _number(text: str) -> Optional[float]:
    found = _NUMBER.fullmatch(text.strip())
    return float(found.group(1)) if found else None


def _whole(text: str) -> Optional[int]:
    found = _NUMBER.fullmatch(text.strip())
    return int(found.group(1).partition(".")[0]) if found else None
