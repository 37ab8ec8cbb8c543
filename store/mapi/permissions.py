"""Permissions of folders and delegates of the mailbox ([MS-OXCPERM] 3.2.5, 2.2.7; [MS-OXODLGT] 2.2.1).

What is here keeps the table `permissions` and the copy of it that `Transaction.state` has in step; by that copy
`store.access` judges.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.mapi.permissions import IMPLIED
from store import access as a
from store import wellknown as wk
from store.mapi.reading import Reading
from store.sql import rows
from store.transaction import Transaction

FREE_BUSY = a.FREE_BUSY_SIMPLE | a.FREE_BUSY_DETAILED
MOST_MEMBERS, MOST_CHANGES, MOST_DELEGATES, LONGEST_NAME = 1000, 2000, 1000, 320
_ALWAYS = {x.DEFAULT_ID: x.DEFAULT, x.ANONYMOUS_ID: x.ANONYMOUS}
_PUT = "INSERT INTO permissions VALUES (?,?,?,?) ON CONFLICT (fid, member) DO UPDATE SET rights = excluded.rights"


class _Entry(NamedTuple):
    member_id: int
    rights: int


def closure(rights: int) -> int:
    """The rights with those that they imply ([MS-OXCPERM] 2.2.7). ecInvalidParam for bits that are none."""
    if rights & ~a.ALL or rights < 0:
        raise MapiError(Ec.ecInvalidParam, f"rights {rights:#x}")
    for one, implied in IMPLIED:
        if rights & one:
            rights |= int(implied)
    return rights


def entries_of(db: apsw.Connection, fid: int) -> dict[str, _Entry]:
    """The entries of a folder by their members' names in lower case."""
    sql = "SELECT member, member_id, rights FROM permissions WHERE fid=? ORDER BY member"
    return {member.lower(): _Entry(member_id, rights) for member, member_id, rights in rows(db, sql, (fid,))}


def grant(tx: Transaction, fid: int, name: str, rights: int) -> None:
    """Make or change an entry."""
    name = name.lower()
    member_id = {x.DEFAULT: x.DEFAULT_ID, x.ANONYMOUS: x.ANONYMOUS_ID}.get(name)
    if member_id is None:
        member_id = tx.new_ids()
    tx.effects.acl = True
    tx.db.execute(_PUT, (fid, name, member_id, rights))
    tx.state.acl.setdefault(fid, {})[name] = rights


def revoke(tx: Transaction, fid: int, name: str) -> None:
    """Remove an entry."""
    tx.effects.acl = True
    tx.db.execute("DELETE FROM permissions WHERE fid=? AND member=?", (fid, name))
    members = tx.state.acl.get(fid, {})
    members.pop(name, None)
    if not members:
        tx.state.acl.pop(fid, None)


def restore(tx: Transaction, fid: int) -> None:
    """A soft-deleted folder is back, and its permissions count again."""
    entries = entries_of(tx.db, fid)
    if entries:
        tx.effects.acl = True
        tx.state.acl[fid] = {name: entry.rights for name, entry in entries.items()}


def grant_maker(tx: Transaction, fid: int, rights: int = a.GUEST_FOLDER) -> None:
    """A new folder belongs to its maker, unless that is the mailbox's owner."""
    if not tx.access.everything:
        grant(tx, fid, tx.access.actor, rights)


# ---------------------------------------------------------------------------------------------- calls


def get_permissions(reading: Reading, call: x.GetPermissions) -> list[x.Member]:
    """exmdb.access.GetPermissions."""
    reading.access.require(call.fid, a.OWNER)
    reading.box.check_folder(call.fid)
    entries = entries_of(reading.reader.db, call.fid)
    default = entries.pop(x.DEFAULT, _Entry(x.DEFAULT_ID, reading.box.default_rights))
    anonymous = entries.pop(x.ANONYMOUS, _Entry(x.ANONYMOUS_ID, 0))
    return [
        x.Member(x.DEFAULT_ID, x.DEFAULT, default.rights),
        x.Member(x.ANONYMOUS_ID, x.ANONYMOUS, anonymous.rights),
        *(x.Member(entry.member_id, name, entry.rights) for name, entry in entries.items()),
    ]


class _Edit:
    """The permissions of one folder while a call changes them."""

    def __init__(self, tx: Transaction, call: x.ModifyPermissions) -> None:
        self.calendar = call.fid == wk.CALENDAR and not tx.public
        self.free_busy = call.free_busy
        self.old = entries_of(tx.db, call.fid)
        self.rights = {name: entry.rights for name, entry in self.old.items()}
        self.ids = {entry.member_id: name for name, entry in self.old.items()} | _ALWAYS
        if call.replace:
            self.rights = {name: rights for name, rights in self.rights.items() if name == x.DEFAULT}

    def apply(self, change: x.PermissionChange, replace: bool) -> None:
        """One row of the request."""
        if change.op == x.ADD:
            self._set(member_name(change.name), change.rights)
            return
        if replace or change.op not in (x.MODIFY, x.REMOVE):
            raise MapiError(Ec.ecInvalidParam, "operation on a permission")
        name = self.ids.get(change.member_id)
        if name is None:
            return  # [MS-OXCPERM] 3.2.5.2: a change of who is not in the list is passed over
        if change.op == x.MODIFY:
            self._set(name, change.rights)
        else:
            self.rights.pop(name, None)

    def _set(self, name: str, rights: int) -> None:
        rights = closure(rights)
        if not self.free_busy:
            rights = rights & ~FREE_BUSY | self._free_busy_of(name, rights)
        self.rights[name] = rights

    def _free_busy_of(self, name: str, rights: int) -> int:
        """What a client that does not know free/busy rights leaves to the member ([MS-OXCPERM] 2.2.2.1)."""
        known = self.old.get(name)
        if known is not None:
            return known.rights & FREE_BUSY
        if not self.calendar:
            return 0
        return FREE_BUSY if rights & a.READ_ANY else self.rights.get(x.DEFAULT, 0) & FREE_BUSY


