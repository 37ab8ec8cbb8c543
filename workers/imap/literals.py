"""Whether a session takes an announced literal (RFC 3501 4.3, RFC 7888), and where it is put.

Before login only small ones. After it, the message of APPEND up to its limit, on disk when it is large; all other
literals count towards the length of their command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.errors import WireError
from workers.imap.state import State
from workers.imap.wire.framing import LiteralAsked, Part, tag_of
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

Head = tuple[str, list[bytes], int | None]
"""Mailbox, flags and INTERNALDATE of an APPEND."""

SKIPPED_AT_MOST = 4
"""A refused non-synchronizing literal is skipped up to this multiple of the largest message; beyond, we part."""


def decide(session: Session, asked: LiteralAsked) -> None:
    """Accept or refuse, and answer a client that waits."""
    limit = session.services.settings().mail_max_length
    if session.state is not State.NOT_AUTHENTICATED and is_message(asked.parts):
        if asked.size > limit:
            return _refuse(session, asked, limit)
        session.framer.accept(session.services.spool(asked.size))
    elif session.framer.fits:
        session.framer.accept()
    else:
        return _refuse(session, asked, limit)
    if asked.sync:
        session.finish_appends()
        session.write(b"+ OK\r\n")
        session.flush()


def _refuse(session: Session, asked: LiteralAsked, limit: int) -> None:
    session.finish_appends()
    first = asked.parts[0]
    tag = tag_of(first if isinstance(first, bytes) else b"")
    session.services.board.add("bad_input")
    if session.state is State.NOT_AUTHENTICATED:
        session.write(tag + b" NO [TOOBIG] Literal too large\r\n")
        session.bye(b"Literal too large")
    if asked.sync:
        if session.framer.waiting:  # it did not wait: what follows is the literal, not a command
            session.bye(b"Literal too large")
        session.framer.refuse()
        session.reply(tag, b"NO [TOOBIG] Literal too large")
        return
    if asked.size > SKIPPED_AT_MOST * limit:
        session.write(tag + b" NO [TOOBIG] Literal too large\r\n")
        session.bye(b"Literal too large")
    session.framer.refuse()


def is_message(parts: list[Part]) -> bool:
    """Whether what comes now is the message of an APPEND command."""
    first = parts[0]
    if not isinstance(first, bytes) or b"APPEND" not in first[:140].upper():
        return False
    cursor = Cursor([*parts, b"", b""])
    try:
        cursor.tag()
        cursor.expect(b" APPEND ")
        read_head(cursor)
    except WireError:
        return False
    return cursor.at_last_literal


def read_head(cursor: Cursor) -> Head:
    """`mailbox SP [flag-list SP] [date-time SP]` of APPEND."""
    name = cursor.mailbox()
    cursor.sp()
    flags: list[bytes] = []
    if cursor.peek() == b"(":
        flags = cursor.flags()
        cursor.sp()
    received = None
    if cursor.peek() == b'"':
        received = cursor.date_time()
        cursor.sp()
    return name, flags, received
