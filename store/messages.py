"""Write calls on messages: append, copy, move, expunge (RFC 3501, 4315, 6851). Delivery: `store.mapi.delivering`."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable

import msgspec

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from gromoxd.exmdb.ranges import to_ranges
from gromoxd.mapi.bag import decode_bag, encode_bag
from gromoxd.mapi.proptags import PROP_CREATOR
from store import keywords, requests
from store.changes import Arrived, Gone, Origin, Pieces, Row
from store.flags import PAGE_SHIFT
from store.ranges import LAST_UID, checked, targets
from store.references import release, share_data
from store.sql import rows
from store.state import FolderRow
from store.transaction import Transaction

INSERT_MESSAGE = (
    "INSERT INTO messages (fid, uid, mid, flags, modseq, cn, size, received, sent, did) VALUES (?,?,?,?,?,?,?,?,?,?)"
)
INSERT_DATA = (
    "INSERT INTO message_data (did, cid, from_key, to_key, cc_key, bcc_key, subject_key, envelope, bodystructure,"
    " parts, message_id, class, props, recipients) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)"
)


def append(tx: Transaction, call: c.Append) -> c.Stored:
    """calls.Append."""
    earlier = requests.known(tx, call.request_id, c.Stored)
    if earlier is not None:
        return earlier
    row = tx.state.folder(call.fid)
    check_quota(tx, call.message.digest.size, receiving=False)
    stored = store(tx, row, call.message if tx.access.everything else _signed(call.message, tx.access.actor))
    requests.remember(tx, call.request_id, stored)
    return stored


def _signed(new: c.NewMessage, actor: str) -> c.NewMessage:
    """A message that says who made it, for the right to edit and delete one's own."""
    try:
        props = encode_bag(decode_bag(new.digest.props) | {PROP_CREATOR: actor})
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"digest: {error}") from error
    return msgspec.structs.replace(new, digest=msgspec.structs.replace(new.digest, props=props))


def check_quota(tx: Transaction, size: int, *, receiving: bool) -> None:
    """ecQuotaExceeded when `size` more bytes do not fit. The storage quota also bounds what is received."""
    state, settings = tx.state, tx.settings
    limits = [settings.quota_storage_default if state.quota_storage is None else state.quota_storage]
    if receiving:
        limits.append(settings.quota_receive_default if state.quota_receive is None else state.quota_receive)
    wanted = state.size + size if any(limits) else 0
    if any(limit and wanted > limit for limit in limits):
        raise MapiError(Ec.ecQuotaExceeded, "mailbox is full")


def store(tx: Transaction, row: FolderRow, new: c.NewMessage) -> c.Stored:
    """Put a new message into a folder."""
    digest = new.digest if not new.digest.names else _own_names(tx, new.digest)
    keywords.check(new.keywords)
    check_room(row, 1)
    mid, cn, uid = tx.new_ids(), tx.new_cns(), row.uidnext
    tx.content.add(mid, new, tx.write.spool_fd)
    flags = new.flags & pages.SYSTEM_MASK
    if new.keywords:
        flags |= keywords.intern(tx, new.keywords) << pages.KEYWORD_SHIFT
    received = min(max(new.received, 0), 0xFFFFFFFF)
    sent = min(max(digest.sent, -(1 << 31)), (1 << 31) - 1)
    tx.db.execute(
        INSERT_DATA,
        (
            mid, mid, digest.from_key, digest.to_key, digest.cc_key, digest.bcc_key, digest.subject_key,
            digest.envelope, digest.bodystructure, digest.parts, digest.message_id, digest.message_class,
            digest.props, digest.recipients,
        ),
    )  # fmt: skip
    if digest.attachments:
        bags = ((mid, number, props) for number, props in enumerate(digest.attachments))
        tx.db.executemany("INSERT INTO attachments VALUES (?,?,?)", bags)
    tx.db.execute(INSERT_MESSAGE, (row.fid, uid, mid, flags, cn, cn, digest.size, received, sent, mid))
    arrived(tx, row, [Row(uid, flags, digest.size, received, sent, cn, mid)])
    tx.effects.pieces.append(Pieces(row.fid, mid, uid, digest.envelope, digest.bodystructure))
    return c.Stored(row.fid, row.uidvalidity, uid, mid, cn)


