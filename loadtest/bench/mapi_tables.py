"""What a contents table costs through a session: `python -m loadtest.bench.mapi_tables [--rows 500] [--json]`.

A session in this process on a store worker in another. Milliseconds, medians: the whole of a client's look at a folder
(GetContentsTable, SetColumns, SortTable, QueryRows until the end, Release), with answers of 32 KiB and of 256 KiB,
looking at it anew each time; the hierarchy table; how long a notification of a row takes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import gevent
import gevent.event

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.exmdb.storecalls import OpenStore
from gromoxd.exmdb.working import Account
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.rop import tables as r
from gromoxd.rop.codec import Request, Response, read_response
from gromoxd.rop.release import Release
from loadtest.bench.big_mailbox import fill
from loadtest.bench.served import store_worker
from loadtest.bench.store_engine import INBOX, OWNER, message
from workers.http.emsmdb.dispatch import NO_HANDLE
from workers.http.emsmdb.objects import Folder, Logon
from workers.http.emsmdb.session import Session

COLUMNS = [
    p.PidTagMid, p.PidTagSubject, p.PidTagMessageDeliveryTime, p.PidTagMessageFlags, p.PidTagSentRepresentingName,
    p.PidTagMessageSize,
]  # fmt: skip
FOLDER_COLUMNS = [p.PidTagFolderId, p.PidTagDisplayName]
FOLDER, TABLE = 1, 2
BY_DATE = SortOrderSet((SortOrder(p.PidTagMessageDeliveryTime, 1),))
IPM = 0x09


class Bench:
    def __init__(self, client: Client, folder: str) -> None:
        self.account = Account(client, MailboxRef(folder), OWNER)
        config: Any = SimpleNamespace(get=lambda cls: cls())
        site: Any = SimpleNamespace(ctx=SimpleNamespace(config=config))
        self.woken = gevent.event.Event()
        self.session = Session(site, cast(Any, SimpleNamespace(username=OWNER)), self.woken.set)
        logon = Logon(0, self.account, self.account.call(OpenStore()), 0)
        self.handles = [self.session.add(logon), NO_HANDLE, NO_HANDLE]
        self.logon = logon

    def open(self, fid: int) -> None:
        self.handles[FOLDER] = self.session.add(Folder(self.logon, fid))

    def run(self, *requests: Request, room: int = 0x7FF0) -> list[Response]:
        octets = self.session.execute(b"".join([one.encode() for one in requests]), self.handles, room)
        cursor, found = Cursor(octets), []
        while cursor.left:
            found.append(read_response(cursor))
        assert not any(one.code for one in found), found
        return found

    def opening(self, sort: SortOrderSet = BY_DATE) -> list[Request]:
        """What a client sends to begin with a contents table."""
        return [
            r.GetContentsTable(0, FOLDER, TABLE, 0), r.SetColumns(0, TABLE, 0, COLUMNS), r.SortTable(0, TABLE, 0, sort)
        ]  # fmt: skip

    def look(self, rows: int, room: int, sort: SortOrderSet | None = BY_DATE) -> int:
        """All of a client's look at the table; how many octets of answers there were."""
        opening = [r.GetHierarchyTable(0, FOLDER, TABLE, 4), r.SetColumns(0, TABLE, 0, FOLDER_COLUMNS)]
        self.run(*(opening if sort is None else self.opening(sort)))
        seen = octets = 0
        while seen < rows:
            (found,) = self.run(r.QueryRows(0, TABLE, 0, True, rows - seen), room=room)
            assert isinstance(found, r.QueryRowsResponse)
            seen, octets = seen + found.row_count, octets + len(found.rows)
            if found.origin == 2:
                break
        self.run(Release(0, TABLE))
        assert seen == rows or not sort, seen
        return octets

    def notified(self, number: int) -> float:
        """Seconds from the beginning of a delivery until the session's client is woken."""
        raw = message(number, 2000)
        new = c.NewMessage(digest_message(raw, received=1_900_000_000), raw, 1_900_000_000 + number)
        self.woken.clear()
        started = time.perf_counter()
        gevent.spawn(self.account.exmdb.call, self.account.mailbox, c.Append(INBOX, new, b""), actor=SYSTEM)
        assert self.woken.wait(5)
        took = time.perf_counter() - started
        self.session.pending.clear()
        return took


def median_ms(run: Callable[[], Any], repeat: int = 15) -> float:
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1e3)
    return round(statistics.median(times), 2)


def measure(client: Client, folder: str, rows: int) -> dict[str, float]:
    """All figures."""
    bench = Bench(client, folder)
    bench.open(INBOX)
    started = time.perf_counter()
    octets = bench.look(rows, 0x7FF0)
    figures = {"first look, ms": round((time.perf_counter() - started) * 1e3, 2), "octets": octets}
    figures["32 KiB answers, ms"] = median_ms(lambda: bench.look(rows, 0x7FF0))
    figures["256 KiB answers, ms"] = median_ms(lambda: bench.look(rows, 0x3FFF0))
    figures["50 rows, ms"] = median_ms(lambda: bench.look(50, 0x7FF0))
    bench.open(IPM)
    figures["hierarchy, ms"] = median_ms(lambda: bench.look(1000, 0x7FF0, None))
    bench.open(INBOX)
    bench.run(*bench.opening())
    bench.run(r.QueryRows(0, TABLE, 0, True, 50))
    figures["row told after, ms"] = round(statistics.median([bench.notified(n) for n in range(15)]) * 1e3, 2)
    bench.session.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, store_worker() as (client, _):
        fill(f"{folder}/0", options.messages)
        figures = measure(client, f"{folder}/0", options.rows)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
