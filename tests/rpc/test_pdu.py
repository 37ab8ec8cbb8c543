"""PDUs both directions, fragments, and what is none."""

from __future__ import annotations

import random

import pytest

from gromoxd.errors import WireError
from gromoxd.rpc import pdu, rts
from gromoxd.rpc.pdu import Flags, Pdu, Trailer
from tests.rpc.test_golden import RPC_BIND_NSPI, RTS

UUID = bytes(range(16))
BODIES: list[pdu.Body] = [
    pdu.Bind(5840, 5840, 7, (pdu.Context(1, pdu.Syntax(UUID, 1, 2), (pdu.NDR, pdu.NDR64)),)),
    pdu.AlterContext(1432, 5840, 0, ()),
    pdu.BindAck(5840, 4280, 9, b"6001\0", (pdu.ContextResult(0, 0, pdu.NDR), pdu.ContextResult(3, 3))),
    pdu.AlterContextResp(5840, 5840, 9, b"", (pdu.ContextResult(2, 1),)),
    pdu.BindNak(pdu.Reject.PROTOCOL_VERSION_NOT_SUPPORTED, ((5, 0),)),
    pdu.Request(20, 1, 11, b"stub of call"),
    pdu.Request(4, 0, 0, b"stub", UUID),
    pdu.Response(4, 1, b"stub", 1),
    pdu.FaultBody(pdu.Fault.CONTEXT_MISMATCH, 3),
    pdu.Auth3(), pdu.Shutdown(), pdu.CoCancel(), pdu.Orphaned(),
]  # fmt: skip
TRAILER = Trailer(10, 6, 0, 79231, b"credentials of 16")


def flags_of(body: pdu.Body) -> int:
    return pdu.WHOLE | (Flags.OBJECT_UUID if isinstance(body, pdu.Request) and body.object else 0)


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_both_ways(body: pdu.Body) -> None:
    octets = Pdu(3, body, flags_of(body)).encode()
    found = pdu.decode(octets)
    assert found.body == body and found.call_id == 3 and found.trailer is None
    assert int.from_bytes(octets[8:10], "little") == len(octets) and octets[:5] == bytes(
        (5, 0, body.kind, found.flags, 16)
    )
    assert found.encode() == octets


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_with_credentials(body: pdu.Body) -> None:
    found = pdu.decode(Pdu(3, body, flags_of(body), TRAILER).encode())
    assert found.trailer is not None and found.trailer.value == TRAILER.value and found.trailer.context_id == 79231
    assert found.body == body
    assert found.signed + TRAILER.value == found.octets


def test_fragments() -> None:
    stub = bytes(random.Random(1).randbytes(20_000))
    parts = pdu.split(lambda hint, part: pdu.Response(hint, 2, part), stub, 8, 5840)
    octets = [part.encode() for part in parts]
    assert [len(each) for each in octets] == [5832, 5832, 5832, 2600]
    assert [part.flags for part in parts] == [Flags.FIRST_FRAG, 0, 0, Flags.LAST_FRAG]
    bodies = [pdu.decode(each).body for each in octets]
    assert [body.alloc_hint for body in bodies if isinstance(body, pdu.Response)] == [20000, 14192, 8384, 2576]
    assert b"".join(body.stub for body in bodies if isinstance(body, pdu.Response)) == stub


def test_fragments_with_credentials() -> None:
    trailer = Trailer(10, 6, 0, 1, bytes(16))
    parts = pdu.split(lambda hint, part: pdu.Response(hint, 2, part), bytes(3001), 8, 1432, trailer)
    assert [len(part.encode()) for part in parts] == [1424, 1424, 304]
    assert [part.trailer.pad_length for part in parts if part.trailer] == [0, 0, 7]


def test_an_empty_stub_is_one_fragment() -> None:
    (part,) = pdu.split(lambda hint, part: pdu.Response(hint, 0, part), b"", 1, 1432)
    assert part.flags == pdu.WHOLE and part.body == pdu.Response(0, 0, b"")


@pytest.mark.parametrize(
    ("at", "octet", "why"),
    [
        (0, 4, "version 4"), (1, 2, "version 5.2"), (4, 0x00, "little-endian"), (2, 1, "type 1"), (8, 0x71, "113"),
        (10, 0xFF, "credentials"), (24, 9, "items"), (98, 200, ""),
    ],
)  # fmt: skip
def test_refused(at: int, octet: int, why: str) -> None:
    octets = bytearray(RPC_BIND_NSPI)
    octets[at] = octet
    if why:
        with pytest.raises(WireError, match=why):
            pdu.decode(bytes(octets))


def test_garbage() -> None:
    """Any octets are a PDU or a WireError, and what is read is written again as something that reads the same."""
    rng = random.Random(5)
    seeds = [RPC_BIND_NSPI, *(Pdu(1, body, flags_of(body), TRAILER).encode() for body in BODIES)]
    good = 0
    for _ in range(6000):
        octets = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 4)):
            octets[rng.randrange(len(octets))] = rng.randrange(256)
        try:
            found = pdu.decode(bytes(octets))
        except WireError:
            continue
        good += 1
        again = pdu.decode(pdu.assemble(found.body, found.call_id, found.flags, None))
        assert isinstance(found.body, pdu.Request | pdu.Response) or again.body == found.body
    assert good > 1000


def test_garbage_of_rts() -> None:
    rng = random.Random(6)
    seeds = [bytes.fromhex(text) for text in RTS.values()]
    seeds.append(rts.Rts(2, ((8, b"abc"), (0xB, bytes(4)), (0xB, bytes(16)), (0xE, 9), (9, None))).encode())
    for _ in range(6000):
        octets = bytearray(rng.choice(seeds))
        octets[rng.randrange(len(octets))] = rng.randrange(256)
        try:
            found = rts.decode(bytes(octets))
        except WireError:
            continue
        assert rts.decode(found.encode()) == found
