"""APPEND (RFC 3501 6.3.11, APPENDUID: RFC 4315 3).

Pipelined APPENDs are under way together: while the owner commits one, the next is read and digested. They are answered
in their order, and their uids ascend in it.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from gromoxd.convert.digest import digest_at_once, digest_message
from gromoxd.errors import MapiError
from gromoxd.exmdb import calls
from workers.imap import errors
from workers.imap.commands.access import folder, mailbox
from workers.imap.commands.registry import command
from workers.imap.flags import parse_flags
from workers.imap.literals import Head, read_head
from workers.imap.state import LOGGED_IN
from workers.imap.wire import dates
from workers.imap.wire.framing import Part
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session


@command("APPEND", LOGGED_IN)
def append(session: Session, cursor: Cursor) -> bytes | None:
    cursor.sp()
    head = read_head(cursor)
    raw = cursor.take_literal()
    try:
        cursor.end()
        work = _prepare(session, head, raw)
    except BaseException:
        _close(raw)
        raise
    if not session.appends and not session.framer.waiting:
        return work()
    session.later(session.tag, session.services.spawn(work, session.wake))
    return None


def _prepare(session: Session, head: Head, raw: Part) -> Callable[[], bytes]:
    """Everything up to the call; what is returned makes it and gives the answer."""
    path, words, received = head
    bits, keywords = parse_flags(words)
    target = folder(session, path, "TRYCREATE")
    moment = int(session.services.now()) if received is None else min(max(received, 0), dates.LATEST)
    box = mailbox(session)
    call, spool = _message(session, target.fid, raw, moment, bits, keywords)

    def work() -> bytes:
        try:
            stored = box.exmdb.call(box.ref, call, actor=box.actor, spool=spool)
        except MapiError as error:
            return errors.response(error)
        finally:
            _close(raw)
        return b"OK [APPENDUID %d %d] APPEND completed" % (stored.uidvalidity, stored.uid)

    return work


def _close(raw: Part) -> None:
    if not isinstance(raw, bytes):
        raw.close()


def _message(
    session: Session, fid: int, raw: Part, received: int, bits: int, keywords: list[str]
) -> tuple[calls.Append, BinaryIO | None]:
    """The call, and the file with the octets when they are many."""
    if isinstance(raw, bytes):
        digest = digest_at_once(raw, received=received)
        if digest is None:
            digest = session.services.offload(digest_message, raw, received=received)
        new = calls.NewMessage(digest, raw, received, bits, keywords)
        return calls.Append(fid, new, session.services.token()), None
    with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as octets:
        digest = session.services.offload(digest_message, octets, received=received)
    new = calls.NewMessage(digest, b"", received, bits, keywords)
    return calls.Append(fid, new, session.services.token()), raw
