# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest

from tests import lab
from tests.testinfra.lab_nodes import differences

# What an engine, the owner's too, changes whenever it starts: its databases, and a port of its own.
ENGINES_OWN = re.compile(
    r"files: /var/lib/(docker|containerd)/\S+\.db:|sockets: tcp 127\.0\.0\.1:\d{5}:"
)


@pytest.mark.parametrize("number", [1, 2, 3], ids=["distribution", "repository", "owner's-own"])
def test_node_is_as_it_was_before(number: int) -> None:
    found = differences("mol-docker", f"mol-docker-n{number}")
    found = [line for line in found if not ENGINES_OWN.match(line)]
    assert not found, "\n".join(found)


def test_container_of_the_owner_still_runs() -> None:
    running = lab.exec("mol-docker-n3", ["docker", "ps", "--format", "{{.Names}}"]).stdout.split()
    assert running == ["owners"]


def test_settings_of_the_owner_are_in_effect_again() -> None:
    form = "{{.Labels}} {{.LiveRestoreEnabled}}"
    seen = lab.exec("mol-docker-n3", ["docker", "info", "--format", form]).stdout.strip()
    assert seen == "[owner=me] true"
