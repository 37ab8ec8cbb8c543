"""CLOSE (RFC 3501 6.4.2) and UNSELECT (RFC 3691)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.access import selected
from workers.imap.commands.expunge import expunge_deleted
from workers.imap.commands.registry import Sync, command
from workers.imap.state import State
from workers.imap.wire.parser import Cursor
from workers.imap.wire.sequence import MAX_NUMBER

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("CLOSE", State.SELECTED, Sync.NONE)
def close(session: Session, cursor: Cursor) -> bytes:
    """Removes \\Deleted messages without telling, unless the mailbox was opened by EXAMINE."""
    cursor.end()
    chosen = selected(session)
    if not chosen.read_only:
        expunge_deleted(chosen, [(1, MAX_NUMBER)])
    session.unselect()
    return b"OK CLOSE completed"


@command("UNSELECT", State.SELECTED, Sync.NONE)
def unselect(session: Session, cursor: Cursor) -> bytes:
    cursor.end()
    session.unselect()
    return b"OK UNSELECT completed"
