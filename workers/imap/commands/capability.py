"""CAPABILITY (RFC 3501 6.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.registry import Sync, command
from workers.imap.state import ANY, State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

ALWAYS = (
    b"IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN SPECIAL-USE LIST-EXTENDED "
    b"LIST-STATUS STATUS=SIZE ESEARCH WITHIN CONDSTORE"
)


def may_log_in(session: Session) -> bool:
    """Whether passwords are taken on this connection."""
    settings, transport = session.services.settings(), session.transport
    if transport.tls:
        return True
    return not settings.imap_force_tls and (transport.peer_is_loopback or settings.imap_allow_plaintext)


def capabilities(session: Session) -> bytes:
    """What is offered in the present state."""
    words = [ALWAYS]
    if session.state is State.NOT_AUTHENTICATED:
        if session.transport.tls_available:
            words.append(b"STARTTLS")
        words.append(b"AUTH=PLAIN AUTH=LOGIN" if may_log_in(session) else b"LOGINDISABLED")
    return b" ".join(words)


@command("CAPABILITY", ANY, Sync.NONE)
def capability(session: Session, cursor: Cursor) -> bytes:
    cursor.end()
    session.write(b"* CAPABILITY " + capabilities(session) + b"\r\n")
    return b"OK CAPABILITY completed"
