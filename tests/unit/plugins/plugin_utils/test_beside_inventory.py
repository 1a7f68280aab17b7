"""Claims about the directory beside an inventory, and about that of a cluster's secrets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.rackforge.gpu_cluster.plugins.filter.secrets_directory import (
    FilterModule,
    secrets_directory,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.beside_inventory import (
    beside_inventory,
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which the command is run, with inventories in it."""
    for name in ("inv/sub", "inventory", "other"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("inv/hosts.ini", "inv/sub/more.ini", "inventory/hosts.ini", "other/hosts.ini"):
        (tmp_path / name).write_text("n1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("own", "sources", "expected"),
    [
        pytest.param("inv", ["inv/hosts.ini"], "inv", id="a-file"),
        pytest.param("inv", ["inv"], ".", id="a-directory"),
        pytest.param("inv", ["inv/"], ".", id="with-a-slash-at-its-end"),
        pytest.param("inv/sub", ["inv"], ".", id="a-directory-that-holds-the-files-own"),
        pytest.param("inv/sub", ["inv/sub", "inv"], ".", id="one-within-the-other"),
        pytest.param("inv/sub", ["inv/sub"], "inv", id="a-directory-below"),
        pytest.param("inv", ["other/hosts.ini", "inv"], ".", id="the-second-of-two"),
        pytest.param("other", ["inv", "other/hosts.ini"], "other", id="a-file-besides-a-directory"),
        pytest.param("inventory", ["inv", "inventory/hosts.ini"], "inventory", id="like-names"),
        pytest.param(None, ["n1,n2,"], ".", id="a-list-of-hosts"),
        pytest.param("other", ["n1,n2,", "other/hosts.ini"], "other", id="a-list-and-a-file"),
        pytest.param(None, ["gone.ini"], ".", id="localhost-that-no-file-names"),
        pytest.param(None, [], ".", id="nothing"),
    ],
)
@pytest.mark.parametrize("relative", [False, True], ids=["absolute", "relative"])
def test_the_directory_beside_an_inventory(
    desk: Path, own: str | None, sources: list[str], expected: str, relative: bool
) -> None:
    root = "" if relative else f"{desk}/"
    found = beside_inventory(
        own if own is None else f"{root}{own}",
        [each if each.endswith(",") else f"{root}{each}" for each in sources],
    )
    assert found == desk / expected


@pytest.mark.parametrize(
    ("wish", "own", "source", "expected"),
    [
        pytest.param("", "inv", "inv/hosts.ini", "inv/secrets/lab", id="a-file"),
        pytest.param(None, "inv", "inv", "secrets/lab", id="a-directory"),
        pytest.param("", None, "n1,", "secrets/lab", id="a-list-of-hosts"),
    ],
)
def test_secrets_lie_beside_the_inventory(
    desk: Path, wish: str | None, own: str | None, source: str, expected: str
) -> None:
    assert secrets_directory(wish, own, (source,), "lab") == str(desk / expected)


@pytest.mark.parametrize("wish", ["~/mine", "mine", "/srv/mine"])
def test_secrets_lie_where_they_are_wished_as_the_user_wrote_it(desk: Path, wish: str) -> None:
    (desk / "inv/secrets/lab").mkdir(parents=True)
    assert secrets_directory(wish, str(desk / "inv"), (str(desk / "inv"),), "lab") == wish


def test_secrets_within_an_inventory_are_moved_before_others_are_made(desk: Path) -> None:
    inventory = desk / "my inv"
    former = inventory / "secrets/lab"
    former.mkdir(parents=True)
    (former / "ray_auth_token").write_text("word\n", encoding="utf-8")
    with pytest.raises(AnsibleFilterError) as refused:
        secrets_directory("", str(inventory), (str(inventory),), "lab")
    told, _colon, command = str(refused.value).partition("Move them: ")
    assert told == (
        f"The cluster's secrets lie in {former}, where Ansible takes every file for a part of the"
        f" inventory. They are expected in {desk}/secrets/lab. "
    )
    subprocess.run(["sh", "-c", command], check=True)
    found = secrets_directory("", str(inventory), (str(inventory),), "lab")
    assert (Path(found) / "ray_auth_token").read_text(encoding="utf-8") == "word\n"


def test_the_filter_is_loaded_under_its_name() -> None:
    assert FilterModule().filters() == {"secrets_directory": secrets_directory}
