"""ICS download of a folder over RPC, messages a second: `python -m loadtest.bench.ics [--messages N] [--folder DIR]`.

GetContentChanges, then ReadMessages of everything that a client in cached mode takes: all properties but bodies that
are made from others, recipients, the list of attachments. The store worker is a process of its own. `--made`: messages
made by MAPI clients instead of delivered ones. Printed as lines of Markdown: messages, seconds, messages a second,
megabytes, and microseconds of CPU a message in the store worker and here, which a busy machine does not change as much.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from typing import Any

import msgspec
import psutil

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.client import Client
from gromoxd.mapi import proptags as p
from loadtest.bench.served import store_worker
from loadtest.bench.store_engine import INBOX, OWNER, message
from store.direct import DirectStore
from store.mailbox import Write

COUNT, CHUNK = 10_000, 200
WHAT = s.NORMAL | s.ASSOCIATED | s.READ_STATE


def with_file(number: int, size: int) -> bytes:
    """A message with one attachment."""
    head, _, body = message(number, size).partition(b"\r\n\r\n")
    kept = b"\r\n".join(line for line in head.split(b"\r\n") if not line.startswith(b"Content-T"))
    return (
        kept + b"\r\nContent-Type: multipart/mixed; boundary=bound\r\n\r\n--bound\r\nContent-Type: text/plain\r\n\r\n"
        + body + b"\r\n--bound\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n"
        b"Content-Disposition: attachment; filename=a.pdf\r\n\r\n" + b"QUJD" * 18 + b"\r\n--bound--\r\n"
    )  # fmt: skip


def delivered(number: int) -> c.Call[Any]:
    """Every fourth has an attachment."""
    raw = with_file(number, 2000) if number % 4 == 0 else message(number, 2000)
    new = c.NewMessage(digest_message(raw, received=1_700_000_000 + number), raw, 1_700_000_000 + number)
    return c.Append(INBOX, new, b"")


def made(number: int) -> c.Call[Any]:
    """The same, made by a MAPI client."""
    put: o.Bag = {p.PidTagSubject: f"Message number {number}", p.PidTagBody: "word " * 300}
    person: o.Bag = {
        p.PidTagRecipientType: 1, p.PidTagDisplayName: "Bench", p.PidTagEmailAddress: OWNER,
        p.PidTagAddressType: "SMTP",
    }  # fmt: skip
    files = [o.AttachmentChange(0, set={p.PidTagAttachDataBinary: b"x" * 54, p.PidTagAttachLongFilename: "a.pdf"})]
    return o.SaveMessage(INBOX, 0, 0, o.Changes(put, [], [person], files if number % 4 == 0 else []), b"")


def fill(folder: str, count: int, make: Any) -> None:
    """Make the mailbox, in large transactions."""
    with DirectStore("/", {folder: OWNER}) as store:
        box = store.mailbox(folder)
        for start in range(0, count, 500):
            writes = [Write(make(number), SYSTEM, b"") for number in range(start, min(start + 500, count))]
            for result in box.publish(box.run_batch(writes)):
                if isinstance(result, Exception):
                    raise result


def download(client: Client, folder: str, what: int) -> tuple[int, float, int]:
    """(messages, seconds, octets)."""
    box, count = MailboxRef(folder), 0
    start = time.perf_counter()
    changes = client.call(box, s.GetContentChanges(INBOX, s.State(), WHAT), actor=OWNER)
    mids = [mid for mid, *_ in changes.changed]
    answers = []
    while mids:
        found = client.call(box, o.ReadMessages(mids[:CHUNK], what), actor=OWNER)
        mids = mids[len(found) :]
        count += len(found)
        answers.append(found)
    seconds = time.perf_counter() - start
    octets = sum(len(msgspec.msgpack.encode(one)) for one in answers)
    return count, seconds, octets


def measure(folder: str, what: int, name: str) -> None:
    """One download from a store worker that has just opened the mailbox."""
    with store_worker() as (client, pid):
        client.call(MailboxRef(folder), c.GetMailboxInfo(), actor=OWNER)
        worker = psutil.Process(pid)
        there, here = sum(worker.cpu_times()[:2]), time.process_time()
        count, seconds, octets = download(client, folder, what)
        there, here = sum(worker.cpu_times()[:2]) - there, time.process_time() - here
    cpu = f"{there / count * 1e6:.0f} + {here / count * 1e6:.0f} us"
    print(
        f"| {name} | {count} | {seconds:.2f} s | {count / seconds:.0f}/s | {octets / 1e6:.1f} MB | {cpu} |", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=COUNT)
    parser.add_argument("--folder", help="keep the mailbox here")
    parser.add_argument("--made", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or f"{temporary}/box"
        if not os.path.exists(folder):
            fill(folder, options.messages, made if options.made else delivered)
        for what, name in ((o.EVERYTHING, "everything"), (o.PROPS, "properties")):
            for _ in range(options.repeat):
                measure(folder, what, name)


if __name__ == "__main__":
    main()
