"""Meeting messages that arrive are worked into the calendar ([MS-OXOCAL] 3.1.4.7 to 3.1.4.9).

It happens in the transaction that delivers them. What goes wrong here leaves the calendar as it was and the message in
the Inbox, where a client may process it: it is marked as processed only when it was.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from gromoxd.convert.compose import compose
from gromoxd.convert.item import Item
from gromoxd.convert.letters import AUTOMATIC
from gromoxd.convert.meeting import requests as q
from gromoxd.convert.meeting import responses as s
from gromoxd.convert.meeting.policy import Policy, decide
from gromoxd.errors import MapiError
from gromoxd.exmdb.calls import Booking
from gromoxd.exmdb.objects import DeleteMessages
from gromoxd.mapi.bag import Bag, decode_bag
from gromoxd.mapi.busytimes import Busy
from gromoxd.mapi.calendar import CANCELED, MEETING, REQUEST, RESPONSES, MeetingType, ResponseStatus
from gromoxd.mapi.named_tags import PidLidGlobalObjectId, PidLidMeetingType
from gromoxd.mapi.proptags import (
    PidTagMessageClass,
    PidTagProcessed,
    PidTagResponseRequested,
    PidTagScheduleInfoAutoAcceptAppointments,
    PidTagScheduleInfoDisallowOverlappingAppts,
    PidTagScheduleInfoDisallowRecurringAppts,
)
from gromoxd.mapi.times import filetime
from store import wellknown as wk
from store.attempt import attempt
from store.mapi import calendar, deleting, freebusy, outgoing
from store.mapi.conflicts import as_system
from store.sql import rows
from store.transaction import Transaction

log = logging.getLogger(__name__)
_SETTINGS = (
    "SELECT d.props FROM messages m JOIN message_data d ON d.did = m.did WHERE m.fid=?1"
    " UNION ALL SELECT d.props FROM unlisted u JOIN message_data d ON d.did = u.did WHERE u.fid=?1 AND u.kind=1"
)


class Mailbox(NamedTuple):
    """Whom the mailbox belongs to: `name` and `address` as answers say them, and what the directory says of answers."""

    name: str
    address: str
    booking: Booking = Booking()
    internal: bool = True
    """Whether the message is from the mailbox's organisation: nobody else is answered."""


def is_meeting(message_class: str) -> bool:
    """Whether `process` has something to do for a class."""
    return message_class.startswith(MEETING)


def process(tx: Transaction, message: Item, who: Mailbox) -> Bag:
    """Work a delivered message into the calendar; answers properties that the message is to have then."""
    if tx.public or not is_meeting(str(message.props.get(PidTagMessageClass, ""))):
        return {}
    done = attempt(tx, lambda: _process(tx, calendar.named_here(tx, message), who))
    if isinstance(done, MapiError):
        log.warning("meeting message not processed", extra={"mailbox": who.address, "error": str(done)})
        return {}
    return done


def _process(tx: Transaction, message: Item, who: Mailbox) -> Bag:
    kind = str(message.props[PidTagMessageClass])
    whole, clean = message.props.get(PidLidGlobalObjectId), q.clean_id(message.props)
    if not clean:
        return {}
    known = calendar.find(tx, whole if isinstance(whole, bytes) else clean, clean)
    if known is not None and kind in (REQUEST, CANCELED) and not _is_organizer(message, known):
        log.warning("meeting message not from its organizer", extra={"mailbox": who.address})
        return {}
    if kind == REQUEST:
        return _request(tx, message, known, who)
    if known is None:
        return {}
    if kind == CANCELED:
        return _cancellation(tx, message, known, who)
    if kind in RESPONSES:
        noted = s.note_response(known.item, message, filetime(tx.now))
        if noted is not None:
            calendar.put(tx, wk.CALENDAR, noted, known)
        return {PidTagProcessed: True}
    return {}


def _is_organizer(message: Item, known: calendar.CalendarItem) -> bool:
    """Whether From names who the meeting is from: who merely knows its id neither changes nor cancels it."""
    organizer = q.organizers(known.item)
    return not organizer or q.address_of(message.props).lower() in organizer


