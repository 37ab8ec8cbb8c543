"""STATUS (RFC 3501 6.3.10; HIGHESTMODSEQ: RFC 7162 3.1.7; SIZE: RFC 8438)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb.calls import Folder
from workers.imap.commands.access import folder, mailbox
from workers.imap.commands.registry import command
from workers.imap.state import LOGGED_IN
from workers.imap.wire import text
from workers.imap.wire.parser import Cursor
from workers.imap.wire.sequence import MAX_NUMBER

if TYPE_CHECKING:
    from workers.imap.session import Session

ITEMS = (b"MESSAGES", b"RECENT", b"UIDNEXT", b"UIDVALIDITY", b"UNSEEN", b"HIGHESTMODSEQ", b"SIZE")


@command("STATUS", LOGGED_IN)
def status(session: Session, cursor: Cursor) -> bytes:
    cursor.sp()
    path = cursor.mailbox()
    cursor.sp()
    items = read_items(cursor)
    cursor.end()
    found = folder(session, path)
    tell(session, found, items)
    return b"OK STATUS completed"


def read_items(cursor: Cursor) -> list[bytes]:
    """`(MESSAGES …)`."""
    cursor.expect(b"(")
    items: list[bytes] = []
    while True:
        item = cursor.name()
        if item not in ITEMS:
            raise cursor.fail("Unknown STATUS item")
        if item not in items:
            items.append(item)
        if cursor.accept(b")"):
            return items
        cursor.sp()


def tell(session: Session, found: Folder, items: list[bytes]) -> None:
    """The untagged STATUS answer."""
    index = mailbox(session).index(found.fid)
    state = index.state()
    values = {
        b"MESSAGES": state.exists, b"UIDNEXT": state.uidnext, b"UIDVALIDITY": state.uidvalidity,
        b"UNSEEN": state.unseen, b"HIGHESTMODSEQ": max(state.cn, 1), b"SIZE": state.size, b"RECENT": 0,
    }  # fmt: skip
    if b"RECENT" in items and state.recent_uid < state.uidnext and state.exists:
        seen = index.current()
        values[b"RECENT"] = seen.count_uids(seen.state.recent_uid, MAX_NUMBER)
    told = b" ".join(b"%b %d" % (item, values[item]) for item in items)
    session.write(b"* STATUS %b (%b)\r\n" % (text.mailbox(found.path), told))
    if b"HIGHESTMODSEQ" in items:
        session.enable_condstore()
