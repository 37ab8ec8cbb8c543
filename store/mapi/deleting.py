"""DeleteMessages, EmptyFolder, PurgeDeleted: soft and hard deletion ([MS-OXCFOLD] 2.2.1.9-2.2.1.11, 3.2.5.9-3.2.5.11).

A soft-deleted message keeps its id and its data and becomes a row of `unlisted`; for IMAP and for synchronisation it is
gone. Retention removes it for good (`purge`).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from store import messages, requests
from store import wellknown as wk
from store.access import DELETE_ANY, DELETE_OWNED, OWNER
from store.mapi import datarows, hierarchy
from store.mapi import rows as r
from store.mapi.rows import Row
from store.references import release
from store.sql import rows
from store.state import FolderRow
from store.transaction import Handler, Transaction

MOST_PURGED = 10_000
MOST_MIDS = 200_000
_HIDE_LISTED = (
    f"{r.INTO_UNLISTED} SELECT mid, fid, {r.DELETED},"
    " flags, ?, cn, size, received, sent, did, ? FROM messages WHERE mid IN carray(?)"
)
_HIDE_ASSOCIATED = f"UPDATE unlisted SET kind={r.DELETED_ASSOCIATED}, modseq=?, time=? WHERE mid IN carray(?)"
_EXPIRED = f"SELECT mid, did FROM unlisted WHERE kind<>{r.ASSOCIATED} AND time < ?"


def delete_messages(tx: Transaction, call: o.DeleteMessages) -> o.Partial:
    """objects.DeleteMessages."""
    earlier = requests.known(tx, call.request_id, o.Partial)
    if earlier is not None:
        return earlier
    require_delete(tx, call.fid)
    folder = tx.state.folder(call.fid)
    if len(call.mids) > MOST_MIDS:
        raise MapiError(Ec.ecInvalidParam, "too many messages")
    found = r.several(tx.db, folder.fid, call.mids)
    chosen = deletable(tx, folder.fid, found)
    partial = len(chosen) < len(set(call.mids))
    done = o.Partial(partial, remove(tx, folder, chosen, hard=call.hard) if chosen else 0)
    requests.remember(tx, call.request_id, done)
    return done


def require_delete(tx: Transaction, fid: int) -> None:
    """ecAccessDenied when the actor may delete nothing in a folder."""
    if not tx.access.everything and not tx.access.rights(fid) & (DELETE_ANY | DELETE_OWNED):
        raise MapiError(Ec.ecAccessDenied, f"folder {fid:#x}")


def deletable(tx: Transaction, fid: int, found: list[Row]) -> list[Row]:
    """Those messages that the actor may delete ([MS-OXCPERM] 2.2.7)."""
    if tx.access.may(fid, DELETE_ANY):
        return found
    if not tx.access.may(fid, DELETE_OWNED):
        return []
    return [row for row in found if is_own(tx, row)]


def is_own(tx: Transaction, row: Row) -> bool:
    """Whether the actor made a message."""
    return datarows.is_of(datarows.load(tx, row.did), tx.access.actor)


def remove(tx: Transaction, folder: FolderRow, chosen: Sequence[Row], *, hard: bool) -> int:
    """Delete messages of a folder; answers the change number. Those that are soft-deleted already go for good."""
    cn = tx.new_cns()
    again = [row for row in chosen if row.deleted]
    if hard:
        take_out(tx, folder, chosen, cn)
        doomed = chosen
    else:
        fresh = [row for row in chosen if not row.deleted]
        _hide(tx, folder, fresh, cn)
        drop_unlisted(tx, again)
        doomed = again
    release(tx, [row.did for row in doomed])
    _forget(tx, (row.mid for row in doomed))
    return cn


def _hide(tx: Transaction, folder: FolderRow, fresh: Sequence[Row], cn: int) -> None:
    listed = [row for row in fresh if row.uid]
    associated = [row.mid for row in fresh if not row.uid]
    if listed:
        tx.db.execute(_HIDE_LISTED, (cn, tx.now, apsw.carray(array("q", [row.mid for row in listed]))))
    if associated:
        tx.db.execute(_HIDE_ASSOCIATED, (cn, tx.now, apsw.carray(array("q", associated))))
    _gone(tx, folder, listed, associated, cn)


def take_out(tx: Transaction, folder: FolderRow, chosen: Sequence[Row], cn: int) -> None:
    """Remove the rows of messages from their folder, and tell; their data stays."""
    unlisted = [row for row in chosen if not row.uid]
    drop_unlisted(tx, unlisted)
    associated = [row.mid for row in unlisted if not row.deleted]
    _gone(tx, folder, [row for row in chosen if row.uid], associated, cn)


def drop_unlisted(tx: Transaction, chosen: Sequence[Row]) -> None:
    """Remove rows of `unlisted`."""
    if chosen:
        mids = array("q", [row.mid for row in chosen])
        tx.db.execute("DELETE FROM unlisted WHERE mid IN carray(?)", (apsw.carray(mids),))


def _gone(tx: Transaction, folder: FolderRow, listed: Iterable[Row], associated: list[int], cn: int) -> None:
    """Tombstones and figures; the rows of `listed` are removed."""
    doomed = sorted((row.uid, row.mid, row.flags, row.size, row.did) for row in listed)
    if doomed:
        messages.remove(tx, folder, doomed, cn, others=associated)
        return
    if associated:
        mids = array("Q", associated).tobytes()
        tx.db.execute("INSERT INTO tombstones VALUES (?,?,?,?,?)", (folder.fid, cn, tx.now, b"", mids))
    folder.cn = cn
    tx.touch(folder)


def _forget(tx: Transaction, mids: Iterable[int]) -> None:
    """Read marks of messages that are gone for good; only public stores have any."""
    gone = array("q", mids if tx.public else ())
    if gone:
        tx.db.execute("DELETE FROM read_states WHERE mid IN carray(?)", (apsw.carray(gone),))


# ---------------------------------------------------------------------------------------------- whole folders


def empty_folder(tx: Transaction, call: o.EmptyFolder) -> o.Partial:
    """objects.EmptyFolder: messages and subfolders go; what is not the actor's to delete stays."""
    require_delete(tx, call.fid)
    below = hierarchy.subtree(tx, call.fid)
    partial = _empty(tx, below[0], call)
    for child in [row for row in below if row.parent_fid == call.fid]:
        tree = hierarchy.subtree(tx, child.fid)
        if all(row.fid > wk.LAST_WELL_KNOWN and _may_remove(tx, row.fid) for row in tree):
            hierarchy.remove_tree(tx, tree, hard=call.hard)
        else:
            partial = True
    return o.Partial(partial, tx.state.cn)


