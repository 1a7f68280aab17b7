#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the token with which a k3s cluster's metrics may be read."""

from __future__ import annotations

DOCUMENTATION = r"""
module: k3s_metrics_credentials
short_description: Read the token with which a k3s cluster's metrics may be read
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Reads the Secret of type C(kubernetes.io/service-account-token) that role C(rackforge.gpu_cluster.k3s) deploys with
    C(k3s_metrics_reader=true), and waits until Kubernetes has filled it in. Run it on a server.
  - The result holds a secret, so the task needs C(no_log=true).
  - One request may take 10 seconds, one call of kubectl 60.
attributes:
  check_mode:
    support: full
    description: Only reads. Where the cluster or the Secret would come with the run, RV(ready) is false and nothing fails.
  diff_mode:
    support: N/A
    description: Changes nothing, so there is nothing to compare.
  idempotent:
    support: N/A
    description: Changes nothing.
options:
  name:
    description: Name of the Secret.
    type: str
    default: rackforge-metrics-reader
  namespace:
    description: Namespace that it is in.
    type: str
    default: kube-system
  kubeconfig:
    description: The administrator's kubeconfig on the server.
    type: path
    default: /etc/rancher/k3s/k3s.yaml
  timeout:
    description: Seconds to wait for the API and for the token. 60 is this collection's choice; k3s looks for manifests every 15 seconds.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Read what the monitoring host needs
  rackforge.gpu_cluster.k3s_metrics_credentials:
  no_log: true
  register: metrics
"""

RETURN = r"""
ready:
  description: Whether the token is there; false in check mode alone, where a run would make it.
  returned: success
  type: bool
  sample: true
token:
  description: The token, which does not end; empty where RV(ready) is false. A secret.
  returned: success
  type: str
  sample: eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQifQ.c2lnbmF0dXJl
ca:
  description: The authority (PEM) that signed the certificates of the API and of every kubelet; empty where RV(ready) is false.
  returned: success
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    MIIBdzCCAR2gAwIBAgIBADAKBggqhkjOPQQDAjAjMSEwHwYDVQQDDBhrM3Mtc2Vy
    -----END CERTIFICATE-----
waited_seconds:
  description: How long the module waited.
  returned: success
  type: float
  sample: 2.1
"""

import os
import time
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.command import Command
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_kubectl import (
    Kubectl,
    KubectlError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_metrics import (
    NAME,
    NAMESPACE,
    Credentials,
    MetricsCredentialsError,
    credentials_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_paths import KUBECONFIG

POLL_SECONDS = 1.0
ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "default": NAME},
    "namespace": {"type": "str", "default": NAMESPACE},
    "kubeconfig": {"type": "path", "default": KUBECONFIG},
    "timeout": {"type": "int", "default": 60},
}


class NotReadyError(Exception):
    """There is no token, and why."""


def look(kubectl: Kubectl, name: str, namespace: str) -> Credentials:
    """Return the credentials; NotReadyError says why there are none yet."""
    where = f"the Secret {name} in {namespace}"
    try:
        secret = kubectl.get("secret", name, namespace)
    except KubectlError as error:
        raise NotReadyError(f"the API did not tell of {where}: {error}") from error
    if secret is None:
        raise NotReadyError(
            f"{where} is not there; with k3s_metrics_reader=true provision.yml deploys it"
        )
    found = credentials_of(secret, where)
    if found is None:
        raise NotReadyError(
            f"{where} has no token; 'k3s kubectl --namespace {namespace} describe secret {name}' "
            "and k3s's log ('journalctl --unit k3s') tell more"
        )
    return found


def watch(kubectl: Kubectl, params: dict[str, Any], timeout: float) -> Credentials:
    """Return the credentials as soon as they are there; the last reason when the time is over."""
    started = time.monotonic()
    while True:
        try:
            return look(kubectl, params["name"], params["namespace"])
        except NotReadyError:
            if time.monotonic() - started >= timeout:
                raise
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params, check = module.params, module.check_mode
    started = time.monotonic()
    found: Optional[Credentials] = None
    try:
        if not os.path.exists(params["kubeconfig"]):
            why = "no server of k3s has run here; run this on a host of group k3s_server"
            raise NotReadyError(f"{params['kubeconfig']} is not there: {why}")
        kubectl = Kubectl(Command(module), params["kubeconfig"])
        found = watch(kubectl, params, 0 if check else params["timeout"])
    except MetricsCredentialsError as error:
        module.fail_json(msg=str(error))
    except NotReadyError as error:
        if not check:
            module.fail_json(msg=f"No token to read metrics with: {error}")
    module.exit_json(
        changed=False,
        ready=found is not None,
        token=found.token if found else "",
        ca=found.authority if found else "",
        waited_seconds=round(time.monotonic() - started, 1),
    )


if __name__ == "__main__":
    main()
