"""Any octets give items or WireError, in bounded time; and any item can be written."""

from __future__ import annotations

import random
import time
from datetime import datetime

import pytest

from gromoxd.convert.ical import items_of, method_of, periods_of, to_ical
from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import check_bag
from gromoxd.mapi.types import PropValue
from loadtest.bench.recurrence import calendar as busy
from tests.convert.ical.build import calendar, event
from tests.convert.ical.build import item as item_of
from tests.convert.ical.made import MADE
from tests.convert.ical.test_meetings import NINE, PEOPLE, meeting
from tests.convert.ical.test_parts import alarm

ZONE = "\r\n".join([
    "BEGIN:VTIMEZONE", "TZID:Ours", "BEGIN:STANDARD", "DTSTART:16010101T030000", "TZOFFSETFROM:+0200",
    "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD", "BEGIN:DAYLIGHT",
    "DTSTART:16010101T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200",
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT", "END:VTIMEZONE",
])  # fmt: skip
SMALL = calendar(ZONE, event(NINE, "Ours", [
    "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=9", "EXDATE;TZID=Ours:20240426T090000", "RDATE:20240501T090000Z", *PEOPLE,
    "ATTACH;ENCODING=BASE64;VALUE=BINARY:aGk=", alarm("TRIGGER:-PT15M"),
]), head=["METHOD:REQUEST"])  # fmt: skip
DAYS = [f"{month:02}{day:02}" for month in range(1, 13) for day in range(1, 29)]
SLOWEST = 0.5
"""Seconds that a mutation may take."""


def tried(data: bytes) -> None:
    begin = time.perf_counter()
    try:
        items = items_of(data, zone="Europe/Berlin", user="bob@x.test")
        method_of(data), periods_of(data)
    except WireError:
        items = []
    for item in items:
        check_all(item)
    to_ical(items)
    assert time.perf_counter() - begin < SLOWEST, data


def check_all(item: Item) -> None:
    check_bag(item.props)
    for row in item.recipients:
        check_bag(row)
    for attachment in item.attachments:
        check_bag(attachment.props)
        if attachment.embedded is not None:
            check_all(attachment.embedded)


def test_every_octet_flipped() -> None:
    for place in range(0, len(SMALL), 3):
        data = bytearray(SMALL)
        data[place] ^= 0x1F
        tried(bytes(data))


def test_every_truncation() -> None:
    for end in range(0, len(SMALL), 3):
        tried(SMALL[:end])


def mutated(chance: random.Random, data: bytes) -> bytes:
    octets = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(octets) or 1)
        kind = chance.randrange(4)
        if kind == 0:
            octets[place : place + 1] = bytes((chance.randrange(256),))
        elif kind == 1:
            octets[place : place + 1] = chance.choice((b"9", b"0", b"-", b";", b":", b",", b"Z", b"\r\n", b"999999999"))
        elif kind == 2:
            del octets[place : place + chance.randrange(1, 20)]
        else:
            other = chance.randrange(len(octets) or 1)
            octets[place:place] = octets[other : other + chance.randrange(40)]
    return bytes(octets) or b"x"


@pytest.mark.slow
def test_mutations() -> None:
    chance = random.Random(2445)
    samples = [SMALL, meeting("REPLY", *PEOPLE), meeting("COUNTER", *PEOPLE), busy(3), *list(MADE.values())[::6]]
    for _ in range(10_000):
        tried(mutated(chance, chance.choice(samples)))


@pytest.mark.parametrize("lines", [
    ["RRULE:FREQ=SECONDLY"], ["RRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30"], ["RRULE:FREQ=DAILY;INTERVAL=999999999"],
    ["RRULE:FREQ=YEARLY;BYDAY=" + ",".join(f"{i}MO" for i in range(1, 53))] * 50,
    ["RDATE:" + ",".join(f"2024{day}T{hour:02}0000" for day in DAYS for hour in range(24))],
    ["EXDATE:" + ",".join(f"2024{day}T090000" for day in DAYS)] * 30 + ["RRULE:FREQ=DAILY"],
    ["RRULE:FREQ=DAILY;UNTIL=99991231T000000Z", "RDATE:16010101T000000"],
    ["DTSTART:45001231T235959", "RRULE:FREQ=DAILY"],
    ["DURATION:P9999999D"],
])  # fmt: skip
def test_heavy(lines: list[str]) -> None:
    begin = time.perf_counter()
    items = items_of(calendar(event(NINE, "Europe/Berlin", lines)))
    to_ical(items)
    assert time.perf_counter() - begin < 2
    check_all(items[0])


def test_empty_items() -> None:
    made = to_ical([Item()])
    assert b"BEGIN:VEVENT" in made and to_ical([]).startswith(b"BEGIN:VCALENDAR")
    assert to_ical([Item({0x001A001F: "IPM.Task"})]).count(b"BEGIN:VTODO") == 1


def test_items_that_a_client_spoiled() -> None:
    """Properties of a store may hold anything of their type."""
    chance = random.Random(44)
    (whole,) = items_of(SMALL)
    for _ in range(1_500):
        item = Item(dict(whole.props), whole.recipients, whole.attachments, whole.names)
        for tag in chance.sample(sorted(item.props), 3):
            item.props[tag] = spoiled(chance, tag, item.props[tag])
        begin = time.perf_counter()
        to_ical([item])
        assert time.perf_counter() - begin < SLOWEST


def spoiled(chance: random.Random, tag: int, value: PropValue) -> PropValue:
    if isinstance(value, bytes) and value:
        return mutated(chance, value)
    if tag & 0xFFFF == 0x0040:
        return chance.choice((0, 1, 2**63 - 1, 10**18, chance.randrange(2**62)))
    if tag & 0xFFFF == 0x0003:
        return chance.choice((-(2**31), -1, 0, 99, 2**31 - 1))
    return '\0\r\n;:"\\😀' if isinstance(value, str) else value


LONG = "DESCRIPTION:" + "long " * 20_000


def test_exceptions_do_not_repeat_a_long_text_thousands_of_times() -> None:
    """100 KB became 100 MB when a series of which no rule can say all occurrences was written again."""
    made = item_of(calendar(event(datetime(2026, 6, 3, 9), "Z", ["RRULE:FREQ=HOURLY;COUNT=100000", LONG])))
    made = Item({tag: value for tag, value in made.props.items() if tag >> 16 < 0x9000}, made.recipients)
    short = Item(made.props | {p.PidTagBody: "short"})
    assert to_ical([short]).count(b"DESCRIPTION:short") == to_ical([short]).count(b"BEGIN:VEVENT") > 500
    octets = to_ical([made])
    assert len(octets) < 6 << 20
    assert 10 < octets.count(b"DESCRIPTION:long") < 60
    assert octets.count(b"RECURRENCE-ID") == to_ical([short]).count(b"RECURRENCE-ID")


def test_this_and_future_does_not_repeat_a_long_text_thousands_of_times() -> None:
    start = datetime(2026, 6, 3, 9)
    moved = event(datetime(2026, 6, 4, 11), "Z", ["RECURRENCE-ID;RANGE=THISANDFUTURE:20260604T090000Z", LONG])
    found = item_of(calendar(event(start, "Z", ["RRULE:FREQ=DAILY;COUNT=2000"]), moved))
    assert len(found.attachments) > 500
    assert found.weight() < 4 << 20
    few = item_of(calendar(event(start, "Z", ["RRULE:FREQ=DAILY;COUNT=9"]), moved))
    assert [str(one.embedded.props[p.PidTagBody])[:4] for one in few.attachments if one.embedded] == ["long"] * 8
