#!/usr/bin/python
# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Have a container image on a node, from a registry or from an archive of the control node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_image
short_description: Have a container image on a node
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Pulls an image from its registry, or loads it from an archive that lies on the control node.
  - An archive travels only to nodes whose image differs from the archive's.
  - Needs the C(docker) command on the node and nothing else.
attributes:
  check_mode:
    support: full
    description: Says whether the image would be pulled or loaded.
  diff_mode:
    support: none
    description: An image has no difference that could be read.
  idempotent:
    support: full
    description: An image that is there is neither pulled nor loaded again.
options:
  name:
    description: The image with its tag or digest, such as V(rayproject/ray:2.60.0).
    type: str
    required: true
  archive:
    description:
      - File on the control node as C(docker save) writes it, compressed or not.
      - When it is given nothing is pulled.
    type: path
  layers:
    description: Digests of the archive's layers; filled in by the control node's half.
    type: list
    elements: str
  source_file:
    description: The archive on the node; filled in by the control node's half.
    type: path
"""

EXAMPLES = r"""
- name: Have the Ray image from a registry
  rackforge.gpu_cluster.container_image:
    name: rayproject/ray:2.60.0

- name: Have the Ray image without a registry
  rackforge.gpu_cluster.container_image:
    name: rayproject/ray:2.60.0
    archive: /srv/images/ray-2.60.0.tar
"""

RETURN = r"""
layers:
  description: Digests of the layers of the image on the node; empty while it is missing.
  returned: success
  type: list
  elements: str
  sample: ["sha256:5d5b0c4e4a3d"]
"""

from ansible.module_utils.basic import AnsibleModule


def present_layers(module: AnsibleModule, name: str) -> list[str]:
    """Return the layers of the image on this node, none when it is missing."""
    status, out, err = module.run_command(
        ["docker", "image", "inspect", "--format", '{{join .RootFS.Layers " "}}', name]
    )
    if status == 0:
        return list(out.split())
    if "no such image" in err.lower():
        return []
    module.fail_json(
        msg=f"Docker Engine did not answer about image {name}: {err.strip()}; "
        "try 'systemctl status docker' on this node"
    )
    raise AssertionError


def bring(module: AnsibleModule) -> None:
    """Pull or load the image."""
    name, source = module.params["name"], module.params["source_file"]
    command = (
        ["docker", "load", "--input", source] if source else ["docker", "pull", "--quiet", name]
    )
    status, _out, err = module.run_command(command)
    if status != 0:
        fix = (
            "check the free space on /var/lib/docker and the archive"
            if source
            else "check the registry's address and the node's way to it, or set ray_image_archive"
        )
        module.fail_json(msg=f"'{' '.join(command)}' failed: {err.strip()}; {fix}")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "archive": {"type": "path"},
            "layers": {"type": "list", "elements": "str"},
            "source_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8"}
    wanted = module.params["layers"]
    if not module.get_bin_path("docker"):
        if module.check_mode:
            module.exit_json(changed=True, layers=[])
        module.fail_json(
            msg=f"Could not have image {module.params['name']}: this node has no docker command. Let "
            "provision.yml install Docker Engine (install_docker=true), or use ray_runtime=venv"
        )
    seen = present_layers(module, module.params["name"])
    if seen and wanted in (None, seen):
        module.exit_json(changed=False, layers=seen)
    needs_source = bool(module.params["archive"]) and not module.params["source_file"]
    if module.check_mode or needs_source:
        module.exit_json(changed=True, layers=seen, needs_source=needs_source)
    bring(module)
    brought = present_layers(module, module.params["name"])
    if not brought or wanted not in (None, brought):
        module.fail_json(
            msg=f"'docker load' and 'docker pull' exited with 0, and yet the image "
            f"{module.params['name']} is {'another one' if brought else 'not there'} afterwards; is the "
            "archive for this machine's architecture, and was it written by 'docker save' with the "
            "image's name?"
        )
    module.exit_json(changed=True, layers=brought)


if __name__ == "__main__":
    main()
