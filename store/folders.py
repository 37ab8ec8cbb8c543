"""Write calls on the hierarchy: create, delete, rename, subscribe ([MS-OXCFOLD] 3.2.5, RFC 3501 6.3.3-6.3.7)."""

from __future__ import annotations

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from store import requests
from store import wellknown as wk
from store.access import CREATE_SUBFOLDER
from store.mapi.permissions import grant_maker
from store.references import release
from store.state import LOOP, FolderRow
from store.transaction import Transaction, figures_of

LONGEST_NAME, DEEPEST = 255, 64
LONGEST_PATH = DEEPEST * (LONGEST_NAME + 1)
INSERT_FOLDER = (
    "INSERT INTO folders (fid, uidnext, messages, unseen, size, cn, recent_uid, parent_fid, name, container_class,"
    " hidden, uidvalidity, changed_cn, created) VALUES (?,1,0,0,0,?,1,?,?,?,?,?,?,?)"
)


def split_path(path: str) -> list[str]:
    """The components of a path. ecInvalidParam."""
    names = path.split("/")
    if len(names) > DEEPEST or not all(0 < len(name) <= LONGEST_NAME for name in names):
        raise MapiError(Ec.ecInvalidParam, "folder path")
    if any(ch < " " or ch == "\x7f" for ch in path):
        raise MapiError(Ec.ecInvalidParam, "control character in a folder name")
    if names[0].upper() == "INBOX":
        names[0] = "INBOX"
    return names


def walk(tx: Transaction, path: str) -> tuple[int, list[str]]:
    """The deepest folder on `path` that exists, and the components below it that do not."""
    names = split_path(path)
    at = tx.state.ipm_subtree
    for depth, name in enumerate(names):
        child = tx.state.child(at, name)
        if child is None:
            return at, names[depth:]
        at = child.fid
    return at, []


def make_folders(tx: Transaction, parent: int, components: list[str], container_class: str) -> FolderRow:
    """Create folders one below the other; answers the last."""
    row = tx.state.folders[parent]
    for component in components:
        row = add_folder(tx, row.fid, component.replace("\u2215", "/"), container_class)
    return row


def add_folder(
    tx: Transaction, parent: int, name: str, container_class: str, *, hidden: bool = False, fid: int = 0
) -> FolderRow:
    """Create one folder, with a new id unless one is given. Nothing is checked but the number of folders."""
    state = tx.state
    check_room(tx, 1)
    fid, cn, uidvalidity = fid or tx.new_ids(), tx.new_cns(), tx.new_uidvalidity()
    row = FolderRow(fid, 1, 0, 0, 0, cn, 1, parent, name, container_class, hidden, uidvalidity, cn)
    tx.db.execute(INSERT_FOLDER, (fid, cn, parent, name, container_class, hidden, uidvalidity, cn, tx.now))
    state.folders[fid] = row
    grant_maker(tx, fid)
    tx.hierarchy_changed(cn)
    return row


def check_room(tx: Transaction, count: int) -> None:
    """ecStorageFull when the mailbox has no room for so many folders more."""
    if len(tx.state.folders) + count > tx.settings.most_folders:
        raise MapiError(Ec.ecStorageFull, "too many folders")


def own_folder(tx: Transaction, fid: int) -> FolderRow:
    """A folder that may be deleted and renamed. ecNotFound, ecRootFolder."""
    row = tx.state.folder(fid)
    if fid <= wk.LAST_WELL_KNOWN:
        raise MapiError(Ec.ecRootFolder, row.name)
    return row


def create_folder(tx: Transaction, call: c.CreateFolder) -> c.Folder:
    """calls.CreateFolder."""
    earlier = requests.known(tx, call.request_id, c.Folder)
    if earlier is not None:
        return earlier
    if len(call.container_class) > LONGEST_NAME:
        raise MapiError(Ec.ecInvalidParam, "container class")
    parent, missing = walk(tx, call.path)
    if not missing:
        raise MapiError(Ec.ecDuplicateName, "folder exists")
    tx.access.require(parent, CREATE_SUBFOLDER)
    folder = tx.state.show(make_folders(tx, parent, missing, call.container_class))
    requests.remember(tx, call.request_id, folder)
    return folder


def delete_folder(tx: Transaction, call: c.DeleteFolder) -> c.Done:
    """calls.DeleteFolder."""
    row = own_folder(tx, call.fid)
    if any(f.parent_fid == row.fid for f in tx.state.folders.values()):
        raise MapiError(Ec.ecFolderHasChildren, row.name)
    erase_contents(tx, row.fid)
    return c.Done(unlist_folder(tx, row))


FOLDER_TABLES = (
    "messages", "unlisted", "pages", "tombstones", "folder_props", "permissions", "rules", "search_folders",
    "search_results", "read_states",
)  # fmt: skip
"""Tables whose rows are a folder's and go with it."""


