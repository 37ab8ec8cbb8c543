"""Virtual connections without sockets: how they are opened, how channels are replaced, windows, pings, garbage."""

from __future__ import annotations

import random
from dataclasses import fields

import pytest

from gromoxd.errors import WireError
from gromoxd.rpc import pdu, rts
from workers.http.rpch import virtual
from workers.http.rpch.settings import RpchSettings
from workers.http.rpch.virtual import CloseChannel, Dead, Head, Opened, Received, VirtualConnection, Write

VC, IN1, IN2, OUT1, OUT2, GROUP = (bytes((number,)) * 16 for number in range(1, 7))
A1 = rts.conn_a1(VC, OUT1, 65536)
B1 = rts.conn_b1(VC, IN1, 1 << 30, 300_000, GROUP)
CALL = pdu.assemble(pdu.Request(4, 0, 6, b"stub"), 1, pdu.WHOLE)
IN_A1 = rts.in_r1_a1(VC, IN1, IN2)
OUT_A3 = rts.out_r2_a3(VC, OUT1, OUT2, 65536)


def made(**more: int) -> VirtualConnection:
    return VirtualConnection(VC, 0.0, **more)


def opened(**more: int) -> VirtualConnection:
    one = made(**more)
    one.first("out", A1, 0.0)
    one.first("in", B1, 0.0)
    return one


def test_the_time_out_has_bounds() -> None:
    """[MS-RPCH] 2.2.3.5.3: 120,000 to 14,400,000 ms."""
    found = next(one for one in fields(RpchSettings) if one.name == "rpch_channel_timeout")
    assert (found.metadata["low"], found.metadata["high"]) == (120, 14400)


@pytest.mark.parametrize("order", ["out in", "in out"])
def test_open(order: str) -> None:
    """[MS-RPCH] 3.2.1.5.3.1: A3 at once, C2 when both are there, in whatever order they come."""
    one = made()
    seen: list[object] = []
    for channel in order.split():
        seen += one.first(channel, A1 if channel == "out" else B1, 0.0)
    a3, c2 = rts.conn_a3(120_000).encode(), rts.conn_c2(65536, 120_000).encode()
    assert seen == [Head("out"), Write("out", a3), Write("out", c2), Opened()]
    assert one.opened and one.received("in", CALL, 1.0) == [Received(CALL)]


def test_twice_the_same_channel() -> None:
    one = opened()
    for found in (A1, B1):
        with pytest.raises(WireError, match="second"):
            one.first("other", found, 1.0)


def test_in_channel_is_replaced() -> None:
    """IN_R2 ([MS-RPCH] 3.2.1.5.3.3): what comes on the successor too early waits for the predecessor's last words."""
    one = opened()
    assert one.first("in2", IN_A1, 1.0) == [Write("out", rts.in_r2_a4().encode())]
    assert one.received("in2", CALL, 1.0) == []
    assert one.received("in", CALL, 1.0) == [Received(CALL)]
    assert one.received("in", rts.in_r2_a5(IN2).encode(), 1.0) == [CloseChannel("in"), Received(CALL)]
    assert one.received("in2", CALL, 2.0) == [Received(CALL)]
    assert one.lost("in") == [] and not one.dead
    assert one.lost("in2") == [Dead("a channel was lost")]


def test_successors_that_nobody_wants() -> None:
    one = opened()
    with pytest.raises(WireError, match="no successor"):
        one.first("in2", rts.in_r1_a1(VC, IN2, IN1), 1.0)
    with pytest.raises(WireError, match="nobody has asked"):
        one.first("out2", OUT_A3, 1.0)
    with pytest.raises(WireError, match="another successor"):
        one.received("in", rts.in_r2_a5(IN2).encode(), 1.0)
    with pytest.raises(WireError, match="another successor"):
        one.received("in", rts.out_r2_a7(OUT2).encode(), 1.0)


