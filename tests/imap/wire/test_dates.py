from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from workers.imap.wire import dates


def test_golden() -> None:
    assert dates.parse_date_time(b"17-Jul-1996 02:44:25 -0700") == 837596665  # RFC 3501 7.4.2's example
    assert dates.parse_date_time(b" 1-jan-1970 00:00:00 +0000") == 0
    assert dates.render_date_time(837596665) == b'"17-Jul-1996 09:44:25 +0000"'
    assert dates.render_date_time(0) == b'" 1-Jan-1970 00:00:00 +0000"'
    assert dates.parse_date(b"1-Feb-1994") == 8797
    assert dates.parse_date_time(b"31-Dec-2016 23:59:60 +0000") == 1483228799


@pytest.mark.parametrize(
    "data",
    [b"", b"1-Feb-1994 ", b"32-Jan-2024", b"1-Foo-2024", b"1/2/2024", b"1-Feb-94", b"0-Feb-2024", b"1-Feb-0000"],
)
def test_no_date(data: bytes) -> None:
    with pytest.raises(WireError):
        dates.parse_date(data)


@pytest.mark.parametrize(
    "data",
    [
        b"1-Feb-2024 00:00:00 +0000x", b"01-Feb-2024 24:00:00 +0000", b"01-Feb-2024 00:60:00 +0000",
        b"01-Feb-2024 00:00:61 +0000", b"01-Feb-2024 00:00:00", b"01-Jan-0001 00:00:00 +2359", b"",
    ],
)  # fmt: skip
def test_no_date_time(data: bytes) -> None:
    with pytest.raises(WireError):
        dates.parse_date_time(data)


@given(st.integers(0, dates.LATEST))
def test_round_trip(seconds: int) -> None:
    text = dates.render_date_time(seconds)
    assert dates.parse_date_time(text[1:-1]) == seconds
    assert int(parsedate_to_datetime(text[1:-1].decode().replace("-", " ").strip()).timestamp()) == seconds
