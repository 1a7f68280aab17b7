# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads files of a release, in bounded time, through a proxy where there is one."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_release_files import (
    BLOCK,
    FetchError,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.k3s_releases import (
    BINARIES,
    checksum_name,
    file_url,
    parse_checksums,
)
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.url_secret import passwords

#: Seconds without a byte after which a server counts as silent. Both are this collection's choice.
SILENCE = 60.0
ATTEMPTS = 3
#: A list of checksums has some hundred bytes; a page that stands in for it may be large.
_LIST_LIMIT = 1 << 20
_TRANSIENT = (urllib.error.URLError, http.client.HTTPException, ConnectionError, socket.timeout)

_CHECK = "check this address, the way to it and whether a proxy is needed"

Progress = Callable[[int, Optional[int]], None]


@dataclass(frozen=True)
class Web:
    """How files are fetched. ``environment`` has the proxies, as programs know them.

    ``variable`` is the owner's input that ``timeout`` in seconds comes from, for messages.
    """

    timeout: float
    environment: Mapping[str, str] = field(default_factory=dict)
    variable: str = "the timeout"
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic

    def blocks(self, url: str, progress: Progress) -> Iterator[bytes]:
        """Yield the contents at ``url``; raise FetchError when they cannot be had whole."""
        deadline, seen = self.clock() + self.timeout, 0
        try:
            with self._open(url, deadline) as answer:
                length = _length(answer)
                # What has come, not a whole block, or a trickling server would get past the time.
                for block in iter(lambda: answer.read1(BLOCK), b""):
                    seen += len(block)
                    progress(seen, length)
                    yield block
                    if self.clock() > deadline:
                        raise FetchError(f"{shown(url)}: {self._late(seen, length)}")
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"{shown(url)}: {_why(error)}") from error
        if length is not None and seen < length:
            raise FetchError(f"{shown(url)}: it ended after {seen} of {length} bytes")

    def text(self, url: str) -> str:
        """Return a small text."""
        kept, size = [], 0
        for block in self.blocks(url, _quiet):
            kept.append(block)
            size += len(block)
            if size > _LIST_LIMIT:
                raise FetchError(f"{shown(url)}: this is no list of checksums: it is too long")
        return b"".join(kept).decode("utf-8", "replace")

    def size(self, url: str) -> Optional[int]:
        """Return how many bytes a file has, None when the server does not say."""
        try:
            with self._open(url, self.clock() + self.timeout, "HEAD") as answer:
                return _length(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise FetchError(f"{shown(url)}: {_why(error)}") from error
            return None  # Some servers answer this question to nobody; the download will tell.
        except (OSError, http.client.HTTPException) as error:
            raise FetchError(f"{shown(url)}: {_why(error)}") from error

    def _late(self, seen: int, length: Optional[int]) -> str:
        return (
            f"{seen} of {length or 'unknown'} bytes after {self.timeout:.0f} s; raise "
            f"{self.variable} for a slow line"
        )

    def _open(self, url: str, deadline: float, method: str = "GET") -> Any:
        """Return the server's answer; an error that may pass is tried again."""
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(proxies(url, self.environment))
        )
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return opener.open(_request(url, method), timeout=min(SILENCE, self.timeout))
            except _TRANSIENT as error:
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
                late = self.clock() > deadline
                if attempt == ATTEMPTS or late or not _may_pass(error):
                    raise
            self.pause(2.0 * attempt)
        raise AssertionError


def fetch_digests(web: Web, base: str, version: str, architecture: str) -> dict[str, str]:
    """Return the digests that a release lists, by file name."""
    address = file_url(base, version, checksum_name(architecture))
    found = parse_checksums(web.text(address))
    if BINARIES[architecture] not in found:
        raise FetchError(
            f"{shown(address)} has no line for {BINARIES[architecture]}; is this a release of k3s?"
        )
    return found


def trusted_digest(
    name: str, known: Mapping[str, str], listed: Mapping[str, str], base: str, version: str
) -> str:
    """Return the digest that a download must have; raise FetchError when nothing vouches for it.

    What a release says about itself counts over https only, and never against what is known.
    """
    if name in known:
        if listed.get(name, known[name]) != known[name]:
            raise FetchError(
                f"{shown(base)} lists {listed[name]} for {name} of {version}, expected "
                f"{known[name]} as this collection or k3s_checksums has it; use another "
                "k3s_download_url"
            )
        return known[name]
    if not is_https(base):
        raise FetchError(
            f"nothing tells what {name} of {version} must be: no digest of it is known here, and "
            f"{shown(base)} is not https, so that its checksum file proves nothing; set "
            "k3s_checksums"
        )
    return listed[name]


def is_https(base: str) -> bool:
    """Return whether what comes from an address was said by who it says."""
    return base.lower().startswith("https://")


def proxies(url: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the proxy for ``url`` by scheme, none where it is reached directly."""
    given = {name.lower(): value for name, value in environment.items() if value}
    parts = urllib.parse.urlsplit(url)
    if urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined]
        parts.netloc.rpartition("@")[2], {"no": given.get("no_proxy", "")}
    ):
        return {}
    proxy = given.get(f"{parts.scheme}_proxy")
    return {parts.scheme: proxy} if proxy else {}


def shown(url: str) -> str:
    """Return an address without what is secret in it."""
    for password in passwords([url]):
        url = url.replace(f":{password}@", ":***@")
    return url


def _quiet(_seen: int, _length: Optional[int]) -> None:
    """Take no note of progress."""


def _request(url: str, method: str) -> urllib.request.Request:
    """Return a request; a user in the address becomes a header, which urllib does not do."""
    parts = urllib.parse.urlsplit(url)
    user, _at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(
        urllib.parse.urlunsplit(parts._replace(netloc=host)),
        headers={"User-Agent": "rackforge.gpu_cluster"},
        method=method,
    )
    if user:
        plain = urllib.parse.unquote(user).encode()
        # Not sent to whom the server redirects: GitHub's releases lie on another host.
        request.add_unredirected_header(
            "Authorization", "Basic " + base64.b64encode(plain).decode()
        )
    return request


def _length(answer: Any) -> Optional[int]:
    value = answer.headers.get("Content-Length") or ""
    return int(value) if value.isdigit() else None


def _may_pass(error: Exception) -> bool:
    """Return whether the same request can succeed later: no wrong name, no distrusted server."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code >= 500 or error.code == 429
    reason = getattr(error, "reason", error)
    return not isinstance(reason, (ssl.SSLError, socket.gaierror, ConnectionRefusedError))


def _why(error: Exception) -> str:
    """Return in words what went wrong."""
    if isinstance(error, urllib.error.HTTPError):
        more = "; is there such a release?" if error.code == 404 else ""
        return f"the server answered {error.code} {error.reason}{more}"
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted here: {reason.verify_message}"
    if isinstance(reason, (socket.timeout, TimeoutError)):
        return f"no answer within {SILENCE:.0f} s; {_CHECK}"
    said = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return f"{said}; {_CHECK}"
