"""Claims about how a GPU is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_health import health_of
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Ecc,
    Gpu,
    Health,
    Link,
    Remapping,
    Vendor,
)

WELL = Gpu(
    vendor=Vendor.NVIDIA,
    pci_address="0000:3b:00.0",
    index=0,
    kernel_driver="nvidia",
    link=Link(4, 16, 4, 16, 4, 16),
    ecc=Ecc(enabled=True, volatile_uncorrected=0, aggregate_uncorrected=0),
    remapping=Remapping(corrected=0, uncorrected=0, pending=False, failed=False),
    temperature_c=34,
)
UNLISTED = replace(WELL, index=None, ecc=Ecc(), remapping=Remapping(), temperature_c=None)
GONE = "[ 9321.55] NVRM: Xid (PCI:0000:3B:00): 79, pid='<unknown>', GPU has fallen off the bus."


@pytest.mark.parametrize(
    ("gpu", "answered", "log", "expected"),
    [
        pytest.param(WELL, True, [], Health.OK, id="well"),
        pytest.param(replace(WELL, ecc=Ecc()), True, [], Health.OK, id="card-without-ecc"),
        pytest.param(
            replace(WELL, temperature_c=None), True, [], Health.OK, id="no-sensor-but-no-errors"
        ),
        pytest.param(
            replace(WELL, temperature_c=None, ecc=Ecc()), True, [], None, id="nothing-known"
        ),
        pytest.param(
            replace(WELL, link=replace(WELL.link, generation=1)),
            True,
            [],
            Health.OK,
            id="idle-cards-lower-the-generation",
        ),
        pytest.param(
            replace(WELL, link=replace(WELL.link, width=8)), True, [], Health.DEGRADED, id="narrow"
        ),
        pytest.param(
            replace(WELL, link=Link(4, 8, 4, 16, 4, 8)), True, [], Health.OK, id="narrow-slot"
        ),
        pytest.param(replace(WELL, link=Link(4, 8, 4, 16)), True, [], Health.OK, id="slot-unknown"),
        pytest.param(
            replace(WELL, remapping=Remapping(pending=True)),
            True,
            [],
            Health.DEGRADED,
            id="remapping-waits-for-a-reset",
        ),
        pytest.param(
            replace(WELL, ecc=Ecc(volatile_uncorrected=2)), True, [], Health.DEGRADED, id="ecc"
        ),
        pytest.param(
            replace(WELL, ecc=Ecc(volatile_uncorrected=0, aggregate_uncorrected=7)),
            True,
            [],
            Health.OK,
            id="old-errors-were-repaired",
        ),
        pytest.param(
            replace(WELL, remapping=Remapping(pending=True, failed=True)),
            True,
            [],
            Health.FAILED,
            id="no-spare-row-left",
        ),
        pytest.param(
            replace(WELL, error="GPU is lost"), True, [], Health.FAILED, id="driver-names-an-error"
        ),
        pytest.param(UNLISTED, True, [], Health.FAILED, id="left-out-by-its-own-driver"),
        pytest.param(
            replace(UNLISTED, kernel_driver=None), True, [], Health.FAILED, id="driver-refused-it"
        ),
        pytest.param(
            replace(UNLISTED, kernel_driver="vfio-pci"), True, [], None, id="held-for-a-guest"
        ),
        pytest.param(
            replace(UNLISTED, vendor=Vendor.AMD, kernel_driver="amdgpu"),
            True,
            [],
            None,
            id="amdgpu-drives-what-cannot-compute",
        ),
        pytest.param(UNLISTED, False, [], None, id="driver-gave-no-list"),
        pytest.param(UNLISTED, False, [GONE], Health.FAILED, id="fell-off-the-bus"),
        pytest.param(
            replace(UNLISTED, pci_address="0000:5e:00.0"), False, [GONE], None, id="another-fell"
        ),
        pytest.param(WELL, True, [GONE], Health.OK, id="came-back-since"),
    ],
)
def test_health(gpu: Gpu, answered: bool, log: list[str], expected: Health | None) -> None:
    assert health_of(gpu, answered, log) is expected
