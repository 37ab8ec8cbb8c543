"""Mail that leaves the mailbox: the table `outgoing`, from which the relay takes it (gromoxd.exmdb.outgoing).

`send` is what everything that sends calls, in the transaction that decides to send.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb.calls import Done
from store import references, sql
from store.content import ContentReader
from store.mapi.checking import require_system
from store.transaction import Handler, Transaction

MOST, MOST_OCTETS, LONGEST_READ = 1000, 8 << 20, 1 << 20
log = logging.getLogger(__name__)
LONGEST_ADDRESS = 320
PLAIN: Final = g.Options()
_INSERT = (
    "INSERT INTO outgoing (id, due, mid, sender, recipients, options, cid, offset, head) VALUES (?,?,?,?,?,?,?,?,?)"
)
_DUE = (
    "SELECT o.id, o.due, o.mid, o.sender, o.recipients, o.options, length(o.head)"
    " + CASE o.cid WHEN 0 THEN 0 ELSE ifnull(length(c.head) + c.size - o.offset, 0) END"
    " FROM outgoing o LEFT JOIN content c ON c.cid = o.cid WHERE o.due <= ? ORDER BY o.id LIMIT ?"
)
_ONE = (
    "SELECT o.head, o.cid, o.offset, c.head, c.kind, c.hash, c.size, c.body"
    " FROM outgoing o LEFT JOIN content c ON c.cid = o.cid WHERE o.id=?"
)
_ADDRESS = re.compile(r"[^\s<>\x00-\x20\x7f]+@[^\s<>@\x00-\x20\x7f]+")


def is_address(text: str) -> bool:
    """Whether an envelope can have this address (RFC 5321 4.1.2, RFC 6531 3.3); quoted local parts without spaces."""
    return len(text) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(text) is not None


def send(
    tx: Transaction,
    *,
    sender: str,
    recipients: Sequence[str],
    raw: bytes = b"",
    head: bytes = b"",
    cid: int = 0,
    offset: int = 0,
    due: int = 0,
    mid: int = 0,
    options: g.Options = PLAIN,
) -> int:
    """Send a mail once the running transaction is committed; answers its id in the table.

    The octets are `raw`, or else `head` and the content `cid` (the source of a message) from `offset` on, which gets
    one reference more and is not copied. They end lines with CRLF and have no Bcc. `sender` '': the null sender
    (RFC 5321 4.5.5). `due`: Unix time before which it is not sent, 0: at once. `mid`: the message that a client
    submitted. ecInvalidParam: no recipient, or one that is no address; ecMaxSubmissionExceeded: too many.
    """
    wanted = list(dict.fromkeys(recipients))
    if not wanted or not all(map(is_address, wanted)) or (sender and not is_address(sender)):
        raise MapiError(Ec.ecInvalidParam, "addresses of an outgoing mail")
    if len(wanted) > tx.settings.submit_recipients_max:
        raise MapiError(Ec.ecMaxSubmissionExceeded, f"{len(wanted)} recipients")
    id_ = tx.new_ids()
    if raw:
        head, cid, offset = b"", tx.new_ids(), 0
        tx.content.put(cid, raw)
    elif cid:
        references.share_contents(tx, [cid])
    tx.outbox.mark()
    options = msgspec.structs.replace(options, token=os.urandom(16))
    encode = msgspec.msgpack.encode
    tx.db.execute(_INSERT, (id_, due, mid, sender, encode(wanted), encode(options), cid, offset, head))
    tx.effects.outgoing = True
    return id_


def opened(tx: Transaction) -> None:
    """When the mailbox is opened: what waits is not forgotten, whoever put it there.

    What is due the relay may have got from whoever had the mailbox open before.
    """
    waiting = sql.rows(tx.db, "SELECT id, due FROM outgoing")
    if waiting:
        tx.handed = {id_ for id_, due in waiting if due <= tx.clock()}
        tx.outbox.mark()
        tx.outbox.poke()


# ---------------------------------------------------------------------------------------------- calls


def get_outgoing(tx: Transaction, call: g.GetOutgoing) -> g.OutgoingMail:
    """gromoxd.exmdb.outgoing.GetOutgoing; on the writer, so that `AbortSubmit` comes before or after it."""
    require_system(tx.access.is_system)
    limit = min(max(call.limit, 1), MOST)
    now = int(tx.clock())
    mails: list[g.Outgoing] = []
    room = min(max(call.octets, 0), MOST_OCTETS)
    found = sql.rows(tx.db, _DUE, (now, limit + 1))
    for id_, due, mid, sender, recipients, options, size in found[:limit]:
        if mails and size > room:
            break
        try:
            raw = _part(tx, id_, 0, size) if size <= room else b""
        except MapiError:
            log.exception("octets of an outgoing mail are missing", extra={"id": id_})
            size, raw = -1, b""
        room -= len(raw)
        mails.append(g.Outgoing(
            id_, due, mid, sender, msgspec.msgpack.decode(recipients, type=list[str]),
            msgspec.msgpack.decode(options, type=g.Options), size, raw,
        ))  # fmt: skip
    tx.handed.update(mail.id for mail in mails)
    later = sql.row(tx.db, "SELECT ifnull(min(due), 0) FROM outgoing WHERE due > ?", (now,))[0]
    return g.OutgoingMail(tx.identity.owner, mails, later, len(found) > len(mails))


def read_outgoing(tx: Transaction, call: g.ReadOutgoing) -> bytes:
    """gromoxd.exmdb.outgoing.ReadOutgoing."""
    require_system(tx.access.is_system)
    if not 0 <= call.offset < 1 << 40 or not 0 <= call.length <= LONGEST_READ:
        raise MapiError(Ec.ecInvalidParam, "offset or length")
    return _part(tx, call.id, call.offset, call.length)


def _part(tx: Transaction, id_: int, start: int, length: int) -> bytes:
    """Some octets of a mail. ecNotFound."""
    found = sql.row(tx.db, _ONE, (id_,))
    if found is None:
        raise MapiError(Ec.ecNotFound, f"outgoing mail {id_}")
    head, cid, offset, source_head, kind, digest, size, body = found
    if cid and source_head is None:
        raise MapiError(Ec.ecNotFound, f"content {cid} of outgoing mail {id_}")
    before = head + source_head[offset:] if cid else head
    part: bytes = before[start : start + length]
    if not cid or len(part) == length:
        return part
    at = max(0, offset - len(source_head)) + max(0, start - len(before))
    try:
        return part + ContentReader(tx.content.folder).part(kind, digest, size, body, at, length - len(part))
    except FileNotFoundError as error:
        raise MapiError(Ec.ecNotFound, f"content {cid} of outgoing mail {id_}") from error


def outgoing_taken(tx: Transaction, call: g.OutgoingTaken) -> Done:
    """gromoxd.exmdb.outgoing.OutgoingTaken."""
    from store.mapi import submitting  # which sends, too

    require_system(tx.access.is_system)
    for ids, taken in ((call.ids, True), (call.refused, False)):
        for id_ in ids[:MOST]:
            gone = drop(tx, id_)
            if gone is not None and gone[0]:
                submitting.left(tx, *gone, taken=taken)
    if not call.ids and not call.refused and sql.row(tx.db, "SELECT 1 FROM outgoing LIMIT 1") is None:
        tx.effects.nothing_outgoing = True
    return Done(tx.state.cn)


def drop(tx: Transaction, id_: int) -> tuple[int, g.Options] | None:
    """Remove a row; answers the message that was submitted and the options, None when there is no such row."""
    found = sql.row(tx.db, "DELETE FROM outgoing WHERE id=? RETURNING mid, cid, options", (id_,))
    tx.handed.discard(id_)
    if found is None:
        return None
    mid, cid, options = found
    references.release_contents(tx, [cid] if cid else [])
    return mid, msgspec.msgpack.decode(options, type=g.Options)


WRITES: Final[dict[type[Any], Handler]] = {g.OutgoingTaken: outgoing_taken}
ALONE: Final[dict[type[Any], Handler]] = {g.GetOutgoing: get_outgoing, g.ReadOutgoing: read_outgoing}
