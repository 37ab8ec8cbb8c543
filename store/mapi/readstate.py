"""SetReadState: the read marks of messages, one for all in a private mailbox, each user's own in a public store.

[MS-OXCMSG] 2.2.3.10, 2.2.3.11; per-user read state: [MS-OXCSTOR] 1.3.2. Associated messages have none
([MS-OXCFXICS] 3.2.5.9.4.6).
"""

from __future__ import annotations

from array import array
from typing import Any

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.pages import SEEN
from gromoxd.exmdb.ranges import to_ranges
from store.access import EDIT_ANY, EDIT_OWNED, READ_ANY
from store.changes import Flagged
from store.flags import PAGE_SHIFT
from store.mapi import deleting
from store.mapi import rows as r
from store.mapi.rows import Row
from store.sql import rows
from store.state import FolderRow
from store.transaction import Handler, Transaction

_READ, _UNREAD = f"flags = flags | {SEEN}", f"flags = flags & ~{SEEN}"
_MARK_PUBLIC = (
    "INSERT INTO read_states (member, mid, fid, read, cn) VALUES (?,?,?,?,?)"
    " ON CONFLICT (member, mid) DO UPDATE SET fid=excluded.fid, read=excluded.read, cn=excluded.cn"
)


def set_read_state(tx: Transaction, call: o.SetReadState) -> c.Done:
    """objects.SetReadState."""
    if len(call.mids) > deleting.MOST_MIDS:
        raise MapiError(Ec.ecInvalidParam, "too many messages")
    wanted = READ_ANY if tx.public else EDIT_ANY | EDIT_OWNED
    if not tx.access.everything and not tx.access.rights(call.fid) & wanted:
        raise MapiError(Ec.ecAccessDenied, f"folder {call.fid:#x}")
    folder = tx.state.folder(call.fid)
    found = [row for row in r.several(tx.db, folder.fid, call.mids) if row.uid]
    return c.Done(mark(tx, folder, found, call.read))


def mark(tx: Transaction, folder: FolderRow, found: list[Row], read: bool) -> int:
    """Mark listed messages as far as they are not so and the actor may; answers the change number, 0 for none."""
    if tx.public:
        return mark_public(tx, folder, [row.mid for row in found], read)
    chosen = [row for row in found if bool(row.flags & SEEN) != read]
    if not tx.access.may(folder.fid, EDIT_ANY):
        chosen = [row for row in chosen if deleting.is_own(tx, row)]
    if not chosen:
        return 0
    cn = tx.new_cns()
    mids = apsw.carray(array("q", [row.mid for row in chosen]))
    change = _READ if read else _UNREAD
    tx.db.execute(f"UPDATE messages SET {change}, modseq=? WHERE mid IN carray(?)", (cn, mids))
    uids = sorted(row.uid for row in chosen)
    numbers = sorted({uid >> PAGE_SHIFT for uid in uids})
    for number in numbers:
        tx.touch_page(folder.fid, number, 0, cn)
    words = {row.flags: row.flags | SEEN if read else row.flags & ~SEEN for row in chosen}
    tx.changed(Flagged(folder.fid, cn, numbers, to_ranges(uids), words, -1))
    folder.unseen += -len(chosen) if read else len(chosen)
    folder.cn = cn
    tx.touch(folder)
    return cn


def mark_public(tx: Transaction, folder: FolderRow, mids: list[int], read: bool) -> int:
    """The same for the actor alone. A message without mark is unread."""
    if not mids:
        return 0
    sql = "SELECT mid, read FROM read_states WHERE member=? AND mid IN carray(?)"
    known = dict(rows(tx.db, sql, (tx.access.actor, apsw.carray(array("q", mids)))))
    chosen = [mid for mid in mids if bool(known.get(mid)) != read]
    if not chosen:
        return 0
    cn = tx.new_cns()
    tx.db.executemany(_MARK_PUBLIC, [(tx.access.actor, mid, folder.fid, read, cn) for mid in chosen])
    folder.cn = cn
    tx.touch(folder)
    return cn


WRITES: dict[type[Any], Handler] = {o.SetReadState: set_read_state}
