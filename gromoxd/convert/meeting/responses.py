"""Answers to meeting requests: making them, and noting them in the organizer's calendar ([MS-OXOCAL] 3.1.4.8)."""

from __future__ import annotations

from gromoxd.convert.item import Item
from gromoxd.convert.meeting.exceptions import exception_of, put_exception
from gromoxd.convert.meeting.requests import (
    address_of,
    clean_id,
    number,
    out_of_date,
    recipient_address,
    replaced_time,
)
from gromoxd.mapi.appointments import recurrence_of
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.busytimes import span
from gromoxd.mapi.calendar import (
    ACCEPTED,
    DECLINED,
    RESPONSES,
    TENTATIVE,
    BusyStatus,
    RecipientFlags,
    ResponseStatus,
)
from gromoxd.mapi.named_tags import (
    PidLidAppointmentCounterProposal,
    PidLidAppointmentDuration,
    PidLidAppointmentEndWhole,
    PidLidAppointmentProposalNumber,
    PidLidAppointmentProposedEndWhole,
    PidLidAppointmentProposedStartWhole,
    PidLidAppointmentRecur,
    PidLidAppointmentReplyTime,
    PidLidAppointmentSequence,
    PidLidAppointmentStartWhole,
    PidLidAppointmentSubType,
    PidLidAppointmentTimeZoneDefinitionEndDisplay,
    PidLidAppointmentTimeZoneDefinitionRecur,
    PidLidAppointmentTimeZoneDefinitionStartDisplay,
    PidLidAttendeeCriticalChange,
    PidLidBusyStatus,
    PidLidCleanGlobalObjectId,
    PidLidCommonEnd,
    PidLidCommonStart,
    PidLidExceptionReplaceTime,
    PidLidGlobalObjectId,
    PidLidIntendedBusyStatus,
    PidLidIsException,
    PidLidIsRecurring,
    PidLidLocation,
    PidLidOwnerCriticalChange,
    PidLidRecurrencePattern,
    PidLidRecurring,
    PidLidResponseStatus,
    PidLidTimeZoneDescription,
    PidLidTimeZoneStruct,
    PidLidWhere,
)
from gromoxd.mapi.proptags import (
    PidTagAddressType,
    PidTagBody,
    PidTagClientSubmitTime,
    PidTagDisplayName,
    PidTagEmailAddress,
    PidTagEndDate,
    PidTagMessageClass,
    PidTagNormalizedSubject,
    PidTagOwnerAppointmentId,
    PidTagRecipientFlags,
    PidTagRecipientProposed,
    PidTagRecipientProposedEndTime,
    PidTagRecipientProposedStartTime,
    PidTagRecipientTrackStatus,
    PidTagRecipientTrackStatusTime,
    PidTagRecipientType,
    PidTagSenderAddressType,
    PidTagSenderEmailAddress,
    PidTagSenderName,
    PidTagSenderSmtpAddress,
    PidTagSentRepresentingAddressType,
    PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingName,
    PidTagSentRepresentingSmtpAddress,
    PidTagSmtpAddress,
    PidTagStartDate,
    PidTagSubject,
    PidTagSubjectPrefix,
)

CLASSES = {
    ResponseStatus.respAccepted: (ACCEPTED, "Accepted: "),
    ResponseStatus.respDeclined: (DECLINED, "Declined: "),
    ResponseStatus.respTentative: (TENTATIVE, "Tentative: "),
}
NEW_TIME = "New Time Proposed: "
COPIED = (
    PidLidAppointmentStartWhole, PidLidAppointmentEndWhole, PidLidAppointmentDuration, PidLidAppointmentSubType,
    PidLidAppointmentRecur, PidLidRecurring, PidLidIsRecurring, PidLidIsException, PidLidExceptionReplaceTime,
    PidLidGlobalObjectId, PidLidCleanGlobalObjectId, PidLidLocation, PidLidWhere, PidLidTimeZoneStruct,
    PidLidTimeZoneDescription, PidLidAppointmentTimeZoneDefinitionStartDisplay, PidLidRecurrencePattern,
    PidLidAppointmentTimeZoneDefinitionEndDisplay, PidLidAppointmentTimeZoneDefinitionRecur, PidLidOwnerCriticalChange,
    PidLidAppointmentSequence, PidTagOwnerAppointmentId, PidTagStartDate, PidTagEndDate, PidLidCommonStart,
    PidLidCommonEnd,
)  # fmt: skip
"""What a response has of the request ([MS-OXOCAL] 2.2.7, 3.1.4.8.1)."""
MOST_CRASHERS = 1000
"""Attendees that nobody invited, of one meeting."""


