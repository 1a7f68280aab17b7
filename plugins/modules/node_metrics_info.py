#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a node's exporter for its metrics, and say what is wrong with them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: node_metrics_info
short_description: Check that a node exporter answers, and only who may ask
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Asks the exporter on its own node, with and without the password, until it answers as it should or the time is over.
  - With O(stage=before) it only says who holds the port, if that is somebody else.
extends_documentation_fragment:
  - rackforge.gpu_cluster.attributes.read_only
options:
  stage:
    description: V(before) an installation the port is looked at, V(after) it the answers.
    type: str
    choices: [before, after]
    default: after
  address:
    description: Address on which the exporter listens.
    type: str
    required: true
  port:
    description: Its port.
    type: int
    required: true
  tls:
    description: Whether it speaks TLS. Its certificate is not judged here, since it may be for a name that this node does not know.
    type: bool
    default: false
  user:
    description: Name of the user who may ask.
    type: str
    default: prometheus
  secret:
    description: File on the control node that holds the user's password. Without it nothing is said of who may ask.
    type: path
  password:
    description: The password; filled in by the control node's half.
    type: str
  directory:
    description: Where the collector writes, for messages.
    type: path
    default: /var/lib/rackforge-node-metrics
  max_age:
    description: How many seconds old the collector's values may be. The default is four runs of 15 s.
    type: float
    default: 60
  timeout:
    description: Seconds that exporter and collector get to answer as they should. The default is this collection's choice.
    type: float
    default: 60
"""

EXAMPLES = r"""
- name: Find out who holds the port
  rackforge.gpu_cluster.node_metrics_info:
    stage: before
    address: 10.0.0.11
    port: 9100

- name: Have metrics that are fresh
  rackforge.gpu_cluster.node_metrics_info:
    address: 10.0.0.11
    port: 9100
    secret: "{{ inventory_dir }}/secrets/lab/node_metrics_password"
"""

RETURN = r"""
url:
  description: Where the metrics are.
  returned: success
  type: str
  sample: http://10.0.0.11:9100/metrics
samples:
  description: How many values the exporter shows.
  returned: success
  type: int
  sample: 1243
gpus:
  description: GPUs that are expected, on the bus (C(present)) and usable, as far as known.
  returned: success
  type: dict
  sample: {expected: 8, present: 8, usable: 8}
"""

import base64
import ssl
import time
import urllib.error
import urllib.request
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_links_processes import (
    Processes,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_metrics_check import (
    UNIT,
    Answer,
    Found,
    judge_collector,
    judge_exporter,
    judge_port,
    parse_metrics,
)

PAUSE = 1.0
#: Seconds for one answer; a scrape of Prometheus has 10 by default.
ONE_ANSWER = 10.0


def fetch(url: str, credentials: Optional[str]) -> Answer:
    """Return the answer to one request."""
    request = urllib.request.Request(url)
    if credentials is not None:
        word = base64.b64encode(credentials.encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(request, timeout=ONE_ANSWER) as answer:
            return Answer(answer.status, answer.read().decode("utf-8", "replace"))
    except urllib.error.HTTPError as error:
        return Answer(error.code)
    except (OSError, ValueError) as error:
        return Answer(error=f"no answer ({getattr(error, 'reason', None) or error})")


def look(params: dict[str, Any], url: str) -> tuple[list[str], Found]:
    """Return what is wrong now, and what the exporter shows."""
    password = params["password"]
    credentials = f"{params['user']}:{password}" if password else None
    answer = fetch(url, credentials)
    closed = fetch(url, None) if password else None
    problems = judge_exporter(url, closed, answer)
    found = parse_metrics(answer.text)
    if not problems:
        problems = judge_collector(found, time.time(), params["max_age"], params["directory"])
    return problems, found


def answers(module: AnsibleModule) -> None:
    """Wait until the exporter answers as it should, and exit."""
    params = module.params
    scheme = "https" if params["tls"] else "http"
    host = f"[{params['address']}]" if ":" in params["address"] else params["address"]
    url = f"{scheme}://{host}:{params['port']}/metrics"
    deadline = time.monotonic() + params["timeout"]
    problems, found = look(params, url)
    while problems and time.monotonic() < deadline:
        time.sleep(PAUSE)
        problems, found = look(params, url)
    if problems:
        module.fail_json(msg=f"After {params['timeout']:g} s: {'; '.join(problems)}")
    module.exit_json(changed=False, url=url, samples=found.samples, gpus=dict(found.gpus))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "stage": {"type": "str", "choices": ["before", "after"], "default": "after"},
            "address": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "tls": {"type": "bool", "default": False},
            "user": {"type": "str", "default": "prometheus"},
            "secret": {"type": "path", "no_log": False},
            "password": {"type": "str", "no_log": True},
            "directory": {"type": "path", "default": "/var/lib/rackforge-node-metrics"},
            "max_age": {"type": "float", "default": 60},
            "timeout": {"type": "float", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.params["stage"] == "after":
        answers(module)
        return
    address, port = module.params["address"], module.params["port"]
    listeners = Processes(Command(module)).describe(None, True)["listeners"] or []
    problem = judge_port(listeners, address, port, [UNIT])
    if problem:
        module.fail_json(msg=problem)
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
