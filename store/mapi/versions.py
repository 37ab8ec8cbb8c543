"""Versions of a message that synchronisation brings: detecting and resolving conflicts ([MS-OXCFXICS] 3.1.5.6).

An imported message keeps the change key and predecessor change list it came with; PROP_CHANGE_CN says for which change
number they hold. Later changes are this mailbox's own and are added to the list when it is asked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.objects import Imported
from gromoxd.mapi import ids
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.ids import Pcl, Version, Xid
from gromoxd.mapi.proptags import (
    PROP_CHANGE_CN,
    PidTagChangeKey,
    PidTagLastModificationTime,
    PidTagPredecessorChangeList,
)
from store.mapi.identity import Identity
from store.sql import row, rows
from store.transaction import Transaction

LONGEST_KEY = 24
LONGEST_PCL = 16 << 10


class Versions(NamedTuple):
    """PidTagChangeKey and PidTagPredecessorChangeList of an object."""

    change_key: bytes
    pcl: Pcl


def of(identity: Identity, bag: Bag, cn: int) -> Versions:
    """The versions of an object with this bag and change number."""
    own = identity.change_key(cn)
    kept, key = bag.get(PidTagPredecessorChangeList), bag.get(PidTagChangeKey)
    if not isinstance(kept, bytes) or not isinstance(key, bytes):
        return Versions(own, ids.pcl_add({}, own))
    pcl = ids.pcl_decode(kept)
    if bag.get(PROP_CHANGE_CN) == cn:
        return Versions(key, pcl)
    return Versions(own, ids.pcl_add(pcl, own))


def given(imported: Imported) -> Versions:
    """The versions that a client gives. ecInvalidParam."""
    if len(imported.pcl) > LONGEST_PCL or len(imported.source_key) > LONGEST_KEY:
        raise MapiError(Ec.ecInvalidParam, "versions")
    try:
        Xid.decode(imported.change_key)
        return Versions(imported.change_key, ids.pcl_add(ids.pcl_decode(imported.pcl), imported.change_key))
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"versions: {error}") from error


def keep(bag: Bag, versions: Versions, cn: int) -> None:
    """Let an object have these versions at this change number."""
    bag[PidTagChangeKey] = versions.change_key
    bag[PidTagPredecessorChangeList] = ids.pcl_encode(versions.pcl)
    bag[PROP_CHANGE_CN] = cn


class Verdict(NamedTuple):
    """What is to be done: `take` the client's version, or leave the content; `versions` is what results.

    `version` is what the client's version is to the one that is here.
    """

    take: bool
    version: Version
    versions: Versions | None


def judge(identity: Identity, bag: Bag, cn: int, imported: Imported, received_nt: int = 0) -> Verdict:
    """Compare the client's version with the one that is here ([MS-OXCFXICS] 3.1.5.6.1, 3.1.5.6.2.2).

    `received_nt`: when a message that was never changed came.
    Whoever wins a conflict is the successor of both: of a loser here nothing is left, to a loser there the winner is a
    new change.
    """
    here, there = of(identity, bag, cn), given(imported)
    version = ids.compare(here.pcl, there.pcl)
    if version in (Version.EQUAL, Version.OLDER):
        return Verdict(False, version, None)
    if version is Version.NEWER:
        return Verdict(True, version, there)
    modified: Any = bag.get(PidTagLastModificationTime)
    local_time = modified if isinstance(modified, int) else received_nt
    merged = ids.pcl_merge(here.pcl, there.pcl)
    if ids.remote_wins(local_time, here.change_key, imported.modified_nt, there.change_key):
        return Verdict(True, version, Versions(there.change_key, merged))
    return Verdict(False, version, Versions(here.change_key, merged))


# ---------------------------------------------------------------------------------------------- source keys


def find(tx: Transaction, source_key: bytes) -> int:
    """The id that a source key stands for, 0 when it is another replica's and not known. ecInvalidParam."""
    if not 17 <= len(source_key) <= LONGEST_KEY:
        raise MapiError(Ec.ecInvalidParam, "source key")
    if tx.identity.is_own(source_key):
        return ids.gid_parse(source_key)[1]
    found = row(tx.db, "SELECT id FROM source_keys WHERE source_key=?", (source_key,))
    return found[0] if found else 0


def learn(tx: Transaction, source_key: bytes, id_: int) -> None:
    """Remember the source key of an object that was made elsewhere."""
    if source_key != tx.identity.source_key(id_):
        tx.db.execute("INSERT OR REPLACE INTO source_keys VALUES (?,?)", (source_key, id_))


def was_deleted(tx: Transaction, fid: int, mid: int) -> bool:
    """Whether a message that is not there was in a folder once, as far as that is remembered."""
    octets = mid.to_bytes(8, "little")
    found = rows(tx.db, "SELECT mids FROM tombstones WHERE fid=? AND instr(mids, ?)", (fid, octets))
    return any(octets == mids[at : at + 8] for (mids,) in found for at in range(0, len(mids), 8))