def _may_remove(tx: Transaction, fid: int) -> bool:
    return tx.access.everything or (tx.access.may(fid, OWNER) and tx.access.may(fid, DELETE_ANY))


def _empty(tx: Transaction, folder: FolderRow, call: o.EmptyFolder) -> bool:
    """Delete the messages of one folder; answers whether any had to stay."""
    found = r.all_of(tx.db, folder.fid, r.LISTED)
    if call.associated:
        found += r.all_of(tx.db, folder.fid, r.ASSOCIATED)
    chosen = deletable(tx, folder.fid, found)
    if chosen:
        remove(tx, folder, chosen, hard=call.hard)
    return len(chosen) < len(found)


# ---------------------------------------------------------------------------------------------- for good


def purge_deleted(tx: Transaction, call: o.PurgeDeleted) -> o.Purged:
    """objects.PurgeDeleted."""
    if call.fid:
        tx.access.require(call.fid, DELETE_ANY)
        tx.state.folder(call.fid)
    else:
        tx.access.require_owner()
    count = purge(tx, call.before, MOST_PURGED, call.fid)
    return o.Purged(count, 0 if call.fid else hierarchy.purge_folders(tx, call.before, MOST_PURGED))


def purge(tx: Transaction, before: int, limit: int, fid: int = 0) -> int:
    """Remove for good at most `limit` messages that were soft-deleted before a time; answers how many."""
    sql, args = (f"{_EXPIRED} AND fid=?", (before, fid)) if fid else (_EXPIRED, (before,))
    found = rows(tx.db, f"{sql} ORDER BY time LIMIT ?", (*args, limit))
    if found:
        mids = array("q", [mid for mid, _ in found])
        tx.db.execute("DELETE FROM unlisted WHERE mid IN carray(?)", (apsw.carray(mids),))
        release(tx, [did for _, did in found])
        _forget(tx, mids)
    return len(found)


WRITES: dict[type[Any], Handler] = {
    o.DeleteMessages: delete_messages, o.EmptyFolder: empty_folder, o.PurgeDeleted: purge_deleted,
}  # fmt: skip
