"""NAMESPACE (RFC 2342): one personal namespace, no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.registry import command
from workers.imap.state import LOGGED_IN
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("NAMESPACE", LOGGED_IN)
def namespace(session: Session, cursor: Cursor) -> bytes:
    cursor.end()
    session.write(b'* NAMESPACE (("" "/")) NIL NIL\r\n')
    return b"OK NAMESPACE completed"
