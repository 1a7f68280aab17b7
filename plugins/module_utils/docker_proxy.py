# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The drop-in that tells Docker Engine its proxy, and whether the engine has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Optional

DROP_IN = "/etc/systemd/system/docker.service.d/60-rackforge-proxy.conf"
#: By whom it is set, its variable, and where ``docker info`` shows it.
_URLS = (
    ("docker_http_proxy", "HTTP_PROXY", "HttpProxy"),
    ("docker_https_proxy", "HTTPS_PROXY", "HttpsProxy"),
)


class ProxyError(Exception):
    """The proxy cannot be as asked, and why."""


@dataclass(frozen=True)
class Proxy:
    """The proxies for the engine, and the hosts that it reaches without."""

    http: Optional[str] = None
    https: Optional[str] = None
    without: tuple[str, ...] = ()

    @property
    def secret(self) -> bool:
        """Return whether a URL carries a password."""
        return any(re.match(r"[^/]+//[^/@]*:[^/@]+@", url or "") for url in (self.http, self.https))

    def settings(self) -> list[tuple[str, str, str]]:
        """Return variable, value and the key in ``docker info`` of all that is set."""
        urls = (self.http, self.https)
        rows = [(name, url, key) for (_input, name, key), url in zip(_URLS, urls) if url]
        return (
            [*rows, ("NO_PROXY", ",".join(self.without), "NoProxy")]
            if rows and self.without
            else rows
        )


def proxy_of(http: Optional[str], https: Optional[str], without: Iterable[str]) -> Proxy:
    """Return the proxy that the inputs ask for; ProxyError for a URL or host that is none."""
    for (name, _variable, _key), url in zip(_URLS, (http, https)):
        if url and not re.match(r"(https?|socks5h?)://[^\s\"'\\]+$", url):
            raise ProxyError(
                f"{name} is '{hidden(url)}', expected a URL such as http://proxy.example:3128 "
                "(special "
                "characters of a password as %XX). Nothing was changed"
            )
    for host in without:
        if not re.match(r"[^\s,\"'\\]+$", host):
            raise ProxyError(
                f"docker_no_proxy has '{host}', expected one host, domain or subnet in each entry. "
                "Nothing was changed"
            )
    return Proxy(http or None, https or None, tuple(dict.fromkeys(without)))


def hidden(url: str) -> str:
    """Return a URL without its user and password."""
    return re.sub(r"//[^/@]*@", "//***@", url)


def drop_in(proxy: Proxy) -> str:
    """Return the text of the drop-in, empty when no proxy is set."""
    rows = proxy.settings()
    if not rows:
        return ""
    lines = [f'Environment="{name}={value.replace("%", "%%")}"\n' for name, value, _key in rows]
    return "# Managed by rackforge.gpu_cluster\n[Service]\n" + "".join(lines)


def not_in_effect(proxy: Proxy, info: Mapping[str, Any]) -> list[str]:
    """Return what the running engine has otherwise than asked for."""
    return [
        f"{name} is '{hidden(str(info.get(key, '')))}', expected '{hidden(value)}'"
        for name, value, key in proxy.settings()
        if _bare(str(info.get(key, ""))) != _bare(value)
    ]


def _bare(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)
