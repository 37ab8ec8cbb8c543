"""Big values: what is too long for a bag is a content of its own (table `big_values`).

Part 0 is the message itself, part n + 1 its attachment n. Text is UTF-16LE without its end, the form in which streams
carry it ([MS-OXCPRPT] 2.2.14).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.objects import BIG, Spooled
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.types import PropType, PropValue, prop_type
from store.references import release_contents, share_contents
from store.sql import rows
from store.transaction import Transaction

TEXT = PropType.PtypString
STREAMED = frozenset((TEXT, PropType.PtypString8, PropType.PtypBinary, PropType.PtypObject))
"""Types whose values may be big."""


def part_of(num: int) -> int:
    """The part of attachment `num`, -1 being the message."""
    return num + 1


def octets(tag: int, value: PropValue) -> bytes | None:
    """A value in the form of streams, if it is of a type that has one."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass")
    return value if isinstance(value, bytes) and prop_type(tag) in STREAMED else None


def is_big(value: PropValue) -> bool:
    """Whether a value goes into `big_values`."""
    if isinstance(value, str):
        return len(value) * 2 > BIG
    return isinstance(value, bytes) and len(value) > BIG


def value_of(tag: int, data: bytes) -> PropValue:
    """The inverse of `octets`."""
    return data.decode("utf-16-le", "replace") if prop_type(tag) == TEXT else data


def put(tx: Transaction, did: int, part: int, tag: int, data: bytes) -> None:
    """Store or replace a big value."""
    drop(tx, did, part, (tag,))
    cid = tx.new_ids()
    tx.content.put(cid, data)
    _insert(tx, did, part, tag, cid, len(data))


def put_spooled(tx: Transaction, did: int, part: int, spooled: Spooled) -> None:
    """Store or replace a value that came in the spool. ecInvalidParam."""
    if prop_type(spooled.tag) not in STREAMED or spooled.offset < 0 or spooled.length < 0 or tx.write.spool_fd < 0:
        raise MapiError(Ec.ecInvalidParam, "spooled value")
    drop(tx, did, part, (spooled.tag,))
    cid = tx.new_ids()
    tx.content.put_spooled(cid, tx.write.spool_fd, spooled.offset, spooled.length)
    _insert(tx, did, part, spooled.tag, cid, spooled.length)


def _insert(tx: Transaction, did: int, part: int, tag: int, cid: int, size: int) -> None:
    tx.state.has_objects = True
    tx.db.execute("INSERT INTO big_values VALUES (?,?,?,?,?)", (did, part, tag, cid, size))


def settle(tx: Transaction, did: int, part: int, bag: Bag) -> None:
    """Move what is too long out of a bag, into `big_values`."""
    for tag in [tag for tag, value in bag.items() if is_big(value)]:
        data = octets(tag, bag[tag])
        if data is not None:
            put(tx, did, part, tag, data)
            del bag[tag]


def drop(tx: Transaction, did: int, part: int, tags: Iterable[int]) -> None:
    """Remove big values, as far as there are any."""
    if not tx.state.has_objects:
        return
    wanted = array("q", tags)
    if wanted:
        sql = "DELETE FROM big_values WHERE did=? AND part=? AND tag IN carray(?) RETURNING cid"
        release_contents(tx, [cid for (cid,) in rows(tx.db, sql, (did, part, apsw.carray(wanted)))])


def drop_part(tx: Transaction, did: int, part: int) -> None:
    """Remove all big values of the message itself or of an attachment."""
    sql = "DELETE FROM big_values WHERE did=? AND part=? RETURNING cid"
    release_contents(tx, [cid for (cid,) in rows(tx.db, sql, (did, part))])


def sizes(tx: Transaction, did: int, part: int) -> dict[int, int]:
    """Tag -> octets of the big values."""
    if not tx.state.has_objects:
        return {}
    return dict(rows(tx.db, "SELECT tag, size FROM big_values WHERE did=? AND part=?", (did, part)))


def load(tx: Transaction, did: int, part: int) -> Bag:
    """All big values of a part, whole."""
    if not tx.state.has_objects:
        return {}
    sql = "SELECT tag, cid FROM big_values WHERE did=? AND part=?"
    return {tag: value_of(tag, tx.content.get(cid)) for tag, cid in rows(tx.db, sql, (did, part))}


def copy_all(tx: Transaction, did: int, new: int) -> None:
    """Let another data row have the same big values."""
    if tx.state.has_objects:
        sql = "INSERT INTO big_values SELECT ?, part, tag, cid, size FROM big_values WHERE did=? RETURNING cid"
        share_contents(tx, [cid for (cid,) in rows(tx.db, sql, (new, did))])
