"""What synchronising clients upload beside messages: folders, deletions, moves, read marks ([MS-OXCFXICS] 3.2.5.9.4).

Message changes are `objects.SaveMessage` with `imported`. Ids that a client took from its range (`ReserveIds`) become
the ids of its objects; the source keys of other replicas are remembered.
"""

from __future__ import annotations

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
    if row is None:
        return _make_folder(tx, call, fid)
    return _change_folder(tx, call, row)


def _make_folder(tx: Transaction, call: s.ImportFolder, fid: int) -> s.ImportedFolder:
    hierarchy.check_parent(tx, call.parent_fid)
    if fid and one(tx.db, "SELECT 1 FROM folder_tombstones WHERE fid=?", (fid,)) is not None:
        raise MapiError(Ec.ecObjectDeleted, f"folder {fid:#x}")
    if fid >= tx.state.next_id or (fid and rows.look_up(tx.db, fid) is not None):
        raise MapiError(Ec.ecInvalidParam, "source key of no id of this mailbox")
    name = hierarchy.checked_name(call.name)
    if hierarchy.sibling(tx, call.parent_fid, name) is not None:
        raise MapiError(Ec.ecDuplicateName, name)
    hierarchy.check_depth(tx, call.parent_fid)
    given = versions.given(_imported(call))
    edit = _edit(call)
    made = add_folder(tx, call.parent_fid, name, edit.container_class or "", hidden=bool(edit.hidden), fid=fid)
    versions.learn(tx, call.source_key, made.fid)
    edit.values[p.PidTagLastModificationTime] = call.modified_nt
    versions.keep(edit.values, given, made.changed_cn)
    hierarchy.write_bag(tx, made.fid, edit.values)
    return s.ImportedFolder(made.fid, made.changed_cn)


def _change_folder(tx: Transaction, call: s.ImportFolder, row: FolderRow) -> s.ImportedFolder:
    tx.access.require(row.fid, a.OWNER)
    bag = hierarchy.read_bag(tx, row.fid)
    here, there = versions.of(tx.identity, bag, row.changed_cn), versions.given(_imported(call))
    version = ids.compare(here.pcl, there.pcl)
    if version in (Version.EQUAL, Version.OLDER):
        return s.ImportedFolder(row.fid, row.changed_cn, True)
    merged = ids.pcl_merge(here.pcl, there.pcl)
    local_time: Any = bag.get(p.PidTagLastModificationTime) or 0
    wins = ids.remote_wins(local_time, here.change_key, call.modified_nt, there.change_key, folder=True)
    if version is Version.CONFLICT and not wins:
        hierarchy.update_row(tx, row)
        versions.keep(bag, versions.Versions(here.change_key, merged), row.changed_cn)
        hierarchy.write_bag(tx, row.fid, bag)
        return s.ImportedFolder(row.fid, row.changed_cn)
    _place(tx, call, row)
    edit = _edit(call)
    edit.values[p.PidTagLastModificationTime] = call.modified_nt
    hierarchy.change_folder(tx, row, edit)
    bag = hierarchy.read_bag(tx, row.fid)
    bag[p.PidTagLastModificationTime] = call.modified_nt
    versions.keep(bag, versions.Versions(there.change_key, merged), row.changed_cn)
    hierarchy.write_bag(tx, row.fid, bag)
    return s.ImportedFolder(row.fid, row.changed_cn)


def _place(tx: Transaction, call: s.ImportFolder, row: FolderRow) -> None:
    """Move and rename a folder as the client has it. ecRootFolder, ecFolderCycle, ecDuplicateName."""
    if (row.parent_fid, row.name) == (call.parent_fid, call.name):
        return
    own_folder(tx, row.fid)
    if row.parent_fid != call.parent_fid:
        hierarchy.check_parent(tx, call.parent_fid)
        if is_below(tx, call.parent_fid, row.fid):
            raise MapiError(Ec.ecFolderCycle, row.name)
        hierarchy.check_depth(tx, call.parent_fid)
    name = hierarchy.checked_name(call.name)
    if hierarchy.sibling(tx, call.parent_fid, name, but=row.fid) is not None:
        raise MapiError(Ec.ecDuplicateName, name)
    row.parent_fid, row.name = call.parent_fid, name


