"""What a freshly forked child takes along, and how it becomes a worker. Loads no gevent before the fork."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from dataclasses import dataclass
from typing import NoReturn

from gunicorn.workers.workertmp import WorkerTmp

from gromoxd.config import Config
from gromoxd.context import Listener, Shared, Slot
from gromoxd.master.listeners import Owner
from gromoxd.master.pools import Pool

DUMP_SIGNAL = signal.SIGRTMIN + 4
"""Asks a worker for the stacks of its threads and greenlets, written to `Launch.dump`."""

BOOT_FAILED = 3
"""Exit status of a worker that could not get as far as its `main`."""


@dataclass(frozen=True)
class Launch:
    """`beat` is the heartbeat file, `dump` a memory file for stack dumps and last words; the master reads both."""

    slot: Slot
    pool: Pool
    config: Config
    listeners: list[Listener]
    shared: Shared
    site: str
    owner: Owner | None
    master: int
    beat: WorkerTmp
    dump: int


def become_worker(launch: Launch) -> NoReturn:
    """In the child: hand over to `gromoxd.worker`, the first module that loads gevent."""
    status = BOOT_FAILED
    try:
        status = importlib.import_module("gromoxd.worker").run(launch)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)
