"""STARTTLS (RFC 3501 6.2.1). What was sent behind it in plaintext is never executed: the connection is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.registry import Sync, command
from workers.imap.errors import Refused
from workers.imap.state import State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("STARTTLS", State.NOT_AUTHENTICATED, Sync.NONE)
def starttls(session: Session, cursor: Cursor) -> bytes | None:
    cursor.end()
    if session.transport.tls:
        raise cursor.fail("TLS is active already")
    if not session.transport.tls_available:
        raise Refused("TLS is not available", "UNAVAILABLE")
    if session.framer.waiting:
        session.bye(b"Plaintext behind STARTTLS")
    session.write(session.tag + b" OK Begin TLS negotiation now\r\n")
    session.flush()
    session.starting_tls = True
    return None
