"""Claims about the cluster's key pair."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.cluster_key import (
    ensure_key_pair,
    read_public_key,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.secrets import SecretError


def described(path: Path) -> str:
    argv = ["ssh-keygen", "-l", "-f", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("kind", "size", "name"),
    [("ed25519", "256", "(ED25519)"), ("rsa", "4096", "(RSA)")],
)
def test_the_pair_is_made(tmp_path: Path, kind: str, size: str, name: str) -> None:
    key = tmp_path / "secrets" / "ssh_key"
    assert ensure_key_pair(str(key), kind, "rackforge cluster research") is True
    words = described(key).split()
    assert (words[0], words[-1]) == (size, name)
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    assert key.with_suffix(".pub").read_text().endswith(" rackforge cluster research\n")
    assert sorted(each.name for each in key.parent.iterdir()) == ["ssh_key", "ssh_key.pub"]


def test_a_pair_that_is_there_stays(tmp_path: Path) -> None:
    key = tmp_path / "ssh_key"
    ensure_key_pair(str(key), "ed25519", "a")
    before = key.read_bytes()
    assert ensure_key_pair(str(key), "rsa", "b") is False
    assert key.read_bytes() == before


def test_the_public_half_is_made_again_from_the_private_one(tmp_path: Path) -> None:
    key = tmp_path / "ssh_key"
    ensure_key_pair(str(key), "ed25519", "a")
    public = key.with_suffix(".pub")
    before = public.read_text()
    public.unlink()
    ensure_key_pair(str(key), "ed25519", "a")
    assert public.read_text() == before
    assert read_public_key(str(key), "a").line == before.strip()


def test_everybody_gets_the_first_ones_key(tmp_path: Path) -> None:
    key = str(tmp_path / "ssh_key")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _n: ensure_key_pair(key, "ed25519", "a"), range(4)))
    assert made.count(True) == 1
    assert read_public_key(key, "a").line == Path(f"{key}.pub").read_text().strip()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "ssh_key"
    ensure_key_pair(str(key), "ed25519", "a")
    key.chmod(0o644)
    with pytest.raises(SecretError, match="chmod 600"):
        read_public_key(str(key), "a")


def test_a_key_with_a_passphrase_is_refused_with_the_way_out(tmp_path: Path) -> None:
    key = tmp_path / "ssh_key"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "geheim", "-f", str(key)]
    subprocess.run(argv, check=True)
    with pytest.raises(SecretError, match=f"ssh-keygen -p -f {key}"):
        read_public_key(str(key), "a")


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "ssh_key"
    key.write_text("no key\n")
    key.chmod(0o600)
    with pytest.raises(SecretError, match="ssh-keygen"):
        read_public_key(str(key), "a")
