"""Submitting messages ([MS-OXOMSG] 3.3.5.1): what a client sends goes into the table of outgoing mail.

Who may write in whose name: the owner in his own. A message that names somebody else in From is taken, and the row
says whom it represents; the relay, which alone sends, asks the represented mailbox whether the owner is one of its
delegates or senders, and refuses otherwise. A delegate who works in the represented mailbox itself (its Outbox) is
known to be one here. So no client can send in a name that is not his, whichever protocol he comes by.
"""

from __future__ import annotations

import os
import re
from typing import Any, Final

import msgspec

from gromoxd.convert.composeheader import originators, person
from gromoxd.convert.digest import digest_message
from gromoxd.convert.headers import field_map, parse_addresses
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb.access import SENDERS
from gromoxd.exmdb.pages import DRAFT, SEEN
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import FolderEntryId, parse_entryid
from gromoxd.mapi.flags import MessageFlags as Mf
from gromoxd.mapi.ids import ServerId, eid_split
from gromoxd.mapi.times import filetime, unix_seconds
from store import messages, requests, sql
from store import wellknown as wk
from store.access import CREATE
from store.content import read_exactly
from store.mapi import datarows, deleting, outgoing, rows, saving, transfer
from store.mapi.datarows import Data
from store.mapi.rows import Row
from store.transaction import Handler, Transaction

LONGEST_HEADER = 1 << 20
_RESEND, _SUBMITTED = 0x10000000, 0x80000000
"""Bits of PidTagRecipientType: to be tried again, and done already ([MS-OXOMSG] 2.2.3.1.1)."""
_UNITS: Final = (60, 3600, 86400, 7 * 86400)
"""PidTagDeferredSendUnits ([MS-OXOMSG] 2.2.3.6)."""
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BCC: Final = (b"bcc", b"resent-bcc", b"return-path")
_SENDER: Final = (
    p.PidTagSenderName, p.PidTagSenderAddressType, p.PidTagSenderEmailAddress, p.PidTagSenderSmtpAddress,
)  # fmt: skip
_AUTHOR: Final = (
    p.PidTagSentRepresentingName, p.PidTagSentRepresentingAddressType, p.PidTagSentRepresentingEmailAddress,
    p.PidTagSentRepresentingSmtpAddress,
)  # fmt: skip


# ---------------------------------------------------------------------------------------------- who may


def _right(tx: Transaction) -> tuple[str, bool, bool]:
    """(in whose name mail leaves, sends as the owner, is somebody else). ecAccessDenied, ecNotSupported."""
    if tx.public:
        raise MapiError(Ec.ecNotSupported, "sending from a public store")
    access, owner = tx.access, tx.identity.owner
    if access.everything:
        return owner, False, False
    if access.actor:
        names = {access.actor, *access.groups}
        listed = sql.rows(tx.db, "SELECT kind, name FROM delegates")
        kinds = {kind for kind, name in listed if name.lower() in names}
        if kinds:
            return access.actor, SENDERS in kinds, True
    raise MapiError(Ec.ecAccessDenied, f"sending in {owner}'s name")


# ---------------------------------------------------------------------------------------------- SubmitMessage


