"""The mailing lists that a user is in, as permissions want to know them."""

from __future__ import annotations

from gromoxd.directory.model import Booking, DisplayType, ListType
from tests.directory.conftest import Site


def lists(site: Site, name: str) -> list[str] | None:
    found = site.directory.memberships(name)
    return None if found is None else [one.partition("@")[0] for one in found.lists]


def make(site: Site, name: str, *members: str, list_type: int = ListType.NORMAL) -> None:
    site.admin.add_list(f"{name}@example.test", list_type=list_type)
    for member in members:
        site.admin.add_member(f"{name}@example.test", f"{member}@example.test")


def test_direct_nested_and_by_alias(people: Site) -> None:
    people.admin.add_alias("ally@example.test", "alice@example.test")
    make(people, "team", "alice")
    make(people, "nick", "ally")
    make(people, "staff", "team")
    people.admin.add_alias("everybody@example.test", "staff@example.test")
    make(people, "world", "everybody", "bob")
    assert lists(people, "Alice@Example.Test") == ["nick", "staff", "team", "world"]
    assert lists(people, "ally@example.test") == ["nick", "staff", "team", "world"]
    assert lists(people, "bob@example.test") == ["world"]
    assert lists(people, "nobody@example.test") is None
    assert lists(people, "") is None
    found = people.directory.memberships("ally@example.test")
    assert found is not None and found.name == "alice@example.test"


def test_the_list_of_a_domain(people: Site) -> None:
    make(people, "all", list_type=ListType.DOMAIN)
    make(people, "outer", "all")
    people.admin.add_domain("other.test")
    people.admin.add_user("eve@other.test")
    assert lists(people, "alice@example.test") == ["all", "outer"]
    assert lists(people, "eve@other.test") == []
    people.sql("UPDATE users SET address_status=1 WHERE username='bob@example.test'")
    assert lists(people, "bob@example.test") == []


def test_lists_in_a_ring_and_lists_switched_off(people: Site) -> None:
    make(people, "one", "alice")
    make(people, "two", "one")
    people.admin.add_member("one@example.test", "two@example.test")
    make(people, "off", "alice")
    people.sql("UPDATE users SET address_status=1 WHERE username='off@example.test'")
    assert lists(people, "alice@example.test") == ["one", "two"]


def test_no_deeper_than_sixteen(people: Site) -> None:
    make(people, "l00", "alice")
    for depth in range(1, 20):
        make(people, f"l{depth:02}", f"l{depth - 1:02}")
    assert lists(people, "alice@example.test") == [f"l{depth:02}" for depth in range(16)]


def test_asked_once(people: Site) -> None:
    make(people, "team", "alice")
    people.asked.clear()
    assert lists(people, "alice@example.test") == lists(people, "alice@example.test") == ["team"]
    assert len(people.asked) == 1


def test_the_other_addresses_of_a_user(people: Site) -> None:
    people.admin.add_alias("Ally@example.test", "alice@example.test")
    user = people.directory.user("ally@example.test")
    assert user is not None
    assert people.directory.aliases(user) == ["ally@example.test"]
    bob = people.directory.user("bob@example.test")
    assert bob is not None
    assert people.directory.aliases(bob) == []


def test_how_a_mailbox_answers_meeting_requests(people: Site) -> None:
    """Rooms accept what does not overlap; properties of the directory say otherwise, of people too."""
    people.admin.add_user("room@example.test", display_type=DisplayType.ROOM)
    people.admin.set_user("room@example.test", properties={0x08070003: "12"})
    room, bob = people.directory.user("room@example.test"), people.directory.user("bob@example.test")
    assert room is not None and bob is not None
    assert people.directory.booking(room) == Booking("room@example.test", True, False, True, 12)
    assert people.directory.booking(bob) == Booking("bob@example.test", False, False, True, 0)