def _own_names(tx: Transaction, digest: c.Digest) -> c.Digest:
    """A digest whose named properties have the mailbox's ids."""
    from store.mapi.partitems import settled

    try:
        return settled(tx, digest)
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"digest: {error}") from error


def check_room(row: FolderRow, count: int) -> None:
    """ecStorageFull when a folder has no uids for so many messages."""
    if row.uidnext + count > LAST_UID:
        raise MapiError(Ec.ecStorageFull, "uids are used up")


def arrived(tx: Transaction, row: FolderRow, new: list[Row]) -> None:
    """Account for messages that were inserted, with the folder's next uids."""
    cn = new[-1].modseq
    row.uidnext += len(new)
    row.messages += len(new)
    row.size += sum(r.size for r in new)
    row.unseen += sum(not r.flags & pages.SEEN for r in new)
    row.cn = cn
    _touch_pages(tx, row, (r.uid for r in new), 1, cn)
    tx.changed(Arrived(row.fid, cn, new))
    tx.touch(row)


def _touch_pages(tx: Transaction, row: FolderRow, uids: Iterable[int], delta: int, cn: int) -> None:
    for number, count in Counter(uid >> PAGE_SHIFT for uid in uids).items():
        tx.touch_page(row.fid, number, delta * count, cn)


# ---------------------------------------------------------------------------------------------- copy and move

Copying = tuple[int, int, int, int, int, int, int]
COPIED = "uid, flags, size, received, sent, did, mid"


def copy_messages(tx: Transaction, call: c.CopyMessages) -> c.Copied:
    """calls.CopyMessages."""
    earlier = requests.known(tx, call.request_id, c.Copied)
    if earlier is not None:
        return earlier
    source, destination = tx.state.folder(call.fid), tx.state.folder(call.destination)
    chosen: list[Copying] = []
    for target in targets(checked(call.uids), source.uidnext):
        sql = f"SELECT {COPIED} FROM messages WHERE fid=? AND {target.where} ORDER BY uid"
        chosen += rows(tx.db, sql, (source.fid, *target.args))
    if not chosen:
        return c.Copied(destination.uidvalidity, [], [], 0)
    chosen.sort()
    check_room(destination, len(chosen))
    if call.move:
        copied = _move(tx, source, destination, chosen)
    else:
        check_quota(tx, sum(row[2] for row in chosen), receiving=False)
        copied = _copy(tx, source, destination, chosen)
    requests.remember(tx, call.request_id, copied)
    return copied


def _copy(tx: Transaction, source: FolderRow, destination: FolderRow, chosen: list[Copying]) -> c.Copied:
    _insert(tx, source, destination, chosen, moved=False)
    share_data(tx, (row[5] for row in chosen))
    return _copied(destination, chosen)


def copy_rows(tx: Transaction, source: FolderRow, destination: FolderRow) -> None:
    """Copy all messages of a folder that IMAP sees; nothing is checked but room for uids."""
    sql = f"SELECT {COPIED} FROM messages WHERE fid=? ORDER BY uid"
    chosen: list[Copying] = rows(tx.db, sql, (source.fid,))
    if chosen:
        check_room(destination, len(chosen))
        _copy(tx, source, destination, chosen)


def _move(tx: Transaction, source: FolderRow, destination: FolderRow, chosen: list[Copying]) -> c.Copied:
    """The messages get new ids, as [MS-OXCFXICS] wants of objects that are moved; their data stays where it is."""
    doomed = to_ranges(row[0] for row in chosen)
    gone: list[Doomed] = []
    for target in targets(doomed, source.uidnext):
        gone += _select(tx, source, target.where, target.args, "")
    _insert(tx, source, destination, chosen, moved=True)
    remove(tx, source, sorted(gone), tx.new_cns())
    return _copied(destination, chosen, tx.state.cn)