def test_out_channel_is_replaced() -> None:
    """OUT_R2 ([MS-RPCH] 3.2.1.5.3.4): when few octets of the announced length are left."""
    one = opened(lifetime=20_000)
    big = CALL + bytes(5000)
    assert one.send(big, 1.0) == [Write("out", big)]
    assert one.send(big, 1.0) == [Write("out", big), Write("out", rts.out_r2_a2().encode())]
    assert one.send(big, 1.0) == [Write("out", big)]
    assert one.send(big, 1.0) == []  # no room for it on the old channel
    assert one.first("out2", OUT_A3, 2.0) == [Write("out", rts.out_r2_a6().encode())]
    assert one.received("out2", rts.out_r2_c1().encode(), 2.0) == []
    found = one.received("in", rts.out_r2_a7(OUT2).encode(), 2.0)
    b3 = rts.out_r2_b3().encode()
    assert found == [Write("out", b3), CloseChannel("out"), Head("out2"), Write("out2", big)]
    assert one.lost("out") == [] and one.send(CALL, 3.0) == [Write("out2", CALL)]


def test_a_successor_is_answered_when_its_request_is_whole() -> None:
    """[MS-RPCH] 3.2.4.5.10, 3.2.4.5.11: without OUT_R2/C1 there is no reply yet; what is to be sent waits for it."""
    one = opened(lifetime=20_000)
    big = CALL + bytes(5000)
    for _ in range(4):
        one.send(big, 1.0)
    one.first("out2", OUT_A3, 2.0)
    ended = one.received("in", rts.out_r2_a7(OUT2).encode(), 2.0)
    assert ended == [Write("out", rts.out_r2_b3().encode()), CloseChannel("out")]
    assert one.first("in2", IN_A1, 3.0) == [] and one.send(CALL, 3.0) == []
    a4 = Write("out2", rts.in_r2_a4().encode())
    c1 = rts.out_r2_c1().encode()
    assert one.received("out2", c1, 4.0) == [Head("out2"), a4, Write("out2", big), Write("out2", CALL)]
    with pytest.raises(WireError):
        one.received("out2", c1, 4.0)


def test_a_successor_whose_request_is_never_whole() -> None:
    one = opened(lifetime=20_000)
    for _ in range(4):
        one.send(CALL + bytes(5000), 1.0)
    one.first("out2", OUT_A3, 2.0)
    one.received("in", rts.out_r2_a7(OUT2).encode(), 2.0)
    assert one.tick(61.0) == []
    assert one.tick(63.0) == [Dead("channels did not come in time")]


def test_the_announced_length_is_never_exceeded() -> None:
    one = opened(lifetime=20_000)
    sent = 0
    for number in range(200):
        for action in [*one.send(CALL + bytes(300), 1.0), *one.tick(number * 0.1)]:
            assert isinstance(action, Write)
            sent += len(action.octets)
    assert 19_000 < sent <= 20_000


def test_window_of_the_client() -> None:
    """[MS-RPCH] 3.2.1.1.5.1: no more is sent than the client has room for; an acknowledgment makes room."""
    one = made()
    one.first("in", B1, 0.0)
    one.first("out", rts.conn_a1(VC, OUT1, 8192), 0.0)
    big = CALL + bytes(4000 - len(CALL))
    assert [one.send(big, 1.0) for _ in range(4)] == [[Write("out", big)], [Write("out", big)], [], []]
    other = rts.flow_control_ack(rts.Destination.OUT_PROXY, 4000, 8192, OUT2)
    assert one.received("in", other.encode(), 1.0) == []
    ack = rts.flow_control_ack(rts.Destination.OUT_PROXY, 4000, 8192, OUT1)
    assert one.received("in", ack.encode(), 1.0) == [Write("out", big)]
    ack = rts.flow_control_ack(rts.Destination.OUT_PROXY, 12000, 8192, OUT1)
    assert one.received("in", ack.encode(), 1.0) == [Write("out", big)]
    lie = rts.flow_control_ack(rts.Destination.OUT_PROXY, 20000, 8192, OUT1)
    with pytest.raises(WireError, match="not sent"):
        one.received("in", lie.encode(), 1.0)


