"""The recurrence rules that RFC 5545 3.8.5.3 prints, each with the occurrences that it says; and the templates of
[MS-OXCICAL] 2.1.3.2.2 with the fields of the pattern that each becomes.

All of the RFC's begin at 9:00 in New York (America/New_York). A series without end is printed up to some occurrence;
`open` ones go on after the last date here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from gromoxd.mapi.recurrence import EndType, PatternType, RecurFrequency


class Series(NamedTuple):
    """`start`: DTSTART's day. `days`: "1997-09 2-4,9; 1997-10 1" is four days of September and one of October."""

    start: str
    rules: tuple[str, ...]
    """Alternatives that say the same."""
    days: str
    endless: bool = False

    @property
    def begin(self) -> datetime:
        return datetime.fromisoformat(self.start) + timedelta(hours=9)

    def dates(self) -> list[str]:
        return dates(self.days)


def dates(text: str) -> list[str]:
    """The days of the short form, as ISO dates."""
    found = []
    for month in text.split("; "):
        name, _, numbers = month.partition(" ")
        for part in numbers.split(","):
            first, _, last = part.partition("-")
            found += [f"{name}-{day:02}" for day in range(int(first), int(last or first) + 1)]
    return found


SERIES: dict[str, Series] = {
    "daily for 10": Series("1997-09-02", ("FREQ=DAILY;COUNT=10",), "1997-09 2-11"),
    "daily until": Series(
        "1997-09-02", ("FREQ=DAILY;UNTIL=19971224T000000Z",), "1997-09 2-30; 1997-10 1-31; 1997-11 1-30; 1997-12 1-23"
    ),
    "every other day": Series(
        "1997-09-02", ("FREQ=DAILY;INTERVAL=2",),
        "1997-09 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30; 1997-10 2,4,6,8,10,12,14,16,18,20,22,24,26,28,30; "
        "1997-11 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29; 1997-12 1,3", True,
    ),
    "every 10 days": Series("1997-09-02", ("FREQ=DAILY;INTERVAL=10;COUNT=5",), "1997-09 2,12,22; 1997-10 2,12"),
    "each day of January": Series(
        "1998-01-01",
        ("FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA",
         "FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1"),
        "1998-01 1-31; 1999-01 1-31; 2000-01 1-31",
    ),
    "weekly for 10": Series(
        "1997-09-02", ("FREQ=WEEKLY;COUNT=10",), "1997-09 2,9,16,23,30; 1997-10 7,14,21,28; 1997-11 4"
    ),
    "weekly until": Series(
        "1997-09-02", ("FREQ=WEEKLY;UNTIL=19971224T000000Z",),
        "1997-09 2,9,16,23,30; 1997-10 7,14,21,28; 1997-11 4,11,18,25; 1997-12 2,9,16,23",
    ),
    "every other week": Series(
        "1997-09-02", ("FREQ=WEEKLY;INTERVAL=2;WKST=SU",),
        "1997-09 2,16,30; 1997-10 14,28; 1997-11 11,25; 1997-12 9,23; 1998-01 6,20; 1998-02 3,17", True,
    ),
    "Tuesdays and Thursdays": Series(
        "1997-09-02",
        ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH"),
        "1997-09 2,4,9,11,16,18,23,25,30; 1997-10 2",
    ),
    "three days of every other week": Series(
        "1997-09-01", ("FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR",),
        "1997-09 1,3,5,15,17,19,29; 1997-10 1,3,13,15,17,27,29,31; 1997-11 10,12,14,24,26,28; 1997-12 8,10,12,22",
    ),
    "two days of every other week": Series(
        "1997-09-02", ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH",), "1997-09 2,4,16,18,30; 1997-10 2,14,16"
    ),
    "first Friday for 10": Series(
        "1997-09-05", ("FREQ=MONTHLY;COUNT=10;BYDAY=1FR",),
        "1997-09 5; 1997-10 3; 1997-11 7; 1997-12 5; 1998-01 2; 1998-02 6; 1998-03 6; 1998-04 3; 1998-05 1; 1998-06 5",
    ),
    "first Friday until": Series(
        "1997-09-05", ("FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR",), "1997-09 5; 1997-10 3; 1997-11 7; 1997-12 5"
    ),
    "first and last Sunday": Series(
        "1997-09-07", ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU",),
        "1997-09 7,28; 1997-11 2,30; 1998-01 4,25; 1998-03 1,29; 1998-05 3,31",
    ),
    "second-to-last Monday": Series(
        "1997-09-22", ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO",),
        "1997-09 22; 1997-10 20; 1997-11 17; 1997-12 22; 1998-01 19; 1998-02 16",
    ),
    "third-to-the-last day": Series(
        "1997-09-28", ("FREQ=MONTHLY;BYMONTHDAY=-3",),
        "1997-09 28; 1997-10 29; 1997-11 28; 1997-12 29; 1998-01 29; 1998-02 26", True,
    ),
    "2nd and 15th": Series(
        "1997-09-02", ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15",),
        "1997-09 2,15; 1997-10 2,15; 1997-11 2,15; 1997-12 2,15; 1998-01 2,15",
    ),
    "first and last day": Series(
        "1997-09-30", ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1",),
        "1997-09 30; 1997-10 1,31; 1997-11 1,30; 1997-12 1,31; 1998-01 1,31; 1998-02 1",
    ),
    "every 18 months": Series(
        "1997-09-10", ("FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15",),
        "1997-09 10-15; 1999-03 10-13",
    ),
    "Tuesdays of every other month": Series(
        "1997-09-02", ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU",),
        "1997-09 2,9,16,23,30; 1997-11 4,11,18,25; 1998-01 6,13,20,27; 1998-03 3,10,17,24,31", True,
    ),
    "June and July": Series(
        "1997-06-10", ("FREQ=YEARLY;COUNT=10;BYMONTH=6,7",),
        "1997-06 10; 1997-07 10; 1998-06 10; 1998-07 10; 1999-06 10; 1999-07 10; 2000-06 10; 2000-07 10; 2001-06 10; "
        "2001-07 10",
    ),
    "three months of every other year": Series(
        "1997-03-10", ("FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3",),
        "1997-03 10; 1999-01 10; 1999-02 10; 1999-03 10; 2001-01 10; 2001-02 10; 2001-03 10; 2003-01 10; 2003-02 10; "
        "2003-03 10",
    ),
    "three days of every third year": Series(
        "1997-01-01", ("FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200",),
        "1997-01 1; 1997-04 10; 1997-07 19; 2000-01 1; 2000-04 9; 2000-07 18; 2003-01 1; 2003-04 10; 2003-07 19; "
        "2006-01 1",
    ),
    "20th Monday": Series(
        "1997-05-19", ("FREQ=YEARLY;BYDAY=20MO",), "1997-05 19; 1998-05 18; 1999-05 17", True
    ),
    "Monday of week 20": Series(
        "1997-05-12", ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",), "1997-05 12; 1998-05 11; 1999-05 17", True
    ),
    "Thursdays in March": Series(
        "1997-03-13", ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH",),
        "1997-03 13,20,27; 1998-03 5,12,19,26; 1999-03 4,11,18,25", True,
    ),
    "Thursdays of summers": Series(
        "1997-06-05", ("FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8",),
        "1997-06 5,12,19,26; 1997-07 3,10,17,24,31; 1997-08 7,14,21,28; 1998-06 4,11,18,25; 1998-07 2,9,16,23,30; "
        "1998-08 6,13,20,27; 1999-06 3,10,17,24; 1999-07 1,8,15,22,29; 1999-08 5,12,19,26", True,
    ),
    "Saturday after the first Sunday": Series(
        "1997-09-13", ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13",),
        "1997-09 13; 1997-10 11; 1997-11 8; 1997-12 13; 1998-01 10; 1998-02 7; 1998-03 7; 1998-04 11; 1998-05 9; "
        "1998-06 13", True,
    ),
    "presidential elections": Series(
        "1996-11-05", ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",),
        "1996-11 5; 2000-11 7; 2004-11 2", True,
    ),
    "third of three weekdays": Series(
        "1997-09-04", ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3",), "1997-09 4; 1997-10 7; 1997-11 6"
    ),
    "second-to-last weekday": Series(
        "1997-09-29", ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2",),
        "1997-09 29; 1997-10 30; 1997-11 27; 1997-12 30; 1998-01 29; 1998-02 26; 1998-03 30", True,
    ),
    "weeks from Monday": Series(
        "1997-08-05", ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",), "1997-08 5,10,19,24"
    ),
    "weeks from Sunday": Series(
        "1997-08-05", ("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",), "1997-08 5,17,19,31"
    ),
    "a day that February has not": Series(
        "2007-01-15", ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5",), "2007-01 15,30; 2007-02 15; 2007-03 15,30"
    ),
}  # fmt: skip

