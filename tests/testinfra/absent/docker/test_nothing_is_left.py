# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests import lab
from tests.testinfra.lab_nodes import differences


@pytest.mark.parametrize("number", [1, 2, 3], ids=["distribution", "repository", "owner's-own"])
def test_node_is_as_it_was_before(number: int) -> None:
    found = differences("mol-docker", f"mol-docker-n{number}")
    assert not found, "\n".join(found)


def test_container_of_the_owner_still_runs() -> None:
    running = lab.exec("mol-docker-n3", ["docker", "ps", "--format", "{{.Names}}"]).stdout.split()
    assert running == ["owners"]
