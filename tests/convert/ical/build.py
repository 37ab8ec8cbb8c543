"""Builds iCalendar for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from gromoxd.convert.ical import items_of, to_ical
from gromoxd.convert.item import Item


def calendar(*parts: str, head: Sequence[str] = ()) -> bytes:
    return "\r\n".join(["BEGIN:VCALENDAR", "VERSION:2.0", *head, *parts, "END:VCALENDAR", ""]).encode()


def time(name: str, when: datetime, zone: str = "Europe/Berlin") -> str:
    """A property: `zone` '' floats, 'Z' is UTC, 'DATE' is a day."""
    if zone == "DATE":
        return f"{name};VALUE=DATE:{when:%Y%m%d}"
    if zone in ("", "Z"):
        return f"{name}:{when:%Y%m%dT%H%M%S}{zone}"
    return f"{name};TZID={zone}:{when:%Y%m%dT%H%M%S}"


def event(
    start: datetime, zone: str = "Europe/Berlin", lines: Sequence[str] = (), *, uid: str = "uid-1", minutes: int = 30
) -> str:
    end = start + (timedelta(days=1) if zone == "DATE" else timedelta(minutes=minutes))
    return "\r\n".join([
        "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20240101T000000Z", "SUMMARY:Made", time("DTSTART", start, zone),
        time("DTEND", end, zone), *lines, "END:VEVENT",
    ])  # fmt: skip


def vevent(*lines: str) -> bytes:
    """A calendar of one event of these lines."""
    return calendar("\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"]))


def item(data: bytes, **options: str) -> Item:
    (found,) = items_of(data, **options)
    return found


def lines_of(*items: Item, method: str = "") -> list[str]:
    """The unfolded lines of what is written."""
    return to_ical(items, method=method).decode().replace("\r\n ", "").split("\r\n")
