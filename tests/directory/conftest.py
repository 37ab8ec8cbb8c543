"""One suite on both databases: `site` is a directory without any rows and everything to use it."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, insert

from gromoxd.context import Slot
from gromoxd.directory import schema
from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.service import Directory
from gromoxd.directory.settings import DatabaseSettings, DirectorySettings
from gromoxd.master.settings import MasterSettings
from gromoxd.shm.shared import Shared, create
from tests.directory import mariadb

_numbers = itertools.count()


class Settings:
    """A configuration made by hand."""

    def __init__(self, *values: Any) -> None:
        self.values = {type(value): value for value in values}

    def get(self, cls: type[Any]) -> Any:
        return self.values.get(cls) or cls()

    def change(self, cls: type[Any], **fields: Any) -> None:
        self.values[cls] = replace(self.get(cls), **fields)


@dataclass
class Site:
    """An empty directory and its users' view of it. `asked` counts the trips to the database."""

    config: Settings
    engine: Engine
    admin: Admin
    shared: Shared
    directory: Directory
    asked: list[Any]

    def sql(self, statement: str) -> Any:
        with self.engine.begin() as connection:
            result = connection.exec_driver_sql(statement)
            return result.fetchall() if result.returns_rows else result.rowcount


@pytest.fixture(scope="session")
def mariadb_socket() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gxdb"))
    try:
        with mariadb.server(folder) as socket:
            yield socket
    finally:
        shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.slow)])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def mysql_database(socket: Path) -> Iterator[DatabaseSettings]:
    """A new database without tables."""
    name = f"email{next(_numbers)}"
    root = mariadb.root_engine(socket, "mysql")
    with root.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    yield DatabaseSettings(directory_backend="mysql", mysql_host=str(socket), mysql_dbname=name)
    with root.begin() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name}")


@pytest.fixture
def database(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseSettings]:
    """Settings of a database without tables."""
    if backend == "sqlite":
        yield DatabaseSettings(directory_path=str(tmp_path / "directory.sqlite3"))
    else:
        with mysql_database(request.getfixturevalue("mariadb_socket")) as settings:
            yield settings


@pytest.fixture(scope="session")
def mysql_tables(mariadb_socket: Path) -> Iterator[DatabaseSettings]:
    """The database with tables that the MariaDB tests use one after the other (making them takes a while)."""
    with mysql_database(mariadb_socket) as settings:
        schema.create(make_engine(settings, "/"))
        yield settings


def empty(engine: Engine) -> None:
    """Delete all rows but the schema version, and count from 1 again."""
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS gromoxd_nt_hashes")
        for table in reversed(schema.metadata.sorted_tables):
            connection.exec_driver_sql(f"DELETE FROM `{table.name}`")
        for name in ("users", "domains", "servers", "mlists"):
            connection.exec_driver_sql(f"ALTER TABLE {name} AUTO_INCREMENT=1")
        connection.execute(insert(schema.options).values(key="schemaversion", value=str(schema.VERSION)))


@pytest.fixture
def site(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if backend == "sqlite":
        settings = DatabaseSettings(directory_path=str(tmp_path / "directory.sqlite3"))
        engine = make_engine(settings, "/")
        schema.create(engine)
    else:
        settings = request.getfixturevalue("mysql_tables")
        engine = make_engine(settings, "/")
    config = Settings(settings, DirectorySettings(), MasterSettings(host_id="node1.example.test"))
    shared = create(stores=1, slots=[Slot("imap", 0)], arena_bytes=1 << 20, directory_bytes=1 << 20)
    asked: list[Any] = []

    def run_blocking(work: Any, *args: Any) -> Any:
        asked.append(work)
        return work(*args)

    board = shared.board.row(Slot("imap", 0))
    directory = Directory(config, shared, run_blocking=run_blocking, site="/", board=board)
    yield Site(config, engine, Admin(engine, "/data"), shared, directory, asked)
    directory.close()
    if backend == "mysql":
        empty(engine)


@pytest.fixture
def people(site: Site) -> Site:
    """A domain with alice and bob."""
    site.admin.add_domain("example.test")
    site.admin.add_user("alice@example.test", password="correct horse", display_name="Alice Example")
    site.admin.add_user("bob@example.test", password="battery staple")
    return site
