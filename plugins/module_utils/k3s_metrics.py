# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reads a k3s cluster's metrics: a token, and the certificate to know the cluster by."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

NAMESPACE = "kube-system"
NAME = "rackforge-metrics-reader"
TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 (a type, no token)
_PEM = "-----BEGIN CERTIFICATE-----"


class MetricsCredentialsError(ValueError):
    """A Secret that cannot be what was asked for."""


@dataclass(frozen=True)
class Credentials:
    """A bearer token, and the authority (PEM) of the API's and the kubelets' certificates."""

    token: str
    authority: str


def credentials_of(secret: Mapping[str, Any], where: str) -> Optional[Credentials]:
    """Return what a Secret holds; None while Kubernetes has not filled it in yet."""
    kind = secret.get("type")
    if kind != TOKEN_TYPE:
        raise MetricsCredentialsError(
            f"{where} is of type {kind}, expected {TOKEN_TYPE}; delete it with 'k3s kubectl delete "
            f"secret' and run provision.yml, which makes the right one"
        )
    data = secret.get("data")
    values = data if isinstance(data, Mapping) else {}
    token, authority = values.get("token"), values.get("ca.crt")
    if not token or not authority:
        return None
    return Credentials(_text(token, where, "token"), _certificate(authority, where))


def _text(value: Any, where: str, name: str) -> str:
    try:
        return base64.b64decode(str(value), validate=True).decode("ascii").strip()
    except (binascii.Error, ValueError):
        raise MetricsCredentialsError(
            f"{where}: {name} is no text in base64; delete the Secret and run provision.yml"
        ) from None


def _certificate(value: Any, where: str) -> str:
    text = _text(value, where, "ca.crt")
    if not text.startswith(_PEM):
        raise MetricsCredentialsError(
            f"{where}: ca.crt is no certificate; delete the Secret and run provision.yml"
        )
    return text + "\n"
