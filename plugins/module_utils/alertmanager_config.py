# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Alertmanager sends what fires, and what it keeps back.

Whatever is secret stands in files of its own, named here: a webhook's address too, since many
services put their token into it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

PREFIX = "monitoring_"
RECEIVER = "owner"
#: Names of the files with secrets and certificates, below the folder of secrets.
WEBHOOK_URL, WEBHOOK_PASSWORD, WEBHOOK_CA = "webhook_url", "webhook_password", "webhook_ca.crt"
EMAIL_PASSWORD, EMAIL_CA = "email_password", "email_ca.crt"

_KNOWN = frozenset(
    {
        "secrets_dir",
        "webhook_url",
        "webhook_user",
        "webhook_password_file",
        "webhook_ca_file",
        "email_to",
        "email_from",
        "email_smarthost",
        "email_user",
        "email_password_file",
        "email_ca_file",
        "email_tls_required",
        "alert_group_wait_seconds",
        "alert_group_interval_seconds",
        "alert_repeat_hours",
    }
)
#: One message per cause: a node's alerts of one name together.
_TOGETHER = ["cluster", "alertname", "node"]
_GPU = ["cluster", "node", "pci_bus_id"]
#: Hours after which a remark (severity info) is sent again.
_INFO_REPEAT_HOURS = 24


class AlertmanagerConfigError(ValueError):
    """An input from which no configuration can be made."""


