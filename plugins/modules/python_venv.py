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
import shutil
import tarfile

from ansible.module_utils.basic import AnsibleModule

MARK = ".rackforge.json"
TAIL = 12


class VenvError(Exception):
    """The environment could not be made."""


def digest(params: dict[str, object]) -> str:
    """Return what identifies an environment made from these parameters."""
    text = json.dumps([params["requirements"], params["lock"]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def present_digest(path: str) -> str:
    """Return the digest in the environment's mark, empty when there is none."""
    try:
        with open(os.path.join(path, MARK), encoding="utf-8") as file:
            return str(json.load(file)["digest"])
    except (OSError, ValueError, KeyError):
        return ""


def find_python(module: AnsibleModule) -> str:
    """Return the first interpreter that is new enough and can make environments."""
    minimum = tuple(int(part) for part in module.params["python_minimum"].split("."))
    script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    seen = []
    for name in module.params["python"]:
        program = module.get_bin_path(name)
        if not program:
            continue
        status, out, err = module.run_command([program, "-c", script])
        if status == 0 and tuple(int(part) for part in out.strip().split(".")) >= minimum:
            return str(program)
        seen.append(f"{program}: {out.strip() or err.strip().splitlines()[-1]}")
    raise VenvError(
        f"no Python {module.params['python_minimum']} or newer that can make virtual environments: "
        f"saw {'; '.join(seen) or 'none'}; install one (Debian: python3-venv, EL: python3.12) "
        "or set ray_runtime=container"
    )


def pip_arguments(params: dict[str, str], work: str) -> list[str]:
    """Return the arguments of pip install; the lock and the wheels are laid out in ``work``."""
    arguments = ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet"]
    if params["source_file"]:
        wheels = os.path.join(work, "wheels")
        with tarfile.open(params["source_file"]) as archive:
            archive.extractall(wheels, **_safely())
        arguments += ["--no-index", "--find-links", wheels]
    elif params["index_url"]:
        arguments += ["--index-url", params["index_url"]]
    if not params["lock"]:
        return arguments + list(params["requirements"])
    lock = os.path.join(work, "requirements.txt")
    with open(lock, "w", encoding="utf-8") as file:
        file.write(params["lock"])
    return [*arguments, "--require-hashes", "--only-binary", ":all:", "--requirement", lock]


def _safely() -> dict[str, str]:
    return {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def run(module: AnsibleModule, command: list[str]) -> None:
    """Run a command; VenvError carries the end of what it said."""
    status, out, err = module.run_command(command)
    if status != 0:
        said = "\n".join((err.strip() or out.strip()).splitlines()[-TAIL:])
        raise VenvError(f"'{' '.join(command[:4])} ...' exited with {status}:\n{said}")


def make(module: AnsibleModule, python: str) -> None:
    """Make the environment and, when all is in it, mark it."""
    path = module.params["path"]
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    work = os.path.join(path, ".install")
    try:
        run(module, [python, "-m", "venv", path])
        os.makedirs(work)
        pip = [os.path.join(path, "bin", "python"), "-m", "pip", "install"]
        run(module, pip + pip_arguments(module.params, work))
        shutil.rmtree(work)
        with open(os.path.join(path, MARK), "w", encoding="utf-8") as file:
            json.dump({"digest": digest(module.params), "python": python}, file)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
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
        make(module, python)
    except (VenvError, OSError, tarfile.TarError) as error:
        module.fail_json(msg=f"Could not make the virtual environment {params['path']}: {error}")
    module.exit_json(changed=True, python=python, diff=diff)


if __name__ == "__main__":
    main()
