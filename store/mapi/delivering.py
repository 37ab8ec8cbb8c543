"""Delivery: a message goes where spam marks, rules and the out-of-office message want it ([MS-OXORULE] 3.2.5.1).

Mail for a mailbox without any of these is stored at once. For the others a plan is made, which changes nothing, and
then carried out in the running transaction. Whatever fails, the message is stored: then in the Inbox, as it came.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from gromoxd.convert import junk
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.pages import KEYWORD_SHIFT, SEEN, SYSTEM_MASK
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import encode_bag
from gromoxd.mapi.types import fits
from store import messages, references, requests
from store import wellknown as wk
from store.attempt import attempt
from store.changes import Pieces
from store.changes import Row as IndexRow
from store.mapi import deleting, meetings, outgoing, outofoffice, rulebook, ruleengine, ruleproblems, ruletemplates
from store.mapi.arriving import Arriving, header_of
from store.mapi.marks import MARKS, mark
from store.mapi.rows import find
from store.mapi.ruleplan import Plan, Run
from store.references import share_data
from store.transaction import LostTransaction, Transaction

log = logging.getLogger(__name__)


def deliver(tx: Transaction, call: c.Deliver) -> c.Stored:
    """calls.Deliver."""
    earlier = requests.known(tx, call.request_id, c.Stored) or requests.redelivered(tx, call)
    if earlier is not None:
        return earlier
    messages.check_quota(tx, call.message.digest.size, receiving=True)
    stored = filed(tx, call)
    if stored.mid:
        tx.effects.delivered.append((stored.fid, stored.mid))
    requests.remember_delivery(tx, call, stored)
    return stored


def filed(tx: Transaction, call: c.Deliver) -> c.Stored:
    """Store a message that is delivered. ecStorageFull, and what else keeps a message from being stored."""
    book = rulebook.book(tx)
    digest, rules = call.message.digest, tx.settings.lda_junk_rules
    is_junk = bool(rules) and book.files_junk and junk.is_junk(header_of(tx, call.message), rules)
    if book.idle and not is_junk and not call.represents and not meetings.is_meeting(digest.message_class):
        return messages.store(tx, tx.state.folder(wk.INBOX), call.message)
    done = attempt(tx, lambda: _guarded(tx, call, book, is_junk))
    if isinstance(done, MapiError):
        log.error("rules failed, mail is in the Inbox", extra={"mailbox": tx.identity.owner, "error": str(done)})
        return messages.store(tx, tx.state.folder(wk.INBOX), call.message)
    return done


def _guarded(tx: Transaction, call: c.Deliver, book: rulebook.Rulebook, is_junk: bool) -> c.Stored:
    """A bug in what rules do must not keep mail from coming."""
    try:
        return _considered(tx, call, book, is_junk)
    except (MapiError, OSError, LostTransaction):
        raise
    except Exception as error:
        log.exception("rules failed")
        raise MapiError(Ec.ecError, str(error)) from error


def _considered(tx: Transaction, call: c.Deliver, book: rulebook.Rulebook, is_junk: bool) -> c.Stored:
    call = _named(tx, call)
    addresses = frozenset(filter(None, (tx.identity.owner.lower(), call.recipient.lower(), *call.aliases)))
    view = Arriving(tx, call, addresses)
    home = wk.JUNK if is_junk and wk.JUNK in tx.state.folders else wk.INBOX
    run = Run(tx, call, view, book, Plan(home), book.oof.active(tx.now))
    if call.represents:
        view.stored.update(_represented(call.represents))
    if is_junk:
        view.stored[p.PidTagContentFilterSpamConfidenceLevel] = junk.JUNK
    else:
        ruleengine.apply(run)
        if not run.plan.refused:
            _meeting(run)
            outofoffice.answer(run)
    return _carried_out(run)


def _named(tx: Transaction, call: c.Deliver) -> c.Deliver:
    """The call with the mailbox's ids of named properties."""
    if not call.message.digest.names:
        return call
    from store.mapi.partitems import settled  # rare

    digest = settled(tx, call.message.digest)
    return msgspec.structs.replace(call, message=msgspec.structs.replace(call.message, digest=digest))


def _represented(owner: str) -> dict[int, Any]:
    """What a delegate is told of the mail that he gets in the owner's stead ([MS-OXOMSG] 2.2.1.25, 2.2.1.27 …)."""
    return {
        p.PidTagDelegatedByRule: True, p.PidTagReceivedRepresentingName: owner,
        p.PidTagReceivedRepresentingAddressType: "SMTP", p.PidTagReceivedRepresentingEmailAddress: owner,
        p.PidTagReceivedRepresentingSmtpAddress: owner,
    }  # fmt: skip