FRIDAYS = Series(
    "1997-09-02", ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",),
    "1998-02 13; 1998-03 13; 1998-11 13; 1999-08 13; 2000-10 13", True,
)  # fmt: skip
"""Every Friday the 13th; EXDATE takes DTSTART away, which is none."""

SEVERAL_A_DAY: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "every 3 hours": (("FREQ=HOURLY;INTERVAL=3;UNTIL=19970902T210000Z",), ["09:00", "12:00", "15:00"]),
    "every 15 minutes": (
        ("FREQ=MINUTELY;INTERVAL=15;COUNT=6",), ["09:00", "09:15", "09:30", "09:45", "10:00", "10:15"]
    ),
    "every hour and a half": (("FREQ=MINUTELY;INTERVAL=90;COUNT=4",), ["09:00", "10:30", "12:00", "13:30"]),
    "every 20 minutes": (
        ("FREQ=DAILY;BYHOUR=9,10,11,12,13,14,15,16;BYMINUTE=0,20,40",
         "FREQ=MINUTELY;INTERVAL=20;BYHOUR=9,10,11,12,13,14,15,16"),
        [f"{hour:02}:{minute:02}" for hour in range(9, 17) for minute in (0, 20, 40)] * 2,
    ),
}  # fmt: skip
"""On 1997-09-02, and the last one on the day after as well. The first has the UNTIL that its text means, 17:00 in New
York; 170000Z is printed, and that would be 13:00 there."""