def submit_message(tx: Transaction, call: g.SubmitMessage) -> g.Submitted:
    """gromoxd.exmdb.outgoing.SubmitMessage."""
    earlier = requests.known(tx, call.request_id, g.Submitted)
    if earlier is not None:
        return earlier
    sender, as_owner, guest = _right(tx)
    row = rows.find(tx.db, call.mid)
    if row.associated or row.deleted:
        raise MapiError(Ec.ecNotSupported, f"message {call.mid:#x}")
    waiting = sql.row(tx.db, "SELECT id, due FROM outgoing WHERE mid=?", (call.mid,))
    if waiting is not None:
        return g.Submitted(*waiting)
    data = datarows.load(tx, row.did)
    if guest:
        saving.may_edit(tx, row.fid, data)
    recipients = _recipients(tx, data, bool(_flags(data.props) & Mf.mfResend))
    represents = _author(tx, data.props)
    if guest and represents and represents != sender.lower():
        raise MapiError(Ec.ecAccessDenied, f"{sender} in the name of {represents}")
    due = _due(data.props, tx.now)
    send_as = as_owner if guest else call.send_as
    options = g.Options(
        _notify(data.props), False, "", "" if guest else represents, send_as,
        data.props.get(p.PidTagDeleteAfterSubmit) is True, -1 if call.stays else _sent_folder(tx, data.props),
        submitter=sender.lower() if guest else "", as_owner=guest and as_owner,
    )  # fmt: skip
    row, data = _prepare(tx, row, data, sender, represents or tx.identity.owner, send_as)
    id_ = _send_source(tx, data.cid, sender=sender, recipients=recipients, due=due, mid=row.mid, options=options)
    submitted = g.Submitted(id_, due)
    requests.remember(tx, call.request_id, submitted)
    return submitted


def _recipients(tx: Transaction, data: Data, again: bool) -> list[str]:
    """The addresses of the envelope ([MS-OXOMSG] 3.3.5.1.3). ecInvalidParam."""
    host = tx.identity.owner.rpartition("@")[2]
    found: dict[str, None] = {}
    for bag in data.recipients:
        kind = bag.get(p.PidTagRecipientType, 0)
        if not isinstance(kind, int) or kind & 0xF not in (1, 2, 3):
            continue
        if again and (kind & _SUBMITTED or not kind & _RESEND):
            continue
        address = person(bag, host)[1]
        if not outgoing.is_address(address):
            raise MapiError(Ec.ecInvalidParam, "a recipient without an address")
        found[address] = None
    if not found:
        raise MapiError(Ec.ecInvalidParam, "no recipients")
    return list(found)


def _author(tx: Transaction, props: Bag) -> str:
    """Whom the message represents, in lower case; '' when that is the owner."""
    host = tx.identity.owner.rpartition("@")[2]
    author, _ = originators({tag: props[tag] for tag in _AUTHOR if tag in props}, host)
    address = author[1].lower() if author else ""
    if address and not outgoing.is_address(address):
        raise MapiError(Ec.ecInvalidParam, "the address of the represented sender")
    return "" if address == tx.identity.owner.lower() else address


def _due(props: Bag, now: int) -> int:
    """When it is to leave ([MS-OXOMSG] 2.2.3.4 to 2.2.3.6, [MS-OXPROPS] PidTagDeferredDeliveryTime); 0: at once."""
    times = [props.get(p.PidTagDeferredSendTime), props.get(p.PidTagDeferredDeliveryTime)]
    due = max((unix_seconds(time) for time in times if isinstance(time, int)), default=0)
    number, unit = props.get(p.PidTagDeferredSendNumber), props.get(p.PidTagDeferredSendUnits)
    if not due and isinstance(number, int) and isinstance(unit, int) and 0 <= unit < len(_UNITS):
        due = now + min(max(number, 0), 999) * _UNITS[unit]
    return due if due > now else 0


def _notify(props: Bag) -> int:
    """[MS-OXCMAIL] 2.1.3.2: what the sender wants to be told."""
    if props.get(p.PidTagOriginatorDeliveryReportRequested) is True:
        return g.NOTIFY_SUCCESS | g.NOTIFY_FAILURE | g.NOTIFY_DELAY
    return 0


def _sent_folder(tx: Transaction, props: Bag) -> int:
    """PidTagSentMailSvrEID and PidTagSentMailEntryId ([MS-OXOMSG] 2.2.3.10, 2.2.3.9); 0: Sent Items."""
    fid = 0
    for tag in (p.PidTagSentMailSvrEID, p.PidTagSentMailEntryId):
        value = props.get(tag)
        if isinstance(value, bytes):
            fid = fid or _folder_of(value, tx.identity.guid)
    return fid if fid in tx.state.folders else 0