def _meeting(run: Run) -> None:
    """Meeting messages go into the calendar, where the message itself is kept."""
    if not meetings.is_meeting(run.call.message.digest.message_class) or not run.plan.folders():
        return
    if sum(name.lower() == b"from" for name, _ in run.view.fields) != 1:
        return  # whom it is from is anybody's guess
    from gromoxd.convert.itemof import meeting_of_mime  # rare, and much code

    message = meeting_of_mime(run.view.data.octets[:], received=run.call.message.received)
    who = meetings.Mailbox(run.book.owner or run.owner, run.owner, run.call.booking, outofoffice.is_internal(run))
    run.view.stored.update(meetings.process(run.tx, message, who))


# ---------------------------------------------------------------------------------------------- carrying out


def _carried_out(run: Run) -> c.Stored:
    tx, plan = run.tx, run.plan
    folders = _affordable(run)
    message = _marked(run)
    inbox = tx.state.folder(wk.INBOX)
    if folders:
        stored = messages.store(tx, tx.state.folder(folders[0]), message)
        for fid in folders[1:]:
            _copy(tx, message.digest, stored.mid, fid)
        _send(run, stored.mid)
        ruleproblems.defer(run, stored)
    elif plan.deleted and not plan.refused:
        stored = messages.store(tx, inbox, message)
        _send(run, stored.mid)
        deleting.remove(tx, inbox, [find(tx.db, stored.mid)], hard=False)
        stored = c.Stored(inbox.fid, inbox.uidvalidity, 0, 0, tx.state.cn)
    else:
        cid = tx.new_ids()
        tx.content.add(cid, message, tx.write.spool_fd)
        _send(run, cid)
        references.release_contents(tx, [cid])
        stored = c.Stored(inbox.fid, inbox.uidvalidity, 0, 0, tx.state.cn)
    for rule, address in plan.answered:
        ruletemplates.remember(tx, rule, address)
    ruleproblems.tell(run, stored)
    return stored


def _affordable(run: Run) -> list[int]:
    """The folders that get the message; one alone, where it was to stay, when there is no room for several."""
    folders = run.plan.folders()
    if len(folders) > 1:
        try:
            messages.check_quota(run.tx, run.call.message.digest.size * len(folders), receiving=True)
        except MapiError as error:
            log.warning("rules make no copies", extra={"mailbox": run.owner, "error": str(error)})
            return folders[:1]
    return folders


def _marked(run: Run) -> c.NewMessage:
    """The message with the properties and marks that rules set."""
    tx, plan, message = run.tx, run.plan, run.call.message
    bag = run.view.stored
    marks = {}
    for tag, value in plan.tags.items():
        if value is None or not fits(tag, value):
            log.warning("rule sets no property", extra={"mailbox": run.owner, "tag": f"{tag:#010x}"})
        elif tag in MARKS:
            marks[tag] = value
        else:
            bag[tag] = value  # type: ignore[assignment]
    if plan.deferred:
        bag[p.PidTagHasDeferredActionMessages] = True
    word = mark(tx, message.flags, bag, marks, ()) if marks else message.flags
    kind = bag.get(p.PidTagMessageClass)
    digest = msgspec.structs.replace(
        message.digest, props=encode_bag(bag),
        message_class=kind if isinstance(kind, str) and kind else message.digest.message_class,
    )  # fmt: skip
    words = tx.state.keywords.sets[word >> KEYWORD_SHIFT] if marks else message.keywords
    flags = word & SYSTEM_MASK | (SEEN if plan.seen else 0)
    return msgspec.structs.replace(message, digest=digest, flags=flags, keywords=words)


def _copy(tx: Transaction, digest: c.Digest, mid: int, fid: int) -> None:
    """One more message of the data of one that was just stored."""
    first, folder = find(tx.db, mid), tx.state.folder(fid)
    messages.check_room(folder, 1)
    new_mid, cn, uid = tx.new_ids(), tx.new_cns(), folder.uidnext
    share_data(tx, [first.did])
    row = (fid, uid, new_mid, first.flags, cn, cn, first.size, first.received, first.sent, first.did)
    tx.db.execute(messages.INSERT_MESSAGE, row)
    index = IndexRow(uid, first.flags, first.size, first.received, first.sent, cn, new_mid)
    messages.arrived(tx, folder, [index])
    tx.effects.pieces.append(Pieces(fid, new_mid, uid, digest.envelope, digest.bodystructure))
    tx.effects.delivered.append((fid, new_mid))


def _send(run: Run, cid: int) -> None:
    """Send what the rules want sent; `cid` is the content of the message."""
    for mail in run.plan.mails:
        outgoing.send(
            run.tx, sender=mail.sender, recipients=mail.recipients, raw=mail.raw, head=mail.head,
            cid=0 if mail.raw else cid, offset=mail.offset, options=mail.options,
        )  # fmt: skip
        log.info(
            "mail sent on arrival",
            extra={"mailbox": run.owner, "why": mail.why, "sender": run.call.sender, "to": len(mail.recipients)},
        )
