#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have every scrape target up and every expected metric fresh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: monitoring_check
short_description: Have every scrape target up and every expected metric fresh
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks a server with the API of Prometheus until every target is up, every expected metric has a fresh sample for every target of its job and
    every rule was judged, or until the time is over. Then it fails and names each that is not, what the server says about it, and a command.
  - Also looks whether server and Alertmanager refuse who has no password.
  - Runs on a host that reaches the server and holds the password in a file. Proxies are not used.
extends_documentation_fragment: rackforge.gpu_cluster.attributes.read_only
options:
  url:
    description: The server, such as V(https://192.0.2.10:9090).
    type: str
    required: true
  targets_url:
    description: "The server that scrapes. When not set: O(url)."
    type: str
  rules_url:
    description: "The server that judges rules. When not set: O(url)."
    type: str
  alertmanager_url:
    description: "Alertmanager. When not set: it is not asked."
    type: str
  user:
    description: User that is known to all of them.
    type: str
    default: admin
  password_file:
    description: File on this node with the password.
    type: path
    default: /etc/rackforge-monitoring/secrets/server_password
  ca_file:
    description: Certificates on this node that sign the servers', or the servers' own.
    type: path
  certificate_name:
    description: "Name in the servers' certificate. When not set: the address in the URL."
    type: str
  targets:
    description: The targets, as M(rackforge.gpu_cluster.scrape_targets) takes them.
    type: dict
    default: {}
  metrics:
    description: Names of metrics that every target of a job must have, by job.
    type: dict
    default: {}
  fresh_seconds:
    description: Age up to which a sample counts as fresh. The default is four scrapes of 15 s.
    type: int
    default: 60
  timeout:
    description: Seconds to wait for all of it.
    type: int
    default: 120
  report:
    description: Whether to look once and tell what was found, alerts that fire included, instead of failing because of it.
    type: bool
    default: false
  answers_only:
    description: Whether it is enough that the server answers, even if it wants a password, as for one that is the owner's own.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Wait for the node exporters
  rackforge.gpu_cluster.monitoring_check:
    url: http://192.0.2.10:9090
    targets:
      gpu-7:
        node:
          - targets: ["192.0.2.17:9100"]
    metrics:
      node: [node_load1]
"""

RETURN = r"""
targets:
  description: Number of targets that are up.
  returned: success
  type: int
  sample: 12
metrics:
  description: Number of metrics, each for all targets of its job, that are fresh.
  returned: success
  type: int
  sample: 4
problems:
  description: What is not as expected, one sentence each.
  returned: failure, or with O(report)
  type: list
  elements: str
  sample: ["target 192.0.2.17:9100 (job node, host gpu-7): saw 'connection refused', expected up"]
firing:
  description: The alerts that fire, the gravest first; empty where the server does not answer.
  returned: with O(report)
  type: list
  elements: dict
  sample: [{alert: GpuFailed, severity: critical, node: gpu-7}]
"""

import time
import urllib.parse
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.monitoring_check import (
    FIRING,
    MonitoringCheckError,
    age_query,
    expected_targets,
    metric_problems,
    parse_firing,
    parse_last_errors,
    parse_samples,
    rule_problems,
    rules_wait,
    target_problems,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.web_ask import (
    Login,
    Trust,
    WebAskError,
    ask,
)

PAUSE_SECONDS = 2.0
#: Longest that one question may take; the loop asks again.
ANSWER_SECONDS = 10.0
UNAUTHORIZED = 401


class Servers:
    """The servers that are asked."""

    def __init__(self, params: dict[str, Any], login: Optional[Login]) -> None:
        self._params = params
        self._login = login
        self._trust = Trust(params["ca_file"], params["certificate_name"])

    def text(self, base: str, path: str, **query: str) -> str:
        """Return an answer that is no refusal."""
        url = base.rstrip("/") + path + ("?" + urllib.parse.urlencode(query) if query else "")
        status, text = ask(url, self._login, self._trust, ANSWER_SECONDS)
        if status == UNAUTHORIZED:
            raise WebAskError(
                f"{base}: saw 401, expected it to know the password in "
                f"{self._params['password_file']}; run the installation again"
            )
        if status >= 300:
            raise WebAskError(f"{base}{path}: saw {status} {text[:200].strip()}, expected 200")
        return text

    def open_doors(self) -> list[str]:
        """Return which of the servers answer without a password."""
        found = []
        for base, path in self._doors():
            status, _text = ask(base.rstrip("/") + path, None, self._trust, ANSWER_SECONDS)
            if status != UNAUTHORIZED:
                found.append(
                    f"{base}: saw {status} without a password, expected 401; run the installation "
                    "again and look for another program on that port (ss -tlnp)"
                )
        return found

    def _doors(self) -> list[tuple[str, str]]:
        params = self._params
        doors = [(params["url"], "/api/v1/query?query=up")]
        if params["alertmanager_url"]:
            doors.append((params["alertmanager_url"], "/api/v2/status"))
        return doors


def look(params: dict[str, Any], servers: Servers) -> list[str]:
    """Return everything that is not as expected now."""
    url = params["url"]
    expected = expected_targets(params["targets"])
    errors = parse_last_errors(
        servers.text(params["targets_url"] or url, "/api/v1/targets", state="active")
    )
    up = parse_samples(servers.text(url, "/api/v1/query", query="up"))
    problems = target_problems(expected, up, errors)
    for job, metrics in sorted(params["metrics"].items()):
        of_job = [target for target in expected if target.job == job]
        for metric in metrics if of_job else []:
            ages = parse_samples(servers.text(url, "/api/v1/query", query=age_query(metric, job)))
            problems += metric_problems(metric, of_job, ages, params["fresh_seconds"])
    rules = servers.text(params["rules_url"] or url, "/api/v1/rules")
    problems += rule_problems(rules)
    if rules_wait(rules):
        problems.append("rules: saw some not judged yet, expected all; wait for one interval")
    if params["alertmanager_url"]:
        servers.text(params["alertmanager_url"], "/api/v2/status")
    return problems + servers.open_doors()


def wait(params: dict[str, Any], servers: Servers) -> list[str]:
    """Return what is still not as expected when the time is over."""
    deadline = time.monotonic() + params["timeout"]
    while True:
        try:
            problems = look(params, servers)
        except (WebAskError, MonitoringCheckError) as error:
            problems = [str(error)]
        if not problems or time.monotonic() + PAUSE_SECONDS > deadline:
            return problems
        time.sleep(PAUSE_SECONDS)


def firing(params: dict[str, Any], servers: Servers) -> list[dict[str, str]]:
    """Return the alerts that fire now, none where nobody can tell."""
    try:
        return parse_firing(servers.text(params["url"], "/api/v1/query", query=FIRING))
    except (WebAskError, MonitoringCheckError):
        return []


def answers(module: AnsibleModule) -> None:
    """Have a server answer, whatever it says, and end."""
    params = module.params
    try:
        trust = Trust(params["ca_file"], params["certificate_name"])
        status, _text = ask(params["url"].rstrip("/") + "/-/ready", None, trust, ANSWER_SECONDS)
    except WebAskError as error:
        if params["report"]:
            module.exit_json(changed=False, targets=0, metrics=0, problems=[str(error)], firing=[])
        module.fail_json(
            msg=f"{error}; expected the owner's server there. Start it, or set "
            "monitoring_source=distribution to get one",
            problems=[str(error)],
        )
        return
    if status not in (200, UNAUTHORIZED):
        module.fail_json(
            msg=f"{params['url']}: saw {status}, expected a server that is ready", problems=[]
        )
    module.exit_json(changed=False, targets=0, metrics=0, problems=[], firing=[])


def arguments() -> dict[str, Any]:
    """Return the module's argument spec."""
    return {
        "url": {"type": "str", "required": True},
        "targets_url": {"type": "str"},
        "rules_url": {"type": "str"},
        "alertmanager_url": {"type": "str"},
        "user": {"type": "str", "default": "admin"},
        "password_file": {
            "type": "path",
            "default": "/etc/rackforge-monitoring/secrets/server_password",
            "no_log": False,
        },
        "ca_file": {"type": "path"},
        "certificate_name": {"type": "str"},
        "targets": {"type": "dict", "default": {}},
        "metrics": {"type": "dict", "default": {}},
        "fresh_seconds": {"type": "int", "default": 60},
        "timeout": {"type": "int", "default": 120},
        "report": {"type": "bool", "default": False},
        "answers_only": {"type": "bool", "default": False},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    params = module.params
    if params["answers_only"]:
        answers(module)
    try:
        with open(params["password_file"], encoding="utf-8") as file:
            login = Login(params["user"], file.read().strip())
    except OSError as error:
        told = (
            f"{params['password_file']}: {error.strerror}, expected the password that the "
            "installation brings; run provision.yml"
        )
        if params["report"]:
            module.exit_json(changed=False, targets=0, metrics=0, problems=[told], firing=[])
        module.fail_json(msg=told, problems=[])
        return
    servers = Servers(params, login)
    problems = wait(params, servers)
    told_besides: dict[str, Any] = {}
    if params["report"]:
        told_besides = {"problems": problems, "firing": firing(params, servers)}
    elif problems:
        module.fail_json(
            msg=f"Monitoring is not complete after {params['timeout']} s: " + " | ".join(problems),
            problems=problems,
        )
    module.exit_json(
        changed=False,
        targets=len(expected_targets(params["targets"])),
        metrics=sum(len(each) for each in params["metrics"].values()),
        **told_besides,
    )


if __name__ == "__main__":
    main()
