# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What vmagent reads of a Prometheus configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: vmagent only scrapes: rules are vmalert's, storage and remote-write are flags.
SECTIONS = ("global", "scrape_configs")
#: Settings of `global` that are not about scraping.
NOT_GLOBAL = ("evaluation_interval", "query_log_file", "rule_query_offset")
#: vmagent looks at target files as often as its own flag says, for all jobs alike.
NOT_DISCOVERY = ("refresh_interval",)
#: These two listen on loopback only, and without TLS.
ON_LOOPBACK = ("vmagent", "vmalert")
NOT_LOOPBACK = ("scheme", "tls_config")


def _without(entry: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in names}


def _job(job: Mapping[str, Any]) -> dict[str, Any]:
    kept = _without(job, NOT_LOOPBACK if job.get("job_name") in ON_LOOPBACK else ())
    if "file_sd_configs" in job:
        kept["file_sd_configs"] = [_without(row, NOT_DISCOVERY) for row in job["file_sd_configs"]]
    return kept


def vmagent_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a Prometheus configuration that vmagent knows.

    What a job of one's own has and vmagent does not know stays in it: vmagent then refuses the
    file and names the field, where leaving it out would scrape otherwise than was asked.
    """
    kept: dict[str, Any] = {name: config[name] for name in SECTIONS if name in config}
    if "global" in kept:
        kept["global"] = _without(kept["global"], NOT_GLOBAL)
    if "scrape_configs" in kept:
        kept["scrape_configs"] = [_job(job) for job in kept["scrape_configs"]]
    return kept
