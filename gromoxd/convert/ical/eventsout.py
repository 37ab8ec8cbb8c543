"""Appointments and messages about meetings as VEVENTs ([MS-OXCICAL] 2.1.3.1.1.20, exporting)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

from gromoxd.convert.contentline import component, fold, line
from gromoxd.convert.ical import keeping
from gromoxd.convert.ical.alarms import write_alarms
from gromoxd.convert.ical.files import write_files
from gromoxd.convert.ical.patterns import rule_text
from gromoxd.convert.ical.people import is_meeting, write_people
from gromoxd.convert.ical.texts import number_of, status_name, text_of, write_direct, write_stamps, write_texts
from gromoxd.convert.ical.values import DAY, date_text, filetime_of, seconds_of, time_text
from gromoxd.convert.ical.zones import UTC, Zone, named, tzid_of
from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.appointments import recurrence_of, zone_of, zone_value
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.globalobjectid import GlobalObjectId, uid_of
from gromoxd.mapi.occurrences import DAY as DAY_MINUTES
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern, ExceptionInfo, ExtendedException
from gromoxd.mapi.timezones import TimeZoneDefinition

MAX_EXCEPTIONS: Final = 5_000
MAX_REPEATED: Final = 4 << 20
"""Octets of exceptions that say again what the series says."""


class Clock(NamedTuple):
    """How an item's times are written."""

    zone: Zone
    all_day: bool = False
    floating: bool = False

    def field(self, name: str, local: int) -> bytes:
        """A property of local seconds."""
        if self.all_day:
            return line(name, date_text(local), {"VALUE": "DATE"})
        if self.floating:
            return line(name, time_text(local))
        if self.zone == UTC:
            return line(name, time_text(local, utc=True))
        return line(name, time_text(local), {"TZID": self.zone.tzid})

    def listed(self, name: str, local: list[int]) -> bytes:
        """A property of several times."""
        text = ",".join(self._value(each) for each in local)
        if self.all_day:
            return line(name, text, {"VALUE": "DATE"})
        return line(name, text, None if self.floating or self.zone == UTC else {"TZID": self.zone.tzid})

    def _value(self, local: int) -> str:
        if self.all_day:
            return date_text(local)
        return time_text(local, utc=self.zone == UTC and not self.floating)

    def until(self, local: int) -> str:
        """UNTIL of the last time of a series (RFC 5545 3.3.10): UTC where the series has a zone."""
        if self.all_day:
            return date_text(local)
        return time_text(local) if self.floating else time_text(self.zone.utc(local), utc=True)

    @property
    def used(self) -> Zone | None:
        """The zone whose VTIMEZONE is wanted."""
        return None if self.all_day or self.floating or self.zone == UTC else self.zone


Uses = Callable[[Clock, int], None]
"""Told of each clock, with a local time in it."""


def method_of_item(item: Item) -> str:
    """METHOD of a message about a meeting (2.1.3.1.1.1), '' for anything else."""
    kind = text_of(item.props, p.PidTagMessageClass).upper()
    if kind.startswith("IPM.SCHEDULE.MEETING.REQUEST"):
        return "REQUEST"
    if kind.startswith("IPM.SCHEDULE.MEETING.CANCELED"):
        return "CANCEL"
    if kind.startswith("IPM.SCHEDULE.MEETING.RESP"):
        return "COUNTER" if item.props.get(n.PidLidAppointmentCounterProposal) else "REPLY"
    return ""


def write_event(item: Item, method: str, default: str, uses: Uses, *, inline: bool = True) -> list[bytes]:
    """The VEVENT of an item, and one for each exception of a series."""
    recurrence = _recurrence(item.props)
    clock = _clock(item, default, recurrence is not None)
    found = [_vevent(item, method, clock, uses, recurrence, inline=inline)]
    if recurrence is not None:
        found += _exceptions(item, method, clock, uses, recurrence, inline)
    return found


def _recurrence(bag: Bag) -> AppointmentRecurrencePattern | None:
    found = recurrence_of(bag)
    return found if found is not None and rule_text(found.recurrence_pattern, "") is not None else None


# ------------------------------------------------------------------------------------------ zones


def _clock(item: Item, default: str, recurring: bool) -> Clock:
    bag = item.props
    all_day = bool(bag.get(n.PidLidAppointmentSubType))
    floating = bool(keeping.get(item, keeping.START))
    zone = _zone(bag, recurring)
    if zone is None:
        zone = (named(default) or UTC) if all_day or floating else UTC
    return Clock(zone, all_day, floating)


