"""VEVENT as an appointment or a message about a meeting ([MS-OXCICAL] 2.1.3.1.1.20).

A series with the components that replace occurrences of it is one item: each of those is an embedded message in a
hidden attachment ([MS-OXOCAL] 2.2.10) and an ExceptionInfo of the recurrence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from gromoxd.convert.contentline import Component, ContentLine
from gromoxd.convert.ical import keeping
from gromoxd.convert.ical.alarms import read_alarm
from gromoxd.convert.ical.files import read_files
from gromoxd.convert.ical.people import RESPONSES, read_answer, read_people
from gromoxd.convert.ical.series import (
    RECURRENCE_NAMES,
    Exceptional,
    is_recurring,
    put_times,
    recurrence_of,
    recurrence_set,
)
from gromoxd.convert.ical.texts import UNDERSTOOD, busy_status, cut, intended_status, number_of, read_texts
from gromoxd.convert.ical.values import (
    DAY,
    EPOCH,
    Kind,
    Moment,
    boolean,
    duration,
    filetime_of,
    integer,
    moment_of,
)
from gromoxd.convert.ical.zones import Zone, Zones
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.ianazones import struct_of
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern, RecurFrequency

EXCEPTION_CLASS: Final = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
MAX_UID: Final = 2_000
_ANSWERS = {"ACCEPTED": "Pos", "DECLINED": "Neg"}
SIDE_EFFECTS: Final = 0x0171
"""seOpenToDelete, seCoerceToInbox, seOpenToCopy, seOpenToMove, seOpenForCtxMenu ([MS-OXOCAL] 2.2.2.2)."""
REQUEST_SIDE_EFFECTS: Final = 0x1C61
"""seOpenToDelete, seOpenToCopy, seOpenToMove, and that none of them can be undone ([MS-OXOCAL] 2.2.5.1)."""
_MEETING, _RECEIVED, _CANCELED = 1, 2, 4
_TIMES = frozenset(("DTSTART", "DTEND", "DURATION", "UID", "RECURRENCE-ID", "ORGANIZER", "ATTENDEE", "X-MS-OLK-SENDER",
                    "ATTACH"))  # fmt: skip
_RECURRENCE_TYPES = {
    RecurFrequency.Daily: 1, RecurFrequency.Weekly: 2, RecurFrequency.Monthly: 3, RecurFrequency.Yearly: 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What of the calendar all its components share."""

    zones: Zones
    method: str = ""
    user: str = ""
    """The address of whose calendar it is for."""


