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
from gromoxd.mapi.ids import Version
from gromoxd.mapi.proptags import (
    PidTagLastModificationTime,
    PidTagMessageDeliveryTime,
    PidTagMessageFlags,
    PidTagRead,
)
from gromoxd.mapi.times import filetime, unix_seconds
from store import messages, requests
from store import wellknown as wk
from store.access import CREATE, EDIT_ANY, EDIT_OWNED
from store.changes import Flagged, Pieces
from store.changes import Row as IndexRow
from store.flags import PAGE_SHIFT
from store.mapi import applying, conflicts, datarows, readstate, rows, rulerights, source, unfolding, versions
from store.mapi.datarows import Data
from store.mapi.hierarchy import is_search
from store.mapi.marks import MARKS, MF_DELIVERED, MF_EVER_READ, MF_READ, MF_SAID, MF_UNMODIFIED, mark
from store.mapi.rows import ASSOCIATED, Row
from store.state import FolderRow
from store.transaction import Handler, Transaction

LATEST = 0xFFFFFFFF
"""The latest INTERNALDATE that there is room for."""


def save_message(tx: Transaction, call: o.SaveMessage) -> o.Saved:
    """objects.SaveMessage."""
    earlier = requests.known(tx, call.request_id, o.Saved)
    if earlier is not None:
        return earlier
    if not tx.access.rights(call.fid) & (CREATE | EDIT_ANY | EDIT_OWNED):
        raise MapiError(Ec.ecAccessDenied, f"folder {call.fid:#x}")
    folder = tx.state.folder(call.fid)
    mid, row = _target(tx, call)
    saved = _create(tx, call, folder, mid) if row is None else _change(tx, call, folder, row)
    requests.remember(tx, call.request_id, saved)
    return saved


def _target(tx: Transaction, call: o.SaveMessage) -> tuple[int, Row | None]:
    """(id or 0, the message that is changed). ecNotFound, ecObjectDeleted, ecInvalidParam."""
    mid = call.mid
    if not mid and call.imported is not None:
        mid = versions.find(tx, call.imported.source_key)
    if not mid:
        return 0, None
    row = rows.look_up(tx.db, mid)
    if row is None:
        if call.base_cn or not wk.LAST_WELL_KNOWN < mid < tx.state.next_id or mid in tx.state.folders:
            raise MapiError(Ec.ecNotFound, f"message {mid:#x}")
        if versions.was_deleted(tx, call.fid, mid):
            raise MapiError(Ec.ecObjectDeleted, f"message {mid:#x}")
        return mid, None
    if row.fid != call.fid:
        raise MapiError(Ec.ecNotFound, f"message {mid:#x} in folder {call.fid:#x}")
    if row.deleted:
        raise MapiError(Ec.ecObjectDeleted, f"message {mid:#x}")
    return mid, row


# ---------------------------------------------------------------------------------------------- a new message


def _create(tx: Transaction, call: o.SaveMessage, folder: FolderRow, given: int) -> o.Saved:
    tx.access.require(folder.fid, CREATE)
    if is_search(tx, folder.fid):
        raise MapiError(Ec.ecNotSupported, "a message in a search folder")
    mid = given or tx.new_ids()
    data = datarows.make(tx, tx.new_ids() if given else mid)
    edit = applying.prepare(tx, data, call.changes, call.spooled)
    word = _first_word(tx, call, data, edit)
    applying.apply(tx, data, edit)
    cn = tx.new_cns()
    if call.imported is not None:
        data.props[PidTagLastModificationTime] = call.imported.modified_nt
        versions.keep(data.props, versions.given(call.imported), cn)
        versions.learn(tx, call.imported.source_key, mid)
    applying.defaults(tx, data)
    datarows.sign(data, tx.access)
    if call.associated:
        rulerights.require_for(tx, folder.fid, data.props)
        return _create_associated(tx, folder, mid, data, word, cn)
    word = _own_mark(tx, folder, mid, word)
    received = _received(data, tx.now)
    made = source.make(tx, data, received)
    datarows.write_sourced(tx, data, made.digest)
    messages.check_quota(tx, made.digest.size, receiving=False)
    uid = _list(tx, folder, mid, data, made.digest, word, cn, received)
    return o.Saved(folder.fid, mid, uid, cn)


def _received(data: Data, otherwise: int) -> int:
    """INTERNALDATE, by which tables sort, is PidTagMessageDeliveryTime, whoever set that."""
    told = data.props.get(PidTagMessageDeliveryTime)
    return min(max(unix_seconds(told), 0), LATEST) if isinstance(told, int) else otherwise


def _own_mark(tx: Transaction, folder: FolderRow, mid: int, word: int) -> int:
    """In a public store \\Seen is the actor's mark, not the message's."""
    if not tx.public:
        return word
    readstate.mark_public(tx, folder, [mid], bool(word & SEEN))
    return word & ~SEEN


