"""Random edits of a working copy against a model of dicts: what it shows, and what is there after it is saved."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.working import Account, Holder, WorkingMessage, copy_to, open_stream
from gromoxd.mapi.flags import OpenStreamFlags
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachLongFilename,
    PidTagBody,
    PidTagComment,
    PidTagDisplayName,
    PidTagDisplayTo,
    PidTagHasAttachments,
    PidTagHtml,
    PidTagImportance,
    PidTagRowid,
    PidTagSubject,
)
from store.direct import DirectStore
from store.settings import StoreSettings
from tests.contract.worlds import INBOX, OWNER
from tests.exmdb.test_working import deliver
from tests.store.mapi.objects import check_references, person

TEXTS = (PidTagSubject, PidTagComment, 0x6600001F)
BINARIES = (0x66010102, 0x66020102)
OTHERS = (PidTagImportance, 0x66030003, 0x6604000B, 0x66050014, 0x6606101F)
BODIES = (PidTagBody, PidTagHtml)
TAGS = (*TEXTS, *BINARIES, *OTHERS)

words = st.sampled_from(["", "a", "RE: b", "Fwd: \u00fc \U0001f600", "x: y", "line\r\nline"])
sizes = st.sampled_from([0, 1, 700, 16_000, 16_400, 33_000, 65_536, 65_600, 140_001])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, Any, int]:
    """A tag, a value and how many octets follow it: see `expanded`."""
    tag = draw(st.sampled_from((*TAGS, *BODIES)))
    kind = tag & 0xFFFF
    if kind in (0x1F, 0x102):
        return tag, draw(words), 0 if tag == PidTagSubject else draw(sizes)
    if kind == 0x101F:
        return tag, draw(st.lists(words.filter(bool), min_size=1, max_size=3)), 0
    return tag, draw(st.booleans() if kind == 0x0B else st.integers(0, 2)), 0


def expanded(data: list[tuple[int, Any, int]]) -> dict[int, Any]:
    """Properties of what `pairs` drew."""
    return {tag: _expanded(tag, value, size) for tag, value, size in data}


def _expanded(tag: int, value: Any, size: int) -> Any:
    if tag & 0xFFFF == 0x1F:
        return value + "t" * (size // 2)
    return value.encode() + b"b" * size if tag & 0xFFFF == 0x102 else value


paths = st.lists(st.integers(0, 2), max_size=2)
steps = st.one_of(
    st.tuples(st.just("set"), paths, st.lists(pairs(), min_size=1, max_size=4)),
    st.tuples(st.just("delete"), paths, st.sampled_from([tag for tag in TAGS if tag != PidTagImportance])),
    st.tuples(st.just("stream"), paths, st.tuples(st.sampled_from(BINARIES), st.integers(0, 90_000), sizes)),
    st.tuples(st.just("rows"), paths, st.dictionaries(st.integers(0, 5), st.sampled_from(["a", "b", ""]), max_size=3)),
    st.tuples(st.just("no rows"), paths, st.none()),
    st.tuples(st.just("attach"), paths, st.lists(pairs(), max_size=2)),
    st.tuples(st.just("embed"), paths, st.lists(pairs(), max_size=2)),
    st.tuples(st.just("detach"), paths, st.integers(0, 3)),
    st.tuples(st.just("change"), paths, st.tuples(st.integers(0, 3), pairs())),
    st.tuples(st.just("save"), st.just([]), st.booleans()),
    st.tuples(st.just("discard"), st.just([]), st.none()),
)


@dataclass
class Model:
    """What a message is to be. An attachment is (properties, message in it)."""

    props: dict[int, Any] = field(default_factory=dict)
    body: tuple[int, Any] | None = None
    rows: dict[int, str] = field(default_factory=dict)
    attachments: dict[int, tuple[dict[int, Any], Model | None]] = field(default_factory=dict)

    def copy(self) -> Model:
        attachments = {n: (dict(bag), one and one.copy()) for n, (bag, one) in self.attachments.items()}
        return Model(dict(self.props), self.body, dict(self.rows), attachments)

    def put(self, props: dict[int, Any]) -> None:
        body = next((tag for tag in (PidTagHtml, PidTagBody) if tag in props), 0)
        if body:
            self.body = (body, props[body])
        self.props |= {tag: value for tag, value in props.items() if tag not in BODIES}


def embedded_in(model: Model, path: list[int]) -> Iterator[int]:
    """The numbers of attachments that lead as deep as `path` asks and messages are."""
    for wish in path:
        inner = [num for num, (_, child) in sorted(model.attachments.items()) if child is not None]
        if not inner:
            return
        num = inner[wish % len(inner)]
        yield num
        child = model.attachments[num][1]
        assert child is not None
        model = child


class Run:
    """One message and its model; `stored` is what the store is to have."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.message = WorkingMessage.create(account, INBOX, now=1_000)
        self.model = Model({PidTagImportance: 1})
        self.stored: Model | None = None

    def step(self, what: str, path: list[int], data: Any) -> None:
        """One operation, on a message in messages and on its model."""
        if what == "save":
            self.save(reopen=data)
        elif what == "discard":
            if self.stored is not None:
                self.message.discard()
                self.message = WorkingMessage.open(self.account, self.message.mid)
                self.model = self.stored.copy()
        else:
            model, opened = self.model, []
            message = self.message
            for num in list(embedded_in(model, path)):
                attachment = message.open_attachment(num)
                message, model = attachment.open_embedded(), model.attachments[num][1]  # type: ignore[assignment]
                opened.append((attachment, message))
            getattr(self, "do_" + what.replace(" ", "_"))(message, model, data)
            for attachment, inner in reversed(opened):
                inner.save()
                attachment.save()
        compare(self.message, self.model)

    def save(self, *, reopen: bool) -> None:
        self.message.save()
        rows = self.model.rows
        rows_from_nought(self.model)
        self.stored = self.model.copy()
        compare(WorkingMessage.open(self.account, self.message.mid), self.stored)
        if reopen:
            self.message.discard()
            self.message = WorkingMessage.open(self.account, self.message.mid)
        else:
            self.model.rows = rows

    def do_set(self, message: WorkingMessage, model: Model, data: list[tuple[int, Any, int]]) -> None:
        assert message.set(expanded(data)) == []
        model.put(expanded(data))

    def do_delete(self, message: WorkingMessage, model: Model, tag: int) -> None:
        assert message.delete([tag]) == []
        model.props.pop(tag, None)

    def do_stream(self, message: Holder, model: Model, data: tuple[int, int, int]) -> None:
        tag, offset, size = data
        value = model.props.get(tag)
        stream = open_stream(message, tag, OpenStreamFlags.Create if value is None else OpenStreamFlags.ReadWrite)
        value = value or b""
        assert stream.read(1 << 20) == value
        stream.seek(0, offset)
        stream.write(b"s" * size)
        value = value.ljust(offset, b"\0")
        model.props[tag] = value[:offset] + b"s" * size + value[offset + size :]

    def do_rows(self, message: WorkingMessage, model: Model, data: dict[int, str]) -> None:
        message.modify_recipients({row: person(f"{name}@x.org") if name else None for row, name in data.items()})
        model.rows = {row: name for row, name in (model.rows | data).items() if name}

    def do_no_rows(self, message: WorkingMessage, model: Model, data: None) -> None:
        message.remove_recipients()
        model.rows = {}

    def do_attach(self, message: WorkingMessage, model: Model, data: list[tuple[int, Any, int]]) -> None:
        attachment = message.create_attachment()
        props = {PidTagAttachLongFilename: "f", PidTagAttachDataBinary: b"data"} | plain(data)
        assert attachment.set(props) == []
        attachment.save()
        model.attachments[attachment.num] = (props, None)

    def do_embed(self, message: WorkingMessage, model: Model, data: list[tuple[int, Any, int]]) -> None:
        attachment = message.create_attachment()
        inner = attachment.open_embedded(create=True)
        assert inner.set(expanded(data)) == []
        child = Model({PidTagImportance: 1})
        child.put(expanded(data))
        inner.save()
        attachment.save()
        model.attachments[attachment.num] = ({}, child)

    def do_detach(self, message: WorkingMessage, model: Model, wish: int) -> None:
        if model.attachments:
            num = sorted(model.attachments)[wish % len(model.attachments)]
            message.delete_attachment(num)
            del model.attachments[num]

    def do_change(self, message: WorkingMessage, model: Model, data: tuple[int, tuple[int, Any, int]]) -> None:
        if model.attachments:
            num = sorted(model.attachments)[data[0] % len(model.attachments)]
            props = plain([data[1]])
            attachment = message.open_attachment(num)
            assert attachment.set(props) == []
            attachment.save()
            model.attachments[num][0].update(props)


