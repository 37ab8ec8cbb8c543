"""Fixtures of a session."""

from __future__ import annotations

import pytest

from gromoxd.addressbook.reader import Book, Item
from gromoxd.nspi.session import Session
from tests.addressbook.people import ALICE, BOB


class Mailboxes:
    """`Backend` in memory."""

    def __init__(self) -> None:
        self.photos: dict[int, bytes] = {BOB: b"\xff\xd8jpeg"}
        self.names = ["bob@example.test"]
        self.set: list[list[str]] = []

    def photo(self, item: Item) -> bytes | None:
        return self.photos.get(item.entry.user_id)

    def delegates(self, item: Item) -> list[str]:
        return self.names if item.entry.user_id == ALICE else []

    def set_delegates(self, item: Item, names: list[str]) -> None:
        self.set.append(names)


@pytest.fixture
def mailboxes() -> Mailboxes:
    return Mailboxes()


@pytest.fixture
def session(book: Book, mailboxes: Mailboxes) -> Session:
    return Session(book, book.of_user(ALICE), mailboxes)
