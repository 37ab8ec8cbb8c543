"""IDSETs: golden GLOBSETs, the operations against Python's sets, sizes, garbage, cost."""

from __future__ import annotations

from contextlib import suppress
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.ids import GLOBCNT_MAX
from gromoxd.mapi.idset import IdSet, RangeSet

A, B = b"\1" * 16, b"\2" * 16

GOLDEN = [
    # [MS-OXCFXICS] 3.1.5.4.3.1.3: 0x01-0x03, 0x05, 0x07-0x09 is StartingValue 0x01 and Bitmask 0xEB.
    ([1, 2, 3, 5, 7, 8, 9], "050000000000" "4201eb" "50" "00"),
    ([], "00"),
    # One counter: all six octets pushed, which pop themselves.
    ([0x0E915212], "0600000e915212" "00"),
    # A range: what both ends have in common pushed first.
    (list(range(1, 256)), "050000000000" "5201ff" "50" "00"),
    # A range over most of the space.
    ([(0, GLOBCNT_MAX)], "52" "000000000000" "ffffffffffff" "00"),
    # Two counters far apart in the lowest octet, and one elsewhere.
    ([0x0101, 0x01F0, 0x0201], "0400000000" "020101" "0201f0" "020201" "50" "00"),
    # Many below one octet of the second lowest level: pushed and popped again.
    ([0x0101, 0x0110, 0x0120, 0x0130, 0x0201],
     "0400000000" "0101" "0101" "0110" "0120" "0130" "50" "020201" "50" "00"),
]  # fmt: skip


def _set(numbers: list[object]) -> RangeSet:
    return RangeSet.of_ranges([n if isinstance(n, tuple) else (n, n) for n in numbers])


@pytest.mark.parametrize(("numbers", "octets"), GOLDEN)
def test_golden(numbers: list[object], octets: str) -> None:
    data = bytes.fromhex(octets)
    assert _set(numbers).encode() == data
    assert RangeSet.decode(data) == _set(numbers)
    for end in range(len(data)):
        with pytest.raises(WireError):
            RangeSet.decode(data[:end])


@pytest.mark.parametrize(
    ("octets", "numbers"),
    [
        # Not as written here, but allowed: one octet pushed at a time, ranges that touch, overlap and come unordered.
        ("0100" "0100" "0100" "0100" "0100" "0105" "0106" "50" "50" "50" "50" "50" "00", [5, 6]),
        ("0600000000000a" "060000000000 0a" "06000000000009" "00", [9, 10]),
        ("050000000000" "520510" "520308" "50" "00", [(3, 16)]),
        ("050000000000" "4205ff" "4205ff" "50" "00", [(5, 13)]),
        ("050000000000" "42ff00" "50" "00", [255]),
        ("0400000000" "5200010002" "50" "00", [1, 2]),
    ],
)  # fmt: skip
def test_other_encodings(octets: str, numbers: list[object]) -> None:
    assert RangeSet.decode(bytes.fromhex(octets)) == _set(numbers)


WIRE: list[tuple[bool, str, list[tuple[int, int]]]] = [
    (False, "0100" "06" "00000001042e" "05" "0000000104" "52" "35" "37" "50" "00",
     [(0x1042E, 0x1042E), (0x10435, 0x10437)]),
    (False, "0100" "05" "0000000104" "52" "19" "1a" "50" "00", [(0x10419, 0x1041A)]),
    (True, "9bb9ffb50f44774fb488c5c6702ee3a8" "04" "00000000" "52" "00a5" "0151" "50" "00", [(0xA5, 0x151)]),
    (True, "5b74c80f23e21f4f823440f0bec46e93" "04" "00000006" "52" "4d5e" "89e6"
     "01" "89" "42" "e8" "02" "50" "50" "00",
     [(0x64D5E, 0x689E6), (0x689E8, 0x689E8), (0x689EA, 0x689EA)]),
]  # fmt: skip
"""IDSETs as they were seen on the wire between Outlook and servers: MetaTagIdsetDeleted, MetaTagCnsetSeen."""


