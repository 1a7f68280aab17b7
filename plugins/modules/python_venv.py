#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a Python virtual environment with pinned packages on a node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: python_venv
short_description: Have a Python virtual environment with pinned packages
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Makes a virtual environment and installs packages into it, from an index or from a folder of wheels on the control node.
  - The environment carries a mark with a digest of everything that it was made from. Without that mark, or with another one,
    it is made anew, so that an interrupted installation never passes for a finished one.
attributes:
  check_mode:
    support: full
    description: Says whether the environment would be made.
  diff_mode:
    support: full
    description: Shows the packages asked for.
  idempotent:
    support: full
    description: An environment with the right mark is left alone.
options:
  path:
    description: Where the environment lies.
    type: path
    required: true
  requirements:
    description: What to install, as pip spells it.
    type: list
    elements: str
    required: true
  lock_file:
    description: Requirements file with hashes on the control node, installed instead of O(requirements) with every hash demanded.
    type: path
  lock:
    description: The lock file's text; filled in by the control node's half.
    type: str
  python:
    description: Interpreters to try on the node, in order; the first that is at least O(python_minimum) and can make an environment is used.
    type: list
    elements: str
    default: [python3, python3.13, python3.12, python3.11, python3.10]
  python_minimum:
    description: The lowest version of Python that the packages support.
    type: str
    default: "3.10"
  index_url:
    description: Package index instead of pip's own setting.
    type: str
  wheel_dir:
    description: Folder of wheels on the control node; when it is given no index is asked.
    type: path
  source_file:
    description: The packed wheel folder on the node; filled in by the control node's half.
    type: path
"""

EXAMPLES = r"""
- name: Have Ray in a virtual environment
  rackforge.gpu_cluster.python_venv:
    path: /opt/ray/2.60.0
    requirements: ["ray[default]==2.60.0"]
"""

RETURN = r"""
python:
  description: The interpreter that the environment is made from.
  returned: when it was made
  type: str
  sample: /usr/bin/python3
