"""SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2), with the CONDSTORE parameter (RFC 7162 3.1.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.access import folder, mailbox
from workers.imap.commands.registry import Sync, command
from workers.imap.selected import Selected
from workers.imap.state import LOGGED_IN, State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("SELECT", LOGGED_IN, Sync.NONE)
def select(session: Session, cursor: Cursor) -> bytes:
    return _open(session, cursor, False)


@command("EXAMINE", LOGGED_IN, Sync.NONE)
def examine(session: Session, cursor: Cursor) -> bytes:
    return _open(session, cursor, True)


def _open(session: Session, cursor: Cursor, read_only: bool) -> bytes:
    cursor.sp()
    path = cursor.mailbox()
    condstore = _parameters(cursor)
    cursor.end()
    if session.selected is not None:
        session.unselect()
        session.write(b"* OK [CLOSED] Previous mailbox closed\r\n")
    box = mailbox(session)
    chosen = Selected(box, folder(session, path), read_only)
    chosen.open_recent(session.services.spawn)
    box.load_keywords()
    session.condstore |= condstore
    session.selected = chosen
    session.state = State.SELECTED
    _describe(session, chosen)
    if read_only:
        return b"OK [READ-ONLY] EXAMINE completed"
    return b"OK [READ-WRITE] SELECT completed"


def _parameters(cursor: Cursor) -> bool:
    """`(CONDSTORE)`."""
    if not cursor.accept(b" ("):
        return False
    cursor.expect(b"CONDSTORE")
    cursor.expect(b")")
    return True


def _describe(session: Session, chosen: Selected) -> None:
    seen = chosen.view
    state = seen.state
    chosen.tell_keywords(session.write)
    unseen = b"* OK [UNSEEN %d] First unseen\r\n" % seen.first_unseen if seen.first_unseen else b""
    session.write(
        b"* %d EXISTS\r\n* %d RECENT\r\n%b* OK [UIDVALIDITY %d] UIDs valid\r\n* OK [UIDNEXT %d] Predicted next UID\r\n"
        b"* OK [HIGHESTMODSEQ %d] Highest\r\n"
        % (seen.exists, chosen.recent_count(), unseen, state.uidvalidity, state.uidnext, max(state.cn, 1))
    )
