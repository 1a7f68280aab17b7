"""Claims about host keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.known_hosts import (
    HostKey,
    Verdict,
    judge,
    look_up,
    parse_found,
    record,
)

BLOB = "AAAAC3NzaC1lZDI1NTE5AAAAIOQ7gK7JKqjKGfTZFzYfhYN2mF+hOTa7erk5FmdeZUeO"
OTHER = "AAAAC3NzaC1lZDI1NTE5AAAAIAwanqv23o3QOEoEmfReAeXE3z1s4eK2H4e+GhY+w+Bx"
KEY = HostKey("ssh-ed25519", BLOB)


@pytest.mark.parametrize("is_hashed", [False, True])
@pytest.mark.parametrize("name", ["203.0.113.11", "[203.0.113.11]:2222"])
def test_a_recorded_key_is_found_again(tmp_path: Path, name: str, is_hashed: bool) -> None:
    file = tmp_path / "ssh" / "known_hosts"
    record(str(file), name, KEY, is_hashed=is_hashed)
    found = look_up(name, [str(file), str(tmp_path / "none")])
    assert [(each.kind, each.blob) for each in found] == [("ssh-ed25519", BLOB)]
    assert (name in file.read_text()) is not is_hashed
    assert look_up("203.0.113.12", [str(file)]) == ()


def test_the_owners_lines_survive_also_one_without_its_end(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"# mine\nother {KEY.kind} {OTHER}")
    record(str(file), "n1", KEY)
    assert file.read_text() == f"# mine\nother {KEY.kind} {OTHER}\nn1 {KEY.kind} {BLOB}\n"


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        pytest.param([], Verdict.UNKNOWN, id="never-seen"),
        pytest.param([KEY], Verdict.KNOWN, id="same"),
        pytest.param([HostKey("ssh-ed25519", OTHER), KEY], Verdict.KNOWN, id="one-of-two"),
        pytest.param([HostKey("ssh-ed25519", OTHER)], Verdict.CHANGED, id="another"),
        pytest.param([HostKey("ssh-rsa", "AAAA")], Verdict.CHANGED, id="another-kind"),
        pytest.param([HostKey("ssh-ed25519", BLOB, True), KEY], Verdict.CHANGED, id="revoked"),
        pytest.param([HostKey("ssh-rsa", "AAAA", True)], Verdict.UNKNOWN, id="other-revoked"),
    ],
)
def test_verdict(known: list[HostKey], expected: Verdict) -> None:
    assert judge(KEY, known) is expected


def test_what_ssh_keygen_prints_is_read() -> None:
    text = (
        "# Host n1 found: line 3 \n"
        f"n1 ssh-ed25519 {BLOB}\n"
        "# Host n1 found: line 9 CA\n"
        f"@cert-authority * ssh-ed25519 {OTHER}\n"
        "# Host n1 found: line 10 REVOKED\n"
        f"@revoked n1 ssh-ed25519 {OTHER}\n"
    )
    assert parse_found(text, "/f") == [
        HostKey("ssh-ed25519", BLOB, False, "/f:3"),
        HostKey("ssh-ed25519", OTHER, True, "/f:10"),
    ]


def test_the_fingerprint_is_the_one_that_ssh_shows() -> None:
    assert KEY.fingerprint == "SHA256:26KwMMz02PO7DoOMXLdYZW737bcO2UWlRAPN/+odA8E"
