"""FILETIME."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gromoxd.mapi.times import filetime, unix_seconds


def test_known() -> None:
    assert filetime(0) == 116444736000000000
    assert filetime(1_700_000_000) == 133444736000000000
    assert filetime(0.5) == 116444736005000000
    assert unix_seconds(116444736000000000) == 0
    start = datetime(1601, 1, 1, tzinfo=UTC).timestamp()
    assert filetime(int(start)) == 0


def test_held_within_range() -> None:
    assert filetime(-(10**15)) == 0
    assert filetime(10**15) == 2**63 - 1


@given(st.integers(-11644473600, 2**38))
def test_round_trip(unix: int) -> None:
    assert unix_seconds(filetime(unix)) == unix
    assert unix_seconds(filetime(unix) + 9_999_999) == unix
