"""Evaluates a SEARCH program on the pages of a view: a bit per message, all messages of a page in one integer. Pure.

Texts are looked for by the mailbox's owner. So that it is asked once, and only about messages whose text matters, each
key is first evaluated to two sets: those that match for certain and those that may match, depending on the texts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import compress

from gromoxd.exmdb.calls import Term
from gromoxd.exmdb.pages import KEYWORD_SHIFT
from workers.imap.mailbox import Mailbox
from workers.imap.view import IndexPage, Spans, View
from workers.imap.wire import search
from workers.imap.wire.sequence import Ranges, resolve

Masks = dict[int, int]
"""Page index -> bits of the rows; pages without bits may be missing."""

_BITS = {bit: bytes(49 if n & bit else 48 for n in range(256)) for bit in (1, 2, 4, 8, 16)}
_ONE = bytes(1 if n == 49 else 0 for n in range(256))
Breathe = Callable[[], None]


def _nothing() -> None:
    return None


@dataclass(slots=True)
class Search:
    """One search over a view. `recent` are the uids that are \\Recent in the session."""

    view: View
    mailbox: Mailbox
    recent: Ranges
    breathe: Breathe = _nothing
    texts: dict[Term, Masks] = field(default_factory=dict)
    """What the owner found; without an entry a text is undecided."""
    _sets: dict[int, Masks] = field(default_factory=dict)
    _words: dict[bytes, set[int]] = field(default_factory=dict)

    def run(self, key: search.Key, ask: Callable[[Spans, list[Term]], list[Ranges]]) -> Masks:
        """The messages that match. `ask` is called at most once, if texts decide about anything."""
        shortcut = self._shortcut(key)
        if shortcut is not None:
            return shortcut
        terms = list(dict.fromkeys(_terms(key)))
        if not terms:
            return self._evaluate(key, 0)
        certain, possible = self._both(key)
        open_masks = {i: possible[i] & ~certain.get(i, 0) for i in possible if possible[i] & ~certain.get(i, 0)}
        if not open_masks:
            return {index: mask for index, mask in certain.items() if mask}
        for term, found in zip(terms, ask(spans_of(self.view, open_masks), terms), strict=True):
            self.texts[term] = masks_of(self.view.by_uid(found))
        return self._evaluate(key, 0)

    def _shortcut(self, key: search.Key) -> Masks | None:
        """UNSEEN and SEEN in a folder without unread mail: known from the folder's state."""
        if isinstance(key, search.Flag) and key.bit == 1 and not self.view.held and not self.view.state.unseen:
            return {i: full(ref) for i, ref in enumerate(self.view.refs)} if key.on else {}
        return None

    def _evaluate(self, key: search.Key, which: int) -> Masks:
        out: Masks = {}
        for index, ref in enumerate(self.view.refs):
            mask = self._key(key, index, ref, full(ref))[which]
            if mask:
                out[index] = mask
            self.breathe()
        return out

    def _both(self, key: search.Key) -> tuple[Masks, Masks]:
        certain: Masks = {}
        possible: Masks = {}
        for index, ref in enumerate(self.view.refs):
            certain[index], possible[index] = self._key(key, index, ref, full(ref))
            self.breathe()
        return certain, possible

    # ------------------------------------------------------------------------------------------ keys

    def _key(self, key: search.Key, index: int, ref: IndexPage, every: int) -> tuple[int, int]:
        """(rows that match for certain, rows that may match)."""
        if isinstance(key, search.And):
            low = high = every
            for part in key.keys:
                a, b = self._key(part, index, ref, every)
                low, high = low & a, high & b
                if not high:
                    break
            return low, high
        if isinstance(key, search.Or):
            a, b = self._key(key.left, index, ref, every)
            c, d = self._key(key.right, index, ref, every)
            return a | c, b | d
        if isinstance(key, search.Not):
            a, b = self._key(key.key, index, ref, every)
            return every & ~b, every & ~a
        if isinstance(key, search.Text):
            found = self.texts.get(key.term)
            if found is None:
                return 0, every
            mask = found.get(index, 0)
            return mask, mask
        mask = self._leaf(key, index, ref, every)
        return mask, mask

    def _leaf(self, key: search.Key, index: int, ref: IndexPage, every: int) -> int:
        if isinstance(key, search.Flag):
            mask = _of_digits(ref.system_flags().translate(_BITS[key.bit]))
            return mask if key.on else every & ~mask
        if isinstance(key, search.Between):
            return _between(ref, key)
        if isinstance(key, search.Set):
            return self._set(key).get(index, 0)
        if isinstance(key, search.Recent):
            return self._recent().get(index, 0) if self.recent else 0
        assert isinstance(key, search.Keyword)
        mask = self._keyword(key.word.encode(), ref)
        return mask if key.on else every & ~mask

    def _recent(self) -> Masks:
        found = self._sets.get(0)
        if found is None:
            found = self._sets[0] = masks_of(self.view.by_uid(self.recent))
        return found

    def _set(self, key: search.Set) -> Masks:
        found = self._sets.get(id(key))
        if found is None:
            seen = self.view
            if key.uid:
                spans = seen.by_uid(resolve(key.ranges, seen.last_uid))
            else:
                ranges = resolve(key.ranges, seen.exists)
                spans = seen.by_number([(a, min(b, seen.exists)) for a, b in ranges if a <= seen.exists])
            found = self._sets[id(key)] = masks_of(spans)
        return found

    def _keyword(self, word: bytes, ref: IndexPage) -> int:
        words = ref.page.flags
        if max(words) >> KEYWORD_SHIFT == 0:
            return 0
        self.mailbox.keyword_set(max(words) >> KEYWORD_SHIFT)
        numbers = self._words.get(word)
        if numbers is None:
            numbers = self._words[word] = self.mailbox.sets_with(word)
        return _of_truth(bytes(flags >> KEYWORD_SHIFT in numbers for flags in words))


