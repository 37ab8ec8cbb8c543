"""Request ids: a write that was done is not done again (docs/architecture.md, exmdb RPC).

The result is stored in the write's own transaction. Deliveries also carry a fingerprint: as long as one is not
confirmed and the worker that made it is gone, an equal one is the sender's retry of a delivery whose reply was lost.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import outgoing as g
from store.state import Delivery
from store.transaction import Transaction

R = TypeVar("R", bound=c.Result)
KINDS: tuple[type[Any], ...] = (
    c.Stored, c.Copied, c.Folder, o.Saved, o.Transferred, h.MadeFolder, h.TransferredFolder, o.Partial, c.Done,
    g.Submitted,
)  # fmt: skip
"""The position is stored: append only."""
LONGEST_ID = 64
MOST_UNCONFIRMED = 100_000
REMEMBER = "INSERT INTO requests (request_id, kind, time, result, instance, fingerprint) VALUES (?,?,?,?,?,?)"


def known(tx: Transaction, request_id: bytes, kind: type[R]) -> R | None:
    """The result of an earlier call with this id. ecInvalidParam when that was another kind of call."""
    if not request_id:
        return None
    if len(request_id) > LONGEST_ID:
        raise MapiError(Ec.ecInvalidParam, "request id")
    row = tx.db.execute("SELECT kind, result FROM requests WHERE request_id=?", (request_id,)).fetchone()
    if row is None:
        return None
    if KINDS[row[0]] is not kind:
        raise MapiError(Ec.ecInvalidParam, "request id of another call")
    return msgspec.msgpack.decode(row[1], type=kind)


def remember(tx: Transaction, request_id: bytes, result: c.Result) -> None:
    """Store the result of this call."""
    if request_id:
        kind, encoded = KINDS.index(type(result)), msgspec.msgpack.encode(result)
        tx.db.execute(REMEMBER, (request_id, kind, tx.now, encoded, tx.write.instance, None))


def remember_delivery(tx: Transaction, call: c.Deliver, stored: c.Stored) -> None:
    """Store the result of a delivery until it is confirmed."""
    if call.request_id:
        row = (call.request_id, 0, tx.now, msgspec.msgpack.encode(stored), tx.write.instance, call.fingerprint)
        tx.db.execute(REMEMBER, row)
        if call.fingerprint:
            tx.state.add_delivery(call.request_id, Delivery(call.fingerprint, tx.write.instance, tx.now, stored))


def redelivered(tx: Transaction, call: c.Deliver) -> c.Stored | None:
    """The result of the delivery that this one repeats; it passes to the repeating worker."""
    if not call.fingerprint:
        return None
    oldest = tx.now - tx.settings.request_age
    for request_id in tx.state.by_print.get(call.fingerprint, ()):
        delivery = tx.state.deliveries[request_id]
        if delivery.time < oldest or tx.is_alive(delivery.instance):
            continue
        tx.db.execute("DELETE FROM requests WHERE request_id=?", (request_id,))
        tx.state.drop_delivery(request_id)
        remember_delivery(tx, call, delivery.stored)
        return delivery.stored
    return None


def confirm(tx: Transaction, call: c.Confirm) -> c.Done:
    """calls.Confirm: no commit of its own."""
    for request_id in call.request_ids:
        if tx.state.drop_delivery(request_id) is not None:
            tx.state.confirmed.append(request_id)
    return c.Done()


def prune(tx: Transaction) -> None:
    """Forget results that nobody will ask for any more."""
    oldest = tx.now - int(tx.settings.request_age)
    tx.db.execute("DELETE FROM requests WHERE time < ?", (oldest,))
    for request_id in [r for r, delivery in tx.state.deliveries.items() if delivery.time < oldest]:
        tx.state.drop_delivery(request_id)
