"""What a worker counts as a bug: exceptions that nobody caught, not those that a thread hands back to its caller."""

from __future__ import annotations

import subprocess
import sys

from tests.support.server import ROOT

PROGRAM = """
import gevent
from gevent.threadpool import ThreadPool
from gromoxd.errors import Ec, MapiError
from gromoxd.worker import Worker

class Board:
    errors = 0
    def add(self, name, amount=1):
        Board.errors += name == "internal_errors"

worker = Worker.__new__(Worker)
worker.board = Board()
gevent.get_hub().print_exception = worker.hub_error

def fails():
    raise MapiError(Ec.ecLocked)

try:
    ThreadPool(1).apply(fails)
except MapiError as error:
    print(error.code.name, Board.errors)
gevent.spawn(fails).join()
print(Board.errors)
"""


def test_only_uncaught_exceptions_are_bugs() -> None:
    """A mailbox that is locked elsewhere is found out in a thread; the caller gets the error, no bug is counted."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["ecLocked", "0", "1"], done.stderr


LOGGING = """
import logging, sys
import gromoxd.worker
from gevent import monkey
gromoxd.worker.patch()
import gevent
from gevent.threadpool import ThreadPool

sys.setswitchinterval(1e-5)

def look(number):
    for i in range(3000):
        log = logging.getLogger(f"x.{number % 2}.{i}")
        log.isEnabledFor(logging.DEBUG)
        if i % 50 == 0:
            log.manager._clear_cache()
    return number

pool = ThreadPool(6)
with gevent.Timeout(25):
    asked = [pool.spawn(look, number) for number in range(6)]
    look(9)
    print(sum(each.get() for each in asked))
"""


def test_threads_do_not_hang_in_logging() -> None:
    """Threads and the loop use the logging module at the same time (a log-in hung there once in thousands)."""
    done = subprocess.run([sys.executable, "-c", LOGGING], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "15", done.stderr[-2000:]
