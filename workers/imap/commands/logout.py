"""LOGOUT (RFC 3501 6.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.registry import Sync, command
from workers.imap.errors import Closed
from workers.imap.state import ANY, State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("LOGOUT", ANY, Sync.NONE)
def logout(session: Session, cursor: Cursor) -> bytes:
    cursor.end()
    session.state = State.LOGOUT
    session.write(b"* BYE Logging out\r\n" + session.tag + b" OK LOGOUT completed\r\n")
    session.flush()
    raise Closed
