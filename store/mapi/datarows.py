"""Data rows as they are changed: loading, copy-on-write, writing back.

Several messages may share a data row. Who wants to change one calls `own` first and gets a row that is his alone; its
attachments, big values and embedded messages are shared further on, content by content and row by row.
"""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.convert.mime import encode as encode_parts
from gromoxd.convert.mime import scan
from gromoxd.convert.searchtext import fold
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.calls import Digest
from gromoxd.mapi.bag import Bag, decode_bag, decode_bags, encode_bag, encode_bags
from gromoxd.mapi.proptags import PROP_COMPOSED, PROP_CREATOR, PidTagMessageClass, PidTagSubject
from store.access import Access
from store.mapi import values
from store.messages import INSERT_DATA
from store.references import is_shared, release, share_contents, share_data
from store.sql import row, rows
from store.transaction import Transaction

LOAD = "SELECT cid, props, recipients FROM message_data WHERE did=?"
UPDATE = "UPDATE message_data SET class=?, props=?, recipients=? WHERE did=?"
UPDATE_ALL = (
    "UPDATE message_data SET cid=?, from_key=?, to_key=?, cc_key=?, bcc_key=?, subject_key=?, envelope=?,"
    " bodystructure=?, parts=?, message_id=?, class=?, props=?, recipients=? WHERE did=?"
)
COLUMNS = (
    "from_key, to_key, cc_key, bcc_key, subject_key, envelope, bodystructure, parts, message_id, class, props,"
    " recipients"
)
NO_PARTS = encode_parts(scan(b""))


@dataclass(slots=True)
class Data:
    """A row of `message_data`. `cid` 0: without RFC 5322 form."""

    did: int
    cid: int
    props: Bag
    recipients: list[Bag]

    @property
    def message_class(self) -> str:
        kind = self.props.get(PidTagMessageClass)
        return kind if isinstance(kind, str) and kind else "IPM.Note"

    @property
    def referring(self) -> bool:
        """Whether bodies and attachments are in the RFC 5322 form: it was delivered, not made of properties."""
        return bool(self.cid) and not self.props.get(PROP_COMPOSED)


def load(tx: Transaction, did: int) -> Data:
    """A data row. ecNotFound."""
    found = row(tx.db, LOAD, (did,))
    if found is None:
        raise MapiError(Ec.ecNotFound, f"data {did}")
    cid, props, recipients = found
    return Data(did, cid, decode_bag(props), decode_bags(recipients))


def is_of(data: Data, actor: str) -> bool:
    """Whether a user made a message; nobody is known to be an anonymous client."""
    return bool(actor) and data.props.get(PROP_CREATOR) == actor


def sign(data: Data, access: Access) -> None:
    """Let a message be the actor's."""
    if access.actor and not access.is_system:
        data.props[PROP_CREATOR] = access.actor
    else:
        data.props.pop(PROP_CREATOR, None)


def make(tx: Transaction, did: int) -> Data:
    """A new row, without anything."""
    subject, parts, nothing = "", NO_PARTS, b""
    empty = (did, 0, "", "", "", "", subject, nothing, nothing, parts, "", "", encode_bag({}), encode_bags([]))
    tx.db.execute(INSERT_DATA, empty)
    return Data(did, 0, {}, [])


def own(tx: Transaction, data: Data) -> None:
    """Make sure that nobody else has this row."""
    if not is_shared(tx, data.did):
        return
    old, data.did = data.did, tx.new_ids()
    sql = f"INSERT INTO message_data (did, cid, {COLUMNS}) SELECT ?, cid, {COLUMNS} FROM message_data WHERE did=?"
    tx.db.execute(sql, (data.did, old))
    tx.db.execute("INSERT INTO attachments SELECT ?, num, props FROM attachments WHERE did=?", (data.did, old))
    if data.cid:
        share_contents(tx, [data.cid])
    values.copy_all(tx, old, data.did)
    if tx.state.has_objects:
        sql = "INSERT INTO embedded SELECT ?, num, child FROM embedded WHERE did=? RETURNING child"
        share_data(tx, [child for (child,) in rows(tx.db, sql, (data.did, old))])
    release(tx, [old])


