"""Claims about what is read from Ray's running processes."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ray_process import (
    flag_value,
    raylet_package_dir,
    version_in,
)

SITE = "/opt/ray/2.60.0/lib/python3.11/site-packages/ray"


@pytest.mark.parametrize(
    ("executable", "expected"),
    [
        pytest.param(f"{SITE}/core/src/ray/raylet/raylet", SITE, id="raylet"),
        pytest.param(f"{SITE}/core/src/ray/raylet/raylet (deleted)", SITE, id="replaced-on-disk"),
        pytest.param(f"{SITE}/core/src/ray/gcs/gcs_server", "", id="another-program-of-ray"),
        pytest.param("/usr/bin/python3.11", "", id="another-program"),
        pytest.param("", "", id="kernel-thread"),
    ],
)
def test_a_raylet_tells_where_its_package_lies(executable: str, expected: str) -> None:
    assert raylet_package_dir(executable) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        # ray/_version.py of the wheel of Ray 2.60.0, shortened.
        pytest.param('# noqa\nversion = "2.60.0"\ncommit = "f3bdc1"\n', "2.60.0", id="wheel"),
        pytest.param("version='3.0.0.dev0'\n", "3.0.0.dev0", id="single-quotes"),
        pytest.param('commit = "version = 1"\n', None, id="no-version"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_version_is_read(source: str, expected: str | None) -> None:
    assert version_in(source) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["raylet", "--node_ip_address=198.18.1.11"], "198.18.1.11", id="there"),
        pytest.param(["raylet", "--node_ip_address_x=1"], None, id="a-longer-flag"),
        pytest.param([], None, id="process-that-ended"),
    ],
)
def test_a_flag_is_read_from_a_command_line(words: list[str], expected: str | None) -> None:
    assert flag_value(words, "--node_ip_address") == expected
