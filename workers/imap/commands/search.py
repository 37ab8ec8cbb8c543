"""SEARCH and UID SEARCH (RFC 3501 6.4.4; RETURN: RFC 4731; MODSEQ: RFC 7162 3.1.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gromoxd.exmdb import calls
from gromoxd.exmdb.ranges import to_ranges
from workers.imap.commands.access import selected
from workers.imap.commands.registry import Sync, command
from workers.imap.searching import Masks, Search, highest_modseq, numbers
from workers.imap.selected import Selected
from workers.imap.state import State
from workers.imap.view import Spans, View
from workers.imap.wire import search as grammar
from workers.imap.wire import sequence
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

RETURNS = {b"MIN", b"MAX", b"ALL", b"COUNT"}


@command("SEARCH", State.SELECTED, Sync.NO_EXPUNGE)
def search(session: Session, cursor: Cursor) -> bytes:
    return _search(session, cursor, False)


@command("UID SEARCH", State.SELECTED)
def uid_search(session: Session, cursor: Cursor) -> bytes:
    return _search(session, cursor, True)


def _search(session: Session, cursor: Cursor, uid: bool) -> bytes:
    cursor.sp()
    returns = _returns(cursor)
    try:
        program = grammar.parse(cursor, int(session.services.now()))
    except grammar.BadCharset:
        return b"NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset, or text that is not in it"
    chosen = selected(session)
    seen = chosen.view
    work = Search(seen, chosen.mailbox, chosen.recent, session.services.breathe)
    masks = work.run(program.key, lambda spans, terms: _ask(chosen, seen, spans, terms))
    if program.modseq:
        session.enable_condstore()
    found = numbers(seen, masks, uid)
    modseq = highest_modseq(seen, masks) if program.modseq else 0
    if returns is None:
        told = b"* SEARCH" + (b" " if found else b"") + b" ".join(map(b"%d".__mod__, found))
        session.write(told + (b" (MODSEQ %d)\r\n" % modseq if modseq else b"\r\n"))
    else:
        session.write(_esearch(session, returns, found, uid, _modseq_of(seen, masks, returns, modseq)))
    return b"OK SEARCH completed"


def _ask(chosen: Selected, seen: View, spans: Spans, terms: list[calls.Term]) -> list[sequence.Ranges]:
    """One call for all texts, about the messages that matter."""
    box = chosen.mailbox
    call = calls.SearchText(chosen.folder.fid, seen.uid_ranges(spans), terms)
    return box.exmdb.call(box.ref, call, actor=box.actor)


def _returns(cursor: Cursor) -> set[bytes] | None:
    """`RETURN (…) `, None without; an empty list means ALL."""
    if not cursor.accept(b"RETURN ("):
        return None
    words: set[bytes] = set()
    while not cursor.accept(b")"):
        if words:
            cursor.sp()
        word = cursor.name()
        if word not in RETURNS:
            raise cursor.fail("Unknown RETURN option")
        words.add(word)
    cursor.sp()
    return words or {b"ALL"}


def _modseq_of(seen: View, masks: Masks, returns: set[bytes], modseq: int) -> int:
    """With MIN or MAX alone the mod-sequence of just those messages, else the highest of all (RFC 7162 3.1.10)."""
    if not modseq or returns & {b"ALL", b"COUNT"}:
        return modseq
    rows = numbers(seen, masks, False)
    ends = {rows[0]} if returns == {b"MIN"} else {rows[-1]} if returns == {b"MAX"} else {rows[0], rows[-1]}
    spans = seen.by_number(to_ranges(sorted(ends)))
    return max(seen.refs[index].page.modseqs[a] for index, a, _ in spans)


def _esearch(session: Session, returns: set[bytes], found: list[int], uid: bool, modseq: int) -> bytes:
    """The ESEARCH answer (RFC 4731 3.1)."""
    words = [b'* ESEARCH (TAG "%b")' % session.tag]
    if uid:
        words.append(b"UID")
    if found:
        if b"MIN" in returns:
            words.append(b"MIN %d" % found[0])
        if b"MAX" in returns:
            words.append(b"MAX %d" % found[-1])
        if b"ALL" in returns:
            words.append(b"ALL " + sequence.render(to_ranges(found)))
    if b"COUNT" in returns:
        words.append(b"COUNT %d" % len(found))
    if modseq:
        words.append(b"MODSEQ %d" % modseq)
    return b" ".join(words) + b"\r\n"
