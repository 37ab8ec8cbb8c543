"""Dates against the calendar and against email.utils."""

from __future__ import annotations

from calendar import timegm
from datetime import datetime
from email.utils import parsedate_tz

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.convert.dates import parse_date, render_internaldate


def wall(*fields: int) -> int:
    return timegm((*fields, 0, 0, 0)) if len(fields) == 6 else timegm((*fields, 0, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("value", "clock", "offset"),
    [
        (b"Tue, 14 Nov 2023 22:13:20 +0000", (2023, 11, 14, 22, 13, 20), 0),
        (b"Fri, 21 Nov 1997 09:55:06 -0600", (1997, 11, 21, 9, 55, 6), -21600),
        (b"21 Nov 97 09:55:06 GMT", (1997, 11, 21, 9, 55, 6), 0),
        (b"1 Jul 03 10:52 EST", (2003, 7, 1, 10, 52, 0), -18000),
        (b"Thu, 13 Feb 1969 23:32 -0330", (1969, 2, 13, 23, 32, 0), -12600),
        (b"Wed, 5 Jan 104 10:00:00 Z", (2004, 1, 5, 10, 0, 0), 0),
        (b"Fri, 21 Nov 1997 09(comment):55:06 -0600 (CST)", (1997, 11, 21, 9, 55, 6), -21600),
        (b"Tue Jul  1 10:52:37 2003", (2003, 7, 1, 10, 52, 37), 0),
        (b"Tue Jul  1 10:52:37 EDT 2003 -0400", (2003, 7, 1, 10, 52, 37), -14400),
        (b"2003-07-01T10:52:37+02:00", (2003, 7, 1, 10, 52, 37), 7200),
        (b"1-Jul-2003 10:52:37 +0200", (2003, 7, 1, 10, 52, 37), 7200),
        (b"Tuesday, 1 July 2003 10:52:37 GMT+02:00", (2003, 7, 1, 10, 52, 37), 7200),
        (b"Tue, 1 Jul 2003 10:52:37 +9999", (2003, 7, 1, 10, 52, 37), 0),
        (b"Tue, 1 Jul 2003 10:52:60 K", (2003, 7, 1, 10, 52, 60), 0),
        (b"Tue,  1 Jul 2003 10.52.37 +0200", (2003, 7, 1, 10, 52, 37), 7200),
    ],
)
def test_parse(value: bytes, clock: tuple[int, ...], offset: int) -> None:
    assert parse_date(value) == (wall(*clock) - offset, wall(*clock))


@pytest.mark.parametrize(
    "value",
    [b"", b"yesterday", b"31 Feb 2003 10:00:00 +0000", b"1 Foo 2003 10:00 Z", b"1 Jul 2003 25:00 Z",
     b"1 Jul 2003 10:61 Z",
     b"0 Jul 2003 10:00 Z", b"\xff\x00", b"((((", b"9" * 10_000, b"2003-13-01 10:00"],
)  # fmt: skip
def test_no_date(value: bytes) -> None:
    assert parse_date(value) is None


@given(st.datetimes(min_value=datetime(1000, 1, 1)), st.integers(-23, 23), st.integers(0, 59))
def test_against_the_standard_library(when: datetime, hours: int, minutes: int) -> None:
    sign = "-" if hours < 0 else "+"
    text = f"{when:%a, %d %b} {when.year:04d} {when:%H:%M:%S} {sign}{abs(hours):02d}{minutes:02d}"
    expected = parsedate_tz(text)
    found = parse_date(text.encode())
    assert expected is not None
    assert found is not None
    assert found[1] == timegm((*expected[:6], 0, 0, 0))
    assert found[1] - found[0] == expected[9]


def test_internaldate() -> None:
    assert render_internaldate(837571465) == b'"17-Jul-1996 02:44:25 +0000"'
    assert render_internaldate(0) == b'" 1-Jan-1970 00:00:00 +0000"'
    assert render_internaldate(-1) == b'"31-Dec-1969 23:59:59 +0000"'
    assert render_internaldate(4102444800) == b'" 1-Jan-2100 00:00:00 +0000"'
    assert render_internaldate(2**62)[-7:] == b' +0000"'
