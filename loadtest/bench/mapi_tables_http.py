"""Contents tables and notifications over MAPI/HTTP: `python -m loadtest.bench.mapi_tables_http [--rows 500] [--json]`.

A whole server on a site in a temporary folder, loopback only. Milliseconds, medians: a client's look at a folder of so
many messages in three requests (open and sort; all rows in chained buffers; release), and the time from the beginning
of an LMTP delivery until a client's NotificationWait is answered.
"""

from __future__ import annotations

import argparse
import json
import statistics
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.rop import notify, registry, tables
from gromoxd.rop.codec import Request, read_response
from gromoxd.rop.release import Release
from loadtest.bench.mapihttp import NO_HANDLE, USER, Client, logon_rop, own_dn
from tests.support.server import Server

assert registry.FAMILIES
COLUMNS = [
    p.PidTagMid, p.PidTagSubject, p.PidTagMessageDeliveryTime, p.PidTagMessageFlags, p.PidTagSentRepresentingName,
    p.PidTagMessageSize,
]  # fmt: skip
BY_DATE = SortOrderSet((SortOrder(p.PidTagMessageDeliveryTime, 1),))
FOLDER, TABLE, SUBSCRIPTION = 1, 2, 3
CHAIN = 0x04
LARGEST_OUT = 0x40000
_U16, _EXT = struct.Struct("<H"), struct.Struct("<HHHH")


class Outlook:
    """A session with a folder open, its handle table at hand."""

    def __init__(self, server: Server, user_dn: str) -> None:
        self.client = Client(server)
        self.client.connect(user_dn)
        answer = self.client.execute(logon_rop(user_dn), NO_HANDLE)
        inbox = answer[8 + 2 + 7 + 4 * 8 :][:8]
        opened = self.client.execute(bytes((0x02, 0, 0, 1)) + inbox + b"\0", answer[-4:] + NO_HANDLE)
        self.handles = opened[-8:] + NO_HANDLE * 2

    def run(self, *requests: Request) -> list[bytes]:
        """The responses of each buffer of the answer."""
        rops = b"".join([one.encode() for one in requests])
        payload = _U16.pack(len(rops) + 2) + rops + self.handles
        rgb_in = _EXT.pack(0, 4, len(payload), len(payload)) + payload
        head = struct.pack("<II", 3 | CHAIN, len(rgb_in))
        answer = self.client.post(b"Execute", head + rgb_in + struct.pack("<II", LARGEST_OUT, 0))
        size = struct.unpack_from("<I", answer, 12)[0]
        found, at = [], 16
        while at < 16 + size:
            length = _EXT.unpack_from(answer, at)[2]
            content = answer[at + 8 : at + 8 + length]
            rop_size = _U16.unpack_from(content)[0]
            found.append(content[2:rop_size])
            self.handles = content[rop_size:]
            at += 8 + length
        return found

    def open(self) -> None:
        """Open the contents table."""
        self.run(
            tables.GetContentsTable(0, FOLDER, TABLE, 0), tables.SetColumns(0, TABLE, 0, COLUMNS),
            tables.SortTable(0, TABLE, 0, BY_DATE),
        )  # fmt: skip

    def look(self, rows: int) -> int:
        """Open the table, read all rows and release it; the requests that it took."""
        self.open()
        seen, requests = 0, 2
        while seen < rows:
            requests += 1
            for buffer in self.run(tables.QueryRows(0, TABLE, 2, True, rows - seen)):
                found = read_response(Cursor(buffer))
                if not isinstance(found, tables.QueryRowsResponse):
                    raise AssertionError(found)
                seen += found.row_count
        self.run(Release(0, TABLE))
        return requests

    def subscribe(self) -> None:
        """Hear of new mail."""
        self.run(notify.RegisterNotification(0, 0, SUBSCRIPTION, notify.NEW_MAIL, 0, True))

    def wait(self) -> bool:
        """NotificationWait; whether there is something."""
        answer = self.client.post(b"NotificationWait", bytes(8))
        return bool(struct.unpack_from("<I", answer, 8)[0])


def told_after(server: Server, outlook: Outlook) -> float:
    """Seconds from an LMTP delivery's beginning until the wait is answered."""
    done: list[float] = []
    thread = threading.Thread(target=lambda: done.append(time.perf_counter() if outlook.wait() else 0.0))
    thread.start()
    time.sleep(0.3)  # the wait is under way
    started = time.perf_counter()
    server.deliver(b"From: a@example.net\r\nSubject: news\r\n\r\nText.\r\n", USER)
    thread.join(10)
    outlook.run()
    return done[0] - started


def median_ms(run: Callable[[], object], repeat: int = 15) -> float:
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        run()
        times.append((time.perf_counter() - started) * 1e3)
    return round(statistics.median(times), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "site", options={"http_workers": "1"}).start()
        try:
            with server.imap() as imap:
                for number in range(options.rows):
                    raw = f"From: Sender {number} <s{number}@example.org>\r\nSubject: Message {number}\r\n\r\nText.\r\n"
                    imap.append("INBOX", "", None, raw.encode())
            outlook = Outlook(server, own_dn(server))
            figures: dict[str, float] = {"requests": outlook.look(options.rows)}
            figures["table over HTTP, ms"] = median_ms(lambda: outlook.look(options.rows))
            outlook.subscribe()
            figures["told after LMTP, ms"] = round(
                statistics.median([told_after(server, outlook) for _ in range(9)]) * 1e3, 2
            )
        finally:
            server.stop(check=False)
    print(json.dumps(figures) if options.json else "\n".join(f"{name:24} {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
