"""Occurrences of a series that are changed or deleted ([MS-OXOCAL] 2.2.1.44, 2.2.10, 3.1.4.6)."""

from __future__ import annotations

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.mapi.appointments import recurrence_of
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.busytimes import local_minutes, series_zone, span, utc_nt
from gromoxd.mapi.calendar import AF_EXCEPTION, EXCEPTION, MINUTE_NT
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.named_tags import (
    PidLidAppointmentRecur,
    PidLidAppointmentSubType,
    PidLidBusyStatus,
    PidLidExceptionReplaceTime,
    PidLidLocation,
    PidLidReminderDelta,
    PidLidReminderSet,
)
from gromoxd.mapi.occurrences import DAY
from gromoxd.mapi.proptags import (
    PidTagAttachmentFlags,
    PidTagAttachmentHidden,
    PidTagAttachMethod,
    PidTagDisplayName,
    PidTagExceptionEndTime,
    PidTagExceptionReplaceTime,
    PidTagExceptionStartTime,
    PidTagMessageClass,
    PidTagRenderingPosition,
    PidTagSubject,
)
from gromoxd.mapi.recurrence import (
    AppointmentRecurrencePattern,
    ChangeHighlight,
    ExceptionInfo,
    ExtendedException,
    OverrideFlags,
)

SERIES_ONLY = frozenset((PidTagMessageClass, PidLidAppointmentRecur))
_NUMBERS = (
    (OverrideFlags.ARO_REMINDERDELTA, "reminder_delta", PidLidReminderDelta),
    (OverrideFlags.ARO_REMINDER, "reminder_set", PidLidReminderSet),
    (OverrideFlags.ARO_BUSYSTATUS, "busy_status", PidLidBusyStatus),
    (OverrideFlags.ARO_SUBTYPE, "sub_type", PidLidAppointmentSubType),
)
Pair = tuple[ExceptionInfo, ExtendedException]


def is_exception(attachment: ItemAttachment) -> bool:
    """Whether an attachment is an Exception Attachment object (2.2.10.1)."""
    flags = attachment.props.get(PidTagAttachmentFlags)
    return attachment.embedded is not None and isinstance(flags, int) and bool(flags & AF_EXCEPTION)


def exception_of(series: Item, original_nt: int) -> Item | None:
    """The exception that replaces the occurrence which the pattern has on the day of `original_nt`, if there is one."""
    zone = series_zone(series.props)
    day = local_minutes(zone, original_nt) // DAY
    for attachment in series.attachments:
        replaced = attachment.props.get(PidTagExceptionReplaceTime)
        if is_exception(attachment) and isinstance(replaced, int) and local_minutes(zone, replaced) // DAY == day:
            return attachment.embedded
    return None


