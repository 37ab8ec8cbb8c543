"""Contract: random sequences of calls leave every implementation in the same state as the memory store.

Identifiers and change numbers may differ; what a client can conclude from them may not: which messages changed, which
vanished and which index pages are new since each moment of the sequence.
"""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gromoxd.errors import MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM
from tests.contract.mail import digest_of, mail
from tests.contract.worlds import ALL, INBOX, SENT, WORLDS, Mailbox

WORDS = ("$Junk", "work", "Later")
PATHS = ("A", "A/B", "A/B/C", "INBOX/X", "Ä", "A//B", "INBOX", "Drafts")

folder = st.integers(0, 4)
moment = st.integers(0, 12)
flags = st.integers(0, 31)
words = st.lists(st.sampled_from([*WORDS, "WORK"]), max_size=3)
path = st.sampled_from(PATHS)
piece = st.tuples(st.integers(1, 14), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
uids = st.lists(piece, min_size=1, max_size=3).map(lambda pieces: sorted(pieces))

steps = st.one_of(
    st.tuples(st.just("append"), folder, flags, words, st.integers(1, 5)),
    st.tuples(st.just("append"), st.just(0), flags, words, st.integers(1, 5)),
    st.tuples(st.just("deliver"), st.integers(1, 5)),
    st.tuples(st.just("flag"), folder, uids, st.sampled_from([c.ADD, c.REMOVE, c.REPLACE]), flags, words),
    st.tuples(st.just("flag_since"), folder, uids, st.sampled_from([c.ADD, c.REMOVE, c.REPLACE]), flags, moment),
    st.tuples(st.just("copy"), folder, uids, folder, st.booleans()),
    st.tuples(st.just("expunge"), folder, uids, st.booleans()),
    st.tuples(st.just("create"), path),
    st.tuples(st.just("delete"), folder),
    st.tuples(st.just("rename"), folder, path),
    st.tuples(st.just("subscribe"), path, st.booleans()),
    st.tuples(st.just("recent"), folder),
    st.tuples(st.just("vanished"), folder, moment),
    st.tuples(st.just("search"), folder, st.sampled_from(["subject", "body", "text", "from"]), st.sampled_from("123")),
    st.tuples(st.just("quota"), st.sampled_from([0, 600, 2500]), st.sampled_from([0, 700, 3000])),
    st.tuples(st.just("die")),
)


class Player:
    """Plays steps on one implementation and tells what a client would see."""

    def __init__(self, box: Mailbox) -> None:
        self.box = box
        self.fids = [INBOX, SENT]
        self.moments = [0]

    def fid(self, index: int) -> int:
        return self.fids[index % len(self.fids)]

    def since(self, index: int) -> int:
        return self.moments[index % len(self.moments)]

    def play(self, step: tuple[Any, ...]) -> Any:
        """What the step answers, without what may differ."""
        try:
            seen = getattr(self, f"do_{step[0]}")(*step[1:])
        except MapiError as error:
            seen = error.code
        self.moments.append(self.box.call(c.GetMailboxInfo()).cn)
        return seen

    def do_append(self, index: int, bits: int, keywords: list[str], number: int) -> Any:
        message = c.NewMessage(digest_of(mail(number)), mail(number), 1_000_000 + number, bits, keywords)
        return self.box.call(c.Append(self.fid(index), message, self.box.request_id())).uid

    def do_deliver(self, number: int) -> Any:
        return self.box.deliver(mail(number), b"print %d" % number).uid

    def do_flag(self, index: int, ranges: c.Ranges, mode: int, bits: int, keywords: list[str]) -> Any:
        answer = self.box.flag(ranges, mode, bits, keywords, fid=self.fid(index))
        return answer.modified, answer.cn > 0

    def do_flag_since(self, index: int, ranges: c.Ranges, mode: int, bits: int, when: int) -> Any:
        answer = self.box.flag(ranges, mode, bits, fid=self.fid(index), unchanged_since=self.since(when))
        return answer.modified, answer.cn > 0

    def do_copy(self, index: int, ranges: c.Ranges, destination: int, move: bool) -> Any:
        copied = self.box.copy(ranges, self.fid(destination), move=move, fid=self.fid(index))
        return copied.source, copied.destination, copied.cn > 0

    def do_expunge(self, index: int, ranges: c.Ranges, deleted_only: bool) -> Any:
        gone = self.box.expunge(ranges, deleted_only=deleted_only, fid=self.fid(index))
        return gone.uids, gone.cn > 0

    def do_create(self, name: str) -> Any:
        made = self.box.create(name)
        known = set(self.fids)
        new = [f for f in self.box.call(c.ListFolders()).folders if f.fid >= 0x100 and f.fid not in known]
        self.fids += [f.fid for f in sorted(new, key=lambda f: f.path)]
        return made.path, made.name

    def do_delete(self, index: int) -> Any:
        fid = self.fid(index)
        self.box.call(c.DeleteFolder(fid))
        self.fids.remove(fid)

    def do_rename(self, index: int, name: str) -> Any:
        self.box.call(c.RenameFolder(self.fid(index), name))

    def do_subscribe(self, name: str, on: bool) -> Any:
        return self.box.call(c.Subscribe(name, on)).cn > 0

    def do_recent(self, index: int) -> Any:
        return self.box.call(c.ClaimRecent(self.fid(index)))

    def do_vanished(self, index: int, when: int) -> Any:
        return self.box.call(c.GetVanished(self.fid(index), self.since(when))).uids

    def do_search(self, index: int, where: str, value: str) -> Any:
        return self.box.call(c.SearchText(self.fid(index), ALL, [c.Term(where, value)]))

    def do_quota(self, receive: int, storage: int) -> Any:
        self.box.call(c.SetQuota(receive, storage), actor=SYSTEM)

    def do_die(self) -> Any:
        self.box.world.die()

    def picture(self) -> Any:
        """Everything a client can see."""
        info = self.box.call(c.GetMailboxInfo())
        hierarchy = {f.path: (f.name, f.special, f.container_class) for f in self.box.paths().values()}
        subscriptions = sorted(self.box.call(c.ListFolders()).subscriptions)
        return info.messages, info.size, hierarchy, subscriptions, [self.folder(fid) for fid in self.fids]

    def folder(self, fid: int) -> Any:
        state, rows = self.box.state(fid), self.box.index(fid)
        table = list(struct.iter_unpack("<IIQ", state.pages))
        changed = [
            (
                state.cn > when,
                [uid for uid, row in rows.items() if row["modseq"] > when],
                [number for number, _, cn in table if cn > when],
                self.box.call(c.GetVanished(fid, when)).uids,
            )
            for when in self.moments
        ]
        shown = {uid: (row["flags"], row["keywords"], row["received"], row["size"]) for uid, row in rows.items()}
        figures = (state.uidnext, state.exists, state.unseen, state.recent_uid, state.size)
        return figures, shown, changed, self.box.contents(fid)


def compare(other: str, script: list[tuple[Any, ...]]) -> None:
    """Play a script on the memory store and on another implementation, side by side."""
    with tempfile.TemporaryDirectory() as folder:
        worlds = [WORLDS[name](Path(folder) / name) for name in ("memory", other)]
        try:
            model, real = (Player(Mailbox(world)) for world in worlds)
            assert real.picture() == model.picture()
            for step in script:
                assert (step, real.play(step)) == (step, model.play(step))
            assert real.picture() == model.picture()
        finally:
            for world in worlds:
                world.close()


HOW = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=False, database=None)
OTHERS = sorted(WORLDS)


@pytest.mark.parametrize("other", OTHERS)
@settings(HOW, max_examples=15)
@given(script=st.lists(steps, max_size=25))
def test_short_scripts(other: str, script: list[tuple[Any, ...]]) -> None:
    compare(other, script)


@pytest.mark.slow
@pytest.mark.parametrize("other", [name for name in OTHERS if name != "memory"])
@settings(HOW, max_examples=60, phases=[Phase.generate])
@given(script=st.lists(steps, min_size=25, max_size=80))
def test_long_scripts(other: str, script: list[tuple[Any, ...]]) -> None:
    """Not shrunk: that takes minutes. The short ones are."""
    compare(other, script)
