"""Cached-mode download by ROPs, messages a second: `python -m loadtest.bench.mapi_sync [--messages N] [--profile]`.

RopSynchronizationConfigure and RopFastTransferSourceGetBuffer until everything is taken, as Outlook does for a folder
that it has not seen, in a session of this process; the store worker is a process of its own. `--made`: messages made by
MAPI clients instead of delivered ones. Printed as lines of Markdown: messages, seconds, messages a second, megabytes
of stream, and microseconds of CPU a message in the store worker and here, which a busy machine does not change as much.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from types import SimpleNamespace
from typing import Any

import psutil

from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.exmdb.storecalls import OpenStore
from gromoxd.exmdb.working import Account
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import sync as rop
from gromoxd.rop.codec import read_response
from loadtest.bench.ics import COUNT, delivered, fill, made
from loadtest.bench.served import store_worker
from loadtest.bench.store_engine import INBOX, OWNER
from workers.http.emsmdb.dispatch import NO_HANDLE
from workers.http.emsmdb.objects import Folder, Logon
from workers.http.emsmdb.session import Session

ROOM = 0x7FF0
FLAGS = 0xA039
"""Unicode, ReadState, FAI, Normal, BestBody, Progress: what Outlook asks for."""


def session_of(account: Account) -> tuple[Session, int]:
    """A session, and the handle of the Inbox in it."""
    site: Any = SimpleNamespace()
    user: Any = SimpleNamespace(username=account.actor)
    session = Session(site, user, lambda: None)
    logon = Logon(0, account, account.call(OpenStore()), 0)
    session.add(logon)
    return session, session.add(Folder(logon, INBOX))


def download(client: Client, folder: str) -> int:
    """All of the Inbox; the octets of the stream."""
    session, handle = session_of(Account(client, MailboxRef(folder), OWNER))
    handles = [handle, NO_HANDLE]
    configure = rop.SynchronizationConfigure(0, 0, 1, 1, 0x09, FLAGS, b"", 7, [])
    session.execute(configure.encode(), handles, ROOM)
    get = ft.FastTransferSourceGetBuffer(0, 1, ft.OWN_SIZE, 0x7FFF).encode()
    octets = 0
    while True:
        answer: Any = read_response(Cursor(session.execute(get, handles, ROOM)))
        if answer.code:
            raise RuntimeError(f"RopFastTransferSourceGetBuffer: {answer.code:#x}")
        octets += len(answer.transfer_buffer)
        if answer.transfer_status == 3:
            session.close()
            return octets


def measure(folder: str, count: int, name: str, profile: bool) -> None:
    """One download from a store worker that has just opened the mailbox."""
    with store_worker() as (client, pid):
        client.call(MailboxRef(folder), OpenStore(), actor=OWNER)
        worker = psutil.Process(pid)
        profiler = cProfile.Profile()
        there, here, start = sum(worker.cpu_times()[:2]), time.process_time(), time.perf_counter()
        if profile:
            profiler.enable()
        octets = download(client, folder)
        profiler.disable()
        seconds = time.perf_counter() - start
        there, here = sum(worker.cpu_times()[:2]) - there, time.process_time() - here
    cpu = f"{there / count * 1e6:.0f} + {here / count * 1e6:.0f} us"
    rate = f"{count / seconds:.0f}/s | {count / (there + here):.0f}/s a core"
    print(f"| {name} | {count} | {seconds:.2f} s | {rate} | {octets / 1e6:.1f} MB | {cpu} |", flush=True)
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=COUNT)
    parser.add_argument("--folder", help="keep the mailbox here")
    parser.add_argument("--made", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or f"{temporary}/box"
        if not os.path.exists(folder):
            fill(folder, options.messages, made if options.made else delivered)
        for _ in range(options.repeat):
            measure(folder, options.messages, "made" if options.made else "delivered", options.profile)


if __name__ == "__main__":
    main()