def full(ref: IndexPage) -> int:
    """All rows."""
    return (1 << len(ref)) - 1


def _of_digits(digits: bytes) -> int:
    """b'0110' with the first row first."""
    return int(digits[::-1], 2)


_DIGIT = bytes((48, 49)) + bytes(254)


def _of_truth(values: bytes) -> int:
    """b'\\0\\1\\1\\0' with the first row first."""
    return int(values.translate(_DIGIT)[::-1], 2)


def _between(ref: IndexPage, key: search.Between) -> int:
    column = getattr(ref.page, key.column)
    smallest, largest = min(column), max(column)
    if smallest >= key.low and largest < key.high:
        return full(ref)
    if largest < key.low or smallest >= key.high:
        return 0
    return _of_truth(bytes(key.low <= value < key.high for value in column))


def masks_of(spans: Spans) -> Masks:
    """Spans as bits."""
    out: Masks = {}
    for index, a, b in spans:
        out[index] = out.get(index, 0) | ((1 << b) - (1 << a))
    return out


def rows_of(mask: int, n: int) -> bytes:
    """One octet a row, 1 where the bit is set."""
    return bin(mask | 1 << n)[3:].encode().translate(_ONE)[::-1]


def spans_of(seen: View, masks: Masks) -> Spans:
    """Bits as spans."""
    spans: Spans = []
    for index in sorted(masks):
        mask, at = masks[index], 0
        if mask == full(seen.refs[index]):
            spans.append((index, 0, len(seen.refs[index])))
            continue
        while mask:
            skip = (mask & -mask).bit_length() - 1
            mask >>= skip
            run = (~mask & (mask + 1)).bit_length() - 1
            spans.append((index, at + skip, at + skip + run))
            mask >>= run
            at += skip + run
    return spans


def numbers(seen: View, masks: Masks, uid: bool) -> list[int]:
    """The message numbers or uids of the matches, ascending."""
    out: list[int] = []
    for index in sorted(masks):
        ref, mask = seen.refs[index], masks[index]
        n = len(ref)
        column = ref.page.uids if uid else range(seen.starts[index] + 1, seen.starts[index] + n + 1)
        out.extend(column if mask == full(ref) else compress(column, rows_of(mask, n)))
    return out


def highest_modseq(seen: View, masks: Masks) -> int:
    """The highest mod-sequence among the matches (RFC 7162 3.1.5), 0 without any."""
    return max((max(seen.refs[i].page.modseqs[a:b]) for i, a, b in spans_of(seen, masks)), default=0)


def _terms(key: search.Key) -> list[Term]:
    """The texts in a key."""
    if isinstance(key, search.Text):
        return [key.term]
    if isinstance(key, search.And):
        return [term for part in key.keys for term in _terms(part)]
    if isinstance(key, search.Or):
        return _terms(key.left) + _terms(key.right)
    return _terms(key.key) if isinstance(key, search.Not) else []
