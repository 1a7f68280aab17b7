"""Notes the node's address of each ssh, sftp or scp that ansible-playbook starts.

A recap counts tasks that never leave the control node. What reached a node counts here, whatever
action or loop was behind it. Workers are forks, so they inherit the wrapped method.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import connection_loader

DOCUMENTATION = """
name: ssh_calls
type: aggregate
short_description: Count how often nodes are spoken to
description: Appends one line with the node's address to the file that SSH_CALLS_FILE names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Wraps the ssh connection's one method that starts programs."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "ssh_calls"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        target = os.environ["SSH_CALLS_FILE"]
        connection = connection_loader.get("ssh", class_only=True)
        start = connection._run

        def noted(this: Any, *args: Any, **named: Any) -> Any:
            with open(target, "a", encoding="utf-8") as handle:
                handle.write(f"{this.get_option('host')}\n")
            return start(this, *args, **named)

        connection._run = noted
