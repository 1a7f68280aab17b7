# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from tests import lab
from tests.testinfra.lab_nodes import differences

NODES = [
    pytest.param("mol-ssh-n1", id="service"),
    pytest.param("mol-ssh-n2", id="socket"),
    pytest.param("mol-ssh-n3", id="sudo"),
]


@pytest.mark.parametrize("node", NODES)
def test_node_is_as_it_was_before(node: str) -> None:
    found = differences("mol-ssh", node)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("node", NODES)
def test_ssh_listens_on_its_first_port_alone(node: str) -> None:
    script = "ss -Hltn 'sport = :22 or sport = :22332' | awk '{print $4}' | sed 's/.*://' | sort -u"
    assert lab.exec(node, ["sh", "-c", script]).stdout.split() == ["22"]