@pytest.mark.parametrize(("guids", "octets", "ranges"), WIRE)
def test_wire(guids: bool, octets: str, ranges: list[tuple[int, int]]) -> None:
    data = bytes.fromhex(octets)
    decode = IdSet.decode_replguid if guids else IdSet.decode_replid
    found = decode(data)
    replica = data[:16] if guids else 1
    assert [(key, low, high) for key, low, high in found.ranges()] == [(replica, low, high) for low, high in ranges]
    assert len(found.encode()) <= len(data)
    assert decode(found.encode()) == found
    for end in range(1, len(data)):
        with pytest.raises(WireError):
            decode(data[:end])


@pytest.mark.parametrize(
    "octets",
    [
        "", "01", "070000", "50" "00", "0100" "00", "0400000000" "420101" "50" "00", "050000000000" "42ff01" "50" "00",
        "050000000000" "520201" "50" "00", "050000000000" "0200", "0500000000000100", "41" "00", "0000",
    ],
)  # fmt: skip
def test_damaged(octets: str) -> None:
    with pytest.raises(WireError):
        RangeSet.decode(bytes.fromhex(octets))


def test_bounded() -> None:
    data = _set([(n, n) for n in range(0, 2000, 2)]).encode()
    assert RangeSet.decode(data).range_count == 1000
    with pytest.raises(WireError, match="more than 999 ranges"):
        IdSet.decode_replid(b"\1\0" + data, 999)
    with pytest.raises(WireError, match="more than"):
        IdSet.decode_replguid(A + data + B + data, 1999)
    assert IdSet.decode_replguid(A + data + B + data, 2000).range_count == 2000


NUMBERS = st.one_of(
    st.integers(0, 40), st.integers(0, 1200), st.integers(0, GLOBCNT_MAX), st.integers(GLOBCNT_MAX - 20, GLOBCNT_MAX)
)
SETS = st.sets(NUMBERS, max_size=60)


@given(SETS)
def test_round_trip(numbers: set[int]) -> None:
    made = RangeSet(sorted(numbers))
    assert list(made) == sorted(numbers)
    assert len(made) == len(numbers)
    assert RangeSet.decode(made.encode()) == made
    assert RangeSet(iter(numbers)) == made
    assert not numbers or (made.first, made.last) == (min(numbers), max(numbers))


@given(SETS, SETS)
def test_operations(a: set[int], b: set[int]) -> None:
    left, right = RangeSet(list(a)), RangeSet(list(b))
    for found, wanted in ((left | right, a | b), (left & right, a & b), (left - right, a - b)):
        assert list(found) == sorted(wanted)
        assert found == RangeSet(sorted(wanted))
    assert left.issubset(right) == (a <= b)
    assert (left == right) == (a == b)
    assert bool(left) == bool(a)
    assert (list(left), list(right)) == (sorted(a), sorted(b))


@given(SETS, st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 9)), max_size=20), NUMBERS)
def test_changes(model: set[int], changes: list[tuple[bool, int, int]], probe: int) -> None:
    made = RangeSet(list(model))
    for adding, low, more in changes:
        span = set(range(low, low + more + 1))
        if adding:
            made.add_range(low, low + more)
            model = model | span
        else:
            made.remove_range(low, low + more)
            model = model - span
        assert made == RangeSet(sorted(model))
    assert (probe in made) == (probe in model)
    made.add(probe)
    assert made == RangeSet(sorted(model | {probe}))
    made.remove(probe)
    assert made == RangeSet(sorted(model - {probe}))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), max_size=30))
def test_of_ranges(ranges: list[tuple[int, int]]) -> None:
    model = {n for low, more in ranges for n in range(low, low + more + 1)}
    assert RangeSet.of_ranges([(low, low + more) for low, more in ranges]) == RangeSet(sorted(model))


@pytest.mark.parametrize(("low", "high"), [(-1, 0), (2, 1), (0, GLOBCNT_MAX + 1)])
def test_out_of_range(low: int, high: int) -> None:
    for add in (RangeSet().add_range, lambda low, high: IdSet().add_range(1, low, high)):
        with pytest.raises(ValueError, match="no range of counters"):
            add(low, high)
    with pytest.raises(ValueError, match="no range of counters"):
        RangeSet.of_ranges([(low, high)])
    with pytest.raises(ValueError, match="out of range"):
        RangeSet([3, GLOBCNT_MAX + 1])
    RangeSet([5]).remove_range(low, min(high, 1))


