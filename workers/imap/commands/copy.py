"""COPY, MOVE and their UID forms (RFC 3501 6.4.7, RFC 6851; COPYUID: RFC 4315 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb import calls
from workers.imap import errors
from workers.imap.commands.access import folder, message_spans, selected, writable
from workers.imap.commands.registry import command
from workers.imap.state import State
from workers.imap.wire import sequence
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("COPY", State.SELECTED)
def copy(session: Session, cursor: Cursor) -> bytes:
    return _transfer(session, cursor, False, False)


@command("UID COPY", State.SELECTED)
def uid_copy(session: Session, cursor: Cursor) -> bytes:
    return _transfer(session, cursor, True, False)


@command("MOVE", State.SELECTED)
def move(session: Session, cursor: Cursor) -> bytes:
    return _transfer(session, cursor, False, True)


@command("UID MOVE", State.SELECTED)
def uid_move(session: Session, cursor: Cursor) -> bytes:
    return _transfer(session, cursor, True, True)


def _transfer(session: Session, cursor: Cursor, uid: bool, moving: bool) -> bytes:
    cursor.sp()
    spans = message_spans(session, cursor, uid)
    cursor.sp()
    path = cursor.mailbox()
    cursor.end()
    what = b"MOVE" if moving else b"COPY"
    chosen = writable(session) if moving else selected(session)
    target = folder(session, path, "TRYCREATE")
    if not spans:
        return b"OK No messages for " + what
    box = chosen.mailbox
    call = calls.CopyMessages(
        chosen.folder.fid, chosen.view.uid_ranges(spans), target.fid, moving, session.services.token()
    )
    copied = box.exmdb.call(box.ref, call, actor=box.actor)
    if not copied.source:
        return errors.EXPUNGED
    code = b"[COPYUID %d %b %b]" % (
        copied.uidvalidity, sequence.render(copied.source), sequence.render(copied.destination),
    )  # fmt: skip
    if moving:
        session.write(b"* OK " + code + b" Moved\r\n")
        return b"OK MOVE completed"
    return b"OK " + code + b" COPY completed"
