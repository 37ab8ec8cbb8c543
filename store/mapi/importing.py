"""What synchronising clients upload beside messages: folders, deletions, moves, read marks ([MS-OXCFXICS] 3.2.5.9.4).

Message changes are `objects.SaveMessage` with `imported`. Ids that a client took from its range (`ReserveIds`) become
the ids of its objects; the source keys of other replicas are remembered.
"""

from __future__ import annotations

from array import array
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.mapi import ids
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import Version
from store import access as a
from store import requests
from store import wellknown as wk
from store.folders import add_folder, is_below, own_folder
from store.mapi import datarows, deleting, foldertags, hierarchy, readstate, rows, saving, transfer, versions
from store.sql import row as one
from store.state import FolderRow
from store.transaction import Handler, Transaction

MOST_OBJECTS = 100_000


# ---------------------------------------------------------------------------------------------- folders


def import_folder(tx: Transaction, call: s.ImportFolder) -> s.ImportedFolder:
    """sync.ImportFolder."""
    fid = versions.find(tx, call.source_key)
    row = tx.state.folders.get(fid)
    if row is not None:
        return _change_folder(tx, call, row)
    if tx.identity.is_own(call.source_key):
        _check_id(tx, fid)
    return _make_folder(tx, call, fid)


def _check_id(tx: Transaction, id_: int) -> None:
    """ecInvalidParam for what is none of the ids that clients take from their ranges."""
    if not wk.LAST_WELL_KNOWN < id_ < tx.state.next_id:
        raise MapiError(Ec.ecInvalidParam, "source key of no id of this mailbox")


def _make_folder(tx: Transaction, call: s.ImportFolder, fid: int) -> s.ImportedFolder:
    hierarchy.check_parent(tx, call.parent_fid)
    if fid and _folder_was_deleted(tx, fid):
        raise MapiError(Ec.ecObjectDeleted, f"folder {fid:#x}")
    if fid and rows.look_up(tx.db, fid) is not None:
        raise MapiError(Ec.ecInvalidParam, "source key of a message")
    given = versions.given(_imported(call))
    name = hierarchy.checked_name(call.name)
    if hierarchy.sibling(tx, call.parent_fid, name) is not None:
        raise MapiError(Ec.ecDuplicateName, name)
    hierarchy.check_depth(tx, call.parent_fid)
    edit = _edit(call)
    made = add_folder(tx, call.parent_fid, name, edit.container_class or "", hidden=bool(edit.hidden), fid=fid)
    versions.learn(tx, call.source_key, made.fid)
    versions.keep(edit.values, given, made.changed_cn)
    hierarchy.write_bag(tx, made.fid, edit.values)
    return s.ImportedFolder(made.fid, made.changed_cn)


def _folder_was_deleted(tx: Transaction, fid: int) -> bool:
    sql = (
        "SELECT EXISTS (SELECT 1 FROM folder_tombstones WHERE fid=?1 UNION SELECT 1 FROM deleted_folders WHERE fid=?1)"
    )
    return bool(one(tx.db, sql, (fid,))[0])


def _change_folder(tx: Transaction, call: s.ImportFolder, row: FolderRow) -> s.ImportedFolder:
    tx.access.require(row.fid, a.OWNER)
    bag = hierarchy.read_bag(tx, row.fid)
    here, there = versions.of(tx.identity, bag, row.changed_cn), versions.given(_imported(call))
    version = ids.compare(here.pcl, there.pcl)
    if version in (Version.EQUAL, Version.OLDER):
        return s.ImportedFolder(row.fid, row.changed_cn, True)
    conflict = version is Version.CONFLICT
    merged = ids.pcl_merge(here.pcl, there.pcl)
    local_time: Any = bag.get(p.PidTagLastModificationTime) or 0
    wins = ids.remote_wins(local_time, here.change_key, call.modified_nt, there.change_key, folder=True)
    if conflict and not wins:
        # What stays is the successor of both: a new change of this mailbox.
        versions.keep(bag, versions.Versions(here.change_key, merged), 0)
        hierarchy.write_bag(tx, row.fid, bag)
        hierarchy.update_row(tx, row)
        return s.ImportedFolder(row.fid, row.changed_cn, True, True)
    _place(tx, call, row)
    edit = _edit(call)
    bag |= edit.values
    hierarchy.write_bag(tx, row.fid, bag)
    if edit.container_class is not None:
        row.container_class = edit.container_class
    if edit.hidden is not None:
        row.hidden = edit.hidden
    row.parent_fid, row.name = call.parent_fid, call.name
    hierarchy.update_row(tx, row)
    versions.keep(bag, versions.Versions(there.change_key, merged), row.changed_cn)
    hierarchy.write_bag(tx, row.fid, bag)
    return s.ImportedFolder(row.fid, row.changed_cn, False, conflict)


