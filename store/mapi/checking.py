"""CheckMailbox: one kind of fault at a time, in one state of the database (gromoxd.exmdb.upkeepcalls)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.upkeepcalls import MOST_FAULTS, CheckMailbox, Fault, Findings
from store.mapi import faults, filefaults
from store.mapi.faults import Checked, Find
from store.mapi.reading import Reading

FINDS: Final[dict[str, dict[str, Find]]] = {**faults.FINDS, **filefaults.FINDS}
IN_ONE_STATE = faults.FINDS.keys() - {"strays"}
"""Kinds for which several queries must see the same. Strays of search folders are waited for."""
_OF_DATA = frozenset(("parts", "orphans", "lost", "sizes", "data-refs", "properties"))
_OF_CONTENT = frozenset(("files", "octets"))
_MESSAGES = "SELECT fid, mid FROM messages WHERE did=?1 UNION ALL SELECT fid, mid FROM unlisted WHERE did=?1 LIMIT 1"
_DATA_OF = "SELECT did FROM message_data WHERE cid=?1 UNION ALL SELECT did FROM big_values WHERE cid=?1 LIMIT 1"


def check_mailbox(reading: Reading, call: CheckMailbox) -> Findings:
    """upkeepcalls.CheckMailbox."""
    require_system(reading.access.is_system)
    db = reading.reader.db
    checked = Checked(db, reading.box.public, reading.box.content_folder)
    if call.kind not in IN_ONE_STATE:
        return _look(checked, call)
    db.execute("BEGIN")
    try:
        return _look(checked, call)
    finally:
        db.execute("COMMIT")


def require_system(is_system: bool) -> None:
    """ecAccessDenied to all but the administrator."""
    if not is_system:
        raise MapiError(Ec.ecAccessDenied, "upkeep")


def _look(checked: Checked, call: CheckMailbox) -> Findings:
    piecemeal = filefaults.PIECEMEAL.get(call.kind)
    if piecemeal is not None:
        found, following = piecemeal(checked, call.after)
        return Findings(len(found), [_placed(checked.db, call.kind, one) for one in found[:MOST_FAULTS]], following)
    if call.kind not in FINDS:
        raise MapiError(Ec.ecInvalidParam, "kind of fault")
    count, shown = 0, []
    for one in find(checked, call.kind):
        count += 1
        if count <= MOST_FAULTS:
            shown.append(one)
    return Findings(count, [_placed(checked.db, call.kind, one) for one in shown])


def find(checked: Checked, kind: str) -> Iterator[Fault]:
    """All faults of a kind."""
    for look in FINDS[kind].values():
        yield from look(checked)


def _placed(db: apsw.Connection, kind: str, fault: Fault) -> Fault:
    """A fault of a data row or content, with the message that has it."""
    if fault.fid or not fault.id or kind not in _OF_DATA | _OF_CONTENT:
        return fault
    did = fault.id
    if kind in _OF_CONTENT:
        owner = db.execute(_DATA_OF, (fault.id,)).fetchone()
        did = owner[0] if owner else 0
    place = db.execute(_MESSAGES, (did,)).fetchone()
    if place is None:
        return fault
    return Fault(place[0], fault.id, f"{fault.text}; message {place[1]:#x}")


READS: dict[type[Any], Any] = {CheckMailbox: check_mailbox}
LONG: dict[type[Any], Any] = {CheckMailbox: lambda reading, call: True}
