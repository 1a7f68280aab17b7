"""Claims about what amdgpu writes of a GPU in sysfs."""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.amd_sysfs import with_sysfs
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    DriverGpu,
    Ecc,
)

# As the kernel's documentation shows these files (amdgpu: thermal, RAS); the numbers are invented.
MI300X = {
    "mem_info_vram_total": "206141652992\n",
    "mem_info_vram_used": "1073741824\n",
    "gpu_busy_percent": "97\n",
    "pp_dpm_sclk": "0: 132Mhz\n1: 2100Mhz *\n",
    "pp_dpm_mclk": "0: 900Mhz\n1: 1300Mhz *\n",
    "ras/umc_err_count": "ue: 1\nce: 12\n",
    "temp1_input": "41000\n",
    "temp2_input": "55000\n",
    "power1_average": "310000000\n",
    "power1_cap": "750000000\n",
}


def test_every_value_is_read() -> None:
    assert with_sysfs(DriverGpu(0, memory_mib=196592), MI300X) == DriverGpu(
        0,
        memory_mib=196592,
        memory_used_mib=1024,
        memory_free_mib=195568,
        utilization_percent=97,
        sm_clock_mhz=2100,
        memory_clock_mhz=1300,
        temperature_c=55,
        power_w=310.0,
        power_limit_w=750.0,
        ecc=Ecc(volatile_corrected=12, volatile_uncorrected=1),
    )


def test_a_card_without_these_files_is_as_it_was() -> None:
    gpu = DriverGpu(0, model="MI210", memory_mib=65520)
    assert with_sysfs(gpu, {}) == gpu


def test_a_small_card_has_the_temperature_of_its_edge() -> None:
    assert (
        with_sysfs(DriverGpu(0), {"temp2_input": "", "temp1_input": "41000\n"}).temperature_c == 41
    )


def test_what_is_no_number_is_not_known() -> None:
    gpu = with_sysfs(DriverGpu(0), {"gpu_busy_percent": "busy\n", "pp_dpm_sclk": "0: 132Mhz\n"})
    assert (gpu.utilization_percent, gpu.sm_clock_mhz) == (None, None)
