"""Claims about fingerprints of OpenPGP keys.

ONE and OTHER were made with GnuPG 2.2.40 for this file and belong to nobody:
``gpg --batch --passphrase '' --quick-gen-key 'Test Key <test@example.invalid>' ed25519 sign 0``,
then ``gpg --armor --export``; the fingerprints are those of ``gpg --with-colons --fingerprint``.
"""

from __future__ import annotations

import base64

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.openpgp import (
    OpenPgpError,
    fingerprint,
)
from hypothesis import example, given
from hypothesis import strategies as st

ONE = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawJeYhYJKwYBBAHaRw8BAQdA78f1KApknT8UAgxqCmXhbu9qv1+A8x9NdgLR
YCbluYu0H1Rlc3QgS2V5IDx0ZXN0QGV4YW1wbGUuaW52YWxpZD6IkAQTFggAOBYh
BGHjXWdADs2YsUeTaqrArpQEvhtEBQJrAl5iAhsDBQsJCAcCBhUKCQgLAgQWAgMB
Ah4BAheAAAoJEKrArpQEvhtEbh8BAJMiNMSn3jj3H05pK4SPaPYNdisHRkILz6B3
a24D+wrSAP46zPPzmTJ6Mv12eXG0kL5txrP5qd1vOgWrD2nZctLFAg==
=1tIz
-----END PGP PUBLIC KEY BLOCK-----
"""
OTHER = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawJeYxYJKwYBBAHaRw8BAQdAJutfFabRP6j6AND7v78MqOyNRO7Oj5jURhP5
icgg0Ly0GU90aGVyIDxvQGV4YW1wbGUuaW52YWxpZD6IkAQTFggAOBYhBEj3blHK
BZnxzBsBaVBIYRtldA/aBQJrAl5jAhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheA
AAoJEFBIYRtldA/a3HYBAL+jM+yEgzjaHBvsh42bnI2E4l/a/EKCq8R2IH7H15XP
AP4jw4miiiA0SKUVHAijcEk0UyHO0sIeWGTCCmt77W8YDw==
=qKip
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "61E35D67400ECD98B147936AAAC0AE9404BE1B44"


def binary(armoured: str) -> bytes:
    """Return the bytes in a block of the form above."""
    lines = armoured.splitlines()
    return base64.b64decode("".join(line for line in lines[2:] if not line.startswith(("=", "-"))))


# The key packet of ONE, without its frame (0x98: old format, one byte of length).
BODY = binary(ONE)[2:53]


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(ONE.encode(), id="armoured"),
        pytest.param(binary(ONE), id="binary"),
        pytest.param(ONE.replace("\n", "\r\n").encode(), id="armoured-with-carriage-returns"),
        pytest.param(("\n  \n" + ONE).encode(), id="blank-lines-before"),
        pytest.param(
            ONE.replace("\n\n", "\nComment: caf\u00e9\nVersion: 1\n\n", 1).encode(), id="headers"
        ),
        pytest.param(ONE.replace("=1tIz\n", "").encode(), id="without-checksum"),
        pytest.param(b"\x98\x33" + BODY, id="old-format-one-byte"),
        pytest.param(b"\x99\x00\x33" + BODY, id="old-format-two-bytes"),
        pytest.param(b"\x9a\x00\x00\x00\x33" + BODY, id="old-format-four-bytes"),
        pytest.param(b"\xc6\x33" + BODY, id="new-format-one-byte"),
        pytest.param(b"\xc6\xff\x00\x00\x00\x33" + BODY, id="new-format-five-bytes"),
    ],
)
def test_the_fingerprint_is_the_one_that_gpg_shows(key: bytes) -> None:
    assert fingerprint(key) == FINGERPRINT


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param(b"", "the first packet is no public key of version 4", id="empty"),
        pytest.param(b"<html>blocked by proxy</html>", "no OpenPGP packet", id="web-page"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\n", "no PGP public key block", id="certificate"),
        pytest.param(ONE[:200].encode(), "no PGP public key block", id="armour-cut-short"),
        pytest.param(binary(ONE)[:40], "the key is cut short", id="binary-cut-short"),
        pytest.param(binary(ONE)[:-1], "the key is cut short", id="last-byte-missing"),
        pytest.param(b"\xc6", "the key is cut short", id="nothing-after-the-tag"),
        pytest.param(b"\xc6\xc1", "a packet of unknown length", id="half-a-length"),
        pytest.param(b"\x9b" + BODY, "a packet of unknown length", id="length-left-open"),
        pytest.param(b"\xc6\xe1" + BODY, "a packet of unknown length", id="partial-lengths"),
        pytest.param(
            b"\x98\x33\x06" + BODY[1:],
            "the first packet is no public key of version 4",
            id="version-6",
        ),
        pytest.param(
            b"\xb4\x33" + BODY, "the first packet is no public key of version 4", id="a-user-id"
        ),
        pytest.param(
            b"\x9a\x00\x01\x00\x00\x04" + bytes(65535),
            "the first packet is no public key of version 4",
            id="longer-than-version-4-can-frame",
        ),
        pytest.param(
            binary(ONE) + binary(OTHER),
            "there is more than one key, expected one",
            id="a-strangers-key-behind-it",
        ),
        pytest.param(
            (ONE + OTHER).encode(),
            "there is more than one key block, expected one",
            id="a-strangers-block-behind-it",
        ),
    ],
)
def test_what_is_not_one_key_is_refused(key: bytes, message: str) -> None:
    with pytest.raises(OpenPgpError) as caught:
        fingerprint(key)
    assert str(caught.value) == message


def test_damaged_armour_is_named() -> None:
    with pytest.raises(OpenPgpError, match="the block is damaged"):
        fingerprint(ONE.replace("mDME", "mD*E").encode())
    with pytest.raises(OpenPgpError, match="the block is damaged"):
        fingerprint(ONE.replace("mDME", "mD\u00e9E").encode())


def outcome(data: bytes) -> str:
    """Return the fingerprint or the message; any other error is the test's to report."""
    try:
        return fingerprint(data)
    except OpenPgpError as error:
        return str(error)


@given(st.binary())
@example(b"\xff\xff\xff\xff\xff\xff")
def test_any_bytes_are_a_key_or_refused(data: bytes) -> None:
    assert outcome(data) != ""


@given(st.integers(0, len(ONE) - 1), st.binary(max_size=3))
def test_a_changed_block_never_has_another_error(place: int, instead: bytes) -> None:
    data = ONE.encode()
    assert outcome(data[:place] + instead + data[place + 1 :]) != ""
