"""Folders as MAPI makes, changes and removes them ([MS-OXCFOLD] 3.2.5). Moves and copies: `store.mapi.foldermoves`.

A soft-deleted folder is a row of `deleted_folders`; its messages wait in `unlisted`, its properties and permissions
where they were. A folder is removed with all below it or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb.objects import Partial
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag, encode_bag
from gromoxd.mapi.times import filetime
from gromoxd.mapi.types import fits
from store import access as a
from store import requests
from store.folders import DEEPEST, LONGEST_NAME, add_folder, erase_contents, forget_results, own_folder, unlist_folder
from store.mapi import foldertags as t
from store.mapi import rows as r
from store.mapi.folderprops import FolderReader, check_id, is_long
from store.mapi.reading import Reading
from store.sql import row as one
from store.sql import rows
from store.state import FolderRow
from store.transaction import Transaction

LARGEST_BAG = 1 << 20
MOST_TAGS = 4096
LARGEST_TAG = 0xFFFFFFFF
_SOFT_DELETE = (
    f"{r.INTO_UNLISTED} SELECT mid, fid, {r.DELETED},"
    " flags, modseq, cn, size, received, sent, did, ? FROM messages WHERE fid=?"
)
_HIDE_ASSOCIATED = f"UPDATE unlisted SET kind={r.DELETED_ASSOCIATED}, time=? WHERE fid=? AND kind={r.ASSOCIATED}"


# ---------------------------------------------------------------------------------------------- names


def checked_name(name: str) -> str:
    """A folder's name. ecInvalidParam."""
    if not 0 < len(name) <= LONGEST_NAME or any(ch < " " or ch == "\x7f" for ch in name):
        raise MapiError(Ec.ecInvalidParam, "folder name")
    return name


def sibling(tx: Transaction, parent: int, name: str, but: int = 0) -> FolderRow | None:
    """The folder below `parent` that has this name, or that IMAP would show under the same path."""
    folded, component = name.casefold(), name.replace("/", "\u2215")
    for row in tx.state.folders.values():
        if row.parent_fid == parent and row.fid != but and row.name.casefold() == folded:
            return row
    if component.upper() == "INBOX":
        component = "INBOX"
    found = tx.state.child(parent, component)
    return None if found is None or found.fid == but else found


def check_depth(tx: Transaction, parent: int) -> None:
    """ecInvalidParam when a folder below `parent` would be too deep."""
    depth, at = 1, tx.state.folders.get(parent)
    while at is not None and depth <= DEEPEST:
        depth, at = depth + 1, tx.state.folders.get(at.parent_fid)
    if depth > DEEPEST:
        raise MapiError(Ec.ecInvalidParam, "folders nested too deep")


def check_parent(tx: Transaction, parent: int) -> None:
    """A folder that may get subfolders of the actor's. ecAccessDenied, ecNotFound, ecNotSupported."""
    tx.access.require(parent, a.CREATE_SUBFOLDER)
    tx.state.folder(parent)
    if is_search(tx, parent):
        raise MapiError(Ec.ecNotSupported, "a folder below a search folder")


def is_search(tx: Transaction, fid: int) -> bool:
    """Whether this is a search folder."""
    return one(tx.db, "SELECT 1 FROM search_folders WHERE fid=?", (fid,)) is not None


# ---------------------------------------------------------------------------------------------- making, properties


def make_folder(tx: Transaction, call: h.MakeFolder) -> h.MadeFolder:
    """exmdb.hierarchy.MakeFolder."""
    check_parent(tx, call.parent)
    earlier = requests.known(tx, call.request_id, h.MadeFolder)
    if earlier is not None:
        return earlier
    name = checked_name(call.name)
    found = sibling(tx, call.parent, name)
    if found is not None:
        if not call.open_existing or not tx.access.sees(found.fid):
            raise MapiError(Ec.ecDuplicateName, name)
        return h.MadeFolder(found.fid, True, found.changed_cn)
    check_depth(tx, call.parent)
    values = {tag: value for tag, value in call.props.items() if tag not in t.COMPUTED and tag != p.PidTagDisplayName}
    edit = FolderEdit(values, ())
    row = add_folder(tx, call.parent, name, edit.container_class or "", hidden=bool(edit.hidden))
    if edit.values:
        write_bag(tx, row.fid, edit.values)
    if call.search:
        tx.db.execute("INSERT INTO search_folders VALUES (?,0,0,0,x'',x'',0)", (row.fid,))
    made = h.MadeFolder(row.fid, False, row.changed_cn)
    requests.remember(tx, call.request_id, made)
    return made


