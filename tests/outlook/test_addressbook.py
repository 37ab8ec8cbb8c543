"""The address book as a profile uses it: names are resolved, entries shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.outlook.conftest import ALICE, BOB
from tests.support.outlook import nspi
from tests.support.outlook.nspi import AMBIGUOUS, RESOLVED, UNRESOLVED, AddressBook
from tests.support.outlook.profile import Profile
from tests.support.server import Server, until

pytestmark = pytest.mark.slow


@pytest.fixture
def book(server: Server, alice: Profile) -> Iterator[AddressBook]:
    made = AddressBook(alice.local(alice.account.addressbook_url), ALICE, server.password(ALICE))
    made.bind()
    until(lambda: made.resolve("bob")[0][0] == RESOLVED, seconds=20, step=0.2)  # it is built in the background
    yield made
    made.unbind()


def test_names_are_resolved(server: Server, book: AddressBook) -> None:
    found = book.resolve("Bob", "=SMTP:alice@example.test", "nobody at all", BOB)
    assert [state for state, _ in found] == [RESOLVED, RESOLVED, UNRESOLVED, RESOLVED]
    assert [row.get(nspi.SMTP) for _, row in found] == [BOB, ALICE, None, BOB]
    assert found[0][1][nspi.DISPLAY_NAME] == "Bob"


def test_entries_by_their_dn(alice: Profile, bob: Profile, book: AddressBook) -> None:
    unknown, mid = book.ids_of("/o=nobody/cn=x", bob.account.dn)
    assert unknown == 0 and mid >= 0x10
    found = book.props(mid, nspi.DISPLAY_NAME, nspi.SMTP, nspi.EMAIL, nspi.ADDRESS_TYPE, nspi.OBJECT_TYPE,
                       nspi.DISPLAY_TYPE, nspi.ENTRY_ID)  # fmt: skip
    assert (found[nspi.DISPLAY_NAME], found[nspi.SMTP], found[nspi.ADDRESS_TYPE]) == ("Bob", BOB, "EX")
    assert found[nspi.EMAIL].lower() == bob.account.dn.lower()
    assert (found[nspi.OBJECT_TYPE], found[nspi.DISPLAY_TYPE]) == (6, 0)
    assert bob.account.dn.lower().encode() in found[nspi.ENTRY_ID].lower()
    [row] = book.rows(1, nspi.DISPLAY_NAME, explicit=[mid])
    assert row == {nspi.DISPLAY_NAME: "Bob"}


def test_the_list_is_browsed(book: AddressBook) -> None:
    lists = book.special()
    assert lists and any(row.get(nspi.DISPLAY_NAME) for row in lists)
    rows = book.rows(50, nspi.DISPLAY_NAME, nspi.SMTP)
    names = [row[nspi.DISPLAY_NAME] for row in rows]
    assert {"Alice", "Bob"} <= set(names) and names == sorted(names, key=str.lower)
    assert book.rows(50, nspi.DISPLAY_NAME) == []
    assert book.stat.position == book.stat.total == len(names)


def test_ambiguous(server: Server, book: AddressBook) -> None:
    for name in ("carl.one@example.test", "carl.two@example.test"):
        server.add_user(name)
    server.reload()
    until(lambda: book.resolve("carl")[0][0] == AMBIGUOUS, seconds=20, step=0.2)
    assert book.resolve("carl.two@example.test")[0][0] == RESOLVED
