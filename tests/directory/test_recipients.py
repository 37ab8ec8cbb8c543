"""Where mail for an address goes."""

from __future__ import annotations

import pytest

from gromoxd.directory.model import Recipient, Verdict
from gromoxd.directory.settings import DirectorySettings
from tests.directory.conftest import Site


def names(found: Recipient) -> list[str]:
    return sorted(user.username.partition("@")[0] for user in found.users)


def test_user_alias_altname_subaddress(people: Site) -> None:
    people.admin.add_alias("sales@example.test", "alice@example.test")
    people.admin.add_altname("al@example.test", "alice@example.test")
    for address, detail in [
        ("alice@example.test", ""),
        ("Sales@EXAMPLE.test", ""),
        ("al@example.test", ""),
        ("alice+Work@example.test", "Work"),
        ("sales+a+b@example.test", "a+b"),
    ]:
        found = people.directory.recipient(address)
        assert (found.verdict, names(found), found.detail) == (Verdict.OK, ["alice"], detail), address


@pytest.mark.parametrize(
    "address", ["", "@", "nobody@example.test", "+x@example.test", "alice+x@else.test", "alice", "alice\0@example.test"]
)
def test_unknown(people: Site, address: str) -> None:
    assert people.directory.recipient(address).verdict is Verdict.UNKNOWN


def test_whole_address_goes_before_subaddress(people: Site) -> None:
    people.admin.add_user("alice+real@example.test")
    found = people.directory.recipient("alice+real@example.test")
    assert (names(found), found.detail) == (["alice+real"], "")


def test_delimiters_are_a_setting(people: Site) -> None:
    people.config.change(DirectorySettings, lda_recipient_delimiter="-_")
    assert people.directory.recipient("alice_x-y@example.test").detail == "x-y"
    assert people.directory.recipient("alice+x@example.test").verdict is Verdict.UNKNOWN
    people.config.change(DirectorySettings, lda_recipient_delimiter="")
    assert people.directory.recipient("alice-x@example.test").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("UPDATE users SET address_status=4", Verdict.OK),
        ("UPDATE users SET address_status=1", Verdict.DISABLED),
        ("UPDATE users SET address_status=3", Verdict.UNKNOWN),
        ("UPDATE users SET address_status=16", Verdict.DISABLED),
        ("UPDATE users SET maildir=''", Verdict.UNKNOWN),
        ("UPDATE domains SET domain_status=1", Verdict.DISABLED),
    ],
)
def test_status(people: Site, change: str, verdict: Verdict) -> None:
    people.sql(change)
    assert people.directory.recipient("alice@example.test").verdict is verdict


def test_warm_recipients_ask_nobody(people: Site) -> None:
    for address in ("alice@example.test", "alice+x@example.test"):
        people.directory.recipient(address)
    people.asked.clear()
    for address in ("alice@example.test", "alice+x@example.test", "ALICE@example.test"):
        people.directory.recipient(address)
    assert people.asked == []


@pytest.fixture
def team(people: Site) -> Site:
    people.admin.add_list("team@example.test")
    for member in ("alice@example.test", "bob@example.test", "out@elsewhere.test", "gone@example.test"):
        people.admin.add_member("team@example.test", member)
    return people


def test_list(team: Site) -> None:
    found = team.directory.recipient("team@example.test", "anybody@elsewhere.test")
    assert (found.verdict, names(found)) == (Verdict.OK, ["alice", "bob"])
    assert found.external == ["out@elsewhere.test"]
    assert found.list_name == "team@example.test"


def test_list_by_alias(team: Site) -> None:
    team.admin.add_alias("everyone@example.test", "team@example.test")
    assert names(team.directory.recipient("everyone@example.test")) == ["alice", "bob"]


def test_members_once_whatever_their_names(team: Site) -> None:
    team.admin.add_alias("sales@example.test", "alice@example.test")
    team.admin.add_member("team@example.test", "sales@example.test")
    team.admin.add_member("team@example.test", "alice+x@example.test")
    assert names(team.directory.recipient("team@example.test")) == ["alice", "bob"]


