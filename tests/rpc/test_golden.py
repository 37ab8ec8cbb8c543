"""Octets that Windows and impacket have put on the wire."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.rpc import pdu, rts

RTS = {
    "rpch-conn-a1": (
        "05001403100000004c0000000000000000000400060000000100000003000000b0f6af3d776298079b21546eecf42253"
        "030000003a247a376dc1ed2c685d3435134643250000000000000400"
    ),
    "rpch-conn-a3": "05001403100000001c000000000000000000010002000000c0d40100",
    "rpch-ping": "0500140310000000140000000000000001000000",
    "rpch-conn-c2": "05001403100000002c00000000000000000003000600000001000000000000000000010002000000c0d40100",
    "rpch-fca": (
        "05001403100000003800000000000000020002000d00000000000000010000009280000000000100e3796e7cbc68a94d"
        "ab8d8240a0057232"
    ),
    "rpch-conn-b1": (
        "050014031000000068000000000000000000060006000000010000000300000024247222dc0f643459eb1447e51a217b"
        "03000000fd9fa00012c47335be21af06e0e6fb3b040000000000004005000000e09304000c000000ad60c174d60f5f2d"
        "94a45967d7c33559"
    ),
}
RPC_BIND_NSPI = bytes.fromhex(
    "05000b03100000007000200001000000b810b810000000000100000000000100185accf564421a108c5908002b2f842638000000045d888aeb1c"
    "c9119fe808002b104860020000000a0600007f3501004e544c4d5353500001000000358288e000000000000000000000000000000000"
)


def cookie(name: str, at: int) -> bytes:
    return bytes.fromhex(RTS[name])[at : at + 16]


MADE = {
    "rpch-conn-a1": rts.conn_a1(cookie("rpch-conn-a1", 32), cookie("rpch-conn-a1", 52), 262144),
    "rpch-conn-a3": rts.conn_a3(120000),
    "rpch-ping": rts.ping(),
    "rpch-conn-c2": rts.conn_c2(65536, 120000),
    "rpch-fca": rts.flow_control_ack(rts.Destination.CLIENT, 0x8092, 65536, cookie("rpch-fca", 40)),
    "rpch-conn-b1": rts.conn_b1(
        cookie("rpch-conn-b1", 32), cookie("rpch-conn-b1", 52), 1 << 30, 300000, cookie("rpch-conn-b1", 88)
    ),
}


@pytest.mark.parametrize("name", RTS)
def test_rts(name: str) -> None:
    octets = bytes.fromhex(RTS[name])
    assert rts.decode(octets) == MADE[name]
    assert MADE[name].encode() == octets
    for end in range(len(octets)):
        with pytest.raises(WireError):
            rts.decode(octets[:end])
    with pytest.raises(WireError):
        rts.decode(octets + b"\0")


def test_bind() -> None:
    found = pdu.decode(RPC_BIND_NSPI)
    uuid = bytes.fromhex("185accf564421a108c5908002b2f8426")
    contexts = (pdu.Context(0, pdu.Syntax(uuid, 56, 0), (pdu.NDR,)),)
    assert found.body == pdu.Bind(4280, 4280, 0, contexts)
    assert found.call_id == 1 and found.flags == pdu.WHOLE
    assert found.trailer is not None
    assert (found.trailer.type, found.trailer.level, found.trailer.context_id) == (10, 6, 0x1357F)
    assert found.trailer.value.startswith(b"NTLMSSP\0") and len(found.trailer.value) == 32
    assert found.signed == RPC_BIND_NSPI[:-32]
    assert found.encode() == RPC_BIND_NSPI
    for end in range(len(RPC_BIND_NSPI)):
        with pytest.raises(WireError):
            pdu.decode(RPC_BIND_NSPI[:end])
