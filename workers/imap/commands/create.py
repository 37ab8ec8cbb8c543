"""CREATE (RFC 3501 6.3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb import calls
from workers.imap.commands.access import check_name, mailbox
from workers.imap.commands.registry import command
from workers.imap.errors import Refused
from workers.imap.state import LOGGED_IN
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("CREATE", LOGGED_IN)
def create(session: Session, cursor: Cursor) -> bytes:
    """A trailing delimiter only says that names will be created below."""
    cursor.sp()
    path = cursor.mailbox().removesuffix("/")
    cursor.end()
    make(session, path)
    return b"OK CREATE completed"


def make(session: Session, path: str) -> calls.Folder:
    """Make a mail folder."""
    if path == "INBOX":
        raise Refused("INBOX exists always", "ALREADYEXISTS")
    box = mailbox(session)
    call = calls.CreateFolder(check_name(path), request_id=session.services.token())
    return box.exmdb.call(box.ref, call, actor=box.actor)