def put_exception(series: Item, exception: Item, original_nt: int) -> Item | None:
    """The series with an occurrence replaced; None when it is no series or has none on that day any more."""
    pattern = recurrence_of(series.props)
    if pattern is None:
        return None
    zone = series_zone(series.props)
    original = _original(pattern, local_minutes(zone, original_nt))
    begins, ends = span(exception.props)
    start, end = local_minutes(zone, begins), local_minutes(zone, ends)
    pairs = [pair for pair in _pairs(pattern) if pair[0].original_start_date // DAY != original // DAY]
    pairs.append(_pair(series.props, exception.props, start, end, original))
    replaced_nt = utc_nt(zone, original)
    attachment = _attachment(exception, begins, ends, replaced_nt)
    others = [one for one in series.attachments if not _replaces(one, replaced_nt)]
    return _with(series, pattern, pairs, {*_gone(pattern), original // DAY}, [*others, attachment])


def delete_occurrence(series: Item, original_nt: int) -> Item | None:
    """The series without the occurrence of a day, be it an exception; None when it is no series."""
    pattern = recurrence_of(series.props)
    if pattern is None:
        return None
    zone = series_zone(series.props)
    original = _original(pattern, local_minutes(zone, original_nt))
    pairs = [pair for pair in _pairs(pattern) if pair[0].original_start_date // DAY != original // DAY]
    others = [one for one in series.attachments if not _replaces(one, utc_nt(zone, original))]
    return _with(series, pattern, pairs, {*_gone(pattern), original // DAY}, others)


def _original(pattern: AppointmentRecurrencePattern, local: int) -> int:
    """Where the pattern has the occurrence of a day: the message tells the day for certain, the time not always."""
    return local // DAY * DAY + pattern.start_time_offset % DAY


def _gone(pattern: AppointmentRecurrencePattern) -> set[int]:
    return {minute // DAY for minute in pattern.recurrence_pattern.deleted_instance_dates}


def _replaces(attachment: ItemAttachment, original_nt: int) -> bool:
    replaced = attachment.props.get(PidTagExceptionReplaceTime)
    return is_exception(attachment) and isinstance(replaced, int) and abs(replaced - original_nt) < DAY * MINUTE_NT // 2


def _pairs(pattern: AppointmentRecurrencePattern) -> list[Pair]:
    return [(info, more if more is not None else ExtendedException()) for info, more in pattern.exceptions()]


def _pair(series: Bag, exception: Bag, start: int, end: int, original: int) -> Pair:
    """What the blob tells of an exception: only what differs from the series (2.2.1.44.2)."""
    flags, numbers = 0, {}
    for flag, field, tag in _NUMBERS:
        value = exception.get(tag)
        if isinstance(value, int) and value != series.get(tag):
            flags |= flag
            numbers[field] = int(value)
    info = ExceptionInfo(start, end, original, **numbers)  # type: ignore[arg-type]
    subject, location = exception.get(PidTagSubject), exception.get(PidLidLocation)
    more = ExtendedException(ChangeHighlight(), start, end, original)
    if isinstance(subject, str) and subject != series.get(PidTagSubject):
        flags |= OverrideFlags.ARO_SUBJECT
        info = info._replace(subject=_narrow(subject))
        more = more._replace(subject=subject)
    if isinstance(location, str) and location != series.get(PidLidLocation):
        flags |= OverrideFlags.ARO_LOCATION
        info = info._replace(location=_narrow(location))
        more = more._replace(location=location)
    return info._replace(override_flags=int(flags)), more


def _narrow(text: str) -> bytes:
    return text.encode("cp1252", "replace")


def _attachment(exception: Item, begins: int, ends: int, replaced_nt: int) -> ItemAttachment:
    props = {tag: value for tag, value in exception.props.items() if tag not in SERIES_ONLY}
    props |= {PidTagMessageClass: EXCEPTION, PidLidExceptionReplaceTime: replaced_nt}
    embedded = Item(props, exception.recipients, [one for one in exception.attachments if not is_exception(one)])
    about: Bag = {
        PidTagAttachMethod: int(AttachMethod.afEmbeddedMessage), PidTagAttachmentFlags: AF_EXCEPTION,
        PidTagAttachmentHidden: True, PidTagRenderingPosition: -1, PidTagDisplayName: "Untitled",
        PidTagExceptionStartTime: begins, PidTagExceptionEndTime: ends, PidTagExceptionReplaceTime: replaced_nt,
    }  # fmt: skip
    return ItemAttachment(about, b"", embedded)


def _with(
    series: Item,
    pattern: AppointmentRecurrencePattern,
    pairs: list[Pair],
    gone: set[int],
    attachments: list[ItemAttachment],
) -> Item:
    pairs.sort(key=lambda pair: pair[0].start_date_time)
    base = pattern.recurrence_pattern._replace(
        deleted_instance_dates=tuple(sorted(day * DAY for day in gone)),
        modified_instance_dates=tuple([info.start_date_time // DAY * DAY for info, _ in pairs]),
    )
    changed = pattern._replace(
        recurrence_pattern=base, exception_infos=tuple([info for info, _ in pairs]),
        extended_exceptions=tuple([more for _, more in pairs]),
        reserved_block1=pattern.reserved_block1 or b"", reserved_block2=pattern.reserved_block2 or b"",
    )  # fmt: skip
    return Item({**series.props, PidLidAppointmentRecur: changed.encode()}, series.recipients, attachments)
