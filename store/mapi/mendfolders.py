"""Mending the frame of a mailbox: number series, hierarchy, figures, index pages, what is kept for nothing."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import Any, Final

import apsw

from gromoxd.exmdb.ranges import to_ranges
from gromoxd.exmdb.upkeepcalls import Fault
from store import wellknown as wk
from store.folders import add_folder
from store.mapi import faults as f
from store.mapi import rows as r
from store.mapi.hierarchy import sibling, update_row
from store.sql import row as one
from store.state import FolderRow
from store.transaction import LAST_ID, Transaction

_COUNT = "SELECT count(*), ifnull(sum(size), 0), ifnull(sum(NOT flags & 1), 0), ifnull(max(uid), 0) FROM messages"
_PAGES = "INSERT INTO pages SELECT fid, uid >> 8, count(*), ? FROM messages WHERE fid=? GROUP BY 2"


def refresh(tx: Transaction, fids: Iterable[int]) -> None:
    """Count folders anew and have all who know them read them again."""
    for fid in sorted(set(fids)):
        row = tx.state.folders.get(fid)
        if row is None:
            continue
        row.messages, row.size, row.unseen, last = one(tx.db, f"{_COUNT} WHERE fid=?", (fid,))
        row.uidnext = max(row.uidnext, last + 1)
        row.cn = tx.new_cns()
        tx.db.execute("DELETE FROM pages WHERE fid=?", (fid,))
        tx.db.execute(_PAGES, (row.cn, fid))
        tx.effects.reload.add(fid)
        tx.touch(row)
    tx.effects.searches = True


# ---------------------------------------------------------------------------------------------- the whole


def indexes(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Make the indexes anew, if that is all that is wrong."""
    if not all(fault.id for fault in found):
        return []
    try:
        tx.db.execute("REINDEX")
    except (apsw.ConstraintError, apsw.CorruptError):
        return []
    return found


