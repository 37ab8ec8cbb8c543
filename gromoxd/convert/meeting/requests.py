"""Requests, updates and cancellations in the calendar of an attendee ([MS-OXOCAL] 3.1.4.7.2, 3.1.4.7.4, 3.1.4.9)."""

from __future__ import annotations

from enum import Enum

from gromoxd.convert.item import Item
from gromoxd.convert.meeting.exceptions import delete_occurrence, exception_of, is_exception, put_exception
from gromoxd.errors import WireError
from gromoxd.mapi.appointments import recurrence_of
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.busytimes import series_zone, span, utc_nt
from gromoxd.mapi.calendar import APPOINTMENT, BusyStatus, MeetingType, RecipientFlags, ResponseStatus, StateFlags
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.named_tags import (
    PidLidAppointmentLastSequence,
    PidLidAppointmentRecur,
    PidLidAppointmentReplyName,
    PidLidAppointmentReplyTime,
    PidLidAppointmentSequence,
    PidLidAppointmentSequenceTime,
    PidLidAppointmentStateFlags,
    PidLidAttendeeCriticalChange,
    PidLidBusyStatus,
    PidLidCleanGlobalObjectId,
    PidLidExceptionReplaceTime,
    PidLidFInvited,
    PidLidGlobalObjectId,
    PidLidIntendedBusyStatus,
    PidLidIsException,
    PidLidLocation,
    PidLidMeetingType,
    PidLidOwnerCriticalChange,
    PidLidReminderDelta,
    PidLidReminderSet,
    PidLidReminderSignalTime,
    PidLidReminderTime,
    PidLidResponseStatus,
    PidLidSideEffects,
    PidLidWhere,
    PidNameKeywords,
)
from gromoxd.mapi.occurrences import DAY
from gromoxd.mapi.proptags import (
    PidTagAddressType,
    PidTagBody,
    PidTagDisplayName,
    PidTagEmailAddress,
    PidTagHtml,
    PidTagIconIndex,
    PidTagImportance,
    PidTagInternetCodepage,
    PidTagMessageClass,
    PidTagNativeBody,
    PidTagNormalizedSubject,
    PidTagOwnerAppointmentId,
    PidTagRecipientFlags,
    PidTagRecipientType,
    PidTagResponseRequested,
    PidTagRtfCompressed,
    PidTagSenderAddressType,
    PidTagSenderEmailAddress,
    PidTagSenderEntryId,
    PidTagSenderName,
    PidTagSenderSmtpAddress,
    PidTagSensitivity,
    PidTagSentRepresentingAddressType,
    PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingEntryId,
    PidTagSentRepresentingName,
    PidTagSentRepresentingSmtpAddress,
    PidTagSmtpAddress,
    PidTagSubject,
    PidTagSubjectPrefix,
)

SIDE_EFFECTS = 0x0171
"""PidLidSideEffects of a calendar object ([MS-OXOCAL] 2.2.2.2): open to delete, copy, move, context menu; inbox."""
ICON_MEETING, ICON_SERIES = 0x402, 0x403
CANCELED_PREFIX = "Canceled: "
OWN = frozenset((
    PidLidResponseStatus, PidLidBusyStatus, PidLidAttendeeCriticalChange, PidLidAppointmentReplyTime,
    PidLidAppointmentReplyName, PidLidReminderSet, PidLidReminderDelta, PidLidReminderTime, PidLidReminderSignalTime,
    PidLidAppointmentStateFlags, PidNameKeywords, PidLidMeetingType,
))  # fmt: skip
"""What a request does not change in an attendee's copy: his answer, his reminder, his categories."""
TAKEN = frozenset((
    PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject, PidTagBody, PidTagHtml, PidTagRtfCompressed,
    PidTagNativeBody, PidTagInternetCodepage, PidTagImportance, PidTagSensitivity, PidTagOwnerAppointmentId,
    PidTagResponseRequested, PidTagSenderName, PidTagSenderEmailAddress, PidTagSenderAddressType,
    PidTagSenderSmtpAddress, PidTagSenderEntryId, PidTagSentRepresentingName, PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingAddressType, PidTagSentRepresentingSmtpAddress, PidTagSentRepresentingEntryId,
))  # fmt: skip
"""Properties of a request, besides its named ones, that the calendar object gets."""


