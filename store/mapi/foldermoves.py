"""Moving, copying and recovering folders ([MS-OXCFOLD] 3.2.5.7, 3.2.5.8)."""

from __future__ import annotations

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import hierarchy as h
from gromoxd.mapi import proptags as p
from gromoxd.mapi.times import filetime
from store import access as a
from store import requests
from store.folders import add_folder, check_room, is_below, own_folder
from store.mapi import permissions
from store.mapi import rows as r
from store.mapi.folderprops import check_id
from store.mapi.hierarchy import (
    check_depth,
    check_parent,
    checked_name,
    is_search,
    read_bag,
    sibling,
    subtree,
    update_row,
    write_bag,
)
from store.messages import check_quota, copy_rows
from store.references import share_data
from store.sql import row as one
from store.sql import rows
from store.state import FOLDER_COLUMNS, FolderRow
from store.transaction import Transaction

_NOT_COPIED = frozenset((p.PROP_CHANGE_CN, p.PidTagChangeKey, p.PidTagPredecessorChangeList))
_LISTED_AGAIN = (
    "INSERT INTO messages (fid, uid, mid, flags, modseq, cn, size, received, sent, did)"
    " SELECT fid, row_number() OVER by_age, mid, flags, ? + row_number() OVER by_age, ? + row_number() OVER by_age,"
    f" size, received, sent, did FROM unlisted WHERE fid=? AND kind={r.DELETED} AND time=?"
    " WINDOW by_age AS (ORDER BY mid)"
)
_PAGES = "INSERT INTO pages SELECT fid, uid >> 8, count(*), max(cn) FROM messages WHERE fid=? GROUP BY 2"


def transfer_folder(tx: Transaction, call: h.TransferFolder) -> h.TransferredFolder:
    """exmdb.hierarchy.TransferFolder."""
    check_parent(tx, call.parent)
    earlier = requests.known(tx, call.request_id, h.TransferredFolder)
    if earlier is not None:
        return earlier
    if call.fid not in tx.state.folders and not call.copy and tx.access.everything:
        done = _recover(tx, call)
    else:
        done = _copy(tx, call) if call.copy else _move(tx, call)
    requests.remember(tx, call.request_id, done)
    return done


def _destination(tx: Transaction, call: h.TransferFolder, name: str, but: int = 0) -> str:
    """The folder's name in its new place. ecDuplicateName, ecInvalidParam."""
    name = checked_name(call.name) if call.name else name
    if sibling(tx, call.parent, name, but=but) is not None:
        raise MapiError(Ec.ecDuplicateName, name)
    check_depth(tx, call.parent)
    return name


def _move(tx: Transaction, call: h.TransferFolder) -> h.TransferredFolder:
    tx.access.require(call.fid, a.OWNER)
    row = own_folder(tx, call.fid)
    if is_below(tx, call.parent, row.fid):
        raise MapiError(Ec.ecFolderCycle, row.name)
    row.name = _destination(tx, call, row.name, but=row.fid)
    row.parent_fid = call.parent
    update_row(tx, row)
    return h.TransferredFolder(False, row.fid, row.changed_cn)


# ---------------------------------------------------------------------------------------------- copying


def _copy(tx: Transaction, call: h.TransferFolder) -> h.TransferredFolder:
    tx.access.require(call.fid, a.READ_ANY)
    source = tx.state.folder(call.fid)
    if is_below(tx, call.parent, source.fid):
        raise MapiError(Ec.ecFolderCycle, source.name)
    name = _destination(tx, call, source.name)
    below = subtree(tx, source.fid) if call.recursive else [source]
    places = {source.parent_fid: call.parent}
    partial = False
    check_room(tx, len(below))
    for folder in below:
        parent = places.get(folder.parent_fid)
        if parent is None or not tx.access.may(folder.fid, a.READ_ANY) or is_search(tx, folder.fid):
            partial = True
            continue
        copied = _copy_one(tx, folder, parent, name if folder is source else folder.name)
        places[folder.fid] = copied.fid
    if source.fid not in places:
        raise MapiError(Ec.ecNotSupported, "copy of a search folder")
    return h.TransferredFolder(partial, places[source.fid], tx.state.cn)


