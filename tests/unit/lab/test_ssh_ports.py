"""Claims about loopback ports that somebody asks for."""

from __future__ import annotations

import argparse

import pytest

from tests.lab.cli import parser, ports


def test_ports_are_given_in_the_order_of_the_nodes() -> None:
    assert ports("2222,2200,2201") == (2222, 2200, 2201)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("22", id="a-port-of-root"),
        pytest.param("2222,2222", id="one-port-twice"),
        pytest.param("2222,", id="nothing-behind-the-comma"),
        pytest.param("70000", id="no-such-port"),
    ],
)
def test_ports_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=text):
        ports(text)


def test_without_a_wish_free_ports_are_taken() -> None:
    assert parser().parse_args(["up"]).ssh_ports == ()