def modify_permissions(tx: Transaction, call: x.ModifyPermissions) -> c.Done:
    """exmdb.access.ModifyPermissions."""
    tx.access.require(call.fid, a.OWNER)
    tx.state.folder(call.fid)
    if len(call.changes) > MOST_CHANGES:
        raise MapiError(Ec.ecInvalidParam, "too many changes")
    edit = _Edit(tx, call)
    for change in call.changes:
        edit.apply(change, call.replace)
    if len(edit.rights) > MOST_MEMBERS:
        raise MapiError(Ec.ecStorageFull, "too many members")
    for name in edit.old.keys() - edit.rights.keys():
        revoke(tx, call.fid, name)
    for name, rights in edit.rights.items():
        if name not in edit.old or edit.old[name].rights != rights:
            grant(tx, call.fid, name, rights)
    if tx.effects.acl:
        tx.effects.told |= {0, call.fid}
    return c.Done()


def member_name(name: str) -> str:
    """A member's name as it is kept. ecInvalidParam."""
    name = name.strip().lower()
    if len(name) > LONGEST_NAME or not (name.isprintable() or not name):
        raise MapiError(Ec.ecInvalidParam, "member")
    return name


def get_rights(reading: Reading, call: x.GetRights) -> x.Rights:
    """exmdb.access.GetRights."""
    box, access = reading.box, reading.access
    if call.fid:
        access.require_sight(call.fid)
        box.check_folder(call.fid)
    if call.user is not None and call.user.lower() != access.actor:
        access.require_owner()
        access = box.access(member_name(call.user))
    return rights_of(reading, access, call.fid)


def rights_of(reading: Reading, access: a.Access, fid: int) -> x.Rights:
    """Somebody's rights on a folder, or, with 0, on the mailbox."""
    listed = {kind: _is_listed(reading, access, kind) for kind in (x.DELEGATES, x.SENDERS)}
    subtree = reading.box.ipm_subtree
    rights = access.rights(fid) if fid else _mailbox_rights(subtree, access, any(listed.values()))
    return x.Rights(rights, listed[x.DELEGATES], listed[x.SENDERS])


def _mailbox_rights(ipm_subtree: int, access: a.Access, sender: bool) -> int:
    rights = access.anywhere()
    if access.rights(ipm_subtree) & a.OWNER:
        rights |= a.STORE_OWNER
    if sender or access.everything:
        rights |= a.SEND_AS
    return rights


def _is_listed(reading: Reading, access: a.Access, kind: int) -> bool:
    """Whether the user, or a list that he is in, is a delegate."""
    if access.everything or access.actor == x.ANONYMOUS:
        return False
    names = {access.actor, *access.groups}
    return any(name in names for name in _delegates(reading.reader.db, kind))


def _delegates(db: apsw.Connection, kind: int) -> list[str]:
    return [name.lower() for (name,) in rows(db, "SELECT name FROM delegates WHERE kind=? ORDER BY name", (kind,))]


def _check_kind(kind: int) -> None:
    if kind not in (x.DELEGATES, x.SENDERS):
        raise MapiError(Ec.ecInvalidParam, "kind of delegates")


def get_delegates(reading: Reading, call: x.GetDelegates) -> list[str]:
    """exmdb.access.GetDelegates."""
    reading.access.require_owner()
    _check_kind(call.kind)
    return _delegates(reading.reader.db, call.kind)


def set_delegates(tx: Transaction, call: x.SetDelegates) -> c.Done:
    """exmdb.access.SetDelegates."""
    tx.access.require_owner()
    _check_kind(call.kind)
    names = _addresses(call.names)
    tx.db.execute("DELETE FROM delegates WHERE kind=?", (call.kind,))
    tx.db.executemany("INSERT INTO delegates VALUES (?,?)", [(call.kind, name) for name in names])
    return c.Done()


def _addresses(names: Iterable[str]) -> list[str]:
    """Names of delegates, each once. ecInvalidParam."""
    kept = sorted({member_name(name) for name in names})
    if len(kept) > MOST_DELEGATES or any("@" not in name for name in kept):
        raise MapiError(Ec.ecInvalidParam, "delegates")
    return kept


READS = {x.GetPermissions: get_permissions, x.GetRights: get_rights, x.GetDelegates: get_delegates}
WRITES = {x.ModifyPermissions: modify_permissions, x.SetDelegates: set_delegates}
