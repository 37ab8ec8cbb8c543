"""The recurrence of an event: its rule, dates and exceptions as PidLidAppointmentRecur ([MS-OXCICAL] 2.1.3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gromoxd.convert.contentline import Component
from gromoxd.convert.ical.patterns import HORIZON, MAX_EXTRA, Laid, RecurrenceSet, lay
from gromoxd.convert.ical.rules import Rule, parse_rule
from gromoxd.convert.ical.texts import number_of, text_of
from gromoxd.convert.ical.values import DAY, LAST, Kind, Moment, filetime_of, moments
from gromoxd.convert.ical.zones import Zone, Zones
from gromoxd.convert.item import Item
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.occurrences import pattern_dates
from gromoxd.mapi.recurrence import (
    AppointmentRecurrencePattern,
    ExceptionInfo,
    ExtendedException,
    OverrideFlags,
    exception_pair,
)

MAX_RULES: Final = 20
MAX_DATES: Final = 5_000
MAX_REPEATED: Final = 1 << 20
"""Octets that the occurrences of one RANGE=THISANDFUTURE may have together; more of them have no more than times."""
RECURRENCE_NAMES: Final = frozenset((
    "RRULE", "RDATE", "EXDATE", "EXRULE", "X-MICROSOFT-RRULE", "X-MICROSOFT-EXDATE"
))  # fmt: skip


@dataclass(slots=True)
class Exceptional:
    """An occurrence that another component replaces: the item of that, its times local to the series."""

    recurrence_id: int
    """Seconds."""
    start: int
    end: int
    item: Item
    future: bool = False
    """RANGE=THISANDFUTURE (RFC 5545 3.2.13): all later occurrences change in the same way."""
    stale: bool = False
    """Of an earlier revision than the series is: it no longer brings a deleted occurrence back."""
    original: int = 0
    """Where the pattern has it, minutes; found by `recurrence_of`."""


def is_recurring(component: Component) -> bool:
    return any(line.name in ("RRULE", "RDATE") and line.value.strip() for line in component.lines)


def recurrence_set(
    component: Component, start: Moment, zone: Zone, zones: Zones, strays: Sequence[int]
) -> RecurrenceSet | None:
    """What the lines say, in seconds local to `zone`; None when there is no rule and no date that can be read."""
    begins = zones.local(start, zone)
    rules: list[tuple[Rule, int]] = []
    for line in component.all("RRULE")[:MAX_RULES]:
        rule = parse_rule(line.value)
        if rule is not None:
            rules.append((rule, _until(rule, begins, zone, zones)))
    found = [
        (zones.local(_like(at, start), zone), length)
        for line in component.all("RDATE")[:MAX_DATES]
        for at, length in moments(line)
    ][:MAX_DATES]
    dates = [at for at, _ in found]
    lengths = {at // 60: length // 60 for at, length in found if length is not None}
    if not rules and not dates:
        return None
    without: set[int] = set()
    days: set[int] = set()
    for line in component.all("EXDATE")[:MAX_DATES]:
        for at, _ in moments(line)[:MAX_DATES]:
            if at.kind is Kind.DATE or start.kind is Kind.DATE:
                days.add(at.day)
            else:
                without.add(zones.local(at, zone))
    return RecurrenceSet(begins, rules, dates, frozenset(without), frozenset(days), lengths, strays)


def _like(at: Moment, start: Moment) -> Moment:
    """A day that stands for an occurrence of a timed event begins when that does."""
    if at.kind is Kind.DATE and start.kind is not Kind.DATE:
        return Moment(at.seconds + start.seconds % DAY, start.kind, start.tzid)
    if at.kind is not Kind.DATE and start.kind is Kind.DATE:
        return Moment(at.day * DAY, Kind.DATE)
    return at


def _until(rule: Rule, start: int, zone: Zone, zones: Zones) -> int:
    """The last second that UNTIL allows, on the clock of the series."""
    if rule.until is None:
        return LAST
    if rule.until.kind is Kind.DATE:
        return rule.until.seconds + DAY - 1
    until = zones.local(rule.until, zone)
    # an UNTIL at midnight UTC of all-day events of some programs still means that day
    return max(until, until // DAY * DAY + (DAY - 1 if start % DAY == 0 and rule.until.seconds % DAY == 0 else 0))


def recurrence_of(
    wanted: RecurrenceSet, length: int, exceptions: list[Exceptional], master: Item, zone: Zone
) -> tuple[AppointmentRecurrencePattern, Laid]:
    """The recurrence with all exceptions, whose `original` is set; those without a place are dropped from the list."""
    laid = lay(wanted)
    _continue(laid, exceptions, zone)
    taken: dict[int, Exceptional] = {}
    for each in exceptions[: MAX_EXTRA * 4]:
        minute = each.recurrence_id // 60
        found = laid.original(minute)
        if found is None:
            found = laid.original(minute // DAY_MINUTES * DAY_MINUTES + laid.offset)
        if found is not None and not (each.stale and _is_deleted(laid, found)):
            each.original = found
            taken[found] = each
            laid.moved.pop(minute, None)
    exceptions[:] = sorted(taken.values(), key=lambda each: each.original)
    pairs = [_exception(each, master) for each in exceptions]
    others = dict(laid.moved)
    others |= {at: found for at in wanted.lengths if (found := laid.original(at)) is not None}
    for start, original in others.items():
        lasts = wanted.lengths.get(start, length)
        if original not in taken and (start != original or lasts != length):
            pairs.append((ExceptionInfo(start, start + lasts, original), ExtendedException()))
    pairs.sort(key=lambda pair: pair[0].start_date_time)
    changed = {info.original_start_date // DAY_MINUTES * DAY_MINUTES for info, _ in pairs}
    modified = {info.start_date_time // DAY_MINUTES * DAY_MINUTES for info, _ in pairs}
    pattern = laid.pattern._replace(
        deleted_instance_dates=tuple(sorted(laid.deleted | changed)), modified_instance_dates=tuple(sorted(modified))
    )
    value = AppointmentRecurrencePattern(
        pattern, laid.offset, laid.offset + length,
        tuple([info for info, _ in pairs]), tuple([extended for _, extended in pairs]),
    )  # fmt: skip
    return value, laid


def _is_deleted(laid: Laid, original: int) -> bool:
    return original // DAY_MINUTES * DAY_MINUTES in laid.deleted and original not in laid.moved.values()


def _continue(laid: Laid, exceptions: list[Exceptional], zone: Zone) -> None:
    """Add what RANGE=THISANDFUTURE says of the later occurrences, up to the next exception with it."""
    ranges = sorted((each for each in exceptions if each.future), key=lambda each: each.recurrence_id)
    known = {each.recurrence_id // 60 for each in exceptions}
    for place, each in enumerate(ranges[:50]):
        begins = each.recurrence_id // 60
        last = begins + HORIZON * 366 * DAY_MINUTES
        ends = ranges[place + 1].recurrence_id // 60 if place + 1 < len(ranges) else last
        shift = each.start - each.recurrence_id
        minutes = _minutes(laid, begins + 1, ends)
        item = each.item if each.item.weight() * min(len(minutes), MAX_EXTRA) <= MAX_REPEATED else each.item.lean()
        for minute in minutes:
            if minute not in known and len(exceptions) < MAX_EXTRA:
                start = minute * 60 + shift
                end = start + each.end - each.start
                exceptions.append(Exceptional(minute * 60, start, end, _moved(item, start, end, zone)))


def _minutes(laid: Laid, begins: int, ends: int) -> list[int]:
    """The occurrences of a set, where they are."""
    there = {
        at + laid.offset for at in pattern_dates(laid.pattern, begins - DAY_MINUTES, ends) if at not in laid.deleted
    }
    there = there - set(laid.moved.values()) | set(laid.moved)
    return sorted(minute for minute in there if begins <= minute < ends)


def _moved(item: Item, start: int, end: int, zone: Zone) -> Item:
    """A copy of an exception's item at another time (local seconds)."""
    bag = dict(item.props)
    put_times(bag, zone.utc(start), zone.utc(end))
    return Item(bag, item.recipients, item.attachments, item.names)


