"""The database on threads of a gevent process, whose locks are greenlets' locks: nobody waits for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.server import ROOT

PROGRAM = """
import sys
import gromoxd.shm.lock  # as the master does, before gevent replaces the locks
from gevent import monkey
monkey.patch_all()
import gevent
from gevent.threadpool import ThreadPool
from gromoxd.directory import database
from gromoxd.directory.settings import DatabaseSettings
from sqlalchemy import text

sleep = monkey.get_original("time", "sleep")
prepare = database._prepare_sqlite
def slowly(connection, record):
    sleep(0.02)
    prepare(connection, record)
database._prepare_sqlite = slowly

pool = ThreadPool(8)
with gevent.Timeout(20):
    for _ in range(40):
        one = database.Database(DatabaseSettings(directory_path="d.sqlite3"), sys.argv[1])
        asked = [pool.spawn(one.run, lambda c: c.execute(text("SELECT 7")).scalar()) for _ in range(8)]
        assert [each.get() for each in asked] == [7] * 8
        one.close()
print("done")
"""


def test_first_connections_of_several_threads(tmp_path: Path) -> None:
    """Eight threads open the first connection at the same time, again and again (a log-in hung once in thousands)."""
    (tmp_path / "d.sqlite3").touch()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "done", done.stderr[-2000:]