def _folder_of(value: bytes, guid: bytes) -> int:
    try:
        if len(value) == 21:
            return eid_split(ServerId.decode(value).fid)[1]
        entry = parse_entryid(value)
    except WireError:
        return 0
    return entry.folder.counter if isinstance(entry, FolderEntryId) and entry.folder.guid == guid else 0


def _prepare(tx: Transaction, row: Row, data: Data, sender: str, author: str, as_author: bool) -> tuple[Row, Data]:
    """Set what a submission sets ([MS-OXOMSG] 3.3.5.1.3), and make the RFC 5322 form that is sent.

    The header of an earlier journey does not go along: trace, signatures and originators in it are anybody's words.
    """
    flags = _flags(data.props) & ~int(Mf.mfRead | Mf.mfUnsent) | int(Mf.mfSubmitted | Mf.mfFromMe)
    flags |= int(Mf.mfRead) if row.flags & SEEN else 0
    flags |= int(Mf.mfUnsent) if row.flags & DRAFT else 0
    put: dict[int, Any] = {
        p.PidTagClientSubmitTime: filetime(tx.now), p.PidTagContentFilterSpamConfidenceLevel: -1,
        p.PidTagMessageFlags: flags,
    }  # fmt: skip
    put |= _named(data.props, _SENDER, author if as_author else sender)
    put |= _named(data.props, _AUTHOR, author)
    changes = o.Changes(put, [p.PidTagTransportMessageHeaders])
    saving.save_message(tx, o.SaveMessage(row.fid, row.mid, row.cn, changes, b"", force=True))
    row = rows.find(tx.db, row.mid)
    return row, datarows.load(tx, row.did)


def _flags(props: Bag) -> int:
    value = props.get(p.PidTagMessageFlags)
    return value if isinstance(value, int) else 0


def _named(props: Bag, tags: tuple[int, int, int, int], address: str) -> dict[int, Any]:
    """Properties that name somebody; the display name that a client gave stays if it was given to this address."""
    name, kind, email, smtp = tags
    known = {str(props.get(tag, "")).lower() for tag in (email, smtp)}
    shown = props.get(name) if address.lower() in known else None
    return {name: shown or address, kind: "SMTP", email: address, smtp: address}


def _send_source(tx: Transaction, cid: int, **more: Any) -> int:
    """Send a message's source, without Bcc. ecTooBig, ecNotFound."""
    found = sql.row(tx.db, "SELECT head, size FROM content WHERE cid=?", (cid,))
    if found is None:
        raise MapiError(Ec.ecNotFound, f"content {cid}")
    head, size = found
    if len(head) + size > tx.settings.submit_size_max:
        raise MapiError(Ec.ecTooBig, "a mail to send")
    public = without_bcc(head)
    if public == head:
        return outgoing.send(tx, cid=cid, **more)
    return outgoing.send(tx, head=public, cid=cid, offset=len(head), **more)


def without_bcc(head: bytes) -> bytes:
    """A header without the fields that nobody else may see."""
    lines = head.splitlines(keepends=True)
    kept: list[bytes] = []
    drop = False
    for line in lines:
        if line[:1] not in b" \t" or line in (b"\r\n", b"\n"):
            drop = line.partition(b":")[0].strip().lower() in _BCC
        if not drop:
            kept.append(line)
    return b"".join(kept) if len(kept) < len(lines) else head


# ---------------------------------------------------------------------------------------------- SubmitMime