def erase_contents(tx: Transaction, fid: int) -> None:
    """Remove for good all that a folder has, messages that IMAP does not see included, but not the folder."""
    db = tx.db
    forget_results(tx, fid)
    for table in ("messages", "unlisted"):
        release(tx, [did for (did,) in db.execute(f"SELECT did FROM {table} WHERE fid=?", (fid,))])
    for table in FOLDER_TABLES:
        db.execute(f"DELETE FROM {table} WHERE fid=?", (fid,))


def forget_results(tx: Transaction, fid: int) -> None:
    """The messages of a folder are in no search folder any more."""
    if tx.db.execute("SELECT 1 FROM search_folders LIMIT 1").fetchone() is not None:
        tx.db.execute("DELETE FROM search_results WHERE mid IN (SELECT mid FROM messages WHERE fid=?)", (fid,))


def unlist_folder(tx: Transaction, row: FolderRow) -> int:
    """Take a folder out of the hierarchy; answers the change number at which it went."""
    db, cn = tx.db, tx.new_cns()
    db.execute("DELETE FROM folders WHERE fid=?", (row.fid,))
    db.execute("DELETE FROM receive_folders WHERE fid=?", (row.fid,))
    db.execute("INSERT INTO folder_tombstones VALUES (?,?,?)", (cn, row.fid, tx.now))
    if tx.state.acl.pop(row.fid, None) is not None:
        tx.effects.acl = True
    del tx.state.folders[row.fid]
    tx.state.recent.pop(row.fid, None)
    tx.effects.deleted.add(row.fid)
    tx.effects.told.add(row.fid)
    tx.hierarchy_changed(cn)
    return cn


def rename_folder(tx: Transaction, call: c.RenameFolder) -> c.Done:
    """calls.RenameFolder."""
    row = own_folder(tx, call.fid)
    parent, missing = walk(tx, call.path)
    if not missing:
        raise MapiError(Ec.ecDuplicateName, "folder exists")
    if is_below(tx, parent, row.fid):
        raise MapiError(Ec.ecInvalidParam, "a folder below itself")
    if parent != row.parent_fid or missing[:-1]:
        tx.access.require(parent, CREATE_SUBFOLDER)
    if missing[:-1]:
        parent = make_folders(tx, parent, missing[:-1], row.container_class).fid
    row.parent_fid, row.name = parent, missing[-1].replace("\u2215", "/")
    row.changed_cn = tx.new_cns()
    update = "UPDATE folders SET parent_fid=?, name=?, changed_cn=? WHERE fid=?"
    tx.db.execute(update, (row.parent_fid, row.name, row.changed_cn, row.fid))
    tx.hierarchy_changed(row.changed_cn)
    return c.Done(row.changed_cn)


def is_below(tx: Transaction, fid: int, top: int) -> bool:
    """Whether a folder is `top` or below it."""
    row: FolderRow | None = tx.state.folders[fid]
    for _ in range(LOOP):
        if row is None or row.fid == top:
            break
        row = tx.state.folders.get(row.parent_fid)
    return row is not None


def subscribe(tx: Transaction, call: c.Subscribe) -> c.Done:
    """calls.Subscribe; a subscription that is as asked takes no change number."""
    paths = tx.state.subscriptions
    if not 0 < len(call.path) <= LONGEST_PATH:
        raise MapiError(Ec.ecInvalidParam, "subscription path")
    if call.on == (call.path in paths):
        return c.Done()
    if call.on:
        if len(paths) >= tx.settings.most_folders:
            raise MapiError(Ec.ecStorageFull, "too many subscriptions")
        tx.db.execute("INSERT INTO subscriptions VALUES (?)", (call.path,))
        paths.append(call.path)
    else:
        tx.db.execute("DELETE FROM subscriptions WHERE path=?", (call.path,))
        paths.remove(call.path)
    cn = tx.new_cns()
    tx.hierarchy_changed(cn)
    return c.Done(cn)


def claim_recent(tx: Transaction, call: c.ClaimRecent) -> int:
    """calls.ClaimRecent. Needs no commit of its own: a mark lost in a crash only makes messages \\Recent once more."""
    row = tx.state.folder(call.fid)
    first, row.recent_uid = row.recent_uid, row.uidnext
    if first != row.recent_uid:
        tx.state.recent[row.fid] = row.recent_uid
        tx.effects.figures[row.fid] = figures_of(row)
    return first


def set_quota(tx: Transaction, call: c.SetQuota) -> c.Done:
    """calls.SetQuota."""
    if call.receive < 0 or call.storage < 0:
        raise MapiError(Ec.ecInvalidParam, "negative quota")
    tx.db.execute("UPDATE mailbox SET quota_receive=?, quota_storage=?", (call.receive, call.storage))
    tx.state.quota_receive, tx.state.quota_storage = call.receive, call.storage
    return c.Done()
