#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the GPUs of a node: what the PCI bus shows, and what their driver says of them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gpu_info
short_description: Read the GPUs of a node and the software that drives them
version_added: 0.1.0
description:
  - Finds the NVIDIA and AMD GPUs on the PCI bus, whether or not a driver is installed, and joins each with what its driver says
    of it, by its PCI address. A GPU that the driver does not list is in the result too, with no index.
  - NVIDIA is asked through NVML, and through C(nvidia-smi) where NVML gives no list. AMD is asked through the topology of the
    kernel's compute driver (KFD); C(amd-smi), or else C(rocm-smi), adds temperatures, powers and memory errors where it is
    installed, and lists the GPUs where KFD gives no list.
  - Only GPUs count. The audio, USB and bridge functions of cards, the console chips of server boards and the shares of a card that
    this node itself hands to virtual machines do not.
  - The GPU that is part of an AMD processor is listed apart, in RV(ansible_facts.gpu.integrated). It is recognised by its device
    id, by a function of an AMD processor (vendor 1022) in the same slot, or by what KFD says of it. Neither its link (it claims 16
    lanes) nor the size of its memory (a BIOS setting) tells it apart. MI300A is not hidden, since it is bought to compute.
  - A PCI region for which the BIOS found no room has the size 0. The kernel shows it in one of three ways, all of which are
    recognised (see RV(gpus) under C(bars)).
  - Whatever is not known is null, and never a guess. Why an interface of a driver gives no list is in C(stacks), in its own words.
  - Changes nothing. On a node without GPUs and without their drivers it starts no program.
author:
  - rackforge contributors (@rackforge)
options:
  timeout:
    description:
      - Seconds that each interface of a driver may take for its answer. What takes longer is killed and reported.
      - The default is 3 s for each GPU of the vendor and 2 s more. NVIDIA documents 1 to 3 s of start for each GPU whose driver state
        is not kept (Driver Persistence in its driver documentation).
    type: float
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
notes:
  - Without root, the kernel's log and some values of the drivers are not readable, and are then empty or null.
  - Times are not limited for files in C(/sys) and C(/proc).
seealso:
  - module: rackforge.gpu_cluster.gpu_driver_check
"""

EXAMPLES = r"""
- name: Read the GPUs
  rackforge.gpu_cluster.gpu_info:

- name: Show what is in the chassis and what the driver lists of it
  ansible.builtin.debug:
    msg: "{{ ansible_facts['gpu']['count'] }} on the bus, {{ ansible_facts['gpu']['usable_count'] }} usable"

- name: Read the GPUs of a node with 16 of them and without persistence
  rackforge.gpu_cluster.gpu_info:
    timeout: 120
"""

RETURN = r"""
count:
  description: How many GPUs there are, those that the driver does not list among them.
  returned: success
  type: int
  sample: 8
gpus:
  description: The same list as RV(ansible_facts.gpu.gpus).
  returned: success
  type: list
  elements: dict
  sample:
    - index: 0
      vendor: nvidia
      model: NVIDIA H100 80GB HBM3
      pci_address: "0000:1b:00.0"
      memory_mib: 81559