def answered(meeting: Item, status: ResponseStatus, now_nt: int) -> Item:
    """An attendee's calendar object with his answer in it ([MS-OXOCAL] 3.1.4.8.1 to 3.1.4.8.3)."""
    busy = number(meeting.props, PidLidIntendedBusyStatus, BusyStatus.olBusy)
    if status == ResponseStatus.respTentative and busy != BusyStatus.olFree:
        busy = int(BusyStatus.olTentative)
    elif status == ResponseStatus.respDeclined:
        busy = int(BusyStatus.olFree)
    props = {
        **meeting.props, PidLidResponseStatus: int(status), PidLidBusyStatus: busy, PidLidAppointmentReplyTime: now_nt,
    }  # fmt: skip
    return Item(props, meeting.recipients, meeting.attachments, meeting.names)


def response_to(
    meeting: Item,
    status: ResponseStatus,
    who: tuple[str, str],
    now_nt: int,
    text: str = "",
    proposed: tuple[int, int] | None = None,
) -> Item:
    """The Meeting Response object of `who` (name, SMTP address) to a request or a calendar object.

    `proposed`: another start and end (FILETIME), which makes it a counter proposal ([MS-OXOCAL] 3.1.4.8.4).
    """
    kind, prefix = CLASSES[status]
    name, address = who
    subject = str(meeting.props.get(PidTagNormalizedSubject) or meeting.props.get(PidTagSubject) or "")
    props: Bag = {tag: meeting.props[tag] for tag in COPIED if tag in meeting.props}
    prefix = NEW_TIME if proposed else prefix
    props |= {
        PidTagMessageClass: kind, PidTagSubject: prefix + subject, PidTagSubjectPrefix: prefix,
        PidTagNormalizedSubject: subject, PidTagBody: text, PidLidAttendeeCriticalChange: now_nt,
        PidTagClientSubmitTime: now_nt,
        PidLidBusyStatus: number(meeting.props, PidLidIntendedBusyStatus, BusyStatus.olBusy),
        PidTagSenderName: name, PidTagSenderEmailAddress: address, PidTagSenderAddressType: "SMTP",
        PidTagSenderSmtpAddress: address, PidTagSentRepresentingName: name,
        PidTagSentRepresentingEmailAddress: address, PidTagSentRepresentingAddressType: "SMTP",
        PidTagSentRepresentingSmtpAddress: address,
    }  # fmt: skip
    if proposed:
        props |= {
            PidLidAppointmentCounterProposal: True, PidLidAppointmentProposedStartWhole: proposed[0],
            PidLidAppointmentProposedEndWhole: proposed[1],
        }  # fmt: skip
    clean = clean_id(meeting.props)
    if clean:
        props[PidLidCleanGlobalObjectId] = clean
    organizer = address_of(meeting.props)
    to: Bag = {
        PidTagRecipientType: 1, PidTagDisplayName: str(meeting.props.get(PidTagSentRepresentingName) or organizer),
        PidTagEmailAddress: organizer, PidTagAddressType: "SMTP", PidTagSmtpAddress: organizer,
    }  # fmt: skip
    return Item(props, [to] if organizer else [])


# ---------------------------------------------------------------------------------------------- the organizer's side