class Span:
    """The times of a component: DTSTART with DTEND or DURATION (2.1.3.1.1.20.8, 10, 12)."""

    __slots__ = ("all_day", "end", "end_zone", "start", "start_zone", "zoned")

    def __init__(self, start: Moment, component: Component, zones: Zones) -> None:
        end = moment_of(component.first("DTEND"))
        self.start_zone = self.end_zone = zones.of(start)
        self.start = zones.utc(start)
        if end is not None:
            self.end, self.end_zone = zones.utc(end), zones.of(end)
        else:
            length = duration(component.value("DURATION"))
            if length is None:
                length = DAY if start.kind is Kind.DATE else 0
            whole, rest = divmod(length, DAY)
            self.end = self.start_zone.utc(start.seconds + whole * DAY) + rest
        if self.end < self.start:  # the other way round, as some programs write it
            self.start, self.end = self.end, self.start
        self.zoned = start.kind is not Kind.UTC
        local = self.start_zone.local(self.start), self.start_zone.local(self.end)
        midnights = local[0] % DAY == local[1] % DAY == 0 and local[1] > local[0]
        said = any(
            boolean(component.value(name))
            for name in ("X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-MSNCALENDAR-ALLDAYEVENT")
        )
        floating = start.kind is Kind.FLOATING and (end is None or end.kind is Kind.FLOATING)
        self.all_day = start.kind is Kind.DATE or (midnights and (said or floating))
        if start.kind is Kind.DATE and not midnights:
            self.end = self.start_zone.utc(max(-(-local[1] // DAY) * DAY, local[0] + DAY))

    def length(self, zone: Zone) -> int:
        """Seconds of local time."""
        return max(zone.local(self.end) - zone.local(self.start), 0)


def message_class(method: str, partstat: str) -> str:
    """PidTagMessageClass of METHOD (2.1.3.1.1.1)."""
    if method in ("REQUEST", "ADD"):
        return "IPM.Schedule.Meeting.Request"
    if method == "CANCEL":
        return "IPM.Schedule.Meeting.Canceled"
    if method == "REPLY":
        return f"IPM.Schedule.Meeting.Resp.{_ANSWERS.get(partstat, 'Tent')}"
    return "IPM.Schedule.Meeting.Resp.Tent" if method == "COUNTER" else "IPM.Appointment"


def event_item(component: Component, exceptions: Sequence[Component], context: Context) -> Item:
    """The item of a component, and of those that replace occurrences of it."""
    item = Item()
    span = _fill(item, component, context, embedded=False)
    start = moment_of(component.first("DTSTART"))
    if component.value("RECURRENCE-ID").strip():
        _keep_recurrence(item, component, b"", plain=not is_recurring(component))  # one occurrence is no series
    elif start is not None and span is not None and (is_recurring(component) or exceptions):
        _recur(item, component, start, span, exceptions, context)
    return item


def _fill(item: Item, component: Component, context: Context, *, embedded: bool) -> Span | None:
    """Everything but the recurrence."""
    bag, method = item.props, context.method
    read_texts(component, bag, method)
    answer = method in ("REPLY", "COUNTER")
    partstat = read_answer(component, item) if answer else read_people(component, item, context.user)
    bag[p.PidTagMessageClass] = EXCEPTION_CLASS if embedded else message_class(method, partstat)
    span = None
    start = moment_of(component.first("DTSTART"))
    if start is not None:
        span = Span(start, component, context.zones)
        _put_times(bag, span, component, context, method)
        if start.kind is not Kind.DATE and not context.zones.known(start) and not span.all_day:
            keeping.put(item, keeping.START, "FLOATING")
    _put_ids(bag, component, context)
    _put_state(bag, component, item, context, partstat)
    begins, ends = (span.start, span.end) if span is not None else (None, None)
    alarms = read_alarm(component, bag, begins, ends, context.zones)
    left = read_files(component, item)
    keeping.keep(item, [*left, *_others(component, method)], [*alarms, *_strangers(component)])
    return span


def _others(component: Component, method: str) -> list[ContentLine]:
    """The lines that nothing here reads."""
    return [
        line
        for line in component.lines
        if line.name not in UNDERSTOOD and line.name not in _TIMES and line.name not in RECURRENCE_NAMES
        and not (line.name == "COMMENT" and method in ("REPLY", "COUNTER"))
    ]  # fmt: skip


def _strangers(component: Component) -> list[Component]:
    return [child for child in component.children if child.name != "VALARM"]


# ------------------------------------------------------------------------------------------ times


def _put_times(bag: Bag, span: Span, component: Component, context: Context, method: str) -> None:
    """Start and end; of a counter proposal the proposed and the original ones (2.1.3.1.1.20.8, 10, 59, 60)."""
    start, end = span.start, span.end
    if method == "COUNTER":
        bag[n.PidLidAppointmentCounterProposal] = True
        bag[n.PidLidAppointmentProposedStartWhole] = filetime_of(start)
        bag[n.PidLidAppointmentProposedEndWhole] = filetime_of(end)
        bag[n.PidLidAppointmentProposedDuration] = (end - start) // 60
        first, last = (moment_of(component.first(name)) for name in ("X-MS-OLK-ORIGINALSTART", "X-MS-OLK-ORIGINALEND"))
        if first is not None and last is not None:
            start, end = context.zones.utc(first), context.zones.utc(last)
    put_times(bag, start, end)
    bag[n.PidLidAppointmentSubType] = span.all_day
    if span.zoned:
        bag[n.PidLidAppointmentTimeZoneDefinitionStartDisplay] = span.start_zone.definition.encode()
        bag[n.PidLidAppointmentTimeZoneDefinitionEndDisplay] = span.end_zone.definition.encode()
        bag[n.PidLidTimeZoneDescription] = cut(span.start_zone.tzid)


def _put_ids(bag: Bag, component: Component, context: Context) -> None:
    """UID and RECURRENCE-ID (2.1.3.1.1.20.20, 26)."""
    uid = component.first("UID")
    replaced = moment_of(component.first("RECURRENCE-ID"))
    if replaced is not None:
        bag[n.PidLidExceptionReplaceTime] = filetime_of(context.zones.utc(replaced))
        bag[n.PidLidIsException] = True
    if uid is None or not uid.text().strip():
        return
    identity = GlobalObjectId.from_uid(uid.text().strip()[:MAX_UID])
    if replaced is not None and not identity.year:
        day = date.fromordinal(EPOCH + replaced.day)
        identity = identity.on(day.year, day.month, day.day)
    bag[n.PidLidGlobalObjectId] = identity.encode()
    bag[n.PidLidCleanGlobalObjectId] = identity.clean.encode()


def _put_state(bag: Bag, component: Component, item: Item, context: Context, partstat: str) -> None:
    """Busy status, sequence, and what kind of meeting it is (2.1.3.1.1.20.22, 34, 40)."""
    method = context.method
    for name in ("X-MICROSOFT-CDO-APPT-SEQUENCE", "SEQUENCE"):
        sequence = integer(component.value(name))
        if sequence is not None:
            bag[n.PidLidAppointmentSequence] = max(sequence, 0)
            break
    status = busy_status(component)
    bag[n.PidLidBusyStatus] = status
    meeting = bool(item.recipients) or method in ("REQUEST", "REPLY", "COUNTER", "CANCEL", "ADD")
    state = _MEETING if meeting else 0
    if meeting and method not in ("REPLY", "COUNTER") and not _is_organizer(bag, context):
        state |= _RECEIVED
    if method == "CANCEL" or component.value("STATUS").strip().upper() == "CANCELLED":
        state |= _CANCELED
    bag[n.PidLidAppointmentStateFlags] = state
    bag[n.PidLidFInvited] = meeting and boolean(component.value("X-MICROSOFT-ISDRAFT")) is not True
    bag[n.PidLidResponseStatus] = _response(bag, context, meeting, partstat)
    bag[p.PidTagIconIndex] = _icon(method, bag, meeting)
    if method in ("", "PUBLISH", "REQUEST"):
        bag[n.PidLidSideEffects] = REQUEST_SIDE_EFFECTS if method == "REQUEST" else SIDE_EFFECTS
    bag[n.PidLidRecurring] = False
    if method in ("REQUEST", "ADD", "CANCEL"):
        intended = intended_status(component)
        bag[n.PidLidIntendedBusyStatus] = status if intended is None else intended
        bag[n.PidLidBusyStatus] = 1 if method != "CANCEL" else 0
        bag[n.PidLidMeetingType] = 1 if method != "CANCEL" else 0
        bag[n.PidLidAppointmentMessageClass] = "IPM.Appointment"
        bag[n.PidLidWhere] = bag.get(n.PidLidLocation, "")


def _is_organizer(bag: Bag, context: Context) -> bool:
    who = bag.get(p.PidTagSentRepresentingSmtpAddress)
    if context.user:
        return isinstance(who, str) and who.lower() == context.user.lower()
    return not context.method or context.method == "PUBLISH"


def _response(bag: Bag, context: Context, meeting: bool, partstat: str) -> int:
    """PidLidResponseStatus ([MS-OXOCAL] 2.2.1.11)."""
    if not meeting:
        return 0
    if context.method in ("REPLY", "COUNTER"):
        return RESPONSES.get(partstat, 2)
    if context.user and _is_organizer(bag, context):
        return 1
    return RESPONSES.get(partstat, 5 if context.method == "REQUEST" else 0)


def _icon(method: str, bag: Bag, meeting: bool) -> int:
    """PidTagIconIndex ([MS-OXOMSG] 2.2.1.10)."""
    answer = str(bag[p.PidTagMessageClass]).rpartition(".")[2]
    found = {"Request": 0x404, "Pos": 0x405, "Neg": 0x406, "Tent": 0x407, "Canceled": 0x408}.get(answer)
    return found if found is not None else 0x402 if meeting else 0x400


# ------------------------------------------------------------------------------------------ series


def _recur(
    item: Item, component: Component, start: Moment, span: Span, exceptions: Sequence[Component], context: Context
) -> None:
    """PidLidAppointmentRecur, the time zone of the series, and its exceptions."""
    zone = span.start_zone
    embedded = [found for each in exceptions if (found := _exceptional(each, zone, start, context)) is not None]
    revision = integer(component.value("SEQUENCE")) or 0
    for each in embedded:
        each.stale = number_of(each.item.props, n.PidLidAppointmentSequence) < revision
    strays = [each.recurrence_id for each in embedded if not each.stale]
    wanted = recurrence_set(component, start, zone, context.zones, strays)
    if wanted is None:
        if not embedded:
            # a rule that nobody here can follow, such as one of another calendar (RFC 7529)
            return _keep_recurrence(item, component, b"", plain=False)
        wanted = recurrence_set(_once(component), start, zone, context.zones, strays)
        assert wanted is not None  # its rule is our own
    length = span.length(zone) // 60
    value, laid = recurrence_of(wanted, length, embedded, item, zone)
    bag = item.props
    bag[n.PidLidAppointmentRecur] = value.encode()
    _put_series(bag, value, zone)
    _keep_recurrence(item, component, value.encode(), laid.plain and len(component.all("RRULE")) == 1)
    for each in embedded:
        _attach(item, each, zone)


def _once(component: Component) -> Component:
    """The component with a rule that says its one occurrence: exceptions need a series."""
    rule = ContentLine("RRULE", {}, "FREQ=DAILY;COUNT=1")
    return Component(component.name, [*component.lines, rule], component.children)


def _put_series(bag: Bag, value: AppointmentRecurrencePattern, zone: Zone) -> None:
    pattern = value.recurrence_pattern
    bag[n.PidLidRecurring] = bag[n.PidLidIsRecurring] = True
    bag[n.PidLidRecurrenceType] = _RECURRENCE_TYPES.get(RecurFrequency(pattern.recur_frequency), 0)
    bag[n.PidLidTimeZoneStruct] = struct_of(zone.definition).encode()
    bag[n.PidLidTimeZoneDescription] = cut(zone.tzid)
    bag[n.PidLidAppointmentTimeZoneDefinitionRecur] = zone.definition.encode()
    bag[n.PidLidClipStart] = filetime_of(zone.utc(pattern.start_date * 60))
    bag[n.PidLidClipEnd] = filetime_of(zone.utc(pattern.end_date * 60))
    icon = bag.get(p.PidTagIconIndex)
    bag[p.PidTagIconIndex] = icon + 1 if icon in (0x400, 0x402) and isinstance(icon, int) else icon


def _keep_recurrence(item: Item, component: Component, value: bytes, plain: bool) -> None:
    """The lines as they were, where the pattern does not say them."""
    lines = [keeping.raw(line) for line in component.lines if line.name in RECURRENCE_NAMES]
    if not plain or any(line.startswith(("EXRULE", "X-MICROSOFT")) for line in lines):
        keeping.put(item, keeping.RECURRENCE, [keeping.digest(value), *lines[: keeping.MAX_LINES]])


def _exceptional(component: Component, zone: Zone, start: Moment, context: Context) -> Exceptional | None:
    """The item of a component that replaces an occurrence, with its times; None when it does not say which."""
    line = component.first("RECURRENCE-ID")
    which = moment_of(line)
    if which is None or line is None:
        return None
    if start.kind is Kind.DATE:
        local = which.day * DAY
    elif which.kind is Kind.DATE:
        which = Moment(which.seconds + context.zones.local(start, zone) % DAY, Kind.ZONED, zone.tzid)
        local = which.seconds
    else:
        local = context.zones.local(which, zone)
    if component.first("DTSTART") is None:
        added = [ContentLine("DTSTART", line.params, line.value)]
        component = Component(component.name, component.lines + added, component.children)
    item = Item()
    span = _fill(item, component, context, embedded=True)
    if span is None:
        return None
    item.props[n.PidLidExceptionReplaceTime] = filetime_of(zone.utc(local))
    future = line.param("RANGE").upper() == "THISANDFUTURE"
    return Exceptional(local, zone.local(span.start), zone.local(span.end), item, future)


_INHERITED: Final[dict[int, str | list[str]]] = {p.PidTagBody: "", n.PidLidLocation: "", n.PidNameKeywords: []}
"""What an exception would inherit of the series, with the value that says that it has none."""


def _attach(item: Item, each: Exceptional, zone: Zone) -> None:
    """An exception attachment ([MS-OXOCAL] 2.2.10.1)."""
    props = each.item.props
    for tag, nothing in _INHERITED.items():
        if tag in item.props and tag not in props:
            props[tag] = nothing
    if each.recurrence_id // 60 != each.original or each.recurrence_id % 60:
        keeping.put(each.item, keeping.REPLACED, str(each.recurrence_id))
    props[n.PidLidExceptionReplaceTime] = filetime_of(zone.utc(each.original * 60))
    bag: Bag = {
        p.PidTagAttachMethod: int(AttachMethod.afEmbeddedMessage),
        p.PidTagAttachmentHidden: True,
        p.PidTagAttachmentFlags: 2,
        p.PidTagAttachFlags: 0,
        p.PidTagRenderingPosition: -1,
        p.PidTagDisplayName: "Untitled",
        p.PidTagAttachEncoding: b"",
        p.PidTagExceptionStartTime: filetime_of(each.start),
        p.PidTagExceptionEndTime: filetime_of(each.end),
        p.PidTagExceptionReplaceTime: filetime_of(zone.utc(each.original * 60)),
    }
    item.attachments.append(ItemAttachment(bag, embedded=each.item))