def alertmanager_config(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration; AlertmanagerConfigError names the input that is wrong."""
    unknown = sorted(set(inputs) - _KNOWN)
    if unknown:
        raise AlertmanagerConfigError(
            f"{unknown[0]}: saw an unknown setting, expected one of {', '.join(sorted(_KNOWN))}"
        )
    secrets = str(inputs.get("secrets_dir") or "")
    receiver: dict[str, Any] = {"name": RECEIVER}
    webhook = _webhook(inputs, secrets)
    email = _email(inputs, secrets)
    if webhook:
        receiver["webhook_configs"] = [webhook]
    if email:
        receiver["email_configs"] = email
    return {
        "route": _route(inputs),
        "inhibit_rules": _inhibitions(),
        "receivers": [receiver],
    }


def _route(inputs: Mapping[str, Any]) -> dict[str, Any]:
    repeat = _number(inputs, "alert_repeat_hours", 4, 1, 720)
    return {
        "receiver": RECEIVER,
        "group_by": _TOGETHER,
        "group_wait": f"{_number(inputs, 'alert_group_wait_seconds', 30, 0, 3600)}s",
        "group_interval": f"{_number(inputs, 'alert_group_interval_seconds', 300, 1, 86400)}s",
        "repeat_interval": f"{repeat}h",
        "routes": [
            {
                "matchers": ['severity="info"'],
                "repeat_interval": f"{max(repeat, _INFO_REPEAT_HOURS)}h",
            }
        ],
    }


def _inhibitions() -> list[dict[str, Any]]:
    """Return which alert keeps which others back, since it is their cause."""
    return [
        _kept_back('alertname="NodeDown"', 'alertname!="NodeDown"', ["cluster", "node"]),
        _kept_back('severity="critical"', 'severity=~"warning|info"', _TOGETHER),
        _kept_back('alertname="GpuFailed"', 'alertname="GpuXidError"', _GPU),
        {
            "source_matchers": ['alertname=~"GpuEccUncorrected|GpuRowRemapFailure"'],
            # The numbers that the driver logs of the same errors.
            "target_matchers": ['alertname="GpuXidError"', 'xid=~"48|63|64|94|95|140"'],
            "equal": _GPU,
        },
        _kept_back('alertname="GpuThrottled"', 'alertname="GpuHot"', _GPU),
    ]


def _kept_back(source: str, target: str, equal: list[str]) -> dict[str, Any]:
    return {"source_matchers": [source], "target_matchers": [target], "equal": equal}


def _webhook(inputs: Mapping[str, Any], secrets: str) -> Optional[dict[str, Any]]:
    url = _text(inputs, "webhook_url")
    if not url:
        _refuse_without(inputs, "webhook_url", ("webhook_user", "webhook_ca_file"))
        return None
    found = re.fullmatch(r"(https?)://([^/?#\s]+)([/?#]\S*)?", url)
    if not found or "@" in found.group(2):
        # The address may hold a token, so it is not repeated here.
        raise AlertmanagerConfigError(
            "monitoring_webhook_url: expected http:// or https:// and a host, without user and "
            "password (they have monitoring_webhook_user and monitoring_webhook_password_file)"
        )
    if inputs.get("webhook_ca_file") and found.group(1) == "http":
        raise AlertmanagerConfigError(
            "monitoring_webhook_ca_file: saw it with an address of http, which has no "
            "certificate; set monitoring_webhook_url to https:// or leave the file out"
        )
    settings: dict[str, Any] = {}
    user = _pair(inputs, "webhook_user", "webhook_password_file")
    if user:
        password = f"{secrets}/{WEBHOOK_PASSWORD}"
        settings["basic_auth"] = {"username": user, "password_file": password}
    if inputs.get("webhook_ca_file"):
        settings["tls_config"] = {"ca_file": f"{secrets}/{WEBHOOK_CA}"}
    webhook: dict[str, Any] = {"url_file": f"{secrets}/{WEBHOOK_URL}", "send_resolved": True}
    return {**webhook, "http_config": settings} if settings else webhook


def _email(inputs: Mapping[str, Any], secrets: str) -> list[dict[str, Any]]:
    given = inputs.get("email_to") or []
    people = [given] if isinstance(given, str) else [str(each) for each in given]
    if not people:
        _refuse_without(inputs, "email_to", ("email_from", "email_smarthost", "email_user"))
        return []
    sender = _address("email_from", _text(inputs, "email_from"))
    common: dict[str, Any] = {
        "from": sender,
        "smarthost": _smarthost(_text(inputs, "email_smarthost")),
        "require_tls": bool(inputs.get("email_tls_required", True)),
        "send_resolved": True,
    }
    user = _pair(inputs, "email_user", "email_password_file")
    if user:
        common["auth_username"] = user
        common["auth_password_file"] = f"{secrets}/{EMAIL_PASSWORD}"
    if inputs.get("email_ca_file"):
        common["tls_config"] = {"ca_file": f"{secrets}/{EMAIL_CA}"}
    return [{"to": _address("email_to", each), **common} for each in people]


def _smarthost(value: str) -> str:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})", value)
    if not found or not 0 < int(found.group(2)) < 65536:
        raise AlertmanagerConfigError(
            f"monitoring_email_smarthost: saw {value or 'nothing'}, expected the mail server as "
            "HOST:PORT, such as smtp.example.com:587"
        )
    return value


def _address(name: str, value: str) -> str:
    if not re.search(r"[^\s@<>]+@[^\s@<>]+", value) or "\n" in value:
        raise AlertmanagerConfigError(
            f"{PREFIX}{name}: saw {value or 'nothing'}, expected an e-mail address"
        )
    return value


def _pair(inputs: Mapping[str, Any], user: str, password_file: str) -> str:
    """Return the user; both or neither must be given."""
    name = _text(inputs, user)
    if bool(name) != bool(inputs.get(password_file)):
        there, missing = (user, password_file) if name else (password_file, user)
        raise AlertmanagerConfigError(
            f"{PREFIX}{missing}: saw nothing, expected it together with {PREFIX}{there}"
        )
    return name


def _refuse_without(inputs: Mapping[str, Any], needed: str, others: tuple[str, ...]) -> None:
    for name in others:
        if inputs.get(name):
            raise AlertmanagerConfigError(
                f"{PREFIX}{name}: saw it without {PREFIX}{needed}, expected both; set the one or "
                "leave the other out"
            )


def _text(inputs: Mapping[str, Any], name: str) -> str:
    return str(inputs.get(name) or "").strip()


def _number(inputs: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = inputs.get(name, default)
    try:
        number = int(str(value))
    except ValueError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise AlertmanagerConfigError(
            f"{PREFIX}{name}: saw {value}, expected a whole number from {low} to {high}"
        )
    return number
