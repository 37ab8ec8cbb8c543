"""Expansion of recurring meetings and conversion of calendars: `python -m loadtest.bench.recurrence [--rounds N]`.

Printed as lines of Markdown, medians in milliseconds: a daily meeting with 200 exceptions (moved, renamed) expanded
over a year, from its values and from its octets, the same in UTC; and that meeting read from iCalendar and
written again. The bound of the first is 5 ms.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime, timedelta
from statistics import median
from time import perf_counter

from gromoxd.convert.ical import items_of, to_ical
from gromoxd.mapi.ianazones import definition, minutes_of
from gromoxd.mapi.named_tags import PidLidAppointmentRecur
from gromoxd.mapi.occurrences import occurrences
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern
from gromoxd.mapi.timezones import to_utc

EXCEPTIONS = 200
START = datetime(2025, 1, 1, 9)


def calendar(exceptions: int = EXCEPTIONS) -> bytes:
    """A daily meeting of which every day from the second on is moved by an hour."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *_event("RRULE:FREQ=DAILY", START, "Standup")]
    for number in range(1, exceptions + 1):
        day = START + timedelta(days=number)
        replaced = f"RECURRENCE-ID;TZID=Europe/Berlin:{day:%Y%m%dT%H%M%S}"
        lines += _event(replaced, day + timedelta(hours=1), f"Standup {number}")
    return "\r\n".join([*lines, "END:VCALENDAR", ""]).encode()


def _event(what: str, start: datetime, subject: str) -> list[str]:
    end = start + timedelta(minutes=30)
    zone = "TZID=Europe/Berlin"
    return [
        "BEGIN:VEVENT", "UID:standup", "DTSTAMP:20250101T000000Z", what, f"SUMMARY:{subject}",
        f"DTSTART;{zone}:{start:%Y%m%dT%H%M%S}", f"DTEND;{zone}:{end:%Y%m%dT%H%M%S}", "END:VEVENT",
    ]  # fmt: skip


def _timed(work: Callable[[], object], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begin = perf_counter()
        work()
        times.append(perf_counter() - begin)
    return median(times) * 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    data = calendar()
    items = items_of(data)
    octets = items[0].props[PidLidAppointmentRecur]
    assert isinstance(octets, bytes)
    value = AppointmentRecurrencePattern.decode(octets)
    zone = definition("Europe/Berlin", 2025)
    assert zone is not None
    begin, end = minutes_of(datetime(2025, 1, 1)), minutes_of(datetime(2026, 1, 1))
    found = list(occurrences(value, begin, end))
    assert len(found) == 365 and sum(each.exception is not None for each in found) == EXCEPTIONS
    print("| what | ms |\n| --- | --- |")
    for name, work in (
        ("year of occurrences", lambda: list(occurrences(value, begin, end))),
        ("from octets", lambda: list(occurrences(AppointmentRecurrencePattern.decode(octets), begin, end))),
        (
            "from octets, in UTC",
            lambda: [
                (to_utc(zone, each.start), to_utc(zone, each.end))
                for each in occurrences(AppointmentRecurrencePattern.decode(octets), begin, end)
            ],
        ),
        ("iCalendar to item", lambda: items_of(data)),
        ("item to iCalendar", lambda: to_ical(items)),
    ):
        print(f"| {name} | {_timed(work, rounds):.2f} |")


if __name__ == "__main__":
    main()
