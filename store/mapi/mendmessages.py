"""Mending messages: their rows, their data, the octets that they refer to, and what counts the references."""

from __future__ import annotations

import os
from array import array
from itertools import islice
from typing import Any, Final

import apsw

from gromoxd.convert.attachments import BY_VALUE, EMBEDDED_MESSAGE
from gromoxd.convert.digest import NO_DATE, digest_message
from gromoxd.errors import MapiError
from gromoxd.exmdb.pages import SEEN
from gromoxd.exmdb.upkeepcalls import Fault
from gromoxd.mapi.bag import encode_bag
from gromoxd.mapi.proptags import (
    PidTagAttachMethod,
    PidTagBody,
    PidTagMessageClass,
    PidTagMessageDeliveryTime,
    PidTagSubject,
)
from gromoxd.mapi.times import filetime
from store.mapi import datarows, partitems, source
from store.mapi import faults as f
from store.mapi import rows as r
from store.mapi.filefaults import PIECE_OCTETS, leftovers
from store.mapi.mendfolders import home_of, refresh
from store.messages import INSERT_DATA
from store.sql import row as one
from store.sql import rows
from store.transaction import Transaction

LOST_SUBJECT = "(lost message)"
LOST_BODY = "The contents of this message were lost."
SOURCE_SIZE = "SELECT length(c.head) + c.size FROM message_data d JOIN content c USING (cid) WHERE did=?"
"""PidTagAttachMethod ([MS-OXCMSG] 2.2.2.9)."""

# ---------------------------------------------------------------------------------------------- rows


def _change(tx: Transaction, table: str, found: list[Fault], assignments: str, *args: object) -> list[Fault]:
    """Change the rows of messages by id; each takes a change number."""
    cn = tx.new_cns()
    sql = f"UPDATE {table} SET {assignments}, cn={cn}, modseq={cn} WHERE mid=?"
    tx.db.executemany(sql, [(*args, fault.id) for fault in found])
    refresh(tx, (fault.fid for fault in found))
    return found


def new_ids(table: str) -> Any:
    """Give messages other ids."""

    def mend(tx: Transaction, found: list[Fault]) -> list[Fault]:
        cn = tx.new_cns()
        for fault in found:
            mid = tx.new_ids()
            tx.db.execute(f"UPDATE {table} SET mid=?, cn=?, modseq=? WHERE mid=?", (mid, cn, cn, fault.id))
        refresh(tx, (fault.fid for fault in found))
        return found

    return mend


