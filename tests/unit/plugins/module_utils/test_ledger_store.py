"""Claims about how the ledger lies on a node."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils import ledger_store
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.ledger import (
    Declaration,
    FileState,
    Ledger,
    LedgerError,
    NodeState,
    RoleRecord,
)

DIGEST = hashlib.sha256(b"owner's\n").hexdigest()


def ledger_of(files: dict[str, FileState], role: str = "docker") -> Ledger:
    return Ledger((RoleRecord(role, Declaration(files=tuple(files)), NodeState(files=files)),))


@pytest.fixture
def store(tmp_path: Path) -> ledger_store.Store:
    return ledger_store.Store(str(tmp_path / "rackforge"))


@pytest.fixture
def owned(tmp_path: Path) -> dict[str, FileState]:
    path = tmp_path / "owned.conf"
    path.write_bytes(b"owner's\n")
    return {str(path): FileState("file", "0644", sha256=DIGEST)}


def test_a_node_without_a_ledger_has_an_empty_one(store: ledger_store.Store) -> None:
    assert store.load() == Ledger()


def test_what_is_saved_is_loaded(store: ledger_store.Store, owned: dict[str, FileState]) -> None:
    store.save(ledger_of(owned), owned)
    assert store.load() == ledger_of(owned)
    assert store.backup(DIGEST) == b"owner's\n"


def test_only_root_can_read_the_ledger(
    store: ledger_store.Store, owned: dict[str, FileState]
) -> None:
    store.save(ledger_of(owned), owned)
    directory = Path(store.directory)
    modes = {
        str(path.relative_to(directory.parent)): oct(path.stat().st_mode & 0o777)
        for path in (directory, *directory.rglob("*"))
    }
    assert modes == {
        "rackforge": "0o700",
        "rackforge/backup": "0o700",
        f"rackforge/backup/{DIGEST}": "0o600",
        "rackforge/ledger.json": "0o600",
    }


def test_a_file_that_changes_while_it_is_recorded_leaves_no_record(
    store: ledger_store.Store, owned: dict[str, FileState]
) -> None:
    path = next(iter(owned))
    Path(path).write_text("changed\n")
    with pytest.raises(LedgerError, match="changed while it was being recorded"):
        store.save(ledger_of(owned), owned)
    assert store.load() == Ledger()


def test_an_interrupted_save_leaves_the_old_ledger(
    store: ledger_store.Store, owned: dict[str, FileState], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(ledger_of(owned), owned)

    def interrupted(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.save(ledger_of({}, "later"))
    assert store.load() == ledger_of(owned)
    assert [path.name for path in Path(store.directory).glob("*.json*")] == ["ledger.json"]


def test_copies_that_no_role_needs_go(
    store: ledger_store.Store, owned: dict[str, FileState]
) -> None:
    store.save(ledger_of(owned), owned)
    store.save(ledger_of({}))
    assert list((Path(store.directory) / "backup").iterdir()) == []


def test_the_last_role_takes_the_directory_with_it(
    store: ledger_store.Store, owned: dict[str, FileState]
) -> None:
    store.save(ledger_of(owned), owned)
    store.save(Ledger())
    assert not Path(store.directory).exists()


def test_a_damaged_ledger_is_named_and_kept(store: ledger_store.Store) -> None:
    store.save(ledger_of({}))
    Path(store.path).write_text("{")
    with pytest.raises(LedgerError, match=r"Cannot use .*ledger\.json"):
        store.load()
    assert Path(store.path).read_text() == "{"


def test_a_damaged_copy_is_not_restored(
    store: ledger_store.Store, owned: dict[str, FileState]
) -> None:
    store.save(ledger_of(owned), owned)
    (Path(store.directory) / "backup" / DIGEST).write_text("rot")
    with pytest.raises(OSError, match="is damaged"):
        store.backup(DIGEST)
