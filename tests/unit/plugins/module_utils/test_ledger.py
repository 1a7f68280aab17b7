"""Claims about the ledger's values: declarations, records, and the text they are kept in."""

from __future__ import annotations

import json

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    DirectoryState,
    FileState,
    Ledger,
    LedgerError,
    MountState,
    NodeState,
    RoleRecord,
    UnitState,
    extend,
    from_json,
    to_json,
)

FULL = RoleRecord(
    role="docker",
    declared=Declaration(
        packages=("docker.io",),
        files=("/etc/a",),
        memberships=("docker/ada",),
        firewall=True,
        refresh={"/etc/a": "update-a --all"},
    ),
    before=NodeState(
        packages={"bash": "installed"},
        auto=("libc6",),
        files={"/etc/a": FileState("file", "0644", 0, 0, "abc", "", 5, ())},
        blocks={"/etc/hosts": FileState(missing=("/etc",))},
        directories={"/opt/ray": DirectoryState("directory", False, "0755", 0, 0)},
        units={"docker.service": UnitState("loaded", "active", "enabled")},
        sysctls={"net.ipv4.ip_forward": "0", "net.bridge.x": None},
        users={"ray": False},
        groups={"docker": True},
        interfaces=("lo",),
        memberships={"docker/ada": False},
        mounts={"/mnt/a": MountState(False, True, True, ("/mnt",))},
        homes={"/home/ada": False},
        firewall={"nft": "table ip filter {\n}\n"},
    ),
    pending=("/etc/a",),
)


@pytest.mark.parametrize(
    "ledger",
    [
        pytest.param(Ledger(), id="empty"),
        pytest.param(Ledger((FULL,)), id="everything"),
        pytest.param(Ledger((RoleRecord("a", Declaration(), NodeState()),)), id="nothing-declared"),
    ],
)
def test_a_ledger_survives_being_written_and_read(ledger: Ledger) -> None:
    assert from_json(to_json(ledger)) == ledger


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "does not read as a ledger", id="empty-file"),
        pytest.param('{"format": 1, "ro', "does not read as a ledger", id="cut-off"),
        pytest.param('{"format": 2, "roles": []}', "format is 2, expected 1", id="newer"),
        pytest.param("[]", "does not read as a ledger", id="no-mapping"),
        pytest.param('{"format": 1, "roles": [{}]}', "does not read as a ledger", id="no-role"),
    ],
)
def test_a_damaged_ledger_is_refused(text: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message):
        from_json(text)


def test_what_is_declared_already_is_not_recorded_again() -> None:
    older = Declaration(packages=("a",), files=("/etc/a",), firewall=True)
    newer = Declaration(packages=("a", "b"), files=("/etc/a",), units=("x.service",), firewall=True)
    assert newer.beyond(older) == Declaration(packages=("b",), units=("x.service",))


def test_fewer_declarations_add_nothing() -> None:
    assert Declaration(files=("/etc/a",)).beyond(Declaration(files=("/etc/b", "/etc/a"))).empty()


def test_an_old_entry_is_never_overwritten() -> None:
    old = RoleRecord(
        "r",
        Declaration(files=("/etc/a",), sysctls=("x",)),
        NodeState(files={"/etc/a": FileState()}, sysctls={"x": "0"}),
    )
    now = NodeState(files={"/etc/b": FileState("file", "0600")}, sysctls={"x": "1", "y": "2"})
    grown = extend(old, Declaration(files=("/etc/b",), sysctls=("y",)), now)
    assert grown.before.files == {"/etc/a": FileState(), "/etc/b": FileState("file", "0600")}
    assert grown.before.sysctls == {"x": "0", "y": "2"}
    assert grown.declared == Declaration(files=("/etc/a", "/etc/b"), sysctls=("x", "y"))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(
            {"bash": "installed", "runc": "installed"}, {"bash": "installed"}, id="absent-now"
        ),
        pytest.param({}, {"bash": "installed"}, id="others-that-went-do-not-count"),
        pytest.param(
            {"bash": "installed", "runc": "installed", "git": "installed"},
            {"bash": "installed", "git": "installed"},
            id="installed-now-counts-as-there-before",
        ),
    ],
)
def test_a_later_package_stands_as_it_is_then(
    now: dict[str, str], expected: dict[str, str]
) -> None:
    old = RoleRecord(
        "r", Declaration(packages=("docker.io",)), NodeState(packages={"bash": "installed"})
    )
    grown = extend(old, Declaration(packages=("git",)), NodeState(packages=now))
    assert grown.before.packages == expected


def test_the_package_list_is_taken_when_packages_are_first_declared() -> None:
    old = RoleRecord("r", Declaration(), NodeState())
    now = NodeState(packages={"bash": "installed"}, auto=("bash",))
    grown = extend(old, Declaration(packages=("git",)), now)
    assert (grown.before.packages, grown.before.auto) == ({"bash": "installed"}, ("bash",))


def test_roles_keep_the_order_of_their_recording() -> None:
    first, second = (RoleRecord(role, Declaration(), NodeState()) for role in ("b", "a"))
    again = RoleRecord("b", Declaration(files=("/x/y",)), NodeState())
    ledger = Ledger().put(first).put(second).put(again)
    assert [record.role for record in ledger.records] == ["b", "a"]
    assert ledger.get("b") == again
    assert ledger.without("b").records == (second,)


def test_a_ledger_needs_the_copies_of_all_its_records() -> None:
    assert Ledger((FULL,)).backups() == {"abc"}
    assert Ledger().backups() == set()


def test_a_later_package_that_the_owner_removed_meanwhile_was_not_there_before() -> None:
    old = RoleRecord("r", Declaration(packages=("a",)), NodeState(packages={"git": "installed"}))
    grown = extend(old, Declaration(packages=("git",)), NodeState(packages={}))
    assert grown.before.packages == {}


def test_a_record_of_an_older_version_still_reads() -> None:
    text = json.loads(to_json(Ledger((FULL,))))
    entry = text["roles"][0]
    del entry["pending"]
    for name in ("memberships", "mounts", "refresh"):
        del entry["declared"][name]
    for name in ("memberships", "mounts", "homes"):
        del entry["before"][name]
    record = from_json(json.dumps(text)).records[0]
    assert (record.pending, record.declared.refresh, record.before.homes) == ((), {}, {})
    assert record.before.files == FULL.before.files


@pytest.mark.parametrize(
    ("newer", "expected"),
    [
        pytest.param({"/etc/a": "x"}, {}, id="known"),
        pytest.param({"/etc/a": "x", "/etc/b": "x"}, {"/etc/b": "x"}, id="another-path"),
        pytest.param({"/etc/a": "y"}, {"/etc/a": "y"}, id="another-command"),
    ],
)
def test_a_new_command_is_more_than_what_is_declared(
    newer: dict[str, str], expected: dict[str, str]
) -> None:
    older = Declaration(refresh={"/etc/a": "x"})
    assert Declaration(refresh=newer).beyond(older).refresh == expected


def test_the_newest_command_counts() -> None:
    older = Declaration(refresh={"/etc/a": "x", "/etc/b": "x"})
    assert older.plus(Declaration(refresh={"/etc/a": "y"})).refresh == {
        "/etc/a": "y",
        "/etc/b": "x",
    }