def test_window_of_ours() -> None:
    """We acknowledge when half of our window was used."""
    one = opened()
    big = CALL + bytes(5800 - len(CALL))
    seen = [action for _ in range(12) for action in one.received("in", big, 1.0)]
    ack = rts.flow_control_ack(rts.Destination.CLIENT, 6 * 5800, 65536, IN1).encode()
    assert [action for action in seen if not isinstance(action, Received)] == [
        Write("out", ack), Write("out", rts.flow_control_ack(rts.Destination.CLIENT, 12 * 5800, 65536, IN1).encode())
    ]  # fmt: skip


def test_a_client_that_takes_nothing() -> None:
    one = opened()
    for _ in range(20_000):
        found = one.send(CALL + bytes(5000), 1.0)
        if found and isinstance(found[-1], Dead):
            break
    assert one.dead and one.send(CALL, 1.0) == [] and one.received("in", CALL, 1.0) == []


def test_pings() -> None:
    """Something is on the OUT channel within half of the time-out, or of the client's own interval."""
    one = opened()
    assert one.tick(59.0) == [] and one.tick(60.0) == [Write("out", rts.ping().encode())]
    assert one.tick(61.0) == []
    assert one.received("in", rts.ping().encode(), 61.0) == []
    assert one.received("in", rts.keep_alive(60_000).encode(), 61.0) == []
    assert one.tick(89.0) == [] and one.tick(90.0) == [Write("out", rts.ping().encode())]


def test_silence() -> None:
    one = opened()
    assert one.tick(599.0) == [Write("out", rts.ping().encode())]
    assert one.tick(601.0) == [Dead("the client is silent")] and one.dead


@pytest.mark.parametrize("first", ["out", "in"])
def test_the_other_channel_does_not_come(first: str) -> None:
    one = made()
    one.first(first, A1 if first == "out" else B1, 0.0)
    assert one.tick(60.0) == [] and one.tick(60.1) == [Dead("channels did not come in time")]


def test_what_begins_a_channel() -> None:
    assert [virtual.kind_of(found) for found in (A1, B1, IN_A1, OUT_A3)] == [
        "CONN/A1", "CONN/B1", "IN_R1/A1", "OUT_R1/A3"
    ]  # fmt: skip
    for found in (rts.ping(), rts.echo(), rts.conn_a3(1), rts.in_r2_a5(IN1)):
        with pytest.raises(WireError):
            virtual.kind_of(found)


def test_any_sequence() -> None:
    """Whatever comes on whatever channel: actions or WireError; and no PDU is lost, doubled or sent beyond a window."""
    rng = random.Random(11)
    rts_pdus = [
        A1, B1, IN_A1, OUT_A3, rts.in_r2_a5(IN2), rts.out_r2_a7(OUT2), rts.ping(), rts.keep_alive(1), rts.out_r2_c1(),
        rts.flow_control_ack(rts.Destination.OUT_PROXY, 0, 65536, OUT1), rts.echo(), rts.Rts(9, ((7, None),)),
        rts.flow_control_ack(rts.Destination.OUT_PROXY, 3000, 60000, OUT1), rts.in_r2_a4(),
    ]  # fmt: skip
    ends = 0
    for _ in range(3000):
        one = made(lifetime=rng.choice((3000, 1 << 30)))
        if rng.random() < 0.8:
            one = opened(lifetime=rng.choice((3000, 1 << 30)))
        now = 0.0
        for _ in range(30):
            channel = rng.choice(("in", "out", "in2", "out2"))
            now += rng.choice((0, 0, 1, 30))
            try:
                if rng.random() < 0.2:
                    found = rng.choice(rts_pdus)
                    virtual.kind_of(found)
                    one.first(channel, found, now)
                elif rng.random() < 0.7:
                    one.received(channel, rng.choice((CALL, rng.choice(rts_pdus).encode(), b"", b"\5\0\x14")), now)
                elif rng.random() < 0.8:
                    one.send(CALL, now)
                else:
                    one.tick(now)
            except WireError:
                ends += 1
                break
            if one.dead:
                break
    assert ends > 500
