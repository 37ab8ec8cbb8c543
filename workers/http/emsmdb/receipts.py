"""Read receipts ([MS-OXOMSG] 3.3.5.1, 2.2.2; [MS-OXCMAIL] 2.1.3.6.2; RFC 8098): sent once, when their client lets them.

That a message's receipt was sent, or is not to be, is its keyword $MDNSent (RFC 3503 3.1), which IMAP's clients know.
"""

from __future__ import annotations

import logging
import os
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

from gromoxd.convert.automail import is_person
from gromoxd.errors import MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.outgoing import NOTIFY_NEVER, Options, SubmitMime
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import MessageFlags, ReadFlags
from gromoxd.mapi.times import filetime
from workers.http.emsmdb.objects import Logon

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

log = logging.getLogger(__name__)

MDN_SENT: Final = "$MDNSent"
DISPLAYED: Final = "REPORT.IPM.Note.IPNRN"
SUPPRESS_ALL: Final = -1
_ASKING: Final = (
    (
        p.PidTagReadReceiptSmtpAddress, p.PidTagReadReceiptAddressType, p.PidTagReadReceiptEmailAddress,
        p.PidTagReadReceiptName,
    ),
    (
        p.PidTagSentRepresentingSmtpAddress, p.PidTagSentRepresentingAddressType,
        p.PidTagSentRepresentingEmailAddress, p.PidTagSentRepresentingName,
    ),
    (p.PidTagSenderSmtpAddress, p.PidTagSenderAddressType, p.PidTagSenderEmailAddress, p.PidTagSenderName),
)  # fmt: skip


def is_pending(message_flags: object) -> bool:
    """Whether a message has a receipt that was neither sent nor refused."""
    return isinstance(message_flags, int) and bool(message_flags & MessageFlags.mfNotifyRead)


def is_concerned(read_flags: int) -> bool:
    """Whether marking so decides about pending receipts ([MS-OXCMSG] 2.2.3.10.1)."""
    return not read_flags & ReadFlags.rfClearReadFlag and read_flags != ReadFlags.rfClearNotifyUnread


def settle(session: Session, logon: Logon, message: WorkingMessage, read_flags: int) -> None:
    """Send the receipt of a message that has one pending, or see to it that none is sent.

    Only who owns the mailbox answers for himself. What cannot be sent is no reason not to mark it.
    """
    if logon.public or logon.info.owner.lower() != session.user.username.lower() or not message.uid:
        return
    claim = c.SetFlags(message.fid, [(message.uid, message.uid)], c.ADD, 0, [MDN_SENT])
    try:
        claimed = logon.account.call(claim).cn
        if claimed:
            message.cn = claimed  # this handle's own change is no conflict to it
        if claimed and not read_flags & (ReadFlags.rfSuppressReceipt | ReadFlags.rfClearNotifyRead):
            _send(session, logon, message.loaded().values)
    except MapiError as error:
        log.warning("Read receipt not sent", extra={"mid": f"{message.mid:#x}", "error": str(error)})


def _send(session: Session, logon: Logon, values: dict[int, Any]) -> None:
    from gromoxd.convert.compose import compose  # what few sessions need is loaded by those
    from gromoxd.convert.item import Item

    address, name = _asking(session, values)
    owner = logon.info.owner
    if not address or not is_person(address):
        return
    props = _report(values, owner, filetime(int(session.clock())))
    recipient: Bag = {
        p.PidTagRecipientType: 1, p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: address,
        p.PidTagSmtpAddress: address, p.PidTagDisplayName: name or address,
    }  # fmt: skip
    props[p.PidTagBody] = _text(values, owner, formatdate(session.clock()))
    raw = compose(Item(props, [recipient]), host=owner.rpartition("@")[2])
    logon.account.call(SubmitMime(raw, [address], owner, os.urandom(16), Options(notify=NOTIFY_NEVER)))


def _asking(session: Session, values: dict[int, Any]) -> tuple[str, str]:
    """Address and name of who asked for the receipt; ('', ''): nobody who has an address."""
    for smtp, kind, address, name in _ASKING:
        found = _string(values, smtp) or session.site.people.address_of(
            _string(values, kind) or "SMTP", _string(values, address)
        )
        if "@" in found:
            return found, _string(values, name)
    return "", ""


def _report(values: dict[int, Any], owner: str, now_nt: int) -> Bag:
    props: Bag = {
        p.PidTagMessageClass: DISPLAYED, p.PidTagSubject: f"Read: {_string(values, p.PidTagSubject)}",
        p.PidTagClientSubmitTime: now_nt, p.PidTagReportDisposition: "displayed",
        p.PidTagReportDispositionMode: "manual-action/MDN-sent-manually", p.PidTagAutoResponseSuppress: SUPPRESS_ALL,
    }  # fmt: skip
    for smtp, kind, address, name in _ASKING[1:]:
        props |= {smtp: owner, kind: "SMTP", address: owner, name: owner}
    message_id = _string(values, p.PidTagInternetMessageId)
    if message_id:
        references = f"{_string(values, p.PidTagInternetReferences)} {message_id}".strip()
        props |= {
            p.PidTagOriginalMessageId: message_id, p.PidTagInReplyToId: message_id,
            p.PidTagInternetReferences: references,
        }  # fmt: skip
    return props


def _text(values: dict[int, Any], owner: str, read_at: str) -> str:
    subject, to = _string(values, p.PidTagSubject), _string(values, p.PidTagDisplayTo)
    return f"Your message\r\n\r\n  To: {to}\r\n  Subject: {subject}\r\n\r\nwas read by {owner} on {read_at}.\r\n"


def _string(values: dict[int, Any], tag: int) -> str:
    value = values.get(tag)
    return value if isinstance(value, str) else ""