class FolderEdit:
    """What a client wants changed: columns, values of the bag, and what cannot be done. ecInvalidParam, ecTooBig."""

    def __init__(self, values: Bag, gone: Iterable[int]) -> None:
        self.problems: list[tuple[int, int]] = []
        self.name: str | None = None
        self.container_class: str | None = None
        self.hidden: bool | None = None
        self.values: Bag = {}
        self.gone: set[int] = set()
        for tag, value in values.items():
            self._set(tag, value)
        for tag in gone:
            self._delete(tag)
        if len(self.values) + len(self.gone) > MOST_TAGS:
            raise MapiError(Ec.ecInvalidParam, "too many properties")

    def _refuse(self, tag: int, code: Ec) -> None:
        self.problems.append((tag, int(code)))

    def _set(self, tag: int, value: object) -> None:
        if not 0 <= tag <= LARGEST_TAG or tag in p.INTERNAL or value is None or not fits(tag, value):
            self._refuse(tag, Ec.ecInvalidParam)
        elif tag in t.COMPUTED:
            self._refuse(tag, Ec.ecComputed)
        elif tag == p.PidTagDisplayName:
            self.name = str(value)
        elif tag == p.PidTagContainerClass and len(str(value)) > LONGEST_NAME:
            self._refuse(tag, Ec.ecInvalidParam)
        elif tag == p.PidTagContainerClass:
            self.container_class = str(value)
        elif tag == p.PidTagAttributeHidden:
            self.hidden = bool(value)
        else:
            self.values[tag] = value  # type: ignore[assignment]

    def _delete(self, tag: int) -> None:
        if tag in t.COMPUTED or tag == p.PidTagDisplayName or tag in p.INTERNAL:
            self._refuse(tag, Ec.ecAccessDenied)
        elif tag == p.PidTagContainerClass:
            self.container_class = ""
        elif tag == p.PidTagAttributeHidden:
            self.hidden = False
        else:
            self.values.pop(tag, None)
            self.gone.add(tag)

    @property
    def empty(self) -> bool:
        """Nothing is left to do."""
        columns = (self.name, self.container_class, self.hidden)
        return not self.values and not self.gone and columns == (None, None, None)


def read_bag(tx: Transaction, fid: int) -> Bag:
    """The properties of a folder that are not columns."""
    stored = one(tx.db, "SELECT props FROM folder_props WHERE fid=?", (fid,))
    return {} if stored is None else decode_bag(stored[0])


def write_bag(tx: Transaction, fid: int, bag: Bag) -> None:
    """ecTooBig."""
    try:
        encoded = encode_bag(bag)
    except (TypeError, ValueError, OverflowError) as error:
        raise MapiError(Ec.ecInvalidParam, "property value") from error
    if len(encoded) > LARGEST_BAG:
        raise MapiError(Ec.ecTooBig, "properties of a folder")
    tx.db.execute("INSERT OR REPLACE INTO folder_props VALUES (?,?)", (fid, encoded))


def set_folder_props(tx: Transaction, call: h.SetFolderProps) -> h.Problems:
    """exmdb.hierarchy.SetFolderProps."""
    tx.access.require(call.fid, a.OWNER)
    row = tx.state.folder(call.fid)
    edit = FolderEdit(call.set, call.delete)
    if edit.name is not None:
        code = _rename_problem(tx, row, edit.name)
        if code is not None:
            edit.problems.append((p.PidTagDisplayName, int(code)))
            edit.name = None
    if edit.empty:
        return h.Problems(edit.problems)
    return h.Problems(edit.problems, change_folder(tx, row, edit))


def _rename_problem(tx: Transaction, row: FolderRow, name: str) -> Ec | None:
    if name == row.name:
        return None
    try:
        checked_name(name)
        if not tx.access.is_system:
            own_folder(tx, row.fid)
    except MapiError as error:
        return Ec.ecAccessDenied if error.code is Ec.ecRootFolder else error.code
    return Ec.ecDuplicateName if sibling(tx, row.parent_fid, name, but=row.fid) is not None else None


def change_folder(tx: Transaction, row: FolderRow, edit: FolderEdit) -> int:
    """Carry an edit out; answers the folder's new change number."""
    bag = {tag: value for tag, value in read_bag(tx, row.fid).items() if tag not in edit.gone} | edit.values
    write_bag(tx, row.fid, bag | {p.PidTagLastModificationTime: filetime(tx.now)})
    if edit.name is not None:
        row.name = edit.name
    if edit.container_class is not None:
        row.container_class = edit.container_class
    if edit.hidden is not None:
        row.hidden = edit.hidden
    update_row(tx, row)
    return row.changed_cn


def update_row(tx: Transaction, row: FolderRow) -> None:
    """Write a folder's place and name; it takes a change number."""
    row.changed_cn = tx.new_cns()
    sql = "UPDATE folders SET parent_fid=?, name=?, container_class=?, hidden=?, changed_cn=? WHERE fid=?"
    tx.db.execute(sql, (row.parent_fid, row.name, row.container_class, row.hidden, row.changed_cn, row.fid))
    tx.hierarchy_changed(row.changed_cn)


def get_folder_props(reading: Reading, call: h.GetFolderProps) -> Bag:
    """exmdb.hierarchy.GetFolderProps."""
    if call.tags is not None and len(call.tags) > MOST_TAGS:
        raise MapiError(Ec.ecInvalidParam, "too many properties")
    try:
        return FolderReader(reading).bag(call.fid, call.tags)
    except WireError as error:
        raise MapiError(Ec.ecError, f"folder {call.fid:#x}: {error}") from error


