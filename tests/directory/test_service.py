"""Look-ups: by which names, with which meaning, and how seldom the database is asked."""

from __future__ import annotations

import os
import time

import pytest

from gromoxd.directory.errors import AmbiguousName, DirectoryDown
from gromoxd.directory.model import Privilege, User
from gromoxd.directory.service import Directory
from gromoxd.directory.settings import DatabaseSettings, DirectorySettings
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import MailboxRef
from tests.directory.conftest import Settings, Site


def test_user_by_every_name(people: Site) -> None:
    people.admin.add_alias("sales@example.test", "alice@example.test")
    people.admin.add_altname("al", "alice@example.test")
    for name in ("alice@example.test", "ALICE@Example.Test", "al", "sales@example.test", " alice@example.test "):
        user = people.directory.user(name)
        assert user is not None, name
        assert (user.username, user.maildir) == ("alice@example.test", "/data/user/01/1")
    assert user.privilege_bits == 0xF07
    assert (user.display_type, user.address_status, user.external) == (0, 0, False)


@pytest.mark.parametrize("name", ["", "nobody@example.test", "x" * 400, "al\0ice@example.test", "älice@example.test"])
def test_no_such_user(people: Site, name: str) -> None:
    assert people.directory.user(name) is None


@pytest.mark.parametrize("name", ["' OR 1=1 -- ", "alice@example.test' --", "%", "_lice@example.test", "a\\"])
def test_names_are_never_statements(people: Site, name: str) -> None:
    assert people.directory.user(name) is None


def test_impossible_names_do_not_reach_the_database(people: Site) -> None:
    people.directory.user("\u00e4@example.test")
    people.directory.owner_of("x" * 200)
    people.directory.owner_of("")
    assert people.asked == []


def test_ambiguous_name(people: Site) -> None:
    people.sql("INSERT INTO altnames (user_id, altname) VALUES (2, 'alice@example.test')")
    with pytest.raises(AmbiguousName):
        people.directory.user("alice@example.test")
    assert people.directory.find_or_none("alice@example.test") is None


def test_a_name_of_the_same_user_twice_is_not_ambiguous(people: Site) -> None:
    people.sql("INSERT INTO altnames (user_id, altname) VALUES (1, 'alice@example.test')")
    assert people.directory.user("alice@example.test") is not None


def test_warm_look_ups_ask_nobody(people: Site) -> None:
    first = people.directory.user("alice@example.test")
    assert len(people.asked) == 1
    for _ in range(100):
        assert people.directory.user("Alice@example.test") == first
        people.directory.domain("example.test")
    assert len(people.asked) == 2
    assert people.shared.board.rows()[0][1].get("sql_queries") == 2


def test_another_process_shares_the_cache(people: Site) -> None:
    other = Directory(people.config, people.shared, run_blocking=lambda work, *args: pytest.fail("asked"), site="/")
    people.directory.user("alice@example.test")
    assert other.user("alice@example.test") is not None


def test_epoch_makes_it_stale_at_once(people: Site) -> None:
    people.directory.user("alice@example.test")
    people.sql("UPDATE users SET lang='de_DE.UTF-8', timezone='Europe/Berlin' WHERE id=1")
    stale = people.directory.user("alice@example.test")
    assert stale is not None
    assert stale.lang == ""
    people.shared.bump_epoch()
    fresh = people.directory.user("alice@example.test")
    assert fresh is not None
    assert (fresh.lang, fresh.timezone) == ("de_DE", "Europe/Berlin")


