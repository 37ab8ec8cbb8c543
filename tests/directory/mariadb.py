"""A MariaDB of the tests' own: in a temporary folder, on a socket there, gone afterwards."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.conftest import require_binary


def install(folder: Path) -> None:
    """Make the system tables."""
    program = require_binary("mariadb-install-db")
    made = subprocess.run(
        [program, *_common(folder), "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(f"mariadb-install-db: {made.returncode} {made.stdout[-1500:]} {made.stderr[-1500:]}")


def _common(folder: Path) -> list[str]:
    """A folder of its own for temporary tables: MariaDB removes all that it finds there when it starts, others' too."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    identity = [] if os.geteuid() else ["--user=root"]
    return ["--no-defaults", f"--datadir={folder / 'data'}", f"--tmpdir={temporary}", *identity]


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start it on `folder`/sock, and wait until it answers."""
    daemon, socket, log = require_binary("mariadbd"), folder / "sock", folder / "log"
    options = ["--skip-networking", f"--socket={socket}", f"--pid-file={folder / 'pid'}", f"--log-error={log}",
               "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
               "--innodb-flush-method=nosync", "--innodb-doublewrite=0", "--innodb-file-per-table=0",
               "--skip-sync-frm", "--skip-log-bin"]  # fmt: skip
    process = subprocess.Popen([daemon, *_common(folder), *options], stderr=subprocess.DEVNULL)
    try:
        _wait_for(socket, process, log)
    except BaseException:
        process.kill()
        process.wait(30)
        raise
    return process


@contextmanager
def server(folder: Path) -> Iterator[Path]:
    """Run a server without network; yields its socket. `folder` must have a short path (socket names are limited)."""
    install(folder)
    process = start(folder)
    try:
        yield folder / "sock"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    engine = root_engine(socket, "mysql")
    end = time.monotonic() + 60
    while True:
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("SELECT 1")
            return
        except OperationalError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"MariaDB did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)


def root_engine(socket: Path, database: str):  # type: ignore[no-untyped-def]
    """An engine for the tests' own statements."""
    url = URL.create("mysql+mysqldb", username="root", database=database, query={"unix_socket": str(socket)})
    return create_engine(url, poolclass=NullPool)
