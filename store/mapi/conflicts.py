"""Where the version of a message goes that lost a conflict ([MS-OXCFXICS] 3.1.5.6.2): into the folder Conflicts.

Associated messages and public stores know only that the last writer wins, as do folders whose PidTagResolveMethod says
so (2.2.1.4.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gromoxd.exmdb.api import SYSTEM
from gromoxd.mapi.proptags import PidTagResolveMethod
from store import wellknown as wk
from store.access import Access
from store.mapi import hierarchy, transfer
from store.mapi.rows import Row
from store.state import FolderRow
from store.transaction import Transaction

LAST_WRITER_WINS = 0x1
"""RESOLVE_METHOD_LAST_WRITER_WINS."""


def place(tx: Transaction, folder: FolderRow, row: Row) -> FolderRow | None:
    """The folder that gets the losing version of a message, None when it is not kept."""
    if tx.public or row.associated or folder.fid == wk.CONFLICTS:
        return None
    method = hierarchy.read_bag(tx, folder.fid).get(PidTagResolveMethod)
    if isinstance(method, int) and method & LAST_WRITER_WINS:
        return None
    return tx.state.folders.get(wk.CONFLICTS)


def keep_here(tx: Transaction, folder: FolderRow, row: Row) -> None:
    """Keep the mailbox's own version, which is about to be replaced."""
    destination = place(tx, folder, row)
    if destination is not None:
        with as_system(tx):
            transfer.transfer(tx, folder, destination, [row], move=False)


@contextmanager
def as_system(tx: Transaction) -> Iterator[None]:
    """What is done to keep a version is the mailbox's doing, not the actor's."""
    access, tx.access = tx.access, Access(SYSTEM, "", {}, {})
    try:
        yield
    finally:
        tx.access = access
