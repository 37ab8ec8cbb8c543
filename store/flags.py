"""SetFlags: one UPDATE per distinct flags word and range of uids, whatever the number of messages (RFC 3501 6.4.6).

A mailbox has few distinct flags words, so a change of 10,000 messages reads the distinct words among them, maps each to
its new word in Python, and lets SQLite do the rest. Words that stay as they are keep their mod-sequence. Where
\\Seen alone changed, a message keeps its MAPI change number: the mod-sequence is its read state's then ([MS-OXCFXICS]
2.2.1.1.4).
"""

from __future__ import annotations

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from gromoxd.exmdb.ranges import to_ranges
from store import keywords
from store.changes import Flagged
from store.ranges import Target, checked, targets
from store.sql import rows
from store.transaction import Transaction

PAGE_SHIFT = 8
LIMITED = " AND modseq <= ?"
READ_ONLY, ALL_OF_IT = "flags=?, modseq=?", "flags=?, modseq=?, cn=?"
"""What is set of a message whose \\Seen alone changed, and of others."""


class _Job:
    """One SetFlags call under way."""

    def __init__(self, tx: Transaction, call: c.SetFlags) -> None:
        self.tx = tx
        self.call = call
        self.words: dict[int, int] = {}
        """Flags word -> new word, for every word met."""
        self.partly: set[Target] = set()
        """Targets of which some messages have their new word already."""
        self.limit = LIMITED if call.unchanged_since >= 0 else ""
        self.limit_args = (call.unchanged_since,) if call.unchanged_since >= 0 else ()

    def new_word(self, old: int) -> int:
        new = self.words.get(old)
        if new is None:
            new = self.words[old] = _new_word(self.tx, old, self.call)
        return new

    def plan(self, chosen: list[Target]) -> list[tuple[Target, int, int]]:
        """(target, old word, new word) of what changes."""
        todo = []
        for target in chosen:
            sql = f"SELECT DISTINCT flags FROM messages WHERE fid=? AND {target.where}{self.limit}"
            for (old,) in rows(self.tx.db, sql, (self.call.fid, *target.args, *self.limit_args)):
                new = self.new_word(old)
                if new != old:
                    todo.append((target, old, new))
                else:
                    self.partly.add(target)
        return todo

    def apply(self, todo: list[tuple[Target, int, int]], cn: int) -> int:
        """Change the rows; answers by how much the number of unseen messages grows."""
        unseen = 0
        for target, old, new in todo:
            changed, values = (ALL_OF_IT, (new, cn, cn)) if (old ^ new) & ~pages.SEEN else (READ_ONLY, (new, cn))
            sql = f"UPDATE messages SET {changed} WHERE fid=? AND {target.where} AND flags=?{self.limit}"
            self.tx.db.execute(sql, (*values, self.call.fid, *target.args, old, *self.limit_args))
            unseen += self.tx.db.changes() * ((old & pages.SEEN) - (new & pages.SEEN))
        return unseen

    def numbers(self, todo: list[tuple[Target, int, int]], cn: int) -> list[int]:
        """The pages in which something changed (at the ends of a range perhaps one more).

        Where all messages of a target changed, its pages did; only otherwise the rows are looked at once more.
        """
        found: set[int] = set()
        for target in {id(t): t for t, _, _ in todo}.values():
            first, last = target.first >> PAGE_SHIFT, target.last >> PAGE_SHIFT
            if first == last:
                found.add(first)
            elif target in self.partly or self.limit:
                sql = f"SELECT DISTINCT uid >> {PAGE_SHIFT} FROM messages WHERE fid=? AND {target.where} AND modseq=?"
                found.update(n for (n,) in rows(self.tx.db, sql, (self.call.fid, *target.args, cn)))
            else:
                sql = "SELECT number FROM pages WHERE fid=? AND number BETWEEN ? AND ?"
                there = {n for (n,) in rows(self.tx.db, sql, (self.call.fid, first, last))}
                found |= there if target.listed is None else there & {uid >> PAGE_SHIFT for uid in target.listed}
        return sorted(found)


def set_flags(tx: Transaction, call: c.SetFlags) -> c.FlagsChanged:
    """calls.SetFlags."""
    row = tx.state.folder(call.fid)
    if call.mode not in (c.ADD, c.REMOVE, c.REPLACE):
        raise MapiError(Ec.ecInvalidParam, "mode")
    keywords.check(call.keywords)
    ranges = checked(call.uids)
    chosen = targets(ranges, row.uidnext)
    job = _Job(tx, call)
    modified = _modified(tx, call, chosen) if call.unchanged_since >= 0 else []
    todo = job.plan(chosen)
    if not todo:
        return c.FlagsChanged(0, modified)
    cn = tx.new_cns()
    row.unseen += job.apply(todo, cn)
    row.cn = cn
    numbers = job.numbers(todo, cn)
    for number in numbers:
        tx.touch_page(row.fid, number, 0, cn)
    words = {old: new for _, old, new in todo}
    tx.changed(Flagged(row.fid, cn, numbers, ranges, words, call.unchanged_since))
    tx.touch(row)
    return c.FlagsChanged(cn, modified)


def _modified(tx: Transaction, call: c.SetFlags, chosen: list[Target]) -> c.Ranges:
    """The messages that changed after `unchanged_since` (RFC 7162 3.1.3)."""
    uids: list[int] = []
    for target in chosen:
        sql = f"SELECT uid FROM messages WHERE fid=? AND {target.where} AND modseq > ?"
        uids += (uid for (uid,) in tx.db.execute(sql, (call.fid, *target.args, call.unchanged_since)))
    return to_ranges(sorted(uids))


def _new_word(tx: Transaction, old: int, call: c.SetFlags) -> int:
    bits = call.flags & pages.SYSTEM_MASK
    if call.mode == c.REPLACE:
        hidden = [w for w in tx.state.keywords.sets[old >> pages.KEYWORD_SHIFT] if not pages.is_imap_keyword(w)]
        return bits | keywords.intern(tx, [*call.keywords, *hidden]) << pages.KEYWORD_SHIFT
    system = old | bits if call.mode == c.ADD else old & ~bits
    system &= pages.SYSTEM_MASK
    if not call.keywords:
        return system | old & ~pages.SYSTEM_MASK
    have = tx.state.keywords.sets[old >> pages.KEYWORD_SHIFT]
    if call.mode == c.ADD:
        kept = [*call.keywords, *have]
    else:
        named = {word.lower() for word in call.keywords}
        kept = [word for word in have if word.lower() not in named]
    return system | keywords.intern(tx, kept) << pages.KEYWORD_SHIFT
