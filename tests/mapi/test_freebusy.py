"""Blocks of free/busy time."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.freebusy import FreeBusyMonth, decode_blocks, encode_blocks, merged


def minutes(*when: int) -> int:
    return int((datetime(*when) - datetime(1601, 1, 1)).total_seconds()) // 60  # type: ignore[arg-type]


START, END = minutes(2009, 1, 1), minutes(2010, 1, 1)


def test_one_month() -> None:
    meeting = minutes(2009, 3, 2, 9), minutes(2009, 3, 2, 10, 30)
    lunch = minutes(2009, 3, 1), minutes(2009, 3, 1, 1)
    months, blobs = encode_blocks([meeting, lunch], START, END)
    assert months == [2009 * 16 + 3]
    assert blobs == [bytes.fromhex("00003c00bc071608")]
    assert decode_blocks(months, blobs) == [lunch, meeting]


def test_over_months() -> None:
    trip = minutes(2009, 1, 31, 12), minutes(2009, 3, 1, 6)
    months, blobs = encode_blocks([trip], START, END)
    assert months == [2009 * 16 + 1, 2009 * 16 + 2, 2009 * 16 + 3]
    assert [FreeBusyMonth.decode(blob).blocks for blob in blobs] == [
        ((30 * 1440 + 720, 31 * 1440),), ((0, 28 * 1440),), ((0, 360),),
    ]  # fmt: skip
    assert decode_blocks(months, blobs) == [trip]


def test_the_publishing_range_cuts() -> None:
    months, blobs = encode_blocks([(START - 99, START + 5), (END - 5, END + 99), (END, END + 9)], START, END)
    assert months == [2009 * 16 + 1, 2009 * 16 + 12]
    assert decode_blocks(months, blobs) == [(START, START + 5), (END - 5, END)]
    assert encode_blocks([], START, END) == ([], [])


def test_merged() -> None:
    assert merged([(5, 9), (1, 3), (3, 4), (6, 7), (9, 9)]) == [(1, 4), (5, 9)]


@pytest.mark.parametrize(
    ("months", "blobs"),
    [
        ([2009 * 16], [b""]),
        ([2009 * 16 + 13], [b""]),
        ([-1], [b""]),
        ([2**31 - 1], [b""]),
        ([2009 * 16 + 1], []),
        ([2009 * 16 + 1], [b"abc"]),
        ([2009 * 16 + 1], [bytes.fromhex("05000400")]),
    ],
)
def test_damaged(months: list[int], blobs: list[bytes]) -> None:
    with pytest.raises(WireError):
        decode_blocks(months, blobs)


def test_times_before_1601() -> None:
    with pytest.raises(WireError):
        encode_blocks([(-5, 5)], -9, 9)


@given(st.lists(st.tuples(st.integers(START - 9999, END + 9999), st.integers(0, 99999)), max_size=12))
def test_round_trip(lengths: list[tuple[int, int]]) -> None:
    intervals = [(start, start + length) for start, length in lengths]
    months, blobs = encode_blocks(intervals, START, END)
    assert months == sorted(set(months))
    assert decode_blocks(months, blobs) == merged((max(a, START), min(b, END)) for a, b in intervals)
