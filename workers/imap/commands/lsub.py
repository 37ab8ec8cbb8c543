"""LSUB (RFC 3501 6.3.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.imap.commands.access import mailbox
from workers.imap.commands.list import matches, sort_key
from workers.imap.commands.registry import command
from workers.imap.state import LOGGED_IN
from workers.imap.wire import text
from workers.imap.wire.parser import Cursor
from workers.imap.wire.pattern import Pattern

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("LSUB", LOGGED_IN)
def lsub(session: Session, cursor: Cursor) -> bytes:
    cursor.sp()
    reference = cursor.mailbox()
    cursor.sp()
    pattern = cursor.list_mailbox()
    cursor.end()
    if not pattern:
        session.write(b'* LSUB (\\Noselect) "/" ""\r\n')
        return b"OK LSUB completed"
    compiled = Pattern(reference + pattern)
    subscribed = set(mailbox(session).folders().subscriptions)
    names = dict.fromkeys(subscribed, b"")
    if "%" in compiled.text:
        for path in subscribed:
            while "/" in path:
                path = path.rpartition("/")[0]
                names.setdefault(path, b"\\Noselect")
    for path in sorted(names, key=sort_key):
        if matches(path, [compiled]):
            session.write(b'* LSUB (%b) "/" %b\r\n' % (names[path], text.mailbox(path)))
    return b"OK LSUB completed"