def test_lifetimes(people: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("gromoxd.directory.cache.time.monotonic", lambda: now)
    people.directory.user("alice@example.test")
    assert people.directory.user("carol@example.test") is None
    people.admin.add_user("carol@example.test")
    people.admin.set_user("alice@example.test", lang="fr_FR")
    assert people.directory.user("carol@example.test") is None
    now += 4
    assert people.directory.user("carol@example.test") is not None
    alice = people.directory.user("alice@example.test")
    assert alice is not None
    assert alice.lang == ""
    now += 60
    alice = people.directory.user("alice@example.test")
    assert alice is not None
    assert alice.lang == "fr_FR"


def test_no_cache_with_lifetime_zero(people: Site) -> None:
    people.config.change(DirectorySettings, mysql_object_cache_lifetime=0.0)
    people.directory.user("alice@example.test")
    people.directory.user("alice@example.test")
    assert len(people.asked) == 2


def test_homes(people: Site) -> None:
    people.admin.add_server("node1.example.test")
    people.admin.add_server("node2.example.test", "mail.example.test")
    people.admin.set_user("bob@example.test", homeserver="node2.example.test")
    alice, bob = people.directory.user("alice@example.test"), people.directory.user("bob@example.test")
    assert alice is not None
    assert bob is not None
    assert people.directory.mailbox(alice) == MailboxRef("/data/user/01/1", "")
    assert people.directory.mailbox(bob) == MailboxRef("/data/user/02/2", "node2.example.test")
    assert people.directory.homed_here("NODE1.example.test")
    assert not people.directory.homed_here("node2.example.test")
    server = people.directory.server("node2.example.test")
    assert server is not None
    assert (server.id, server.extname) == (2, "mail.example.test")
    assert people.directory.server("node3.example.test") is None


def test_owner_of_a_folder(people: Site) -> None:
    people.admin.add_server("node2.example.test")
    owner = people.directory.owner_of("/data/user/01/1")
    assert owner is not None
    assert owner.username == "alice@example.test"
    public = people.directory.owner_of("/data/domain/1")
    assert public is not None
    assert (public.id, public.username, public.host) == (0, "example.test", "")
    assert people.directory.owner_of("/data/user/01/2") is None
    assert people.directory.owner_of("/DATA/user/01/1") is None
    people.sql("UPDATE users SET maildir='/data/domain/1' WHERE id=1")
    people.shared.bump_epoch()
    with pytest.raises(AmbiguousName):
        people.directory.owner_of("/data/domain/1")


def test_host_of_asks_afresh(people: Site) -> None:
    people.admin.add_server("node2.example.test")
    assert people.directory.host_of("/data/user/01/1") == ""
    people.sql("UPDATE users SET homeserver=1 WHERE id=1")
    assert people.directory.host_of("/data/user/01/1") == "node2.example.test"
    with pytest.raises(MapiError) as caught:
        people.directory.host_of("/data/user/09/9")
    assert caught.value.code is Ec.ecUnknownUser


def test_domain(people: Site) -> None:
    domain = people.directory.domain("Example.TEST")
    assert domain is not None
    assert (domain.id, domain.name, domain.homedir, domain.active) == (1, "example.test", "/data/domain/1", True)
    assert people.directory.domain("elsewhere.test") is None


def test_users_in_bulk(people: Site) -> None:
    people.directory.user("alice@example.test")
    people.asked.clear()
    names = ["alice@example.test", "bob@example.test", *(f"u{i}@example.test" for i in range(700))]
    assert sorted(people.directory.users(names)) == ["alice@example.test", "bob@example.test"]
    assert len(people.asked) == 2


def test_database_out_of_reach() -> None:
    config = Settings(DatabaseSettings(directory_backend="mysql", mysql_host="/nonexistent/sock"))
    from gromoxd.shm.shared import create

    shared = create(stores=1, slots=[], arena_bytes=1 << 20, directory_bytes=1 << 20)
    with pytest.raises(DirectoryDown) as caught:
        Directory(config, shared, site="/").user("alice@example.test")
    assert caught.value.code is Ec.ecNetwork
    assert "SELECT" not in str(caught.value)


def test_lost_connection_is_replaced(people: Site) -> None:
    """What a database restart looks like: the kept connections are dead."""
    people.directory.user("alice@example.test")
    if people.engine.dialect.name == "mysql":
        own = people.directory.database()._free[0][0].exec_driver_sql("SELECT CONNECTION_ID()").scalar()
        people.directory.database()._free[0][0].rollback()
        people.sql(f"KILL {own}")
    else:
        people.directory.close()
    people.shared.bump_epoch()
    assert people.directory.user("alice@example.test") is not None


def test_changed_settings_take_another_database(people: Site, tmp_path: object) -> None:
    people.directory.user("alice@example.test")
    people.config.change(DatabaseSettings, directory_backend="sqlite", directory_path=f"{tmp_path}/other.sqlite3")
    people.shared.bump_epoch()
    with pytest.raises(DirectoryDown, match="unable to open"):
        people.directory.user("alice@example.test")


def test_connections_are_not_shared_with_children(people: Site) -> None:
    people.directory.user("alice@example.test")
    people.shared.bump_epoch()
    pid = os.fork()
    if not pid:
        os._exit(0 if people.directory.user("bob@example.test") is not None else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert people.directory.user("alice@example.test") is not None


@pytest.mark.parametrize(
    ("status", "domain_status", "display", "log_in", "receive", "store"),
    [
        (0, 0, 0, True, True, True),
        (1, 0, 0, False, False, True),
        (3, 0, 0, False, False, False),
        (4, 0, 0, False, True, True),
        (5, 0, 6, False, False, False),
        (0x10, 0, 0, False, False, True),
        (0x34, 0, 0, False, False, True),
        (0, 1, 0, False, False, True),
        (0, 0, 1, False, False, True),
        (0, 0, 7, False, True, True),
        (0, 0, -1, False, False, True),
    ],
)
def test_status_rules(status: int, domain_status: int, display: int, log_in: bool, receive: bool, store: bool) -> None:
    user = User(1, "u", 1, "/m", address_status=status, display_type=display, domain_status=domain_status)
    assert (user.may_log_in, user.may_receive, user.has_store) == (log_in, receive, store)


def test_privilege_rules() -> None:
    old = User(1, "u", 1, "/m", privilege_bits=Privilege.IMAP_POP3)
    new = User(1, "u", 1, "/m", privilege_bits=Privilege.IMAP_POP3 | Privilege.DETAIL1 | Privilege.DAV)
    assert old.has_privilege(Privilege.WEB | Privilege.EAS)
    assert not old.has_privilege(Privilege.SMTP)
    assert new.has_privilege(Privilege.DAV)
    assert not new.has_privilege(Privilege.WEB)
    assert new.has_privilege(Privilege.NONE)


def test_a_warm_look_up_is_cheap(people: Site) -> None:
    """About 4 µs on the small machine; the bound leaves room for a busy one."""
    people.directory.user("alice@example.test")
    best = min(_timed(people.directory) for _ in range(20))
    assert best < 40e-6
    assert len(people.asked) == 1


def _timed(directory: Directory) -> float:
    started = time.perf_counter()
    for _ in range(200):
        directory.user("alice@example.test")
    return (time.perf_counter() - started) / 200
