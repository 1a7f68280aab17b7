# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that this collection reads, from its roles' argument specs and its playbooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_limits import limited
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_lists import Item
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.input_rules import (
    Input,
    Kind,
)

COLLECTION_ROOT = Path(__file__).resolve().parents[2]

# Inputs that playbooks read themselves or hand to roles under another name; what a role's spec has
# is not repeated here.
PLAYBOOK_INPUTS = (
    Input(
        "boot_time_command",
        meaning="Command that prints something which differs after each boot of a node. Needed "
        "only where the kernel's boot id does not (containers).",
    ),
    Input(
        "bootstrap_accept_new_host_keys",
        Kind.BOOLEAN,
        meaning="Whether bootstrap.yml records the SSH host key of a machine that is not known "
        "yet, and shows its fingerprint; true when not set. A changed key is refused always.",
    ),
    Input(
        "bootstrap_connect_timeout_seconds",
        Kind.INTEGER,
        meaning="Seconds that bootstrap.yml waits for a connection; 10 when not set.",
    ),
    Input("bootstrap_hosts", meaning="Hosts of bootstrap.yml; all when not set."),
    Input(
        "bootstrap_key_type",
        choices=("ed25519", "rsa"),
        meaning="Type of the cluster's SSH key pair; ed25519 when not set, rsa has 4096 bits.",
    ),
    Input(
        "bootstrap_python",
        Kind.BOOLEAN,
        meaning="Whether bootstrap.yml installs a Python where a node's own is too old (EL 8) or "
        "missing; true when not set.",
    ),
    Input(
        "bootstrap_state",
        choices=("present", "absent"),
        meaning="absent: bootstrap.yml takes key and sudo rule out again.",
    ),
    Input(
        "bootstrap_sudo",
        Kind.BOOLEAN,
        meaning="Whether bootstrap.yml lets the login user become root without a password; false "
        "when not set.",
    ),
    Input(
        "cluster_control_addresses",
        meaning="Addresses or networks of control nodes and operators, who may reach the "
        "dashboard, Serve and metrics where a firewall is on. When not set: the address from "
        "which Ansible connects, so set it where runs come from several machines.",
    ),
    Input(
        "cluster_developer_addresses",
        meaning="Addresses or networks of developers, who may reach the Ray client port where a "
        "firewall is on.",
    ),
    Input(
        "cluster_http_proxy",
        meaning="Proxy for http:// of the nodes' tools and of Docker Engine, unless "
        "os_base_http_proxy or docker_http_proxy says otherwise.",
    ),
    Input(
        "cluster_https_proxy",
        meaning="Proxy for https://, likewise. Most proxies want an http:// address here too.",
    ),
    Input("cluster_name", meaning="Name of the cluster; gpu-cluster when not set."),
    Input(
        "cluster_no_proxy",
        meaning="What is reached without the proxy besides the members of the cluster, whose "
        "names and addresses are added from the inventory.",
    ),
    Input(
        "cluster_reboot",
        Kind.BOOLEAN,
        meaning="Whether provision.yml boots nodes that wait for it (kernel arguments, SELinux's "
        "mode, GPU drivers); true when not set. It names them first, and never boots the machine "
        "that Ansible runs on, nor one with Ray jobs, containers of yours or programs on a GPU. "
        "false: it names them and leaves them.",
    ),
    Input(
        "cluster_reboot_batch",
        meaning="How many nodes are booted at a time, as a number or a percentage; 1 when not set.",
    ),
    Input(
        "cluster_secrets_dir",
        meaning="Directory on the control node for the cluster's secrets; "
        "secrets/<cluster_name> beside the inventory when not set. Where -i names a directory, "
        "that is beside the directory, since Ansible reads every file within it as inventory; so "
        "it is with cluster_state_dir and preflight_report_dir.",
    ),
    Input(
        "cluster_state_dir",
        meaning="Directory on the control node for the record of each cluster; state beside the "
        "inventory when not set.",
    ),
    Input(
        "cluster_subnet",
        Kind.SUBNET,
        meaning="The cluster network, such as 198.18.0.0/24; a node address outside it is an "
        "error.",
    ),
    Input(
        "cluster_take_lock",
        Kind.BOOLEAN,
        meaning="Whether an operation that another machine began, of which cannot be seen whether "
        "it still runs, is taken for ended.",
    ),
    Input(
        "convect_token",
        Kind.HIDDEN,
        meaning="k3s_token as the ConvectHub document writes it; k3s_token counts more. The "
        "document's own value is not used, since everybody can read it.",
    ),
    Input(
        "convect_workdir",
        meaning="Of the ConvectHub document. It is not read: nothing is kept in such a directory.",
    ),
    Input(
        "discover_accept_new_host_keys",
        Kind.BOOLEAN,
        meaning="As bootstrap_accept_new_host_keys, for discover.yml.",
    ),
    Input(
        "discover_output",
        meaning="File that discover.yml writes; inv.ini when not set. One that exists is kept.",
    ),
    Input("discover_port", Kind.INTEGER, meaning="SSH port to look for; 22 when not set."),
    Input("discover_private_key_file", meaning="Key to log in with."),
    Input(
        "discover_targets",
        meaning="Addresses and subnets to look at, with commas between them; at most 4096 "
        "addresses.",
    ),
    Input(
        "discover_timeout_seconds",
        Kind.INTEGER,
        meaning="Seconds that a port may take to answer; 3 when not set.",
    ),
    Input("discover_user", meaning="User to log in as."),
    Input(
        "docker_repo",
        meaning="Mirror of Docker's repository as the ConvectHub document writes it, with or "
        "without the distribution's name at its end; docker_repository_url counts more.",
    ),
    Input(
        "gpu_burn_force",
        Kind.BOOLEAN,
        meaning="Whether gpu_burn.yml loads GPUs that programs use; false when not set.",
    ),
    Input(
        "gpu_burn_seconds",
        Kind.INTEGER,
        meaning="Seconds for which gpu_burn.yml loads the GPUs; 60 when not set.",
    ),
    Input(
        "gpu_burn_temperature_limit_c",
        Kind.INTEGER,
        meaning="Degrees Celsius above which a GPU fails in gpu_burn.yml; 90 when not set.",
    ),
    Input(
        "gpu_vendor",
        choices=("nvidia", "amd"),
        meaning="Maker of the GPUs that count on the node; found when not set, and NVIDIA where it "
        "has both.",
    ),
    Input(
        "has_gpu",
        Kind.BOOLEAN,
        meaning="Whether the node has GPUs for the cluster; false when not set. When true, their "
        "driver and container toolkit are installed, and a node without a GPU is an error.",
    ),
    Input(
        "http_port",
        Kind.INTEGER,
        meaning="k3s_http_port as the ConvectHub document writes it; k3s_http_port counts more.",
    ),
    Input(
        "https_port",
        Kind.INTEGER,
        meaning="k3s_https_port as the ConvectHub document writes it; k3s_https_port counts more.",
    ),
    Input(
        "install_docker",
        Kind.BOOLEAN,
        meaning="false: the node's Docker Engine is its owner's, it is checked and left alone.",
    ),
    Input(
        "install_nvidia_driver",
        Kind.BOOLEAN,
        meaning="false: the node's NVIDIA driver is its owner's, it is checked and left alone; "
        "true when not set.",
    ),
    Input(
        "jhub_config_path",
        Kind.FILE,
        meaning="Values of JupyterHub's Helm chart, a file on the control node, as the ConvectHub "
        "document writes it; a relative path begins beside the inventory, beside the playbook, or "
        "where the command is run. JupyterHub is installed when it is set.",
    ),
    Input(
        "k3s_upgrade_batch",
        meaning="How many k3s agents k3s_upgrade.yml empties and replaces at a time, as a number "
        "or a percentage, with -e; 1 when not set. Servers are always one at a time.",
    ),
    Input(
        "management_bundles",
        Kind.LIST,
        meaning="Bundles of manifests that management.yml deploys, each with name and src.",
    ),
    Input(
        "management_metrics_nodes",
        Kind.LIST,
        meaning="Agents that hold the metrics database; as many as its replicas when not set.",
    ),
    Input(
        "management_minimum_workers",
        Kind.INTEGER,
        meaning="Workers that the management cluster needs; 3 when not set, as the document says.",
    ),
    Input(
        "management_registry_nodes",
        Kind.LIST,
        meaning="Agents that hold the registries' database; as many as its replicas when not set.",
    ),
    Input(
        "management_services",
        Kind.LIST,
        meaning="Services in management.yml's table; those of the AIGr.id document when not set.",
    ),
    Input(
        "my_iface",
        meaning="The interface on the cluster network. When not set: the one with an address in "
        "cluster_subnet, else the one with the default route.",
    ),
    Input(
        "new_head",
        meaning="The node that is to be the Ray head after the one that remove_node.yml refuses to "
        "take out; it stands in the steps that the refusal names.",
    ),
    Input(
        "node",
        meaning="Names in the inventory, one or several with commas, that drain.yml takes out of "
        "service, undrain.yml brings back and remove_node.yml takes out of the cluster.",
    ),
    Input(
        "node_is_gone",
        Kind.BOOLEAN,
        meaning="Whether remove_node.yml forgets nodes that do not answer any more, instead of "
        "resetting them.",
    ),
    Input(
        "preflight_bandwidth",
        Kind.BOOLEAN,
        meaning="Whether preflight measures the bandwidth from each node to the next one; false "
        "when not set, since it fills the network for a moment.",
    ),
    Input(
        "preflight_ignore",
        meaning="Codes of findings that do not count, as a list or with commas between them. The "
        "report says which ones were ignored.",
    ),
    Input(
        "preflight_own_variables",
        meaning="Variables of yours that resemble ours and are no misspellings.",
    ),
    Input(
        "preflight_ports",
        choices=("required", "full", "sample", "off"),
        meaning="Which ports preflight tests between the nodes; required when not set. required: "
        "all that docs/ports.md names, of the profile lan 1,024. full: all of that one too. "
        "sample: 64 of each range that has more, other ones in each run. off: none.",
    ),
    Input(
        "preflight_ports_rate",
        Kind.INTEGER,
        meaning="Connections a second that a node opens at most while preflight tests ports; "
        "20,000 when not set.",
    ),
    Input(
        "preflight_ports_seconds",
        Kind.INTEGER,
        meaning="Seconds after which the listeners of preflight vanish by themselves, whatever "
        "became of the run, and for which a node tries ports; when not set, 120, and for each "
        "batch of as many nodes as there are forks 20 and 1 for each node.",
    ),
    Input(
        "preflight_profiles",
        meaning="What the nodes are for besides what the groups say, as a list or with commas "
        "between them: management (AIGr.id), lan (Vast); docs/ports.md says which ports that adds.",
    ),
    Input(
        "preflight_report_dir",
        meaning="Directory on the control node for preflight.json and report.html; preflight "
        "beside the inventory when not set.",
    ),
    Input(
        "preflight_reserved_subnets",
        meaning="Networks that nothing of the cluster may use, such as those of a VPN.",
    ),
    Input(
        "preflight_timeout_seconds",
        Kind.INTEGER,
        meaning="Seconds that a node may take to answer; 60 when not set.",
    ),
    Input(
        "preflight_tolerate_unreachable",
        Kind.BOOLEAN,
        meaning="Whether workers that do not answer are left out instead of ending the run; "
        "provision.yml sets it.",
    ),
    Input(
        "remove_node_force",
        Kind.BOOLEAN,
        meaning="Whether remove_node.yml loses what runs on the nodes, and the owner's "
        "containers and volumes there, instead of waiting for the work of Ray.",
    ),
    Input(
        "remove_node_timeout_seconds",
        Kind.INTEGER,
        meaning="Seconds that remove_node.yml waits for the work of Ray on the nodes that leave; "
        "600 when not set.",
    ),
    Input(
        "reset_drain_timeout_seconds",
        Kind.INTEGER,
        meaning="Seconds that reset.yml, where --limit leaves the Ray head out, waits for the work "
        "of Ray on the nodes that leave; 600 when not set.",
    ),
    Input(
        "reset_force",
        Kind.BOOLEAN,
        meaning="Whether reset.yml loses running jobs, and the owner's containers and volumes.",
    ),
    Input(
        "reset_monitoring_data",
        Kind.BOOLEAN,
        meaning="Whether reset.yml and remove_node.yml delete what the monitoring host gathered; "
        "when not set, reset.yml keeps it and remove_node.yml asks for an answer.",
    ),
    Input(
        "reset_nodes",
        Kind.LIST,
        meaning="The nodes that leave; remove_node.yml sets it. All when not set.",
    ),
    Input(
        "rotate_batch",
        meaning="How many agents rotate_k3s_certificates.yml restarts at a time, as a number or a "
        "percentage; 1 when not set.",
    ),
    Input(
        "rotate_force",
        Kind.BOOLEAN,
        meaning="Whether rotate_ray_token.yml restarts Ray although jobs run, which are lost.",
    ),
    Input(
        "status_exit",
        Kind.BOOLEAN,
        meaning="Whether status.yml ends with 2 for a cluster that does not work and with 4 for "
        "a degraded one; true when not set.",
    ),
    Input("status_file", meaning="File on the control node for status.yml's JSON document."),
    Input("status_format", choices=("text", "json"), meaning="What status.yml prints."),
    Input("status_report", meaning="File on the control node for status.yml's page."),
    Input(
        "upgrade_batch",
        meaning="How many nodes upgrade_nodes.yml upgrades at a time, as a number or a "
        "percentage; 1 when not set. k3s servers and the Ray head are always alone.",
    ),
    Input(
        "upgrade_force",
        Kind.BOOLEAN,
        meaning="Whether upgrade.yml loses running Ray jobs, which it then names, and ends "
        "programs that use a GPU; false when not set.",
    ),
    Input(
        "upgrade_nodes",
        Kind.BOOLEAN,
        meaning="Whether upgrade.yml brings GPU drivers, Docker Engine and packages too; when not "
        "set, it does unless upgrade_rollback is true.",
    ),
    Input(
        "upgrade_packages",
        Kind.BOOLEAN,
        meaning="Whether an upgrade brings packages of the system too; false when not set. Those "
        "that are held stay. os_base_upgrade_packages=security limits it.",
    ),
    Input(
        "upgrade_plan_only",
        Kind.BOOLEAN,
        meaning="Whether upgrade.yml shows its plan and does nothing else, as with --check; false "
        "when not set.",
    ),
    Input(
        "upgrade_reboot",
        choices=("needed", "always"),
        meaning="Whether upgrade_nodes.yml boots each node that it changes, or only those where "
        "something holds from the next boot on; needed when not set.",
    ),
    Input(
        "upgrade_rollback",
        Kind.BOOLEAN,
        meaning="Whether upgrade.yml goes back instead: Ray to the release that the nodes kept, "
        "k3s to an older patch given as k3s_version, a driver to an older version that is named; "
        "false when not set.",
    ),
    Input(
        "upgrade_wait_for_jobs",
        meaning="Seconds that upgrade.yml and upgrade_nodes.yml wait for Ray jobs before they stop "
        "the head; true: as long as they take. When not set they refuse while there are some.",
    ),
)