def _insert(tx: Transaction, source: FolderRow, destination: FolderRow, chosen: list[Copying], *, moved: bool) -> None:
    count, fid, uid = len(chosen), destination.fid, destination.uidnext
    mid, cn = tx.new_ids(count), tx.new_cns(count)
    tx.db.executemany(
        INSERT_MESSAGE,
        (
            (fid, uid + i, mid + i, flags, cn + i, cn + i, size, received, sent, did)
            for i, (_, flags, size, received, sent, did, _) in enumerate(chosen)
        ),
    )
    new = [
        Row(uid + i, flags, size, received, sent, cn + i, mid + i)
        for i, (_, flags, size, received, sent, _, _) in enumerate(chosen)
    ]
    arrived(tx, destination, new)
    mids = list(range(mid, mid + count))
    tx.effects.origins.append(Origin(fid, mids, source.fid, [row[6] for row in chosen], moved))


def _copied(destination: FolderRow, chosen: list[Copying], cn: int = 0) -> c.Copied:
    """The answer; the copies have the destination's last uids."""
    first = destination.uidnext - len(chosen)
    source = to_ranges(row[0] for row in chosen)
    return c.Copied(destination.uidvalidity, source, [(first, destination.uidnext - 1)], cn or destination.cn)


# ---------------------------------------------------------------------------------------------- expunge

Doomed = tuple[int, int, int, int, int]
"""uid, mid, flags, size, did."""


def expunge(tx: Transaction, call: c.Expunge) -> c.Expunged:
    """calls.Expunge."""
    row = tx.state.folder(call.fid)
    condition = f" AND flags & {pages.DELETED}" if call.deleted_only else ""
    doomed: list[Doomed] = []
    for target in targets(checked(call.uids), row.uidnext):
        doomed += _select(tx, row, target.where, target.args, condition)
    if not doomed:
        return c.Expunged([], 0)
    doomed.sort()
    cn = tx.new_cns()
    release(tx, [did for *_, did in doomed])
    if tx.public:
        tx.db.executemany("DELETE FROM read_states WHERE mid=?", [(mid,) for _, mid, *_ in doomed])
    return c.Expunged(remove(tx, row, doomed, cn), cn)


def _select(tx: Transaction, row: FolderRow, where: str, args: tuple[object, ...], condition: str) -> list[Doomed]:
    sql = f"SELECT uid, mid, flags, size, did FROM messages WHERE fid=? AND {where}{condition}"
    return rows(tx.db, sql, (row.fid, *args))


def remove(
    tx: Transaction, row: FolderRow, doomed: list[Doomed], cn: int, *, stays: bool = False, others: Iterable[int] = ()
) -> c.Ranges:
    """Remove message rows and leave a tombstone; `doomed` ascends. Their data is not touched.

    `stays`: only their uids go, the messages themselves do not: they are about to get new ones. `others`: ids of
    messages without uids that go, too.
    """
    ranges = to_ranges(d[0] for d in doomed)
    for target in targets(ranges, row.uidnext):
        tx.db.execute(f"DELETE FROM messages WHERE fid=? AND {target.where}", (row.fid, *target.args))
    uids = array("I", [uid for pair in ranges for uid in pair]).tobytes()
    mids = b"" if stays else array("Q", [*(d[1] for d in doomed), *others]).tobytes()
    tx.db.execute("INSERT INTO tombstones VALUES (?,?,?,?,?)", (row.fid, cn, tx.now, uids, mids))
    row.messages -= len(doomed)
    row.size -= sum(d[3] for d in doomed)
    row.unseen -= sum(not d[2] & pages.SEEN for d in doomed)
    row.cn = cn
    _touch_pages(tx, row, (d[0] for d in doomed), -1, cn)
    tx.changed(Gone(row.fid, cn, ranges))
    tx.touch(row)
    return ranges