def _place(tx: Transaction, call: s.ImportFolder, row: FolderRow) -> None:
    """May the folder be where the client has it? ecRootFolder, ecFolderCycle, ecDuplicateName; changes nothing."""
    if (row.parent_fid, row.name) == (call.parent_fid, call.name):
        return
    own_folder(tx, row.fid)
    if row.parent_fid != call.parent_fid:
        hierarchy.check_parent(tx, call.parent_fid)
        if is_below(tx, call.parent_fid, row.fid):
            raise MapiError(Ec.ecFolderCycle, row.name)
        hierarchy.check_depth(tx, call.parent_fid)
    hierarchy.checked_name(call.name)
    if hierarchy.sibling(tx, call.parent_fid, call.name, but=row.fid) is not None:
        raise MapiError(Ec.ecDuplicateName, call.name)


def _edit(call: s.ImportFolder) -> hierarchy.FolderEdit:
    settable = {
        tag: v for tag, v in call.props.items() if tag not in foldertags.COMPUTED and tag != p.PidTagDisplayName
    }
    edit = hierarchy.FolderEdit(settable, ())
    edit.values[p.PidTagLastModificationTime] = call.modified_nt
    return edit


def _imported(call: s.ImportFolder) -> o.Imported:
    return o.Imported(call.source_key, call.change_key, call.pcl, call.modified_nt)


# ---------------------------------------------------------------------------------------------- deletions


def import_deletes(tx: Transaction, call: s.ImportDeletes) -> o.Partial:
    """sync.ImportDeletes. What is gone already is no failure ([MS-OXCFXICS] 3.2.5.9.4.5)."""
    if len(call.source_keys) > MOST_OBJECTS:
        raise MapiError(Ec.ecInvalidParam, "too many source keys")
    found = {key: versions.find(tx, key) for key in call.source_keys}
    if call.hierarchy:
        return _delete_folders(tx, call, found)
    deleting.require_delete(tx, call.fid)
    folder = tx.state.folder(call.fid)
    there = [row for row in rows.several(tx.db, folder.fid, found.values()) if not row.deleted]
    if len(deleting.deletable(tx, folder.fid, there)) < len(there):
        raise MapiError(Ec.ecAccessDenied, f"messages of folder {folder.fid:#x}")
    cn = deleting.remove(tx, folder, there, hard=call.hard) if there else 0
    never = [key for key, id_ in found.items() if _never_was(tx, folder.fid, key, id_)]
    if never and tx.access.may(folder.fid, a.DELETE_ANY):
        gone = array("Q", [found[key] or _make_known(tx, key) for key in never])
        cn = folder.cn = tx.new_cns()
        tx.db.execute("INSERT INTO tombstones VALUES (?,?,?,?,?)", (folder.fid, cn, tx.now, b"", gone.tobytes()))
        tx.touch(folder)
    return o.Partial(False, cn)


def _never_was(tx: Transaction, fid: int, source_key: bytes, id_: int) -> bool:
    """Whether nothing is known of an object: a foreign one never came, an id was given out and not used."""
    if not tx.identity.is_own(source_key):
        return not id_
    if not wk.LAST_WELL_KNOWN < id_ < tx.state.next_id or id_ in tx.state.folders or _folder_was_deleted(tx, id_):
        return False
    return rows.look_up(tx.db, id_) is None and not versions.was_deleted(tx, fid, id_)


def _make_known(tx: Transaction, source_key: bytes) -> int:
    id_ = tx.new_ids()
    versions.learn(tx, source_key, id_)
    return id_


def _delete_folders(tx: Transaction, call: s.ImportDeletes, found: dict[bytes, int]) -> o.Partial:
    tx.state.folder(call.fid)
    there = [fid for fid in found.values() if fid in tx.state.folders and is_below(tx, fid, call.fid)]
    if not tx.access.everything and not all(tx.access.may(fid, a.OWNER) for fid in there or [call.fid]):
        raise MapiError(Ec.ecAccessDenied, f"folders below {call.fid:#x}")
    if call.fid in there:
        raise MapiError(Ec.ecInvalidParam, f"folder {call.fid:#x} is not below itself")
    cn = 0
    for fid in there:
        if fid not in tx.state.folders:
            continue
        done = hierarchy.remove_folder(tx, h.RemoveFolder(fid, True, True, b"", call.hard))
        if done.partial:
            raise MapiError(Ec.ecAccessDenied, f"folders below {fid:#x}")
        cn = done.cn
    never = [key for key, id_ in found.items() if _never_was(tx, call.fid, key, id_)]
    if never and tx.access.may(call.fid, a.OWNER):
        for key in never:
            cn = tx.new_cns()
            gone = (cn, found[key] or _make_known(tx, key), tx.now)
            tx.db.execute("INSERT INTO folder_tombstones VALUES (?,?,?)", gone)
        tx.hierarchy_changed(cn)
    return o.Partial(False, cn)


