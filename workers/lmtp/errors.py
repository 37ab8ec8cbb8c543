"""What a failed delivery or an address that is not taken is answered with (RFC 5321 4.2.3, RFC 3463)."""

from __future__ import annotations

from gromoxd.directory.model import Verdict
from gromoxd.errors import Ec, MapiError
from workers.lmtp.wire import reply

MAILBOX_FULL = reply(552, "5.2.2", "Mailbox is full")
UNKNOWN_USER = reply(550, "5.1.1", "No such user here")
DISABLED = reply(550, "5.2.1", "Mailbox is disabled")
NOT_ALLOWED = reply(550, "5.7.1", "You may not write to this list")
NOT_LOCAL = reply(550, "5.7.1", "Relaying is not available")
TEMPORARY = reply(451, "4.3.0", "Mailbox cannot be reached now, try again later")
OUT_OF_REACH = reply(451, "4.4.1", "Mail store does not answer, try again later")
STORE_FULL = reply(452, "4.3.1", "Insufficient system storage")

BY_CODE = {
    Ec.ecQuotaExceeded: MAILBOX_FULL,
    Ec.ecUnknownUser: UNKNOWN_USER,
    Ec.ecAccessDenied: DISABLED,
    Ec.ecStorageFull: STORE_FULL,
    Ec.ecNetwork: OUT_OF_REACH,
    Ec.ecTimeout: OUT_OF_REACH,
}
BY_VERDICT = {
    Verdict.UNKNOWN: UNKNOWN_USER,
    Verdict.DISABLED: DISABLED,
    Verdict.LIST_DOMAIN: NOT_ALLOWED,
    Verdict.LIST_INTERNAL: NOT_ALLOWED,
    Verdict.LIST_SPECIFIED: NOT_ALLOWED,
    Verdict.LOOP: reply(550, "5.4.6", "The list contains itself"),
}


def reply_to(error: MapiError) -> bytes:
    """The reply for an operation that failed; what is not known to be final is temporary."""
    return BY_CODE.get(error.code, TEMPORARY)


def is_temporary(answer: bytes) -> bool:
    """Whether the sender should try again."""
    return answer.startswith(b"4")