def _copy_one(tx: Transaction, source: FolderRow, parent: int, name: str) -> FolderRow:
    """One folder with its properties and messages; not its permissions and rules, nor what was deleted from it."""
    made = add_folder(tx, parent, name, source.container_class, hidden=source.hidden)
    bag = {tag: value for tag, value in read_bag(tx, source.fid).items() if tag not in _NOT_COPIED}
    if bag:
        write_bag(tx, made.fid, bag)
    check_quota(tx, source.size, receiving=False)
    copy_rows(tx, source, made)
    found = rows(
        tx.db, f"SELECT flags, size, received, sent, did FROM unlisted WHERE fid=? AND kind={r.ASSOCIATED}",
        (source.fid,),
    )  # fmt: skip
    if found:
        mid, cn = tx.new_ids(len(found)), tx.new_cns(len(found))
        tx.db.executemany(
            r.INSERT_UNLISTED,
            (
                (mid + i, made.fid, r.ASSOCIATED, flags, cn + i, cn + i, size, received, sent, did, 0)
                for i, (flags, size, received, sent, did) in enumerate(found)
            ),
        )
        share_data(tx, (found_row[4] for found_row in found))
    return made


# ---------------------------------------------------------------------------------------------- recovering


def _recover(tx: Transaction, call: h.TransferFolder) -> h.TransferredFolder:
    """Bring a soft-deleted folder back, and those below it that were deleted at the same moment."""
    check_id(call.fid)
    sql = "SELECT name, time FROM deleted_folders WHERE fid=?"
    found = one(tx.db, sql, (call.fid,))
    if found is None:
        raise MapiError(Ec.ecNotFound, f"folder {call.fid:#x}")
    name, time = _destination(tx, call, found[0]), found[1]
    back = [(call.fid, call.parent, name)]
    for fid, _, _ in back:
        sql = "SELECT fid, parent_fid, name FROM deleted_folders WHERE parent_fid=? AND time=?"
        back += rows(tx.db, sql, (fid, time))
    check_room(tx, len(back))
    for fid, parent, folder_name in back:
        _list_again(tx, fid, parent, folder_name, time)
    return h.TransferredFolder(False, call.fid, tx.state.cn)


def _list_again(tx: Transaction, fid: int, parent: int, name: str, time: int) -> None:
    """The folder is new to IMAP (another UIDVALIDITY); ids stay, everything takes a new change number."""
    db = tx.db
    count = one(db, f"SELECT count(*) FROM unlisted WHERE fid=? AND kind={r.DELETED} AND time=?", (fid, time))[0]
    first = tx.new_cns(count + 1)
    cn, uidvalidity = first + count, tx.new_uidvalidity()
    db.execute(_LISTED_AGAIN, (first - 1, first - 1, fid, time))
    db.execute(f"DELETE FROM unlisted WHERE fid=? AND kind={r.DELETED} AND time=?", (fid, time))
    db.execute(
        f"UPDATE unlisted SET kind={r.ASSOCIATED}, time=0, modseq=?, cn=? WHERE fid=? AND kind=? AND time=?",
        (cn, cn, fid, r.DELETED_ASSOCIATED, time),
    )
    db.execute(_PAGES, (fid,))
    db.execute(
        "INSERT INTO folders (fid, uidnext, messages, unseen, size, cn, recent_uid, pruned_cn, parent_fid, name,"
        " container_class, hidden, uidvalidity, changed_cn, created)"
        " SELECT d.fid, ? + 1, ?, (SELECT count(*) FROM messages m WHERE m.fid = d.fid AND NOT m.flags & 1),"
        " (SELECT ifnull(sum(size), 0) FROM messages m WHERE m.fid = d.fid), ?, ? + 1, ?, ?, ?, container_class,"
        " hidden, ?, ?, created FROM deleted_folders d WHERE d.fid=?",
        (count, count, cn, count, cn, parent, name, uidvalidity, cn, fid),
    )
    db.execute("DELETE FROM deleted_folders WHERE fid=?", (fid,))
    db.execute("DELETE FROM folder_tombstones WHERE fid=?", (fid,))
    row = FolderRow(*one(db, f"SELECT {FOLDER_COLUMNS} FROM folders WHERE fid=?", (fid,)))
    tx.state.folders[fid] = row
    write_bag(tx, fid, read_bag(tx, fid) | {p.PidTagLastModificationTime: filetime(tx.now)})
    permissions.restore(tx, fid)
    tx.touch(row)
    tx.hierarchy_changed(cn)


WRITES = {h.TransferFolder: transfer_folder}