def counters(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Let the number series go on after the last number that is in use."""
    state, db = tx.state, tx.db
    last = one(db, f.LAST_ID)[0]
    state.next_id = max(state.next_id, last + 1)
    state.reserved_id = max(state.reserved_id, state.next_id)
    state.cn = max(state.cn, one(db, f.LAST_CN)[0], one(db, f.KNOWN_CN)[0])
    state.hierarchy_cn = max(state.hierarchy_cn, one(db, f.LAST_HIERARCHY_CN)[0])
    state.last_uidvalidity = max(state.last_uidvalidity, one(db, f.LAST_UIDVALIDITY)[0])
    tx.counters_changed()
    tx.effects.hierarchy = True
    return found


# ---------------------------------------------------------------------------------------------- hierarchy


def home_of(tx: Transaction) -> int:
    """The folder of what was deleted nobody knows where."""
    return wk.PUBLIC_SUBTREE if tx.public else wk.DELETED_ITEMS


def _free_name(tx: Transaction, parent: int, name: str, but: int = 0) -> str:
    """A name that no other folder below `parent` has."""
    made, number = name, 1
    while sibling(tx, parent, made, but=but) is not None:
        number += 1
        made = f"{name[:240]} ({number})"
    return made


def well_known(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Make the folders that every mailbox has, with what is in them."""
    wanted = {folder.fid: folder for folder in (wk.PUBLIC_FOLDERS if tx.public else wk.FOLDERS)}
    for fault in found:
        folder = wanted[fault.fid]
        add_folder(
            tx, folder.parent_fid, folder.name, folder.container_class, hidden=folder.hidden, fid=folder.fid
        )  # fmt: skip
    refresh(tx, (fault.fid for fault in found))
    return found


def not_deleted(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """A folder that is there is not deleted."""
    tx.db.executemany("DELETE FROM deleted_folders WHERE fid=?", [(fault.fid,) for fault in found])
    return found


def homeless(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Messages get their folder back, under its old name if that is known."""
    done = [fault for fault in found if 0 < fault.fid <= LAST_ID]
    for fault in done:
        sql = "SELECT name, container_class FROM deleted_folders WHERE fid=?"
        name, kind = one(tx.db, sql, (fault.fid,)) or (f"Recovered {fault.fid:x}", "IPF.Note")
        parent = tx.state.ipm_subtree
        add_folder(tx, parent, _free_name(tx, parent, name), kind, fid=fault.fid)
    not_deleted(tx, done)
    refresh(tx, (fault.fid for fault in done))
    return done


def homeless_deleted(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Deleted messages of no folder go to the folder of deleted messages."""
    sql = f"UPDATE unlisted SET fid=? WHERE fid=? AND kind<>{r.ASSOCIATED}"
    tx.db.executemany(sql, [(home_of(tx), fault.fid) for fault in found])
    return found


def nowhere(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Hang the top of what hangs in the air below IPM_SUBTREE."""
    for fault in found:
        top = _top(tx, tx.state.folders[fault.fid])
        if top is None:
            continue
        if top.fid <= wk.LAST_WELL_KNOWN:
            top.parent_fid = next(
                (k.parent_fid for k in (wk.PUBLIC_FOLDERS if tx.public else wk.FOLDERS) if k.fid == top.fid), wk.ROOT
            )
        else:
            top.parent_fid = tx.state.ipm_subtree
            top.name = _free_name(tx, top.parent_fid, top.name, but=top.fid)
        update_row(tx, top)
    return found


def _top(tx: Transaction, row: FolderRow) -> FolderRow | None:
    """The folder above (or at) this one whose parent is missing or, in a circle, below it; None when all is well."""
    seen: set[int] = set()
    while row.fid not in seen:
        seen.add(row.fid)
        if row.fid == wk.ROOT:
            return None
        parent = tx.state.folders.get(row.parent_fid)
        if parent is None:
            return row
        row = parent
    return row


def namesakes(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Number the folders whose name another one has."""
    for fault in found:
        row = tx.state.folders[fault.fid]
        row.name = _free_name(tx, row.parent_fid, row.name, but=row.fid)
        update_row(tx, row)
    return found


# ---------------------------------------------------------------------------------------------- figures, tombstones


def recount(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Count folders anew."""
    refresh(tx, (fault.fid for fault in found))
    return found


def tombstones(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Take out of the records of deletions what is there; from one that is not readable clients cannot go on."""
    wanted = {(fault.fid, fault.id) for fault in found}
    touched = set()
    for bad in list(f.tombstones(tx.db)):
        if (bad.fid, bad.cn) not in wanted:
            continue
        touched.add(bad.fid)
        if bad.readable:
            _rewrite(tx, bad)
            continue
        tx.db.execute("DELETE FROM tombstones WHERE fid=? AND cn=?", (bad.fid, bad.cn))
        tx.db.execute("UPDATE folders SET pruned_cn = max(pruned_cn, ?) WHERE fid=?", (bad.cn, bad.fid))
    refresh(tx, touched)
    return found


def _rewrite(tx: Transaction, bad: f.Tombstone) -> None:
    row = tx.state.folders[bad.fid]
    row.uidnext = max([row.uidnext, *(last + 1 for _, last in bad.uids)])
    living: list[int] = []
    for first, last in bad.uids:
        sql = "SELECT uid FROM messages WHERE fid=? AND uid BETWEEN ? AND ? ORDER BY uid"
        living += (uid for (uid,) in tx.db.execute(sql, (bad.fid, first, last)))
    uids = array("I", [uid for pair in _without(bad.uids, to_ranges(sorted(set(living)))) for uid in pair])
    mids = array("Q", bad.mids)
    if bad.living_mids:
        sql = "SELECT mid FROM messages WHERE fid=?1 UNION SELECT mid FROM unlisted WHERE fid=?1 AND kind=?2"
        there = {mid for (mid,) in tx.db.execute(sql, (bad.fid, r.ASSOCIATED))}
        mids = array("Q", [mid for mid in bad.mids if mid not in there])
    sql = "UPDATE tombstones SET uids=?, mids=? WHERE fid=? AND cn=?"
    tx.db.execute(sql, (uids.tobytes(), mids.tobytes(), bad.fid, bad.cn))


def _without(ranges: list[tuple[int, int]], taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges less others."""
    for low, high in taken:
        ranges = [
            piece
            for first, last in ranges
            for piece in ((first, min(last, low - 1)), (max(first, high + 1), last))
            if piece[0] <= piece[1]
        ]
    return list(dict.fromkeys(ranges))


# ---------------------------------------------------------------------------------------------- for nothing


def _remove(table: str, condition: str) -> Callable[[Transaction, list[Fault]], list[Fault]]:
    def mend(tx: Transaction, found: list[Fault]) -> list[Fault]:
        tx.db.execute(f"DELETE FROM {table} WHERE {condition}")
        return found

    return mend


def results(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Search folders lose messages that do not exist; their tables are told."""
    gone: dict[int, list[int]] = {}
    for fault in found:
        gone.setdefault(fault.fid, []).append(fault.id)
    for fid, mids in gone.items():
        row = tx.state.folders.get(fid)
        if row is not None:
            row.cn = tx.new_cns()
            tx.db.executemany("DELETE FROM search_results WHERE fid=? AND mid=?", [(fid, mid) for mid in mids])
            octets = array("Q", mids).tobytes()
            tx.db.execute("INSERT INTO tombstones VALUES (?,?,?,?,?)", (fid, row.cn, tx.now, b"", octets))
            tx.touch(row)
    return found


MENDS: Final[dict[str, dict[str, Any]]] = {
    "database": {"": indexes},
    "counters": {"": counters},
    "folders": {
        "well-known": well_known, "both": not_deleted, "homeless": homeless, "homeless-deleted": homeless_deleted,
        "nowhere": nowhere, "namesakes": namesakes,
    },
    "strays": {
        **{table: _remove(table, condition) for table, condition in f.STRAY.items()},
        "read-marks": _remove("read_states", f.STRAY_READ_STATES), "results": results,
    },
    "source-keys": {"": _remove("source_keys", f.BAD_SOURCE_KEYS)},
    "tombstones": {"": tombstones},
    "figures": {"contents": recount, "behind": recount},
    "pages": {"": recount},
}  # fmt: skip
"""As `store.mapi.mending.MENDS`."""
