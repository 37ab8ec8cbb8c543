"""IDLE (RFC 2177). While it lasts, changes are told as they happen (`Session.woken`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.errors import MapiError
from workers.imap.commands.access import mailbox
from workers.imap.commands.registry import Sync, command
from workers.imap.state import LOGGED_IN
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("IDLE", LOGGED_IN, Sync.NONE)
def idle(session: Session, cursor: Cursor) -> None:
    cursor.end()
    session.idle_tag = session.tag
    try:
        mailbox(session).watch(session)
    except MapiError:
        session.idle_tag = b""
        raise
    session.dialogue = lambda line: _done(session, line)
    session.write(b"+ idling\r\n")
    session.sync(True, prompt=True)


def _done(session: Session, line: bytes) -> None:
    tag, session.idle_tag, session.dialogue = session.idle_tag, b"", None
    mailbox(session).rest(session)
    if line.strip().upper() == b"DONE":
        session.reply(tag, b"OK IDLE completed")
    else:
        session.reply(tag, b"BAD Expected DONE")
