"""Who refers to what: data rows shared by copies of a message, contents shared by data rows, and their removal.

`data_refs` and `content_refs` count the references of what has more than one. A mailbox that no MAPI client has written
to has no big values, embedded messages or shared contents (`State.has_objects`), and none of their tables is asked.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import apsw

from store.transaction import Transaction

CHUNK = 50_000
_SHARE = "INSERT INTO {} VALUES (?, 2) ON CONFLICT ({}) DO UPDATE SET refs = refs + 1"
SHARE_DATA = _SHARE.format("data_refs", "did")
SHARE_CONTENT = _SHARE.format("content_refs", "cid")


def share_data(tx: Transaction, dids: Iterable[int]) -> None:
    """One reference more to each data row."""
    tx.db.executemany(SHARE_DATA, ((did,) for did in dids))


def share_contents(tx: Transaction, cids: Iterable[int]) -> None:
    """One reference more to each content."""
    tx.state.has_objects = True
    tx.db.executemany(SHARE_CONTENT, ((cid,) for cid in cids))


def is_shared(tx: Transaction, did: int) -> bool:
    """Whether something else refers to a data row, too."""
    return tx.db.execute("SELECT 1 FROM data_refs WHERE did=?", (did,)).fetchone() is not None


def release(tx: Transaction, dids: Sequence[int]) -> None:
    """Messages with these data rows went: remove the rows that nothing refers to any more."""
    while dids:
        going = _unshared(tx, "data_refs", "did", dids)
        dids = []
        for start in range(0, len(going), CHUNK):
            dids += _forget(tx, array("q", going[start : start + CHUNK]))


def _forget(tx: Transaction, going: array[int]) -> list[int]:
    """Remove data rows with all they have; answers those of the messages embedded in them."""
    db = tx.db
    children: list[int] = []
    sql = "DELETE FROM message_data WHERE did IN carray(?) RETURNING cid"
    cids = [cid for (cid,) in db.execute(sql, (apsw.carray(going),))]
    db.execute("DELETE FROM attachments WHERE did IN carray(?)", (apsw.carray(going),))
    if tx.state.has_objects:
        sql = "DELETE FROM big_values WHERE did IN carray(?) RETURNING cid"
        cids += [cid for (cid,) in db.execute(sql, (apsw.carray(going),))]
        sql = "DELETE FROM embedded WHERE did IN carray(?) RETURNING child"
        children = [child for (child,) in db.execute(sql, (apsw.carray(going),))]
    release_contents(tx, cids)
    return children


def release_contents(tx: Transaction, cids: Sequence[int]) -> None:
    """One reference less to each content; those without any are removed. 0 is none."""
    if tx.state.has_objects:
        cids = _unshared(tx, "content_refs", "cid", [cid for cid in cids if cid])
    if not cids:
        return
    sql = "DELETE FROM content WHERE cid IN carray(?) RETURNING hash"
    tx.content.released(digest for (digest,) in tx.db.execute(sql, (apsw.carray(array("q", cids)),)))


def _unshared(tx: Transaction, table: str, key: str, numbers: Sequence[int]) -> Sequence[int]:
    """Give up one reference per entry; answers those of `numbers` that have none left."""
    if not numbers or tx.db.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None:
        return numbers
    times = Counter(numbers)
    sql = f"SELECT {key}, refs FROM {table} WHERE {key} IN carray(?)"
    left = {number: refs - times[number] for number, refs in tx.db.execute(sql, (apsw.carray(array("q", times)),))}
    still = [(refs, number) for number, refs in left.items() if refs > 1]
    single = [(number,) for number, refs in left.items() if refs <= 1]
    tx.db.executemany(f"UPDATE {table} SET refs=? WHERE {key}=?", still)
    tx.db.executemany(f"DELETE FROM {table} WHERE {key}=?", single)
    return [number for number in times if left.get(number, 0) < 1]
