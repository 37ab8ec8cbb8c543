"""The master's book-keeping, and what it loads before it forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from gromoxd.context import Slot
from gromoxd.master.children import Child, how, pause_after
from gromoxd.master.notify import Notifier
from gromoxd.master.pools import POOLS
from tests.master.harness import ROOT


def test_pauses_double_up_to_the_limit() -> None:
    assert [pause_after(n, 30) for n in (0, 1, 2, 3, 4, 5)] == [0, 0, 0.05, 0.1, 0.2, 0.4]
    assert pause_after(12, 30) == 30 and pause_after(10**6, 30) == 30


def test_a_long_life_is_forgiven(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    child = Child(Slot("imap", 0), POOLS[1])
    starts = []
    for lived in (1, 1, 1, 6, 1):
        child.running(5)
        now[0] += lived
        child.ended(30)
        starts.append(round(child.start_at - now[0], 2))
    assert starts == [0, 0.05, 0.1, 0, 0.05] and child.pid == 0 and child.starts == 5


def test_one_that_has_served_is_back_soon() -> None:
    """Killed again and again, as in tests/chaos: the pause stays short once a process had reached its main loop."""
    child = Child(Slot("imap", 0), POOLS[1])
    pauses = []
    for boots in (True,) * 12 + (False,):
        beat = child.renew(None)
        child.running(os.getpid())
        if boots:
            beat.notify()
        child.ended(30)
        pauses.append(child.start_at - time.monotonic())
    assert max(pauses[:12]) <= 0.5 and pauses[12] > 20
    child.close()


def test_the_heartbeat_is_gunicorns_file() -> None:
    child = Child(Slot("imap", 0), POOLS[1])
    beat = child.renew(None)
    child.running(os.getpid())
    assert not child.booted and child.silent_for() < 5
    beat.notify()
    assert child.booted and child.silent_for() < 1
    assert child.last_words() == []
    os.write(child.dump, b"first\nsecond")
    assert child.last_words() == ["first", "second"]
    child.renew(None)
    assert child.last_words() == [] and not child.booted
    child.close()


@pytest.mark.parametrize(
    ("status", "words"),
    [(0, "exit 0"), (256, "exit 1"), (signal.SIGKILL, "SIGKILL"), (signal.SIGRTMIN + 4, "signal 38")],
)
def test_wait_statuses_in_words(status: int, words: str) -> None:
    assert how(status) == words


def test_the_watchdog_is_for_this_process_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for pid, expected in (("", 5.0), (str(os.getpid()), 5.0), ("1", 0.0)):
        monkeypatch.setenv("WATCHDOG_USEC", "10000000")
        monkeypatch.setenv("WATCHDOG_PID", pid)
        assert Notifier().watchdog == expected
        assert "WATCHDOG_USEC" not in os.environ


def test_the_master_loads_no_gevent_and_nothing_that_holds_unpatched_parts() -> None:
    program = (
        "import sys, threading, types\n"
        "import gromoxd.__main__, gromoxd.master.arbiter, gromoxd.master.runfolder, gromoxd.master.site\n"
        "from gromoxd.master import pools\n"
        "pools.load(pools.SETTINGS_MODULES); pools.load(pools.PRELOAD)\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('gevent', 'greenlet')]\n"
        "assert threading.active_count() == 1\n"
        "kept = [(n, k) for n, m in sys.modules.items() if n.startswith(('gromoxd', 'store', 'workers'))\n"
        "        for k, v in vars(m).items() if v in (threading.Lock, threading.RLock, threading.Thread)]\n"
        "meant = ['gromoxd.directory.database', 'gromoxd.directory.service', 'gromoxd.shm.arena', 'gromoxd.shm.lock']\n"
        "assert sorted(kept) == [(name, 'allocate_lock') for name in meant], kept\n"
        "import gevent.monkey; gevent.monkey.patch_all()\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, cwd=ROOT, timeout=60)
