"""Claims about lines of an exports file, and about clients that are refused."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.nfs_exports import (
    Export,
    problems,
    text,
)


def test_the_text_lists_each_client_with_its_options() -> None:
    exports = [
        Export("/srv/data", ("10.1.0.0/24", "gpu01")),
        Export("/srv/my models", ("*",), "ro"),
    ]
    assert text(exports) == (
        "# Managed by rackforge.gpu_cluster\n"
        "/srv/data 10.1.0.0/24(rw,sync,no_subtree_check) gpu01(rw,sync,no_subtree_check)\n"
        '"/srv/my models" *(ro)\n'
    )


@pytest.mark.parametrize(
    "client",
    ["10.1.0.5", "10.1.0.0/24", "10.1.0.0/255.255.255.0", "fd00::/64", "gpu01", "gpu01.lab.example",
     "*.lab.example", "gpu0?.lab.example", "@gpus"],
)  # fmt: skip
def test_a_client_may_be(client: str) -> None:
    assert problems([Export("/srv/data", (client,))]) == []


@pytest.mark.parametrize(
    "client", ["10.1.0.0/33", "10.1.0.256", "a b", "gpu01(rw)", "", "-x", "gpu01,gpu02"]
)
def test_a_client_may_not_be(client: str) -> None:
    assert problems([Export("/srv/data", (client,))]) == [
        f"/srv/data: client '{client}' is no address, network, host name or @netgroup"
    ]


@pytest.mark.parametrize("client", ["*", "0.0.0.0/0", "0.0.0.0/0.0.0.0", "::/0"])
def test_everybody_may_not_write(client: str) -> None:
    assert problems([Export("/srv/data", (client,))]) == [
        f"/srv/data: client '{client}' is everybody who reaches this node, and NFS believes each "
        "of them who they say they are: they could write everything. List the cluster's network "
        "instead, or let everybody only read with options: ro"
    ]


def test_everybody_may_read() -> None:
    assert problems([Export("/srv/data", ("*",), "ro,no_subtree_check")]) == []


@pytest.mark.parametrize(
    ("exports", "expected"),
    [
        pytest.param([Export("srv", ("a",))], ["srv: is no plain absolute path"], id="relative"),
        pytest.param(
            [Export("/srv/..", ("a",))], ["/srv/..: is no plain absolute path"], id="dots"
        ),
        pytest.param(
            [Export("/srv/a", ())],
            ["/srv/a: has no clients; list addresses, networks or host names"],
            id="nobody",
        ),
        pytest.param(
            [Export("/srv/a", ("a",)), Export("/srv/a", ("b",))],
            ["/srv/a is listed twice"],
            id="twice",
        ),
        pytest.param(
            [Export("/srv/a", ("a",), "rw) *(rw")],
            ["/srv/a: options 'rw) *(rw' are not words with commas between them"],
            id="smuggled",
        ),
    ],
)
def test_a_list_that_makes_no_sense_is_explained(
    exports: list[Export], expected: list[str]
) -> None:
    assert problems(exports) == expected
