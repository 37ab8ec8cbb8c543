"""SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7). The mailbox need not exist."""

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

MAX_SUBSCRIPTIONS = 5000


@command("SUBSCRIBE", LOGGED_IN)
def subscribe(session: Session, cursor: Cursor) -> bytes:
    path = check_name(_path(cursor))
    box = mailbox(session)
    if len(box.folders().subscriptions) >= MAX_SUBSCRIPTIONS and path not in box.folders().subscriptions:
        raise Refused("Too many subscriptions", "LIMIT")
    box.exmdb.call(box.ref, calls.Subscribe(path, True), actor=box.actor)
    return b"OK SUBSCRIBE completed"


@command("UNSUBSCRIBE", LOGGED_IN)
def unsubscribe(session: Session, cursor: Cursor) -> bytes:
    box, path = mailbox(session), _path(cursor)
    box.exmdb.call(box.ref, calls.Subscribe(path, False), actor=box.actor)
    return b"OK UNSUBSCRIBE completed"


def _path(cursor: Cursor) -> str:
    cursor.sp()
    path = cursor.mailbox()
    cursor.end()
    return path.removesuffix("/")
