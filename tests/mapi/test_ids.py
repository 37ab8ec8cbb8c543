"""Ids and predecessor change lists: golden octets, order, comparison."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import (
    GLOBCNT_MAX,
    LongTermId,
    ServerId,
    Version,
    Xid,
    compare,
    eid_int,
    eid_octets,
    eid_parse,
    eid_split,
    eid_value,
    gid,
    gid_parse,
    globcnt,
    guid_octets,
    guid_text,
    pcl_add,
    pcl_covers,
    pcl_decode,
    pcl_encode,
    pcl_includes,
    pcl_merge,
    remote_wins,
    signed,
)

REPLICA = bytes.fromhex("52f685ec7d432e4aa960345088 53d90a".replace(" ", ""))
A, B, C = (bytes([number]) * 16 for number in (1, 2, 3))


def test_folder_id() -> None:
    """The FolderId 0001-00000E915212 of [MS-OXCFOLD] 4.1.2."""
    octets = bytes.fromhex("010000000e915212")
    assert eid_octets(1, 0x0E915212) == octets
    assert eid_parse(octets) == (1, 0x0E915212)
    assert eid_int(1, 0x0E915212) == 0x1252910E00000001
    assert eid_split(0x1252910E00000001) == (1, 0x0E915212)


def test_signed() -> None:
    assert eid_int(1, 0xFF) == 0xFF00000000000001
    assert eid_value(1, 0xFF) == -0x00FFFFFFFFFFFFFF == signed(eid_int(1, 0xFF))
    assert eid_split(eid_value(1, 0xFF)) == (1, 0xFF)
    assert signed(5) == 5


@given(st.integers(0, 0xFFFF), st.integers(0, GLOBCNT_MAX))
def test_eid_round_trip(replid: int, counter: int) -> None:
    octets = eid_octets(replid, counter)
    assert eid_parse(octets) == (replid, counter)
    assert eid_split(int.from_bytes(octets, "little")) == (replid, counter)
    assert eid_split(eid_value(replid, counter)) == (replid, counter)
    assert octets[2:] == globcnt(counter)


@pytest.mark.parametrize("size", [0, 7, 9])
def test_eid_of_wrong_length(size: int) -> None:
    with pytest.raises(WireError):
        eid_parse(bytes(size))


def test_guid() -> None:
    octets = bytes.fromhex("042006000000 0000c000000000000046".replace(" ", ""))
    assert guid_text(octets) == "00062004-0000-0000-c000-000000000046"
    assert guid_octets("{00062004-0000-0000-C000-000000000046}") == octets
    for text in ("", "00062004", "g0062004-0000-0000-c000-000000000046"):
        with pytest.raises(WireError):
            guid_octets(text)
    with pytest.raises(WireError):
        guid_text(b"")


def test_long_term_id() -> None:
    octets = REPLICA + bytes.fromhex("00000000207c") + b"\0\0"
    assert LongTermId(REPLICA, 0x207C).encode() == octets
    assert LongTermId.decode(octets) == LongTermId(REPLICA, 0x207C)
    assert gid(REPLICA, 0x207C) == octets[:22]
    assert gid_parse(octets[:22]) == (REPLICA, 0x207C)
    for wrong in (octets[:-1], octets + b"\0"):
        with pytest.raises(WireError):
            LongTermId.decode(wrong)
    with pytest.raises(WireError):
        gid_parse(octets)


def test_server_id() -> None:
    value = ServerId(eid_int(1, 0x10), eid_int(1, 0x20), 3)
    octets = bytes.fromhex("010100000000000010010000000000002003000000")
    assert value.encode() == octets
    assert ServerId.decode(octets) == value
    for wrong in (b"", octets[:-1], octets + b"\0", b"\0" + octets[1:]):
        with pytest.raises(WireError):
            ServerId.decode(wrong)


def test_xid() -> None:
    assert Xid.decode(A + b"\1") == Xid(A, b"\1")
    assert Xid(A, b"12345678").encode() == A + b"12345678"
    for wrong in (A, A + b"123456789"):
        with pytest.raises(WireError):
            Xid.decode(wrong)


def test_pcl_golden() -> None:
    """PidTagPredecessorChangeList as the FastTransfer sample of the open specifications' blog has it."""
    octets = bytes.fromhex("1652f685ec7d432e4aa96034508853d90a00000000207c")
    assert pcl_decode(octets) == {REPLICA: globcnt(0x207C)}
    assert pcl_encode({REPLICA: globcnt(0x207C)}) == octets
    assert pcl_decode(b"") == {}


def test_pcl_order_and_doubles() -> None:
    octets = pcl_encode({B: b"\2", A: b"\1\0"})
    assert octets == b"\x12" + A + b"\1\0" + b"\x11" + B + b"\2"
    assert pcl_decode(b"\x11" + A + b"\5" + b"\x11" + A + b"\3") == {A: b"\5"}


@pytest.mark.parametrize("data", [b"\x10" + A, b"\x19" + A + b"123456789", b"\x16" + A, b"\0", b"\x11" + A])
def test_pcl_garbage(data: bytes) -> None:
    with pytest.raises(WireError):
        pcl_decode(data)


def test_pcl_relations() -> None:
    old = {A: globcnt(0xFF)}
    new = {A: globcnt(0x100)}
    other = {A: globcnt(0xFF), B: globcnt(1)}
    assert compare(old, dict(old)) is Version.EQUAL
    assert compare(old, new) is Version.NEWER
    assert compare(new, old) is Version.OLDER
    assert compare(old, other) is Version.NEWER
    assert compare(new, other) is Version.CONFLICT
    assert compare({}, old) is Version.NEWER
    merged = pcl_merge(new, other)
    assert merged == {A: globcnt(0x100), B: globcnt(1)}
    assert compare(merged, other) is compare(merged, new) is Version.OLDER
    assert pcl_includes(new, Xid(A, globcnt(0xFF))) and not pcl_includes(new, Xid(B, globcnt(1)))
    assert not pcl_includes(old, Xid(A, globcnt(0x100)))
    assert pcl_add(old, B + globcnt(7)) == {A: globcnt(0xFF), B: globcnt(7)}
    assert old == {A: globcnt(0xFF)}


PCL = st.dictionaries(st.sampled_from([A, B, C]), st.integers(1, 3).map(globcnt))


@given(PCL, PCL)
def test_pcl_laws(a: dict[bytes, bytes], b: dict[bytes, bytes]) -> None:
    assert pcl_decode(pcl_encode(a)) == a
    merged = pcl_merge(a, b)
    assert merged == pcl_merge(b, a)
    assert pcl_covers(merged, a) and pcl_covers(merged, b)
    assert (compare(a, b) is Version.EQUAL) == (a == b)
    opposite = {Version.NEWER: Version.OLDER, Version.OLDER: Version.NEWER}
    assert compare(b, a) is opposite.get(compare(a, b), compare(a, b))


def test_remote_wins() -> None:
    low, high = A + globcnt(9), B + globcnt(1)
    assert remote_wins(1, high, 2, low) and not remote_wins(2, low, 1, high)
    assert remote_wins(1, low, 1, high) and not remote_wins(1, high, 1, low)
    assert remote_wins(1, low, 1, A + globcnt(1))
    assert not remote_wins(1, low, 1, high, folder=True) and remote_wins(1, high, 2, low, folder=True)


def test_read_stops_behind() -> None:
    cursor = Cursor(LongTermId(A, 1).encode() + b"rest")
    assert LongTermId.read(cursor) == LongTermId(A, 1)
    assert cursor.rest() == b"rest"
