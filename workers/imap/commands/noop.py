"""NOOP and CHECK (RFC 3501 6.1.2, 6.4.1): both tell what has changed, which every command does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.registry import command
from workers.imap.state import ANY, State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("NOOP", ANY)
def noop(session: Session, cursor: Cursor) -> bytes:
    cursor.end()
    return b"OK NOOP completed"


@command("CHECK", State.SELECTED)
def check(session: Session, cursor: Cursor) -> bytes:
    cursor.end()
    return b"OK CHECK completed"
