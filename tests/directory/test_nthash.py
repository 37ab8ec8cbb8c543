"""NT hashes: kept on request, worth nothing once the password changed otherwise, gone with the user."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from gromoxd.directory.admin import Admin
from gromoxd.directory.errors import AuthFailed
from gromoxd.directory.model import Privilege
from gromoxd.ntlm.md4 import nt_hash
from tests.directory.conftest import Site

HOME = "192.0.2.1"


def admin(site: Site, store: bool = True) -> Admin:
    return Admin(site.engine, "/data", store_nt_hash=store)


def hash_of(site: Site, name: str) -> Any:
    seen = []

    def proves(kept: bytes | None) -> bool:
        seen.append(kept)
        return False

    with pytest.raises(AuthFailed):
        site.directory.login.by_proof(name, proves, 0, HOME)
    (found,) = seen
    return found


def rows(site: Site) -> int:
    with site.engine.begin() as connection:
        return int(connection.execute(text("SELECT count(*) FROM gromoxd_nt_hashes")).scalar_one())


def test_kept_on_request_only(people: Site) -> None:
    admin(people, store=False).set_password("alice@example.test", "new one")
    assert hash_of(people, "alice@example.test") is None
    admin(people).set_password("alice@example.test", "new one")
    assert hash_of(people, "alice@example.test") == nt_hash("new one") and rows(people) == 1
    admin(people).set_password("alice@example.test", "another")
    assert hash_of(people, "alice@example.test") == nt_hash("another") and rows(people) == 1
    admin(people, store=False).set_password("alice@example.test", "third")
    assert hash_of(people, "alice@example.test") is None and rows(people) == 0


def test_new_users_and_the_deleted(people: Site) -> None:
    admin(people).add_user("dora@example.test", password="secret")
    assert hash_of(people, "dora@example.test") == nt_hash("secret")
    admin(people).delete_user("dora@example.test")
    assert hash_of(people, "dora@example.test") is None and rows(people) == 0


def test_a_password_changed_by_other_means(people: Site) -> None:
    admin(people).set_password("alice@example.test", "new one")
    with people.engine.begin() as connection:
        connection.execute(text("UPDATE users SET password='$6$x$y' WHERE username='alice@example.test'"))
    assert hash_of(people, "alice@example.test") is None


def test_log_in(people: Site) -> None:
    admin(people).set_password("alice@example.test", "new one")
    login = people.directory.login
    user = login.by_proof("Alice@Example.Test", lambda kept: kept == nt_hash("new one"), Privilege.WEB, HOME)
    assert user.username == "alice@example.test"
    assert login.by_trust("alice@example.test", 0, HOME).id == user.id
    with pytest.raises(AuthFailed):
        login.by_trust("nobody@example.test", 0, HOME)
    with pytest.raises(AuthFailed):
        login.refuse("alice@example.test", HOME)


def test_the_directory_shows_no_hash(people: Site) -> None:
    admin(people).set_password("alice@example.test", "new one")
    assert nt_hash("new one").hex() not in repr(admin(people).user("alice@example.test"))