# ---------------------------------------------------------------------------------------------- requests


def _request(tx: Transaction, message: Item, known: calendar.CalendarItem | None, who: Mailbox) -> Bag:
    if q.address_of(message.props).lower() == who.address.lower():
        return {}  # one's own request: the meeting is in the calendar of its organizer
    if who.booking.room and not who.internal:
        return {}  # left to who looks after the room
    changed: Item | None
    if known is None:
        changed, verdict = q.calendar_object(message), q.Verdict.NEW
    else:
        changed, verdict = q.update(known.item, message)
    if changed is not None:
        saved = calendar.put(tx, wk.CALENDAR, changed, known)
        policy = policy_of(tx, who)
        if policy.enabled and who.internal:
            _answer(tx, message, saved.mid, policy, who)
    told: Bag = {PidTagProcessed: True}
    if MeetingType.mtgDelegatorCopy != message.props.get(PidLidMeetingType):
        told[PidLidMeetingType] = int(verdict.value)
    return told


def _answer(tx: Transaction, request: Item, mid: int, policy: Policy, who: Mailbox) -> None:
    """Accept or decline for a room, and tell the organizer."""
    now_nt = filetime(tx.now)

    def taken(start_nt: int, end_nt: int) -> list[Busy]:
        return list(freebusy.busy_of(tx, start_nt, end_nt, mid))

    decision = decide(request, policy, taken, now_nt)
    if decision.status == ResponseStatus.respDeclined:
        _remove(tx, mid)
    else:
        found = _open(tx, mid)
        calendar.put(tx, wk.CALENDAR, s.answered(found.item, decision.status, now_nt), found)
    organizer = q.address_of(request.props)
    if not organizer or request.props.get(PidTagResponseRequested) is False:
        return
    response = s.response_to(request, decision.status, (who.name, who.address), now_nt, decision.text)
    raw = AUTOMATIC + compose(response, host=who.address.rpartition("@")[2] or "localhost", bcc=False)
    outgoing.send(tx, sender=who.address, recipients=[organizer], raw=raw)


def _open(tx: Transaction, mid: int) -> calendar.CalendarItem:
    ((did,),) = rows(tx.db, "SELECT did FROM messages WHERE mid=?", (mid,))
    return calendar.CalendarItem(tx, mid, did)


def _remove(tx: Transaction, mid: int) -> None:
    with as_system(tx):
        deleting.delete_messages(tx, DeleteMessages(wk.CALENDAR, [mid]))


def _cancellation(tx: Transaction, message: Item, known: calendar.CalendarItem, who: Mailbox) -> Bag:
    changed = q.cancel(known.item, message)
    if changed is None:
        return {PidTagProcessed: True, PidLidMeetingType: int(MeetingType.mtgOutOfDate)}
    canceled_whole = changed.attachments is known.item.attachments
    if canceled_whole and policy_of(tx, who).enabled:
        _remove(tx, known.mid)  # nobody looks into a room's calendar to remove what is off
    else:
        calendar.put(tx, wk.CALENDAR, changed, known)
    return {PidTagProcessed: True}


# ---------------------------------------------------------------------------------------------- policy


def policy_of(tx: Transaction, who: Mailbox) -> Policy:
    """What the mailbox's delegate information says ([MS-OXODLGT] 2.2.2.2), else the directory."""
    booking = who.booking
    for (props,) in rows(tx.db, _SETTINGS, (wk.FREE_BUSY,)):
        bag = decode_bag(props)
        if PidTagScheduleInfoAutoAcceptAppointments in bag:
            return Policy(
                bag[PidTagScheduleInfoAutoAcceptAppointments] is True,
                bag.get(PidTagScheduleInfoDisallowRecurringAppts) is not True,
                bag.get(PidTagScheduleInfoDisallowOverlappingAppts) is not True,
                booking.capacity,
            )
    return Policy(booking.accepts, not booking.no_series, not booking.no_overlap, booking.capacity)
