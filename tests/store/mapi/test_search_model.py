"""Search folders against a naive search of all messages, while messages, folders and criteria change."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gromoxd.errors import MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.proptags import PidTagImportance, PidTagMessageFlags, PidTagMid, PidTagSubject
from gromoxd.mapi.restrictions import BitmapRelOp, BitMask, Content, Exist, Not, Property, RelOp
from gromoxd.mapi.searchcriteria import SetSearchFlags
from gromoxd.mapi.sorting import Order
from store.mapi.identity import eid
from tests.store.mapi.test_search import INBOX, OWNER, RECURSIVE, RESTART, SENT, STATIC, SUBTREE, Searching

pytestmark = pytest.mark.slow
SUBJECTS = ("alpha", "beta", "gamma", "Äpfel", "xyz")
RESTRICTIONS: tuple[Any, ...] = (
    Content(1, 1, PidTagSubject, "A"), BitMask(BitmapRelOp.EQZ, PidTagMessageFlags, 1), Exist(PidTagSubject),
    Property(RelOp.EQ, PidTagImportance, 2), Not(Content(0, 1, PidTagSubject, "beta")),
)  # fmt: skip


class Message:
    def __init__(self, fid: int, subject: str, read: bool, importance: int = 1) -> None:
        self.fid, self.subject, self.read, self.importance = fid, subject, read, importance

    @property
    def props(self) -> dict[int, Any]:
        return {
            PidTagSubject: self.subject, PidTagMessageFlags: int(self.read), PidTagImportance: self.importance,
        }  # fmt: skip


class Search:
    """A search folder and what it should look for; `found`: what a static one had when it was begun."""

    def __init__(self, fid: int) -> None:
        self.fid = fid
        self.restriction: Any = None
        self.scope: list[int] = []
        self.recursive = False
        self.found: set[int] | None = None


class Model(RuleBasedStateMachine):
    """The machine."""

    def __init__(self) -> None:
        super().__init__()
        self.temporary = tempfile.TemporaryDirectory()
        self.box = Searching(Path(self.temporary.name))
        self.messages: dict[int, Message] = {}
        self.parents = {INBOX: SUBTREE, SENT: SUBTREE}
        self.searches: list[Search] = []
        self.names = 0

    def teardown(self) -> None:
        self.box.store.close()
        self.temporary.cleanup()

    @initialize()
    def begin(self) -> None:
        for _ in range(3):
            self.searches.append(Search(self.box.make(f"Found {len(self.searches)}")))
        for name in ("One", "Two"):
            self.make_folder(SUBTREE, name)

    def make_folder(self, parent: int, name: str) -> None:
        made: h.MadeFolder = self.box.call(h.MakeFolder(parent, name, {}, self.box.request_id()))
        self.parents[made.fid] = parent

    def folder(self, data: st.DataObject) -> int:
        return int(data.draw(st.sampled_from(sorted(self.parents))))

    def some(self, data: st.DataObject) -> list[int]:
        fid = data.draw(st.sampled_from(sorted({m.fid for m in self.messages.values()})))
        there = sorted(mid for mid, m in self.messages.items() if m.fid == fid)
        return list(data.draw(st.lists(st.sampled_from(there), min_size=1, max_size=3, unique=True)))

    # ------------------------------------------------------------------------------------------ changes

    @rule(data=st.data(), subject=st.sampled_from(SUBJECTS), read=st.booleans())
    def arrive(self, data: st.DataObject, subject: str, read: bool) -> None:
        fid = self.folder(data)
        self.messages[self.box.arrive(subject, fid, flags=SEEN if read else 0)] = Message(fid, subject, read)

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), how=st.sampled_from(("soft", "hard", "move", "copy")))
    def go(self, data: st.DataObject, how: str) -> None:
        mids = self.some(data)
        fid = self.messages[mids[0]].fid
        if how in ("soft", "hard"):
            self.box.call(o.DeleteMessages(fid, mids, how == "hard"))
        else:
            to = self.folder(data)
            call = o.TransferMessages(fid, mids, to, how == "move", self.box.request_id())
            done: o.Transferred = self.box.call(call)
            for old, new in done.pairs:
                was = self.messages[old]
                self.messages[new] = Message(to, was.subject, was.read, was.importance)
        if how != "copy":
            for mid in mids:
                del self.messages[mid]

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), read=st.booleans())
    def mark(self, data: st.DataObject, read: bool) -> None:
        mids = self.some(data)
        self.box.call(o.SetReadState(self.messages[mids[0]].fid, mids, read))
        for mid in mids:
            self.messages[mid].read = read

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), subject=st.sampled_from(SUBJECTS), importance=st.integers(0, 2))
    def change(self, data: st.DataObject, subject: str, importance: int) -> None:
        mid = self.some(data)[0]
        message = self.messages[mid]
        changes = o.Changes({PidTagSubject: subject, PidTagImportance: importance})
        self.box.call(o.SaveMessage(message.fid, mid, 0, changes, b"", True))
        message.subject, message.importance = subject, importance

    # ------------------------------------------------------------------------------------------ folders

    @rule(data=st.data())
    def add_folder(self, data: st.DataObject) -> None:
        self.names += 1
        if len(self.parents) < 8:
            self.make_folder(self.folder(data), f"Folder {self.names}")

    @precondition(lambda self: len(self.parents) > 2)
    @rule(data=st.data())
    def move_folder(self, data: st.DataObject) -> None:
        fid = data.draw(st.sampled_from([fid for fid in sorted(self.parents) if fid not in (INBOX, SENT)]))
        parent = data.draw(st.sampled_from([*sorted(self.parents), SUBTREE]))
        self.names += 1
        try:
            call = h.TransferFolder(fid, parent, f"Moved {self.names}", False, self.box.request_id())
            self.box.call(call)
        except MapiError:
            return  # below itself
        self.parents[fid] = parent

    @precondition(lambda self: len(self.parents) > 2)
    @rule(data=st.data(), hard=st.booleans())
    def remove_folder(self, data: st.DataObject, hard: bool) -> None:
        fid = data.draw(st.sampled_from([fid for fid in sorted(self.parents) if fid not in (INBOX, SENT)]))
        self.box.call(h.RemoveFolder(fid, True, True, self.box.request_id(), hard))
        gone = set(self.below([fid]))
        for one in gone:
            del self.parents[one]
        self.messages = {mid: m for mid, m in self.messages.items() if m.fid not in gone}

    def below(self, fids: list[int]) -> list[int]:
        found = [fid for fid in fids if fid in self.parents or fid == SUBTREE]
        for fid in found:
            found += [child for child, parent in self.parents.items() if parent == fid and child not in found]
        return found

    # ------------------------------------------------------------------------------------------ searches

    def matching(self, search: Search) -> set[int]:
        matches = compile_restriction(search.restriction)
        scope = self.below(search.scope) if search.recursive else search.scope
        return {mid for mid, m in self.messages.items() if m.fid in scope and matches(m.props)}

    @rule(
        data=st.data(), number=st.integers(0, 2), restriction=st.sampled_from(RESTRICTIONS), recursive=st.booleans(),
        static=st.booleans(),
    )  # fmt: skip
    def search(self, data: st.DataObject, number: int, restriction: Any, recursive: bool, static: bool) -> None:
        search = self.searches[number]
        places = [*sorted(self.parents), SUBTREE]
        search.scope = data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=2, unique=True))
        search.restriction, search.recursive = restriction, recursive
        flags = RESTART | (RECURSIVE if recursive else SetSearchFlags(0)) | (STATIC if static else SetSearchFlags(0))
        self.box.search(restriction, search.scope, flags, search.fid)
        search.found = self.matching(search) if static else None

    @rule()
    def reopen(self) -> None:
        self.box.reopen()
        self.box.call(c.GetMailboxInfo())

    @rule(data=st.data())
    def a_job_is_lost(self, data: st.DataObject) -> None:
        """The mailbox closes before what happened last was looked at."""
        mailbox = self.box.store.mailbox(self.box.box.maildir)
        mailbox.jobs.add = lambda job: None  # type: ignore[method-assign]
        fid = self.folder(data)
        self.messages[self.box.arrive("alpha", fid)] = Message(fid, "alpha", False)
        if len(self.messages) > 1:
            mid = sorted(self.messages)[0]
            self.box.call(o.DeleteMessages(self.messages[mid].fid, [mid]))
            del self.messages[mid]
        self.box.reopen()
        self.box.call(c.GetMailboxInfo())

    # ------------------------------------------------------------------------------------------ looking

    @invariant()
    def the_results_are_right(self) -> None:
        for search in self.searches:
            if search.restriction is None:
                continue
            wanted = self.matching(search) if search.found is None else search.found & self.messages.keys()
            table = t.Table(t.CONTENTS, search.fid, sort=[(PidTagSubject, Order.ASCENDING)])
            rows: t.Rows = self.box.call(t.QueryRows(table, [PidTagMid, PidTagSubject], 0, 200), OWNER)
            assert sorted(mid for mid, _ in rows.rows) == sorted(eid(mid) for mid in wanted)
            subjects = [subject.casefold().replace("äpfel", "apfel\x01") for _, subject in rows.rows]
            assert subjects == sorted(subjects)


TestSearches = Model.TestCase
TestSearches.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
