# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a gRPC service of Ray one question and print the status of its answer.

    python grpc_probe.py ADDRESS METHOD < token

Runs with a node's own Ray. What Ray's drivers make of a refusal is a time-out after half a minute;
this shows what the server itself says.
"""

from __future__ import annotations

import sys
from typing import Any

import grpc  # type: ignore[import-untyped, import-not-found, unused-ignore]


def main() -> int:
    """Ask, and print the status."""
    address, method = sys.argv[1:]
    token = sys.stdin.read().strip()
    metadata = [("client_id", "probe")]
    metadata += [("authorization", f"Bearer {token}")] if token else []
    call: Any = grpc.insecure_channel(address).unary_unary(method)
    try:
        call(b"", metadata=metadata, timeout=20)
    except grpc.RpcError as error:
        sys.stdout.write(f"{error.code().name}: {error.details()}\n")
    else:
        sys.stdout.write("OK\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
