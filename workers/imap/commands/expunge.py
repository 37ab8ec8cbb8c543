"""EXPUNGE (RFC 3501 6.4.3) and UID EXPUNGE (RFC 4315 2.1). The EXPUNGE answers come with the tagged answer's sync."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb import calls
from gromoxd.exmdb.pages import DELETED
from workers.imap.commands.access import writable
from workers.imap.commands.registry import command
from workers.imap.selected import Selected
from workers.imap.state import State
from workers.imap.wire.parser import Cursor
from workers.imap.wire.sequence import MAX_NUMBER, Ranges, resolve

if TYPE_CHECKING:
    from workers.imap.session import Session

_DELETED = bytes(1 if n & DELETED else 0 for n in range(256))


@command("EXPUNGE", State.SELECTED)
def expunge(session: Session, cursor: Cursor) -> bytes:
    cursor.end()
    expunge_deleted(writable(session), [(1, MAX_NUMBER)])
    return b"OK EXPUNGE completed"


@command("UID EXPUNGE", State.SELECTED)
def uid_expunge(session: Session, cursor: Cursor) -> bytes:
    cursor.sp()
    ranges = cursor.sequence_set()
    cursor.end()
    chosen = writable(session)
    expunge_deleted(chosen, resolve(ranges, chosen.view.last_uid))
    return b"OK UID EXPUNGE completed"


def expunge_deleted(chosen: Selected, ranges: Ranges) -> None:
    """Remove the \\Deleted messages of `ranges`; the owner is not asked when there are none."""
    now = chosen.current()
    if ranges and any(1 in ref.system_flags().translate(_DELETED) for ref in now.refs):
        box = chosen.mailbox
        box.exmdb.call(box.ref, calls.Expunge(chosen.folder.fid, ranges), actor=box.actor)
