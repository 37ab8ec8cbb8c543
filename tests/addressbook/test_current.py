"""The snapshot in force in a worker, and who makes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gromoxd.addressbook import current as module
from gromoxd.addressbook import spawn
from gromoxd.addressbook.current import AddressBooks
from gromoxd.addressbook.layout import path_of
from gromoxd.addressbook.spawn import refresh
from gromoxd.directory.settings import DatabaseSettings
from gromoxd.errors import Ec, MapiError
from tests.addressbook import people
from tests.directory.conftest import Site, backend, site

__all__ = ["backend", "site"]
pytestmark = pytest.mark.parametrize("backend", ["sqlite"])


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "run").mkdir()
    return str(tmp_path)


@pytest.fixture
def books(site: Site, folder: str, monkeypatch: pytest.MonkeyPatch) -> AddressBooks:
    monkeypatch.setattr(module, "LOOK_INTERVAL", 0.0)
    people.fill(site.engine, site.admin)
    return AddressBooks(folder, site.directory)


def test_it_is_made_when_it_is_missing_or_damaged(books: AddressBooks, site: Site, folder: str) -> None:
    assert len(books.book(1, "Example").gal) == 7
    Path(path_of(folder)).write_bytes(b"damaged")
    assert len(AddressBooks(folder, site.directory).book(1, "Example").gal) == 7
    assert sorted(os.listdir(os.path.join(folder, "run"))) == ["addressbook", "addressbook.lock"]


def test_a_new_file_is_noticed_and_a_held_book_stays(books: AddressBooks, site: Site, folder: str) -> None:
    before = books.book(1, "Example")
    people.add(site.engine, 30, "late@example.test", "Late")
    assert refresh(folder, site.config.get(DatabaseSettings), 60)
    assert len(books.book(1, "Example").gal) == 8
    assert len(before.gal) == 7
    assert before.of_user(30) is None


def test_a_damaged_new_file_is_not_taken(books: AddressBooks, folder: str) -> None:
    books.book(1, "Example")
    os.unlink(path_of(folder))
    assert len(books.book(1, "Example").gal) == 7
    Path(path_of(folder)).write_bytes(b"damaged")
    assert len(books.book(1, "Example").gal) == 7


def test_a_new_user_s_book_is_made_at_once_but_not_again_and_again(
    books: AddressBooks, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.book(1, "Example")
    people.add(site.engine, 31, "late@example.test", "Late")
    assert books.book(1, "Example", 31).of_user(31) is not None
    built: list[Any] = []
    monkeypatch.setattr(spawn, "refresh", lambda *_: built.append(1))
    assert books.book(1, "Example", 99).of_user(99) is None
    assert built == []


def test_there_is_none_when_it_cannot_be_made(books: AddressBooks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "refresh", lambda *_: False)
    with pytest.raises(MapiError) as caught:
        books.book(1, "Example")
    assert caught.value.code == Ec.ecServerPaused


def test_a_domain_without_book(books: AddressBooks) -> None:
    with pytest.raises(MapiError) as caught:
        books.book(77, "Example")
    assert caught.value.code == Ec.ecNotFound


def test_a_build_that_fails_says_so(site: Site, folder: str, caplog: pytest.LogCaptureFixture) -> None:
    missing = DatabaseSettings(directory_path=os.path.join(folder, "no", "such.sqlite3"))
    assert not refresh(folder, missing, 60)
    assert "a helper process failed" in caplog.text
    assert not os.path.exists(path_of(folder))
