"""A session of alice's with the people of tests.addressbook."""

from __future__ import annotations

from tests.addressbook.conftest import admin, book, engine, make
from tests.nspi.fixtures import mailboxes, session

__all__ = ["admin", "book", "engine", "mailboxes", "make", "session"]
