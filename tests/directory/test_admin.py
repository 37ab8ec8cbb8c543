"""Administrative operations and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gromoxd.directory.admin import Admin, checked_address, checked_domain
from gromoxd.directory.errors import AdminError
from tests.directory.conftest import Site


def test_domains(people: Site) -> None:
    assert people.admin.add_domain("Second.Test", title="Second") == 2
    people.admin.set_domain("second.test", title="Other", tel="123")
    assert [(row["name"], row["title"], row["users"]) for row in people.admin.domains()] == [
        ("example.test", "", 2),
        ("second.test", "Other", 0),
    ]
    people.admin.delete_domain("second.test")
    with pytest.raises(AdminError, match="has 2 users"):
        people.admin.delete_domain("example.test")
    people.admin.delete_domain("example.test", with_users=True)
    assert people.admin.domains() == people.admin.users() == []


def test_suspended_domain_is_mirrored_into_its_users(people: Site) -> None:
    people.admin.set_user("bob@example.test", status=4)
    people.admin.set_domain("example.test", status=1)
    assert [row["status"] for row in people.admin.users()] == [0x10, 0x14]
    people.admin.add_user("carol@example.test")
    people.admin.set_user("bob@example.test", status=1)
    assert [row["status"] for row in people.admin.users()] == [0x10, 0x11, 0x10]
    people.admin.set_domain("example.test", status=0)
    assert [row["status"] for row in people.admin.users()] == [0, 1, 0]


def test_limit_of_users(people: Site) -> None:
    people.admin.set_domain("example.test", max_user=3)
    people.admin.add_user("carol@example.test")
    with pytest.raises(AdminError, match="has 3 users, which is its limit"):
        people.admin.add_user("dave@example.test")


def test_user_in_full(people: Site) -> None:
    people.admin.add_alias("sales@example.test", "alice@example.test")
    people.admin.add_altname("al", "alice@example.test")
    people.admin.add_list("team@example.test")
    people.admin.add_member("team@example.test", "alice@example.test")
    people.admin.set_user("al", lang="de_DE", properties={0x3A16001F: "Bäckerei", 0x3001001F: "A. Example"})
    shown = people.admin.user("alice@example.test")
    assert shown["properties"] == {"0x39050003": "0", "0x3001001f": "A. Example", "0x3a16001f": "Bäckerei"}
    assert (shown["aliases"], shown["altnames"], shown["lists"]) == (
        ["sales@example.test"], ["al"], ["team@example.test"],
    )  # fmt: skip
    assert (shown["lang"], shown["display_name"], shown["has_password"]) == ("de_DE", "A. Example", True)
    assert not any("$6$" in str(value) for value in shown.values())
    people.admin.set_user("al", properties={0x3A16001F: None})
    assert "0x3a16001f" not in people.admin.user("al")["properties"]


def test_deleted_user_leaves_nothing(people: Site) -> None:
    people.admin.add_alias("sales@example.test", "alice@example.test")
    people.admin.add_altname("al", "alice@example.test")
    people.admin.add_list("team@example.test")
    people.admin.add_member("team@example.test", "alice@example.test")
    assert people.admin.delete_user("alice@example.test") == "/data/user/01/1"
    for table in ("aliases", "altnames", "associations"):
        assert people.sql(f"SELECT COUNT(*) FROM {table}")[0][0] == 0, table
    assert people.sql("SELECT COUNT(*) FROM user_properties WHERE user_id=1")[0][0] == 0


def test_ids_and_folders_are_never_used_again(people: Site) -> None:
    people.admin.delete_user("bob@example.test")
    assert people.admin.add_user("bob@example.test") == 3
    assert people.admin.user("bob@example.test")["maildir"] == "/data/user/03/3"


def test_list_life(people: Site) -> None:
    people.admin.add_list("team@example.test", privilege=3)
    people.admin.add_member("team@example.test", "Out@Elsewhere.test")
    people.admin.add_member("team@example.test", "out@elsewhere.test")
    people.admin.add_sender("team@example.test", "partner.test")
    assert people.admin.show_list("team@example.test") == {
        "id": 1, "name": "team@example.test", "type": 0, "privilege": 3,
        "members": ["out@elsewhere.test"], "senders": ["partner.test"],
    }  # fmt: skip
    people.admin.delete_sender("team@example.test", "partner.test")
    people.admin.delete_member("team@example.test", "out@elsewhere.test")
    with pytest.raises(AdminError, match="is not on"):
        people.admin.delete_member("team@example.test", "out@elsewhere.test")
    people.admin.delete_list("team@example.test")
    assert people.admin.lists() == []
    assert people.sql("SELECT COUNT(*) FROM users WHERE username='team@example.test'")[0][0] == 0


def test_servers(people: Site) -> None:
    assert people.admin.add_server("node1.example.test", "mail.example.test") == 1
    people.admin.set_user("bob@example.test", homeserver="node1.example.test")
    with pytest.raises(AdminError, match="home of some users"):
        people.admin.delete_server("node1.example.test")
    people.admin.set_server("node1.example.test", extname="web.example.test")
    assert people.admin.servers() == [
        {"id": 1, "hostname": "node1.example.test", "extname": "web.example.test", "users": 1}
    ]
    people.admin.set_user("bob@example.test", homeserver="")
    people.admin.delete_server("node1.example.test")
    assert people.admin.servers() == []


@pytest.mark.parametrize(
    "work",
    [
        lambda admin: admin.add_domain("example.test"),
        lambda admin: admin.add_domain("under score"),
        lambda admin: admin.add_domain("exämple.test"),
        lambda admin: admin.add_user("alice@example.test"),
        lambda admin: admin.add_user("carol@nowhere.test"),
        lambda admin: admin.add_user("carol"),
        lambda admin: admin.add_user("ca rol@example.test"),
        lambda admin: admin.add_user("carol@example.test", password=""),
        lambda admin: admin.add_user("carol@example.test", maildir="relative/path"),
        lambda admin: admin.add_user("carol@example.test", maildir="/data/../etc"),
        lambda admin: admin.add_user("carol@example.test", homeserver="nowhere"),
        lambda admin: admin.set_user("nobody@example.test", lang="x"),
        lambda admin: admin.set_user("alice@example.test", nonsense="x"),
        lambda admin: admin.set_password("nobody@example.test", "x"),
        lambda admin: admin.add_alias("bob@example.test", "alice@example.test"),
        lambda admin: admin.add_alias("x@example.test", "nobody@example.test"),
        lambda admin: admin.delete_alias("x@example.test"),
        lambda admin: admin.add_altname("bob@example.test", "alice@example.test"),
        lambda admin: admin.add_altname("", "alice@example.test"),
        lambda admin: admin.delete_altname("x"),
        lambda admin: admin.delete_server("nowhere"),
        lambda admin: admin.add_list("alice@example.test"),
        lambda admin: admin.add_member("nolist@example.test", "alice@example.test"),
        lambda admin: admin.user("nobody"),
        lambda admin: admin.domain("nowhere.test"),
    ],
)
def test_refusals_change_nothing(people: Site, work: Callable[[Admin], object]) -> None:
    before = (people.admin.domains(), people.admin.users(), people.admin.aliases(), people.admin.altnames())
    with pytest.raises(AdminError) as caught:
        work(people.admin)
    assert "\n" not in str(caught.value)
    assert (people.admin.domains(), people.admin.users(), people.admin.aliases(), people.admin.altnames()) == before


def test_names_are_normalised() -> None:
    assert checked_domain(" Example.TEST. ") == "example.test"
    assert checked_address("Alice+x@Example.TEST") == "alice+x@example.test"


def test_a_server_may_have_a_port(people: Site) -> None:
    people.admin.add_server("Node7.example.test:5007")
    (server,) = [row for row in people.admin.servers() if row["hostname"].startswith("node7")]
    assert (server["hostname"], server["extname"]) == ("node7.example.test:5007", "node7.example.test")
    for wrong in ("node8:0", "node8:65536", "node8:x", ":5000", "a b:5000"):
        with pytest.raises(AdminError):
            people.admin.add_server(wrong)
