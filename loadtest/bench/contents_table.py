"""What a contents table of a large folder costs over RPC: `python -m loadtest.bench.contents_table [--folder DIR]`.

Prints milliseconds: the first 50 rows by date and by subject, cold (the store worker has just opened the mailbox) and
warm; rows in the middle; a row found; the same after one message came.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Content, encode_restriction
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

    def deliver(self, number: int) -> None:
        raw = message(number, 2000)
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


def run(folder: str) -> None:
    word = encode_restriction(Content(1, 1, p.PidTagSubject, "abc"))
    for cold, sort in (("date", BY_DATE), ("subject", BY_SUBJECT), ("sender", BY_SENDER)):
        with store_worker() as (client, _):
            bench = Bench(client, folder)
            bench.call(c.GetMailboxInfo())
            measure(f"first 50 rows by {cold}, cold", lambda i, s=sort: bench.query(s))  # type: ignore[misc]
            measure(f"next 50 rows by {cold}", lambda i, s=sort: bench.query(s, 50))  # type: ignore[misc]
            if cold == "sender":
                continue
            time.sleep(1)
            measure(f"first 50 rows by {cold}, warm", lambda i, s=sort: bench.query(s), 50)  # type: ignore[misc]
            measure("50 rows in the middle", lambda i, s=sort: bench.query(s, 1000 * i), 50)  # type: ignore[misc]
            flat = t.Table(t.CONTENTS, INBOX, sort=sort)
            end = encode_restriction(Content(2, 1, p.PidTagSubject, "re: was"))
            measure("a row found", lambda i: bench.call(t.FindRow(flat, end, 0, COLUMNS)), 3)  # noqa: B023
            measure("number of rows", lambda i: bench.call(t.QueryRows(flat, [], 0, 0)), 50)  # noqa: B023
            for number in range(3):
                bench.deliver(number)
                measure("first 50 rows after a message came", lambda i, s=sort: bench.query(s))  # type: ignore[misc]
            measure("restricted to a word in the subject, cold", lambda i: bench.query([], restriction=word))
            measure("restricted to a word in the subject, warm", lambda i: bench.query([], restriction=word), 20)
            grouped = {"categories": 1, "expanded": 1}
            by = [(p.PidTagMessageClass, 0), *sort]
            measure("grouped, cold", lambda i: bench.query(by, **grouped))  # noqa: B023
            measure("grouped, warm", lambda i: bench.query(by, **grouped), 20)  # noqa: B023


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
