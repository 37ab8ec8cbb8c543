"""Read receipts ([MS-OXOMSG] 3.3.5.1, 2.2.2; [MS-OXCMAIL] 2.1.3.6.2; RFC 8098): sent once, when their client lets them.

Who asked is told as well that a message was deleted unread, where the client wants that ([MS-OXCFOLD] 2.2.1.11.1).
That a message's receipt was sent, or is not to be, is its keyword $MDNSent (RFC 3503 3.1), which IMAP's clients know.
"""

from __future__ import annotations

import logging
import os
from email.utils import formatdate
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from gromoxd.convert.automail import is_person
from gromoxd.errors import MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.outgoing import NOTIFY_NEVER, Options, SubmitMime
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import MDN_SENT, MessageFlags, OpenModeFlags, ReadFlags
from gromoxd.mapi.times import filetime
from workers.http.emsmdb.objects import Logon

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

log = logging.getLogger(__name__)


class Kind(Enum):
    """A report's class, disposition, and what it says."""

    READ = "REPORT.IPM.Note.IPNRN", "displayed", "Read", "was read by {owner} on {date}"
    NOT_READ = "REPORT.IPM.Note.IPNNRN", "deleted", "Not read", "was deleted by {owner} on {date} without being read"


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


def tell_deleted(session: Session, logon: Logon, mids: list[int]) -> None:
    """Before messages are deleted: send the reports of those that were not read and have one pending."""
    if not _is_own(session, logon):
        return
    left = mids
    while left:
        found = logon.account.call(o.ReadMessages(left, o.PROPS, [p.PidTagMessageFlags]))
        if not found:
            return
        for one in found:
            if is_pending(one.props.get(p.PidTagMessageFlags)):
                message = WorkingMessage.open(logon.account, one.mid, OpenModeFlags.ReadOnly)
                settle(session, logon, message, 0, Kind.NOT_READ)
                message.discard()
        left = left[left.index(found[-1].mid) + 1 :]


def _is_own(session: Session, logon: Logon) -> bool:
    return not logon.public and logon.info.owner.lower() == session.user.username.lower()


def settle(
    session: Session, logon: Logon, message: WorkingMessage, read_flags: int, kind: Kind = Kind.READ
) -> None:  # fmt: skip
    """Send the receipt of a message that has one pending, or see to it that none is sent.

    Only who owns the mailbox answers for himself. What cannot be sent is no reason not to mark it.
    """
    if not _is_own(session, logon) or not message.uid:
        return
    claim = c.SetFlags(message.fid, [(message.uid, message.uid)], c.ADD, 0, [MDN_SENT])
    try:
        claimed = logon.account.call(claim).cn
        if claimed:
            message.cn = claimed  # this handle's own change is no conflict to it
        if claimed and not read_flags & (ReadFlags.rfSuppressReceipt | ReadFlags.rfClearNotifyRead):
            _send(session, logon, message.loaded().values, kind)
    except MapiError as error:
        log.warning("Read receipt not sent", extra={"mid": f"{message.mid:#x}", "error": str(error)})


def _send(session: Session, logon: Logon, values: dict[int, Any], kind: Kind) -> None:
    from gromoxd.convert.compose import compose  # what few sessions need is loaded by those
    from gromoxd.convert.item import Item

    address, name = _asking(session, values)
    owner = logon.info.owner
    if not address or not is_person(address):
        return
    props = _report(values, owner, filetime(int(session.clock())), kind)
    recipient: Bag = {
        p.PidTagRecipientType: 1, p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: address,
        p.PidTagSmtpAddress: address, p.PidTagDisplayName: name or address,
    }  # fmt: skip
    props[p.PidTagBody] = _text(values, owner, formatdate(session.clock()), kind)
    raw = compose(Item(props, [recipient]), host=owner.rpartition("@")[2])
    logon.account.call(SubmitMime(raw, [address], "", os.urandom(16), Options(notify=NOTIFY_NEVER)))


def _asking(session: Session, values: dict[int, Any]) -> tuple[str, str]:
    """Address and name of who asked for the receipt; ('', ''): nobody who has an address."""
    for smtp, kind, address, name in _ASKING:
        found = _string(values, smtp) or session.site.people.address_of(
            _string(values, kind) or "SMTP", _string(values, address)
        )
        if "@" in found:
            return found, _string(values, name)
    return "", ""


def _report(values: dict[int, Any], owner: str, now_nt: int, report: Kind) -> Bag:
    message_class, disposition, prefix, _ = report.value
    props: Bag = {
        p.PidTagMessageClass: message_class, p.PidTagSubject: f"{prefix}: {_string(values, p.PidTagSubject)}",
        p.PidTagClientSubmitTime: now_nt, p.PidTagReportDisposition: disposition,
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


def _text(values: dict[int, Any], owner: str, date: str, kind: Kind) -> str:
    subject, to = _string(values, p.PidTagSubject), _string(values, p.PidTagDisplayTo)
    what = kind.value[3].format(owner=owner, date=date)
    return f"Your message\r\n\r\n  To: {to}\r\n  Subject: {subject}\r\n\r\n{what}.\r\n"


def _string(values: dict[int, Any], tag: int) -> str:
    value = values.get(tag)
    return value if isinstance(value, str) else ""
