"""The ICS state: its properties, as an element of a stream, comparison."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi.fasttransfer import (
    Element,
    Marker,
    MetaTagCnsetRead,
    MetaTagCnsetSeen,
    MetaTagCnsetSeenFAI,
    MetaTagIdsetGiven,
    Property,
    encode_stream,
)
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.state import SyncState

A = b"\1" * 16


def ids(low: int, high: int) -> IdSet:
    made = IdSet()
    made.add_range(A, low, high)
    return made


STATE = SyncState(ids(1, 3), ids(1, 9), ids(1, 2), ids(4, 4))
OCTETS = bytes.fromhex(
    "03003a40"
    "03001740" "1b000000" + A.hex() + "050000000000" "520103" "50" "00"
    "02019667" "1b000000" + A.hex() + "050000000000" "520109" "50" "00"
    "0201da67" "1b000000" + A.hex() + "050000000000" "520102" "50" "00"
    "0201d267" "18000000" + A.hex() + "06000000000004" "00"
    "03003b40"
)  # fmt: skip


def test_element() -> None:
    assert STATE.encode() == OCTETS
    assert SyncState.decode(OCTETS) == STATE
    for end in range(len(OCTETS)):
        with pytest.raises(WireError):
            SyncState.decode(OCTETS[:end])


def test_hierarchy_and_transfer_state() -> None:
    assert list(STATE.properties(contents=False)) == [MetaTagIdsetGiven, MetaTagCnsetSeen]
    assert list(STATE.properties(given=False)) == [MetaTagCnsetSeen, MetaTagCnsetSeenFAI, MetaTagCnsetRead]
    assert SyncState.decode(STATE.encode(contents=False)) == SyncState(ids(1, 3), ids(1, 9))


def test_properties() -> None:
    assert SyncState.of_properties(STATE.properties()) == STATE
    assert SyncState.of_properties({0x40170102: STATE.given.encode(), 0x0037001F: "x"}) == SyncState(ids(1, 3))
    assert SyncState.of_properties({}) == SyncState()


def test_wrong_properties() -> None:
    state = SyncState()
    for tag, data in ((0x00710102, b""), (MetaTagCnsetSeen, b"x")):
        with pytest.raises(WireError):
            state.put(tag, data)
    with pytest.raises(WireError, match="more than 1 ranges"):
        state.put(MetaTagCnsetSeen, (ids(1, 1) | ids(3, 3)).encode(), 1)
    with pytest.raises(WireError):
        SyncState.of_properties({MetaTagCnsetSeen: "x"})
    begin, end = Marker.IncrSyncStateBegin, Marker.IncrSyncStateEnd
    wrong: list[list[Element]] = [
        [], [begin], [end, begin], [begin, Marker.IncrSyncEnd, end], [begin, Property(0x00710102, b""), end],
        [begin, Property(0x00170003, 1), end], [begin, end, end],
    ]  # fmt: skip
    for elements in wrong:
        with pytest.raises(WireError):
            SyncState.decode(encode_stream(elements))


def test_comparison() -> None:
    assert SyncState().initial and not STATE.initial
    assert STATE.includes(SyncState()) and not SyncState().includes(STATE)
    assert STATE.includes(SyncState(ids(50, 60), ids(2, 3)))
    for other in (SyncState(seen=ids(9, 10)), SyncState(seen_fai=ids(3, 3)), SyncState(read=ids(5, 5))):
        assert not STATE.includes(other)
    merged = STATE.copy()
    merged.merge(SyncState(ids(4, 4), ids(10, 10), ids(3, 3), ids(5, 5)))
    assert merged == SyncState(ids(1, 4), ids(1, 10), ids(1, 3), ids(4, 5))
    assert STATE.encode() == OCTETS