class Verdict(Enum):
    """What a request was to a calendar."""

    NEW = MeetingType.mtgRequest
    FULL = MeetingType.mtgFull
    INFORMATION = MeetingType.mtgInfo
    OUT_OF_DATE = MeetingType.mtgOutOfDate


def number(props: Bag, tag: int, otherwise: int = 0) -> int:
    """A property's number, `otherwise` if it has none."""
    value = props.get(tag)
    return value if isinstance(value, int) else otherwise


def clean_id(props: Bag) -> bytes:
    """PidLidCleanGlobalObjectId, made of the other id if need be; b'' if there is neither."""
    clean, whole = props.get(PidLidCleanGlobalObjectId), props.get(PidLidGlobalObjectId)
    if isinstance(clean, bytes) and clean:
        return clean
    if not isinstance(whole, bytes):
        return b""
    try:
        return GlobalObjectId.decode(whole).clean.encode()
    except WireError:
        return whole


def replaced_time(message: Bag, series: Bag) -> int | None:
    """When the series has the occurrence that a message is about (FILETIME); None when it is about no single one."""
    value = message.get(PidLidExceptionReplaceTime)
    if isinstance(value, int) and message.get(PidLidIsException) is not False:
        return value
    whole = message.get(PidLidGlobalObjectId)
    try:
        date = GlobalObjectId.decode(whole) if isinstance(whole, bytes) else None
    except WireError:
        return None
    if date is None or not date.year:
        return None
    pattern, day = recurrence_of(series), _day(date)
    if pattern is None or day is None:
        return None
    return utc_nt(series_zone(series), day * DAY + pattern.start_time_offset)


def _day(date: GlobalObjectId) -> int | None:
    from datetime import date as calendar_date

    try:
        return (calendar_date(date.year, date.month, date.day) - calendar_date(1601, 1, 1)).days
    except ValueError:
        return None


def out_of_date(meeting: Bag, message: Bag, *, organizer: bool = False) -> bool:
    """Whether a newer message was processed before ([MS-OXOCAL] 3.1.5.2)."""
    if number(message, PidLidMeetingType) == MeetingType.mtgOutOfDate:
        return True
    have, told = number(meeting, PidLidAppointmentSequence), number(message, PidLidAppointmentSequence)
    if have != told:
        return have > told
    since = number(meeting, PidLidAppointmentSequenceTime if organizer else PidLidOwnerCriticalChange)
    asked = number(message, PidLidOwnerCriticalChange)
    return bool(since and asked and asked < since)


def calendar_object(request: Item) -> Item:
    """The tentative meeting that a new request puts into the calendar ([MS-OXOCAL] 3.1.4.7.2.2)."""
    props = {tag: value for tag, value in request.props.items() if (tag >> 31 and tag not in OWN) or tag in TAKEN}
    for tag in (PidLidReminderSet, PidLidReminderDelta, PidLidReminderTime, PidLidReminderSignalTime):
        if tag in request.props:
            props[tag] = request.props[tag]
    _subject(props)
    intended = number(request.props, PidLidIntendedBusyStatus, BusyStatus.olBusy)
    clean = clean_id(request.props)
    props |= {
        PidTagMessageClass: APPOINTMENT,
        PidLidSideEffects: SIDE_EFFECTS,
        PidLidIntendedBusyStatus: intended,
        PidLidBusyStatus: int(BusyStatus.olFree if intended == BusyStatus.olFree else BusyStatus.olTentative),
        PidLidResponseStatus: int(ResponseStatus.respNotResponded),
        PidLidAppointmentStateFlags: int(StateFlags.asfMeeting | StateFlags.asfReceived),
        PidLidFInvited: False,
        PidTagIconIndex: ICON_SERIES if recurrence_of(props) is not None else ICON_MEETING,
    }
    if clean:
        props[PidLidCleanGlobalObjectId] = clean
        props.setdefault(PidLidGlobalObjectId, clean)
    where = props.get(PidLidWhere)
    if isinstance(where, str):
        props.setdefault(PidLidLocation, where)
    return Item(props, with_organizer(request), list(request.attachments), dict(request.names))


