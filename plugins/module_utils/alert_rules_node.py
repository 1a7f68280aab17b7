# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The alerts about nodes, their disks and clocks, and the services on them.

A node that is off speaks through NodeDown alone, a k3s or Ray that is off through one alert too:
whatever else is scraped from them stays silent.
"""

from __future__ import annotations

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.alert_model import (
    ANSWERS,
    NODE,
    WHOLE,
    Alert,
    Severity,
    Thresholds,
    plain_number,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.link_facts import command_on

_STATUS = "ansible-playbook -i inv.ini playbooks/status.yml"
_VERIFY = "ansible-playbook -i inv.ini playbooks/verify.yml"
#: A network file system's server tells how full it is; its clients would all say the same.
_DISKS = 'fstype!~"nfs.*|cifs|smb.*|fuse.*|lustre|ceph|9p|beegfs"'
#: How far back a disk's growth is looked at, and how long it must be known for a prediction.
_GROWTH = "6h"
_KNOWN = "1h"


def node_alerts(numbers: Thresholds) -> list[Alert]:
    """Return the alerts about nodes and services, the gravest first."""
    return [
        _node_down(),
        _ray_lost(),
        _k3s_not_ready(),
        _memory(numbers),
        _disk(numbers),
        _clock(numbers),
        _certificate(numbers),
        _ray_metrics(),
        _exporter(),
        _collector(numbers),
        _target(),
        _reboot(),
    ]


def _node_down() -> Alert:
    return Alert(
        name="NodeDown",
        severity=Severity.CRITICAL,
        expression='max by (cluster, node) (up{node!=""}) == 0',
        when="Nothing on a node answers: neither its exporters nor Ray, Docker or k3s.",
        summary=f"{NODE} is down",
        description=f"None of the services of {NODE} that are asked for metrics answers."
        " Expected: at least one. It is off, or its network or firewall is in the way.",
        command=f"ansible -i inv.ini -m ansible.builtin.ping {NODE}",
    )


def _ray_lost() -> Alert:
    return Alert(
        name="RayNodeLost",
        severity=Severity.CRITICAL,
        expression=f'up{{job="ray"}} == 0 and {ANSWERS}',
        when="Ray's own metrics of a node do not answer although the node does.",
        summary=f"Ray on {NODE} is lost",
        description=f"Ray on {NODE} ({{{{ $labels.instance }}}}) does not answer, while the node"
        " does. Expected: a Ray node that is alive.",
        command=command_on(NODE, "journalctl -u ray -n 50 --no-pager"),
    )


def _ray_metrics() -> Alert:
    # The agent's own metrics, such as ray_node_mem_total, are there in any case. These are the
    # raylet's, and on the head those of the global control store.
    raylet = 'up{job="ray"} == 1 unless on (cluster, node) ray_resources'
    store = 'up{job="ray-autoscaler"} == 1 unless on (cluster, node) ray_gcs_actors_count'
    return Alert(
        name="RayMetricsMissing",
        severity=Severity.WARNING,
        expression=f"({raylet}) or on (cluster, node) ({store})",
        when="Ray on a node answers, but gives no metrics of its jobs, actors and resources.",
        summary=f"Ray on {NODE} gives no metrics of its own",
        description=f"Ray on {NODE} answers, and ray_resources or ray_gcs_actors_count is not among"
        " its metrics. Expected: both on the head, the first on a worker. Ray gives them up for"
        " good when its metrics agent needs more than 30 s to start, as on a busy machine; jobs are"
        " not harmed. When status.yml lists none, run 'systemctl restart ray' there.",
        command=_STATUS,
    )


def _k3s_not_ready() -> Alert:
    # The controller's count names no node, so it speaks only about nodes that no kubelet explains.
    # Several servers give the same count; one of them leads and is right, the others say 0.
    kubelets = 'count by (cluster) (up{job=~"kubelet"} == 0)'
    none = 'count by (cluster) (up{job="kubelet"}) * 0'
    unhealthy = "sum by (cluster) (max by (cluster, zone) (node_collector_unhealthy_nodes_in_zone))"
    return Alert(
        name="K3sNodeNotReady",
        severity=Severity.CRITICAL,
        expression=(
            f'(up{{job="kubelet"}} == 0 and {ANSWERS})'
            f" or ({unhealthy} > on (cluster) ({kubelets} or on (cluster) {none}))"
        ),
        when="A node's kubelet does not answer although the node does, or k3s counts more nodes"
        " that are not ready than kubelets are silent.",
        summary="{{ with $labels.node }}k3s on {{ . }} is not ready{{ else }}"
        '{{ printf "%.0f" $value }} node(s) of k3s are not ready{{ end }}',
        description="{{ with $labels.node }}The kubelet of {{ . }} does not answer, while the node"
        ' does.{{ else }}k3s counts {{ printf "%.0f" $value }} node(s) that are not ready,'
        " more than kubelets are silent.{{ end }} Expected: every node ready.",
        command=_STATUS,
    )


def _memory(numbers: Thresholds) -> Alert:
    most = plain_number(numbers.memory_percent)
    return Alert(
        name="NodeMemoryFull",
        severity=Severity.WARNING,
        expression=(
            f"100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes) > {most}"
        ),
        when="More of a node's memory is in use than `monitoring_alert_memory_percent`.",
        summary=f"The memory of {NODE} is {WHOLE} % full",
        description=f"{WHOLE} % of the memory of {NODE} is in use, expected at most {most} %."
        " Ray kills tasks at 95 %, the kernel kills processes soon after.",
        command=command_on(NODE, "ps -eo pid,user,rss,args --sort=-rss --cols 120"),
    )


def _disk(numbers: Thresholds) -> Alert:
    free = "node_filesystem_avail_bytes{" + _DISKS + "}"
    percent = f"100 * {free} / node_filesystem_size_bytes{{{_DISKS}}}"
    least = plain_number(numbers.disk_free_percent)
    hours = numbers.disk_hours
    predicted = (
        f"{percent} < {plain_number(numbers.disk_predict_percent)}"
        f" and predict_linear({free}[{_GROWTH}], {hours * 3600}) < 0"
        f" and {free} offset {_KNOWN}"
    )
    return Alert(
        name="DiskWillFill",
        severity=Severity.WARNING,
        expression=(f"({percent} < {least} or ({predicted})) unless node_filesystem_readonly == 1"),
        when="A disk has less free than `monitoring_alert_disk_free_percent`, or less than"
        " `monitoring_alert_disk_predict_percent` and would be full within"
        " `monitoring_alert_disk_hours` if it went on as in the last 6 hours.",
        summary=f"{{{{ $labels.mountpoint }}}} of {NODE} is full or will be soon",
        description=f"{{{{ $labels.mountpoint }}}} of {NODE} ({{{{ $labels.device }}}}) has"
        f" {WHOLE} % free. Expected: at least {least} %, and not to be full within {hours} hours.",
        command=command_on(NODE, "du -xh -d 2 -t 1G {{ $labels.mountpoint }}"),
    )


def _clock(numbers: Thresholds) -> Alert:
    # Against the time of the scrape, not against now: the sample is some seconds old. That a clock
    # is unsynchronised is no fault while it is right; the preflight report tells about that.
    most = plain_number(numbers.clock_skew_seconds)
    return Alert(
        name="ClockSkew",
        severity=Severity.WARNING,
        expression=(
            f"abs(node_time_seconds - timestamp(node_time_seconds)) > {most}"
            f" or abs(node_timex_offset_seconds) > {most}"
        ),
        when="A node's clock differs from the monitoring host's, or from its time source, by more"
        " than `monitoring_alert_clock_skew_seconds`.",
        summary=f"The clock of {NODE} is off",
        description=f'The clock of {NODE} is off by {{{{ printf "%.1f" $value }}}} seconds,'
        f" expected at most {most}. If it is said of most nodes, the monitoring host is wrong.",
        command=command_on(NODE, "timedatectl"),
    )


def _certificate(numbers: Thresholds) -> Alert:
    days = numbers.certificate_days
    return Alert(
        name="CertificateExpires",
        severity=Severity.WARNING,
        expression=(f"(gpu_cluster_certificate_not_after_seconds - time()) / 86400 < {days}"),
        when="A certificate on a node is valid for less than `monitoring_alert_certificate_days`.",
        summary=f"A certificate of {NODE} expires in {WHOLE} days",
        description=f"{{{{ $labels.path }}}} on {NODE} is valid for {WHOLE} more days, expected at"
        f" least {days}. Renew it and run the playbook again; k3s renews its own when it starts.",
        command=command_on(NODE, "openssl x509 -noout -dates -subject -in {{ $labels.path }}"),
        hold=False,
    )


def _exporter() -> Alert:
    return Alert(
        name="ExporterSilent",
        severity=Severity.WARNING,
        expression=f'up{{job=~"node|gpu"}} == 0 and {ANSWERS}',
        when="An exporter of a node does not answer although other services of the node do.",
        summary=f"An exporter of {NODE} is silent",
        description=f"The exporter {{{{ $labels.job }}}} of {NODE} ({{{{ $labels.instance }}}})"
        " does not answer, while the node does. Expected: metrics. Nothing is known of the node's"
        " GPUs and disks meanwhile.",
        command=command_on(NODE, "systemctl status prometheus-node-exporter"),
    )


def _collector(numbers: Thresholds) -> Alert:
    # By the node's own clock, so that a wrong clock is not taken for a silent collector. The last
    # day's highest, so that a file of samples that vanished is silence too.
    last = (
        "max by (cluster, node) "
        "(max_over_time(gpu_cluster_collector_last_run_timestamp_seconds[1d]))"
    )
    return Alert(
        name="CollectorSilent",
        severity=Severity.WARNING,
        expression=(
            f"max by (cluster, node) (node_time_seconds) - {last}"
            f" > {numbers.collector_seconds} or gpu_cluster_collector_error == 1"
        ),
        when="The collector of a node's GPU metrics did not run for"
        " `monitoring_alert_collector_seconds`, or one of its parts fails.",
        summary=f"The GPU collector of {NODE} is silent",
        description=f"{{{{ with $labels.part }}}}Part {{{{ . }}}} of the collector on {NODE}"
        f" fails.{{{{ else }}}}The collector on {NODE} ran {WHOLE} seconds ago, expected less than"
        f" {numbers.collector_seconds}.{{{{ end }}}} What is shown of its GPUs is old.",
        command=command_on(NODE, "journalctl -u rackforge-node-metrics -n 30 --no-pager"),
    )


def _target() -> Alert:
    # Ray's and k3s's other endpoints go down with their first one, which has an alert of its own.
    others = 'up{job!~"node|gpu|ray.*|kubelet|cadvisor|k3s-api|etcd"} == 0'
    ray = '(up{job=~"ray-.+"} == 0 unless on (cluster, node) up{job="ray"} == 0)'
    k3s = '(up{job=~"cadvisor|k3s-api|etcd"} == 0 unless on (cluster, node) up{job="kubelet"} == 0)'
    return Alert(
        name="TargetDown",
        severity=Severity.WARNING,
        expression=f'(({others} or {ray} or {k3s}) and {ANSWERS}) or up{{node=""}} == 0',
        when="Another service of a node that is asked for metrics does not answer although the node"
        " does.",
        summary=f"{{{{ $labels.job }}}} of {NODE} does not answer",
        description=f"{{{{ $labels.job }}}} of {NODE} ({{{{ $labels.instance }}}}) does not answer,"
        " while the node does. Expected: metrics.",
        command=_VERIFY,
    )


def _reboot() -> Alert:
    return Alert(
        name="RebootRequired",
        severity=Severity.INFO,
        expression=(
            "gpu_cluster_reboot_required == 1"
            " unless on (cluster, node) gpu_cluster_driver_mismatch == 1"
        ),
        when="Packages of a node wait for a reboot. A GPU driver that waits for one is"
        " DriverMismatch.",
        summary=f"{NODE} waits for a reboot",
        description=f"Packages on {NODE} take effect at the next boot only. Expected: none that"
        " wait. Drain the node, then reboot it.",
        command=f"ansible -i inv.ini -b -m ansible.builtin.reboot {NODE}",
    )
