"""What the signals do: reload, drain, quick stop, logs, growing and shrinking; and what systemd is told."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

from tests.master.harness import HUP, INT, KILL, ROOT, TERM, master
from tests.support.server import until


def test_hup_takes_a_good_configuration_over() -> None:
    with master() as m:
        m.start()
        with m.client() as client:
            before = client.ask("who")
            assert before["greeting"] == "hello" and before["epoch"] == 1
            m.write_conf(fake_greeting="moin")
            m.signal(HUP)
            after = until(lambda: (w := client.ask("who"))["greeting"] == "moin" and w)
            assert after["pid"] == before["pid"] and after["epoch"] == 2
        m.wait_log("reload hook", count=3)
        assert "configuration taken over epoch=2" in m.log


def test_hup_with_a_bad_configuration_keeps_the_old_and_bumps_the_epoch() -> None:
    with master() as m:
        m.start()
        m.write_conf(fake_greeting="moin", fake_workers="many", fake_password="hunter2")
        m.signal(HUP)
        m.wait_log("the old one stays in force epoch=2")
        assert re.search(
            r"ERROR .* configuration: \S+/gromox.cfg:\d+: fake_workers: 'many' is not a whole number", m.log
        )
        m.wait_log("reload hook", count=3)
        assert m.ask("who")["greeting"] == "hello" and len(m.workers()) == 3
        assert "hunter2" not in m.log
        m.write_conf(fake_workers="1")
        m.signal(HUP)
        until(lambda: m.ask("who")["greeting"] == "moin")


def test_hup_resizes_pools_and_names_what_takes_a_restart() -> None:
    with master() as m:
        m.start()
        old = m.workers()
        m.write_conf(fake_workers="4", fake_listen="127.0.0.1:1", back_workers="2")
        m.signal(HUP)
        until(lambda: set(m.workers()) == {"back.0", "fake.0", "fake.1", "fake.2", "fake.3"})
        assert m.workers().items() >= old.items()
        assert "changed setting takes a restart setting=fake_listen" in m.log
        assert "changed setting takes a restart setting=back_workers" in m.log
        m.who("fake.3")
        m.write_conf(fake_workers="1")
        m.signal(HUP)
        until(lambda: set(m.workers()) == {"back.0", "fake.0"})
        assert m.workers().items() <= old.items()
        assert m.wait_log(r'(\w+) master\S+ \S+ worker ended slot=fake.3 .*how="exit 0"') == ["INFO"]


def test_ttin_and_ttou_change_the_named_pools() -> None:
    with master() as m:
        m.start()
        m.signal(signal.SIGTTIN)
        until(lambda: "fake.2" in m.workers())
        m.signal(signal.SIGTTOU)
        until(lambda: "fake.2" not in m.workers())
        m.signal(signal.SIGTTOU)
        until(lambda: set(m.workers()) == {"back.0", "fake.0"})
        m.signal(signal.SIGTTOU)
        m.wait_log("pool stays as it is pool=fake now=1")
        m.signal(signal.SIGTTIN)
        until(lambda: set(m.workers()) == {"back.0", "fake.0", "fake.1"})


def test_logs_are_reopened_and_never_mixed() -> None:
    with master() as m:
        path = m.site / "gromoxd.log"
        m.write_conf(log_file=str(path))
        m.launch()
        until(lambda: path.exists() and " ready " in path.read_text())
        m.logfile.write_text(path.read_text())  # the harness finds the port there
        moved = path.with_suffix(".1")
        path.rename(moved)
        m.signal(signal.SIGUSR1)
        until(lambda: path.exists() and "log re-opened" in path.read_text())
        for slot in ("fake.0", "fake.1"):
            until(lambda slot=slot: m.ask("log 1") and f"{slot}[" in path.read_text())  # type: ignore[misc]
        with m.client() as a, m.client() as b, m.client() as c:
            for client in (a, b, c):
                client.say("log 2000")
            for client in (a, b, c):
                assert client._stream.readline()
        lines = path.read_text().splitlines()
        stamp = r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ \S+\[\d+\] "
        assert all(re.match(stamp, line) for line in lines)
        assert (
            sum(bool(re.fullmatch(stamp + r"fake: line number=[1-9]\d* filler=x{200}", line)) for line in lines) == 5997
        )
        path.rename(moved)
        other = m.site / "other.log"
        m.write_conf(log_file=str(other), log_format="json")
        m.signal(HUP)
        until(lambda: other.exists() and other.read_text().count('"reload hook"') == 3)
        assert not path.exists()


def test_term_lets_sessions_finish_then_stops_the_last_pool() -> None:
    with master() as m:
        m.start()
        with m.client() as client:
            client.ask("who")
            client.say("slow 0.6")
            m.wait_log(" ready ")
            m.signal(TERM)
            assert client._stream.readline() == b'"done"\n'
        assert m.wait() == 0
        order = re.findall(r"worker ended slot=(\w+)", m.log)
        assert order == ["fake", "fake", "back"]
        assert not list((m.site / "run").glob("*.sock")) and not (m.site / "run" / "gromoxd.pid").exists()
        assert "stopped" in m.log and "ERROR" not in m.log


def test_int_stops_quickly() -> None:
    with master() as m:
        m.start()
        with m.client() as client:
            client.ask("who")
            client.say("slow 60")
            begun = time.monotonic()
            m.signal(INT)
            assert m.wait() == 0
            assert time.monotonic() - begun < 8


def test_usr2_does_nothing() -> None:
    with master() as m:
        m.start()
        workers = m.workers()
        m.signal(signal.SIGUSR2)
        for pid in workers.values():
            os.kill(pid, signal.SIGUSR2)
        m.signal(HUP)
        m.wait_log("configuration taken over")
        assert m.workers() == workers


def test_systemd_is_told() -> None:
    with master() as m, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = str(m.site / "notify")
        manager.bind(path)
        manager.settimeout(20)
        m.launch(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        states: list[str] = []

        def heard(word: str) -> str:
            while True:
                states.append(manager.recv(4096).decode())
                if word in states[-1]:
                    return states[-1]

        ready = heard("READY=1")
        assert f"MAINPID={m.pid}" in ready and "STATUS=serving with 1 back, 2 fake" in ready
        heard("WATCHDOG=1")
        heard("WATCHDOG=1")
        m.signal(HUP)
        assert re.search(r"^MONOTONIC_USEC=\d+$", heard("RELOADING=1"), re.MULTILINE)
        heard("READY=1")
        m.signal(TERM)
        heard("STOPPING=1")
        assert m.wait() == 0


def test_sockets_of_systemd_are_used() -> None:
    starter = (
        "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.dup2(int(sys.argv[1]), 3);"
        "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    )
    with master(fake_listen="192.0.2.1:1") as m, socket.create_server(("127.0.0.1", 0)) as sock:
        fd = os.dup(sock.fileno())
        os.set_inheritable(fd, True)
        command = [
            sys.executable, "-c", starter, str(fd), "-m", "gromoxd", "--site", str(m.site),
            "--pools", "tests.master.fake", "--only", "back,fake",
        ]  # fmt: skip
        env = {**os.environ, "PYTHONPATH": str(ROOT), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "gromoxd-fake.socket"}
        with m.logfile.open("ab") as log:
            m.process = subprocess.Popen(command, stderr=log, cwd=ROOT, env=env, pass_fds=[fd])
        os.close(fd)
        m.wait_log(" ready ")
        host, port = sock.getsockname()
        sock.close()
        with socket.create_connection((host, port), timeout=10) as client:
            client.sendall(b"who\n")
            assert b'"services": ["fake"]' in client.recv(4096)


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock, master() as m:
        m.write_conf(fake_listen=f"127.0.0.1:{sock.getsockname()[1]}")
        m.launch()
        assert m.wait() == 1
        assert f"fake_listen: 127.0.0.1:{sock.getsockname()[1]}: Address already in use" in m.log


def test_stall_is_counted_and_logged_while_it_lasts() -> None:
    with master(fake_workers="1") as m:
        m.start()
        with m.client() as client:
            assert client.ask("counter loop_stalls") == 0
            assert client.ask("block 0.5") == "done"
            until(lambda: client.ask("counter loop_stalls") >= 1)
            assert 300 <= client.ask("counter loop_max_ms") < 2000  # what the machine's load explains is taken off
        log = m.wait_log(r"(?s)event loop stalls busy_ms=\d+.*")[0]
        assert "time_sleep" in log


def test_a_worker_killed_while_it_retires_does_not_come_back() -> None:
    with master() as m:
        m.start()
        with m.client() as client:
            while client.ask("who")["slot"] != "fake.1":
                client.ask("slow 0")
                break
        pid = m.workers()["fake.1"]
        os.kill(pid, signal.SIGSTOP)
        m.signal(signal.SIGTTOU)
        m.wait_log("pool resized")
        os.kill(pid, KILL)
        until(lambda: set(m.workers()) == {"back.0", "fake.0"})
        m.signal(HUP)
        until(lambda: set(m.workers()) == {"back.0", "fake.0", "fake.1"})
