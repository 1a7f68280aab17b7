"""Claims about certificates, on some made for the purpose; their keys are gone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.x509 import (
    CertificateError,
    authorities,
    decoded,
    held,
    parse,
)

# An authority, valid until 2036.
HOUSE = """\
-----BEGIN CERTIFICATE-----
MIIBpTCCAUugAwIBAgIUIq72IKX1+vzX36hVFL+DhTiHTvwwCgYIKoZIzj0EAwIw
KDEOMAwGA1UECgwFSG91c2UxFjAUBgNVBAMMDUhvdXNlIFJvb3QgQ0EwHhcNMjYx
MTIyMDYwOTM0WhcNMzYxMTE5MDYwOTM0WjAoMQ4wDAYDVQQKDAVIb3VzZTEWMBQG
A1UEAwwNSG91c2UgUm9vdCBDQTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABAoO
6yFNZxTrZ8h0n0OVqhsDePKh+EaQimdGBNMkXKmN4E06iilyOQCGkMcNZkS1s3l2
m8xuT2z0iVOcs/4ugkajUzBRMB0GA1UdDgQWBBRHUrvA/9SVgTt7dybskyAH6oHy
ODAfBgNVHSMEGDAWgBRHUrvA/9SVgTt7dybskyAH6oHyODAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIG1VgfgBiMzWqEhXFdHNTnGyjjh8aEc/ePGn
Ne0aHOb0AiEAq89YYfc8GJqPT5y3C0WJvsPNKNQBZrqBwXE2pV4BqGE=
-----END CERTIFICATE-----
"""

# A server's certificate, signed by HOUSE.
SERVER = """\
-----BEGIN CERTIFICATE-----
MIIBNzCB3wIUHEkGDEB1oNFgbpz3l2xhdoDI+pwwCgYIKoZIzj0EAwIwKDEOMAwG
A1UECgwFSG91c2UxFjAUBgNVBAMMDUhvdXNlIFJvb3QgQ0EwHhcNMjYxMTIyMDYw
OTM0WhcNMjcxMTIyMDYwOTM0WjAWMRQwEgYDVQQDDAt3d3cuZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABLtRXvjQHsNMkWXzqIyiVHhEMwNCyoPH/v1F
thRynkvhMjUO2U3cmD+uOlpm/IWK3QY/EtbMOLUm9YH/eeojpa8wCgYIKoZIzj0E
AwIDRwAwRAIga2YXCeoFicdjjKy4vnbH4K4kQIR4y7P++fuuZRIA1XMCIDGF4IVc
whyj2dh2aA35jKyFmx84MXICku5d5nCvQXP5
-----END CERTIFICATE-----
"""

# A server's certificate that it signed itself (CA:FALSE).
SELF = """\
-----BEGIN CERTIFICATE-----
MIIBjTCCATKgAwIBAgIUdOj3ygo2lDUjU+D25WQ8Jjokgc0wCgYIKoZIzj0EAwIw
HTEbMBkGA1UEAwwSaGFyYm9yLmxhYi5leGFtcGxlMB4XDTI2MTEyMjA2MjAyOFoX
DTM2MTExOTA2MjAyOFowHTEbMBkGA1UEAwwSaGFyYm9yLmxhYi5leGFtcGxlMFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKrEmTHZjx2Fnzo0wbkbxtuQ4/tG9IQK3
LlFXi1atCz56YQegrkOSUPbUvabC4boThKVWJkyWweHx6EHDVJ1EIKNQME4wHQYD
VR0OBBYEFLLt31ZxS1A20JZiWxTaptVGWHrkMB8GA1UdIwQYMBaAFLLt31ZxS1A2
0JZiWxTaptVGWHrkMAwGA1UdEwEB/wQCMAAwCgYIKoZIzj0EAwIDSQAwRgIhAJ2D
Nw7wkfw5ALIHiolayfmFLImPBA/j+8JuP8TyQLyrAiEAt4dO1K+dq2kWcNFtK4NF
mRVXEera48SzyUluNuc0nqQ=
-----END CERTIFICATE-----
"""

# An authority without a common name, valid until 2081.
LATE = """\
-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIUPZ5IpQfQW2qbagEfgBXi2QqrX70wCgYIKoZIzj0EAwIw
FzEVMBMGA1UECgwMU2Vjb25kIEhvdXNlMCAXDTI2MTEyMjA2MjAyOFoYDzIwODEw
ODI1MDYyMDI4WjAXMRUwEwYDVQQKDAxTZWNvbmQgSG91c2UwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAARLutPYlOopwGJm8lBY9JanI0LgX0i5QQBXUkmIh70/Tx9c
qovm7W9ciJj8Mk7CgKChaf04/2z/S3OK5ujda9HUo1MwUTAdBgNVHQ4EFgQUnJ2T
bYF3P+gXihM4ig0ttFpzYrswHwYDVR0jBBgwFoAUnJ2TbYF3P+gXihM4ig0ttFpz
YrswDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiBDVDADrPqiAlqi
Wam1fba/Rijj4oFbVczB1vUCoAZTRgIhAO9xGEfTEqt16NileGZGOsibIE2PhehC
mqsOM97AL1lz
-----END CERTIFICATE-----
"""

NOW = datetime(2027, 1, 1, tzinfo=UTC)
KEY = "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"


def test_an_authority_is_read() -> None:
    (found,) = authorities(f"subject=House\n{HOUSE}", NOW)
    assert (found.subject, found.authority, found.self_issued) == ("'House Root CA'", True, True)
    assert found.pem() == HOUSE


def test_years_after_2049_are_read() -> None:
    (found,) = authorities(LATE, NOW)
    assert (found.subject, found.not_after.year) == ("'Second House'", 2081)


def test_a_servers_own_signature_is_enough() -> None:
    (found,) = authorities(SELF, NOW)
    assert (found.authority, found.self_issued) == (False, True)


def test_all_certificates_of_a_file_are_taken() -> None:
    assert len(authorities(HOUSE + LATE.replace("\n", "\r\n"), NOW)) == 2


@pytest.mark.parametrize(
    ("text", "now", "message"),
    [
        pytest.param("", NOW, "saw no '-----BEGIN CERTIFICATE-----', expected PEM", id="empty"),
        pytest.param(HOUSE + KEY, NOW, "saw a private key, expected certificates only", id="key"),
        pytest.param(
            SERVER,
            NOW,
            "'www.example' is a server's certificate, expected the authority's",
            id="server",
        ),
        pytest.param(
            HOUSE + LATE,
            datetime(2037, 1, 1, tzinfo=UTC),
            "'House Root CA' expired on 2036-11-19, expected one that is valid",
            id="expired",
        ),
        pytest.param(
            HOUSE,
            datetime(2026, 1, 1, tzinfo=UTC),
            "'House Root CA' is valid from 2026-11-22 on, expected one that is valid now; is this",
            id="not-yet-valid",
        ),
        pytest.param(
            "-----BEGIN CERTIFICATE-----\nMIIB!\n-----END CERTIFICATE-----\n",
            NOW,
            "saw a certificate whose base64 is broken",
            id="broken-base64",
        ),
        pytest.param(
            "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n",
            NOW,
            "saw a block that is no X.509 certificate",
            id="another-structure",
        ),
    ],
)
def test_what_is_no_use_is_explained(text: str, now: datetime, message: str) -> None:
    with pytest.raises(CertificateError) as caught:
        authorities(text, now)
    assert str(caught.value).startswith(message)


def test_a_certificate_cut_short_anywhere_is_no_traceback() -> None:
    der = decoded("".join(HOUSE.splitlines()[1:-1]))
    for size in range(len(der)):
        with pytest.raises(CertificateError):
            parse(der[:size])


def test_a_bundle_is_compared_by_content() -> None:
    bundle = f"# House\n{LATE}\n{HOUSE}".replace("\n", "\r\n")
    assert held(HOUSE) <= held(bundle)
    assert not held(SERVER) <= held(bundle)
    assert held("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----") == set()
