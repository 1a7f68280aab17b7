"""Claims about the judge of GPUs that hold whatever a node shows."""

from __future__ import annotations

import json

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.finding import (
    finding_from_dict,
    render_findings,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_container import (
    MODES,
    parse_ldd,
    read_answer,
    remedy,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge import judge
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_judge_case import (
    Code,
    Expectation,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.gpu_model import (
    Gpu,
    GpuNode,
    Stack,
    to_plain,
)
from hypothesis import given
from hypothesis import strategies as st

ADDRESSES = st.sampled_from(["", "0000:3b:00.0", "0000:af:00.0", "garbage"])
TEXTS = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.sampled_from(
        ["580.95.05", "590.48.01", "525.147.05", "1.16.1", "6.14.14", "7.0.2", "nouveau"]
    ),
)
LINES = st.one_of(
    st.text(max_size=60),
    st.builds(
        "[ 1.0] NVRM: {}(PCI:{}): {}".format,
        st.sampled_from(["Xid ", "BAR1 is 0M @ 0x0 ", "fallen off the bus "]),
        ADDRESSES,
        st.one_of(st.integers(), st.text(max_size=5)),
    ),
)
GPUS = st.builds(
    Gpu,
    vendor=...,
    pci_address=ADDRESSES,
    index=...,
    model=TEXTS,
    device_id=st.sampled_from([None, "0x2330", "0x1db4", "0x2901", "x", "0x74a1"]),
    kernel_driver=TEXTS,
    is_virtual=...,
    link=...,
    bars=...,
    bar1_mib=...,
    mig=...,
    ecc=...,
    remapping=...,
    persistence=...,
    architecture=TEXTS,
    utilization_percent=...,
    error=TEXTS,
)
STACKS = st.builds(
    Stack,
    vendor=...,
    loaded=TEXTS,
    library=TEXTS,
    package=TEXTS,
    package_name=TEXTS,
    is_open=...,
    runtime_version=TEXTS,
    toolkit=TEXTS,
    fabric_manager=...,
    source=TEXTS,
    error=TEXTS,
    errors=st.dictionaries(st.sampled_from(["nvml", "nvidia-smi"]), st.text(max_size=20)),
    driver_gpus=...,
)
NODES = st.builds(
    GpuNode,
    gpus=st.lists(GPUS, max_size=4).map(tuple),
    integrated=...,
    stacks=st.lists(STACKS, max_size=2).map(tuple),
    nvswitches=st.integers(0, 4),
    nouveau_loaded=...,
    secure_boot=...,
    module_signed=...,
    kernel=TEXTS,
    kernel_headers=...,
    kernel_log=st.lists(LINES, max_size=4).map(tuple),
    container=...,
)
EXPECTATIONS = st.builds(
    Expectation,
    min_version=TEXTS,
    max_version=TEXTS,
    toolkit_min_version=TEXTS,
    container_mode=st.sampled_from(MODES),
)


@given(node=NODES, expected=EXPECTATIONS)
def test_whatever_a_node_shows_gets_findings_that_can_be_shown(
    node: GpuNode, expected: Expectation
) -> None:
    findings = judge(node, expected, "gpu01")
    assert findings == judge(node, expected, "gpu01")
    assert {each.code for each in findings} <= {code.value for code in Code}
    assert [finding_from_dict(each.to_dict()) for each in findings] == findings
    assert json.dumps(to_plain(node))
    assert bool(render_findings(findings)) is bool(findings)


@given(mode=st.sampled_from(MODES), rc=st.integers(-15, 255), out=st.text(), err=st.text())
def test_whatever_docker_says_is_a_number_or_a_reason(
    mode: str, rc: int, out: str, err: str
) -> None:
    view = read_answer(mode, rc, out, err, 120)
    assert (view.gpus is None) is bool(view.error)
    assert remedy(view.error or "", mode, "PLAYBOOK")
    assert all(path.startswith("/") for path in parse_ldd(out))
