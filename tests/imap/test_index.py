"""Building views: from shared memory, from the owner, and while the folder changes under the reader's hands."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls, keys
from gromoxd.exmdb.api import MailboxRef
from tests.imap.model import Folder, rows_of
from workers.imap.index import FolderIndex

REF = MailboxRef("/var/x")


class Owner:
    """Publishes a model folder and answers calls about it; counts both. `before` runs before each read of a page."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.arena: dict[bytes, bytes] = {}
        self.calls: list[Any] = []
        self.reads = 0
        self.before: list[Any] = []

    def publish(self) -> None:
        seen = self.folder.view()
        for ref in seen.refs:
            self.arena[keys.page("/var/x", 7, ref.number)] = struct.pack("<Q", ref.cn) + ref.page.encode()
        self.arena[keys.folder_state("/var/x", 7)] = seen.raw

    def published(self, mailbox: MailboxRef, key: bytes) -> bytes | None:
        self.reads += 1
        if key[:1] == b"P" and self.before:
            self.before.pop()()
        return self.arena.get(key)

    def call(self, mailbox: MailboxRef, call: Any, **more: Any) -> Any:
        self.calls.append(call)
        if isinstance(call, calls.GetPages):
            if self.before:
                self.before.pop()()
            return [self.folder.page(n).encode() if self.folder.page(n).uids else b"" for n in call.numbers]
        return self.folder.view().raw

    def index(self) -> FolderIndex:
        return FolderIndex(self, REF, 7, "x", lambda: None)  # type: ignore[arg-type]


def owner(messages: int = 700) -> Owner:
    made = Owner(Folder())
    for _ in range(messages):
        made.folder.append()
    made.publish()
    return made


def test_an_unchanged_folder_costs_one_read() -> None:
    held = owner()
    index = held.index()
    first = index.current()
    held.reads = 0
    assert index.current() is first
    assert (held.reads, held.calls) == (1, [])


def test_only_changed_pages_are_read() -> None:
    held = owner()
    index = held.index()
    first = index.current()
    held.folder.set_flags(300, 4)
    held.folder.append()
    held.publish()
    held.reads = 0
    second = index.current()
    assert rows_of(second) == rows_of(held.folder.view())
    assert held.reads == 3  # the state and two pages
    assert second.refs[0] is first.refs[0]


def test_evicted_pages_come_from_the_owner() -> None:
    held = owner()
    del held.arena[keys.page("/var/x", 7, 1)]
    assert rows_of(held.index().current()) == rows_of(held.folder.view())
    assert [type(c).__name__ for c in held.calls].count("GetPages") == 1


def test_nothing_is_published() -> None:
    held = owner()
    held.arena.clear()
    assert rows_of(held.index().current()) == rows_of(held.folder.view())


@pytest.mark.parametrize("published", [True, False])
def test_a_folder_that_changes_while_it_is_read(published: bool) -> None:
    held = owner()

    def change() -> None:
        held.folder.set_flags(len(held.folder.rows), held.folder.cn % 2)
        held.folder.expunge(min(held.folder.rows))
        held.folder.append()
        if published:
            held.publish()

    if not published:
        held.arena.clear()
    held.before = [change] * 5
    assert rows_of(held.index().current()) == rows_of(held.folder.view())


def test_a_page_is_newer_than_the_state_for_a_while() -> None:
    """Between the owner's publishing of a page and of the state."""
    held = owner()
    index = held.index()
    index.current()
    held.folder.set_flags(3, 4)
    state = held.arena[keys.folder_state("/var/x", 7)]
    held.publish()
    held.arena[keys.folder_state("/var/x", 7)] = state
    fresh = held.index().current()
    assert rows_of(fresh) == rows_of(held.folder.view())


def test_broken_pages_are_asked_for_again() -> None:
    held = owner()
    key = keys.page("/var/x", 7, 0)
    for broken in (held.arena[key][:-1], held.arena[key][:8], held.arena[key][:8] + bytes(8)):
        held.arena[key] = broken
        assert rows_of(held.index().current()) == rows_of(held.folder.view())


def test_a_folder_that_never_rests_is_busy() -> None:
    held = owner()
    held.arena.clear()
    held.before = [lambda: held.folder.set_flags(5, held.folder.cn & 1)] * 1000
    with pytest.raises(MapiError) as caught:
        held.index().current()
    assert caught.value.code is Ec.ecBusy


def test_the_state_alone_reads_no_page() -> None:
    held = owner()
    assert held.index().state().exists == 700
    assert held.reads == 1
    assert msgspec.msgpack.decode(held.index().raw())[3] == 700