def _first_word(tx: Transaction, call: o.SaveMessage, data: Data, edit: applying.Edit) -> int:
    """The flags word of a new message: read and unsent unless its maker says otherwise ([MS-OXCMSG] 3.2.5.2)."""
    marks = {tag: edit.put.pop(tag) for tag in MARKS & edit.put.keys()}
    data.props[PidTagMessageFlags] = MF_UNMODIFIED | MF_EVER_READ
    word = mark(tx, SEEN if call.associated else SEEN | DRAFT, data.props, marks, ())
    if PidTagMessageFlags in marks:
        data.props[PidTagMessageFlags] = marks[PidTagMessageFlags] & MF_SAID | MF_UNMODIFIED
    return word


def _create_associated(tx: Transaction, folder: FolderRow, mid: int, data: Data, word: int, cn: int) -> o.Saved:
    datarows.write_unsourced(tx, data)
    size = _checked_size(tx, data)
    received = _received(data, tx.now)
    figures = (mid, folder.fid, ASSOCIATED, word, cn, cn, size, received, tx.now, data.did, 0)
    tx.db.execute(rows.INSERT_UNLISTED, figures)
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
    sent = min(max(digest.sent, -(1 << 31)), (1 << 31) - 1)
    uid = _insert(tx, folder, IndexRow(folder.uidnext, word, digest.size, received, sent, cn, mid), data.did)
    tx.effects.pieces.append(Pieces(folder.fid, mid, uid, digest.envelope, digest.bodystructure))
    return uid


def _insert(tx: Transaction, folder: FolderRow, new: IndexRow, did: int) -> int:
    messages.check_room(folder, 1)
    uid, word, size, received, sent, cn, mid = new
    tx.db.execute(messages.INSERT_MESSAGE, (folder.fid, uid, mid, word, cn, cn, size, received, sent, did))
    messages.arrived(tx, folder, [new])
    return uid


# ---------------------------------------------------------------------------------------------- a change


class _Job:
    """A change under way.

    `versions`: those that the message is to have, if synchronisation brings them; `conflict`: it had changed here, too.
    """

    __slots__ = ("changes", "conflict", "data", "edit", "folder", "row", "versions", "word")

    def __init__(self, folder: FolderRow, row: Row, data: Data, changes: o.Changes) -> None:
        self.folder, self.row, self.data, self.changes = folder, row, data, changes
        self.edit = applying.Edit()
        self.word = row.flags
        self.versions: versions.Versions | None = None
        self.conflict = False


def _change(tx: Transaction, call: o.SaveMessage, folder: FolderRow, row: Row) -> o.Saved:
    job = _Job(folder, row, datarows.load(tx, row.did), call.changes)
    may_edit(tx, folder.fid, job.data)
    if row.associated:
        rulerights.require_for(tx, folder.fid, job.data.props, call.changes.set)
    if call.imported is not None:
        verdict = versions.judge(tx.identity, job.data.props, row.cn, call.imported, filetime(row.received))
        job.conflict = verdict.version is Version.CONFLICT
        if not verdict.take or (job.conflict and call.imported.fail_on_conflict):
            return _leave(tx, job, call, verdict)
        if job.conflict:
            conflicts.keep_here(tx, folder, row)
        job.versions = verdict.versions
        put = {**call.changes.set, PidTagLastModificationTime: call.imported.modified_nt}
        whole = o.Changes(put, call.changes.delete, call.changes.recipients, call.changes.attachments)
        job.changes = whole if call.imported.partial else applying.as_whole(tx, job.data, whole, call.spooled)
        saved = _carry_out(tx, job, call.spooled)
        if not call.changes.set.keys() & {PidTagMessageFlags, PidTagRead}:
            tell_mark(tx, folder, row, row.mid)
        return saved
    if call.base_cn != row.cn and not call.force:
        raise MapiError(Ec.ecObjectModified, f"message {row.mid:#x} has {row.cn}, not {call.base_cn}")
    return _carry_out(tx, job, call.spooled)


def tell_mark(tx: Transaction, folder: FolderRow, before: Row, mid: int) -> None:
    """Who imported a version does not know a read mark that was made here before: it is a change after it."""
    if before.uid and before.modseq > before.cn:
        row = rows.find(tx.db, mid)
        reflag(tx, folder, row, row.flags, tx.new_cns(), row.cn, row.did)


def _leave(tx: Transaction, job: _Job, call: o.SaveMessage, verdict: versions.Verdict) -> o.Saved:
    """The content stays. After a conflict that is won here the message is the successor of both versions."""
    row = job.row
    imported = call.imported
    if imported is None or verdict.versions is None or imported.fail_on_conflict:
        return o.Saved(row.fid, row.mid, row.uid, row.cn, job.conflict, True)
    _keep_there(tx, job, call)
    datarows.own(tx, job.data)
    versions.keep(job.data.props, verdict.versions, 0)
    cn = tx.new_cns()
    datarows.write(tx, job.data)
    reflag(tx, job.folder, row, row.flags, cn, cn, job.data.did)
    return o.Saved(row.fid, row.mid, row.uid, cn, True, True)