def _subject(props: Bag) -> None:
    """A prefix such as "Updated: " is the message's, not the meeting's."""
    normal = props.get(PidTagNormalizedSubject)
    if props.get(PidTagSubjectPrefix) and isinstance(normal, str):
        props[PidTagSubject], props[PidTagSubjectPrefix] = normal, ""


def with_organizer(message: Item) -> list[Bag]:
    """The recipients of a request with its organizer before them ([MS-OXOCAL] 2.2.4.10)."""
    address = address_of(message.props)
    rows = [dict(row) for row in message.recipients]
    for row in rows:
        row.setdefault(PidTagRecipientFlags, int(RecipientFlags.recipSendable))
    if not address or any(number(row, PidTagRecipientFlags) & RecipientFlags.recipOrganizer for row in rows):
        return rows
    name = message.props.get(PidTagSentRepresentingName) or message.props.get(PidTagSenderName) or address
    flags = int(RecipientFlags.recipSendable | RecipientFlags.recipOrganizer)
    organizer: Bag = {
        PidTagRecipientType: 1, PidTagDisplayName: name, PidTagEmailAddress: address, PidTagAddressType: "SMTP",
        PidTagSmtpAddress: address, PidTagRecipientFlags: flags,
    }  # fmt: skip
    return [organizer, *[row for row in rows if recipient_address(row) != address.lower()]]


def organizers(meeting: Item) -> set[str]:
    """The addresses, in lower case, that a calendar object has for its organizer: whom it is from, whom it names."""
    found = {address_of(meeting.props).lower()}
    for row in meeting.recipients:
        if number(row, PidTagRecipientFlags) & RecipientFlags.recipOrganizer:
            found.add(recipient_address(row))
    return found - {""}


def address_of(props: Bag) -> str:
    """Whom a message is from: the represented one's SMTP address."""
    for tag in (
        PidTagSentRepresentingSmtpAddress, PidTagSentRepresentingEmailAddress, PidTagSenderSmtpAddress,
        PidTagSenderEmailAddress,
    ):  # fmt: skip
        value = props.get(tag)
        if isinstance(value, str) and "@" in value:
            return value
    return ""


def recipient_address(row: Bag) -> str:
    """A recipient's SMTP address in lower case, '' if it has none."""
    for tag in (PidTagSmtpAddress, PidTagEmailAddress):
        value = row.get(tag)
        if isinstance(value, str) and "@" in value:
            return value.lower()
    return ""


# ---------------------------------------------------------------------------------------------- updates


def update(meeting: Item, request: Item) -> tuple[Item | None, Verdict]:
    """A calendar object after another request of the same meeting; None when it stays ([MS-OXOCAL] 3.1.4.7.4.2)."""
    original = replaced_time(request.props, meeting.props)
    if original is not None and recurrence_of(meeting.props) is not None:
        return _update_occurrence(meeting, request, original)
    if out_of_date(meeting.props, request.props):
        return None, Verdict.OUT_OF_DATE
    return _updated(meeting, request)