def uids(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Messages with a uid that cannot be get the next one; `id` is the uid."""
    cn = tx.new_cns()
    for fault in found:
        folder = tx.state.folders[fault.fid]
        sql = "UPDATE messages SET uid=?, cn=?, modseq=? WHERE fid=? AND uid=?"
        tx.db.execute(sql, (folder.uidnext, cn, cn, fault.fid, fault.id))
        folder.uidnext += 1
    refresh(tx, (fault.fid for fault in found))
    return found


def kinds(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Unlisted messages of no kind are deleted ones, from now on."""
    return _change(tx, "unlisted", found, "kind=?, time=?", r.DELETED, tx.now)


def keyword_sets(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Empty sets in the place of those that are missing."""
    last = found[0].id
    if last > tx.settings.most_keyword_sets:
        return []
    tx.db.executemany("INSERT OR IGNORE INTO keyword_sets VALUES (?,'[]')", [(id_,) for id_ in range(last + 1)])
    tx.flush()
    tx.state.load()
    tx.counters_changed()
    tx.effects.keywords = True
    return found


def flags(table: str) -> Any:
    """Keywords that nobody knows are gone; system flags stay."""
    return lambda tx, found: _change(tx, table, found, "flags = flags & 255")


def times(table: str) -> Any:
    """Times within their ranges."""
    return lambda tx, found: _change(
        tx, table, found,
        "received = min(max(CAST(received AS INTEGER), 0), 0xFFFFFFFF),"
        " sent = min(max(CAST(sent AS INTEGER), -0x80000000), 0x7FFFFFFF)",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- lost and found


def lost_data(table: str) -> Any:
    """Make data rows anew: of the RFC 5322 form when it is there, else empty ones. Their messages change."""

    def mend(tx: Transaction, found: list[Fault]) -> list[Fault]:
        done: list[Fault] = []
        read = 0
        for fault in found:
            if read > PIECE_OCTETS:
                break
            did, received = one(tx.db, f"SELECT did, received FROM {table} WHERE mid=?", (fault.id,))
            size = _made_of_source(tx, did, did, received) or _made_empty(tx, did, received)
            tx.db.execute(f"UPDATE {table} SET size=? WHERE did=?", (size, did))
            read += size
            done.append(fault)
        _change(tx, table, done, "mid=mid")
        return done

    return mend


def _made_of_source(tx: Transaction, did: int, cid: int, received: int) -> int:
    """A data row, if there is none, for an RFC 5322 form; answers its size, 0 when it is none or not to be read."""
    found = one(tx.db, "SELECT length(head) FROM content WHERE cid=?", (cid,))
    if found is None or not found[0]:
        return 0
    try:
        raw = tx.content.get(cid)
    except (MapiError, OSError, ValueError):
        return 0
    if one(tx.db, "SELECT 1 FROM message_data WHERE did=?", (did,)) is not None:
        return len(raw)
    digest = digest_message(raw, received=received)
    if digest.names:
        digest = partitems.settled(tx, digest)
    tx.db.execute(INSERT_DATA, (
        did, cid, digest.from_key, digest.to_key, digest.cc_key, digest.bcc_key, digest.subject_key, digest.envelope,
        digest.bodystructure, digest.parts, digest.message_id, digest.message_class, digest.props, digest.recipients,
    ))  # fmt: skip
    bags = ((did, number, props) for number, props in enumerate(digest.attachments))
    tx.db.executemany("INSERT OR IGNORE INTO attachments VALUES (?,?,?)", bags)
    return len(raw)


def _made_empty(tx: Transaction, did: int, received: int) -> int:
    """A data row, if there is none, that says that nothing is left; answers the size of its RFC 5322 form."""
    found = one(tx.db, SOURCE_SIZE, (did,))
    if found is not None:
        return int(found[0])
    data = datarows.make(tx, did)
    data.props |= {
        PidTagMessageClass: "IPM.Note", PidTagSubject: LOST_SUBJECT, PidTagBody: LOST_BODY,
        PidTagMessageDeliveryTime: filetime(received),
    }  # fmt: skip
    made = source.make(tx, data, received)
    datarows.write_sourced(tx, data, made.digest)
    return made.digest.size


def _bring_back(tx: Transaction, did: int, size: int) -> None:
    """Let a data row be a soft-deleted message."""
    mid, cn = tx.new_ids(), tx.new_cns()
    tx.db.execute(
        r.INSERT_UNLISTED,
        (mid, home_of(tx), r.DELETED, SEEN, cn, cn, size, tx.now, NO_DATE, did, tx.now),
    )


def orphans(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Data rows of no message become soft-deleted ones."""
    for fault in found:
        size = one(tx.db, SOURCE_SIZE, (fault.id,))
        _bring_back(tx, fault.id, size[0] if size else datarows.size_of(tx, fault.id))
    return found


def contents(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Messages that have nothing but their octets become soft-deleted ones; other octets of nothing go."""
    done: list[Fault] = []
    read = 0
    for fault in found:
        if read > PIECE_OCTETS:
            break
        did = tx.new_ids()
        size = _made_of_source(tx, did, fault.id, tx.now)
        if size:
            _bring_back(tx, did, size)
        else:
            sql = "DELETE FROM content WHERE cid=? RETURNING hash"
            tx.content.released(digest for (digest,) in rows(tx.db, sql, (fault.id,)))
        read += size
        done.append(fault)
    return done


def unused_files(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """Files of nothing go, content files when this transaction is over."""
    for left in islice(leftovers(f.Checked(tx.db, tx.public, tx.content.folder)), len(found)):
        if left.digest:
            tx.content.released([left.digest])
        else:
            os.unlink(left.path)
    return found


# ---------------------------------------------------------------------------------------------- parts


def _remove(table: str) -> Any:
    """Parts of a data row that does not exist."""

    def mend(tx: Transaction, found: list[Fault]) -> list[Fault]:
        tx.db.executemany(f"DELETE FROM {table} WHERE did=?", [(fault.id,) for fault in found])
        return found

    return mend


def children(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """References to embedded messages that do not exist."""
    sql = "DELETE FROM embedded WHERE did=? AND child NOT IN (SELECT did FROM message_data)"
    tx.db.executemany(sql, [(fault.id,) for fault in found])
    return found


def circles(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """A message that is embedded in itself, at whatever depth, is so no more."""
    sql = """
        WITH RECURSIVE below(did, num, at) AS (
          SELECT did, num, child FROM embedded WHERE did=?1
          UNION SELECT b.did, b.num, e.child FROM below b JOIN embedded e ON e.did = b.at
        ) DELETE FROM embedded WHERE did=?1 AND num IN (SELECT num FROM below WHERE at=?1)"""
    for fault in found:
        tx.db.execute(sql, (fault.id,))
    return found


def attachments(table: str, number: str, method: int) -> Any:
    """Attachments for what is attached nowhere."""
    bag = encode_bag({PidTagAttachMethod: method})
    sql = f"""
        INSERT OR IGNORE INTO attachments SELECT did, {number}, ? FROM {table} t WHERE did=? AND {number} >= 0
          AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.did = t.did AND a.num = {number})"""

    def mend(tx: Transaction, found: list[Fault]) -> list[Fault]:
        tx.db.executemany(sql, [(bag, fault.id) for fault in found])
        return found

    return mend


# ---------------------------------------------------------------------------------------------- counts


def references(table: str, key: str, used: str) -> Any:
    """Count references anew."""

    def mend(tx: Transaction, found: list[Fault]) -> list[Fault]:
        ids = array("q", [fault.id for fault in found])
        tx.db.execute(f"DELETE FROM {table} WHERE {key} IN carray(?)", (apsw.carray(ids),))
        tx.db.execute(
            f"INSERT INTO {table} SELECT {key}, count(*) FROM ({used}) WHERE {key} IN carray(?) GROUP BY 1"
            " HAVING count(*) > 1",
            (apsw.carray(ids),),
        )
        tx.flush()
        tx.state.load()
        tx.counters_changed()
        return found

    return mend


def sizes(table: str) -> Any:
    """The size is that of the RFC 5322 form."""
    return lambda tx, found: _change(
        tx, table, found,
        f"size = (SELECT length(c.head) + c.size FROM message_data d JOIN content c USING (cid)"
        f" WHERE d.did = {table}.did)",
    )  # fmt: skip


def unsourced_sizes(table: str) -> Any:
    """The size of a message without RFC 5322 form is that of all it has."""

    def mend(tx: Transaction, found: list[Fault]) -> list[Fault]:
        for fault in found:
            did = one(tx.db, f"SELECT did FROM {table} WHERE mid=?", (fault.id,))[0]
            tx.db.execute(f"UPDATE {table} SET size=? WHERE mid=?", (datarows.size_of(tx, did), fault.id))
        return _change(tx, table, found, "mid=mid")

    return mend


def value_sizes(tx: Transaction, found: list[Fault]) -> list[Fault]:
    """The size of a long value is that of its octets."""
    sql = "UPDATE big_values SET size = ifnull((SELECT c.size FROM content c WHERE c.cid = big_values.cid), size)"
    tx.db.executemany(f"{sql} WHERE did=?", [(fault.id,) for fault in found])
    return found


MENDS: Final[dict[str, dict[str, Any]]] = {
    "ids": {"twice": new_ids("unlisted"), "messages": new_ids("messages"), "unlisted": new_ids("unlisted")},
    "rows": {
        "keywords": keyword_sets, "uid": uids, "kind": kinds, "flags": flags("messages"),
        "unlisted-flags": flags("unlisted"), "times": times("messages"), "unlisted-times": times("unlisted"),
    },
    "data": {"messages": lost_data("messages"), "unlisted": lost_data("unlisted")},
    "parts": {
        "attachments": _remove("attachments"), "embedded": _remove("embedded"), "values": _remove("big_values"),
        "children": children, "circles": circles, "embedded-in": attachments("embedded", "t.num", EMBEDDED_MESSAGE),
        "values-of": attachments("big_values", "t.part - 1", BY_VALUE),
    },
    "orphans": {"": orphans},
    "contents": {"": contents},
    "data-refs": {"": references("data_refs", "did", f.USED_DATA)},
    "content-refs": {"": references("content_refs", "cid", f.USED_CONTENTS)},
    "sizes": {
        "messages": sizes("messages"), "unlisted": sizes("unlisted"), "value": value_sizes,
        "range": unsourced_sizes("messages"), "unlisted-range": unsourced_sizes("unlisted"),
    },
    "leftovers": {"": unused_files},
}  # fmt: skip
"""As `store.mapi.mending.MENDS`."""
