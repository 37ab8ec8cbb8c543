"""status, reload and stop, against stand-ins for the server; and everything against a real one."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gromoxd.cli import status as module
from gromoxd.context import Slot
from gromoxd.shm.board import Board
from tests.cli.conftest import Ctl
from tests.support.server import running


def document() -> dict[str, Any]:
    board = Board(4)
    imap = board.claim(Slot("imap", 0))
    imap.set("pid", 4711)
    imap.set("started", int(time.time()) - 7300)
    imap.set("connections", 12)
    imap.add("cache_hits", 99)
    imap.add("cache_misses", 1)
    imap.add("rpc_calls", 2)
    imap.observe_ms("rpc_ms", 0.2)
    imap.observe_ms("rpc_ms", 30)
    board.claim(Slot("store", 1)).set("internal_errors", 3)
    return {"version": "9.9", "master": 42, "site": "/s", "slots": board.snapshot()}


@contextmanager
def answering(site: Path, body: bytes, line: str = "200 OK") -> Iterator[None]:
    """A server on the status socket that gives one answer to whatever comes."""
    (site / "run").mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(site / "run" / "status.sock"))
        listener.listen()

        def serve() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                head = f"HTTP/1.1 {line}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                peer.sendall(head.encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()
    (site / "run" / "status.sock").unlink()


def test_status_json(ctl: Ctl, site: Path) -> None:
    with answering(site, json.dumps(document()).encode()):
        assert json.loads(ctl("status", "--json").out)["slots"][0]["connections"] == 12


def test_status_lines(ctl: Ctl, site: Path) -> None:
    with answering(site, json.dumps(document()).encode()):
        heading, imap, store = (line.split("\t") for line in ctl("status").out.splitlines())
    row = dict(zip(heading, imap, strict=True))
    assert (row["process"], row["pid"], row["up"], row["conns"]) == ("imap.0", "4711", "2.0h", "12")
    assert (row["cache"], row["rpc"], row["rpc ms"]) == ("99.0%", "2", "0.25/50")
    assert dict(zip(heading, store, strict=True))["errors"] == "3"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_table_fits_the_terminal(width: int) -> None:
    from rich.console import Console

    console = Console(width=width, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(module._table(document(), width))
        text = console.export_text()
    assert "imap.0" in text
    assert "…" not in text
    assert ("4711" in text) is (width == 200)


@pytest.mark.parametrize(
    ("body", "line", "text"),
    [
        (b"{}", "200 OK", "the server's answer is no status document"),
        (b"[1]", "200 OK", "the server's answer is no status document"),
        (b"garbage", "200 OK", "the server of this site does not answer on"),
        (b"", "500 Internal Server Error", "the server answers 500 Internal Server Error"),
    ],
)
def test_status_of_something_else(ctl: Ctl, site: Path, body: bytes, line: str, text: str) -> None:
    with answering(site, body, line):
        outcome = ctl("status")
    assert outcome.status == 1
    assert outcome.err.startswith(f"gromoxctl: {text}")
    assert outcome.err.count("\n") == 1


def test_nothing_runs(ctl: Ctl, site: Path) -> None:
    (site / "run").mkdir()
    pid_file = site / "run" / "gromoxd.pid"
    for text in ("", "nonsense", "999999999"):
        pid_file.write_text(text)
        for command in ("reload", "stop"):
            assert ctl(command).err == f"gromoxctl: the server of this site is not running ({pid_file})\n"
    assert ctl("status").status == 1


@pytest.fixture
def stand_in(site: Path) -> Iterator[int]:
    """A process that ends with status 7 on SIGHUP, and not at all on SIGQUIT."""
    (site / "run").mkdir()
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        signal.signal(signal.SIGHUP, lambda *_: os._exit(7))
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        os.write(write, b"x")
        while True:
            signal.pause()
    os.read(read, 1)
    os.close(read)
    os.close(write)
    (site / "run" / "gromoxd.pid").write_text(f"{pid}\n")
    yield pid
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def test_reload_signals(ctl: Ctl, stand_in: int) -> None:
    assert ctl("reload") == (0, "", "")
    assert os.waitstatus_to_exitcode(os.waitpid(stand_in, 0)[1]) == 7


def test_stop_waits(ctl: Ctl, stand_in: int) -> None:
    assert ctl("stop") == (0, "", "")
    assert os.waitstatus_to_exitcode(os.waitpid(stand_in, os.WNOHANG)[1]) == -signal.SIGTERM


def test_stop_gives_up(ctl: Ctl, stand_in: int) -> None:
    outcome = ctl("stop", "--now", "--wait", "0.2")
    assert outcome.err == f"gromoxctl: process {stand_in} has not ended within 0.2 seconds\n"


@pytest.mark.slow
def test_on_a_running_server(tmp_path: Path) -> None:
    with running(tmp_path / "s") as server:
        rows = json.loads(server.ctl("status", "--json"))["slots"]
        assert {row["protocol"] for row in rows} >= {"store", "imap", "pop3", "lmtp", "http"}
        assert all(row["pid"] for row in rows)
        server.ctl("quota", "set", "alice@example.test", "10M", "--receive", "9M")
        info = json.loads(server.ctl("mailbox", "info", "alice@example.test", "--json"))
        assert (info["owner"], info["quota_storage"], info["quota_receive"]) == (
            "alice@example.test", 10 << 20, 9 << 20,
        )  # fmt: skip
        assert "store.0" in server.ctl("status")
        server.ctl("reload")
        server.ctl("stop")
