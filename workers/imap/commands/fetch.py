"""FETCH and UID FETCH (RFC 3501 6.4.5, CHANGEDSINCE: RFC 7162 3.1.4.1)."""

from __future__ import annotations

from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

from gromoxd.exmdb import calls
from gromoxd.exmdb.pages import SEEN
from workers.imap import errors, view
from workers.imap.commands.access import message_spans, selected
from workers.imap.commands.registry import Sync, command
from workers.imap.fetching import Fetcher
from workers.imap.selected import Selected
from workers.imap.state import State
from workers.imap.view import Spans, View
from workers.imap.wire import fetch as grammar
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

_UNSEEN = bytes(0 if n & SEEN else 1 for n in range(256))


@command("FETCH", State.SELECTED, Sync.NO_EXPUNGE)
def fetch(session: Session, cursor: Cursor) -> bytes:
    return _fetch(session, cursor, False)


@command("UID FETCH", State.SELECTED)
def uid_fetch(session: Session, cursor: Cursor) -> bytes:
    return _fetch(session, cursor, True)


def _fetch(session: Session, cursor: Cursor, uid: bool) -> bytes:
    cursor.sp()
    spans = message_spans(session, cursor, uid)
    cursor.sp()
    request = grammar.parse(cursor)
    chosen = selected(session)
    if "MODSEQ" in request.items:
        session.enable_condstore()
    if uid and "UID" not in request.items:
        request = replace(request, items=("UID", *request.items))
    if request.changed_since >= 0:
        spans = _changed_since(chosen.view, spans, request.changed_since)
    if request.sets_seen and not chosen.read_only and _mark_seen(session, chosen, spans):
        request = replace(request, items=_with_flags(request.items, session.condstore))
    work = Fetcher(session, chosen, request)
    work.run(spans)
    return errors.EXPUNGED if work.lost else b"OK FETCH completed"


def _changed_since(seen: View, spans: Spans, since: int) -> Spans:
    """The messages whose mod-sequence is above `since`."""
    rows: dict[int, list[int]] = {}
    out: Spans = []
    for index, a, b in spans:
        ref = seen.refs[index]
        if ref.highest <= since:
            continue
        chosen = list(compress(range(a, b), map(since.__lt__, ref.page.modseqs[a:b])))
        if len(chosen) == b - a:
            out.extend(view.spans_of_rows(rows))
            rows = {}
            out.append((index, a, b))
        elif chosen:
            rows.setdefault(index, []).extend(chosen)
    return out + view.spans_of_rows(rows)


def _mark_seen(session: Session, chosen: Selected, spans: Spans) -> bool:
    """Set \\Seen on the messages that do not have it, in one call; whether there were any."""
    rows: dict[int, list[int]] = {}
    for index, a, b in spans:
        ref = chosen.view.refs[index]
        if ref.first_unseen >= 0:
            rows.setdefault(index, []).extend(compress(range(a, b), ref.system_flags()[a:b].translate(_UNSEEN)))
    unseen = view.spans_of_rows(rows)
    if not unseen:
        return False
    box = chosen.mailbox
    call = calls.SetFlags(chosen.folder.fid, chosen.view.uid_ranges(unseen), calls.ADD, SEEN)
    box.exmdb.call(box.ref, call, actor=box.actor)
    if chosen.absorb(session.write, chosen.current(), modseq=session.condstore, quiet=spans):
        chosen.tell_recent(session.write)
    return True


def _with_flags(items: tuple[str | grammar.Section, ...], modseq: bool) -> tuple[str | grammar.Section, ...]:
    """The changed flags belong to the answer (RFC 3501 6.4.5)."""
    added = ["FLAGS"] if "FLAGS" not in items else []
    if modseq and "MODSEQ" not in items:
        added.append("MODSEQ")
    return (*items, *added)
