"""Calendars made for tests: one rule each, with dates, deletions and replacements, in several zones."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from tests.convert.ical.build import calendar, event, time

RULES = (
    "FREQ=DAILY", "FREQ=DAILY;INTERVAL=3;COUNT=40", "FREQ=DAILY;BYDAY=MO,TU,WE,TH,FR",
    "FREQ=DAILY;BYMONTH=1,7;COUNT=90", "FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=2;WKST=SU",
    "FREQ=WEEKLY;BYDAY=SU,MO;INTERVAL=2;WKST=MO", "FREQ=WEEKLY;UNTIL=20270101T000000Z", "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=MONTHLY;BYMONTHDAY=1,15", "FREQ=MONTHLY;BYDAY=2TU",
    "FREQ=MONTHLY;BYDAY=-1FR;INTERVAL=2", "FREQ=MONTHLY;BYDAY=5MO", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1;COUNT=30", "FREQ=MONTHLY;BYDAY=TU;BYMONTHDAY=8,9,10,11,12,13,14",
    "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=10", "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", "FREQ=YEARLY;BYDAY=20MO",
    "FREQ=YEARLY;BYMONTH=4;BYDAY=SU,SA;BYSETPOS=2", "FREQ=YEARLY;BYYEARDAY=1,100,200",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "FREQ=HOURLY;INTERVAL=6;COUNT=30",
    "FREQ=MINUTELY;INTERVAL=90;COUNT=20", "FREQ=DAILY;BYHOUR=9,17;COUNT=20", "FREQ=MONTHLY;BYMONTH=5;BYDAY=1MO",
)  # fmt: skip
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "Z", "", "DATE")


def _made() -> dict[str, bytes]:
    chance = random.Random(5545)
    found = {}
    for number, rule in enumerate(RULES):
        for kind in ("bare", "changed"):
            zone = ZONES[(number + (kind == "changed")) % len(ZONES)]
            if zone == "DATE" and ("HOUR" in rule or "MINUTE" in rule or "UNTIL" in rule):
                zone = "Z"
            if zone in ("", "DATE") and "UNTIL" in rule:
                zone = "Europe/Berlin"
            start = datetime(2024, chance.randrange(1, 13), chance.randrange(1, 29), 9, 30)
            lines = [f"RRULE:{rule}"]
            if kind == "changed":
                extra = start + timedelta(days=chance.randrange(400), hours=0 if zone == "DATE" else 2)
                lines.append(time("RDATE", extra, zone))
            found[f"{rule} {zone} {kind}"] = calendar(event(start, zone, lines, uid=f"made-{number}"))
    return found


MADE = _made()