def _keep_there(tx: Transaction, job: _Job, call: o.SaveMessage) -> None:
    """Keep the client's version of a message, which lost a conflict."""
    folder = conflicts.place(tx, job.folder, job.row)
    if folder is None or call.imported is None or call.imported.partial:
        return
    put = {PidTagMessageFlags: MF_READ, **call.changes.set, PidTagLastModificationTime: call.imported.modified_nt}
    changes = o.Changes(put, [], call.changes.recipients, call.changes.attachments)
    with conflicts.as_system(tx):
        _create(tx, o.SaveMessage(folder.fid, 0, 0, changes, b"", spooled=call.spooled), folder, 0)


def _carry_out(tx: Transaction, job: _Job, spooled: list[o.Spooled]) -> o.Saved:
    data, row = job.data, job.row
    job.edit = applying.prepare(tx, data, job.changes, spooled)
    marks = {tag: job.edit.put.pop(tag) for tag in MARKS & job.edit.put.keys()}
    gone = [tag for tag in job.changes.delete if tag in MARKS and tag not in marks]
    job.edit.gone = [tag for tag in job.edit.gone if tag not in MARKS]
    before = dict(data.props)
    job.word = mark(tx, row.flags, data.props, marks, gone)
    if tx.public and not row.associated and marks.keys() & {PidTagMessageFlags, PidTagRead}:
        job.word = _own_mark(tx, job.folder, row.mid, job.word)
    if not job.edit and data.props == before and job.versions is None:
        return _change_word(tx, job.folder, row, job.word)
    return _change_data(tx, job)


def may_edit(tx: Transaction, fid: int, data: Data) -> None:
    """ecAccessDenied, unless the actor may change messages, or his own and this is one ([MS-OXCPERM] 2.2.7)."""
    own = EDIT_OWNED if datarows.is_of(data, tx.access.actor) else EDIT_ANY
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


def _change_data(tx: Transaction, job: _Job) -> o.Saved:
    data, row, edit = job.data, job.row, job.edit
    shaped = not row.associated and source.shapes(tx, data, edit)
    form = unfolding.Form(tx, data, row.received) if shaped and data.referring else None
    if form is not None:
        unfolding.strip(tx, data, edit, form)
        shaped = source.shapes(tx, data, edit)
    datarows.own(tx, data)
    if form is not None and shaped:
        unfolding.materialise(tx, data, form)
    applying.apply(tx, data, edit)
    _modified(tx, data, edit)
    cn = tx.new_cns()
    if job.versions is not None:
        versions.keep(data.props, job.versions, cn)
    if shaped:
        return _change_source(tx, job, cn)
    if row.associated:
        datarows.write_unsourced(tx, data)
        figures = (_checked_size(tx, data), _received(data, row.received), row.mid)
        tx.db.execute("UPDATE unlisted SET size=?, received=? WHERE mid=?", figures)
    else:
        datarows.write(tx, data)
        if _received(data, row.received) != row.received:
            return _change_time(tx, job, cn)
    reflag(tx, job.folder, row, job.word, cn, cn, data.did)
    return o.Saved(row.fid, row.mid, row.uid, cn, job.conflict)


def _change_time(tx: Transaction, job: _Job, cn: int) -> o.Saved:
    """A message with another INTERNALDATE is another one to IMAP (RFC 9051 2.3.3), if only that."""
    data, row, folder = job.data, job.row, job.folder
    messages.remove(tx, folder, [(row.uid, row.mid, row.flags, row.size, row.did)], cn, stays=True)
    received = _received(data, row.received)
    new = IndexRow(folder.uidnext, job.word, row.size, received, row.sent, cn, row.mid)
    return o.Saved(row.fid, row.mid, _insert(tx, folder, new, data.did), cn, job.conflict)


def _modified(tx: Transaction, data: Data, edit: applying.Edit) -> None:
    """[MS-OXCMSG] 2.2.1.6 (mfUnmodified), 2.2.2.2."""
    flags: Any = data.props.get(PidTagMessageFlags, MF_DELIVERED)
    data.props[PidTagMessageFlags] = flags & ~MF_UNMODIFIED
    if PidTagLastModificationTime not in edit.put:
        data.props[PidTagLastModificationTime] = filetime(tx.now)


def _change_source(tx: Transaction, job: _Job, cn: int) -> o.Saved:
    data, row, folder = job.data, job.row, job.folder
    received = _received(data, row.received)
    made = source.make(tx, data, received)
    datarows.write_sourced(tx, data, made.digest)
    if not made.new and received == row.received:
        reflag(tx, folder, row, job.word, cn, cn, data.did)
        return o.Saved(row.fid, row.mid, row.uid, cn, job.conflict)
    if made.digest.size > row.size:
        messages.check_quota(tx, made.digest.size - row.size, receiving=False)
    messages.remove(tx, folder, [(row.uid, row.mid, row.flags, row.size, row.did)], cn, stays=True)
    uid = _list(tx, folder, row.mid, data, made.digest, job.word, cn, received)
    return o.Saved(row.fid, row.mid, uid, cn, job.conflict)


WRITES: dict[type[Any], Handler] = {o.SaveMessage: save_message}
