"""Connections to the directory's database. Everything here blocks: it runs on a thread, or in the CLI."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from gromoxd.directory.errors import DirectoryDown
from gromoxd.directory.settings import DatabaseSettings
from gromoxd.errors import MapiError
from gromoxd.shm.lock import allocate_lock  # the real one: loaded by the master, before a worker patches the module

T = TypeVar("T")
log = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 20
_BUSY_MS = 10_000


def make_engine(settings: DatabaseSettings, site: str, *, must_exist: bool = False) -> Engine:
    """An engine without a pool of its own (`Database` keeps the connections, see there).

    `must_exist`: a missing SQLite file is an error; otherwise it is made, empty, and transactions are for writing.
    """
    if settings.directory_backend == "mysql":
        return _mysql(settings)
    path = os.path.join(site, settings.directory_path)
    uri = f"file:{quote(path)}?mode={'rw' if must_exist else 'rwc'}"
    engine = create_engine(
        "sqlite://", poolclass=NullPool, creator=lambda: sqlite3.connect(uri, uri=True, check_same_thread=False)
    )
    event.listen(engine, "connect", _prepare_sqlite)
    # The module's own way leaves CREATE TABLE outside transactions. A writer takes its lock first: one that already
    # reads is refused it at once when another has it, instead of waiting.
    begin = "BEGIN" if must_exist else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _mysql(settings: DatabaseSettings) -> Engine:
    options: dict[str, Any] = {"connect_timeout": _CONNECT_TIMEOUT}
    if limit := settings.mysql_rdwr_timeout:  # a database that hangs accepts connections, and then says nothing
        options = {"connect_timeout": min(limit, _CONNECT_TIMEOUT), "read_timeout": limit, "write_timeout": limit}
    if settings.mysql_host.startswith("/"):
        options["unix_socket"] = settings.mysql_host
    if settings.mysql_tls_cert:
        options["ssl"] = {"cert": settings.mysql_tls_cert, "key": settings.mysql_tls_key or settings.mysql_tls_cert}
    url = URL.create(
        "mysql+mysqldb",
        username=settings.mysql_username,
        password=settings.mysql_password or None,
        host="localhost" if settings.mysql_host.startswith("/") else settings.mysql_host,
        port=settings.mysql_port,
        database=settings.mysql_dbname,
        query={"charset": "utf8mb4"},
    )
    # Every use ends its transaction itself: a rollback at closing time would only complain of connections that died.
    return create_engine(url, poolclass=NullPool, pool_reset_on_return=None, connect_args=options)


class Database:
    """Runs functions on connections that are kept for the next one, at most `connection_num` of them.

    The free list is a plain list: its operations are atomic, and a pool's locks, once gevent has replaced them, are
    slow between threads. Nothing is opened before the first use, that is after the fork.
    """

    def __init__(self, settings: DatabaseSettings, site: str) -> None:
        self.settings = settings
        self._engine = make_engine(settings, site, must_exist=True)
        self._free: list[tuple[Connection, float]] = []
        self._first = allocate_lock()
        self._opened = False
        self._pid = os.getpid()

    def run(self, work: Callable[[Connection], T]) -> T:
        """`work(connection)` in a transaction of its own; once more on a new connection if the kept one was dead.

        `work` must therefore be repeatable. DirectoryDown when the database does not answer.
        """
        connection = self._kept()
        if connection is not None:
            try:
                return self._use(connection, work)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise _down(error) from error
                log.info("directory connection was lost, opening another")
        try:
            return self._use(self._connect(), work)
        except SQLAlchemyError as error:
            raise _down(error) from error

    def _connect(self) -> Connection:
        """A new connection. SQLAlchemy guards the first one with a lock, and two threads that meet at one of gevent's
        locks may wait for ever; so they meet at a real one.
        """
        if not self._opened:
            with self._first:
                if not self._opened:
                    connection = self._engine.connect()
                    self._opened = True
                    return connection
        return self._engine.connect()

    def _kept(self) -> Connection | None:
        if self._pid != os.getpid():  # a parent's connections are not ours to use, nor to close
            self._free, self._pid = [], os.getpid()
        while self._free:
            try:
                connection, since = self._free.pop()
            except IndexError:  # another thread took the last one
                return None
            if time.monotonic() - since < self.settings.mysql_pool_idle_timeout:
                return connection
            connection.close()
        return None

    def _use(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        try:
            with connection.begin():
                result = work(connection)
        except MapiError:
            self._keep(connection)
            raise
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return result

    def _keep(self, connection: Connection) -> None:
        if len(self._free) < self.settings.connection_num:
            self._free.append((connection, time.monotonic()))
        else:
            connection.close()

    def close(self) -> None:
        """Close the kept connections."""
        while self._free:
            self._free.pop()[0].close()


def _down(error: SQLAlchemyError) -> DirectoryDown:
    """The error for the log, without statement and parameters."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return DirectoryDown(f"directory database: {type(cause).__name__}: {cause}")
