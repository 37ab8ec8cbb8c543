"""RepairMailbox: mending what `store.mapi.checking` finds, kind by kind, in the writer (gromoxd.exmdb.upkeepcalls).

Each call looks for the faults of its kind anew and mends so many of them. No message is removed: data rows and octets
that are nobody's become soft-deleted messages, a message that has lost everything becomes an empty one. Folders in
which something was mended are read anew by all who know them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.upkeepcalls import KINDS, MOST_MENDED, Fault, Repaired, RepairMailbox
from store.mapi import mendfolders, mendmessages
from store.mapi.checking import FINDS, require_system
from store.mapi.faults import Checked
from store.transaction import Handler, Transaction

Mend = Callable[[Transaction, list[Fault]], list[Fault]]
MENDS: Final[dict[str, dict[str, Mend]]] = {**mendfolders.MENDS, **mendmessages.MENDS}
"""Kind of fault -> name of the query in FINDS -> what is to be done, which answers the faults that it mended."""


def repair_mailbox(tx: Transaction, call: RepairMailbox) -> Repaired:
    """upkeepcalls.RepairMailbox."""
    require_system(tx.access.is_system)
    known = KINDS.get(call.kind)
    if known is None:
        raise MapiError(Ec.ecInvalidParam, "kind of fault")
    if not known.mendable:
        raise MapiError(Ec.ecNotSupported, call.kind)
    checked = Checked(tx.db, tx.public, tx.content.folder)
    mended: list[Fault] = []
    more = False
    for name, look in FINDS[call.kind].items():
        room = MOST_MENDED - len(mended)
        if room <= 0:
            return Repaired(mended, True)
        found = first(look(checked), room)
        if found:
            done = MENDS[call.kind][name](tx, found)
            tx.flush()
            tx.counters_changed()  # for if a later query fails, the state must be read anew
            mended += done
            more = more or (bool(done) and (len(found) == room or len(done) < len(found)))
    return Repaired(mended, more)


def first(faults: Iterator[Fault], most: int) -> list[Fault]:
    """The first faults; the query has ended then, as it must before anything changes."""
    found = list(islice(faults, most))
    if isinstance(faults, Generator):
        faults.close()
    return found


WRITES: dict[type[Any], Handler] = {RepairMailbox: repair_mailbox}
