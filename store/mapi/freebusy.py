"""When the owner of a mailbox is busy (gromoxd.exmdb.calendarcalls): the objects of the calendar, expanded."""

from __future__ import annotations

from collections.abc import Iterator

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calendarcalls as cal
from gromoxd.mapi.bag import Bag, decode_bag
from gromoxd.mapi.busytimes import Busy, busy_times
from gromoxd.mapi.named_tags import PidLidAppointmentRecur
from store import access as a
from store import wellknown as wk
from store.mapi.loading import Data, Env
from store.mapi.reading import Reading
from store.sql import rows
from store.transaction import Transaction

YEAR_NT = 366 * 24 * 3600 * 10_000_000
MOST_YEARS, MOST_TIMES = 3, 10_000
_ITEMS = (
    "SELECT m.mid, m.did, d.cid, d.props FROM messages m JOIN message_data d ON d.did = m.did WHERE m.fid=?"
    " AND d.class LIKE 'IPM.Appointment%'"
)


def busy_of(by: Reading | Transaction, start_nt: int, end_nt: int, without: int = 0) -> Iterator[Busy]:
    """The busy times of all calendar objects but `without`, in no order."""
    env = Env.of(by)
    for mid, did, cid, props in rows(env.db, _ITEMS, (wk.CALENDAR,)):
        if mid == without:
            continue
        try:
            bag = decode_bag(props)
        except WireError:
            continue  # the mailbox check tells of such
        yield from busy_times(with_recurrence(env, did, cid, props, bag), start_nt, end_nt)


def with_recurrence(env: Env, did: int, cid: int, props: bytes, bag: Bag) -> Bag:
    """The bag with a recurrence that is too long to be in it."""
    if PidLidAppointmentRecur in bag:
        return bag
    data = Data.known(env, did, cid, props)
    if PidLidAppointmentRecur in data.big():
        bag = {**bag, PidLidAppointmentRecur: data.big_value(0, PidLidAppointmentRecur)}
    return bag


def get_free_busy(reading: Reading, call: cal.GetFreeBusy) -> cal.FreeBusy:
    """calendarcalls.GetFreeBusy."""
    level = _level(reading)
    if not 0 <= call.start_nt < call.end_nt <= call.start_nt + MOST_YEARS * YEAR_NT:
        raise MapiError(Ec.ecInvalidParam, "free/busy window")
    found: list[Busy] = []
    for busy in busy_of(reading, call.start_nt, call.end_nt):
        found.append(busy)
        if len(found) > MOST_TIMES:
            raise MapiError(Ec.ecTooBig, "free/busy times")
    found.sort()
    return cal.FreeBusy(level, [_shown(busy, level) for busy in found])


def _level(reading: Reading) -> int:
    access = reading.access
    if reading.box.public:
        raise MapiError(Ec.ecNotSupported, "the calendar of a public store")
    if access.everything:
        return cal.FULL
    if access.may(wk.CALENDAR, a.READ_ANY) or access.may(wk.CALENDAR, a.FREE_BUSY_DETAILED):
        return cal.DETAILED
    access.require(wk.CALENDAR, a.FREE_BUSY_SIMPLE)
    return cal.SIMPLE


def _shown(busy: Busy, level: int) -> Busy:
    if level == cal.SIMPLE:
        return Busy(busy.start_nt, busy.end_nt, busy.status)
    if busy.private and level != cal.FULL:
        return Busy(busy.start_nt, busy.end_nt, busy.status, private=True, recurring=busy.recurring)
    return busy


READS = {cal.GetFreeBusy: get_free_busy}
LONG = {cal.GetFreeBusy: lambda reading, call: True}
