"""What goes wrong, and how IMAP says it (RFC 3501 7.1, response codes of RFC 5530, RFC 4315, RFC 9051)."""

from __future__ import annotations

from gromoxd.errors import Ec, MapiError


class Refused(Exception):
    """A command ends with `NO [code] text`. Both are constants of the program or harmless octets."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.line = f"NO [{code}] {text}".encode() if code else b"NO " + text.encode()


class Closed(Exception):
    """The session is over; what had to be said has been said."""


RESPONSES: dict[Ec, bytes] = {
    Ec.ecQuotaExceeded: b"NO [OVERQUOTA] The mailbox is full",
    Ec.ecStorageFull: b"NO [OVERQUOTA] The server's storage is full",
    Ec.ecNotFound: b"NO [NONEXISTENT] No such mailbox or message",
    Ec.ecObjectDeleted: b"NO [NONEXISTENT] The mailbox has been deleted",
    Ec.ecDuplicateName: b"NO [ALREADYEXISTS] A mailbox of this name exists",
    Ec.ecFolderHasChildren: b"NO [HASCHILDREN] The mailbox has inferior mailboxes; delete those first",
    Ec.ecRootFolder: b"NO [CANNOT] This mailbox belongs to the account and stays as it is",
    Ec.ecAccessDenied: b"NO [NOPERM] Permission denied",
    Ec.ecInvalidParam: b"NO [CANNOT] That is not possible",
    Ec.ecNotSupported: b"NO [CANNOT] That is not possible",
    Ec.ecMaxSubmissionExceeded: b"NO [LIMIT] That is more than the server takes",
    Ec.ecBusy: b"NO [UNAVAILABLE] The mailbox is busy, try again",
    Ec.ecNetwork: b"NO [UNAVAILABLE] The mailbox is out of reach at the moment, try again",
    Ec.ecTimeout: b"NO [UNAVAILABLE] The mailbox did not answer in time, try again",
    Ec.ecWrongServer: b"NO [UNAVAILABLE] The mailbox is being moved, try again",
    Ec.ecUnknownUser: b"NO [UNAVAILABLE] The mailbox is out of reach at the moment, try again",
    Ec.ecLocked: b"NO [INUSE] The mailbox is locked, try again",
    Ec.ecVersionMismatch: b"NO [UNAVAILABLE] The mailbox is being upgraded, try again",
    Ec.ecError: b"NO [SERVERBUG] Internal error",
}
"""The store's error codes; one that is missing here is answered like ecError."""

SERVERBUG = b"NO [SERVERBUG] Internal error"
EXPUNGED = b"NO [EXPUNGEISSUED] Some of the messages no longer exist"
AUTH_FAILED = b"NO [AUTHENTICATIONFAILED] Authentication failed"


def response(error: MapiError) -> bytes:
    """The status line's text for a failed operation."""
    return RESPONSES.get(error.code, SERVERBUG)
