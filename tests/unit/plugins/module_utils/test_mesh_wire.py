"""Claims about the messages of the port mesh."""

from __future__ import annotations

import pytest
from ansible_collections.rackforge.gpu_cluster.plugins.module_utils.mesh_wire import (
    HELLO_BYTES,
    LARGEST_PAYLOAD,
    Channel,
    Ends,
    Kind,
    WireError,
    answer_ping,
    key_of,
    make_hello,
    make_ping,
    make_welcome,
    new_nonce,
    read_echo,
    read_hello,
    read_welcome,
)

KEY, OTHER = key_of("secret of this run"), key_of("another secret")
ENDS = Ends(("10.0.0.1", 40000), ("10.0.0.2", 7000))
SEEN = ("10.0.0.1", 40000)


def channels(prober: bytes, agent: bytes) -> tuple[Channel, Channel]:
    """Return both ends of a talk."""
    return (
        Channel(KEY, prober, agent, is_agent=False),
        Channel(KEY, prober, agent, is_agent=True),
    )


def test_a_hello_under_the_secret_tells_the_nonce() -> None:
    nonce = new_nonce()
    assert read_hello(KEY, make_hello(KEY, nonce)) == nonce


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET / HTTP/1.1\r\n" * 4, id="http"),
        pytest.param(bytes(HELLO_BYTES), id="zeros"),
        pytest.param(make_hello(OTHER, bytes(16)), id="wrong-secret"),
        pytest.param(make_hello(KEY, bytes(16))[:-1], id="cut-off"),
        pytest.param(make_hello(KEY, bytes(16))[:-1] + b"x", id="changed"),
    ],
)
def test_a_stranger_cannot_say_hello(data: bytes) -> None:
    with pytest.raises(WireError):
        read_hello(KEY, data)


def test_a_welcome_tells_both_ends_as_the_agent_sees_them() -> None:
    prober, agent = new_nonce(), new_nonce()
    welcome = make_welcome(KEY, prober, agent, ENDS)
    assert read_welcome(KEY, prober, welcome) == (agent, ENDS)


def test_a_recorded_welcome_answers_no_other_hello() -> None:
    welcome = make_welcome(KEY, new_nonce(), new_nonce(), ENDS)
    with pytest.raises(WireError):
        read_welcome(KEY, new_nonce(), welcome)


def test_messages_arrive_in_order_from_any_pieces() -> None:
    prober, agent = channels(new_nonce(), new_nonce())
    stream = prober.pack(Kind.WITNESS, b"abcd") + prober.pack(Kind.LEAVE)
    buffer = bytearray(stream[:10])
    assert agent.take(buffer) is None
    buffer += stream[10:]
    taken = [agent.take(buffer) for _each in range(3)]
    assert [(each.kind, each.payload) for each in taken if each is not None] == [
        (Kind.WITNESS, b"abcd"),
        (Kind.LEAVE, b""),
    ]


def test_a_message_is_worth_nothing_twice() -> None:
    prober, agent = channels(new_nonce(), new_nonce())
    message = prober.pack(Kind.LEAVE)
    assert agent.take(bytearray(message)) is not None
    with pytest.raises(WireError):
        agent.take(bytearray(message))


def test_a_recorded_message_is_worth_nothing_in_another_talk() -> None:
    nonce = new_nonce()
    prober, _agent = channels(nonce, new_nonce())
    _prober, agent = channels(nonce, new_nonce())
    with pytest.raises(WireError):
        agent.take(bytearray(prober.pack(Kind.LEAVE)))


def test_an_answer_cannot_be_sent_back_as_a_question() -> None:
    _prober, agent = channels(new_nonce(), new_nonce())
    with pytest.raises(WireError):
        agent.take(bytearray(agent.pack(Kind.LEAVE)))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param((LARGEST_PAYLOAD + 1).to_bytes(4, "big") + b"\1", id="too-large"),
        pytest.param(b"\0\0\0\0\xee", id="unknown-kind"),
    ],
)
def test_a_message_out_of_bounds_ends_the_talk_at_its_head(head: bytes) -> None:
    _prober, agent = channels(new_nonce(), new_nonce())
    with pytest.raises(WireError):
        agent.take(bytearray(head + bytes(16)))


def test_an_echo_tells_port_and_the_address_that_was_seen() -> None:
    echo = answer_ping(KEY, make_ping(KEY, b"token678", 8472), 8472, SEEN)
    assert read_echo(KEY, echo, b"token678") == (8472, SEEN)


def test_a_ping_that_was_turned_to_another_port_has_no_echo() -> None:
    with pytest.raises(WireError):
        answer_ping(KEY, make_ping(KEY, b"token678", 8472), 8473, SEEN)


@pytest.mark.parametrize(
    "ping",
    [
        pytest.param(b"", id="empty"),
        pytest.param(make_ping(OTHER, b"token678", 8472), id="wrong-secret"),
        pytest.param(bytes(34), id="zeros"),
    ],
)
def test_a_stranger_has_no_echo(ping: bytes) -> None:
    with pytest.raises(WireError):
        answer_ping(KEY, ping, 8472, SEEN)


@pytest.mark.parametrize(
    ("key", "token"),
    [
        pytest.param(OTHER, b"token678", id="wrong-secret"),
        pytest.param(KEY, b"another8", id="for-another-prober"),
    ],
)
def test_an_echo_that_is_not_for_us_is_refused(key: bytes, token: bytes) -> None:
    echo = answer_ping(key, make_ping(key, token, 1), 1, SEEN)
    with pytest.raises(WireError):
        read_echo(KEY, echo, b"token678")