def _zone(bag: Bag, recurring: bool) -> Zone | None:
    """The zone of a series, or of an appointment's start (2.1.3.1.1.20.10.1)."""
    definition = zone_of(bag, recurring=recurring)
    return None if definition is None else _named_zone(definition, text_of(bag, n.PidLidTimeZoneDescription))


def _named_zone(definition: TimeZoneDefinition, description: str) -> Zone:
    tzid = tzid_of(definition, description)
    return UTC if tzid in ("UTC", "Etc/UTC", "Etc/GMT") else Zone(tzid, definition)


def rounded(local: int) -> int:
    """Midnight of an all-day time that a client wrote in another zone than is known here."""
    return (local + DAY // 2) // DAY * DAY


# ------------------------------------------------------------------------------------------ component


def _vevent(
    item: Item,
    method: str,
    clock: Clock,
    uses: Uses,
    recurrence: AppointmentRecurrencePattern | None = None,
    *,
    replaced: bytes = b"",
    uid: bytes = b"",
    inline: bool,
) -> bytes:
    bag = item.props
    kept, parts = keeping.own_components(keeping.get(item, keeping.LINES))
    body = [uid or _uid(bag), *write_stamps(bag, method)]
    body += _times(item, method, clock, uses)
    if replaced:
        body.append(replaced)
    elif n.PidLidExceptionReplaceTime in bag or _instance(bag):
        body += _alone(bag, clock)
    body += _rules(item, recurrence, clock)
    body += write_texts(bag, method)
    body.append(line("SEQUENCE", str(max(number_of(bag, n.PidLidAppointmentSequence), 0))))
    body += _status(bag, method, is_meeting(item), [each for each in kept if each.startswith("STATUS:")])
    kept = [each for each in kept if not each.startswith("STATUS:")]
    body += write_people(item, method)
    body += write_direct(bag)
    body += [fold(each) for each in kept]
    body += write_files(item, inline)
    return component("VEVENT", [*body, *write_alarms(bag, parts)])


def _uid(bag: Bag) -> bytes:
    for tag in (n.PidLidGlobalObjectId, n.PidLidCleanGlobalObjectId):
        value = bag.get(tag)
        if isinstance(value, bytes) and value:
            return line("UID", uid_of(value).replace("\n", " "))
    return line("UID", f"{keeping.digest(repr(sorted(bag.items())[:40]).encode())}@gromoxd")


def _times(item: Item, method: str, clock: Clock, uses: Uses) -> list[bytes]:
    """DTSTART and DTEND; of a counter proposal the proposed ones, with the original beside."""
    bag = item.props
    whole = n.PidLidAppointmentStartWhole, n.PidLidAppointmentEndWhole
    pairs = [(("DTSTART", "DTEND"), whole)]
    if method == "COUNTER":
        proposed = n.PidLidAppointmentProposedStartWhole, n.PidLidAppointmentProposedEndWhole
        pairs = [(("DTSTART", "DTEND"), proposed), (("X-MS-OLK-ORIGINALSTART", "X-MS-OLK-ORIGINALEND"), whole)]
    found = []
    for names, tags in pairs:
        start, end = seconds_of(bag.get(tags[0])), seconds_of(bag.get(tags[1]))
        if start is None:
            start = seconds_of(bag.get(p.PidTagStartDate))
        if start is None:
            continue
        found += _span(names, start, max(end or start, start), clock, uses, bag)
    return found


def _span(names: tuple[str, str], start: int, end: int, clock: Clock, uses: Uses, bag: Bag) -> list[bytes]:
    first, last = clock.zone.local(start), clock.zone.local(end)
    if clock.all_day:
        first = rounded(first)
        return [clock.field(names[0], first), clock.field(names[1], max(rounded(last), first + DAY))]
    uses(clock, first)
    other = _end_clock(bag, clock)
    if other is not clock:
        last = other.zone.local(end)
        uses(other, last)
    found = [clock.field(names[0], first)]
    return found if end == start else [*found, other.field(names[1], last)]


def _end_clock(bag: Bag, clock: Clock) -> Clock:
    """The end of an appointment may be in another zone (2.1.3.1.1.20.8.1)."""
    if clock.used is None or n.PidLidAppointmentRecur in bag:
        return clock
    definition = zone_value(bag.get(n.PidLidAppointmentTimeZoneDefinitionEndDisplay))
    if definition is None or definition.key_name == clock.zone.definition.key_name:
        return clock
    return clock._replace(zone=_named_zone(definition, ""))


def _instance(bag: Bag) -> GlobalObjectId | None:
    """The id of one occurrence of a series, if it is that."""
    value = bag.get(n.PidLidGlobalObjectId)
    try:
        found = GlobalObjectId.decode(value) if isinstance(value, bytes) else None
    except WireError:
        return None
    return found if found is not None and found.year and 1 <= found.month <= 12 and 1 <= found.day <= 31 else None


def _alone(bag: Bag, clock: Clock) -> list[bytes]:
    """RECURRENCE-ID of an occurrence that stands without its series (2.1.3.1.1.20.20)."""
    at = seconds_of(bag.get(n.PidLidExceptionReplaceTime))
    if at is not None:
        local = clock.zone.local(at)
        return [clock.field("RECURRENCE-ID", rounded(local) if clock.all_day else local)]
    found = _instance(bag)
    start = seconds_of(bag.get(n.PidLidAppointmentStartWhole))
    if found is None or start is None:
        return []
    packed = number_of(bag, n.PidLidStartRecurrenceTime, -1)
    local = clock.zone.local(start)
    time = (packed >> 12 & 0x1F) * 3600 + (packed >> 6 & 0x3F) * 60 if packed >= 0 else local % DAY
    try:
        day = date(found.year, found.month, found.day).toordinal() - date(1601, 1, 1).toordinal()
    except ValueError:
        return []
    return [clock.field("RECURRENCE-ID", day * DAY + time)] if day >= 0 else []


def _status(bag: Bag, method: str, meeting: bool, kept: list[str]) -> list[bytes]:
    """TRANSP, the busy status as Outlook has it, STATUS of what is cancelled (2.1.3.1.1.20.25, 31, 34)."""
    status = number_of(bag, n.PidLidBusyStatus, 2)
    found = [
        line("TRANSP", "TRANSPARENT" if status == 0 else "OPAQUE"),
        line("X-MICROSOFT-CDO-BUSYSTATUS", status_name(status)),
    ]
    if method in ("REQUEST", "CANCEL"):
        intended = number_of(bag, n.PidLidIntendedBusyStatus, 2)
        found.append(line("X-MICROSOFT-CDO-INTENDEDSTATUS", status_name(intended)))
    if kept and method != "CANCEL":
        found.append(fold(kept[0]))
    elif method == "CANCEL" or number_of(bag, n.PidLidAppointmentStateFlags) & 4:
        found.append(line("STATUS", "CANCELLED"))
    elif meeting and method in ("", "REQUEST", "PUBLISH"):
        found.append(line("STATUS", "CONFIRMED"))
    return found


# ------------------------------------------------------------------------------------------ series


def _rules(item: Item, recurrence: AppointmentRecurrencePattern | None, clock: Clock) -> list[bytes]:
    """RRULE and EXDATE; the lines that came in where the series is still that."""
    kept = keeping.get(item, keeping.RECURRENCE)
    value = item.props.get(n.PidLidAppointmentRecur, b"")
    if kept and isinstance(value, bytes) and kept[0] == keeping.digest(value):
        return [fold(each) for each in kept[1:]]
    if recurrence is None:
        return []
    pattern = recurrence.recurrence_pattern
    offset = recurrence.start_time_offset
    text = rule_text(pattern, clock.until((pattern.end_date // DAY_MINUTES * DAY_MINUTES + offset) * 60))
    found = [line("RRULE", text or "FREQ=DAILY;COUNT=1")]
    changed = {info.original_start_date // DAY_MINUTES for info in recurrence.exception_infos}
    deleted = [day for day in pattern.deleted_instance_dates if day // DAY_MINUTES not in changed]
    if deleted:
        times = [(day // DAY_MINUTES * DAY_MINUTES + offset) * 60 for day in deleted]
        found.append(clock.listed("EXDATE", times))
    return found


def _exceptions(
    item: Item, method: str, clock: Clock, uses: Uses, recurrence: AppointmentRecurrencePattern, inline: bool
) -> list[bytes]:
    """A VEVENT for each exception, of its embedded message or of its ExceptionInfo.

    They repeat what the series says, up to MAX_REPEATED octets: thousands of a long text would be gigabytes.
    """
    kept = keeping.get(item, keeping.RECURRENCE)
    value = item.props[n.PidLidAppointmentRecur]
    as_it_was = bool(kept) and isinstance(value, bytes) and kept[0] == keeping.digest(value)
    embedded = _embedded(item, clock.zone)
    uid = _uid(item.props)
    found: list[bytes] = []
    room = MAX_REPEATED
    for info, extended in list(recurrence.exceptions())[:MAX_EXCEPTIONS]:
        own = embedded.get(info.original_start_date)
        if own is None and as_it_was:
            continue  # one that a line of the series says
        if room < 0 <= room + len(found[-1]):
            item = item.lean()
        made = _exception(item, own, info, extended, clock.zone)
        at = info.original_start_date * 60
        replaced = keeping.get(own, keeping.REPLACED) if own is not None and as_it_was else []
        if replaced and replaced[0].isdigit():
            at = int(replaced[0][:15])
        its = clock._replace(all_day=bool(made.props.get(n.PidLidAppointmentSubType)))
        if not clock.all_day and own is not None and not its.all_day:
            its = its._replace(zone=_zone(own.props, recurring=False) or UTC) if not clock.floating else its
        replaces = clock.field("RECURRENCE-ID", at)
        found.append(_vevent(made, method, its, uses, replaced=replaces, uid=uid, inline=inline))
        room -= len(found[-1])
    return found


def _embedded(item: Item, zone: Zone) -> dict[int, Item]:
    """Exceptions by the local minute that they replace."""
    found = {}
    for attachment in item.attachments:
        bag, own = attachment.props, attachment.embedded
        if own is None or bag.get(p.PidTagAttachMethod) != AttachMethod.afEmbeddedMessage:
            continue
        at = seconds_of(own.props.get(n.PidLidExceptionReplaceTime))
        if at is None:
            at = seconds_of(bag.get(p.PidTagExceptionReplaceTime))
        if at is not None:
            found[zone.local(at) // 60] = own
    return found


_NOT_INHERITED: Final = frozenset((
    n.PidLidAppointmentRecur, n.PidLidTimeZoneStruct, n.PidLidAppointmentTimeZoneDefinitionRecur,
    n.PidLidExceptionReplaceTime, p.PidTagHtml, p.PidTagBody, p.PidTagRtfCompressed, n.PidLidIsException,
))  # fmt: skip
_BODIES = (p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed)


def _exception(
    item: Item, own: Item | None, info: ExceptionInfo, extended: ExtendedException | None, zone: Zone
) -> Item:
    """The item of an exception: the series', what the ExceptionInfo changes, and the embedded message over it."""
    bag = {tag: value for tag, value in item.props.items() if tag not in _NOT_INHERITED and tag >> 16 < 0x9000}
    source = own.props if own is not None and any(tag in own.props for tag in _BODIES) else item.props
    bag |= {tag: source[tag] for tag in _BODIES if tag in source}
    _override(bag, info, extended)
    start, end = zone.utc(info.start_date_time * 60), zone.utc(info.end_date_time * 60)
    bag[n.PidLidAppointmentStartWhole] = filetime_of(start)
    bag[n.PidLidAppointmentEndWhole] = filetime_of(end)
    if own is None:
        return Item(bag, item.recipients)
    bag |= {tag: value for tag, value in own.props.items() if tag not in _BODIES}
    if bag.get(n.PidNameKeywords) == []:
        del bag[n.PidNameKeywords]
    bag[p.PidTagMessageClass] = item.props.get(p.PidTagMessageClass, "IPM.Appointment")
    return Item(bag, own.recipients or item.recipients, own.attachments, own.names)


def _override(bag: Bag, info: ExceptionInfo, extended: ExtendedException | None) -> None:
    """What the OverrideFlags name."""
    for narrow, wide, tag in (
        (info.subject, extended.subject if extended else None, p.PidTagSubject),
        (info.location, extended.location if extended else None, n.PidLidLocation),
    ):
        if narrow is not None:
            bag[tag] = wide if wide is not None else narrow.decode("cp1252", "replace")
    for value, tag in (
        (info.reminder_delta, n.PidLidReminderDelta),
        (info.busy_status, n.PidLidBusyStatus),
        (info.meeting_type, n.PidLidAppointmentStateFlags),
    ):
        if value is not None:
            bag[tag] = value
    if info.reminder_set is not None:
        bag[n.PidLidReminderSet] = bool(info.reminder_set)
    if info.sub_type is not None:
        bag[n.PidLidAppointmentSubType] = bool(info.sub_type)