class Template(NamedTuple):
    """A rule of the document and the fields of RecurrencePattern that its table sets."""

    rule: str
    recur_frequency: int
    pattern_type: int
    period: int
    day: int = 0
    occurrence_count: int = 10
    end_type: int = EndType.NeverEnd


_day, _month = PatternType.Day, PatternType.Month
_counted = EndType.EndAfterNOccurrences
DAILY_TEMPLATES = (
    Template("FREQ=DAILY", RecurFrequency.Daily, _day, 1440),
    Template("FREQ=DAILY;BYMINUTE=30;BYHOUR=15", RecurFrequency.Daily, _day, 1440),
    Template("FREQ=DAILY;INTERVAL=3", RecurFrequency.Daily, _day, 4320),
    Template("FREQ=DAILY;INTERVAL=3;BYMINUTE=30;BYHOUR=15", RecurFrequency.Daily, _day, 4320),
    Template("FREQ=DAILY;INTERVAL=3;BYMINUTE=30;BYHOUR=15;COUNT=30", RecurFrequency.Daily, _day, 4320, 0, 30, _counted),
)
"""[MS-OXCICAL] 2.1.3.2.2.1, of an event at 15:30."""
YEARLY_TEMPLATES = (
    Template("FREQ=YEARLY;BYMONTHDAY=-1;BYMONTH=9", RecurFrequency.Yearly, _month, 12, 31),
    Template("FREQ=YEARLY;BYMONTHDAY=10;BYMONTH=1;BYMINUTE=30;BYHOUR=15", RecurFrequency.Yearly, _month, 12, 10),
    Template("FREQ=YEARLY;BYMONTHDAY=15;BYMONTH=3;INTERVAL=3;COUNT=7", RecurFrequency.Monthly, _month, 36, 15, 7,
             _counted),
)  # fmt: skip
"""[MS-OXCICAL] 2.1.3.2.2.5; RecurFrequency is 0x200C where INTERVAL is not 1."""
