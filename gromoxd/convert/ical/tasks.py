"""VTODO as a task and VJOURNAL as a note or a journal entry, both directions.

[MS-OXCICAL] has neither; the properties are those of [MS-OXOTASK] 2.2.2, [MS-OXONOTE] 2.2.1 and [MS-OXOJRNL] 2.2.1.
Dates of a task are days; a time of day that came in is kept and written again while the day is still the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gromoxd.convert.contentline import Component, ContentLine, component, fold, line, parse
from gromoxd.convert.ical import keeping
from gromoxd.convert.ical.alarms import read_alarm, write_alarms
from gromoxd.convert.ical.events import Context
from gromoxd.convert.ical.files import read_files, write_files
from gromoxd.convert.ical.patterns import RecurrenceSet, lay, rule_text
from gromoxd.convert.ical.people import read_people
from gromoxd.convert.ical.series import RECURRENCE_NAMES, is_recurring, recurrence_set
from gromoxd.convert.ical.texts import (
    UNDERSTOOD,
    cut,
    number_of,
    read_texts,
    text_of,
    write_stamps,
    write_texts,
)
from gromoxd.convert.ical.values import (
    DAY,
    Kind,
    Moment,
    date_text,
    duration,
    filetime_of,
    integer,
    moment_of,
    seconds_of,
    time_text,
)
from gromoxd.convert.ical.zones import UTC
from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.recurrence import RecurrencePattern

NOT_STARTED, IN_PROGRESS, COMPLETE, WAITING, DEFERRED = range(5)
"""PidLidTaskStatus ([MS-OXOTASK] 2.2.2.2.2)."""
_STATUS = {"NEEDS-ACTION": NOT_STARTED, "IN-PROCESS": IN_PROGRESS, "COMPLETED": COMPLETE, "CANCELLED": DEFERRED}
_NAMES = {value: name for name, value in _STATUS.items()} | {WAITING: "NEEDS-ACTION"}
_READ: Final = UNDERSTOOD | {"UID", "STATUS", "PERCENT-COMPLETE", "COMPLETED", "DURATION", "ATTACH", "ORGANIZER"}
_MINUTE = 60


def _uid(component: Component, bag: Bag) -> None:
    uid = component.first("UID")
    if uid is not None and uid.text().strip():
        bag[n.PidNameCalendarUid] = cut(uid.text().strip(), 2_000)


def task_item(todo: Component, exceptions: Sequence[Component], context: Context) -> Item:
    """The task of a VTODO."""
    item = Item()
    bag = item.props
    read_texts(todo, bag, "")
    bag[p.PidTagMessageClass] = "IPM.Task"
    _uid(todo, bag)
    _put_progress(bag, todo, context)
    start, due = moment_of(todo.first("DTSTART")), _due(todo)
    for at, whole, common in (
        (start, n.PidLidTaskStartDate, n.PidLidCommonStart), (due, n.PidLidTaskDueDate, n.PidLidCommonEnd),
    ):  # fmt: skip
        if at is not None:
            bag[whole] = filetime_of(at.day * DAY)
            bag[common] = filetime_of(context.zones.of(at).utc(at.day * DAY))
    first = start or due
    if first is not None and is_recurring(todo):
        _recur(item, todo, first, context)
    sides = [None if at is None else context.zones.utc(at) for at in (first, due or first)]
    alarms = read_alarm(todo, bag, sides[0], sides[1], context.zones)
    organizer = todo.first("ORGANIZER")
    people = Component(todo.name, [] if organizer is None else [organizer])
    read_people(people, item, context.user)
    item.recipients.clear()
    bag[n.PidLidTaskOwner] = text_of(bag, p.PidTagSentRepresentingName)
    left = read_files(todo, item)
    kept = [each for each in todo.lines if each.name not in _READ and each.name not in RECURRENCE_NAMES]
    kept = [each for each in kept if each.name not in ("DTSTART", "DUE") or _timed(each)]
    keeping.keep(item, [*left, *kept], [*alarms, *[child for child in todo.children if child.name != "VALARM"]])
    return item


def _timed(content: ContentLine) -> bool:
    at = moment_of(content)
    return at is not None and at.kind is not Kind.DATE


def _due(todo: Component) -> Moment | None:
    due, start = moment_of(todo.first("DUE")), moment_of(todo.first("DTSTART"))
    length = duration(todo.value("DURATION"))
    if due is None and start is not None and length is not None:
        return start._replace(seconds=start.seconds + max(length, 0))
    return due


def _put_progress(bag: Bag, todo: Component, context: Context) -> None:
    percent = min(max(integer(todo.value("PERCENT-COMPLETE")) or 0, 0), 100)
    completed = moment_of(todo.first("COMPLETED"))
    status = _STATUS.get(todo.value("STATUS").strip().upper())
    if status is None:
        done = completed is not None or percent == 100
        status = COMPLETE if done else IN_PROGRESS if percent else NOT_STARTED
    bag[n.PidLidTaskStatus] = status
    bag[n.PidLidTaskComplete] = status == COMPLETE
    bag[n.PidLidPercentComplete] = 1.0 if status == COMPLETE else percent / 100
    if completed is not None:
        bag[n.PidLidTaskDateCompleted] = filetime_of(context.zones.utc(completed))
    sequence = integer(todo.value("SEQUENCE"))
    bag[n.PidLidTaskVersion] = max(sequence, 0) + 1 if sequence is not None else 1
    bag |= {
        n.PidLidTaskState: 1, n.PidLidTaskMode: 0, n.PidLidTaskOwnership: 0, n.PidLidTaskAcceptanceState: 0,
        n.PidLidTeamTask: False, n.PidLidTaskFRecurring: False, p.PidTagIconIndex: 0x500,
    }  # fmt: skip


def _recur(item: Item, todo: Component, first: Moment, context: Context) -> None:
    """PidLidTaskRecurrence ([MS-OXOTASK] 2.2.2.2.15): days, whatever the time of day, and none of them left out."""
    zone = context.zones.of(first)
    wanted = recurrence_set(todo, first, zone, context.zones, ())
    if wanted is None:
        return
    days = RecurrenceSet(
        wanted.start // DAY * DAY,
        [(rule._replace(hours=(), minutes=(), seconds=()), until) for rule, until in wanted.rules],
        [at // DAY * DAY for at in wanted.dates],
        frozenset(at // DAY * DAY for at in wanted.without),
        wanted.without_days,
    )
    laid = lay(days)
    value = laid.pattern.encode()
    bag = item.props
    bag[n.PidLidTaskRecurrence] = value
    bag[n.PidLidTaskFRecurring] = True
    bag[n.PidLidTaskDeadOccurrence] = False
    bag[p.PidTagIconIndex] = 0x501
    if not laid.plain or laid.deleted or laid.moved or len(todo.all("RRULE")) != 1:
        lines = [keeping.raw(each) for each in todo.lines if each.name in RECURRENCE_NAMES]
        keeping.put(item, keeping.RECURRENCE, [keeping.digest(value), *lines[: keeping.MAX_LINES]])


# ------------------------------------------------------------------------------------------ writing


def _own_uid(bag: Bag) -> bytes:
    uid = text_of(bag, n.PidNameCalendarUid)
    return line("UID", uid or f"{keeping.digest(repr(sorted(bag.items())[:40]).encode())}@gromoxd")


def write_task(item: Item, *, inline: bool = True) -> bytes:
    """The VTODO of a task."""
    bag = item.props
    kept, parts = keeping.own_components(keeping.get(item, keeping.LINES))
    body = [_own_uid(bag), *write_stamps(bag, "")]
    for name, tag in (("DTSTART", n.PidLidTaskStartDate), ("DUE", n.PidLidTaskDueDate)):
        day = seconds_of(bag.get(tag))
        if day is not None:
            body.append(_date(name, day, kept))
    kept = [each for each in kept if not each.startswith(("DTSTART", "DUE"))]
    body += _write_recurrence(item)
    body += write_texts(bag, "")
    status = number_of(bag, n.PidLidTaskStatus)
    body.append(line("STATUS", _NAMES.get(status, "NEEDS-ACTION")))
    percent = bag.get(n.PidLidPercentComplete)
    if isinstance(percent, float) and 0 <= percent <= 1:
        body.append(line("PERCENT-COMPLETE", str(round(percent * 100))))
    completed = seconds_of(bag.get(n.PidLidTaskDateCompleted))
    if completed is not None:
        body.append(line("COMPLETED", time_text(completed, utc=True)))
    body.append(line("SEQUENCE", str(max(number_of(bag, n.PidLidTaskVersion, 1) - 1, 0))))
    name, address = (text_of(bag, tag) for tag in (p.PidTagSentRepresentingName, p.PidTagSentRepresentingSmtpAddress))
    if address:
        body.append(line("ORGANIZER", f"mailto:{address}", {"CN": name} if name else None))
    body += [fold(each) for each in kept]
    body += write_files(item, inline)
    return component("VTODO", [*body, *write_alarms(bag, parts)])


def _date(name: str, day: int, kept: list[str]) -> bytes:
    """A day, or the time that came in if it is of that day."""
    for each in kept:
        found = parse(each) if each.startswith(name) else None
        at = moment_of(found) if found is not None and found.name == name else None
        if at is not None and at.day == day // DAY and (at.kind is not Kind.ZONED):
            return fold(each)
    return line(name, date_text(day), {"VALUE": "DATE"})


def _write_recurrence(item: Item) -> list[bytes]:
    value = item.props.get(n.PidLidTaskRecurrence)
    kept = keeping.get(item, keeping.RECURRENCE)
    if not isinstance(value, bytes) or not value:
        return []
    if kept and kept[0] == keeping.digest(value):
        return [fold(each) for each in kept[1:]]
    try:
        pattern = RecurrencePattern.decode(value)
    except WireError:
        return []
    rule = rule_text(pattern, date_text(pattern.end_date * _MINUTE))
    if rule is None:
        return []
    gone = [date_text(day * _MINUTE) for day in pattern.deleted_instance_dates]
    return [line("RRULE", rule), *([line("EXDATE", ",".join(gone), {"VALUE": "DATE"})] if gone else [])]


# ------------------------------------------------------------------------------------------ notes


def journal_item(journal: Component, exceptions: Sequence[Component], context: Context) -> Item:
    """A VJOURNAL of a time is a journal entry, one without is a note."""
    item = Item()
    bag = item.props
    read_texts(journal, bag, "")
    _uid(journal, bag)
    start = moment_of(journal.first("DTSTART"))
    bag[p.PidTagMessageClass] = "IPM.StickyNote" if start is None else "IPM.Activity"
    if start is None:
        bag.setdefault(p.PidTagBody, text_of(bag, p.PidTagSubject))
        bag |= {n.PidLidNoteColor: 3, p.PidTagIconIndex: 0x303}
    else:
        at = context.zones.utc(start)
        for tag in (n.PidLidLogStart, n.PidLidLogEnd, n.PidLidCommonStart, n.PidLidCommonEnd):
            bag[tag] = filetime_of(at)
        bag |= {n.PidLidLogType: "Note", n.PidLidLogTypeDesc: "Note", n.PidLidLogDuration: 0, n.PidLidLogFlags: 0}
        bag[p.PidTagIconIndex] = 0x601
    left = read_files(journal, item)
    kept = [each for each in journal.lines if each.name not in UNDERSTOOD and each.name not in ("UID", "ATTACH")]
    keeping.keep(item, [*left, *kept], journal.children)
    return item


def write_journal(item: Item, *, inline: bool = True) -> bytes:
    """The VJOURNAL of a note or a journal entry."""
    bag = item.props
    kept, parts = keeping.own_components(keeping.get(item, keeping.LINES))
    body = [_own_uid(bag), *write_stamps(bag, ""), *write_texts(bag, "")]
    start = seconds_of(bag.get(n.PidLidLogStart))
    known = next((found for each in kept if (found := parse(each)) is not None and found.name == "DTSTART"), None)
    at = moment_of(known)
    same = at is not None and start is not None and (at.kind is not Kind.UTC or at.seconds == start)
    if start is not None and not same:
        kept = [each for each in kept if not each.startswith("DTSTART")]
        body.append(line("DTSTART", time_text(UTC.utc(start), utc=True)))
    body += [fold(each) for each in kept]
    return component("VJOURNAL", [*body, *write_files(item, inline), *parts])
