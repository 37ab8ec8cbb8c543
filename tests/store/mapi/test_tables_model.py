"""Contents tables against a naive model: all rows sorted and grouped in Python, while messages come, change and go.

Clients that only apply the events of their tables have the rows that a fresh query gives.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gromoxd.convert.digest import digest_message
from gromoxd.convert.searchtext import fold as search_fold
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.compare import fold
from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.proptags import (
    PidTagContentCount,
    PidTagContentUnreadCount,
    PidTagDepth,
    PidTagImportance,
    PidTagInstanceNum,
    PidTagInstID,
    PidTagMessageClass,
    PidTagMessageDeliveryTime,
    PidTagMessageFlags,
    PidTagMid,
    PidTagRowType,
    PidTagSenderName,
    PidTagSubject,
)
from gromoxd.mapi.restrictions import (
    And,
    BitmapRelOp,
    BitMask,
    Content,
    Exist,
    Not,
    Or,
    Property,
    RelOp,
    encode_restriction,
)
from gromoxd.mapi.sorting import Order
from gromoxd.mapi.tables import RowType
from gromoxd.mapi.times import filetime
from store.mapi.groups import category_id
from store.mapi.identity import eid
from tests.store.conftest import INBOX, OWNER, SENT, Harness

pytestmark = pytest.mark.slow
START = 1_700_000_000
SUBJECTS = ("alpha", "Beta", "beta", "Äpfel", "Apfel", "", "re: alpha", "zeta " * 60)
SENDERS = ("Ann", "bob", "Čapek", "ANN")
WORDS = ("red", "Green", "blue")
KEYWORDS = PidNameKeywords | 0x2000
SORTABLE = (
    PidTagSubject, PidTagSenderName, PidTagMessageDeliveryTime, PidTagMessageClass, PidTagImportance, KEYWORDS,
)  # fmt: skip
RESTRICTIONS: tuple[Any, ...] = (
    None, None, Content(1, 1, PidTagSubject, "A"), Content(2, 1, PidTagSenderName, "a"), Exist(PidNameKeywords),
    BitMask(BitmapRelOp.EQZ, PidTagMessageFlags, 1), Property(RelOp.EQ, PidTagMessageClass, "ipm.note"),
    Property(RelOp.GE, PidTagMessageDeliveryTime, filetime(START + 3)), Not(Content(1, 1, PidTagSubject, "eta")),
    Or((Property(RelOp.GT, PidTagImportance, 1), Content(0, 1, PidTagSubject, "BETA"))),
    And((Content(1, 1, PidTagSubject, "a"), BitMask(BitmapRelOp.NEZ, PidTagMessageFlags, 1))),
)  # fmt: skip


@dataclass
class Message:
    """A message of the model."""

    mid: int
    subject: str
    sender: str
    received: int
    read: bool
    kind: str = "IPM.Note"
    importance: int = 1
    words: list[str] = field(default_factory=list)

    @property
    def props(self) -> dict[int, Any]:
        found: dict[int, Any] = {
            PidTagSubject: self.subject, PidTagSenderName: self.sender, PidTagMessageClass: self.kind,
            PidTagMessageDeliveryTime: filetime(self.received), PidTagImportance: self.importance,
            PidTagMessageFlags: int(self.read), PidTagMid: eid(self.mid),
        }  # fmt: skip
        if self.words:
            found[PidNameKeywords] = sorted(self.words)
        return found


@dataclass(frozen=True)
class Spec:
    """A table of the test."""

    sort: tuple[tuple[int, int], ...]
    restriction: Any
    categories: int = 0
    expanded: int = 0
    extremum: int = 0

    def table(self, toggled: list[int] | None = None) -> t.Table:
        octets = encode_restriction(self.restriction) if self.restriction is not None else b""
        sort = list(self.sort)
        if self.extremum:
            sort.insert(self.categories, (PidTagMessageDeliveryTime, self.extremum))
        return t.Table(t.CONTENTS, INBOX, 0, octets, sort, self.categories, self.expanded, toggled or [])


class Reversed:
    """Compares the other way round."""

    def __init__(self, key: Any) -> None:
        self.key = key

    def __lt__(self, other: Reversed) -> bool:
        return bool(other.key < self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reversed) and self.key == other.key


def value_key(tag: int, value: Any) -> Any:
    if value is None:
        return (0,)
    if isinstance(value, str):
        return (1, fold(search_fold(value) if tag == PidTagSubject else value))
    if tag == PidTagMessageDeliveryTime:
        return (1, (value - filetime(0)) // 10_000_000)
    return (1, value)


Row = tuple[Message, int, dict[int, Any]]


def rows_of(spec: Spec, messages: list[Message]) -> list[Row]:
    """(message, instance, values) of all leaves, in no order."""
    matches = compile_restriction(spec.restriction) if spec.restriction is not None else lambda props: True
    found = []
    for message in messages:
        props = message.props
        if not matches(props):
            continue
        many = any(tag == KEYWORDS for tag, _ in spec.sort)
        for num, word in enumerate(props.get(PidNameKeywords) or [None]) if many else [(0, None)]:
            found.append((message, num, {**props, KEYWORDS: word}))
    return found


def leaf_key(spec: Spec, row: Row) -> Any:
    terms = spec.sort[spec.categories :]
    keys: list[Any] = []
    for tag, order in terms:
        key = value_key(tag, row[2].get(tag))
        keys.append(Reversed(key) if order == Order.DESCENDING else key)
    tie = row[0].mid
    return (*keys, -tie if terms and terms[0][1] == Order.DESCENDING else tie, row[1])


def expected(spec: Spec, messages: list[Message], toggled: list[int]) -> list[tuple[Any, ...]]:
    """(row type, depth, mid or id, num, count, unread) of the rows shown."""
    rows = sorted(rows_of(spec, messages), key=lambda row: leaf_key(spec, row))
    if not spec.categories:
        return [(RowType.TBL_LEAF_ROW, 0, eid(m.mid), num, None, None) for m, num, _ in rows]
    return _level(spec, rows, (), toggled)


def _level(spec: Spec, rows: list[Row], path: tuple[Any, ...], toggled: list[int]) -> list[tuple[Any, ...]]:
    level = len(path)
    if level == spec.categories:
        return [(RowType.TBL_LEAF_ROW, level, eid(m.mid), num, None, None) for m, num, _ in rows]
    tag, order = spec.sort[level]
    members: dict[Any, list[Row]] = {}
    for row in rows:
        members.setdefault(value_key(tag, row[2].get(tag)), []).append(row)

    def place(key: Any) -> Any:
        wanted = key
        if spec.extremum and level == spec.categories - 1:
            times = [value_key(PidTagMessageDeliveryTime, r[2][PidTagMessageDeliveryTime]) for r in members[key]]
            wanted = (max(times) if spec.extremum == Order.MAXIMUM_CATEGORY else min(times), key)
        return Reversed(wanted) if order == Order.DESCENDING else wanted

    shown: list[tuple[Any, ...]] = []
    for key in sorted(members, key=place):
        inner = (*path, key[1] if len(key) > 1 else None)
        number = category_id(inner)
        is_open = (level < spec.expanded) is not (number in toggled)
        kind = RowType.TBL_EXPANDED_CATEGORY if is_open else RowType.TBL_COLLAPSED_CATEGORY
        unread = sum(not m.read for m, _, _ in members[key])
        shown.append((kind, level, number, 0, len(members[key]), unread))
        if is_open:
            shown += _level(spec, members[key], inner, toggled)
    return shown


COLUMNS = [PidTagRowType, PidTagDepth, PidTagInstID, PidTagInstanceNum, PidTagContentCount, PidTagContentUnreadCount]
OWN = [PidTagMid, PidTagSubject, PidTagMessageFlags]


class Client:
    """Has a copy of a table and applies what it is told."""

    def __init__(self, machine: Tables, spec: Spec, number: int) -> None:
        self.machine, self.spec, self.number = machine, spec, number
        self.table = spec.table()
        machine.box.box.watching.watch(self, OWNER, OWNER, t.WatchTable(number, True, self.table, OWN))
        self.rows: dict[tuple[int, int], list[Any]] = {}
        self.changed = False
        self.read()

    def read(self) -> None:
        names = self.query([PidTagInstID, PidTagInstanceNum])
        values = self.query(OWN)
        self.rows = {(int(i), n): row for (i, n), row in zip(names, values, strict=True)}
        self.changed = False

    def query(self, columns: list[int]) -> list[list[Any]]:
        return self.machine.query(self.table, columns)

    def push(self, event: c.Event) -> None:
        assert (event.watch, event.fid) == (self.number, INBOX)
        for change in event.rows:
            self.apply(change)

    def apply(self, change: c.RowChange) -> None:
        if change.kind == c.TABLE_CHANGED:
            self.changed = True
            return
        name = (eid(change.instance), change.num)
        if change.kind == c.ROW_ADDED:
            assert self.changed or name not in self.rows
        else:
            assert self.changed or name in self.rows
        self.rows.pop(name, None)
        if change.kind == c.ROW_DELETED:
            return
        items = list(self.rows.items())
        at = 0
        if change.after_instance:
            before = (eid(change.after_instance), change.after_num)
            at = list(self.rows).index(before) + 1 if before in self.rows else 0
        items.insert(at, (name, change.row))
        self.rows = dict(items)

    def check(self) -> None:
        if self.changed:
            self.read()
        assert list(self.rows.values()) == self.query(OWN)


sorts = st.lists(st.sampled_from(SORTABLE), max_size=3, unique=True).flatmap(
    lambda tags: st.tuples(*[st.tuples(st.just(tag), st.sampled_from((0, 1))) for tag in tags])
)


@st.composite
def specs(draw: st.DrawFn, grouped: bool = True) -> Spec:
    sort = draw(sorts)
    restriction = draw(st.sampled_from(RESTRICTIONS))
    categories = draw(st.integers(0, len(sort))) if grouped else 0
    expanded = draw(st.integers(0, categories))
    extremum = 0
    if categories and all(tag != PidTagMessageDeliveryTime for tag, _ in sort):
        extremum = draw(st.sampled_from((0, Order.MAXIMUM_CATEGORY, Order.MINIMUM_CATEGORY)))
    return Spec(sort, restriction, categories, expanded, extremum)


class Tables(RuleBasedStateMachine):
    """The machine."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.box = Harness(Path(self.folder.name) / "box")
        self.messages: dict[int, Message] = {}
        self.clients: list[Client] = []
        self.specs: list[Spec] = []
        self.next = 0

    @initialize(flat=st.lists(specs(grouped=False), min_size=2, max_size=3), other=specs(), count=st.integers(0, 8))
    def begin(self, flat: list[Spec], other: Spec, count: int) -> None:
        for number in range(count):
            self.arrive(SUBJECTS[number % len(SUBJECTS)], SENDERS[number % 4], number % 3, bool(number % 2))
        self.specs = [*flat, other]
        self.clients = [Client(self, spec, n + 1) for n, spec in enumerate(self.specs)]

    def teardown(self) -> None:
        self.box.close()
        self.folder.cleanup()

    # ------------------------------------------------------------------------------------------ changes

    @rule(
        subject=st.sampled_from(SUBJECTS), sender=st.sampled_from(SENDERS), later=st.integers(0, 6), read=st.booleans()
    )
    def arrive(self, subject: str, sender: str, later: int, read: bool) -> None:
        received = START + later
        header = f"From: {sender} <x@example.org>\r\nSubject: {subject}\r\n".encode()
        raw = header + b"Content-Type: text/plain; charset=utf-8\r\n\r\nText.\r\n"
        digest = digest_message(raw, received=received)
        new = c.NewMessage(digest, raw, received, SEEN if read else 0)
        stored: c.Stored = self.box.call(c.Append(INBOX, new, b""))
        self.messages[stored.mid] = Message(stored.mid, subject.strip(), sender, received, read)

    def some(self, data: st.DataObject, most: int = 3) -> list[Message]:
        chosen = data.draw(st.lists(st.sampled_from(sorted(self.messages)), min_size=1, max_size=most, unique=True))
        return [self.messages[mid] for mid in chosen]

    def uids(self, messages: list[Message]) -> c.Ranges:
        pages = [page for _, page in self.box.pages().values()]
        found = {mid: uid for page in pages for mid, uid in zip(page.mids, page.uids, strict=True)}
        return sorted((found[m.mid], found[m.mid]) for m in messages)

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), move=st.booleans())
    def leave(self, data: st.DataObject, move: bool) -> None:
        messages = self.some(data)
        uids = self.uids(messages)
        if move:
            self.box.call(c.CopyMessages(INBOX, uids, SENT, True, self.box.request_id()))
        else:
            self.box.call(c.Expunge(INBOX, uids, False))
        for message in messages:
            del self.messages[message.mid]

    @precondition(lambda self: self.messages)
    @rule(data=st.data())
    def copy_here(self, data: st.DataObject) -> None:
        messages = sorted(self.some(data), key=lambda m: self.uids([m]))
        before = self.box.sql("SELECT max(mid) FROM messages")[0][0]
        self.box.call(c.CopyMessages(INBOX, self.uids(messages), INBOX, False, self.box.request_id()))
        new = [mid for (mid,) in self.box.sql("SELECT mid FROM messages WHERE mid > ? ORDER BY mid", before)]
        for old, mid in zip(messages, new, strict=True):
            self.messages[mid] = Message(**{**vars(old), "mid": mid, "words": list(old.words)})

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), read=st.booleans())
    def mark(self, data: st.DataObject, read: bool) -> None:
        messages = self.some(data, 6)
        self.box.call(c.SetFlags(INBOX, self.uids(messages), c.ADD if read else c.REMOVE, SEEN))
        for message in messages:
            message.read = read

    @precondition(lambda self: self.messages)
    @rule(data=st.data(), words=st.lists(st.sampled_from(WORDS), max_size=3, unique=True))
    def categorise(self, data: st.DataObject, words: list[str]) -> None:
        messages = self.some(data)
        flags = {m.mid: SEEN if m.read else 0 for m in messages}
        for message in messages:
            self.box.call(c.SetFlags(INBOX, self.uids([message]), c.REPLACE, flags[message.mid], words))
            message.words = list(words)

    @precondition(lambda self: self.messages)
    @rule(
        data=st.data(), subject=st.sampled_from(SUBJECTS), kind=st.sampled_from(("IPM.Note", "IPM.Task", "ipm.post")),
        importance=st.integers(0, 2), shape=st.booleans(),
    )  # fmt: skip
    def change(self, data: st.DataObject, subject: str, kind: str, importance: int, shape: bool) -> None:
        (message,) = self.some(data, 1)
        changes: dict[int, Any] = {PidTagMessageClass: kind}
        if shape:
            changes |= {PidTagSubject: subject, PidTagImportance: importance}
        self.box.call(o.SaveMessage(INBOX, message.mid, 0, o.Changes(changes), b"", True), actor=OWNER)
        message.kind = kind
        if shape:
            message.subject, message.importance = subject, importance

    @rule()
    def forget_views(self) -> None:
        self.box.box.views.clear()

    @rule(count=st.integers(20, 40))
    def flood(self, count: int) -> None:
        """More at once than is told row by row."""
        raw = b"From: Ann <x@example.org>\r\nSubject: flood\r\n\r\nText.\r\n"
        new = c.NewMessage(digest_message(raw, received=START), raw, START)
        for stored in self.box.batch(*[c.Append(INBOX, new, b"")] * count):
            self.messages[stored.mid] = Message(stored.mid, "flood", "Ann", START, False)

    # ------------------------------------------------------------------------------------------ looking

    def query(self, table: t.Table, columns: list[int]) -> list[list[Any]]:
        """All rows."""
        found: list[list[Any]] = []
        while True:
            rows: t.Rows = self.box.call(t.QueryRows(table, columns, len(found), 4000), actor=OWNER)
            assert rows.position == len(found)
            found += rows.rows
            if len(found) == rows.total:
                return found
            assert rows.rows

    def compare(self, spec: Spec, toggled: list[int]) -> None:
        rows = self.query(spec.table(toggled), COLUMNS)
        assert [tuple(row) for row in rows] == expected(spec, list(self.messages.values()), toggled)

    @rule(spec=specs(), data=st.data())
    def look(self, spec: Spec, data: st.DataObject) -> None:
        self.compare(spec, [])
        everything = expected(Spec(**{**vars(spec), "expanded": spec.categories}), list(self.messages.values()), [])
        ids = [row[2] for row in everything if row[0] != RowType.TBL_LEAF_ROW]
        if ids:
            toggled = data.draw(st.lists(st.sampled_from(ids), max_size=4, unique=True))
            self.compare(spec, toggled)
            self.fold_and_unfold(spec, toggled)

    def fold_and_unfold(self, spec: Spec, toggled: list[int]) -> None:
        """ExpandRow and CollapseRow say what toggling a group does; LocateRow finds each row shown."""
        shown = expected(spec, list(self.messages.values()), toggled)
        table = spec.table(toggled)
        for at, (kind, _, number, num, _, _) in enumerate(shown[:20]):
            if kind == RowType.TBL_LEAF_ROW:
                continue
            located = self.box.call(t.LocateRow(table, number, num), actor=OWNER)
            assert located == t.Located(at, True, False, len(shown))
            after = expected(spec, list(self.messages.values()), [*set(toggled) ^ {number}])
            if kind == RowType.TBL_COLLAPSED_CATEGORY:
                result = self.box.call(t.ExpandRow(table, number, [PidTagInstID], 3), actor=OWNER)
                added = len(after) - len(shown)
                rows = [[row[2]] for row in after[at + 1 : at + 1 + min(added, 3)]]
                assert result == t.Expanded(at, added, rows)
            else:
                result = self.box.call(t.CollapseRow(table, number), actor=OWNER)
                assert result == t.Collapsed(at, len(shown) - len(after))

    @precondition(lambda self: self.messages)
    @rule(spec=specs(grouped=False), data=st.data(), backward=st.booleans(), wanted=st.sampled_from(RESTRICTIONS[2:]))
    def find(self, spec: Spec, data: st.DataObject, backward: bool, wanted: Any) -> None:
        rows = sorted(rows_of(spec, list(self.messages.values())), key=lambda row: leaf_key(spec, row))
        start = data.draw(st.integers(0, len(rows)))
        matches = compile_restriction(wanted)
        hits = [i for i, row in enumerate(rows) if matches(row[2]) and (i < start if backward else i >= start)]
        call = t.FindRow(spec.table(), encode_restriction(wanted), start, [PidTagMid], backward)
        found: t.Found = self.box.call(call, actor=OWNER)
        if not hits:
            assert found.row is None
            return
        at = hits[-1] if backward else hits[0]
        assert (found.position, found.row) == (at, [eid(rows[at][0].mid)])

    @invariant()
    def the_tables_are_the_model(self) -> None:
        for spec in self.specs:
            self.compare(spec, [])

    @invariant()
    def clients_that_listen_are_current(self) -> None:
        for client in self.clients:
            if not client.spec.categories:
                client.check()


TestTables = Tables.TestCase
TestTables.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
