"""SEARCH programs on views against a plain evaluation of the same program, row by row."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gromoxd.exmdb.calls import Term
from gromoxd.exmdb.ranges import to_ranges
from tests.imap.model import Folder, Row
from workers.imap import searching
from workers.imap.searching import Search
from workers.imap.view import Spans, View
from workers.imap.wire import search
from workers.imap.wire.sequence import Ranges, resolve

SETS = [frozenset(), frozenset({b"a"}), frozenset({b"a", b"b"})]
BOX: Any = SimpleNamespace(keyword_set=lambda n: SETS[n], sets_with=lambda w: {n for n, s in enumerate(SETS) if w in s})

LEAVES = st.one_of(
    st.builds(search.Flag, st.sampled_from([1, 2, 4, 8, 16]), st.booleans()),
    st.builds(search.Keyword, st.sampled_from(["a", "b", "c"]), st.booleans()),
    st.just(search.Recent()),
    st.builds(search.Set, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1), st.booleans()),
    st.builds(search.Between, st.sampled_from(["sizes", "modseqs"]), st.integers(0, 9), st.integers(0, 12)),
    st.builds(lambda v: search.Text(Term("body", v)), st.sampled_from(["odd", "third"])),
)
KEYS = st.recursive(
    LEAVES,
    lambda k: (
        st.builds(search.Not, k)
        | st.builds(search.Or, k, k)
        | st.lists(k, max_size=3).map(lambda x: search.And(tuple(x)))
    ),
    max_leaves=8,
)
ROWS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 31), st.integers(0, 2), st.integers(0, 9)), max_size=9)
TEXTS = {"odd": lambda uid: uid % 2 == 1, "third": lambda uid: uid % 3 == 0}


def naive(key: search.Key, row: Row, number: int, rows: list[Row], recent: Ranges) -> bool:
    """One row against one key."""
    if isinstance(key, search.And):
        return all(naive(k, row, number, rows, recent) for k in key.keys)
    if isinstance(key, search.Or):
        return naive(key.left, row, number, rows, recent) or naive(key.right, row, number, rows, recent)
    if isinstance(key, search.Not):
        return not naive(key.key, row, number, rows, recent)
    if isinstance(key, search.Flag):
        return bool(row.flags & key.bit) is key.on
    if isinstance(key, search.Keyword):
        return (key.word.encode() in SETS[row.flags >> 8]) is key.on
    if isinstance(key, search.Recent):
        return any(a <= row.uid <= b for a, b in recent)
    if isinstance(key, search.Set):
        mine, largest = (row.uid, rows[-1].uid) if key.uid else (number, len(rows))
        return any(a <= mine <= b for a, b in resolve(key.ranges, largest))
    if isinstance(key, search.Between):
        return key.low <= {"sizes": row.size, "modseqs": row.modseq}[key.column] < key.high
    return TEXTS[key.term.value](row.uid)


@given(KEYS, ROWS)
def test_like_row_by_row(key: search.Key, given_rows: list[tuple[int, int, int, int]]) -> None:
    folder = Folder()
    for gap, system, keywords, size in given_rows:
        folder.append(gap=gap, flags=system | keywords << 8, size=size)
    rows, recent = list(folder.rows.values()), [(3, 300)]
    seen, asked = folder.view(), []

    def ask(spans: Spans, terms: list[Term]) -> list[Ranges]:
        asked.append(spans)
        uids = [uid for index, a, b in spans for uid in seen.refs[index].page.uids[a:b]]
        return [to_ranges(u for u in uids if TEXTS[t.value](u)) for t in terms]

    masks = Search(seen, BOX, recent).run(key, ask)
    wanted = [n for n, row in enumerate(rows, 1) if naive(key, row, n, rows, recent)]
    assert searching.numbers(seen, masks, False) == wanted
    assert searching.numbers(seen, masks, True) == [rows[n - 1].uid for n in wanted]
    assert searching.highest_modseq(seen, masks) == max((rows[n - 1].modseq for n in wanted), default=0)
    assert len(asked) <= 1


def test_texts_are_asked_only_about_messages_that_matter() -> None:
    folder = Folder()
    for n in range(600):
        folder.append(flags=1 if n < 590 else 0)
    key = search.And(
        (search.Flag(1, False), search.Or(search.Text(Term("body", "odd")), search.Set([(600, 600)], False)))
    )
    asked: list[tuple[Spans, list[Term]]] = []

    def ask(spans: Spans, terms: list[Term]) -> list[Ranges]:
        asked.append((spans, terms))
        return [[(591, 591)]]

    seen = folder.view()
    assert searching.numbers(seen, Search(seen, BOX, []).run(key, ask), False) == [591, 600]
    assert [(seen.uid_ranges(s), t) for s, t in asked] == [([(591, 599)], [Term("body", "odd")])]


def test_no_text_is_asked_for_when_nothing_can_match() -> None:
    folder = Folder()
    folder.append(flags=1)
    key = search.And((search.Flag(1, False), search.Text(Term("body", "x"))))
    seen = folder.view()
    assert Search(seen, BOX, []).run(key, lambda *a: 1 / 0) == {}  # type: ignore[arg-type, return-value]


def test_unseen_is_known_from_the_state() -> None:
    folder = Folder()
    folder.append(flags=1)
    seen: View = folder.view()
    seen.refs[0].page.flags[0] = 0  # would show if it looked
    assert Search(seen, BOX, []).run(search.Flag(1, False), lambda *a: []) == {}