def test_nested_lists_and_loops(team: Site) -> None:
    team.admin.add_list("all@example.test")
    team.admin.add_member("all@example.test", "team@example.test")
    team.admin.add_member("team@example.test", "all@example.test")
    found = team.directory.recipient("all@example.test")
    assert (found.verdict, names(found)) == (Verdict.OK, ["alice", "bob"])


@pytest.mark.parametrize(("depth", "verdict"), [(8, Verdict.OK), (9, Verdict.LOOP)])
def test_depth(people: Site, depth: int, verdict: Verdict) -> None:
    for i in range(depth):
        people.admin.add_list(f"l{i}@example.test")
        if i:
            people.admin.add_member(f"l{i - 1}@example.test", f"l{i}@example.test")
    people.admin.add_member(f"l{depth - 1}@example.test", "alice@example.test")
    assert people.directory.recipient("l0@example.test").verdict is verdict


@pytest.mark.parametrize(
    ("privilege", "sender", "verdict"),
    [
        (0, "", Verdict.OK),
        (1, "alice@example.test", Verdict.OK),
        (1, "sales@example.test", Verdict.OK),
        (1, "carol@example.test", Verdict.LIST_INTERNAL),
        (1, "", Verdict.LIST_INTERNAL),
        (2, "carol@Example.test", Verdict.OK),
        (2, "x@elsewhere.test", Verdict.LIST_DOMAIN),
        (2, "", Verdict.LIST_DOMAIN),
        (3, "boss@partner.test", Verdict.OK),
        (3, "any@friends.test", Verdict.OK),
        (3, "alice@example.test", Verdict.LIST_SPECIFIED),
        (3, "", Verdict.LIST_SPECIFIED),
        (4, "x@elsewhere.test", Verdict.OK),
    ],
)
def test_privileges(team: Site, privilege: int, sender: str, verdict: Verdict) -> None:
    team.admin.add_user("carol@example.test")
    team.admin.add_alias("sales@example.test", "alice@example.test")
    team.admin.set_list("team@example.test", privilege=privilege)
    team.admin.add_sender("team@example.test", "boss@partner.test")
    team.admin.add_sender("team@example.test", "friends.test")
    found = team.directory.recipient("team@example.test", sender)
    assert found.verdict is verdict
    assert bool(found.users) is (verdict is Verdict.OK)


def test_inner_lists_admit_for_themselves(team: Site) -> None:
    team.admin.add_list("all@example.test")
    team.admin.add_member("all@example.test", "team@example.test")
    team.admin.add_member("all@example.test", "bob@example.test")
    team.admin.set_list("team@example.test", privilege=2)
    assert names(team.directory.recipient("all@example.test", "x@elsewhere.test")) == ["bob"]


def test_domain_list(people: Site) -> None:
    people.admin.add_list("domain@example.test", list_type=2)
    people.admin.add_user("room@example.test", display_type=7)
    people.admin.add_user("old@example.test", status=1)
    found = people.directory.recipient("domain@example.test")
    assert names(found) == ["alice", "bob"]


def test_empty_list_is_unknown(people: Site) -> None:
    people.admin.add_list("empty@example.test")
    assert people.directory.recipient("empty@example.test").verdict is Verdict.UNKNOWN


def test_big_list_takes_few_statements(people: Site) -> None:
    people.admin.add_list("big@example.test")
    with people.engine.begin() as connection:
        for i in range(1200):
            connection.exec_driver_sql(
                f"INSERT INTO users (username, domain_id, maildir) VALUES ('u{i}@example.test', 1, '/m/{i}')"
            )
            connection.exec_driver_sql(f"INSERT INTO associations VALUES (1, 'u{i}@example.test')")
        connection.exec_driver_sql(
            "INSERT INTO user_properties (user_id, proptag, order_id, propval_str) "
            "SELECT id, 956628995, 1, '0' FROM users WHERE maildir LIKE '/m/%%'"
        )
    people.asked.clear()
    assert len(people.directory.recipient("big@example.test").users) == 1200
    assert len(people.asked) <= 5