"""

import hashlib
import json
import os
import re
import shutil
import tarfile
from contextlib import suppress

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.node_lock import alone_on_node
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.venv_mark import (
    MARK,
    marked_digest,
    remove_marked,
    write_mark,
)

TAIL = 12


class VenvError(Exception):
    """The environment could not be made."""


def digest(params: dict[str, object]) -> str:
    """Return what identifies an environment made from these parameters."""
    text = json.dumps([params["requirements"], params["lock"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def present_digest(path: str) -> str:
    """Return the digest in the environment's mark, empty when there is none.

    An environment whose interpreter went away (a distribution's upgrade does that) has none.
    """
    return marked_digest(path) if os.path.exists(os.path.join(path, "bin", "python")) else ""


def version_of(text: str) -> tuple[int, ...]:
    """Return ``3.11`` as numbers, nothing for what is no version."""
    found = re.fullmatch(r"(\d+)\.(\d+)", text.strip())
    return (int(found.group(1)), int(found.group(2))) if found else ()


def find_python(module: AnsibleModule) -> str:
    """Return the first interpreter that is new enough and can make environments."""
    minimum = version_of(module.params["python_minimum"])
    if not minimum:
        raise VenvError(
            f"python_minimum: saw {module.params['python_minimum']!r}, expected a version such as 3.10"
        )
    script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    seen = []
    for name in module.params["python"]:
        program = module.get_bin_path(name)
        if not program:
            continue
        status, out, err = module.run_command([program, "-c", script])
        if status == 0 and version_of(out) >= minimum:
            return str(program)
        said = (out.strip() or err.strip()).splitlines()
        seen.append(f"{program}: {said[-1] if said else f'exit status {status}'}")
    raise VenvError(
        f"no Python {module.params['python_minimum']} or newer that can make virtual environments: "
        f"saw {'; '.join(seen) or 'none'}; install one (Debian: python3-venv, EL: python3.12) "
        "or set ray_runtime=container"
    )


def pip_arguments(params: dict[str, str], work: str) -> list[str]:
    """Return the arguments of pip install; the lock and the wheels are laid out in ``work``.

    The index is not among them: its address may hold a password, and command lines are public.
    """
    arguments = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
    if params["source_file"]:
        wheels = os.path.join(work, "wheels")
        unpack(params["source_file"], wheels)
        arguments += ["--no-index", "--find-links", wheels]
    if not params["lock"]:
        return arguments + list(params["requirements"])
    lock = os.path.join(work, "requirements.txt")
    with open(lock, "w", encoding="utf-8") as file:
        file.write(params["lock"])
    return [*arguments, "--require-hashes", "--only-binary", ":all:", "--requirement", lock]


def pip_environment(params: dict[str, str]) -> dict[str, str]:
    """Return what pip is told outside its command line."""
    if params["index_url"] and not params["source_file"]:
        return {"PIP_INDEX_URL": params["index_url"]}
    return {}


def unpack(source: str, target: str) -> None:
    """Put the files of an archive side by side into ``target``, wherever they say they belong."""
    os.makedirs(target)
    with tarfile.open(source) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is None:
                continue
            with open(os.path.join(target, os.path.basename(member.name)), "wb") as file:
                shutil.copyfileobj(content, file)


def run(module: AnsibleModule, command: list[str], environment: dict[str, str]) -> None:
    """Run a command; VenvError carries the end of what it said."""
    status, out, err = module.run_command(command, environ_update=environment)
    if status != 0:
        said = "\n".join((err.strip() or out.strip()).splitlines()[-TAIL:])
        raise VenvError(f"'{' '.join(command[:4])} ...' exited with {status}:\n{said}")


def clear(path: str) -> None:
    """Remove an earlier environment; VenvError when something else lies there."""
    ours = ("pyvenv.cfg", MARK)
    if os.path.isdir(path) and os.listdir(path):
        if not any(os.path.exists(os.path.join(path, name)) for name in ours):
            raise VenvError(
                f"{path} holds something that is no virtual environment; move it away, or choose "
                "another place"
            )
        remove_marked(path)
    os.makedirs(path, mode=0o755, exist_ok=True)


def make(module: AnsibleModule, python: str) -> None:
    """Make the environment and, when all is in it, mark it."""
    path = module.params["path"]
    os.umask(0o022)  # Whoever uses the environment must be able to read it, also on strict nodes.
    clear(path)
    work = os.path.join(path, ".install")
    try:
        write_mark(path, {"digest": ""})
        run(module, [python, "-m", "venv", path], {})
        os.makedirs(work)
        pip = [os.path.join(path, "bin", "python"), "-m", "pip", "install"]
        run(module, pip + pip_arguments(module.params, work), pip_environment(module.params))
        shutil.rmtree(work)
        # A node that loses its power now must not have the mark without the files.
        run(module, ["sync", "--file-system", path], {})
        write_mark(path, {"digest": digest(module.params), "python": python})
    except BaseException:
        with suppress(OSError):
            remove_marked(path)
        raise


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "requirements": {"type": "list", "elements": "str", "required": True},
            "lock_file": {"type": "path"},
            "lock": {"type": "str"},
            "python": {
                "type": "list",
                "elements": "str",
                "default": ["python3", "python3.13", "python3.12", "python3.11", "python3.10"],
            },
            "python_minimum": {"type": "str", "default": "3.10"},
            "index_url": {"type": "str"},
            "wheel_dir": {"type": "path"},
            "source_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    if present_digest(params["path"]) == digest(params):
        module.exit_json(changed=False)
    diff = {"before": "", "after": "\n".join([params["path"], *params["requirements"]]) + "\n"}
    needs_source = bool(params["wheel_dir"]) and not params["source_file"]
    if module.check_mode or needs_source:
        module.exit_json(changed=True, needs_source=needs_source, diff=diff)
    try:
        python = find_python(module)
        # An earlier run's module may still be at it although its control process is dead.
        with alone_on_node():
            if present_digest(params["path"]) != digest(params):
                make(module, python)
    except (VenvError, OSError, tarfile.TarError) as error:
        module.fail_json(msg=f"Could not make the virtual environment {params['path']}: {error}")
    module.exit_json(changed=True, python=python, diff=diff)


if __name__ == "__main__":
    main()