def write(tx: Transaction, data: Data) -> None:
    """Write properties and recipients; what is too long becomes a big value."""
    values.settle(tx, data.did, 0, data.props)
    columns = (data.message_class, encode_bag(data.props), encode_bags(data.recipients), data.did)
    tx.db.execute(UPDATE, columns)


def write_unsourced(tx: Transaction, data: Data) -> None:
    """Write a message that has no RFC 5322 form."""
    write(tx, data)
    subject = data.props.get(PidTagSubject)
    key = fold(subject)[:4096] if isinstance(subject, str) else ""
    tx.db.execute("UPDATE message_data SET subject_key=? WHERE did=?", (key, data.did))


def write_sourced(tx: Transaction, data: Data, digest: Digest) -> None:
    """Write a message with a new RFC 5322 form, which is in place as `data.cid`."""
    values.settle(tx, data.did, 0, data.props)
    columns = (
        data.cid, digest.from_key, digest.to_key, digest.cc_key, digest.bcc_key, digest.subject_key, digest.envelope,
        digest.bodystructure, digest.parts, digest.message_id, data.message_class, encode_bag(data.props),
        encode_bags(data.recipients), data.did,
    )  # fmt: skip
    tx.db.execute(UPDATE_ALL, columns)


def attachment(tx: Transaction, did: int, num: int) -> Bag | None:
    """An attachment's properties, without big ones."""
    found = row(tx.db, "SELECT props FROM attachments WHERE did=? AND num=?", (did, num))
    return None if found is None else decode_bag(found[0])


def attachments(tx: Transaction, did: int) -> list[tuple[int, Bag]]:
    """(number, properties without big ones) of all attachments."""
    sql = "SELECT num, props FROM attachments WHERE did=? ORDER BY num"
    return [(num, decode_bag(props)) for num, props in rows(tx.db, sql, (did,))]


def put_attachment(tx: Transaction, did: int, num: int, bag: Bag) -> None:
    """Write an attachment's properties; what is too long becomes a big value."""
    values.settle(tx, did, values.part_of(num), bag)
    tx.db.execute("INSERT OR REPLACE INTO attachments VALUES (?,?,?)", (did, num, encode_bag(bag)))


def remove_attachment(tx: Transaction, did: int, num: int) -> None:
    """Remove an attachment with all it has."""
    tx.db.execute("DELETE FROM attachments WHERE did=? AND num=?", (did, num))
    if tx.state.has_objects:
        values.drop_part(tx, did, values.part_of(num))
        remove_child(tx, did, num)


def child_of(tx: Transaction, did: int, num: int) -> int:
    """The data row of the message embedded in an attachment, 0 when there is none."""
    if not tx.state.has_objects:
        return 0
    found = row(tx.db, "SELECT child FROM embedded WHERE did=? AND num=?", (did, num))
    return found[0] if found else 0


def put_child(tx: Transaction, did: int, num: int, child: int) -> None:
    """Embed a message, in place of the one that is there (which is not released)."""
    tx.state.has_objects = True
    tx.db.execute("INSERT OR REPLACE INTO embedded VALUES (?,?,?)", (did, num, child))


def remove_child(tx: Transaction, did: int, num: int) -> None:
    """Remove the message embedded in an attachment."""
    sql = "DELETE FROM embedded WHERE did=? AND num=? RETURNING child"
    release(tx, [child for (child,) in rows(tx.db, sql, (did, num))])


def size_of(tx: Transaction, did: int) -> int:
    """Octets of a message without RFC 5322 form, with all it has ([MS-OXCMSG] 2.2.1.7)."""
    sql = """
        SELECT (SELECT length(props) + length(recipients) FROM message_data WHERE did=?1)
          + ifnull((SELECT sum(length(props)) FROM attachments WHERE did=?1), 0)
          + ifnull((SELECT sum(size) FROM big_values WHERE did=?1), 0)"""
    size: int = row(tx.db, sql, (did,))[0]
    if tx.state.has_objects:
        children = rows(tx.db, "SELECT child FROM embedded WHERE did=?", (did,))
        size += sum(size_of(tx, child) for (child,) in children)
    return size
