"""Ids given to clients, and the short ids of replicas ([MS-OXCFXICS] 3.2.5.9.4.7; [MS-OXCSTOR] 3.2.5.9, 3.2.5.10)."""

from __future__ import annotations

from typing import Final

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import storecalls as s
from gromoxd.mapi.ids import guid_octets
from store import access as a
from store.mapi.identity import Identity
from store.mapi.reading import Reading
from store.sql import row
from store.transaction import Transaction

MOST_IDS = 0x10000
FIRST_OWN, LAST_REPLID = 6, 0x7FFF
MOST_GUIDS = 4096
CREATING = a.CREATE | a.CREATE_SUBFOLDER
BUILT_IN: Final = {
    2: guid_octets("ed33cbe5-94e2-48b6-8bea-bba984896933"),
    3: guid_octets("68349a54-323d-4a38-9aa9-e00a683131ba"),
    4: guid_octets("bb0754de-7f26-4d08-932f-fe7a9d22f8bd"),
}
"""Replicas that have the same short id in every store; 1 is the store's own, 5 its mapping signature."""


def known(identity: Identity) -> dict[int, bytes]:
    """The replicas that need no row."""
    return {1: identity.guid, **BUILT_IN, 5: identity.mapping_guid}


def find_replid(db: apsw.Connection, identity: Identity, guid: bytes) -> int:
    """The short id of a replica, 0 when it has none."""
    for replid, built_in in known(identity).items():
        if guid == built_in:
            return replid
    found = row(db, "SELECT replid FROM replicas WHERE guid=?", (guid,))
    return 0 if found is None else int(found[0])


def make_replid(tx: Transaction, guid: bytes) -> int:
    """The same, given out when there is none. ecStorageFull."""
    found = find_replid(tx.db, tx.identity, guid)
    if found:
        return found
    following = int(row(tx.db, "SELECT max(replid) + 1 FROM replicas")[0] or FIRST_OWN)
    if following > LAST_REPLID:
        raise MapiError(Ec.ecStorageFull, "too many replicas")
    tx.db.execute("INSERT INTO replicas VALUES (?,?)", (following, guid))
    return following


def find_replguid(db: apsw.Connection, identity: Identity, replid: int) -> bytes:
    """The replica of a short id, b'' when there is none."""
    built_in = known(identity).get(replid)
    if built_in is not None or not FIRST_OWN <= replid <= LAST_REPLID:
        return built_in or b""
    found = row(db, "SELECT guid FROM replicas WHERE replid=?", (replid,))
    return b"" if found is None else bytes(found[0])


def reserve_ids(tx: Transaction, call: s.ReserveIds) -> s.IdRange:
    """exmdb.storecalls.ReserveIds."""
    if not tx.access.anywhere() & CREATING:
        raise MapiError(Ec.ecAccessDenied, "ids")
    if not 0 < call.count <= MOST_IDS:
        raise MapiError(Ec.ecInvalidParam, "number of ids")
    return s.IdRange(tx.identity.guid, tx.new_ids(call.count), call.count)


def get_replids(tx: Transaction, call: s.GetReplids) -> list[int]:
    """exmdb.storecalls.GetReplids."""
    rights = tx.access.anywhere()
    if not rights:
        raise MapiError(Ec.ecAccessDenied, "replicas")
    if len(call.guids) > MOST_GUIDS or any(len(guid) != 16 for guid in call.guids):
        raise MapiError(Ec.ecInvalidParam, "replica GUIDs")
    if rights & CREATING:
        return [make_replid(tx, guid) for guid in call.guids]
    return [find_replid(tx.db, tx.identity, guid) for guid in call.guids]


def get_replguids(reading: Reading, call: s.GetReplguids) -> list[bytes]:
    """exmdb.storecalls.GetReplguids."""
    if not reading.access.anywhere():
        raise MapiError(Ec.ecAccessDenied, "replicas")
    if len(call.replids) > MOST_GUIDS:
        raise MapiError(Ec.ecInvalidParam, "too many replicas")
    db, identity = reading.reader.db, reading.box.identity
    return [find_replguid(db, identity, replid) for replid in call.replids]


READS = {s.GetReplguids: get_replguids}
WRITES = {s.ReserveIds: reserve_ids, s.GetReplids: get_replids}