def put_times(bag: Bag, start: int, end: int) -> None:
    """Start and end in UTC seconds, in all properties that have them ([MS-OXOCAL] 2.2.1.5, 6, 7, 18)."""
    for tags, at in (
        ((n.PidLidAppointmentStartWhole, n.PidLidCommonStart, p.PidTagStartDate, n.PidLidClipStart), start),
        ((n.PidLidAppointmentEndWhole, n.PidLidCommonEnd, p.PidTagEndDate, n.PidLidClipEnd), end),
    ):
        for tag in tags:
            bag[tag] = filetime_of(at)
    bag[n.PidLidAppointmentDuration] = min((end - start) // 60, 0x7FFFFFFF)


DAY_MINUTES: Final = 1440
_NUMBERS = (
    ("meeting_type", n.PidLidAppointmentStateFlags),
    ("reminder_delta", n.PidLidReminderDelta),
    ("reminder_set", n.PidLidReminderSet),
    ("busy_status", n.PidLidBusyStatus),
    ("sub_type", n.PidLidAppointmentSubType),
)


def _exception(each: Exceptional, master: Item) -> tuple[ExceptionInfo, ExtendedException]:
    """ExceptionInfo and ExtendedException ([MS-OXCICAL] 2.1.3.1.1.20.18, [MS-OXOCAL] 2.2.1.44.2)."""
    bag, whole = each.item.props, master.props
    flags = 0
    numbers = {
        name: number_of(bag, tag) & 0xFFFFFFFF for name, tag in _NUMBERS if number_of(bag, tag) != number_of(whole, tag)
    }
    if text_of(bag, p.PidTagBody) != text_of(whole, p.PidTagBody) or bag.get(p.PidTagHtml) != whole.get(p.PidTagHtml):
        flags |= OverrideFlags.ARO_EXCEPTIONAL_BODY
    if each.item.attachments:
        numbers["attachment"] = 1
    start, end = each.start // 60, max(each.end // 60, each.start // 60)
    subject, location = (_changed(bag, whole, tag) for tag in (p.PidTagSubject, n.PidLidLocation))
    return exception_pair(start, end, each.original, numbers, subject, location, flags)


def _changed(bag: Bag, whole: Bag, tag: int) -> str | None:
    text = text_of(bag, tag)
    return text if text != text_of(whole, tag) else None
