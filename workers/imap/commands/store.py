"""STORE and UID STORE (RFC 3501 6.4.6, UNCHANGEDSINCE: RFC 7162 3.1.3)."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from gromoxd.exmdb import calls, pages
from workers.imap import errors, view
from workers.imap.commands.access import message_spans, writable
from workers.imap.commands.registry import Sync, command
from workers.imap.flags import parse_flags
from workers.imap.mailbox import Mailbox
from workers.imap.selected import Selected
from workers.imap.state import State
from workers.imap.view import Spans, View
from workers.imap.wire import sequence
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

MODES = {b"FLAGS": calls.REPLACE, b"+FLAGS": calls.ADD, b"-FLAGS": calls.REMOVE}


class Change:
    """What a STORE does to flags words; used to tell its own effect from what others did at the same time."""

    def __init__(self, box: Mailbox, mode: int, bits: int, keywords: list[str]) -> None:
        self._box = box
        self.mode = mode
        self.bits = bits
        self.keywords = keywords
        self._named = frozenset(word.lower().encode() for word in keywords)
        self._known: dict[int, int] = {}

    def __call__(self, words: array[int]) -> list[int]:
        """The flags words that messages with `words` have after it; -1 where that is not known here."""
        for word in set(words).difference(self._known):
            self._known[word] = self._apply(word)
        return list(map(self._known.__getitem__, words))

    def _apply(self, word: int) -> int:
        had = self._box.keyword_set(word >> pages.KEYWORD_SHIFT)
        system = word & pages.SYSTEM_MASK
        if self.mode == calls.ADD:
            system, words = system | self.bits, had | self._named
        elif self.mode == calls.REMOVE:
            system, words = system & ~self.bits, had - self._named
        else:
            system, words = self.bits, self._named
        number = self._box.keyword_set_id(words)
        return system | number << pages.KEYWORD_SHIFT if number >= 0 else -1


@command("STORE", State.SELECTED, Sync.NO_EXPUNGE)
def store(session: Session, cursor: Cursor) -> bytes:
    return _store(session, cursor, False)


@command("UID STORE", State.SELECTED)
def uid_store(session: Session, cursor: Cursor) -> bytes:
    return _store(session, cursor, True)


def _store(session: Session, cursor: Cursor, uid: bool) -> bytes:
    cursor.sp()
    spans = message_spans(session, cursor, uid)
    cursor.sp()
    since = _unchanged_since(cursor)
    mode, silent = _mode(cursor)
    cursor.sp()
    bits, keywords = parse_flags(cursor.flags())
    cursor.end()
    chosen = writable(session)
    if since >= 0:
        session.enable_condstore()
    if not spans:
        return b"OK STORE completed"
    box = chosen.mailbox
    call = calls.SetFlags(chosen.folder.fid, chosen.view.uid_ranges(spans), mode, bits, keywords, since)
    changed = box.exmdb.call(box.ref, call, actor=box.actor)
    if keywords:
        box.load_keywords()
    spans, left = _split_modified(chosen.view, spans, changed.modified)
    gone = _answer(session, chosen, spans, Change(box, mode, bits, keywords), silent, uid)
    if left:
        ranges = changed.modified if uid else _numbers(chosen.view, left)
        return b"OK [MODIFIED %b] Conditional STORE failed for some messages" % sequence.render(ranges)
    return errors.EXPUNGED if gone else b"OK STORE completed"


def _unchanged_since(cursor: Cursor) -> int:
    """`(UNCHANGEDSINCE n) `, -1 without."""
    if not cursor.accept(b"(UNCHANGEDSINCE "):
        return -1
    value = cursor.modseq()
    cursor.expect(b") ")
    return value


def _mode(cursor: Cursor) -> tuple[int, bool]:
    word = cursor.atom().upper()
    silent = word.endswith(b".SILENT")
    mode = MODES.get(word.removesuffix(b".SILENT"))
    if mode is None:
        raise cursor.fail("Unknown STORE item")
    return mode, silent


def _split_modified(seen: View, spans: Spans, modified: sequence.Ranges) -> tuple[Spans, Spans]:
    """(those that were changed, those that UNCHANGEDSINCE left alone)."""
    if not modified:
        return spans, []
    left = seen.by_uid(modified)
    return view.without(spans, left), left


def _numbers(seen: View, spans: Spans) -> sequence.Ranges:
    return sequence.merge((seen.starts[index] + a + 1, seen.starts[index] + b) for index, a, b in spans)


def _answer(session: Session, chosen: Selected, spans: Spans, change: Change, silent: bool, uid: bool) -> bool:
    """Take over the new flags and tell them; whether some of the messages were gone."""
    old = chosen.view
    new_messages = chosen.absorb(session.write, chosen.current(), modseq=session.condstore, quiet=spans)
    left = view.alive(chosen.view, spans)
    gone = left is not spans and view.count(left) < view.count(spans)
    told = _foreign(old, chosen.view, left, change) if silent else left
    if silent and session.condstore:
        touched = view.intersection(view.changed(old, chosen.view, True), left)
        chosen.flag_lines(session.write, view.without(touched, told), uid=uid, modseq=True, flags=False)
    chosen.flag_lines(session.write, told, uid=uid, modseq=session.condstore)
    if new_messages:
        chosen.tell_recent(session.write)
    return gone


def _foreign(old: View, new: View, spans: Spans, change: Change) -> Spans:
    """The messages whose flags are not what this STORE alone would have made of them."""
    rows: dict[int, list[int]] = {}
    for index, a, b in spans:
        before, after = old.refs[index].page.flags[a:b], new.refs[index].page.flags[a:b]
        expected = change(before)
        if -1 not in expected and array("I", expected) == after:
            continue
        rows.setdefault(index, []).extend(
            a + n for n, (want, have) in enumerate(zip(expected, after, strict=True)) if want != have
        )
    return view.spans_of_rows(rows)