_KINDS = {
    "bool": Kind.BOOLEAN,
    "int": Kind.INTEGER,
    "float": Kind.NUMBER,
    "list": Kind.LIST,
    "dict": Kind.DICT,
}
#: Options of roles that name a file of the control node which must be there.
_FILES = frozenset({"k3s_jupyterhub_config_path", "k3s_jupyterhub_chart_file"})


def inputs_of_specs(specs: Iterable[Mapping[str, Any]]) -> dict[str, Input]:
    """Return the options of every entry point in the argument specs of some roles."""
    return {
        name: input_of_option(name, option)
        for spec in specs
        for entry in (spec.get("argument_specs") or {}).values()
        for name, option in ((entry or {}).get("options") or {}).items()
    }


def input_of_option(name: str, option: Mapping[str, Any]) -> Input:
    """Return what one option of an argument spec accepts."""
    kind = str(option.get("type", "str"))
    choices = option.get("choices") or ()
    return Input(
        name=name,
        kind=Kind.FILE if name in _FILES else _KINDS.get(kind, Kind.TEXT),
        choices=() if kind == "bool" else tuple(str(choice) for choice in choices),
        items=items_of(option) if kind == "list" else (),
        of_maps=kind == "list" and option.get("elements") == "dict",
    )


def items_of(option: Mapping[str, Any]) -> tuple[Item, ...]:
    """Return the keys of each map in a list of maps, none for another list."""
    return tuple(
        Item(name, str(each.get("type", "str")), bool(each.get("required")))
        for name, each in (option.get("options") or {}).items()
    )


def plain_value(value: Any) -> Any:
    """Return a value with all that is in it looked at, so that what it names is found out now."""
    if isinstance(value, Mapping):
        return {key: plain_value(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_value(each) for each in value]
    return value


def load_inputs(root: Path = COLLECTION_ROOT) -> dict[str, Input]:
    """Return every input by its name; a playbook's word about one counts more than a role's."""
    files = sorted(root.glob("roles/*/meta/argument_specs.yml"))
    specs = [yaml.safe_load(file.read_text(encoding="utf-8")) or {} for file in files]
    found = {**inputs_of_specs(specs), **{each.name: each for each in PLAYBOOK_INPUTS}}
    return {name: limited(known) for name, known in found.items()}


def collection_version() -> str:
    """Return the version in galaxy.yml, or that of the installed collection; "" when unknown."""
    for name, key in (("galaxy.yml", "version"), ("MANIFEST.json", "collection_info")):
        try:
            values = yaml.safe_load((COLLECTION_ROOT / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        found = values.get(key) if isinstance(values, Mapping) else None
        found = found.get("version") if isinstance(found, Mapping) else found
        if found:
            return str(found)
    return ""
