"""The out-of-office message: its settings, and who gets it ([MS-OXWOOF] 3.2.5; RFC 3834)."""

from __future__ import annotations

import logging
from typing import Any, Final

import msgspec

from gromoxd.convert import automail, letters
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import oofcalls as f
from gromoxd.exmdb.calls import Done
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag, encode_bag
from gromoxd.mapi.named_tags import PidLidEmail1EmailAddress, PidLidEmail2EmailAddress, PidLidEmail3EmailAddress
from store.mapi import ruletemplates
from store.mapi.reading import Reading
from store.mapi.ruleactions import why_silent
from store.mapi.rulebook import oof_of
from store.mapi.ruleplan import Mail, Run
from store.sql import row, rows
from store.transaction import Transaction

log = logging.getLogger(__name__)
CONTACTS: Final = 0x13
LONGEST_TEXT, LONGEST_SUBJECT = 256 << 10, 250
LATEST: Final = 0xFFFFFFFF
ADDRESSES: Final = (PidLidEmail1EmailAddress, PidLidEmail2EmailAddress, PidLidEmail3EmailAddress)
_CONTACTS: Final = (
    "WITH RECURSIVE below(fid) AS"
    " (VALUES (?1) UNION SELECT f.fid FROM folders f JOIN below ON f.parent_fid = below.fid)"
    " SELECT d.props FROM messages m JOIN message_data d ON d.did = m.did WHERE m.fid IN below"
)


# ---------------------------------------------------------------------------------------------- settings


def get_oof(reading: Reading, call: f.GetOof) -> f.OofSettings:
    """gromoxd.exmdb.oofcalls.GetOof."""
    reading.access.require_owner()
    if reading.box.public:
        raise MapiError(Ec.ecNotSupported, "out of office of a public store")
    stored = row(reading.reader.db, "SELECT props FROM store_props")
    return oof_of({} if stored is None else decode_bag(stored[0]))


def set_oof(tx: Transaction, call: f.SetOof) -> Done:
    """gromoxd.exmdb.oofcalls.SetOof."""
    tx.access.require_owner()
    if tx.public:
        raise MapiError(Ec.ecNotSupported, "out of office of a public store")
    check(call.settings)
    stored = row(tx.db, "SELECT props FROM store_props")
    bag: Bag = {} if stored is None else decode_bag(stored[0])
    keep(tx, bag, call.settings)
    tx.db.execute("INSERT OR REPLACE INTO store_props VALUES (1,?)", (encode_bag(bag),))
    return Done()


def check(settings: f.OofSettings) -> None:
    """ecInvalidParam."""
    if settings.state not in (f.OFF, f.ON, f.SCHEDULED):
        raise MapiError(Ec.ecInvalidParam, "state")
    if settings.audience not in (f.NOBODY, f.KNOWN, f.EVERYBODY):
        raise MapiError(Ec.ecInvalidParam, "audience")
    if not 0 <= settings.start <= LATEST or not 0 <= settings.end <= LATEST:
        raise MapiError(Ec.ecInvalidParam, "time")
    if settings.state == f.SCHEDULED and settings.end <= settings.start:
        raise MapiError(Ec.ecInvalidParam, "the end is before the start")
    if max(len(settings.text), len(settings.external_text)) > LONGEST_TEXT:
        raise MapiError(Ec.ecInvalidParam, "text is too long")
    if max(len(settings.subject), len(settings.external_subject)) > LONGEST_SUBJECT:
        raise MapiError(Ec.ecInvalidParam, "subject is too long")


def keep(tx: Transaction, bag: Bag, settings: f.OofSettings) -> None:
    """Put settings among the properties of the store; a new time out of office begins."""
    bag.pop(p.PidTagOutOfOfficeState, None)
    bag[p.PROP_OOF] = msgspec.msgpack.encode(settings)
    tx.state.rulebook = None
    ruletemplates.forget(tx)


def switch(tx: Transaction, bag: Bag, on: bool) -> None:
    """A client sets PidTagOutOfOfficeState ([MS-OXWOOF] 2.2.3.1); what it is already changes nothing."""
    settings = oof_of(bag)
    if settings.active(tx.now) != on:
        keep(tx, bag, msgspec.structs.replace(settings, state=f.ON if on else f.OFF))


# ---------------------------------------------------------------------------------------------- answers


def answer(run: Run) -> None:
    """Plan the out-of-office message for a mail, if its sender gets one."""
    settings, sender = run.book.oof, run.call.sender
    if not run.oof:
        return
    inside = is_internal(run)
    text, html = _text(settings, inside)
    if not text:
        return
    if not inside and settings.audience == f.NOBODY:
        return
    reason = _why_silent(run)
    if not reason and not ruletemplates.first_time(run.tx, 0, sender):
        return
    if not reason and not inside and settings.audience == f.KNOWN and not is_known(run.tx, sender):
        reason = "sender is no contact"
    if reason:
        log.info("out-of-office message not sent", extra={"mailbox": run.owner, "reason": reason, "sender": sender})
        return
    own = settings.subject if inside else settings.external_subject
    subject = own or f"{run.tx.settings.oof_subject} {run.view.get(p.PidTagSubject) or ''}"
    writer = run.writer()
    if run.call.recipient:
        writer = writer._replace(address=run.call.recipient)
    raw = letters.answer(writer, run.owner, [sender], subject, run.view.stored, text, html)
    run.plan.mails.append(Mail("", [sender], "out of office", raw=raw))
    run.plan.answered.append((0, sender))


def _text(settings: f.OofSettings, inside: bool) -> tuple[str, bool]:
    if inside:
        return settings.text, settings.html
    return settings.external_text, settings.external_html


def is_internal(run: Run) -> bool:
    """Whether the sender is of the owner's organisation, as far as the worker or the domain say."""
    domain = run.owner.rpartition("@")[2].lower()
    return run.call.internal or run.call.sender.rpartition("@")[2].lower() == domain


def _why_silent(run: Run) -> str:
    reason = why_silent(run, "OOF")
    if not reason and not automail.is_addressed(run.view.people, run.view.addresses):
        reason = "not addressed to the mailbox"
    return reason


def is_known(tx: Transaction, address: str) -> bool:
    """Whether an address is in the owner's contacts: in the folder Contacts or one below it."""
    wanted = address.lower()
    octets = wanted.encode("utf-8", "replace")
    for (props,) in rows(tx.db, _CONTACTS, (CONTACTS,)):
        if octets not in props.lower():
            continue
        bag = decode_bag(props)
        if any(str(bag.get(tag) or "").lower() == wanted for tag in ADDRESSES):
            return True
    return False


READS: dict[type[Any], Any] = {f.GetOof: get_oof}
WRITES: dict[type[Any], Any] = {f.SetOof: set_oof}
