# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims about Alertmanager's configuration."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alertmanager_config import (
    AlertmanagerConfigError,
    alertmanager_config,
)

WEBHOOK = {"secrets_dir": "/s", "webhook_url": "https://hooks.example.com/T0KEN?x=1"}
EMAIL = {
    "secrets_dir": "/s",
    "email_to": ["ops@example.com"],
    "email_from": "gpu@example.com",
    "email_smarthost": "smtp.example.com:587",
}


def receiver(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the only receiver."""
    (found,) = alertmanager_config(inputs)["receivers"]
    assert isinstance(found, dict)
    return found


def test_by_default_nobody_is_told() -> None:
    assert receiver({}) == {"name": "owner"}


def test_a_webhooks_address_is_in_a_file() -> None:
    assert receiver(WEBHOOK) == {
        "name": "owner",
        "webhook_configs": [{"url_file": "/s/webhook_url", "send_resolved": True}],
    }
    assert "T0KEN" not in str(alertmanager_config(WEBHOOK))


def test_a_webhook_may_ask_for_a_password_and_have_an_own_authority() -> None:
    given = {"webhook_user": "am", "webhook_password_file": "pw", "webhook_ca_file": "ca"}
    (webhook,) = receiver({**WEBHOOK, **given})["webhook_configs"]
    assert webhook["http_config"] == {
        "basic_auth": {"username": "am", "password_file": "/s/webhook_password"},
        "tls_config": {"ca_file": "/s/webhook_ca.crt"},
    }


def test_mail_goes_to_each_address_encrypted() -> None:
    given = {**EMAIL, "email_to": ["ops@example.com", "Lab <lab@example.com>"]}
    mails = receiver(given)["email_configs"]
    assert [mail["to"] for mail in mails] == ["ops@example.com", "Lab <lab@example.com>"]
    assert mails[0] == {
        "to": "ops@example.com",
        "from": "gpu@example.com",
        "smarthost": "smtp.example.com:587",
        "require_tls": True,
        "send_resolved": True,
    }


def test_one_address_may_be_a_text() -> None:
    mails = receiver({**EMAIL, "email_to": "ops@example.com"})["email_configs"]
    assert [mail["to"] for mail in mails] == ["ops@example.com"]


def test_mail_may_ask_for_a_password() -> None:
    given = {"email_user": "gpu", "email_password_file": "pw", "email_ca_file": "ca"}
    (mail,) = receiver({**EMAIL, **given, "email_tls_required": False})["email_configs"]
    assert (mail["auth_username"], mail["auth_password_file"]) == ("gpu", "/s/email_password")
    assert mail["tls_config"] == {"ca_file": "/s/email_ca.crt"}
    assert mail["require_tls"] is False


def test_both_receivers_get_the_same_alerts() -> None:
    assert set(receiver({**WEBHOOK, **EMAIL})) == {"name", "webhook_configs", "email_configs"}


def test_times_reach_the_route_and_remarks_come_once_a_day() -> None:
    route = alertmanager_config(
        {
            "alert_group_wait_seconds": 1,
            "alert_group_interval_seconds": "5",
            "alert_repeat_hours": 48,
        }
    )["route"]
    assert (route["group_wait"], route["group_interval"]) == ("1s", "5s")
    assert route["repeat_interval"] == "48h"
    assert route["routes"][0]["repeat_interval"] == "48h"
    assert alertmanager_config({})["route"]["routes"][0]["repeat_interval"] == "24h"


def test_alerts_are_grouped_by_cause() -> None:
    assert alertmanager_config({})["route"]["group_by"] == ["cluster", "alertname", "node"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"webhook": "x"}, "webhook: saw an unknown setting"),
        ({"webhook_url": "hooks.example.com"}, "monitoring_webhook_url: expected http:// or"),
        (
            {"webhook_url": "https://me:pw@hooks.example.com"},
            "monitoring_webhook_url: expected http:// or https:// and a host, without user",
        ),
        (
            {"webhook_url": "http://h", "webhook_ca_file": "ca"},
            "monitoring_webhook_ca_file: saw it with an address of http",
        ),
        (
            {"webhook_url": "http://h", "webhook_user": "me"},
            "monitoring_webhook_password_file: saw nothing, expected it together with"
            " monitoring_webhook_user",
        ),
        (
            {"webhook_url": "http://h", "webhook_password_file": "pw"},
            "monitoring_webhook_user: saw nothing, expected it together with"
            " monitoring_webhook_password_file",
        ),
        (
            {"webhook_user": "me"},
            "monitoring_webhook_user: saw it without monitoring_webhook_url, expected both",
        ),
        (
            {"email_from": "a@b.example"},
            "monitoring_email_from: saw it without monitoring_email_to, expected both",
        ),
        (
            {**EMAIL, "email_from": None},
            "monitoring_email_from: saw nothing, expected an e-mail address",
        ),
        (
            {**EMAIL, "email_to": ["ops"]},
            "monitoring_email_to: saw ops, expected an e-mail address",
        ),
        (
            {**EMAIL, "email_smarthost": "smtp.example.com"},
            "monitoring_email_smarthost: saw smtp.example.com, expected the mail server as",
        ),
        (
            {**EMAIL, "email_smarthost": "smtp.example.com:99999"},
            "monitoring_email_smarthost: saw smtp.example.com:99999, expected",
        ),
        (
            {**EMAIL, "email_user": "me"},
            "monitoring_email_password_file: saw nothing, expected it together with",
        ),
        (
            {"alert_repeat_hours": 0},
            "monitoring_alert_repeat_hours: saw 0, expected a whole number from 1 to 720",
        ),
        (
            {"alert_group_wait_seconds": "soon"},
            "monitoring_alert_group_wait_seconds: saw soon, expected a whole number",
        ),
    ],
    ids=[
        "unknown",
        "no-scheme",
        "password-in-address",
        "authority-without-tls",
        "user-alone",
        "password-alone",
        "user-without-address",
        "sender-without-addressee",
        "no-sender",
        "no-address",
        "no-port",
        "port-too-high",
        "mail-user-alone",
        "never-again",
        "no-number",
    ],
)
def test_a_wrong_input_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(AlertmanagerConfigError) as error:
        alertmanager_config(given)
    assert str(error.value).startswith(message)


def test_the_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(AlertmanagerConfigError) as error:
        alertmanager_config({"webhook_url": "https://me:s3cret@hooks.example.com"})
    assert "s3cret" not in str(error.value)
