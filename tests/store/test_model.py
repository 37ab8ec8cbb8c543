"""The engine against a dict: flags, keywords, copies, moves, expunges, in batches, with reopening in between."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from store.settings import StoreSettings
from tests.store.conftest import DRAFTS, INBOX, SENT, Harness, mail, new

FOLDERS = (INBOX, SENT, DRAFTS)
WORDS = ("$Junk", "work", "Later", "WORK", "$junk")

folder = st.sampled_from(FOLDERS)
bits = st.integers(0, 31)
words = st.lists(st.sampled_from(WORDS), max_size=3)
uids = st.lists(
    st.tuples(st.integers(1, 700), st.sampled_from([0, 0, 1, 5, 300])).map(lambda p: (p[0], p[0] + p[1])),
    min_size=1,
    max_size=12,
)
Message = dict[str, Any]


def chosen(box: dict[int, Message], ranges: c.Ranges) -> list[int]:
    return [uid for uid in sorted(box) if any(first <= uid <= last for first, last in ranges)]


def spelt(ranges: c.Ranges) -> list[int]:
    return [uid for first, last in ranges for uid in range(first, last + 1)]


class Engine(RuleBasedStateMachine):
    """`model[fid][uid]` is the message; `gone[fid]` are (uid, cn) of what was expunged."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.box = Harness(Path(self.folder.name), StoreSettings(index_cache_pages=16))
        self.model: dict[int, dict[int, Message]] = {fid: {} for fid in FOLDERS}
        self.next = dict.fromkeys(FOLDERS, 1)
        self.gone: dict[int, list[tuple[int, int]]] = {fid: [] for fid in FOLDERS}
        self.spelling: dict[str, str] = {}
        self.mids: set[int] = set()
        self.cn = 0

    def teardown(self) -> None:
        self.box.close()
        self.folder.cleanup()

    def _words(self, some: list[str]) -> frozenset[str]:
        return frozenset(self.spelling.setdefault(word.lower(), word) for word in some)

    def _arrive(self, fid: int, message: Message) -> int:
        uid = self.next[fid]
        self.model[fid][uid] = message
        self.next[fid] += 1
        return uid

    def _newer(self, cn: int) -> None:
        assert cn > self.cn
        self.cn = cn

    # ------------------------------------------------------------------------------------------ rules

    @initialize(count=st.sampled_from([0, 10, 600]))
    def fill(self, count: int) -> None:
        for n in range(0, count, 200):
            some = range(n, min(n + 200, count))
            for i, stored in zip(
                some, self.box.batch(*(c.Append(INBOX, new(mail(i)), b"") for i in some)), strict=True
            ):
                message = {"raw": mail(i), "flags": 0, "words": frozenset(), "modseq": stored.cn}
                assert self._arrive(INBOX, message) == stored.uid
                self._newer(stored.cn)

    @rule(fid=folder, number=st.integers(0, 3), flags=bits, some=words)
    def append(self, fid: int, number: int, flags: int, some: list[str]) -> None:
        stored = self.box.append(mail(number), fid, flags=flags, keywords=some)
        message = {"raw": mail(number), "flags": flags, "words": self._words(some), "modseq": stored.cn}
        assert self._arrive(fid, message) == stored.uid
        assert stored.mid not in self.mids
        self.mids.add(stored.mid)
        self._newer(stored.cn)

    @rule(fid=folder, ranges=uids, mode=st.sampled_from([c.ADD, c.REMOVE, c.REPLACE]), flags=bits, some=words,
          age=st.sampled_from([-1, -1, -1, 0, 3, 10]))  # fmt: skip
    def flag(self, fid: int, ranges: c.Ranges, mode: int, flags: int, some: list[str], age: int) -> None:
        since = -1 if age < 0 else max(0, self.cn - age)
        answer = self.box.call(c.SetFlags(fid, ranges, mode, flags, some, since))
        modified, changed = [], []
        for uid in chosen(self.model[fid], ranges):
            message = self.model[fid][uid]
            if 0 <= since < message["modseq"]:
                modified.append(uid)
                continue
            new_words = {
                c.ADD: message["words"] | {self.spelling.get(w.lower(), w) for w in some},
                c.REMOVE: frozenset(w for w in message["words"] if w.lower() not in {s.lower() for s in some}),
                c.REPLACE: frozenset(self.spelling.get(w.lower(), w) for w in some),
            }[mode]
            old = message["flags"]
            new_flags = {c.ADD: old | flags, c.REMOVE: old & ~flags, c.REPLACE: flags}[mode]
            folded = {w.lower() for w in new_words}
            if (new_flags, folded) != (old, {w.lower() for w in message["words"]}):
                changed.append(uid)
                message.update(flags=new_flags, words=self._words(_first_spellings(some, new_words)))
        assert spelt(answer.modified) == modified
        if changed:
            self._newer(answer.cn)
            for uid in changed:
                self.model[fid][uid]["modseq"] = answer.cn
        else:
            assert answer.cn == 0

    @rule(fid=folder, to=folder, ranges=uids, move=st.booleans())
    def copy(self, fid: int, to: int, ranges: c.Ranges, move: bool) -> None:
        copied = self.box.call(c.CopyMessages(fid, ranges, to, move, self.box.request_id()))
        source = chosen(self.model[fid], ranges)
        assert spelt(copied.source) == source
        destination = [self._arrive(to, dict(self.model[fid][uid])) for uid in source]
        assert spelt(copied.destination) == destination
        if not source:
            return
        self._newer(copied.cn)
        rows = self._rows(to)
        for uid in destination:
            self.model[to][uid]["modseq"] = rows[uid]["modseq"]
            assert rows[uid]["mid"] not in self.mids
            self.mids.add(rows[uid]["mid"])
        if move:
            for uid in source:
                del self.model[fid][uid]
                self.gone[fid].append((uid, copied.cn))

    @rule(fid=folder, ranges=uids, deleted_only=st.booleans())
    def expunge(self, fid: int, ranges: c.Ranges, deleted_only: bool) -> None:
        answer = self.box.call(c.Expunge(fid, ranges, deleted_only))
        box = self.model[fid]
        doomed = [u for u in chosen(box, ranges) if not deleted_only or box[u]["flags"] & pages.DELETED]
        assert spelt(answer.uids) == doomed
        for uid in doomed:
            del box[uid]
            self.gone[fid].append((uid, answer.cn))
        if doomed:
            self._newer(answer.cn)

    @precondition(lambda self: self.cn)
    @rule(fid=folder, age=st.integers(0, 40))
    def vanished(self, fid: int, age: int) -> None:
        since = max(0, self.cn - age)
        answer = self.box.call(c.GetVanished(fid, since))
        assert spelt(answer.uids) == sorted(uid for uid, cn in self.gone[fid] if cn > since)
        assert answer.complete

    @rule(fid=folder, numbers=st.lists(st.integers(0, 3), min_size=1, max_size=3))
    def look_ahead(self, fid: int, numbers: list[int]) -> None:
        """Somebody reads after the next write is committed and before it is published."""
        self.box.peek = [c.GetPages(fid, numbers)]

    @rule()
    def reopen(self) -> None:
        self.box.reopen()

    # ------------------------------------------------------------------------------------------ invariants

    def _rows(self, fid: int) -> dict[int, Message]:
        sets = self.box.call(c.GetKeywordSets()).sets
        out = {}
        for cn, page in self.box.pages(fid).values():
            assert max(page.modseqs) <= cn
            for i, uid in enumerate(page.uids):
                word = page.flags[i]
                out[uid] = {
                    "flags": word & pages.SYSTEM_MASK, "words": frozenset(sets[word >> pages.KEYWORD_SHIFT]),
                    "modseq": page.modseqs[i], "mid": page.mids[i],
                }  # fmt: skip
        return out

    @invariant()
    def memory_is_the_model(self) -> None:
        for fid in FOLDERS:
            self.box.box._keep_loaded()
            rows = self._rows(fid)
            shown = {uid: {k: row[k] for k in ("flags", "modseq")} for uid, row in rows.items()}
            assert shown == {u: {k: m[k] for k in ("flags", "modseq")} for u, m in sorted(self.model[fid].items())}
            for uid, message in self.model[fid].items():
                assert {w.lower() for w in rows[uid]["words"]} == {w.lower() for w in message["words"]}
            state = self.box.state(fid)
            messages = self.model[fid].values()
            assert (state.exists, state.uidnext) == (len(messages), self.next[fid])
            assert state.unseen == sum(not m["flags"] & pages.SEEN for m in messages)
            assert state.size == sum(len(m["raw"]) for m in messages)

    @invariant()
    def memory_is_the_database(self) -> None:
        index = self.box.box._index
        for fid, view in index._views.items():
            loaded = self.box.box._reader.folder(fid)
            assert bytes(view.table) == loaded.table
            for number, cached in view.pages.items():
                fresh = self.box.box._reader.page(fid, number)
                assert fresh is not None
                assert (fresh.cn, fresh.page.encode()) == (cached.cn, cached.page.encode())

    @invariant()
    def contents_are_the_model(self) -> None:
        for fid in (SENT, DRAFTS):
            assert self.box.contents(fid) == {uid: m["raw"] for uid, m in sorted(self.model[fid].items())}
        data = self.box.sql("SELECT count(*) FROM message_data")[0][0]
        used = self.box.sql("SELECT count(DISTINCT did) FROM messages")[0][0]
        assert data == used == self.box.sql("SELECT count(*) FROM content")[0][0]


def _first_spellings(some: list[str], words_: frozenset[str]) -> list[str]:
    """The spellings in the order in which the engine meets them: the call's own first."""
    return [w for w in some if w.lower() in {x.lower() for x in words_}] + sorted(words_)


Engine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEngine = Engine.TestCase