def submit_mime(tx: Transaction, call: g.SubmitMime) -> g.Submitted:
    """gromoxd.exmdb.outgoing.SubmitMime."""
    earlier = requests.known(tx, call.request_id, g.Submitted)
    if earlier is not None:
        return earlier
    sender, as_owner, guest = _right(tx)
    spool = tx.write.spool_fd
    raw = call.raw or (_spooled(tx, spool) if spool >= 0 else b"")
    if not raw:
        raise MapiError(Ec.ecInvalidParam, "nothing to send")
    if len(raw) > tx.settings.submit_size_max:
        raise MapiError(Ec.ecTooBig, "a mail to send")
    if not raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r"):
        raw = _LINE_END.sub(b"\r\n", raw)
        call = msgspec.structs.replace(call, digest=None)
    head = _head_of(raw)
    if len(head) == LONGEST_HEADER and not head.endswith(b"\r\n\r\n"):
        raise MapiError(Ec.ecInvalidParam, "the header of a mail to send")
    options = call.options
    if not tx.access.is_system:
        options = _judged(tx, head, options, sender, as_owner, guest)
        allowed = (sender.lower(), tx.identity.owner.lower())
        if call.sender.lower() not in allowed and (call.sender or guest or not _is_notification(head, call)):
            raise MapiError(Ec.ecAccessDenied, f"{sender} with the envelope of {call.sender}")
    due = call.due if call.due > tx.now else 0
    more: dict[str, Any] = {"sender": call.sender, "recipients": call.recipients, "due": due, "options": options}
    if call.save_fid:
        cid = _keep(tx, call, raw)
        id_ = _send_source(tx, cid, **more)
    else:
        id_ = outgoing.send(tx, raw=without_bcc(head) + raw[len(head) :], **more)
    submitted = g.Submitted(id_, due)
    requests.remember(tx, call.request_id, submitted)
    return submitted


_NOTIFICATION: Final = re.compile(rb"multipart/report\s*;.*\breport-type=(\"?)disposition-notification\1", re.I | re.S)


def _is_notification(head: bytes, call: g.SubmitMime) -> bool:
    """Whether a mail is a disposition notification to one person, which goes with the null sender (RFC 8098 3)."""
    count = len(re.findall(rb"^content-type[ \t]*:", head, re.IGNORECASE | re.MULTILINE))
    kind = field_map(head).get(b"content-type", b"")
    return len(call.recipients) == count == 1 and _NOTIFICATION.match(kind) is not None


def _spooled(tx: Transaction, spool: int) -> bytes:
    size = os.fstat(spool).st_size
    if size > tx.settings.submit_size_max:
        raise MapiError(Ec.ecTooBig, "a mail to send")
    return read_exactly(spool, size, 0)


def _head_of(raw: bytes) -> bytes:
    end = raw.find(b"\r\n\r\n", 0, LONGEST_HEADER)
    return raw[: end + 4] if end >= 0 else raw[:LONGEST_HEADER]


def _judged(tx: Transaction, head: bytes, options: g.Options, sender: str, as_owner: bool, guest: bool) -> g.Options:
    """The options with whom the mail really represents: what its header says. ecAccessDenied.

    A mail in another's name that does not say in Sender who wrote it is sent as that other (RFC 5322 3.6.2).
    """
    owner, actor = tx.identity.owner.lower(), sender.lower()
    named = _named_in(head, b"from")
    signed = _named_in(head, b"sender")
    others = named - {owner, *({actor} if guest else ())}
    strangers = (signed | _named_in(head, b"resent-from") | _named_in(head, b"resent-sender")) - {owner, actor}
    if not named or strangers or len(others) > 1 or (guest and others):
        raise MapiError(Ec.ecAccessDenied, f"{sender} in the name of {', '.join(sorted(others | strangers)[:5])}")
    if guest and not as_owner and (signed or named) != {actor}:
        raise MapiError(Ec.ecAccessDenied, f"{sender} as {owner}")
    represents = "" if guest else next(iter(others), "")
    send_as = as_owner if guest else options.send_as or signed != {actor}
    envelope_id = options.envelope_id if _ENVELOPE_ID.fullmatch(options.envelope_id) else ""
    return g.Options(
        options.notify, options.whole, envelope_id, represents, send_as, options.delete, options.sent_fid,
        submitter=actor if guest else "", as_owner=guest and as_owner and actor not in signed | named,
    )  # fmt: skip


_ENVELOPE_ID: Final = re.compile(r"[!-~]{0,100}")
"""RFC 3461 4.4."""
LONGEST_FIELD = 4000


