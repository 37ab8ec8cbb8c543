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
    ExceptionInfo,
    ExtendedException,
    exception_pair,
)

SERIES_ONLY = frozenset((PidTagMessageClass, PidLidAppointmentRecur))
_NUMBERS = (
    ("reminder_delta", PidLidReminderDelta),
    ("reminder_set", PidLidReminderSet),
    ("busy_status", PidLidBusyStatus),
    ("sub_type", PidLidAppointmentSubType),
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
    numbers = {
        field: int(value)
        for field, tag in _NUMBERS
        if isinstance(value := exception.get(tag), int) and value != series.get(tag)
    }
    subject, location = (_changed(series, exception, tag) for tag in (PidTagSubject, PidLidLocation))
    return exception_pair(start, end, original, numbers, subject, location)


def _changed(series: Bag, exception: Bag, tag: int) -> str | None:
    text = exception.get(tag)
    return text if isinstance(text, str) and text != series.get(tag) else None


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
