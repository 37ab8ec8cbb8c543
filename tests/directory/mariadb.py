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


@contextmanager
def server(folder: Path) -> Iterator[Path]:
    """Run a server without network; yields its socket. `folder` must have a short path (socket names are limited)."""
    install, daemon = require_binary("mariadb-install-db"), require_binary("mariadbd")
    data, socket = folder / "data", folder / "sock"
    user = [] if os.geteuid() else ["--user=root"]
    common = ["--no-defaults", f"--datadir={data}"]
    subprocess.run(
        [install, *common, *user, "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, capture_output=True,
    )  # fmt: skip
    log = folder / "log"
    options = ["--skip-networking", f"--socket={socket}", f"--pid-file={folder / 'pid'}", f"--log-error={log}",
               "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M",
               "--innodb-flush-method=nosync", "--innodb-doublewrite=0", "--innodb-file-per-table=0",
               "--skip-sync-frm", "--skip-log-bin"]  # fmt: skip
    process = subprocess.Popen([daemon, *common, *user, *options], stderr=subprocess.DEVNULL)
    try:
        _wait_for(socket, process, log)
        yield socket
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
