"""SaveMessage: a message is made or changed ([MS-OXCMSG] 3.2.5.3, [MS-OXCFXICS] 3.2.5.9.4.2).

A change that alters the RFC 5322 form gives a message a new uid, for IMAP's messages never change (RFC 9051 2.3.1.1);
its id stays. Other changes keep both.
"""

from __future__ import annotations

from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.pages import DRAFT, SEEN
from gromoxd.mapi.proptags import (
    PROP_CREATOR,
    PidTagLastModificationTime,
    PidTagMessageFlags,
)
from gromoxd.mapi.times import filetime
from store import messages, requests
from store.access import CREATE, EDIT_ANY, EDIT_OWNED
from store.changes import Flagged, Pieces
from store.changes import Row as IndexRow
from store.flags import PAGE_SHIFT
from store.mapi import applying, datarows, rows, source
from store.mapi.datarows import Data
from store.mapi.marks import MARKS, MF_EVER_READ, MF_KEPT, MF_UNMODIFIED, mark
from store.mapi.rows import ASSOCIATED, Row
from store.state import FolderRow
from store.transaction import Handler, Transaction

INSERT_UNLISTED = (
    "INSERT INTO unlisted (mid, fid, kind, flags, modseq, cn, size, received, sent, did, time)"
    " VALUES (?,?,?,?,?,?,?,?,?,?,?)"
)


def save_message(tx: Transaction, call: o.SaveMessage) -> o.Saved:
    """objects.SaveMessage."""
    earlier = requests.known(tx, call.request_id, o.Saved)
    if earlier is not None:
        return earlier
    folder = tx.state.folder(call.fid)
    row = _existing(tx, call)
    saved = _create(tx, call, folder) if row is None else _change(tx, call, folder, row)
    requests.remember(tx, call.request_id, saved)
    return saved


def _existing(tx: Transaction, call: o.SaveMessage) -> Row | None:
    """The message that is changed. ecNotFound, ecObjectDeleted, ecInvalidParam."""
    if not call.mid:
        return None
    row = rows.look_up(tx.db, call.mid)
    if row is None:
        if call.base_cn or call.mid >= tx.state.next_id or call.mid in tx.state.folders:
            raise MapiError(Ec.ecNotFound, f"message {call.mid:#x}")
        return None
    if row.fid != call.fid:
        raise MapiError(Ec.ecNotFound, f"message {call.mid:#x} in folder {call.fid:#x}")
    if row.deleted:
        raise MapiError(Ec.ecObjectDeleted, f"message {call.mid:#x}")
    return row


# ---------------------------------------------------------------------------------------------- a new message


def _create(tx: Transaction, call: o.SaveMessage, folder: FolderRow) -> o.Saved:
    tx.access.require(folder.fid, CREATE)
    mid = call.mid or tx.new_ids()
    data = datarows.make(tx, tx.new_ids() if call.mid else mid)
    edit = applying.prepare(tx, data, call.changes, call.spooled)
    word = _first_word(tx, call, data, edit)
    applying.apply(tx, data, edit)
    applying.defaults(tx, data)
    data.props[PROP_CREATOR] = tx.access.actor
    cn = tx.new_cns()
    if call.associated:
        return _create_associated(tx, folder, mid, data, word, cn)
    made = source.make(tx, data, tx.now)
    datarows.write_sourced(tx, data, made.digest)
    messages.check_quota(tx, made.digest.size, receiving=False)
    uid = _list(tx, folder, mid, data, made.digest, word, cn, tx.now)
    return o.Saved(folder.fid, mid, uid, cn)


def _first_word(tx: Transaction, call: o.SaveMessage, data: Data, edit: applying.Edit) -> int:
    """The flags word of a new message: read and unsent unless its maker says otherwise ([MS-OXCMSG] 3.2.5.2)."""
    marks = {tag: edit.put.pop(tag) for tag in MARKS & edit.put.keys()}
    data.props[PidTagMessageFlags] = MF_UNMODIFIED | MF_EVER_READ
    word = mark(tx, SEEN if call.associated else SEEN | DRAFT, data.props, marks, ())
    if PidTagMessageFlags in marks:
        data.props[PidTagMessageFlags] = marks[PidTagMessageFlags] & MF_KEPT | MF_UNMODIFIED
    return word


def _create_associated(tx: Transaction, folder: FolderRow, mid: int, data: Data, word: int, cn: int) -> o.Saved:
    datarows.write_unsourced(tx, data)
    size = _checked_size(tx, data)
    figures = (mid, folder.fid, ASSOCIATED, word, cn, cn, size, tx.now, tx.now, data.did, 0)
    tx.db.execute(INSERT_UNLISTED, figures)
    _folder_changed(tx, folder, cn)
    return o.Saved(folder.fid, mid, 0, cn)


def _checked_size(tx: Transaction, data: Data) -> int:
    size = datarows.size_of(tx, data.did)
    if size > tx.settings.largest_message:
        raise MapiError(Ec.ecTooBig, "message")
    return size


def _folder_changed(tx: Transaction, folder: FolderRow, cn: int) -> None:
    folder.cn = cn
    tx.touch(folder)