def _edit(call: s.ImportFolder) -> hierarchy.FolderEdit:
    settable = {
        tag: v for tag, v in call.props.items() if tag not in foldertags.COMPUTED and tag != p.PidTagDisplayName
    }
    return hierarchy.FolderEdit(settable, ())


def _imported(call: s.ImportFolder) -> o.Imported:
    return o.Imported(call.source_key, call.change_key, call.pcl, call.modified_nt)


# ---------------------------------------------------------------------------------------------- deletions


def import_deletes(tx: Transaction, call: s.ImportDeletes) -> o.Partial:
    """sync.ImportDeletes. What is gone already is no failure ([MS-OXCFXICS] 3.2.5.9.4.5)."""
    if len(call.source_keys) > MOST_OBJECTS:
        raise MapiError(Ec.ecInvalidParam, "too many source keys")
    found = [versions.find(tx, key) for key in call.source_keys]
    if call.hierarchy:
        return _delete_folders(tx, call, found)
    deleting.require_delete(tx, call.fid)
    folder = tx.state.folder(call.fid)
    there = [row for row in rows.several(tx.db, folder.fid, found) if not row.deleted]
    chosen = deleting.deletable(tx, folder.fid, there)
    cn = deleting.remove(tx, folder, chosen, hard=call.hard) if chosen else 0
    return o.Partial(len(chosen) < len(there), cn)


def _delete_folders(tx: Transaction, call: s.ImportDeletes, found: list[int]) -> o.Partial:
    tx.state.folder(call.fid)
    partial, cn = False, 0
    there = [fid for fid in found if fid in tx.state.folders]
    if not tx.access.everything and (not there or not any(tx.access.may(fid, a.OWNER) for fid in there)):
        raise MapiError(Ec.ecAccessDenied, f"folders below {call.fid:#x}")
    for fid in there:
        if fid not in tx.state.folders:
            continue
        if not is_below(tx, fid, call.fid) or not tx.access.may(fid, a.OWNER):
            partial = True
            continue
        done = hierarchy.remove_folder(tx, h.RemoveFolder(fid, True, True, b"", call.hard))
        partial, cn = partial or done.partial, done.cn or cn
    return o.Partial(partial, cn)


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
    mid = _free_id(tx, call.new_source_key)
    given = versions.given(o.Imported(call.new_source_key, call.change_key, call.pcl, 0))
    transfer.transfer(tx, source, destination, there, True, [mid])
    tx.db.execute("DELETE FROM source_keys WHERE id=?", (old,))
    versions.learn(tx, call.new_source_key, mid)
    moved = rows.find(tx.db, mid)
    data = datarows.load(tx, moved.did)
    datarows.own(tx, data)
    here = versions.of(tx.identity, data.props, there[0].cn)
    merged = ids.pcl_merge(here.pcl, given.pcl)
    versions.keep(data.props, versions.Versions(given.change_key, merged), moved.cn)
    datarows.write(tx, data)
    if data.did != moved.did:
        saving.reflag(tx, destination, moved, moved.flags, moved.modseq, moved.cn, data.did)
    saved = o.Saved(destination.fid, mid, moved.uid, moved.cn)
    requests.remember(tx, call.request_id, saved)
    return saved


def _free_id(tx: Transaction, source_key: bytes) -> int:
    """The id that a new object with this source key gets. ecInvalidParam, ecDuplicateName."""
    id_ = versions.find(tx, source_key)
    if not id_:
        return tx.new_ids()
    if id_ >= tx.state.next_id:
        raise MapiError(Ec.ecInvalidParam, "source key of no id of this mailbox")
    if id_ in tx.state.folders or rows.look_up(tx.db, id_) is not None:
        raise MapiError(Ec.ecDuplicateName, f"{id_:#x}")
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
