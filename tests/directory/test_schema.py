"""Creating and upgrading the tables; statements that the documentation of the original gives."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import inspect

from gromoxd.directory import schema
from gromoxd.directory.database import make_engine
from gromoxd.directory.errors import AdminError
from gromoxd.directory.settings import DatabaseSettings
from tests.directory.conftest import Site

TABLES = """
admin_role_permission_relation admin_roles admin_user_role_relation aliases altnames associations classes configs
disabled_plugins domains fetchmail forwards groups mlists options orgparam orgs secondary_store_hints servers
specifieds tasq user_device_history user_devices user_properties users
"""
COLUMNS = """
id username primary_email altname password domain_id group_id homeserver maildir lang timezone privilege_bits
address_status externid sync_policy chat_id
"""


def test_all_tables_are_there(site: Site) -> None:
    assert set(inspect(site.engine).get_table_names()) == set(TABLES.split())
    assert site.sql("SELECT value FROM options")[0][0] == "133"
    columns = {column["name"] for column in inspect(site.engine).get_columns("users")}
    assert columns == set(COLUMNS.split())


def test_create_twice_is_refused(site: Site) -> None:
    with pytest.raises(AdminError, match="133"):
        schema.create(site.engine)


def test_upgrade_adds_what_is_missing(people: Site) -> None:
    people.sql("DROP TABLE altnames")
    people.sql("ALTER TABLE domains DROP COLUMN chat_id")
    people.sql("UPDATE users SET altname='al' WHERE username='alice@example.test'")
    people.sql("UPDATE options SET value='GX-120'")
    assert schema.upgrade(people.engine) == (120, 133)
    assert people.admin.altnames() == [("al", "alice@example.test")]
    assert "chat_id" in {column["name"] for column in inspect(people.engine).get_columns("domains")}
    assert schema.upgrade(people.engine) == (133, 133)


def test_creation_is_one_transaction(database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite, where tables are made in the transaction: whoever is killed leaves none, not half of them."""
    if database.directory_backend == "mysql":
        pytest.skip("tables are outside transactions in MariaDB")
    engine = make_engine(database, "/")
    with monkeypatch.context() as patch:
        patch.setattr(schema, "insert", lambda table: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            schema.create(engine)
    assert inspect(engine).get_table_names() == []
    schema.create(engine)


def test_a_newer_database_is_left_alone(site: Site) -> None:
    site.sql("UPDATE options SET value='n140'")
    assert schema.upgrade(site.engine) == (140, 140)
    assert site.sql("SELECT value FROM options")[0][0] == "n140"


def test_upgrade_of_nothing_is_refused(database: DatabaseSettings) -> None:
    engine = make_engine(database, "/")
    with pytest.raises(AdminError, match="create"):
        schema.upgrade(engine)


def test_rows_of_other_tools_get_the_defaults(site: Site) -> None:
    site.sql("INSERT INTO domains (domainname) VALUES ('other.test')")
    site.sql("INSERT INTO users (username, domain_id) VALUES ('x@other.test', 1)")
    assert site.sql("SELECT homeserver, maildir, privilege_bits, address_status, group_id, password FROM users") == [
        (0, "", 0, 0, 0, "")
    ]
    user = site.directory.user("x@other.test")
    assert user is not None
    assert not user.may_log_in  # no PR_DISPLAY_TYPE_EX


def test_names_are_unique_whatever_their_case(people: Site) -> None:
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        people.sql("INSERT INTO users (username, domain_id) VALUES ('ALICE@example.test', 1)")


def test_documented_move_of_users(people: Site) -> None:
    for _ in range(8):
        people.admin.add_server(f"node{_ + 1}.example.test")
    people.admin.set_user("alice@example.test", homeserver="node4.example.test")
    before = people.directory.user("alice@example.test")
    assert before is not None
    assert before.host == "node4.example.test"
    assert people.sql("UPDATE users SET homeserver=8 WHERE homeserver=4") == 1
    people.shared.bump_epoch()
    after = people.directory.user("alice@example.test")
    assert after is not None
    assert (after.homeserver, after.host) == (8, "node8.example.test")


def test_two_administrators_wait_for_each_other(people: Site) -> None:
    """Reading and then writing in one transaction must not fail because somebody else does the same."""
    failures: list[BaseException] = []

    def work(n: int) -> None:
        try:
            for i in range(10):
                people.admin.add_user(f"u{n}-{i}@example.test")
        except AdminError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(people.admin.users()) == 42


def test_documented_mailbox_map_query(people: Site) -> None:
    rows = people.sql(
        "SELECT u.username, u.maildir, s.hostname FROM users u LEFT JOIN servers s ON u.homeserver=s.id "
        "WHERE u.maildir<>'' ORDER BY u.username"
    )
    assert [tuple(row) for row in rows] == [
        ("alice@example.test", "/data/user/01/1", None),
        ("bob@example.test", "/data/user/02/2", None),
    ]
