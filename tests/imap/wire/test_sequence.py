from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.exmdb.ranges import to_ranges
from workers.imap.wire import sequence


def test_parse() -> None:
    assert sequence.parse(b"2,4:7,9,12:*") == [(2, 2), (4, 7), (9, 9), (12, 0)]
    assert sequence.parse(b"*:4,*") == [(0, 4), (0, 0)]


@pytest.mark.parametrize("data", [b"", b"0", b"1:0", b"1,", b",1", b"1:2:3", b"1:", b"a", b"-1", b"01", b"4294967296"])
def test_what_is_no_set(data: bytes) -> None:
    with pytest.raises(WireError):
        sequence.parse(data)


@pytest.mark.parametrize(
    ("data", "largest", "numbers"),
    [
        (b"2,4:7,9,12:*", 15, [2, 4, 5, 6, 7, 9, 12, 13, 14, 15]),  # RFC 3501 section 9
        (b"*:4,5:7", 10, [4, 5, 6, 7, 8, 9, 10]),
        (b"5:3", 10, [3, 4, 5]),
        (b"20:*", 10, list(range(10, 21))),
        (b"*", 10, [10]),
        (b"1:*", 0, []),
        (b"*", 0, []),
        (b"3,1,2,2", 9, [1, 2, 3]),
    ],
)
def test_resolve(data: bytes, largest: int, numbers: list[int]) -> None:
    resolved = sequence.resolve(sequence.parse(data), largest)
    assert [n for a, b in resolved for n in range(a, b + 1)] == numbers
    assert all(a <= b for a, b in resolved)
    assert all(x[1] + 1 < y[0] for x, y in pairwise(resolved))


@given(st.sets(st.integers(1, 60)))
def test_numbers_as_ranges(numbers: set[int]) -> None:
    ranges = to_ranges(sorted(numbers))
    assert {n for a, b in ranges for n in range(a, b + 1)} == numbers
    if numbers:
        assert sequence.resolve(sequence.parse(sequence.render(ranges)), 99) == ranges
    assert sequence.count(ranges) == len(numbers)


@given(st.binary(max_size=12) | st.text("0123456789:*,", max_size=12).map(str.encode))
def test_any_octets(data: bytes) -> None:
    try:
        ranges = sequence.parse(data)
    except WireError:
        return
    sequence.resolve(ranges, 7)