def _updated(meeting: Item, request: Item) -> tuple[Item, Verdict]:
    verdict = Verdict.FULL if _moved(meeting.props, request.props) else Verdict.INFORMATION
    fresh = calendar_object(request)
    kept = {tag: value for tag, value in meeting.props.items() if tag not in fresh.props or tag in OWN}
    if verdict is Verdict.FULL:
        for tag in (PidLidResponseStatus, PidLidBusyStatus, PidLidAppointmentStateFlags):
            kept.pop(tag, None)
        kept.pop(PidLidAppointmentReplyTime, None)
        kept.pop(PidLidAppointmentReplyName, None)
        if PidLidAppointmentRecur not in fresh.props:
            kept.pop(PidLidAppointmentRecur, None)
    elif number(meeting.props, PidLidAppointmentStateFlags) & StateFlags.asfCanceled:
        kept[PidLidAppointmentStateFlags] = int(StateFlags.asfMeeting | StateFlags.asfReceived)
    attachments = fresh.attachments
    if verdict is Verdict.INFORMATION:
        attachments = [one for one in fresh.attachments if not is_exception(one)]
        attachments += [one for one in meeting.attachments if is_exception(one)]
        kept[PidLidAppointmentRecur] = meeting.props.get(PidLidAppointmentRecur)
        if kept[PidLidAppointmentRecur] is None:
            del kept[PidLidAppointmentRecur]
    return Item({**fresh.props, **kept}, fresh.recipients, attachments), verdict


def _moved(meeting: Bag, request: Bag) -> bool:
    """Whether the answer to the old request is no answer to the new one: another time or other dates."""
    if span(meeting) != span(request):
        return True
    old, new = recurrence_of(meeting), recurrence_of(request)
    if old is None or new is None:
        return old is not new
    changed = old.recurrence_pattern._replace(deleted_instance_dates=(), modified_instance_dates=())
    return changed != new.recurrence_pattern._replace(deleted_instance_dates=(), modified_instance_dates=())


def _update_occurrence(series: Item, request: Item, original: int) -> tuple[Item | None, Verdict]:
    known = exception_of(series, original)
    if out_of_date(known.props if known is not None else series.props, request.props):
        return None, Verdict.OUT_OF_DATE
    if known is None:
        changed, verdict = calendar_object(request), Verdict.FULL
    else:
        changed, verdict = _updated(known, request)
    changed.props.pop(PidLidAppointmentRecur, None)
    return put_exception(series, changed, original), verdict


# ---------------------------------------------------------------------------------------------- cancellations


def cancel(meeting: Item, cancellation: Item) -> Item | None:
    """A calendar object after a Meeting Cancellation; None when that is out of date ([MS-OXOCAL] 3.1.4.9).

    The meeting stays, marked as canceled and free, until its owner removes it; a canceled occurrence of a series goes.
    """
    original = replaced_time(cancellation.props, meeting.props)
    if original is not None and recurrence_of(meeting.props) is not None:
        known = exception_of(meeting, original)
        if number((known or meeting).props, PidLidAppointmentSequence) > number(
            cancellation.props, PidLidAppointmentSequence
        ):
            return None
        return delete_occurrence(meeting, original)
    if out_of_date(meeting.props, cancellation.props):
        return None
    props = dict(meeting.props)
    subject = str(props.get(PidTagNormalizedSubject) or props.get(PidTagSubject) or "")
    if not subject.startswith(CANCELED_PREFIX):
        props |= {PidTagSubject: CANCELED_PREFIX + subject, PidTagSubjectPrefix: CANCELED_PREFIX}
        props[PidTagNormalizedSubject] = subject
    props |= {
        PidLidAppointmentStateFlags: number(props, PidLidAppointmentStateFlags) | int(StateFlags.asfCanceled),
        PidLidBusyStatus: int(BusyStatus.olFree),
        PidLidReminderSet: False,
    }
    for tag in (PidLidAppointmentSequence, PidLidOwnerCriticalChange, PidLidAppointmentLastSequence):
        if tag in cancellation.props:
            props[tag] = cancellation.props[tag]
    return Item(props, meeting.recipients, meeting.attachments)
