"""What several commands share: the session's mailbox, folders by name, names that may be given, the selected folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb.calls import Folder
from workers.imap.errors import Refused
from workers.imap.mailbox import Mailbox
from workers.imap.selected import Selected
from workers.imap.view import Spans
from workers.imap.wire import sequence
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

MAX_NAME, MAX_DEPTH = 255, 60


def mailbox(session: Session) -> Mailbox:
    """The logged-in user's mailbox."""
    assert session.mailbox is not None
    return session.mailbox


def selected(session: Session) -> Selected:
    """The selected mailbox; the command's states make sure that there is one."""
    assert session.selected is not None
    return session.selected


def writable(session: Session) -> Selected:
    """The selected mailbox, if it was not opened by EXAMINE."""
    chosen = selected(session)
    if chosen.read_only:
        raise Refused("The mailbox is open for reading only", "READ-ONLY")
    return chosen


def folder(session: Session, path: str, code: str = "NONEXISTENT") -> Folder:
    """The folder of that name."""
    found = mailbox(session).find(path)
    if found is None:
        raise Refused("No such mailbox", code)
    return found


def check_name(path: str) -> str:
    """The path, if it may be given to a new folder (or subscribed)."""
    parts = path.split("/")
    if len(parts) > MAX_DEPTH:
        raise Refused("The mailbox name has too many levels", "CANNOT")
    for part in parts:
        if not part or part in (".", "..") or len(part) > MAX_NAME:
            raise Refused("Not a valid mailbox name", "CANNOT")
        if any(ord(c) < 32 or 127 <= ord(c) < 160 or c in "*%\u2028\u2029\ufffe\uffff" for c in part):
            raise Refused("The mailbox name contains a character that is not allowed", "CANNOT")
    return path


def message_spans(session: Session, cursor: Cursor, uid: bool) -> Spans:
    """A sequence-set as messages of the selected mailbox; numbers beyond the last are an error, uids are not."""
    ranges = cursor.sequence_set()
    seen = selected(session).view
    if uid:
        return seen.by_uid(sequence.resolve(ranges, seen.last_uid))
    resolved = sequence.resolve(ranges, seen.exists)
    if ranges == [(1, sequence.STAR)] or not resolved:
        return seen.whole() if resolved else []
    if resolved[-1][1] > seen.exists:
        if not seen.exists:
            return []
        raise cursor.fail("Invalid message set: there are not so many messages")
    return seen.by_number(resolved)
