"""Claims about files of the control node that role monitoring brings."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.monitoring_files import (
    certificate_problem,
    unreadable_files,
)


def make(folder: Path, name: str) -> tuple[str, str]:
    """Return the paths of a new certificate and its key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command = ["openssl", "req", "-x509", *curve, "-subj", f"/CN={name}", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    key.chmod(0o600)
    return str(certificate), str(key)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "fine").write_text("x")
    (tmp_path / "empty").touch()
    paths = [str(tmp_path / name) for name in ("fine", "empty", "none")]
    assert unreadable_files(paths) == {
        paths[1]: "an empty file",
        paths[2]: "No such file or directory",
    }


def test_a_certificate_with_its_key_can_be_used(tmp_path: Path) -> None:
    assert certificate_problem(*make(tmp_path, "a")) is None


def test_the_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    certificate, _key = make(tmp_path, "a")
    _other, key = make(tmp_path, "b")
    assert "cannot be used together" in str(certificate_problem(certificate, key))


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "a")
    Path(key).chmod(0o644)
    assert "has mode 0644, expected 0600; run: chmod 600" in str(
        certificate_problem(certificate, key)
    )


def test_something_else_than_pem_is_refused(tmp_path: Path) -> None:
    certificate, key = make(tmp_path, "a")
    Path(certificate).write_text("hello")
    assert "expected PEM" in str(certificate_problem(certificate, key))
