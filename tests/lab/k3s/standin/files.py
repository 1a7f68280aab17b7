# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server keeps on disk: certificates, tokens, kubeconfig."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import os
import secrets
import shutil
import stat
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.lab.k3s.standin import tokens
from tests.lab.k3s.standin.log import FatalError

NODE_PASSWORD = Path("/etc/rancher/node/password")
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
_DAYS_CA = "3650"
_DAYS = "365"


def write(path: Path, data: str | bytes, mode: int = 0o600) -> None:
    """Write a file in one step, with its mode from the first moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as out:
        out.write(data.encode() if isinstance(data, str) else data)
    part.chmod(mode)
    part.rename(path)


def private(*folders: Path) -> None:
    """Make folders that only root may enter."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)


def node_password(path: Path = NODE_PASSWORD) -> str:
    """Return the password by which servers know this node again, made on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, secrets.token_hex(16) + "\n")
    return path.read_text().strip()


def read_token(text: str, file: str) -> str:
    """Return a token that is given as such or by a file."""
    if text or not file:
        return text
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise FatalError(f"open {file}: {(error.strerror or str(error)).lower()}") from error


def openssl(*argv: str, stdin: str = "") -> str:
    """Return what openssl prints, or raise FatalError with its last line."""
    program = shutil.which("openssl")
    if program is None:
        raise FatalError("the stand-in for k3s needs the program openssl on the node")
    done = subprocess.run(
        [program, *argv], input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    if done.returncode != 0:
        raise FatalError(f"openssl {argv[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout


def make_authorities(tls: Path, stamp: int) -> None:
    """Make the cluster's certificate authorities, unless they are there."""
    private(tls)
    for name in ("server-ca", "client-ca", "request-header-ca"):
        key, certificate = tls / f"{name}.key", tls / f"{name}.crt"
        if not certificate.exists():
            write(key, openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
            made = openssl(
                "req",
                "-x509",
                "-new",
                "-key",
                str(key),
                "-days",
                _DAYS_CA,
                "-subj",
                f"/CN=k3s-{name}@{stamp}",
                "-addext",
                "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign",
            )
            write(certificate, made, 0o644)
    if not (tls / "service.key").exists():
        write(tls / "service.key", openssl("genrsa", "2048"))


def sign(tls: Path, authority: str, name: str, subject: str, names: Iterable[str] = ()) -> None:
    """Make a key and a certificate that an authority signs."""
    key, certificate = tls / f"{name}.key", tls / f"{name}.crt"
    if not key.exists():
        write(key, openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout"))
    usage = "serverAuth" if names else "clientAuth"
    lines = f"extendedKeyUsage={usage}\nbasicConstraints=CA:FALSE\n"
    if names:
        lines += f"subjectAltName={','.join(_alternative(entry) for entry in names)}\n"
    request, extra = tls / f".{name}.csr", tls / f".{name}.ext"
    write(request, openssl("req", "-new", "-key", str(key), "-subj", subject))
    write(extra, lines)
    made = openssl(
        "x509",
        "-req",
        "-in",
        str(request),
        "-CA",
        str(tls / f"{authority}.crt"),
        "-CAkey",
        str(tls / f"{authority}.key"),
        "-days",
        _DAYS,
        "-extfile",
        str(extra),
        "-set_serial",
        str(secrets.randbits(63)),
    )
    request.unlink()
    extra.unlink()
    write(certificate, made, 0o644)


def _alternative(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def serving_names(node: str, address: str, service_cidr: str, extra: Sequence[str]) -> list[str]:
    """Return the names that the API's certificate holds: k3s' own, this node's, tls-san."""
    first = str(ipaddress.ip_network(service_cidr, strict=False)[1])
    own = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "localhost",
        node,
        "127.0.0.1",
        "::1",
        address,
        first,
    ]
    return list(dict.fromkeys([*own, *extra]))


def write_certificates(tls: Path, names: Sequence[str]) -> None:
    """Make the API's certificate for these names, and the administrator's, where they are not.

    The stand-in's API and k3s' listener are one, so either being asked for anew makes it.
    """
    listed, again = tls / ".serving-names.json", tls / "dynamic-cert-regenerate"
    made = (tls / "serving-kube-apiserver.crt").exists() and not again.exists()
    if not made or not listed.exists() or json.loads(listed.read_text()) != list(names):
        sign(tls, "server-ca", "serving-kube-apiserver", "/CN=kube-apiserver", names)
        write(listed, json.dumps(list(names)))
        again.unlink(missing_ok=True)
    if not (tls / "client-admin.crt").exists():
        sign(tls, "client-ca", "client-admin", "/O=system:masters/CN=system:admin")


def write_tokens(server: Path, server_password: str, agent_password: str) -> None:
    """Write server/token, server/node-token and server/agent-token as k3s does."""
    certificate = (server / "tls" / "server-ca.crt").read_bytes()
    write(server / "token", tokens.secure(certificate, "server", server_password) + "\n")
    _link(server / "node-token", server / "token")
    target = server / "agent-token"
    if agent_password == server_password:
        _link(target, server / "token")
    else:
        target.unlink(missing_ok=True)
        write(target, tokens.secure(certificate, "node", agent_password) + "\n")
    passwd = (
        f"{server_password},node,k3s:agent,k3s:agent\n{server_password},server,server,k3s:server\n"
    )
    write(server / "cred" / "passwd", passwd)


def _link(path: Path, target: Path) -> None:
    if not path.is_symlink() or os.readlink(path) != str(target):
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def passphrase(password: str) -> str:
    """Return what tells whether stored data was encrypted with this password."""
    return hashlib.sha256(f"passphrase {password}".encode()).hexdigest()


def admin_token(server: Path) -> str:
    """Return the administrator's bearer token, made on first use."""
    path = server / "cred" / "admin-token"
    if not path.exists():
        write(path, secrets.token_hex(32))
    return path.read_text().strip()


def encryption(server: Path, wanted: bool) -> None:
    """Write the settings of secrets' encryption, as k3s does when it is on."""
    path = server / "cred" / "encryption-config.json"
    if wanted and not path.exists():
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        providers = [{"aescbc": {"keys": [{"name": "aescbckey", "secret": key}]}}, {"identity": {}}]
        resources = [{"resources": ["secrets"], "providers": providers}]
        write(path, json.dumps({"kind": "EncryptionConfiguration", "resources": resources}))


def kubeconfig(tls: Path, port: int) -> str:
    """Return the administrator's kubeconfig for this server's loopback address."""
    data = {
        name: base64.b64encode((tls / name).read_bytes()).decode()
        for name in ("server-ca.crt", "client-admin.crt", "client-admin.key")
    }
    return f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {data["server-ca.crt"]}
    server: https://127.0.0.1:{port}
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {{}}
users:
- name: default
  user:
    client-certificate-data: {data["client-admin.crt"]}
    client-key-data: {data["client-admin.key"]}
"""


def kubeconfig_mode(text: str) -> int:
    """Return the mode that write-kubeconfig-mode asks for; k3s' default is 0600."""
    if not text:
        return stat.S_IRUSR | stat.S_IWUSR
    try:
        return int(text, 8)
    except ValueError as error:
        raise FatalError(f"Invalid kubeconfig mode {text}") from error
