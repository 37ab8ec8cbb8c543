"""Reading a folder's index: from what is published, from the owner, and while it changes."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.calls import Append, Expunge, GetFolderState, GetPages, NewMessage
from gromoxd.exmdb.ranges import to_ranges
from store.memory import MemoryStore
from workers.common.index import Snapshot, page_table, snapshot

BOX, ACTOR, INBOX = MailboxRef("/m/alice"), "alice", 13


class Changing(MemoryStore):
    """`publishing` off: nothing is in shared memory. `between` runs before pages are given out."""

    def __init__(self) -> None:
        super().__init__()
        self.publishing = True
        self.calls: list[Any] = []
        self.between: Any = None
        self.number = 0

    def published(self, mailbox: MailboxRef, key: bytes) -> bytes | None:
        return super().published(mailbox, key) if self.publishing else None

    def call(self, mailbox: MailboxRef, call: Any, **more: Any) -> Any:
        self.calls.append(call)
        if isinstance(call, GetPages) and self.between is not None:
            self.between()
        return super().call(mailbox, call, **more)

    def add(self) -> int:
        self.number += 1
        raw = b"Subject: %d\r\n\r\n" % self.number
        message = NewMessage(digest_message(raw, received=1), raw, 1)
        stored = super().call(BOX, Append(INBOX, message, self.number.to_bytes(16, "big")), actor=ACTOR)
        uid: int = stored.uid
        return uid

    def asked(self, kind: type) -> int:
        return sum(isinstance(call, kind) for call in self.calls)


def take(store: Changing, known: Snapshot | None = None) -> Snapshot:
    store.calls.clear()
    return snapshot(store, BOX, INBOX, ACTOR, known)


def test_published_index_needs_no_call() -> None:
    store = Changing()
    uids = [store.add() for _ in range(600)]
    found = take(store)
    assert found.uids() == uids
    assert found.state.exists == 600
    assert list(found.pages) == sorted({uid // 256 for uid in uids})
    assert store.calls == []


def test_without_shared_memory_the_owner_is_asked() -> None:
    store = Changing()
    uids = [store.add() for _ in range(600)]
    store.publishing = False
    assert take(store).uids() == uids
    assert store.asked(GetPages) == 1
    assert store.asked(GetFolderState) == 2  # and whether it was still the same afterwards


def test_empty_folder() -> None:
    store = Changing()
    found = take(store)
    assert (found.uids(), found.state.exists, found.pages) == ([], 0, {})


def test_known_pages_are_kept() -> None:
    store = Changing()
    for _ in range(600):
        store.add()
    first = take(store)
    assert take(store, first) is first
    uid = store.add()
    second = take(store, first)
    assert second.uids()[-1] == uid
    assert second.pages[0] is first.pages[0]
    assert second.versions == page_table(second.state)


def test_change_between_state_and_pages_is_noticed() -> None:
    store = Changing()
    uids = [store.add() for _ in range(10)]
    store.publishing = False
    added: list[int] = []

    def change() -> None:
        if not added:
            added.append(store.add())
            MemoryStore.call(store, BOX, Expunge(INBOX, [(uids[0], uids[0])], False), actor=ACTOR)

    store.between = change
    found = take(store)
    assert found.uids() == uids[1:] + added
    assert found.state.exists == 10
    assert store.asked(GetPages) == 2


def test_folder_that_never_rests_still_gives_an_answer() -> None:
    store = Changing()
    store.add()
    store.publishing = False
    store.between = store.add
    assert len(take(store).uids()) >= 1


@pytest.mark.parametrize(
    ("uids", "ranges"),
    [([], []), ([0], [(0, 0)]), ([1, 2, 3], [(1, 3)]), ([1, 3, 4, 9], [(1, 1), (3, 4), (9, 9)])],
)
def test_ranges(uids: list[int], ranges: list[tuple[int, int]]) -> None:
    assert to_ranges(uids) == ranges