def test_last_counter() -> None:
    made = RangeSet([GLOBCNT_MAX])
    made.add(GLOBCNT_MAX)
    assert list(made) == [GLOBCNT_MAX]
    with pytest.raises(ValueError, match="no range"):
        made.add(GLOBCNT_MAX + 1)


@given(st.binary(max_size=40))
def test_any_octets(data: bytes) -> None:
    with suppress(WireError):
        made = RangeSet.decode(data)
        assert RangeSet.decode(made.encode()) == made
        assert len(made.encode()) <= max(len(data), 1)
    with suppress(WireError):
        IdSet.decode_replguid(data)


IDS = st.dictionaries(st.sampled_from([A, B, b"\3" * 16]), SETS, max_size=3)


def _ids(model: dict[bytes, set[int]]) -> IdSet:
    made = IdSet()
    for replica, numbers in model.items():
        made.update(replica, numbers)
    return made


def _flat(model: dict[bytes, set[int]]) -> set[tuple[bytes, int]]:
    return {(replica, number) for replica, numbers in model.items() for number in numbers}


@given(IDS, IDS, st.sampled_from([A, B]), NUMBERS)
def test_idset(a: dict[bytes, set[int]], b: dict[bytes, set[int]], replica: bytes, probe: int) -> None:
    left, right, model, other = _ids(a), _ids(b), _flat(a), _flat(b)

    def flat(ids: IdSet) -> set[object]:
        return {(replica, number) for replica, low, high in ids.ranges() for number in range(low, high + 1)}

    assert flat(left) == model
    assert flat(left | right) == model | other
    assert flat(left & right) == model & other
    assert flat(left - right) == model - other
    assert left.issubset(right) == (model <= other)
    assert (len(left), bool(left)) == (len(model), bool(model))
    assert ((replica, probe) in left) == ((replica, probe) in model)
    data = left.encode()
    assert IdSet.decode_replguid(data) == left
    back = {1: A, 2: B, 3: b"\3" * 16}
    numbered = left.mapped({guid: replid for replid, guid in back.items()})
    assert IdSet.decode_replid(numbered.encode()) == numbered
    assert numbered.mapped(back) == left  # type: ignore[arg-type]
    copy = left.copy()
    copy.add(replica, probe)
    assert flat(left) == model and flat(copy) == model | {(replica, probe)}
    copy.remove(replica, probe)
    assert flat(copy) == model - {(replica, probe)}


def test_idset_golden() -> None:
    """REPLIDs little-endian and ascending; REPLGUIDs by their octets ([MS-OXCFXICS] 2.2.2.4.1, 2.2.2.4.2)."""
    made = IdSet()
    made.add(0x0201, 7)
    made.add_range(1, 1, 3)
    assert made.encode() == bytes.fromhex("0100050000000000520103500001020600000000000700")
    assert made.replicas == [1, 0x0201]
    guids = made.mapped({1: B, 0x0201: A})
    assert guids.encode() == A + bytes.fromhex("0600000000000700") + B + bytes.fromhex("0500000000005201035000")
    assert IdSet.decode_replguid(A + b"\0") == IdSet() and IdSet().encode() == b""
    twice = IdSet.decode_replid(bytes.fromhex("01000600000000000700") * 2)
    assert list(twice.ranges()) == [(1, 7, 7)]
    assert IdSet({A: RangeSet()}).replicas == []


def test_big_sets_are_fast() -> None:
    """200,000 ids in milliseconds; the bound is wide, a quadratic step would break it by far."""
    start = process_time()
    whole = RangeSet(range(1, 200_001))
    assert (whole.range_count, len(whole.encode())) == (1, 13)
    odd = RangeSet(list(range(1, 400_001, 2)))
    assert odd.range_count == 200_000
    data = odd.encode()
    assert len(data) < 130_000
    assert RangeSet.decode(data) == odd
    assert len(whole & odd) == 100_000 == len(whole - odd)
    assert len(whole | odd) == 300_000
    assert process_time() - start < 5
