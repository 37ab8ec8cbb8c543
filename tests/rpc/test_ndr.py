"""NDR by octets that C706 14 prescribes, and what breaks its rules."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import restrictions as r
from gromoxd.mapi.values import TaggedPropertyValue as Value
from gromoxd.nspi.stat import Stat
from gromoxd.rpc import emsmdb, ndr, nspi, rfr
from gromoxd.rpc.stub import Stub

P = ndr.Pointer
EXAMPLES: list[tuple[ndr.Type, Any, str]] = [
    (ndr.STRING8, b"abc", "04000000 00000000 04000000 61626300"),
    (ndr.STRING, "\u00e9", "02000000 00000000 02000000 e9000000"),
    (ndr.Octets(10), b"\1\2\3", "03000000 010203"),
    (ndr.VaryingOctets(10), b"\1\2", "02000000 00000000 02000000 0102"),
    (P(ndr.U32), None, "00000000"),
    (P(ndr.U32), 7, "00000200 07000000"),
    (ndr.FixedArray(ndr.U16, 3), (1, 2, 3), "0100 0200 0300"),
    (ndr.FILETIME, 0x0102030405060708, "08070605 04030201"),
    (nspi.TAGS, [0x3001001F], "02000000 01000000 00000000 01000000 1f000130"),
    (nspi.STRINGS8, [b"a", None], "02000000 02000000 00000200 00000000 02000000 00000000 02000000 6100"),
    (nspi.BINARIES, [b"\7", b""], "02000000 00000200 02000000 01000000 04000200 00000000 00000000 01000000 07"),
    (
        nspi.ROW, [Value(0x3001001F, "A"), Value(0x0FFE0003, -1)],
        "00000000 02000000 00000200 02000000"
        " 1f000130 00000000 1f000000 04000200 0300fe0f 00000000 03000000 ffffffff"
        " 02000000 00000000 02000000 41000000",
    ),
    (
        nspi.RESTRICTION, r.And((r.Exist(0x3001001F), r.Not(r.BitMask(0, 0x39000003, 4)))),
        "00000000 00000000 02000000 00000200 02000000"
        " 08000000 08000000 00000000 1f000130 00000000 02000000 02000000 04000200"
        " 06000000 06000000 00000000 03000039 04000000",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "text"), EXAMPLES, ids=lambda one: type(one).__name__)
def test_octets(kind: ndr.Type, value: Any, text: str) -> None:
    octets = bytes.fromhex(text)
    assert ndr.encode(kind, value).hex(" ", -4) == octets.hex(" ", -4)
    assert ndr.decode(kind, octets) == value
    for end in range(len(octets)):
        with pytest.raises(WireError):
            ndr.decode(kind, octets[:end])


def test_order_of_what_pointers_point_to() -> None:
    """First all that hangs on the first row, then all that hangs on the second."""
    rows = [[Value(0x1102101E, [b"a", b"b"])], [Value(0x3001001E, b"c")]]
    octets = ndr.encode(nspi.ROWS, rows)
    texts = [octets.index(letter + b"\0") for letter in (b"a", b"b", b"c")]
    assert texts == sorted(texts)
    assert ndr.decode(nspi.ROWS, octets) == rows


def test_every_type_of_value() -> None:
    row = [
        Value(0x00010001, None), Value(0x00010002, -2), Value(0x00010003, -3), Value(0x0001000A, 0x8004010F),
        Value(0x0001000B, True), Value(0x0001000D, None), Value(0x0001001E, b"x"), Value(0x0001001F, "y"),
        Value(0x00010040, 1 << 60), Value(0x00010048, bytes(range(16))), Value(0x00010102, b"bin"),
        Value(0x00011002, [1, -1]), Value(0x00011003, [2]), Value(0x0001101E, [b"a"]), Value(0x0001101F, ["b", "c"]),
        Value(0x00011040, [5]), Value(0x00011048, [bytes(16)]), Value(0x00011102, [b"", b"z"]), Value(0x00021003, []),
    ]  # fmt: skip
    assert ndr.decode(nspi.ROW, ndr.encode(nspi.ROW, row)) == row


def test_a_type_that_nspi_does_not_know() -> None:
    assert ndr.decode(nspi.VALUE, ndr.encode(nspi.VALUE, Value(0x00010014, 5))) == Value(0x0001000A, 0x80040102)


RESTRICTIONS: list[r.Restriction] = [
    r.Or((r.Exist(1),)), r.And(()), r.Not(r.Exist(2)), r.Content(1, 1, 0x3001001F, "x"),
    r.Content(2, 0, 0x3001001F, b"x", 0x3001001E),
    r.Property(4, 0x0FFE0003, 6), r.CompareProperties(1, 2, 3), r.BitMask(1, 2, 3), r.Size(0, 1, 2),
    r.SubObject(0x0E12000D, r.Exist(9)),
]  # fmt: skip


@pytest.mark.parametrize("value", RESTRICTIONS, ids=lambda value: type(value).__name__)
def test_restrictions(value: r.Restriction) -> None:
    assert ndr.decode(nspi.RESTRICTION, ndr.encode(nspi.RESTRICTION, value)) == value


def test_nesting_is_bounded() -> None:
    value: r.Restriction = r.Exist(1)
    for _ in range(ndr.DEEPEST):
        value = r.Not(value)
    with pytest.raises(WireError, match="too many pointers"):
        ndr.decode(nspi.RESTRICTION, ndr.encode(nspi.RESTRICTION, r.Not(value)))


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        (ndr.STRING8, "01000000 00000000 02000000 6100", "array of 1"),
        (ndr.STRING8, "02000000 01000000 01000000 00", "1 from 1"),
        (ndr.STRING8, "01000000 00000000 01000000 61", "without end"),
        (ndr.STRING, "00000000 00000000 00000000", "without end"),
        (ndr.Octets(2), "03000000 010203", "3 octets"),
        (nspi.TAGS, "ffffff7f ffffff7f 00000000 ffffff7f", "items"),
        (nspi.TAGS, "05000000 01000000 00000000 01000000 00000000", "1 items in an array of 5"),
        (nspi.ROW, "00000000 05000000 00000000", "5 values announced"),
        (nspi.VALUE, "1f000130 00000000 1e000000 00000000", "type"),
        (nspi.RESTRICTION, "09000000 08000000", "type 9"),
        (nspi.RESTRICTION, "02000000 02000000 00000000", "null pointer"),
        (nspi.BINARIES, "ffff0000 00000200 ffff0000", "items announced"),
    ],
)
def test_refused(kind: ndr.Type, text: str, why: str) -> None:
    with pytest.raises(WireError, match=why):
        ndr.decode(kind, bytes.fromhex(text))


def test_what_does_not_fit() -> None:
    for kind, value in ((ndr.U16, 65536), (ndr.U32, "x"), (nspi.STAT, None), (ndr.FixedArray(ndr.U16, 3), (1,))):
        with pytest.raises(WireError):
            ndr.encode(kind, value)


H = bytes(range(20))
STAT = Stat(0, 0, 1, -1, 2, 3, 1252, 0x409, 0x409)
TAGS = [0x3001001F, 0x39FE001F]
ROW = [Value(0x3001001F, "Alice"), Value(0x0FFE0003, 6)]
STUBS: list[Stub] = [
    nspi.Bind(0, STAT, None), nspi.BindAnswer(bytes(16), H, 0), nspi.Unbind(H, 0), nspi.UnbindAnswer(bytes(20), 1),
    nspi.UpdateStat(H, 0, STAT, -5), nspi.UpdateStatAnswer(STAT, None, 0),
    nspi.QueryRows(H, 0, STAT, 2, [5, 6], 10, TAGS), nspi.QueryRowsAnswer(STAT, [ROW, ROW[:1]], 0),
    nspi.SeekEntries(H, 0, STAT, ROW[0], None, TAGS), nspi.SeekEntriesAnswer(STAT, None, 0x8004010F),
    nspi.GetMatches(H, 0, STAT, None, 0, RESTRICTIONS[3], nspi.NamedId(bytes(16), 4), 50, TAGS),
    nspi.GetMatchesAnswer(STAT, [17, 18], [ROW], 0), nspi.ResortRestriction(H, 0, STAT, [3, 2], None),
    nspi.ResortRestrictionAnswer(STAT, [2, 3], 0), nspi.DNToMId(H, 0, [b"/o=x", b"/o=y"]),
    nspi.DNToMIdAnswer([0, 9], 0), nspi.GetPropList(H, 0, 16, 1252), nspi.GetPropListAnswer(TAGS, 0),
    nspi.GetProps(H, 0, STAT, None), nspi.GetPropsAnswer(ROW, 0), nspi.CompareMIds(H, 0, STAT, 1, 2),
    nspi.CompareMIdsAnswer(-1, 0), nspi.ModProps(H, 0, STAT, TAGS, ROW), nspi.ModPropsAnswer(0x80040102),
    nspi.GetSpecialTable(H, 0, STAT, 1), nspi.GetSpecialTableAnswer(2, [ROW], 0),
    nspi.GetTemplateInfo(H, 1, 0, None, 1252, 0x409), nspi.GetTemplateInfoAnswer(ROW, 0),
    nspi.ModLinkAtt(H, 0, 0x8015101E, 5, [b"abc"]), nspi.ModLinkAttAnswer(0), nspi.QueryColumns(H, 0, 0),
    nspi.QueryColumnsAnswer(TAGS, 0), nspi.ResolveNames(H, 0, STAT, TAGS, [b"al", b"bo"]),
    nspi.ResolveNamesAnswer([2], [ROW], 0), nspi.ResolveNamesW(H, 0, STAT, None, ["\u00e4", ""]),
    nspi.ResolveNamesWAnswer([0, 1, 2], [], 0),
    rfr.RfrGetNewDSA(0, b"/o=x", None, b""), rfr.RfrGetNewDSA(0, b"", b"u", b"s"),
    rfr.RfrGetNewDSAAnswer(None, b"id@example.test", 0), rfr.RfrGetFQDNFromServerDN(0, 11, b"/o=x/ou=yz"),
    rfr.RfrGetFQDNFromServerDNAnswer(b"id@example.test", 0),
    emsmdb.EcDoConnectEx(b"/o=x", 0, 0, 0, 1252, 1033, 1033, 0xFFFFFFFF, 1, (15, 1, 2), 0, b"aux", 3, 0x1008),
    emsmdb.EcDoConnectExAnswer(H, 60000, 6, 10000, 1, b"/o=x", b"Alice", (15, 1, 2), (1, 2, 3), 5, b"a", 1, 0),
    emsmdb.EcDoRpcExt2(H, 3, b"rops" * 9, 36, 0x8007, b"", 0, 0x1008),
    emsmdb.EcDoRpcExt2Answer(H, 0, b"answer", 6, b"", 0, 1, 0), emsmdb.EcDoDisconnect(H), emsmdb.EcDummyRpc(),
    emsmdb.EcRRegisterPushNotification(H, 0, b"ctx", 3, 0xFFFFFFFF, b"address", 7), emsmdb.EcDoAsyncConnectEx(H),
]  # fmt: skip


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: type(stub).__name__)
def test_stubs(stub: Stub) -> None:
    octets = stub.encode()
    assert type(stub).decode(octets) == stub
    assert type(stub).decode(octets + bytes(8)) == stub
    with pytest.raises(WireError):
        type(stub).decode(octets + bytes(32))
    for end in range(len(octets)):
        with pytest.raises(WireError):
            type(stub).decode(octets[:end])


def test_garbage() -> None:
    rng = random.Random(7)
    seeds = [(type(stub), stub.encode()) for stub in STUBS if stub.encode()]
    for _ in range(20_000):
        kind, seed = rng.choice(seeds)
        octets = bytearray(seed)
        for _ in range(rng.randrange(1, 4)):
            octets[rng.randrange(len(octets))] = rng.choice((0, 1, 2, 0x7F, 0xFF, rng.randrange(256)))
        try:
            kind.decode(bytes(octets)).encode()
        except WireError:
            continue
