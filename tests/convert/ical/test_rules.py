"""Rules expanded: the examples of RFC 5545 3.8.5.3, and random ones against dateutil."""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta

import pytest
from dateutil.rrule import rrulestr

from gromoxd.convert.ical.rules import FREQUENCIES, WEEKDAYS, expand, parse_rule
from gromoxd.convert.ical.values import LAST

EPOCH = datetime(1601, 1, 1)


def dates(text: str, start: datetime, most: int = 10, until: datetime | None = None) -> list[str]:
    rule = parse_rule(text)
    assert rule is not None
    end = LAST if until is None else int((until - EPOCH).total_seconds())
    found = expand(rule, int((start - EPOCH).total_seconds()), end, most)
    return [f"{EPOCH + timedelta(seconds=each):%Y-%m-%d %H:%M}" for each in found]


NINE = datetime(1997, 9, 2, 9)


@pytest.mark.parametrize(("text", "start", "expected"), [
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", NINE, ["1997-09-02", "1997-09-12", "1997-09-22", "1997-10-02", "1997-10-12"]),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=TU,TH", NINE, ["1997-09-02", "1997-09-04", "1997-09-16",
                                                                  "1997-09-18"]),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", datetime(1997, 8, 5, 9),
     ["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"]),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", datetime(1997, 8, 5, 9),
     ["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"]),
    ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3", NINE, ["1998-02-13", "1998-03-13", "1998-11-13"]),
    ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", datetime(1997, 9, 4, 9), ["1997-09-04", "1997-10-07",
                                                                               "1997-11-06"]),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", datetime(1997, 5, 12, 9), ["1997-05-12", "1998-05-11", "1999-05-17"]),
    ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", datetime(1997, 5, 19, 9), ["1997-05-19", "1998-05-18", "1999-05-17"]),
    ("FREQ=YEARLY;INTERVAL=3;COUNT=4;BYYEARDAY=1,100,200", datetime(1997, 1, 1, 9),
     ["1997-01-01", "1997-04-10", "1997-07-19", "2000-01-01"]),
    ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", datetime(2007, 1, 15, 9),
     ["2007-01-15", "2007-01-30", "2007-02-15", "2007-03-15", "2007-03-30"]),
])  # fmt: skip
def test_examples(text: str, start: datetime, expected: list[str]) -> None:
    assert [each[:10] for each in dates(text, start)] == expected


def test_hours() -> None:
    assert [each[11:] for each in dates("FREQ=MINUTELY;INTERVAL=90;COUNT=4", NINE)] == [
        "09:00", "10:30", "12:00", "13:30",
    ]  # fmt: skip
    assert len(dates("FREQ=DAILY;BYHOUR=9,10,11;BYMINUTE=0,20,40;COUNT=9", NINE)) == 9


@pytest.mark.parametrize("text", [
    "", "FREQ=NEVER", "FREQ=DAILY;BYMONTH=13", "FREQ=DAILY;BYDAY=XX", "RSCALE=CHINESE;FREQ=YEARLY",
    "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=DAILY;BYHOUR=x",
])  # fmt: skip
def test_no_rule(text: str) -> None:
    assert parse_rule(text) is None


def test_what_programs_get_wrong_is_read() -> None:
    rule = parse_rule("FREQ=WEEKLY;COUNT=-1;INTERVAL=0;BYDAY=MO,;WKST=;")
    assert rule is not None and (rule.times, rule.interval, rule.days, rule.week_start) == (0, 1, ((0, 1),), 1)


def test_rules_that_never_fit_end_soon() -> None:
    begin = time.perf_counter()
    for text in (
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=MINUTELY;BYHOUR=1;BYMINUTE=1;BYSETPOS=2", "FREQ=WEEKLY;BYMONTH=2;BYDAY=MO;BYSETPOS=300",
    ):  # fmt: skip
        assert dates(text, NINE) == []
    assert time.perf_counter() - begin < 2


def made(chance: random.Random) -> str:
    freq = chance.choice(FREQUENCIES[1:])
    parts = [f"FREQ={freq}"]
    if chance.random() < 0.4:
        parts.append(f"INTERVAL={chance.choice([1, 2, 3, 5])}")
    if chance.random() < 0.5:
        parts.append(f"COUNT={chance.choice([1, 5, 20])}")
    if chance.random() < 0.4:
        parts.append("BYMONTH=" + ",".join(map(str, chance.sample(range(1, 13), chance.choice([1, 2, 4])))))
    ordinal = False
    if chance.random() < 0.4:
        days = chance.sample(WEEKDAYS, chance.choice([1, 2, 5]))
        ordinal = freq in ("MONTHLY", "YEARLY") and chance.random() < 0.5
        parts.append("BYDAY=" + ",".join(f"{chance.choice((1, 2, 4, 5, -1)) if ordinal else ''}{day}" for day in days))
    if freq in ("MONTHLY", "YEARLY", "DAILY") and not ordinal and chance.random() < 0.3:
        parts.append("BYMONTHDAY=" + ",".join(map(str, chance.sample([1, 15, 28, 29, 30, 31, -1, -2], 2))))
    if chance.random() < 0.2:
        parts.append("BYHOUR=9,17")
    if len(parts) > 2 and chance.random() < 0.3 and any(part.startswith("BY") for part in parts):
        parts.append("BYSETPOS=" + chance.choice(["1", "-1", "2,-1"]))
    return ";".join([*parts, f"WKST={chance.choice(WEEKDAYS)}"])


def test_against_dateutil() -> None:
    chance = random.Random(3310)
    compared = 0
    for _ in range(250):
        text = made(chance)
        start = datetime(chance.randrange(1998, 2030), chance.randrange(1, 13), chance.randrange(1, 29), 9, 30)
        until = start + timedelta(days=1000)
        expected = []
        begin = time.perf_counter()
        for each in rrulestr(text, dtstart=start):
            if each > until or len(expected) >= 30 or time.perf_counter() - begin > 0.5:
                break
            expected.append(f"{each:%Y-%m-%d %H:%M}")
        found = dates(text, start, 30, until)
        assert found[: len(expected)] == expected, text
        compared += len(expected)
    assert compared > 2000
