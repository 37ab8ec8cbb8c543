"""Which ids named properties have in a mailbox ([MS-OXCPRPT] 3.2.5.9, 3.2.5.10): built-in ones, and the table.

Own ids start at FIRST_OWN, so that the list of built-in names can grow without touching ids that mailboxes gave out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import names as n
from gromoxd.mapi.named import (
    BUILT_IN,
    FIRST_NAMED,
    FIRST_OWN,
    LAST_NAMED,
    PS_INTERNET_HEADERS,
    PS_MAPI,
    PropertyName,
    built_in_id,
    built_in_name,
)
from store import access as a
from store.mapi.reading import Reading
from store.sql import row, rows
from store.transaction import Transaction

MOST_NAMES = 0xFFFF
LONGEST_NAME = 1023
"""Octets of a name in UTF-8."""
CREATING = a.CREATE | a.EDIT_ANY | a.EDIT_OWNED | a.CREATE_SUBFOLDER | a.OWNER
INLINE_NAMES = 1000


def checked(names: Sequence[n.Name]) -> list[PropertyName]:
    """Names as they are looked up. ecInvalidParam."""
    if len(names) > MOST_NAMES:
        raise MapiError(Ec.ecInvalidParam, "too many names")
    return [_checked(name) for name in names]


def _checked(name: n.Name) -> PropertyName:
    if len(name.guid) != 16:
        raise MapiError(Ec.ecInvalidParam, "property set")
    if name.lid >= 0:
        if name.name or name.lid > 0xFFFFFFFF:
            raise MapiError(Ec.ecInvalidParam, "property name")
        return PropertyName(name.guid, name.lid)
    text = name.name.lower() if name.guid == PS_INTERNET_HEADERS else name.name
    if not text or "\0" in text or len(text.encode("utf-8", "replace")) > LONGEST_NAME:
        raise MapiError(Ec.ecInvalidParam, "property name")
    return PropertyName(name.guid, text)


def find_ids(db: apsw.Connection, names: Sequence[PropertyName]) -> list[int]:
    """Their ids, 0 for those that have none."""
    found = [built_in_id(name) or 0 for name in names]
    if 0 not in found:
        return found
    guids = {name.guid for name, known in zip(names, found, strict=True) if not known and name.guid != PS_MAPI}
    own = _own_ids(db, guids)
    return [known or own.get(name.folded(), 0) for name, known in zip(names, found, strict=True)]


def _own_ids(db: apsw.Connection, guids: Iterable[bytes]) -> dict[PropertyName, int]:
    """The ids that the mailbox gave out in some property sets."""
    found: dict[PropertyName, int] = {}
    for guid in guids:
        for propid, lid, text in rows(db, "SELECT propid, lid, name FROM named_properties WHERE guid=?", (guid,)):
            found[PropertyName(guid, text if lid is None else lid).folded()] = propid
    return found


def make_ids(tx: Transaction, names: Sequence[PropertyName]) -> list[int]:
    """Their ids, made where there are none, as long as some are left."""
    found = find_ids(tx.db, names)
    made: dict[PropertyName, int] = {}
    following = 0
    for at, name in enumerate(names):
        if found[at] or name.guid == PS_MAPI:
            continue
        folded = name.folded()
        if folded not in made:
            following = following or row(tx.db, "SELECT max(propid) + 1 FROM named_properties")[0] or FIRST_OWN
            if following > LAST_NAMED:
                continue
            lid, text = (name.key, None) if isinstance(name.key, int) else (None, name.key)
            tx.db.execute("INSERT INTO named_properties VALUES (?,?,?,?)", (following, name.guid, lid, text))
            made[folded] = following
            following += 1
        found[at] = made[folded]
    return found


def get_property_ids(reading: Reading, call: n.GetPropertyIds) -> list[int]:
    """exmdb.names.GetPropertyIds."""
    _require_interest(reading)
    return find_ids(reading.reader.db, checked(call.names))


def make_property_ids(tx: Transaction, call: n.MakePropertyIds) -> list[int]:
    """exmdb.names.MakePropertyIds."""
    if not tx.access.anywhere() & CREATING:
        raise MapiError(Ec.ecAccessDenied, "names")
    return make_ids(tx, checked(call.names))


def get_property_names(reading: Reading, call: n.GetPropertyNames) -> list[n.Name | None]:
    """exmdb.names.GetPropertyNames."""
    _require_interest(reading)
    if len(call.ids) > MOST_NAMES:
        raise MapiError(Ec.ecInvalidParam, "too many ids")
    return [name_of(reading.reader.db, propid) for propid in call.ids]


def name_of(db: apsw.Connection, propid: int) -> n.Name | None:
    """The name of a property id."""
    if not 0 < propid <= LAST_NAMED:
        return None
    if propid < FIRST_OWN:
        known = built_in_name(propid)
        return None if known is None else shown(known)
    found = row(db, "SELECT guid, lid, name FROM named_properties WHERE propid=?", (propid,))
    return None if found is None else shown(PropertyName(found[0], found[2] if found[1] is None else found[1]))


def shown(name: PropertyName) -> n.Name:
    """A name as calls carry it."""
    if isinstance(name.key, int):
        return n.Name(name.guid, name.key)
    return n.Name(name.guid, -1, name.key)


def list_property_names(reading: Reading, call: n.ListPropertyNames) -> list[n.NamedId]:
    """exmdb.names.ListPropertyNames."""
    _require_interest(reading)
    if call.guid is not None and len(call.guid) != 16:
        raise MapiError(Ec.ecInvalidParam, "property set")
    found = [
        n.NamedId(FIRST_NAMED + place, shown(name))
        for place, name in enumerate(BUILT_IN)
        if call.guid is None or name.guid == call.guid
    ]
    sql = "SELECT propid, guid, lid, name FROM named_properties"
    own = rows(reading.reader.db, f"{sql} ORDER BY propid") if call.guid is None else rows(
        reading.reader.db, f"{sql} WHERE guid=? ORDER BY propid", (call.guid,)
    )  # fmt: skip
    found += (
        n.NamedId(propid, shown(PropertyName(guid, text if lid is None else lid))) for propid, guid, lid, text in own
    )
    return found


def _require_interest(reading: Reading) -> None:
    if not reading.access.anywhere():
        raise MapiError(Ec.ecAccessDenied, "names")


def _many(reading: Reading, call: n.GetPropertyIds | n.GetPropertyNames) -> bool:
    asked = len(call.names) if isinstance(call, n.GetPropertyIds) else len(call.ids)
    sql = "SELECT count(*) FROM (SELECT 1 FROM named_properties LIMIT ?)"
    return asked > INLINE_NAMES or bool(row(reading.reader.db, sql, (INLINE_NAMES,))[0] == INLINE_NAMES)


READS = {
    n.GetPropertyIds: get_property_ids, n.GetPropertyNames: get_property_names,
    n.ListPropertyNames: list_property_names,
}  # fmt: skip
WRITES = {n.MakePropertyIds: make_property_ids}
LONG = {n.GetPropertyIds: _many, n.GetPropertyNames: _many, n.ListPropertyNames: lambda reading, call: True}
