"""A part of a write call that may fail without the call: all of it is undone then, and the call goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import apsw

from gromoxd.errors import MapiError
from store.changes import Effects
from store.transaction import LostTransaction, Transaction, as_mapi_error

R = TypeVar("R")
FAILURES = (MapiError, apsw.Error, OSError, UnicodeError, OverflowError, ValueError)
"""What a part may fail with. WireError is a ValueError."""


def attempt(tx: Transaction, work: Callable[[], R]) -> R | MapiError:
    """The result of `work`, or why it failed: then nothing of it happened, neither in the database nor in the state."""
    tx.flush()
    before = Effects()
    before.add(tx.effects)
    tx.db.execute("SAVEPOINT part")
    try:
        result = work()
        tx.flush()
    except FAILURES as error:
        if not tx.db.in_transaction:
            raise LostTransaction from error
        tx.db.execute("ROLLBACK TO part")
        tx.db.execute("RELEASE part")
        tx.reload()
        tx.effects = before
        return as_mapi_error(error)
    tx.db.execute("RELEASE part")
    return result
