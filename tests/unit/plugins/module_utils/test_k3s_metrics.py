# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about the Secret with which a cluster's metrics are read."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_metrics import (
    TOKEN_TYPE,
    Credentials,
    MetricsCredentialsError,
    credentials_of,
)

WHERE = "the Secret reader in kube-system"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def coded(text: str) -> str:
    """Return a text as Secrets have it."""
    return base64.b64encode(text.encode()).decode()


def secret(kind: str = TOKEN_TYPE, **data: str) -> dict[str, Any]:
    """Return a Secret."""
    return {"kind": "Secret", "type": kind, "data": data}


def test_token_and_authority_are_read() -> None:
    given = secret(token=coded("a.b.c"), **{"ca.crt": coded(PEM), "namespace": coded("x")})
    assert credentials_of(given, WHERE) == Credentials("a.b.c", PEM)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"type": TOKEN_TYPE}, id="no-data"),
        pytest.param({"type": TOKEN_TYPE, "data": None}, id="empty-data"),
        pytest.param(secret(token=coded("a.b.c")), id="no-authority"),
        pytest.param(secret(**{"ca.crt": coded(PEM)}), id="no-token"),
    ],
)
def test_a_secret_that_is_not_filled_yet_is_nothing(given: dict[str, Any]) -> None:
    assert credentials_of(given, WHERE) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(secret("Opaque"), "is of type Opaque, expected", id="other-type"),
        pytest.param(
            secret(token="%", **{"ca.crt": coded(PEM)}),
            "token is no text in base64",
            id="no-base64",
        ),
        pytest.param(
            secret(token=coded("a"), **{"ca.crt": coded("x")}),
            "ca.crt is no certificate",
            id="no-certificate",
        ),
    ],
)
def test_another_secret_is_refused_with_the_way_out(given: dict[str, Any], words: str) -> None:
    with pytest.raises(MetricsCredentialsError) as caught:
        credentials_of(given, WHERE)
    assert str(caught.value).startswith(WHERE)
    assert words in str(caught.value)
    assert "run provision.yml" in str(caught.value)
