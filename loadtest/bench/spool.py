"""Mail through the relay's spool to a mail server that takes everything (Postfix's smtp-sink): mails a second.

`python -m loadtest.bench.spool [MAILS] [OCTETS]` prints one line of JSON. Mails come into the spool in batches, as from
mailboxes; every step of each is on disk before the next, as always.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from gevent import socket  # noqa: E402

from workers.relay.disk import Disk  # noqa: E402
from workers.relay.engine import Engine  # noqa: E402
from workers.relay.local import Local, Route  # noqa: E402
from workers.relay.remote import Remote  # noqa: E402
from workers.relay.settings import RelaySettings  # noqa: E402
from workers.relay.spool import NewMail, Spool  # noqa: E402

BATCH = 200


class Nobody(Local):
    """All recipients are elsewhere."""

    def __init__(self) -> None:
        pass

    def route(self, address: str, sender: str) -> Route:
        return Route()


class NoBoard:
    """Counts nothing."""

    def add(self, name: str, amount: int = 1) -> None:
        pass

    def set(self, name: str, value: int) -> None:
        pass

    def get(self, name: str) -> int:
        return 0

    def observe_ms(self, name: str, value_ms: float) -> None:
        pass


def sink(port: int) -> subprocess.Popen[bytes]:
    """smtp-sink, once it listens."""
    program = shutil.which("smtp-sink") or "/usr/sbin/smtp-sink"
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = subprocess.Popen([program, *user, f"127.0.0.1:{port}", "100"], stdin=subprocess.DEVNULL)
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process
        time.sleep(0.05)
    raise SystemExit("smtp-sink did not start")


def measure(mails: int, octets: int, folder: str, port: int) -> dict[str, Any]:
    """Take and send so many mails."""
    settings = RelaySettings(outgoing_smtp_url=f"smtp://127.0.0.1:{port}")
    disk = Disk(folder)
    remote = Remote(lambda: settings, "mx.example.test")
    engine = Engine(disk, lambda: settings, Nobody(), remote, NoBoard(), "mx.example.test")
    raw = b"From: a@example.test\r\nSubject: s\r\nMessage-ID: <x@y>\r\nDate: Tue, 3 Mar 2026 10:20:30 +0100\r\n\r\n"
    raw += b"All work and no play makes a dull text line.\r\n" * (octets // 46)
    running = gevent.spawn(engine.run)
    begun, cpu = time.monotonic(), time.process_time()

    def add(spool: Spool) -> list[int]:
        now = time.time()
        return [spool.add(NewMail(os.urandom(16), "", "a@example.test", ["x@elsewhere.test"], raw), now)
                for _ in range(BATCH)]  # fmt: skip

    for _ in range(0, mails, BATCH):
        for id_ in disk.do(add):
            engine.add(id_)
    taken = time.monotonic() - begun
    while disk.do(lambda spool: spool.ids()):
        gevent.sleep(0.05)
    took = time.monotonic() - begun
    engine.stop()
    running.get()
    disk.close()
    return {
        "mails": mails, "octets": len(raw), "taken_per_s": round(mails / taken), "sent_per_s": round(mails / took),
        "cpu_ms_each": round((time.process_time() - cpu) / mails * 1000, 2),
    }  # fmt: skip


def main() -> None:
    """See the module."""
    given = [int(text) for text in sys.argv[1:3]]
    mails, octets = (*given, *(10_000, 4096)[len(given) :])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = sink(port)
    try:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(measure(mails, octets, folder, port)))
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