ansible_facts:
  description: What was read, as the fact RV(ansible_facts.gpu).
  returned: success
  type: dict
  contains:
    gpu:
      description: The GPUs of the node.
      returned: success
      type: dict
      contains:
        count:
          description: How many GPUs there are, those that the driver does not list among them.
          type: int
          returned: success
          sample: 8
        usable_count:
          description: How many of them the driver lists without an error.
          type: int
          returned: success
          sample: 8
        vendor:
          description: V(nvidia) or V(amd), NVIDIA where there are both; null without a GPU.
          type: str
          returned: success
          sample: nvidia
        vendors:
          description: All vendors of the GPUs.
          type: list
          elements: str
          returned: success
          sample: [nvidia]
        models:
          description: The names of the models, each once.
          type: list
          elements: str
          returned: success
          sample: [NVIDIA H100 80GB HBM3]
        gpus:
          description: The GPUs, NVIDIA first, in the order of the driver's index; those that it does not list come last.
          type: list
          elements: dict
          returned: success
          contains:
            index:
              description: The driver's own number; null where it does not list the GPU.
              type: int
              returned: success
              sample: 0
            vendor:
              description: V(nvidia) or V(amd).
              type: str
              returned: success
              sample: nvidia
            model:
              description: The name, with its spaces. For AMD without its programs, by the device id.
              type: str
              returned: success
              sample: NVIDIA H100 80GB HBM3
            uuid:
              description: What the driver calls this GPU for ever.
              type: str
              returned: success
              sample: GPU-5f2a1c9e-0b7d-4c1e-9a63-1f0e2d3c4b5a
            pci_address:
              description: Domain, bus, device and function as sysfs writes them; empty where the driver lists a GPU without.
              type: str
              returned: success
              sample: "0000:1b:00.0"
            device_id:
              description: PCI device id.
              type: str
              returned: success
              sample: "0x2330"
            subsystem_id:
              description: Vendor and device id of the card's maker in one number.
              type: str
              returned: success
              sample: "0x10de16c1"
            kernel_driver:
              description: The kernel module that holds the device, such as V(nvidia), V(nouveau), V(amdgpu) or V(vfio-pci); null without.
              type: str
              returned: success
              sample: nvidia
            is_virtual:
              description:
                - Whether this is a share of a card that a hypervisor hands in. Known by the device id for AMD, by the name of the vGPU
                  type for NVIDIA. False is no proof of the opposite.
              type: bool
              returned: success
              sample: false
            architecture:
              description: Generation, such as V(hopper) or V(cdna3).
              type: str
              returned: success
              sample: hopper
            memory_mib:
              description: The whole memory in MiB.
              type: int
              returned: success
              sample: 81559
            link:
              description:
                - The PCI Express link between card and slot. C(generation) and C(width) (lanes) are those of now, C(max_*) the most that
                  the card can, C(slot_*) the most that the port above it can. An idle card lowers the generation to save power.
              type: dict
              returned: success
              sample: {generation: 5, width: 16, max_generation: 5, max_width: 16, slot_generation: 5, slot_width: 16}
            bars:
              description:
                - The memory regions by the number of their register, C(size_bytes) in bytes. The size is 0 where there was no room. That
                  is so where the kernel marks a region as unset, disabled or at address 0, and where its line is wiped although the
                  register in the configuration space is one of a memory region, or the window that every NVIDIA GPU has.
              type: list
              elements: dict
              returned: success
              sample: [{index: 0, size_bytes: 16777216}, {index: 2, size_bytes: 137438953472}, {index: 4, size_bytes: 33554432}]
            bar1_mib:
              description: The window to the memory of an NVIDIA GPU in MiB, by the driver or by C(bars). Null for AMD.
              type: int
              returned: success
              sample: 131072
            mig:
              description:
                - Whether the GPU is partitioned, how it will be after its next reset (C(pending)), and its parts with C(uuid),
                  C(profile) and C(memory_mib).
              type: dict
              returned: success
              sample: {enabled: false, pending: false, devices: []}
            partition:
              description: Mode in which an AMD Instinct card of the MI300 or MI350 kind is split, such as V(SPX) or V(CPX).
              type: str
              returned: success
              sample: null
            partitions:
              description: How many devices such a card shows.
              type: int
              returned: success
              sample: null
            ecc:
              description:
                - Memory errors, C(volatile_*) since the driver was loaded, C(aggregate_*) for ever; C(pending) is whether ECC will be on
                  after the next boot.
              type: dict
              returned: success
              sample:
                enabled: true
                pending: true
                volatile_corrected: 0
                volatile_uncorrected: 0
                aggregate_corrected: 3
                aggregate_uncorrected: 0
            remapping:
              description:
                - Rows of memory that were replaced by spare ones. C(pending) is a replacement that waits for a reset, C(failed) that no
                  spare was left. C(retired_pages) is the older way.
              type: dict
              returned: success
              sample: {corrected: 0, uncorrected: 0, pending: false, failed: false, retired_pages: null}
            persistence:
              description: Whether the driver stays ready without a client.
              type: bool
              returned: success
              sample: true
            numa_node:
              description: Memory node of the machine that is nearest.
              type: int
              returned: success
              sample: 0
            temperature_c:
              description: Degrees Celsius.
              type: int
              returned: success
              sample: 34
            power_w:
              description: Watts drawn now.
              type: float
              returned: success
              sample: 71.5
            power_limit_w:
              description: Watts that the GPU may draw.
              type: float
              returned: success
              sample: 700.0
            utilization_percent:
              description: Per cent of the last moments in which it computed.
              type: int
              returned: success
              sample: 0
            memory_used_mib:
              description: Memory in use, in MiB. What NVIDIA's driver keeps for itself (from release 510 on) is neither used nor free.
              type: int
              returned: success
              sample: 70000
            memory_free_mib:
              description: Memory that is free, in MiB.
              type: int
              returned: success
              sample: 11008
            sm_clock_mhz:
              description: Clock of the processors now, in MHz.
              type: int
              returned: success
              sample: 1980
            memory_clock_mhz:
              description: Clock of the memory now, in MHz.
              type: int
              returned: success
              sample: 2619
            throttle_reasons:
              description:
                - What keeps the clocks low, as the bit mask of NVML (nvmlClocksEventReasons). 1 is idle, 4 the power limit, 8 a slowdown by the
                  hardware, 32 and 64 heat, 128 the power brake. Null for AMD.
              type: int
              returned: success
              sample: 1
            health:
              description:
                - V(failed) does not compute. The driver names an error, has no spare memory row left, lost the GPU from the bus, or (NVIDIA
                  only) lists others and not this one, which no other kernel module holds.
                - V(degraded) computes. A replacement of memory rows waits, memory errors could not be corrected since the driver was
                  loaded, or the link has fewer lanes than card and slot both have.
                - V(ok) answers with live values and shows none of these. Null where too little is known.
              type: str
              returned: success
              sample: ok
            error:
              description: Why a GPU that the driver lists does not answer, in the driver's words.
              type: str
              returned: success
              sample: null
        integrated:
          description: GPUs that are part of the processor, as the PCI bus shows them.
          type: list
          elements: dict
          returned: success
          sample: []
        stacks:
          description: The software of each vendor that has GPUs here, or a driver loaded.
          type: list
          elements: dict
          returned: success
          contains:
            vendor:
              description: V(nvidia) or V(amd).
              type: str
              returned: success
              sample: nvidia
            loaded:
              description: Version of the kernel module that runs now. The amdgpu that comes with the kernel has none.
              type: str
              returned: success
              sample: 580.95.05
            library:
              description: Version of C(libnvidia-ml.so.1), by the name of the file that it points to.
              type: str
              returned: success
              sample: 580.95.05
            package:
              description: Version of the installed driver package without epoch and revision; null where it came without a package.
              type: str
              returned: success
              sample: 580.95.05
            package_name:
              description: Name of that package.
              type: str
              returned: success
              sample: nvidia-open
            is_open:
              description: Whether the loaded NVIDIA module is the open one.
              type: bool
              returned: success
              sample: true
            runtime_version:
              description: The newest CUDA that the driver knows, or the installed ROCm.
              type: str
              returned: success
              sample: "13.0"
            toolkit:
              description: Version of the vendor's container toolkit.
              type: str
              returned: success
              sample: 1.17.8
            fabric_manager:
              description: C(version) of the package and C(active) for the service that NVSwitch needs; null where not looked at.
              type: dict
              returned: success
              sample: {version: 580.95.05, active: true}
            source:
              description: The interface that listed the GPUs (V(nvml), V(nvidia-smi), V(kfd), V(amd-smi), V(rocm-smi)); null when none did.
              type: str
              returned: success
              sample: nvml
            error:
              description: Why none listed the GPUs; null where one did.
              type: str
              returned: success
              sample: null
            errors:
              description: Why interfaces gave no list, by their names.
              type: dict
              returned: success
              sample: {}
            driver_gpus:
              description: How many GPUs the driver lists, without integrated ones; null where it gave no list.
              type: int
              returned: success
              sample: 8
        nvswitches:
          description: NVSwitch bridges on the PCI bus.
          type: int
          returned: success
          sample: 4
        nouveau_loaded:
          description: Whether the kernel module nouveau is loaded.
          type: bool
          returned: success
          sample: false
        secure_boot:
          description: Whether Secure Boot is on. False where the machine did not boot with EFI, null where its variables are out of sight.
          type: bool
          returned: success
          sample: false
        module_signed:
          description: Whether the NVIDIA or AMD kernel module on disk carries a signature; null where there is none.
          type: bool
          returned: success
          sample: true
        kernel:
          description: Release of the running kernel.
          type: str
          returned: success
          sample: 6.8.0-60-generic
        kernel_headers:
          description: Whether the files are there that building a module for this kernel needs.
          type: bool
          returned: success
          sample: true
        kernel_log:
          description:
            - Lines of this boot's kernel log about GPUs, at most 200 (the first and the last 100). All of NVIDIA's driver and nouveau; of
              amdgpu and of the PCI devices those that tell trouble.
          type: list
          elements: str
          returned: success
          sample: ["[   37.010658] NVRM: loading NVIDIA UNIX Open Kernel Module for x86_64  580.95.05"]
        container:
          description: Always null here; M(rackforge.gpu_cluster.gpu_driver_check) counts the GPUs in a container.
          type: dict
          returned: success
          sample: null
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_read import read_gpu_node


def main() -> None:
    """Answer with what was read."""
    module = AnsibleModule(
        argument_spec={"timeout": {"type": "float"}},
        supports_check_mode=True,
    )
    timeout = module.params["timeout"]
    if timeout is not None and timeout <= 0:
        module.fail_json(msg=f"timeout is {timeout:g}: give the seconds to wait, more than 0")
    facts = read_gpu_node(Command(module), timeout=timeout).to_facts()
    module.exit_json(
        changed=False, count=facts["count"], gpus=facts["gpus"], ansible_facts={"gpu": facts}
    )


if __name__ == "__main__":
    main()