def _list(
    tx: Transaction, folder: FolderRow, mid: int, data: Data, digest: c.Digest, word: int, cn: int, received: int
) -> int:
    """Give a message its row and uid in the folder."""
    messages.check_room(folder, 1)
    uid = folder.uidnext
    sent = min(max(digest.sent, -(1 << 31)), (1 << 31) - 1)
    tx.db.execute(messages.INSERT_MESSAGE, (folder.fid, uid, mid, word, cn, cn, digest.size, received, sent, data.did))
    messages.arrived(tx, folder, [IndexRow(uid, word, digest.size, received, sent, cn, mid)])
    tx.effects.pieces.append(Pieces(folder.fid, mid, uid, digest.envelope, digest.bodystructure))
    return uid


# ---------------------------------------------------------------------------------------------- a change


def _change(tx: Transaction, call: o.SaveMessage, folder: FolderRow, row: Row) -> o.Saved:
    data = datarows.load(tx, row.did)
    may_edit(tx, folder.fid, data)
    if call.base_cn != row.cn and not call.force:
        raise MapiError(Ec.ecObjectModified, f"message {row.mid:#x} has {row.cn}, not {call.base_cn}")
    edit = applying.prepare(tx, data, call.changes, call.spooled)
    marks = {tag: edit.put.pop(tag) for tag in MARKS & edit.put.keys()}
    gone = [tag for tag in call.changes.delete if tag in MARKS and tag not in marks]
    before = dict(data.props)
    word = mark(tx, row.flags, data.props, marks, gone)
    if not edit and data.props == before:
        return _change_word(tx, folder, row, word)
    return _change_data(tx, folder, row, data, edit, word)


def may_edit(tx: Transaction, fid: int, data: Data) -> None:
    """ecAccessDenied, unless the actor may change messages, or his own and this is one ([MS-OXCPERM] 2.2.7)."""
    own = EDIT_OWNED if data.props.get(PROP_CREATOR) == tx.access.actor else EDIT_ANY
    if not tx.access.everything and not tx.access.rights(fid) & (EDIT_ANY | own):
        raise MapiError(Ec.ecAccessDenied, f"a message of folder {fid:#x}")


def _change_word(tx: Transaction, folder: FolderRow, row: Row, word: int) -> o.Saved:
    """Nothing but flags changed, or nothing at all."""
    if word == row.flags:
        return o.Saved(row.fid, row.mid, row.uid, row.cn)
    modseq = tx.new_cns()
    cn = modseq if (word ^ row.flags) & ~SEEN else row.cn
    reflag(tx, folder, row, word, modseq, cn, row.did)
    return o.Saved(row.fid, row.mid, row.uid, cn)


def reflag(tx: Transaction, folder: FolderRow, row: Row, word: int, modseq: int, cn: int, did: int) -> None:
    """Give a message's row another flags word, change numbers and data row, in its place."""
    if not row.uid:
        sql = "UPDATE unlisted SET flags=?, modseq=?, cn=?, did=? WHERE mid=?"
        tx.db.execute(sql, (word, modseq, cn, did, row.mid))
        return _folder_changed(tx, folder, modseq)
    sql = "UPDATE messages SET flags=?, modseq=?, cn=?, did=? WHERE fid=? AND uid=?"
    tx.db.execute(sql, (word, modseq, cn, did, row.fid, row.uid))
    folder.unseen += (row.flags & SEEN) - (word & SEEN)
    number = row.uid >> PAGE_SHIFT
    tx.touch_page(row.fid, number, 0, modseq)
    tx.changed(Flagged(row.fid, modseq, [number], [(row.uid, row.uid)], {row.flags: word}, -1))
    return _folder_changed(tx, folder, modseq)


def _change_data(tx: Transaction, folder: FolderRow, row: Row, data: Data, edit: applying.Edit, word: int) -> o.Saved:
    shaped = not row.associated and source.shapes(data, edit)
    datarows.own(tx, data)
    applying.apply(tx, data, edit)
    _modified(tx, data, edit)
    cn = tx.new_cns()
    if shaped:
        return _change_source(tx, folder, row, data, word, cn)
    datarows.write(tx, data) if not row.associated else datarows.write_unsourced(tx, data)
    reflag(tx, folder, row, word, cn, cn, data.did)
    if row.associated:
        tx.db.execute("UPDATE unlisted SET size=? WHERE mid=?", (_checked_size(tx, data), row.mid))
    return o.Saved(row.fid, row.mid, row.uid, cn)


def _modified(tx: Transaction, data: Data, edit: applying.Edit) -> None:
    """[MS-OXCMSG] 2.2.1.6 (mfUnmodified), 2.2.2.2."""
    flags: Any = data.props.get(PidTagMessageFlags)
    data.props[PidTagMessageFlags] = (flags or 0) & ~MF_UNMODIFIED
    if PidTagLastModificationTime not in edit.put:
        data.props[PidTagLastModificationTime] = filetime(tx.now)


def _change_source(tx: Transaction, folder: FolderRow, row: Row, data: Data, word: int, cn: int) -> o.Saved:
    made = source.make(tx, data, row.received)
    datarows.write_sourced(tx, data, made.digest)
    if not made.new:
        reflag(tx, folder, row, word, cn, cn, data.did)
        return o.Saved(row.fid, row.mid, row.uid, cn)
    if made.digest.size > row.size:
        messages.check_quota(tx, made.digest.size - row.size, receiving=False)
    messages.remove(tx, folder, [(row.uid, row.mid, row.flags, row.size, row.did)], cn, stays=True)
    uid = _list(tx, folder, row.mid, data, made.digest, word, cn, row.received)
    return o.Saved(row.fid, row.mid, uid, cn)


WRITES: dict[type[Any], Handler] = {o.SaveMessage: save_message}
