"""DELETE (RFC 3501 6.3.4). A mailbox with inferior ones is refused, so that DELETE and CREATE never disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb import calls
from workers.imap.commands.access import folder, mailbox
from workers.imap.commands.registry import command
from workers.imap.errors import Refused
from workers.imap.state import LOGGED_IN
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("DELETE", LOGGED_IN)
def delete(session: Session, cursor: Cursor) -> bytes:
    cursor.sp()
    path = cursor.mailbox().removesuffix("/")
    cursor.end()
    if path == "INBOX":
        raise Refused("INBOX cannot be deleted", "CANNOT")
    box = mailbox(session)
    box.exmdb.call(box.ref, calls.DeleteFolder(folder(session, path).fid), actor=box.actor)
    return b"OK DELETE completed"