# ---------------------------------------------------------------------------------------------- removing


def subtree(tx: Transaction, fid: int) -> list[FolderRow]:
    """A folder and all below it, parents first."""
    children: dict[int, list[FolderRow]] = {}
    for row in tx.state.folders.values():
        children.setdefault(row.parent_fid, []).append(row)
    found = [tx.state.folder(fid)]
    for row in found:
        found += children.get(row.fid, ())
    return found


def remove_folder(tx: Transaction, call: h.RemoveFolder) -> Partial:
    """exmdb.hierarchy.RemoveFolder."""
    earlier = requests.known(tx, call.request_id, Partial) if tx.access.may(call.fid, a.OWNER) else None
    if earlier is not None:
        return earlier
    if call.fid not in tx.state.folders and tx.access.everything:
        purge_folder(tx, call.fid)
        done = Partial(False)
    else:
        tx.access.require(call.fid, a.OWNER)
        own_folder(tx, call.fid)
        below = subtree(tx, call.fid)
        if not _removable(tx, below, call):
            return Partial(True)
        done = Partial(False, remove_tree(tx, below, hard=call.hard))
    requests.remember(tx, call.request_id, done)
    return done


def _removable(tx: Transaction, below: list[FolderRow], call: h.RemoveFolder) -> bool:
    if len(below) > 1 and not call.folders:
        return False
    if below[0].messages and not call.messages:
        return False
    access = tx.access
    if access.everything:
        return True
    if not all(access.may(row.fid, a.OWNER) for row in below):
        return False
    return all(not row.messages or access.may(row.fid, a.DELETE_ANY) for row in below)


def remove_tree(tx: Transaction, below: list[FolderRow], *, hard: bool) -> int:
    """Remove folders, children first; answers the last change number."""
    cn = 0
    for row in reversed(below):
        if hard:
            erase_contents(tx, row.fid)
        else:
            _hide(tx, row)
        cn = unlist_folder(tx, row)
    return cn


def _hide(tx: Transaction, row: FolderRow) -> None:
    """Keep what a folder has where it can be recovered from."""
    db = tx.db
    forget_results(tx, row.fid)
    db.execute(_HIDE_ASSOCIATED, (tx.now, row.fid))
    db.execute(_SOFT_DELETE, (tx.now, row.fid))
    for table in ("messages", "pages", "tombstones", "search_results"):
        db.execute(f"DELETE FROM {table} WHERE fid=?", (row.fid,))
    db.execute(
        "INSERT INTO deleted_folders SELECT fid, parent_fid, name, container_class, hidden, ?, created"
        " FROM folders WHERE fid=?",
        (tx.now, row.fid),
    )


def purge_folder(tx: Transaction, fid: int) -> int:
    """Remove a soft-deleted folder and those below it for good; answers how many. ecNotFound."""
    check_id(fid)
    if one(tx.db, "SELECT 1 FROM deleted_folders WHERE fid=?", (fid,)) is None:
        raise MapiError(Ec.ecNotFound, f"folder {fid:#x}")
    doomed = [fid]
    for at in doomed:
        doomed += [child for (child,) in rows(tx.db, "SELECT fid FROM deleted_folders WHERE parent_fid=?", (at,))]
    for at in doomed:
        erase_contents(tx, at)
        tx.db.execute("DELETE FROM deleted_folders WHERE fid=?", (at,))
    return len(doomed)


def purge_folders(tx: Transaction, before: int, limit: int) -> int:
    """Remove for good the folders that were soft-deleted before a time; answers how many."""
    count = 0
    sql = "SELECT fid FROM deleted_folders WHERE time < ? ORDER BY time LIMIT ?"
    for (fid,) in rows(tx.db, sql, (before, limit)):
        if count < limit and one(tx.db, "SELECT 1 FROM deleted_folders WHERE fid=?", (fid,)) is not None:
            count += purge_folder(tx, fid)
    return count


def list_deleted_folders(reading: Reading, call: h.ListDeletedFolders) -> list[h.DeletedFolder]:
    """exmdb.hierarchy.ListDeletedFolders."""
    reading.access.require_owner()
    if call.parent:
        check_id(call.parent)
    where = "WHERE d.parent_fid=?" if call.parent else "WHERE ?=0"
    sql = (
        "SELECT fid, parent_fid, name, container_class, time,"
        f" (SELECT count(*) FROM unlisted u WHERE u.fid = d.fid AND u.kind={r.DELETED})"
        f" FROM deleted_folders d {where} ORDER BY time, fid LIMIT 10000"
    )
    return [h.DeletedFolder(*found) for found in rows(reading.reader.db, sql, (call.parent,))]


READS = {h.GetFolderProps: get_folder_props, h.ListDeletedFolders: list_deleted_folders}
WRITES = {h.MakeFolder: make_folder, h.SetFolderProps: set_folder_props, h.RemoveFolder: remove_folder}
LONG = {h.GetFolderProps: lambda reading, call: is_long(reading, call.fid), h.ListDeletedFolders: lambda *_: True}
