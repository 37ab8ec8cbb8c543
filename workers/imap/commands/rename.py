"""RENAME (RFC 3501 6.3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb import calls
from workers.imap.commands.access import check_name, folder, mailbox
from workers.imap.commands.create import make
from workers.imap.commands.registry import command
from workers.imap.errors import Refused
from workers.imap.state import LOGGED_IN
from workers.imap.wire.parser import Cursor
from workers.imap.wire.sequence import MAX_NUMBER

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("RENAME", LOGGED_IN)
def rename(session: Session, cursor: Cursor) -> bytes:
    cursor.sp()
    source = cursor.mailbox()
    cursor.sp()
    target = cursor.mailbox().removesuffix("/")
    cursor.end()
    found = folder(session, source)
    if target == "INBOX":
        raise Refused("INBOX exists always", "ALREADYEXISTS")
    check_name(target)
    if source == "INBOX":
        _move_inbox(session, found, target)
    else:
        box = mailbox(session)
        box.exmdb.call(box.ref, calls.RenameFolder(found.fid, target), actor=box.actor)
    return b"OK RENAME completed"


def _move_inbox(session: Session, inbox: calls.Folder, target: str) -> None:
    """INBOX itself stays; its messages go to a new mailbox, its inferior mailboxes stay too."""
    box, made = mailbox(session), make(session, target)
    call = calls.CopyMessages(inbox.fid, [(1, MAX_NUMBER)], made.fid, True, session.services.token())
    box.exmdb.call(box.ref, call, actor=box.actor)
