"""Authentication: hashes, status, privileges, tokens, throttling, and that nothing is told."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from gromoxd.directory import passwords
from gromoxd.directory.errors import AuthFailed, DirectoryDown, Throttled
from gromoxd.directory.model import Privilege, User
from gromoxd.directory.settings import DatabaseSettings, DirectorySettings
from tests.directory.conftest import Site

HOME = "198.51.100.7"
STRANGER = "192.0.2.66"


def login(site: Site, name: str = "alice@example.test", password: str = "correct horse", peer: str = HOME) -> User:
    return site.directory.authenticate(name, password, Privilege.IMAP_POP3, peer)


def refused(site: Site, **how: Any) -> AuthFailed:
    with pytest.raises(AuthFailed) as caught:
        login(site, **how)
    return caught.value


def test_right_password(people: Site) -> None:
    assert login(people).username == "alice@example.test"
    people.admin.add_altname("al", "alice@example.test")
    people.admin.add_alias("sales@example.test", "alice@example.test")
    assert login(people, name="AL").username == "alice@example.test"
    assert login(people, name="sales@example.test").id == 1


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("alice@example.test", "wrong"),
        ("alice@example.test", ""),
        ("alice@example.test", "correct horse\0"),
        ("alice@example.test", "correct horse "),
        ("alice@example.test", "Correct horse"),
        ("alice@example.test", "x" * 100_000),
        ("alice@example.test", "\udcff"),
        ("nobody@example.test", "correct horse"),
        ("", "correct horse"),
        ("alice\0@example.test", "correct horse"),
        ("älice@example.test", "correct horse"),
        ("\udcff@example.test", "correct horse"),
        ("x" * 5000, "correct horse"),
    ],
)
def test_wrong_all_the_same(people: Site, name: str, password: str) -> None:
    error = refused(people, name=name, password=password)
    assert str(error) == "ecAccessDenied: authentication failed"
    assert error.delay == 1


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE users SET address_status=1 WHERE id=1",
        "UPDATE users SET address_status=4 WHERE id=1",
        "UPDATE users SET address_status=16 WHERE id=1",
        "UPDATE domains SET domain_status=1",
        "UPDATE users SET privilege_bits=2 WHERE id=1",
        "UPDATE users SET password='' WHERE id=1",
        "UPDATE users SET password='*' WHERE id=1",
        "UPDATE users SET password='!$6$x$y' WHERE id=1",
        "UPDATE users SET password='correct horse' WHERE id=1",
        "UPDATE users SET externid='uid=alice' WHERE id=1",
        "UPDATE users SET externid='' WHERE id=1",
        "DELETE FROM user_properties WHERE user_id=1",
        "UPDATE user_properties SET propval_str='7' WHERE user_id=1 AND proptag=956628995",
    ],
)
def test_refused_by_the_record(people: Site, change: str) -> None:
    people.sql(change)
    assert str(refused(people)) == "ecAccessDenied: authentication failed"


def test_backends(people: Site) -> None:
    people.sql("UPDATE users SET externid='uid=alice' WHERE id=1")
    people.config.change(DirectorySettings, auth_backend_selection="sql")
    assert login(people).external
    people.config.change(DirectorySettings, auth_backend_selection="deny_all")
    refused(people, name="bob@example.test", password="battery staple")


def test_repeated_login_asks_neither_database_nor_hash(people: Site) -> None:
    login(people)
    people.asked.clear()
    for _ in range(20):
        assert login(people).id == 1
    assert people.asked == []


def test_wrong_password_beside_a_token(people: Site) -> None:
    login(people)
    refused(people, password="wrong")
    refused(people, password="")
    assert login(people).id == 1


def test_changed_password_is_noticed(people: Site) -> None:
    login(people)
    people.admin.set_password("alice@example.test", "new one")
    assert login(people, password="new one").id == 1
    refused(people)  # the new log-in put the old token away
    people.admin.set_password("alice@example.test", "third")
    people.shared.bump_epoch()
    refused(people, password="new one")


def test_token_ages(people: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr("gromoxd.directory.cache.time.monotonic", lambda: now)
    login(people)
    people.admin.set_password("alice@example.test", "new one")
    now += 59
    login(people)
    now += 2
    refused(people)


def test_shared_memory_holds_no_password_and_no_hash(people: Site) -> None:
    login(people)
    stored = people.sql("SELECT password FROM users WHERE id=1")[0][0]
    everything = bytes(people.shared.directory._buf)
    assert b"alice@example.test" in everything
    assert b"correct horse" not in everything
    assert stored.encode() not in everything
    assert stored.rpartition("$")[2].encode() not in everything


def test_logs_hold_no_password(people: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refused(people, password="wrong-secret")
    login(people)
    assert "login failed" in caplog.text
    assert "wrong-secret" not in caplog.text
    assert "correct horse" not in caplog.text


def test_throttle_hits_the_one_who_fails(people: Site) -> None:
    people.config.change(DirectorySettings, auth_times=3)
    delays = [refused(people, password="guess", peer=STRANGER).delay for _ in range(3)]
    assert delays == [1, 2, 4]
    asked = len(people.asked)
    assert isinstance(refused(people, peer=STRANGER), Throttled)  # even the right one
    assert len(people.asked) == asked
    started = time.monotonic()
    assert login(people).id == 1
    assert time.monotonic() - started < 5


def test_hundreds_of_wrong_passwords(people: Site) -> None:
    worst = [refused(people, name=f"user{i}@example.test", password="guess", peer=STRANGER) for i in range(120)]
    assert max(error.delay for error in worst) <= 15
    assert isinstance(worst[-1], Throttled)
    assert len(people.asked) <= 51
    assert login(people).id == 1


def test_success_forgets_failures(people: Site) -> None:
    for _ in range(3):
        refused(people, password="guess", peer="127.0.0.1")
    login(people, peer="127.0.0.1")
    assert refused(people, password="guess", peer="127.0.0.1").delay == 1


def test_counters(people: Site) -> None:
    login(people)
    refused(people, password="x")
    row = people.shared.board.rows()[0][1]
    assert (row.get("auth_ok"), row.get("auth_failures")) == (1, 1)


def test_database_down_is_not_a_refusal(people: Site) -> None:
    people.config.change(DatabaseSettings, directory_backend="mysql", mysql_host="/nonexistent/sock")
    with pytest.raises(DirectoryDown):
        login(people)


def test_unknown_users_take_as_long(people: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash is computed for each attempt, of the kind that is usual here."""
    computed: list[str] = []
    real = passwords.crypt

    def counting(password: str, setting: str) -> str:
        computed.append(setting[:3])
        return real(password, setting)

    monkeypatch.setattr(passwords, "crypt", counting)
    people.sql(f"UPDATE users SET password='{real('correct horse', '$5$saltsalt$')}' WHERE id=1")
    login(people)
    refused(people, name="nobody@example.test")
    refused(people, password="wrong")
    refused(people, password="\0")
    assert computed == ["$5$", "$5$", "$5$", "$6$"]