def note_response(meeting: Item, response: Item, received_nt: int) -> Item | None:
    """The organizer's calendar object with an attendee's answer in it; None when that tells nothing new.

    [MS-OXOCAL] 3.1.4.8.5. An answer to one occurrence of a series is kept in that occurrence, which becomes an
    exception by it.
    """
    status = RESPONSES.get(str(response.props.get(PidTagMessageClass, "")))
    address = address_of(response.props)
    if status is None or not address or out_of_date(meeting.props, response.props, organizer=True):
        return None
    original = replaced_time(response.props, meeting.props)
    if original is not None and recurrence_of(meeting.props) is not None:
        return _note_occurrence(meeting, response, received_nt, original)
    return _noted(meeting, response, status, received_nt)


def _note_occurrence(series: Item, response: Item, received_nt: int, original: int) -> Item | None:
    status = RESPONSES[str(response.props[PidTagMessageClass])]
    known = exception_of(series, original)
    if known is None:
        begins, ends = span(series.props)
        props: Bag = {PidLidAppointmentStartWhole: original, PidLidAppointmentEndWhole: original + ends - begins}
        known = Item(props, [dict(row) for row in series.recipients])
    noted = _noted(known, response, status, received_nt, RecipientFlags.recipExceptionalResponse)
    return put_exception(series, noted, original) if noted is not None else None


def _noted(meeting: Item, response: Item, status: ResponseStatus, received_nt: int, flags: int = 0) -> Item | None:
    rows, row = _row(meeting, response)
    if row is None:
        return None
    when = number(response.props, PidLidAttendeeCriticalChange) or received_nt
    if number(row, PidTagRecipientTrackStatusTime) > when:
        return None
    row |= {PidTagRecipientTrackStatus: int(status), PidTagRecipientTrackStatusTime: when}
    if flags:
        row[PidTagRecipientFlags] = number(row, PidTagRecipientFlags, RecipientFlags.recipSendable) | flags
    _proposal(row, response.props)
    props = dict(meeting.props)
    proposals = sum(one.get(PidTagRecipientProposed) is True for one in rows)
    if proposals or PidLidAppointmentProposalNumber in props:
        props |= {PidLidAppointmentProposalNumber: proposals, PidLidAppointmentCounterProposal: proposals > 0}
    return Item(props, rows, meeting.attachments, meeting.names)


def _row(meeting: Item, response: Item) -> tuple[list[Bag], Bag | None]:
    """The attendees, and the one who answers; an optional one more when nobody invited him."""
    rows = [dict(row) for row in meeting.recipients]
    address = address_of(response.props)
    for row in rows:
        if recipient_address(row) == address.lower():
            organizer = number(row, PidTagRecipientFlags) & RecipientFlags.recipOrganizer
            return rows, None if organizer else row
    if len(rows) >= MOST_CRASHERS:
        return rows, None
    row = {
        PidTagRecipientType: 2, PidTagEmailAddress: address, PidTagSmtpAddress: address, PidTagAddressType: "SMTP",
        PidTagDisplayName: str(response.props.get(PidTagSentRepresentingName) or address),
        PidTagRecipientFlags: int(RecipientFlags.recipSendable),
    }  # fmt: skip
    rows.append(row)
    return rows, row


def _proposal(row: Bag, response: Bag) -> None:
    """[MS-OXOCAL] 2.2.4.10.4 to 2.2.4.10.6."""
    start, end = response.get(PidLidAppointmentProposedStartWhole), response.get(PidLidAppointmentProposedEndWhole)
    if response.get(PidLidAppointmentCounterProposal) is True and isinstance(start, int) and isinstance(end, int):
        row |= {
            PidTagRecipientProposed: True, PidTagRecipientProposedStartTime: start,
            PidTagRecipientProposedEndTime: end,
        }  # fmt: skip
    else:
        for tag in (PidTagRecipientProposed, PidTagRecipientProposedStartTime, PidTagRecipientProposedEndTime):
            row.pop(tag, None)