def plain(data: list[tuple[int, Any, int]]) -> dict[int, Any]:
    """Properties that mean nothing on attachments."""
    return {tag: value for tag, value in expanded(data).items() if tag not in BODIES}


def compare(message: WorkingMessage, model: Model) -> None:
    """Everything that the model says of the message."""
    seen = {tag: message.get(tag) for tag in TAGS}
    assert {tag: value for tag, value in seen.items() if value is not None} == model.props
    if model.body is None:
        assert message.get(PidTagBody) is None
    else:
        assert message.get(model.body[0]) == model.body[1]
    assert [(bag[PidTagRowid], bag[PidTagDisplayName]) for bag in message.recipients] == sorted(model.rows.items())
    assert message.get(PidTagDisplayTo) == "; ".join(name for _, name in sorted(model.rows.items()))
    assert sorted(message.attachments) == sorted(model.attachments)
    assert message.get(PidTagHasAttachments) is bool(model.attachments)
    for num, (props, child) in model.attachments.items():
        attachment = message.open_attachment(num)
        assert {tag: attachment.get(tag) for tag in props} == props
        if child is not None:
            compare(attachment.open_embedded(), child)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=3, max_size=25))
def test_random_edits(sequence: list[tuple[str, list[int], Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, DirectStore(folder, settings=StoreSettings()) as store:
        run = Run(Account(store, MailboxRef(OWNER), OWNER))
        for step in sequence:
            run.step(*step)
        run.save(reopen=True)
        copy = WorkingMessage.create(run.account, INBOX)
        assert copy_to(run.message, copy) == []
        copy.save()
        renumbered = run.model.copy()
        renumbered.attachments = dict(enumerate(one for _, one in sorted(run.model.attachments.items())))
        numbers_from_nought(renumbered)
        compare(WorkingMessage.open(run.account, copy.mid), renumbered)
        check_references(Opened(store))  # type: ignore[arg-type]


def rows_from_nought(model: Model) -> None:
    """Messages number their recipients anew when they are read anew."""
    model.rows = dict(enumerate(name for _, name in sorted(model.rows.items())))
    for _, child in model.attachments.values():
        if child is not None:
            rows_from_nought(child)


def numbers_from_nought(model: Model) -> None:
    """Copies number attachments and rows anew."""
    model.rows = dict(enumerate(name for _, name in sorted(model.rows.items())))
    model.attachments = dict(enumerate(one for _, one in sorted(model.attachments.items())))
    for _, child in model.attachments.values():
        if child is not None:
            numbers_from_nought(child)


class Opened:
    """The tables of a mailbox, for `check_references`."""

    def __init__(self, store: DirectStore) -> None:
        self.db = store.mailbox(OWNER)._runner.tx.db

    def sql(self, sql: str, *args: Any) -> list[Any]:
        return list(self.db.execute(sql, args).fetchall())


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=1, max_size=8))
def test_random_edits_of_mail_that_came(sequence: list[tuple[str, list[int], Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, DirectStore(folder) as store:
        run = Run(Account(store, MailboxRef(OWNER), OWNER))
        run.message = WorkingMessage.open(run.account, deliver(run.account))
        run.model = model_of(run.message)
        run.stored = run.model.copy()
        for step in sequence:
            run.step(*step)
        run.save(reopen=True)
        check_references(Opened(store))  # type: ignore[arg-type]


def model_of(message: WorkingMessage) -> Model:
    """A message as it is."""
    props = {tag: value for tag in TAGS if (value := message.get(tag)) is not None}
    native = next((tag for tag in (PidTagHtml, PidTagBody) if tag in message.loaded().values), None)
    attachments: dict[int, tuple[dict[int, Any], Model | None]] = {}
    for num in message.attachments:
        one = message.open_attachment(num)
        bag = {tag: one.get(tag) for tag in (PidTagAttachLongFilename, PidTagAttachDataBinary)}
        child = model_of(one.open_embedded()) if one.properties.embedded else None
        attachments[num] = ({} if child else bag, child)
    rows = {bag[PidTagRowid]: str(bag[PidTagDisplayName]) for bag in message.recipients}
    return Model(props, None if native is None else (native, message.get(native)), rows, attachments)  # type: ignore[arg-type]
