"""TransferMessages: copies and moves in a mailbox ([MS-OXCFOLD] 2.2.1.6, 3.2.5.6), recovery of what was soft-deleted.

As with IMAP, a moved message gets a new id ([MS-OXCFXICS] 3.1.5.3) and its data row stays; copies share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from store import messages, requests
from store import wellknown as wk
from store.access import CREATE, OWNER, READ_ANY
from store.changes import Origin
from store.changes import Row as IndexRow
from store.mapi import datarows, deleting, hierarchy
from store.mapi import rows as r
from store.mapi.rows import Row
from store.references import share_data
from store.state import FolderRow
from store.transaction import Handler, Transaction


def transfer_messages(tx: Transaction, call: o.TransferMessages) -> o.Transferred:
    """objects.TransferMessages."""
    earlier = requests.known(tx, call.request_id, o.Transferred)
    if earlier is not None:
        return earlier
    tx.access.require(call.fid, READ_ANY)
    tx.access.require(call.destination, CREATE)
    if call.move:
        deleting.require_delete(tx, call.fid)
    source, destination = tx.state.folder(call.fid), tx.state.folder(call.destination)
    if len(call.mids) > deleting.MOST_MIDS:
        raise MapiError(Ec.ecInvalidParam, "too many messages")
    if hierarchy.is_search(tx, destination.fid):
        raise MapiError(Ec.ecNotSupported, "a search folder")
    found = r.several(tx.db, source.fid, call.mids)
    chosen = deleting.deletable(tx, source.fid, found) if call.move else found
    if destination.fid == wk.INBOX and any(row.associated for row in chosen):
        tx.access.require(wk.INBOX, OWNER)  # they may be rules
    partial = len(chosen) < len(set(call.mids))
    done = transfer(tx, source, destination, chosen, call.move) if chosen else []
    result = o.Transferred(partial, done, tx.state.cn if done else 0)
    requests.remember(tx, call.request_id, result)
    return result


def transfer(
    tx: Transaction, source: FolderRow, destination: FolderRow, chosen: Sequence[Row], move: bool,
    mids: Sequence[int] | None = None,
) -> list[tuple[int, int]]:  # fmt: skip
    """Copy or move messages; answers old and new ids. `mids`: the new ids, if they are not for the store to choose."""
    listed = [row for row in chosen if not row.associated]
    messages.check_room(destination, len(listed))
    if not move:
        messages.check_quota(tx, sum(row.size for row in listed), receiving=False)
    if mids is None:
        first = tx.new_ids(len(chosen))
        mids = range(first, first + len(chosen))
    pairs = [(row.mid, mid) for row, mid in zip(chosen, mids, strict=True)]
    if move:
        deleting.take_out(tx, source, chosen, tx.new_cns())
        dids = [row.did for row in chosen]
        _keep_read_states(tx, destination.fid, pairs)
    else:
        share_data(tx, (row.did for row in chosen))
        dids = [row.did if tx.access.everything else _made_by_actor(tx, row.did) for row in chosen]
    _insert(tx, destination, list(zip(chosen, mids, dids, strict=True)))
    tx.effects.origins.append(Origin(destination.fid, list(mids), source.fid, [row.mid for row in chosen], move))
    origin = Origin(destination.fid, [new for _, new in pairs], source.fid, [old for old, _ in pairs], move)
    tx.effects.origins.append(origin)
    return pairs


def _made_by_actor(tx: Transaction, did: int) -> int:
    """The data row of a copy whose maker is the actor, not the original's."""
    data = datarows.load(tx, did)
    if not datarows.is_of(data, tx.access.actor):
        datarows.own(tx, data)
        datarows.sign(data, tx.access)
        datarows.write(tx, data)
    return data.did


def _insert(tx: Transaction, destination: FolderRow, new: list[tuple[Row, int, int]]) -> None:
    """Rows in the destination for (old row, id, data row); all are there as if never deleted."""
    fid, uid, cn = destination.fid, destination.uidnext, tx.new_cns(len(new))
    index: list[IndexRow] = []
    listed, associated = [], []
    for i, (row, mid, did) in enumerate(new):
        at = cn + i
        if row.associated:
            associated.append((mid, fid, r.ASSOCIATED, row.flags, at, at, row.size, row.received, row.sent, did, 0))
            continue
        listed.append((fid, uid, mid, row.flags, at, at, row.size, row.received, row.sent, did))
        index.append(IndexRow(uid, row.flags, row.size, row.received, row.sent, at, mid))
        uid += 1
    tx.db.executemany(r.INSERT_UNLISTED, associated)
    tx.db.executemany(messages.INSERT_MESSAGE, listed)
    if index:
        messages.arrived(tx, destination, index)
    destination.cn = cn + len(new) - 1
    tx.touch(destination)


def _keep_read_states(tx: Transaction, fid: int, pairs: list[tuple[int, int]]) -> None:
    if tx.public:
        tx.db.executemany("UPDATE read_states SET mid=?, fid=? WHERE mid=?", [(new, fid, old) for old, new in pairs])


WRITES: dict[type[Any], Handler] = {o.TransferMessages: transfer_messages}
