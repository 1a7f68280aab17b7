"""Claims about certificates of registries."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.docker_certificate import (
    CertificateError,
    certificates,
    is_registry_host,
)

# One ASN.1 sequence of 200 bytes, as long as its header says.
BODY = base64.b64encode(b"\x30\x81\xc8" + b"\x05" * 200).decode()
PEM = f"-----BEGIN CERTIFICATE-----\n{BODY}\n-----END CERTIFICATE-----\n"


def test_only_the_certificates_of_a_file_are_taken() -> None:
    assert certificates(f"subject=CN = lab\n{PEM}\nissuer\n{PEM}") == PEM + PEM
    assert certificates(PEM.replace("\n", "\r\n")) == PEM


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "saw no '-----BEGIN CERTIFICATE-----'", id="empty"),
        pytest.param("<html>404</html>", "saw no '-----BEGIN", id="page"),
        pytest.param(PEM.replace(BODY, BODY[:-8]), "no whole certificate", id="cut-short"),
        pytest.param(PEM.replace(BODY, "no base64"), "no whole certificate", id="no-base64"),
        pytest.param(PEM.replace(BODY, "MAA="), "no whole certificate", id="too-small"),
        pytest.param(PEM.replace("CERTIFICATE", "PUBLIC KEY"), "(PUBLIC KEY)", id="public-key"),
        pytest.param(
            PEM + PEM.replace("CERTIFICATE", "EC PRIVATE KEY"), "a private key", id="private-key"
        ),
    ],
)
def test_what_is_no_certificate_is_refused(text: str, words: str) -> None:
    with pytest.raises(CertificateError) as caught:
        certificates(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("harbor.example", True, id="host"),
        pytest.param("harbor.example:5000", True, id="port"),
        pytest.param("[2001:db8::1]:5000", True, id="ipv6"),
        pytest.param("../../etc", False, id="path"),
        pytest.param("https://harbor.example", False, id="url"),
        pytest.param("harbor.example/project", False, id="folder"),
    ],
)
def test_a_folder_is_named_after_hosts_only(name: str, expected: bool) -> None:
    assert is_registry_host(name) is expected
