"""Upkeep of a mailbox: pruning inside its own writes, and the checks made when it is opened."""

from __future__ import annotations

import logging

import apsw

from store import requests
from store import wellknown as wk
from store.mapi import deleting, hierarchy
from store.sql import row, rows, rows_once
from store.transaction import Transaction

log = logging.getLogger(__name__)
EVERY, SOON = 600.0, 1.0
CHUNK, CHUNK_FOLDERS = 500, 1
NUMBERED = (
    ("mid", "messages"), ("mid", "unlisted"), ("did", "message_data"), ("cid", "content"), ("fid", "deleted_folders"),
    ("id", "outgoing"),
)  # fmt: skip
"""Where numbers of the mailbox's one series of ids stand."""


class Pruner:
    """Prunes request results, tombstones and what was soft-deleted long ago, as part of a write every ten minutes.

    Of the latter only so much at a time that the write is not held up; the rest follows with the next writes.
    """

    def __init__(self, tx: Transaction) -> None:
        self._next = tx.clock() + EVERY

    def __call__(self, tx: Transaction) -> None:
        if tx.clock() >= self._next:
            self._next = tx.clock() + EVERY
            requests.prune(tx)
            prune_tombstones(tx)
            if prune_deleted(tx):
                self._next = tx.clock() + SOON


def prune_tombstones(tx: Transaction) -> None:
    """Forget old deletions; `folders.pruned_cn` says up to where a folder's are no longer complete."""
    db, settings = tx.db, tx.settings
    oldest = tx.now - int(settings.tombstone_age)
    sql = "SELECT cn FROM tombstones ORDER BY cn DESC LIMIT 1 OFFSET ?"
    newest_kept = row(db, sql, (settings.tombstone_count,))
    cut = newest_kept[0] if newest_kept else -1
    doomed = "time < ? OR cn <= ?"
    for fid, cn in rows(db, f"SELECT fid, max(cn) FROM tombstones WHERE {doomed} GROUP BY fid", (oldest, cut)):
        db.execute("UPDATE folders SET pruned_cn=? WHERE fid=?", (cn, fid))
    db.execute(f"DELETE FROM tombstones WHERE {doomed}", (oldest, cut))
    db.execute("DELETE FROM folder_tombstones WHERE time < ?", (oldest,))


def prune_deleted(tx: Transaction) -> bool:
    """Remove for good what can no longer be recovered; answers whether there is more of it."""
    before = tx.now - int(tx.settings.soft_delete_age)
    return deleting.purge(tx, before, CHUNK) == CHUNK or hierarchy.purge_folders(tx, before, CHUNK_FOLDERS) > 0


def check(db: apsw.Connection) -> None:
    """Compare counters with what they count, where that is cheap, and mend them. Transactions keep them right; a
    difference means that something else wrote to the file.
    """
    sql = """
        SELECT f.fid, f.messages, f.uidnext, ifnull((SELECT sum(count) FROM pages p WHERE p.fid = f.fid), 0),
          ifnull((SELECT max(uid) FROM messages m WHERE m.fid = f.fid), 0)
        FROM folders f"""
    for fid, messages, uidnext, counted, last in rows_once(db, sql):
        if messages != counted or uidnext <= last:
            log.error("mailbox counters mended", extra={"folder": fid})
            recount(db, fid)
    open_circles(db)
    [(last_id,)] = rows_once(
        db,
        "SELECT max((SELECT max(fid) FROM folders), "
        + ", ".join(f"ifnull((SELECT max({key}) FROM {table}), 0)" for key, table in NUMBERED)
        + ")",
    )
    db.execute("UPDATE mailbox SET next_id = ? WHERE next_id <= ?", (last_id + 1, last_id), can_cache=False)


def open_circles(db: apsw.Connection) -> None:
    """A folder that is below itself goes to the root, for nobody who walks up the hierarchy would get there."""
    parents: dict[int, int] = dict(rows_once(db, "SELECT fid, parent_fid FROM folders"))
    well: set[int] = set()
    for fid in parents:
        way: dict[int, None] = {}
        at = fid
        while at in parents and at not in well and at not in way:
            way[at] = None
            at = parents[at]
        if at in way:
            log.error("folder below itself mended", extra={"folder": at})
            parents[at] = wk.ROOT if at != wk.ROOT else 0
            db.execute("UPDATE folders SET parent_fid=? WHERE fid=?", (parents[at], at))
        well.update(way)


def recount(db: apsw.Connection, fid: int) -> None:
    """Count a folder anew from its messages."""
    with db:
        db.execute(
            """UPDATE folders SET (messages, size, unseen, uidnext, cn) = (
                 SELECT count(*), ifnull(sum(size), 0), ifnull(sum(NOT flags & 1), 0),
                   max(folders.uidnext, ifnull(max(uid), 0) + 1), folders.cn + 1
                 FROM messages WHERE fid = folders.fid) WHERE fid=?""",
            (fid,),
        )
        db.execute("DELETE FROM pages WHERE fid=?", (fid,))
        db.execute(
            "INSERT INTO pages SELECT fid, uid >> 8, count(*), (SELECT cn FROM folders WHERE fid = m.fid)"
            " FROM messages m WHERE fid=? GROUP BY 2",
            (fid,),
        )
