# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about runs whose inventory is a directory, in real runs here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.playbooks.stand_in_collection import Collection

WORD = "thisisatoken"
MAKE_TOKEN = f"""
- name: Make the token where the playbook wants it
  ansible.builtin.lineinfile:
    path: "{{{{ ray_auth_token_file }}}}"
    line: {WORD}
    create: true
    mode: "0600"
"""


@pytest.fixture
def collection(tmp_path: Path, repository: Path) -> Collection:
    made = Collection(tmp_path, repository, inventory="prod/")
    made.build({"ray_head/install": MAKE_TOKEN})
    (tmp_path / "prod" / "group_vars").mkdir(parents=True)
    (tmp_path / "prod" / "group_vars" / "all.yml").write_text("cluster_name: lab\n")
    (tmp_path / "inv.ini").rename(tmp_path / "prod" / "hosts.ini")
    return made


def test_a_token_of_an_inventory_directory_is_no_host_of_the_next_run(
    collection: Collection,
) -> None:
    for _run in range(2):
        rc, told = collection.play("ray_install.yml", "--limit", "h1")
        assert rc == 0, told
        assert "h1 : ok=2" in told
        assert "WARNING" not in told
    token = collection.folder / "secrets" / "lab" / "ray_auth_token"
    assert token.read_text(encoding="utf-8") == f"{WORD}\n"
    assert [path.name for path in sorted((collection.folder / "prod").iterdir())] == [
        "group_vars",
        "hosts.ini",
    ]


def test_secrets_that_lie_in_the_directory_are_not_made_anew(collection: Collection) -> None:
    former = collection.folder / "prod" / "secrets" / "lab"
    former.mkdir(parents=True)
    (former / "ray_auth_token").write_text(f"{WORD}\n", encoding="utf-8")
    rc, told = collection.play("ray_install.yml", "--limit", "h1")
    assert rc != 0
    place = collection.folder / "secrets"
    assert f"Move them: mkdir -p {place} && mv {former} {place}/lab" in told
    assert not place.exists()