def _named_in(head: bytes, field: bytes) -> set[str]:
    """The addresses of a field, in lower case. ecAccessDenied for one that readers may understand differently."""
    count = len(re.findall(rb"^%b[ \t]*:" % field, head, re.IGNORECASE | re.MULTILINE))
    value = field_map(head).get(field, b"")
    written = parse_addresses(value)
    if count > 1 or len(value) > LONGEST_FIELD or not all(a.mailbox and a.host for a in written) or (
        bool(written) is not bool(count)
    ):  # fmt: skip
        raise MapiError(Ec.ecAccessDenied, f"the field {field.decode()} of a mail to send")
    return {
        f"{a.mailbox.decode('utf-8', 'replace')}@{a.host.decode('utf-8', 'replace')}".lower()
        for a in written if a.mailbox and a.host
    }  # fmt: skip


def _keep(tx: Transaction, call: g.SubmitMime, raw: bytes) -> int:
    """A copy for the sender; answers its content."""
    if not tx.access.everything:
        tx.access.require(call.save_fid, CREATE)
    folder = tx.state.folder(call.save_fid)
    digest = call.digest or digest_message(raw, received=tx.now)
    messages.check_quota(tx, digest.size, receiving=False)
    stored = messages.store(tx, folder, c.NewMessage(digest, raw, tx.now, SEEN))
    return int(sql.row(tx.db, "SELECT cid FROM message_data WHERE did=?", (stored.mid,))[0])


# ---------------------------------------------------------------------------------------------- afterwards


def left(tx: Transaction, mid: int, options: g.Options, *, taken: bool) -> None:
    """A submitted message was taken by the relay, or refused: what follows for the message itself."""
    row = rows.look_up(tx.db, mid)
    if row is None or row.deleted or row.associated:
        return
    folder = tx.state.folder(row.fid)
    row = _reflag(tx, row, unsent=not taken)
    if not taken or options.sent_fid == -1:
        return
    if options.delete:
        deleting.remove(tx, folder, [row], hard=True)
        return
    place = tx.state.folders.get(options.sent_fid or wk.SENT_ITEMS)
    if place is not None and place.fid != row.fid:
        transfer.transfer(tx, folder, place, [row], True)


def _reflag(tx: Transaction, row: Row, *, unsent: bool) -> Row:
    """No longer mfSubmitted ([MS-OXCMSG] 2.2.1.6); \\Draft as it is said. Its RFC 5322 form stays."""
    data = datarows.load(tx, row.did)
    datarows.own(tx, data)
    data.props[p.PidTagMessageFlags] = _flags(data.props) & ~int(Mf.mfSubmitted) | (0 if unsent else int(Mf.mfFromMe))
    datarows.write(tx, data)
    word = row.flags | DRAFT if unsent else row.flags & ~DRAFT | SEEN
    cn = tx.new_cns()
    saving.reflag(tx, tx.state.folder(row.fid), row, word, cn, cn, data.did)
    return rows.find(tx.db, row.mid)


def abort_submit(tx: Transaction, call: g.AbortSubmit) -> c.Done:
    """gromoxd.exmdb.outgoing.AbortSubmit."""
    _, _, guest = _right(tx)
    row = rows.look_up(tx.db, call.mid)
    if guest and row is not None:
        saving.may_edit(tx, row.fid, datarows.load(tx, row.did))
    waiting = sql.row(tx.db, "SELECT id FROM outgoing WHERE mid=?", (call.mid,))
    if row is None or (waiting is not None and waiting[0] in tx.handed):
        raise MapiError(Ec.ecUnableToAbort, f"message {call.mid:#x}")
    if waiting is None:
        raise MapiError(Ec.ecNotInQueue, f"message {call.mid:#x}")
    outgoing.drop(tx, waiting[0])
    _reflag(tx, row, unsent=True)
    return c.Done(tx.state.cn)


WRITES: Final[dict[type[Any], Handler]] = {
    g.SubmitMessage: submit_message, g.SubmitMime: submit_mime, g.AbortSubmit: abort_submit
}  # fmt: skip
