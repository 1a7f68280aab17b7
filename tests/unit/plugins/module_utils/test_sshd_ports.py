"""Claims about the steps of a change of ports."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_config import Own
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.sshd_ports import (
    KEEP,
    TRY,
    UNDO,
    PortPlan,
    Ports,
    parse_labels,
    plan_ports,
    staying,
)

FRESH = Ports(Own(), explicit=(), default=(22,), open=frozenset({22}))
TRIAL = Own(ports=(22, 22332), trial=22332)
TRYING = Ports(TRIAL, explicit=(), default=(22,), open=frozenset({22, 22332}))
MOVED = Ports(Own(ports=(22332,)), explicit=(), default=(22,), open=frozenset({22332}))
OWNERS = Ports(Own(), explicit=(22, 2222), default=(22,), open=frozenset({22, 2222}))
LEAVING = Own(ports=(22, 22332), trial=22, before=(22332,))


@pytest.mark.parametrize(
    ("seen", "wanted", "step", "expected"),
    [
        pytest.param(FRESH, None, TRY, PortPlan(Own()), id="not-wanted"),
        pytest.param(FRESH, 22, TRY, PortPlan(Own()), id="default-needs-no-line"),
        pytest.param(FRESH, 22332, TRY, PortPlan(TRIAL, proof=22332), id="both-open-first"),
        pytest.param(TRYING, 22332, KEEP, PortPlan(Own(ports=(22332,))), id="proven"),
        pytest.param(TRYING, 22332, UNDO, PortPlan(Own()), id="not-proven"),
        pytest.param(TRYING, 22332, TRY, PortPlan(TRIAL, proof=22332), id="killed-in-between"),
        pytest.param(TRYING, None, TRY, PortPlan(TRIAL), id="killed-and-no-longer-wanted"),
        pytest.param(MOVED, 22332, TRY, PortPlan(Own(ports=(22332,))), id="second-run"),
        pytest.param(MOVED, None, TRY, PortPlan(Own(ports=(22332,))), id="unset-closes-nothing"),
        pytest.param(
            MOVED,
            22333,
            TRY,
            PortPlan(Own(ports=(22332, 22333), trial=22333, before=(22332,)), proof=22333),
            id="another-port",
        ),
        pytest.param(
            Ports(
                Own(ports=(22332, 22333), trial=22333, before=(22332,)),
                (),
                (22,),
                frozenset({22332, 22333}),
            ),
            22333,
            UNDO,
            PortPlan(Own(ports=(22332,))),
            id="another-port-not-proven",
        ),
        pytest.param(MOVED, 22, TRY, PortPlan(LEAVING, proof=22), id="back-to-the-default"),
        pytest.param(
            OWNERS,
            22332,
            TRY,
            PortPlan(Own(ports=(22332,), trial=22332), proof=22332),
            id="owner's-ports-stay-by-themselves",
        ),
        pytest.param(OWNERS, 2222, TRY, PortPlan(Own()), id="owner-has-it-already"),
    ],
)
def test_every_step_leaves_a_proven_port_open(
    seen: Ports, wanted: int | None, step: str, expected: PortPlan
) -> None:
    assert plan_ports(seen, wanted, False, step) == expected


@pytest.mark.parametrize(
    ("seen", "step", "expected"),
    [
        pytest.param(FRESH, TRY, PortPlan(Own()), id="nothing-there"),
        pytest.param(MOVED, TRY, PortPlan(LEAVING, proof=22), id="first-port-must-be-proven"),
        pytest.param(
            Ports(LEAVING, (), (22,), frozenset({22, 22332})), KEEP, PortPlan(Own()), id="proven"
        ),
        pytest.param(
            Ports(LEAVING, (), (22,), frozenset({22, 22332})),
            UNDO,
            PortPlan(Own(ports=(22332,))),
            id="not-proven",
        ),
        pytest.param(
            Ports(Own(ports=(22332,)), (22, 2222), (22,), frozenset({22, 2222, 22332})),
            TRY,
            PortPlan(Own(ports=(22332,), trial=22, before=(22332,)), proof=22),
            id="owner's-port-is-proven-before-ours-closes",
        ),
    ],
)
def test_taking_our_part_out_proves_the_port_of_before(
    seen: Ports, step: str, expected: PortPlan
) -> None:
    assert plan_ports(seen, None, True, step) == expected


def test_a_port_of_the_owners_that_stays_is_named_with_its_line() -> None:
    explicit = ((22, "/etc/ssh/sshd_config.d/lab.conf:1"), (22332, "/etc/ssh/x.conf:2"))
    assert staying(PortPlan(Own(ports=(22332,))), explicit) == (
        "sshd listens on 22 too, because /etc/ssh/sshd_config.d/lab.conf:1 says so; that line is"
        " yours and stays. Remove it to have 22332 alone",
    )


def test_nothing_is_said_while_a_port_is_on_trial() -> None:
    assert staying(PortPlan(TRIAL, proof=22332), ((2222, "/f:1"),)) == ()


def test_labels_are_read_with_their_ranges() -> None:
    said = (
        "ssdp_port_t                    udp      1900\n"
        "ssh_port_t                     tcp      22332, 2200-2202, 22\n"
        "svn_port_t                     tcp      3690\n"
    )
    assert parse_labels(said) == {22, 2200, 2201, 2202, 22332}
