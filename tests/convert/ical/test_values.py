"""Values of RFC 5545 3.3."""

from __future__ import annotations

from datetime import datetime

import pytest

from gromoxd.convert.contentline import ContentLine
from gromoxd.convert.ical.values import (
    DAY,
    Kind,
    Moment,
    boolean,
    duration,
    duration_text,
    integer,
    moment,
    moment_of,
    moments,
    offset,
    offset_text,
    period,
    time_text,
)


def seconds(*when: int) -> int:
    return int((datetime(*when) - datetime(1601, 1, 1)).total_seconds())  # type: ignore[arg-type]


def test_moment() -> None:
    assert moment("20240229") == Moment(seconds(2024, 2, 29), Kind.DATE)
    assert moment("20240229T101112Z", "Europe/Berlin") == Moment(seconds(2024, 2, 29, 10, 11, 12), Kind.UTC)
    assert moment("20240229T101112", "Europe/Berlin") == Moment(
        seconds(2024, 2, 29, 10, 11, 12), Kind.ZONED, "Europe/Berlin"
    )
    assert moment("2024-02-29T10:11:12") == Moment(seconds(2024, 2, 29, 10, 11, 12), Kind.FLOATING)
    assert moment("20240229T240000") == Moment(seconds(2024, 3, 1), Kind.FLOATING)


@pytest.mark.parametrize(
    "text", ["", "20230229", "20241301", "2024022", "16001231", "45010101", "20240101T2560", "nope"]
)
def test_no_moment(text: str) -> None:
    assert moment(text) is None


def test_value_date_cuts_the_time() -> None:
    line = ContentLine("DTSTART", {"VALUE": ["DATE"]}, "20240229T101112")
    assert moment_of(line) == Moment(seconds(2024, 2, 29), Kind.DATE)


def test_periods() -> None:
    start = Moment(seconds(1997, 1, 1, 18), Kind.UTC)
    assert period("19970101T180000Z/19970102T070000Z") == (start, 13 * 3600)
    assert period("19970101T180000Z/PT5H30M") == (start, 19800)
    assert period("19970101T180000Z/") is None and period("19970101T180000Z/19960101T000000Z") is None
    line = ContentLine("RDATE", {}, "19970101T180000Z/PT1H,bad,19970102")
    assert moments(line) == [(start, 3600), (Moment(seconds(1997, 1, 2), Kind.DATE), None)]


@pytest.mark.parametrize(("text", "length"), [
    ("PT15M", 900), ("-PT15M", -900), ("P1DT2H3M4S", DAY + 7384), ("P7W", 49 * DAY), ("+PT0S", 0), ("PT", None),
    ("P", None), ("15", None), ("P9999999D", 400 * 366 * DAY), ("PT99999999999S", None),
])  # fmt: skip
def test_duration(text: str, length: int | None) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("length", [0, 60, -900, 3600, 90061, -DAY, 14 * DAY, -3661])
def test_duration_text(length: int) -> None:
    assert duration(duration_text(length)) == length


def test_others() -> None:
    assert duration_text(-900) == "-PT15M" and duration_text(0) == "PT0M" and duration_text(-7 * DAY) == "-P1W"
    assert (offset("+0530"), offset("-0800"), offset("+002946"), offset("x")) == (330, -480, 29, None)
    assert (offset_text(330), offset_text(-480)) == ("+0530", "-0800")
    assert (integer("5"), integer(" -7x"), integer("x"), integer("99999999999")) == (5, -7, None, 2**31 - 1)
    assert (boolean("true"), boolean("FALSE"), boolean("maybe")) == (True, False, None)
    assert time_text(seconds(2024, 2, 29, 1, 2, 3), utc=True) == "20240229T010203Z"
