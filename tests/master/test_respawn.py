"""The master replaces the dead and the stuck, and its workers do not outlive it."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.master.harness import KILL, TERM, alive, master
from tests.support.server import until


def test_the_tree_stands_with_titles_and_no_gevent_in_the_master() -> None:
    with master() as m:
        m.start()
        assert set(m.workers()) == {"back.0", "fake.0", "fake.1"}
        assert psutil.Process(m.pid).cmdline()[0] == f"gromoxd: master [{m.site}]"
        assert int((m.site / "run" / "gromoxd.pid").read_text()) == m.pid
        mapped = Path(f"/proc/{m.pid}/maps").read_text()
        assert "gevent" not in mapped and "greenlet" not in mapped
        assert psutil.Process(m.pid).num_threads() == 1
        who = m.ask("who")
        assert who["ppid"] == m.pid and who["title"] == f"gromoxd: {who['slot']}" and not who["notify"]
        assert who["services"] == ["fake"]
        assert m.back() == f"back.0 {m.workers()['back.0']}"


def test_a_killed_worker_is_back_within_a_second() -> None:
    with master() as m:
        m.start()
        old = m.workers()
        os.kill(old["fake.0"], KILL)
        begun = time.monotonic()
        until(lambda: m.workers().get("fake.0", old["fake.0"]) != old["fake.0"], seconds=5, step=0.005)
        assert time.monotonic() - begun < 1.0
        new = m.workers()
        assert new["fake.1"] == old["fake.1"] and new["back.0"] == old["back.0"]
        assert m.who("fake.0")["pid"] == new["fake.0"]
        assert re.search(r"ERROR master\S+ \S+ worker ended slot=fake.0 worker=\d+ how=SIGKILL", m.log)


def test_connections_to_a_killed_workers_own_socket_wait_for_its_successor() -> None:
    with master() as m:
        m.start()
        old = m.workers()["back.0"]
        os.kill(old, signal.SIGSTOP)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(20)
            sock.connect(str(m.site / "run" / "back.0.sock"))
            os.kill(old, KILL)
            slot, pid = sock.recv(100).decode().split()
        assert slot == "back.0" and int(pid) != old


def test_a_worker_that_keeps_dying_is_held_back() -> None:
    with master() as m:
        m.start()
        seen = set()
        for _ in range(4):
            pid = until(lambda: m.workers().get("fake.0", 0) not in seen and m.workers().get("fake.0", 0))
            seen.add(pid)
            os.kill(pid, KILL)
        pauses = [int(ms) for ms in m.wait_log(r"slot=fake.0 \S+ how=SIGKILL again_in_ms=(\d+)", count=4)]
        assert pauses[0] == 0 and 45 <= pauses[1] <= 50 and 95 <= pauses[2] <= 100 and 195 <= pauses[3] <= 200


@pytest.mark.slow
def test_a_stuck_worker_is_dumped_and_replaced() -> None:
    with master(worker_timeout="2s") as m:
        m.start()
        with m.client() as stuck, m.client() as other:
            pid = stuck.ask("who")["pid"]
            stuck.say("spin")
            until(lambda: pid not in m.workers().values(), seconds=15)
            assert other is not None
        log = m.wait_log(r"(?s)stacks of a stuck worker.*")[0]
        assert "_spin" in log, log
        assert "in handle" in log and "greenlets:" in log
        assert re.search(r"worker is stuck slot=fake\.\d worker=\d+ silent=2\.", m.log)
        assert "event loop stalls busy_ms=" in m.log
        until(lambda: len(m.workers()) == 3)


@pytest.mark.slow
def test_a_stopped_worker_is_replaced_without_a_stack() -> None:
    with master(worker_timeout="2s") as m:
        m.start()
        pid = m.workers()["fake.1"]
        os.kill(pid, signal.SIGSTOP)
        m.wait_log("the process does not run")
        until(lambda: m.workers().get("fake.1", pid) != pid)


def test_a_crash_leaves_its_trace_in_the_log() -> None:
    with master() as m:
        m.start()
        os.kill(m.who("fake.0")["pid"], signal.SIGSEGV)
        m.wait_log("last words of a worker slot=fake.0")
        m.wait_log("Segmentation fault")


def test_a_failed_greenlet_is_logged_and_counted() -> None:
    with master() as m:
        m.start()
        with m.client() as client:
            assert client.ask("counter internal_errors") == 0
            assert client.ask("fail") == "done"
            assert client.ask("counter internal_errors") == 1
        assert "ZeroDivisionError" in m.log and "greenlet failed" in m.log


def test_workers_die_with_a_killed_master_and_the_site_can_be_used_again() -> None:
    with master() as m:
        m.start()
        workers = list(m.workers().values())
        assert len(workers) == 3
        m.signal(KILL)
        m.wait()
        m.start()
        assert not any(alive(pid) for pid in workers)
        assert len(m.workers()) == 3 and not set(workers) & set(m.workers().values())


def test_a_second_master_on_a_site_is_refused() -> None:
    with master() as first, master() as second:
        first.start()
        second.site = first.site
        second.launch(env={"GROMOXD_LOCK_WAIT": "0.2"})
        assert second.wait() == 1
        assert "is in use by another gromoxd" in second.log
        assert first.ask("who")["ppid"] == first.pid
        assert int((first.site / "run" / "gromoxd.pid").read_text()) == first.pid


def test_a_worker_that_cannot_boot_ends_the_start() -> None:
    with master(fake_boot="die") as m:
        m.launch()
        assert m.wait() == 1
        assert "told to die" in m.log and 'giving up reason="fake.' in m.log


def test_a_missing_pool_module_is_an_error() -> None:
    with master() as m:
        m.launch("--only", "gone")
        assert m.wait() == 78
        assert "pool gone: module tests.master.not_there is missing" in m.log


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give it up")
def test_root_is_given_up() -> None:
    with master(running_identity="nobody") as m:
        m.start()
        who = m.ask("who")
        nobody = psutil.Process(who["pid"])
        assert who["uid"] == 65534 and nobody.uids().saved == 65534 and nobody.gids().real == who["gid"] == 65534
        assert 0 not in who["groups"]
        assert (m.site / "run" / "back.0.sock").stat().st_uid == 65534
        workers = list(m.workers().values())
        os.kill(who["pid"], KILL)
        until(lambda: len(set(m.workers().values()) - set(workers)) == 1)
        m.signal(KILL)
        until(lambda: not any(alive(pid) for pid in workers), seconds=5)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to look for the user")
def test_an_unknown_user_is_refused() -> None:
    with master(running_identity="nobody-of-that-name") as m:
        m.launch()
        assert m.wait() == 1
        assert "there is no user 'nobody-of-that-name'" in m.log


def test_stop_kills_who_does_not_finish() -> None:
    with master(graceful_timeout="500ms") as m:
        m.start()
        with m.client() as client:
            client.ask("who")
            client.say("spin")
            until(lambda: psutil.Process(client_pid).cpu_percent(0.05) > 50 if (client_pid := m_pid(m)) else False)
            m.signal(TERM)
            assert m.wait() == 0
        assert "worker does not finish, killed" in m.log


def m_pid(m: object) -> int:
    """The busiest worker of the fake pool."""
    from tests.master.harness import Master

    assert isinstance(m, Master)
    pids = [pid for slot, pid in m.workers().items() if slot.startswith("fake")]
    return max(pids, key=lambda pid: sum(psutil.Process(pid).cpu_times()[:2]))
