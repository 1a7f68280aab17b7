"""Other groups for the nodes of a lab."""

from __future__ import annotations

import pytest

from tests.lab.groups import regrouped
from tests.lab.shell import LabError

TEXT = """# Written by the lab.
[ray_head]
n1 ansible_host=198.18.1.11

[ray_worker]
n2 ansible_host=198.18.1.12
n3 ansible_host=198.18.1.13

[all:vars]
ansible_user=root
cluster_name=lab
"""


def test_a_host_may_be_in_several_groups() -> None:
    groups = {"n1": ["ray_head", "k3s_server"], "n2": ["ray_worker"], "n3": ["monitoring"]}
    assert regrouped(TEXT, groups, {"cluster_name": "other"}) == (
        "# Written by the lab.\n"
        "[ray_head]\nn1 ansible_host=198.18.1.11\n\n"
        "[k3s_server]\nn1 ansible_host=198.18.1.11\n\n"
        "[ray_worker]\nn2 ansible_host=198.18.1.12\n\n"
        "[monitoring]\nn3 ansible_host=198.18.1.13\n\n"
        "[all:vars]\nansible_user=root\ncluster_name=other\n"
    )


def test_a_host_without_a_group_is_left_out() -> None:
    assert "n3" not in regrouped(TEXT, {"n1": ["ray_head"]}, {})


def test_an_unknown_node_is_named() -> None:
    with pytest.raises(LabError, match="saw the node n9, expected one of n1, n2, n3"):
        regrouped(TEXT, {"n9": ["monitoring"]}, {})
