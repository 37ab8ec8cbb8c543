"""Associations without I/O: binds, features, authentication, fragments, faults, cancels, garbage."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gromoxd.errors import WireError
from gromoxd.rpc import pdu
from gromoxd.rpc.emsmdb import EMSMDB
from gromoxd.rpc.nspi import NSPI
from gromoxd.rpc.pdu import AuthLevel, Fault, Flags, Reject, Trailer
from workers.http.rpch import association as a
from workers.http.rpch.association import Association, Cancel, Close, Invoke, Send
from workers.http.rpch.security import NotAuthenticated

USER = "alice@example.test"
FEATURES = pdu.Syntax(pdu.FEATURES + bytes((0xFF,)) + bytes(7), 1, 0)


class Toy:
    """A security context whose seal is an exclusive or, and whose signature says how many messages there were."""

    def __init__(self, user: str = USER) -> None:
        self.user = user
        self.done = False
        self.sent = self.got = 0

    def step(self, token: bytes) -> bytes:
        if token == b"wrong":
            raise NotAuthenticated("wrong")
        self.done = token == b"second"
        return b"" if self.done else b"challenge"

    def sign(self, message: bytes) -> bytes:
        self.sent += 1
        return b"%8d%8d" % (self.sent, sum(message))

    def verify(self, message: bytes, signature: bytes) -> bool:
        self.got += 1
        return signature == b"%8d%8d" % (self.got, sum(message))

    def seal(self, message: bytes, start: int, end: int) -> tuple[bytes, bytes]:
        return flipped(message, start, end), self.sign(message)

    def unseal(self, message: bytes, start: int, end: int, signature: bytes) -> bytes | None:
        clear = flipped(message, start, end)
        return clear if self.verify(clear, signature) else None


def flipped(message: bytes, start: int, end: int) -> bytes:
    return message[:start] + bytes(octet ^ 0xFF for octet in message[start:end]) + message[end:]


def made(toy: Any = None) -> Association:
    return Association([EMSMDB, NSPI], USER, lambda number: number or 77, lambda kind: toy if kind == 10 else None)


def syntax(of: Any) -> pdu.Syntax:
    return pdu.Syntax(of.uuid, of.major, of.minor)


def bind(*contexts: pdu.Context, trailer: Trailer | None = None, group: int = 0, kind: Any = pdu.Bind) -> bytes:
    wanted = contexts or (pdu.Context(0, syntax(EMSMDB), (pdu.NDR,)),)
    return pdu.assemble(kind(5840, 5840, group, wanted), 1, pdu.WHOLE, trailer)


def answer(events: list[a.Event]) -> pdu.Pdu:
    assert isinstance(events[0], Send)
    return pdu.decode(events[0].octets)


def bound(toy: Any = None, level: int = 0) -> Association:
    one = made(toy)
    one.feed(bind(trailer=Trailer(10, level, 0, 5, b"first") if level else None))
    if level:
        assert one.feed(pdu.assemble(pdu.Auth3(), 1, pdu.WHOLE, Trailer(10, level, 0, 5, b"second"))) == []
    return one


def request(stub: bytes = b"stub", call_id: int = 2, flags: int = pdu.WHOLE, **more: int) -> bytes:
    body = pdu.Request(len(stub), more.get("context_id", 0), more.get("opnum", 6), stub)
    return pdu.assemble(body, call_id, flags)


def protected(toy: Toy, level: int, stub: bytes = b"stub") -> bytes:
    """A request as a client protects it."""
    stub += bytes(-len(stub) % 16)
    trailer = Trailer(10, level, 12, 5, bytes(16))
    octets = pdu.assemble(pdu.Request(4, 0, 6, stub), 2, pdu.WHOLE, trailer)[:-16]
    signature = Toy.sign(toy, octets)
    end = len(octets) - 8
    return (flipped(octets, 24, end) if level == 6 else octets) + signature


def test_bind() -> None:
    """[MS-RPCE] 3.3.1.5.3: each context has its result in its place."""
    found = answer(made().feed(bind(
        pdu.Context(0, syntax(EMSMDB), (pdu.NDR,)), pdu.Context(1, syntax(EMSMDB), (pdu.NDR64,)),
        pdu.Context(2, syntax(EMSMDB), (FEATURES,)), pdu.Context(3, pdu.Syntax(bytes(16), 1, 0), (pdu.NDR,)),
        pdu.Context(4, syntax(NSPI)._replace(major=55), (pdu.NDR,)), pdu.Context(5, syntax(NSPI), (pdu.NDR64, pdu.NDR)),
    )))  # fmt: skip
    assert isinstance(found.body, pdu.BindAck) and found.call_id == 1 and found.body.group == 77
    assert [(one.result, one.reason) for one in found.body.results] == [(0, 0), (2, 2), (3, 3), (2, 1), (2, 1), (0, 0)]
    assert found.body.results[0].transfer == pdu.NDR


def test_groups_and_fragments_are_agreed_on() -> None:
    octets = pdu.assemble(pdu.Bind(4280, 2000, 9, (pdu.Context(0, syntax(EMSMDB), (pdu.NDR,)),)), 1, pdu.WHOLE)
    one = made()
    found = answer(one.feed(octets))
    assert isinstance(found.body, pdu.BindAck)
    assert (found.body.max_xmit, found.body.max_recv, found.body.group) == (2000, 4280, 9)
    (invoke,) = one.feed(request())
    assert isinstance(invoke, Invoke)
    assert [len(part) for part in one.respond(invoke, bytes(4000))] == [1992, 1992, 88]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (bind(trailer=Trailer(16, 6, 0, 5, b"kerberos")), Reject.AUTHENTICATION_TYPE_NOT_RECOGNIZED),
        (bind(trailer=Trailer(10, 6, 0, 5, b"wrong")), Reject.INVALID_CHECKSUM),
        (bind(trailer=Trailer(10, 9, 0, 5, b"first")), Reject.LOCAL_LIMIT_EXCEEDED),
        (bind()[:4] + b"\0" + bind()[5:], Reject.NOT_SPECIFIED),
    ],
)
def test_refused_binds(octets: bytes, reason: Reject) -> None:
    events = made(Toy()).feed(octets)
    assert answer(events).body == pdu.BindNak(reason) and isinstance(events[1], Close)


def test_second_bind() -> None:
    events = bound().feed(bind())
    assert answer(events).body == pdu.BindNak(Reject.LOCAL_LIMIT_EXCEEDED) and isinstance(events[1], Close)


def test_call() -> None:
    one = bound()
    (invoke,) = one.feed(request(b"parameters"))
    assert isinstance(invoke, Invoke)
    assert (invoke.interface, invoke.opnum, invoke.stub, invoke.call_id) == (EMSMDB, 6, b"parameters", 2)
    (octets,) = one.respond(invoke, b"answer")
    assert pdu.decode(octets).body == pdu.Response(6, 0, b"answer") and pdu.decode(octets).call_id == 2
    assert one.respond(invoke, b"again") == []


def test_calls_are_answered_in_any_order() -> None:
    one = bound()
    (first,), (second,) = one.feed(request(call_id=2)), one.feed(request(call_id=3))
    assert isinstance(first, Invoke) and isinstance(second, Invoke)
    assert pdu.decode(one.respond(second, b"")[0]).call_id == 3
    assert pdu.decode(one.fault(first, Fault.CONTEXT_MISMATCH)[0]).body == pdu.FaultBody(Fault.CONTEXT_MISMATCH)


def test_fragments() -> None:
    one = bound()
    assert one.feed(request(b"one ", flags=Flags.FIRST_FRAG)) == []
    assert one.feed(request(b"other", 3)) != []
    assert one.feed(request(b"two ", flags=0)) == []
    (invoke,) = one.feed(request(b"three", flags=Flags.LAST_FRAG))
    assert isinstance(invoke, Invoke) and invoke.stub == b"one two three"


@pytest.mark.parametrize("flags", [0, int(Flags.LAST_FRAG)])
def test_fragments_out_of_order(flags: int) -> None:
    with pytest.raises(WireError, match="out of order"):
        bound().feed(request(flags=flags))


def test_requests_are_bounded() -> None:
    one = bound()
    one.feed(request(flags=Flags.FIRST_FRAG))
    with pytest.raises(WireError, match="more than"):
        for _ in range(300):
            one.feed(request(bytes(5000), flags=0))
    with pytest.raises(WireError, match="too long"):
        bound().feed(request(bytes(6000)))
    one = bound()
    for number in range(a.MOST_CALLS):
        assert isinstance(one.feed(request(call_id=number + 2))[0], Invoke)
    assert answer(one.feed(request(call_id=99))).body == pdu.FaultBody(Fault.SERVER_TOO_BUSY)


def test_contexts_are_bounded() -> None:
    one = made()
    one.feed(bind(*(pdu.Context(number, syntax(EMSMDB), (pdu.NDR,)) for number in range(60))))
    more = (pdu.Context(number, syntax(NSPI), (pdu.NDR,)) for number in range(60, 70))
    found = answer(one.feed(bind(*more, kind=pdu.AlterContext)))
    assert isinstance(found.body, pdu.AlterContextResp)
    assert [one.result for one in found.body.results] == [0] * 4 + [2] * 6
    assert found.body.results[-1].reason == pdu.Reason.LOCAL_LIMIT_EXCEEDED


@pytest.mark.parametrize(("more", "status"), [({"context_id": 9}, Fault.UNK_IF), ({"opnum": 99}, Fault.OP_RNG_ERROR)])
def test_calls_of_nothing(more: Any, status: Fault) -> None:
    found = answer(bound().feed(request(**more)))
    assert isinstance(found.body, pdu.FaultBody) and found.body.status == status
    assert found.flags & Flags.DID_NOT_EXECUTE


def test_cancel_and_orphaned() -> None:
    one = bound()
    (invoke,) = one.feed(request())
    assert isinstance(invoke, Invoke)
    cancel, orphaned = (pdu.assemble(body, 2, pdu.WHOLE) for body in (pdu.CoCancel(), pdu.Orphaned()))
    assert one.feed(cancel) == [Cancel(invoke)] and one.feed(cancel) == []
    assert len(one.respond(invoke, b"")) == 1
    (invoke,) = one.feed(request())
    assert isinstance(invoke, Invoke)
    assert one.feed(orphaned) == [Cancel(invoke)] and one.respond(invoke, b"") == []
    one.feed(request(call_id=5, flags=Flags.FIRST_FRAG))
    assert one.feed(pdu.assemble(pdu.Orphaned(), 5, pdu.WHOLE)) == []
    assert isinstance(one.feed(request(call_id=5))[0], Invoke)


@pytest.mark.parametrize("level", [AuthLevel.PKT, AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
def test_protected(level: int) -> None:
    one, client = bound(Toy(), level), Toy()
    (invoke,) = one.feed(protected(client, level))
    assert isinstance(invoke, Invoke) and invoke.stub == b"stub"
    (octets,) = one.respond(invoke, b"answer")
    found = pdu.decode(octets)
    assert found.trailer is not None and (found.trailer.level, found.trailer.pad_length) == (level, 10)
    body = flipped(octets, 24, 40) if level == AuthLevel.PRIVACY else octets
    assert body[24:30] == b"answer"
    assert found.trailer.value == b"%8d%8d" % (1, sum(body[:-16]))


@pytest.mark.parametrize("level", [AuthLevel.INTEGRITY, AuthLevel.PRIVACY])
@pytest.mark.parametrize("at", [14, 20, 25, -1])
def test_changed_on_the_way(level: int, at: int) -> None:
    octets = bytearray(protected(Toy(), level))
    octets[at] ^= 1
    events = bound(Toy(), level).feed(bytes(octets))
    body = answer(events).body
    assert isinstance(body, pdu.FaultBody) and body.status == Fault.ACCESS_DENIED and isinstance(events[1], Close)


def test_a_connection_that_was_to_be_protected_takes_nothing_in_clear() -> None:
    events = bound(Toy(), AuthLevel.PRIVACY).feed(request())
    assert answer(events).body == pdu.FaultBody(Fault.ACCESS_DENIED)


def test_level_connect_protects_nothing() -> None:
    one = bound(Toy(), AuthLevel.CONNECT)
    (invoke,) = one.feed(request())
    assert isinstance(invoke, Invoke)
    assert pdu.decode(one.respond(invoke, b"")[0]).trailer is None


@pytest.mark.parametrize("second", [b"wrong", b"second"])
def test_log_in_that_fails(second: bytes) -> None:
    """A wrong password, and a good one of somebody else than HTTP knows: the calls that follow are refused."""
    one = made(Toy("mallory@example.test"))
    one.feed(bind(trailer=Trailer(10, 2, 0, 5, b"first")))
    assert one.feed(pdu.assemble(pdu.Auth3(), 1, pdu.WHOLE, Trailer(10, 2, 0, 5, second))) == []
    assert answer(one.feed(request())).body == pdu.FaultBody(Fault.ACCESS_DENIED)


def test_log_in_that_was_not_finished() -> None:
    one = made(Toy())
    found = answer(one.feed(bind(trailer=Trailer(10, 6, 0, 5, b"first"))))
    assert found.trailer is not None and found.trailer.value == b"challenge"
    assert answer(one.feed(request())).body == pdu.FaultBody(Fault.ACCESS_DENIED)


def test_log_in_by_alter_context() -> None:
    one = made(Toy())
    one.feed(bind(trailer=Trailer(10, 6, 0, 5, b"first")))
    found = answer(one.feed(bind(trailer=Trailer(10, 6, 0, 5, b"second"), kind=pdu.AlterContext)))
    assert isinstance(found.body, pdu.AlterContextResp)
    assert isinstance(one.feed(protected(Toy(), 6))[0], Invoke)


def test_what_no_client_sends() -> None:
    for body in (pdu.Response(0, 0, b""), pdu.BindAck(0, 0, 0, b"", ()), pdu.Shutdown(), pdu.FaultBody(1)):
        with pytest.raises(WireError):
            bound().feed(pdu.assemble(body, 1, pdu.WHOLE))
    with pytest.raises(WireError):
        made().feed(request())


def test_garbage() -> None:
    """Whatever comes in whatever order: events or WireError."""
    rng = random.Random(3)
    seeds = [
        bind(), bind(trailer=Trailer(10, 6, 0, 5, b"first")), request(), request(flags=Flags.FIRST_FRAG),
        request(flags=Flags.LAST_FRAG), protected(Toy(), 6), pdu.assemble(pdu.CoCancel(), 2, pdu.WHOLE),
        pdu.assemble(pdu.Auth3(), 1, pdu.WHOLE, Trailer(10, 6, 0, 5, b"second")), bind(kind=pdu.AlterContext),
    ]  # fmt: skip
    for _ in range(2000):
        one = made(Toy())
        for _ in range(12):
            octets = bytearray(rng.choice(seeds))
            for _ in range(rng.choice((0, 0, 1, 3))):
                octets[rng.randrange(len(octets))] = rng.randrange(256)
            try:
                for event in one.feed(bytes(octets)):
                    if isinstance(event, Invoke) and rng.random() < 0.7:
                        one.respond(event, bytes(rng.randrange(9000)))
            except WireError:
                break
        assert len(one.calls) <= a.MOST_CALLS
