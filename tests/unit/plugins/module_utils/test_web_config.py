"""Claims about the file that closes a server of the Prometheus family."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.web_config import (
    WebConfigError,
    web_config_text,
    without_hashes,
)

HASH = "$2b$10$abcdefghijklmnopqrstuuF1yP1Q2S3T4U5V6W7X8Y9Z0a1b2c3d4"
PLAIN = f"""\
# Managed by rackforge.gpu_cluster
basic_auth_users:
  "admin": "{HASH}"
"""


def test_without_a_certificate_there_is_a_password_only() -> None:
    assert web_config_text({"admin": HASH}, None, None) == PLAIN


def test_with_a_certificate_the_server_speaks_tls() -> None:
    assert web_config_text({"admin": HASH}, "/etc/x/cert.pem", "/etc/x/key.pem") == PLAIN + (
        "tls_server_config:\n"
        '  cert_file: "/etc/x/cert.pem"\n'
        '  key_file: "/etc/x/key.pem"\n'
        "  min_version: TLS12\n"
    )


def test_a_program_has_a_user_of_its_own() -> None:
    text = web_config_text({"admin": HASH, "ray": HASH}, None, None)
    assert text == f'{PLAIN}  "ray": "{HASH}"\n'


@pytest.mark.parametrize(
    ("user", "certificate", "key", "message"),
    [
        pytest.param("a b", None, None, "user is 'a b'", id="user-with-space"),
        pytest.param("", None, None, "user is ''", id="no-user"),
        pytest.param("a", "/c", None, "certificate_file is set and key_file is not", id="no-key"),
        pytest.param("a", None, "/k", "key_file is set and certificate_file is not", id="no-cert"),
    ],
)
def test_what_no_server_would_take_is_refused(
    user: str, certificate: str, key: str, message: str
) -> None:
    with pytest.raises(WebConfigError, match=message):
        web_config_text({user: HASH}, certificate, key)


def test_a_diff_shows_no_hash() -> None:
    other = PLAIN.replace("$2b$10$a", "$2b$10$b")
    assert without_hashes(None, PLAIN)[1].endswith('"admin": (hash)\n')
    assert without_hashes(PLAIN, PLAIN)[0] == without_hashes(PLAIN, PLAIN)[1]
    before, after = without_hashes(other, PLAIN)
    assert (before[-7:], after[-15:]) == ("(hash)\n", "(another hash)\n")
