# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`k3s certificate check|rotate` (docs.k3s.io/cli/certificate; src pkg/cli/cert, pkg/util)."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.k3s.standin import config, files
from tests.lab.k3s.standin.log import FatalError, info

#: What is made anew when a service asks for it, below server/tls and below agent. The stand-in has
#: some of k3s' certificates only; those that a node does not have are passed over, as in k3s.
_SERVER: Mapping[str, tuple[str, ...]] = {
    "api-server": ("client-kube-apiserver", "serving-kube-apiserver"),
    "admin": ("client-admin",),
    "auth-proxy": ("client-auth-proxy",),
    "cloud-controller": ("client-k3s-cloud-controller",),
    "controller-manager": ("client-controller",),
    "etcd": ("etcd/client", "etcd/server-client", "etcd/peer-server-client"),
    "scheduler": ("client-scheduler",),
    "supervisor": ("client-supervisor",),
    "k3s-server": (),
}
_AGENT: Mapping[str, tuple[str, ...]] = {
    "kube-proxy": ("client-kube-proxy",),
    "kubelet": ("client-kubelet", "serving-kubelet"),
    "k3s-controller": ("client-k3s-controller",),
}
#: Tells the next start to make the listener's certificate anew.
REGENERATE = "dynamic-cert-regenerate"
_FORMATS = ("text", "table", "json", "yaml")


def command(argv: Sequence[str], words: Sequence[str], given: Mapping[str, str]) -> int:
    """Carry out the subcommand."""
    data = Path(given.get("data-dir") or given.get("d") or config.DATA_DIR)
    asked = _services(argv, data)
    if words[:1] == ["check"]:
        return _check(data, asked, given.get("output") or given.get("o") or "text")
    if words[:1] == ["rotate"]:
        return _rotate(data, asked)
    print(f"the stand-in does not know certificate {' '.join(words)}", file=sys.stderr)
    return 1


def _services(argv: Sequence[str], data: Path) -> list[str]:
    """Return the services that are asked for; without any, those of this kind of node."""
    rest, asked = list(argv), []
    while rest:
        word, equals, value = rest.pop(0).partition("=")
        if word in ("--service", "-s"):
            asked += (value if equals else rest.pop(0) if rest else "").split(",")
    for name in asked:
        if name not in {**_SERVER, **_AGENT}:
            raise FatalError(f"service {name} is not recognized")
    is_server = (data / "server").exists()
    return asked or [*(_SERVER if is_server else ()), *_AGENT]


def _files(data: Path, service: str) -> list[Path]:
    """Return certificates and keys of a service that may be there."""
    stems = [data / "server/tls" / name for name in _SERVER.get(service, ())]
    for name in _AGENT.get(service, ()):
        stems += [data / "server/tls" / name, data / "agent" / name]
    return [stem.with_name(stem.name + end) for stem in stems for end in (".crt", ".key")]


def _check(data: Path, asked: Sequence[str], output: str) -> int:
    if output not in _FORMATS:
        raise FatalError(f"invalid output format {output}")
    rows = []
    for path in [path for service in asked for path in _files(data, service)]:
        if path.suffix != ".crt" or not path.exists():
            continue
        told = files.openssl(
            "x509", "-in", str(path), "-noout", "-subject", "-enddate", "-dateopt", "iso_8601",
            "-nameopt", "sep_comma_plus",
        )  # fmt: skip
        fields = dict(line.partition("=")[::2] for line in told.splitlines())
        subject = fields["subject"].rpartition("CN=")[2]
        rows.append((path.name, subject, fields["notAfter"].replace(" ", "T", 1)))
    if output in ("json", "yaml"):
        made = [
            {"Filename": name, "Subject": subject, "ExpiryTime": end, "Status": "OK"}
            for name, subject, end in rows
        ]
        print(json.dumps({"Certificates": made}))
        return 0
    if output == "table":
        print("\nFILENAME   SUBJECT   EXPIRES   STATUS\n--------   -------   -------   ------")
    for name, subject, end in rows:
        if output == "table":
            print(f"{name}   {subject}   {end}   OK")
        else:
            info(f"{name}: certificate {subject} is ok, expires at {end}")
    return 0


def _rotate(data: Path, asked: Sequence[str]) -> int:
    """Keep a copy of the certificates and remove them; the next start makes others.

    The authorities stay, and so does the key of the service accounts.
    """
    kind = "server" if (data / "server").exists() else "agent"
    info(f"{kind.capitalize()} detected, rotating {'agent and ' * (kind == 'server')}{kind} "
         "certificates")  # fmt: skip
    backup = data / kind / f"tls-{int(time.time())}"
    tls = data / "server/tls"
    if tls.exists():
        shutil.copytree(tls, backup)
    files.private(backup)
    found = {service: _files(data, service) for service in asked}
    for path in [path for paths in found.values() for path in paths]:
        if path.parent == data / "agent" and path.exists():
            shutil.copy2(path, backup / path.name)
    if "k3s-server" in asked:
        info("Rotating dynamic listener certificate")
        files.write(tls / REGENERATE, "")
    for service, paths in found.items():
        info(f"Rotating certificates for {service}")
        for path in paths:
            path.unlink(missing_ok=True)
    info(
        f"Successfully backed up certificates to {backup}, please restart k3s server or agent to "
        "rotate certificates"
    )
    return 0
