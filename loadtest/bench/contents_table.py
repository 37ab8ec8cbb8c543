"""What a contents table of a large folder costs over RPC: `python -m loadtest.bench.contents_table [--folder DIR]`.

Prints milliseconds: the first 50 rows by date and by subject, cold (the store worker has just opened the mailbox) and
warm; rows in the middle; a row found; the same after one message came; restricted, grouped; a search folder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import gevent

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import searchcalls as s
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Content, encode_restriction
from gromoxd.mapi.searchcriteria import SearchStatus, SetSearchFlags
from loadtest.bench.big_mailbox import COUNT, fill
from loadtest.bench.served import store_worker
from loadtest.bench.store_engine import INBOX, OWNER, message

COLUMNS = [
    p.PidTagMid, p.PidTagInstID, p.PidTagInstanceNum, p.PidTagSubject, p.PidTagNormalizedSubject, p.PidTagMessageClass,
    p.PidTagMessageDeliveryTime, p.PidTagClientSubmitTime, p.PidTagMessageSize, p.PidTagMessageFlags,
    p.PidTagSentRepresentingName, p.PidTagDisplayTo, p.PidTagImportance, p.PidTagHasAttachments, p.PidTagFlagStatus,
    p.PidTagIconIndex, p.PidTagRowType, p.PidTagDepth, p.PidTagEntryId, p.PidTagChangeKey,
]  # fmt: skip
"""About what a mail client shows."""
FINDER = 0x05
BY_DATE = [(p.PidTagMessageDeliveryTime, 1)]
BY_SUBJECT = [(p.PidTagSubject, 0)]
BY_SENDER = [(p.PidTagSentRepresentingName, 0)]


class Bench:
    def __init__(self, client: Client, folder: str) -> None:
        self._client = client
        self._box = MailboxRef(folder)

    def call(self, call: c.Call[Any], actor: str = OWNER) -> Any:
        return self._client.call(self._box, call, actor=actor)

    def query(self, sort: list[tuple[int, int]], position: int = 0, count: int = 50, **more: Any) -> t.Rows:
        rows: t.Rows = self.call(t.QueryRows(t.Table(t.CONTENTS, INBOX, sort=sort, **more), COLUMNS, position, count))
        return rows

    def deliver(self, number: int, subject: str = "") -> None:
        raw = f"Subject: {subject}\r\n\r\nText.\r\n".encode() if subject else message(number, 2000)
        new = c.NewMessage(digest_message(raw, received=1_700_000_000 + number), raw, 1_700_000_000 + number)
        self.call(c.Append(INBOX, new, b""), SYSTEM)


def measure(name: str, run: Callable[[int], Any], repeat: int = 1) -> None:
    """Print the median."""
    times = []
    for i in range(repeat):
        start = time.perf_counter()
        run(i)
        times.append((time.perf_counter() - start) * 1e3)
    print(f"{name:54} {statistics.median(times):9.2f} ms   (worst {max(times):.2f})", flush=True)


def first_rows(bench: Bench, name: str, sort: list[tuple[int, int]]) -> None:
    """Right after the mailbox was opened."""
    bench.call(c.GetMailboxInfo())
    measure(f"first 50 rows by {name}, cold", lambda i: bench.query(sort))
    measure(f"next 50 rows by {name}", lambda i: bench.query(sort, 50))


def warm(bench: Bench, name: str, sort: list[tuple[int, int]]) -> None:
    """Once the order of all rows is there."""
    table = t.Table(t.CONTENTS, INBOX, sort=sort)
    needle = encode_restriction(Content(2, 1, p.PidTagSubject, "re: was"))
    measure(f"first 50 rows by {name}, warm", lambda i: bench.query(sort), 50)
    measure("50 rows in the middle", lambda i: bench.query(sort, 1000 * i), 50)
    measure("a row found", lambda i: bench.call(t.FindRow(table, needle, 0, COLUMNS)), 3)
    measure("number of rows", lambda i: bench.call(t.QueryRows(table, [], 0, 0)), 50)
    for number in range(3):
        bench.deliver(number)
        measure("first 50 rows after a message came", lambda i: bench.query(sort))


def others(bench: Bench, sort: list[tuple[int, int]]) -> None:
    """Restricted and grouped."""
    word = encode_restriction(Content(1, 1, p.PidTagSubject, "abc"))
    measure("restricted to a word in the subject, cold", lambda i: bench.query([], restriction=word))
    measure("restricted to a word in the subject, warm", lambda i: bench.query([], restriction=word), 20)
    by = [(p.PidTagMessageClass, 0), *sort]
    measure("grouped, cold", lambda i: bench.query(by, categories=1, expanded=1))
    measure("grouped, warm", lambda i: bench.query(by, categories=1, expanded=1), 20)


def search(bench: Bench) -> None:
    """A search folder is filled, and follows."""
    fid = bench.call(h.MakeFolder(FINDER, f"Found {time.time()}", {}, b"", search=True)).fid
    word = encode_restriction(Content(1, 1, p.PidTagSubject, "needle"))

    def fill(_: int) -> None:
        bench.call(s.SetSearchCriteria(fid, word, [INBOX], SetSearchFlags.RESTART_SEARCH))
        while bench.call(s.GetSearchCriteria(fid)).status & SearchStatus.SEARCH_RUNNING:
            gevent.sleep(0.001)

    def follow(number: int) -> None:
        bench.deliver(number, "a needle")
        while bench.call(t.QueryRows(t.Table(t.CONTENTS, fid), [], 0, 0)).total <= number:
            gevent.sleep(0.0005)

    measure("a search folder filled", fill)
    measure("a message that came is in the search folder", follow, 10)
    bench.call(h.RemoveFolder(fid, True, True, b"", hard=True))


def run(folder: str) -> None:
    for name, sort in (("date", BY_DATE), ("subject", BY_SUBJECT), ("sender", BY_SENDER)):
        with store_worker() as (client, _):
            bench = Bench(client, folder)
            first_rows(bench, name, sort)
            time.sleep(1)
            if sort != BY_SENDER:
                warm(bench, name, sort)
                others(bench, sort)
    with store_worker() as (client, _):
        search(Bench(client, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="keep the mailbox here")
    parser.add_argument("--messages", type=int, default=COUNT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or f"{temporary}/box"
        fill(folder, options.messages)
        run(folder)


if __name__ == "__main__":
    main()
