"""ENABLE (RFC 5161): CONDSTORE is all that can be enabled; other words are passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.registry import Sync, command
from workers.imap.state import LOGGED_IN
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("ENABLE", LOGGED_IN, Sync.NONE)
def enable(session: Session, cursor: Cursor) -> bytes:
    names = set()
    while not cursor.at_end:
        cursor.sp()
        names.add(cursor.atom().upper())
    if not names:
        raise cursor.fail("Missing argument")
    if b"CONDSTORE" in names:
        session.write(b"* ENABLED CONDSTORE\r\n")
        session.enable_condstore()
    else:
        session.write(b"* ENABLED\r\n")
    return b"OK ENABLE completed"