# ---------------------------------------------------------------------------------------------- moves, read marks


def import_move(tx: Transaction, call: s.ImportMove) -> o.Saved:
    """sync.ImportMove."""
    earlier = requests.known(tx, call.request_id, o.Saved)
    if earlier is not None:
        return earlier
    tx.access.require(call.source_fid, a.READ_ANY)
    tx.access.require(call.destination, a.CREATE)
    deleting.require_delete(tx, call.source_fid)
    source, destination = tx.state.folder(call.source_fid), tx.state.folder(call.destination)
    if hierarchy.is_search(tx, destination.fid):
        raise MapiError(Ec.ecNotSupported, "a search folder")
    old = versions.find(tx, call.source_key)
    there = [row for row in rows.several(tx.db, source.fid, [old]) if not row.deleted]
    if not there:
        raise MapiError(Ec.ecNotFound, f"message {old:#x}")
    if not deleting.deletable(tx, source.fid, there):
        raise MapiError(Ec.ecAccessDenied, f"message {old:#x}")
    mid = _free_id(tx, destination.fid, call.new_source_key)
    given = versions.given(o.Imported(call.new_source_key, call.change_key, call.pcl, 0))
    transfer.transfer(tx, source, destination, there, True, [mid])
    versions.learn(tx, call.new_source_key, mid)
    moved = rows.find(tx.db, mid)
    data = datarows.load(tx, moved.did)
    datarows.own(tx, data)
    here = versions.of(tx.identity, data.props, there[0].cn)
    conflict = not ids.pcl_covers(given.pcl, here.pcl)
    newer = _changed_before(call, here.pcl)
    if newer:
        versions.keep(data.props, here, moved.cn)
    else:
        merged = ids.pcl_merge(here.pcl, given.pcl)
        versions.keep(data.props, versions.Versions(given.change_key, merged), moved.cn)
    datarows.write(tx, data)
    if data.did != moved.did:
        saving.reflag(tx, destination, moved, moved.flags, moved.modseq, moved.cn, data.did)
    saving.tell_mark(tx, destination, there[0], mid)
    saved = o.Saved(destination.fid, mid, moved.uid, moved.cn, conflict, newer)
    requests.remember(tx, call.request_id, saved)
    return saved


def _changed_before(call: s.ImportMove, here: ids.Pcl) -> bool:
    """Whether the client's version has changes that were not uploaded, beside the move itself."""
    pcl, moved = ids.pcl_decode(call.pcl), ids.Xid.decode(call.change_key)
    if pcl.get(moved.namespace) == moved.local_id:
        del pcl[moved.namespace]
    return not ids.pcl_covers(here, pcl)


def _free_id(tx: Transaction, fid: int, source_key: bytes) -> int:
    """The id that a new object with this source key gets. ecInvalidParam, ecDuplicateName, ecObjectDeleted."""
    id_ = versions.find(tx, source_key)
    if not tx.identity.is_own(source_key) and not id_:
        return tx.new_ids()
    _check_id(tx, id_)
    if id_ in tx.state.folders or rows.look_up(tx.db, id_) is not None:
        raise MapiError(Ec.ecDuplicateName, f"{id_:#x}")
    if versions.was_deleted(tx, fid, id_):
        raise MapiError(Ec.ecObjectDeleted, f"{id_:#x}")
    return id_


def import_read_state(tx: Transaction, call: s.ImportReadState) -> c.Done:
    """sync.ImportReadState."""
    if len(call.states) > MOST_OBJECTS:
        raise MapiError(Ec.ecInvalidParam, "too many messages")
    cn = 0
    for read in (True, False):
        mids = [versions.find(tx, key) for key, wanted in call.states if wanted is read]
        done = readstate.set_read_state(tx, o.SetReadState(call.fid, mids, read))
        cn = max(cn, done.cn)
    return c.Done(cn)


WRITES: dict[type[Any], Handler] = {
    s.ImportFolder: import_folder, s.ImportDeletes: import_deletes, s.ImportMove: import_move,
    s.ImportReadState: import_read_state,
}  # fmt: skip
