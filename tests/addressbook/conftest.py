"""Directories of a few people, and their address book."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine

from gromoxd.addressbook import build
from gromoxd.addressbook.reader import Book, Snapshot
from gromoxd.directory import schema
from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings
from tests.addressbook.people import ORGANISATION, fill


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    made = make_engine(DatabaseSettings(directory_path=str(tmp_path / "directory.sqlite3")), "/")
    schema.create(made)
    return made


@pytest.fixture
def admin(engine: Engine) -> Admin:
    return Admin(engine, "/data")


@pytest.fixture
def make(engine: Engine, tmp_path: Path) -> Callable[[], Snapshot]:
    """Builds a snapshot of what the directory is now."""

    def build_now() -> Snapshot:
        path = str(tmp_path / "addressbook")
        with engine.connect() as connection:
            build.build(connection, path, 1700000000)
        return Snapshot(path)

    return build_now


@pytest.fixture
def book(engine: Engine, admin: Admin, make: Callable[[], Snapshot]) -> Book:
    """example.test as `people.fill` makes it."""
    fill(engine, admin)
    found = make().book(1, ORGANISATION)
    assert found is not None
    return found
