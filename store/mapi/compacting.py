"""CompactMailbox: the database written anew without its gaps, and files of nothing removed.

A copy without gaps (`VACUUM INTO`) is made beside the database and written over it as one change of all its pages, so
that readers see the old pages or the new ones, whatever happens. The plain `VACUUM` would keep its copy in memory, as
this connection does with all that is temporary.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Final

import apsw

from gromoxd.exmdb.upkeepcalls import Compacted, CompactMailbox
from store.mapi.checking import require_system
from store.mapi.faults import Checked
from store.mapi.filefaults import WAITING, leftovers
from store.transaction import Handler, Transaction

COPY = "compact.sqlite3"


def compact_mailbox(tx: Transaction, call: CompactMailbox) -> Compacted:
    """upkeepcalls.CompactMailbox; the writer has no transaction under way."""
    require_system(tx.access.is_system)
    db = tx.db
    files, octets = _clean(tx)
    path = db.filename
    before = size_of(path)
    waiting = os.path.join(tx.content.folder, WAITING)
    os.makedirs(waiting, 0o770, exist_ok=True)
    copy = os.path.join(waiting, COPY)
    _remove(copy)
    try:
        db.execute("VACUUM INTO ?", (copy,), can_cache=False)
        _overwrite(db, copy)
    finally:
        _remove(copy)
    with contextlib.suppress(apsw.BusyError):  # a long read keeps the log until the next checkpoint
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.release_memory()
    return Compacted(before, size_of(path), files, octets)


def _overwrite(db: apsw.Connection, copy: str) -> None:
    """Give a database the pages of another one, as one change."""
    source = apsw.Connection(copy, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        with db.backup("main", source, "main") as backup:
            while not backup.done:
                backup.step(-1)
    finally:
        source.close()


def _clean(tx: Transaction) -> tuple[int, int]:
    """Remove files of nothing; how many, and their octets."""
    count = octets = 0
    for left in list(leftovers(Checked(tx.db, tx.public, tx.content.folder))):
        if left.digest:
            tx.content.released([left.digest])
        else:
            _remove(left.path)
        count, octets = count + 1, octets + left.size
    tx.content.settle()
    return count, octets


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def size_of(path: str) -> int:
    """Octets of a database and its log."""
    total = 0
    for name in (path, path + "-wal"):
        with contextlib.suppress(FileNotFoundError):
            total += os.stat(name).st_size
    return total


ALONE: Final[dict[type[Any], Handler]] = {CompactMailbox: compact_mailbox}
