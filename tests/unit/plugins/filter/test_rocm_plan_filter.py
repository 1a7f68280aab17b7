"""Claims about the plan of the role rocm as preflight asks for it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.rocm_plan import rocm_plan

INPUTS = {
    "version": "7.2.1",
    "driver_source": "repository",
    "packages": ["rocm-core"],
    "repository_url": "https://mirror.example/amd",
    "toolkit_source": "repository",
    "container_engines": ["docker"],
}
NODE = {
    "gpu_cluster": {
        "os": {"id": "ubuntu", "version_id": "24.04", "family": "Debian", "name": "Ubuntu"},
        "architecture": "x86_64",
        "kernel": "6.8.0-50-generic",
    }
}


@pytest.mark.parametrize(
    ("inputs", "facts", "code", "variable", "fix"),
    [
        pytest.param(
            {"driver_version": "6.4.3"},
            NODE,
            *("rocm-driver-pair", "rocm_driver_version", "rocm_driver_version=30.30.1"),
            id="pair",
        ),
        pytest.param(
            {"version": "7.9"},
            NODE,
            *("rocm-version-unknown", "rocm_version", "rocm_version=7.2.4"),
            id="newer-than-known",
        ),
        pytest.param(
            {"version": "5.0"},
            NODE,
            *("rocm-version-unknown", "rocm_version", "rocm_version=6.2.2"),
            id="older-than-known",
        ),
        pytest.param(
            {"version": "x"},
            NODE,
            *("rocm-version-unknown", "rocm_version", "rocm_version=7.2.4"),
            id="no-version",
        ),
        pytest.param(
            {},
            {**NODE, "gpu": {"secure_boot": True}},
            "secure-boot-unsigned",
            "rocm_secure_boot_enrolled",
            "rocm_secure_boot_enrolled=true   (once 'mokutil --import /var/lib/dkms/mok.pub' and a "
            "boot have enrolled the key; or rocm_driver_source=existing)",
            id="secure-boot",
        ),
        pytest.param(
            {"toolkit_source": "packages"},
            NODE,
            *("value-missing", "rocm_toolkit_package_dir"),
            "rocm_toolkit_package_dir=/srv/rocm-packages",
            id="files-are-missing",
        ),
    ],
)
def test_what_does_not_fit_is_a_finding(
    inputs: dict[str, Any], facts: dict[str, Any], code: str, variable: str, fix: str
) -> None:
    asked = {**INPUTS, **inputs}
    (found,) = rocm_plan(asked, facts, fail_on="never", host="n1")["findings"]
    assert (found["code"], found["host"], found["variable"], found["fix"]) == (
        code,
        "n1",
        variable,
        fix,
    )
    with pytest.raises(AnsibleFilterError, match="Nothing was changed"):
        rocm_plan(asked, facts)


def test_a_plan_that_can_be_has_no_finding() -> None:
    plan = rocm_plan(INPUTS, NODE, fail_on="never")
    assert plan["findings"] == []
    assert "rocm-core" in plan["packages"]
    assert "findings" not in rocm_plan(INPUTS, NODE)
