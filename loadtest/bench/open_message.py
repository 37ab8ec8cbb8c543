"""What opening a message with all its properties costs over RPC: `python -m loadtest.bench.open_message [--calls N]`.

A delivered mail of 4 kB and a message of 60 properties that a MAPI client made, opened again and again on one
connection to a store worker; the same without the wire. Prints a line of a table each, in milliseconds; `--profile`
shows where the time in the store goes.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.mapi import named_tags, proptags
from gromoxd.mapi import proptags as p
from loadtest.bench.served import OWNER, store_worker
from store.direct import DirectStore

INBOX = 0x0D
CALLS = 4000
HEADER = (
    "Received: from mx.example.org (mx.example.org [192.0.2.7])\r\n\tby mail.example.test with ESMTPS id 7d1f\r\n"
    "\tfor <bench@example.test>; Tue, 24 Nov 2026 10:00:00 +0100\r\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel;\r\n\tbh=" + "A" * 44 + ";\r\n"
    "\tb=" + "B" * 344 + "\r\n"
    "Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nFrom: Anna Example <anna@example.org>\r\n"
    "To: Bench <bench@example.test>, Carl <carl@example.net>\r\nCc: dora@example.com\r\n"
    "Subject: Re: the figures for November\r\nMessage-ID: <20261124.1@example.org>\r\n"
    "In-Reply-To: <20261123.9@example.test>\r\nReferences: <20261120.2@example.test> <20261123.9@example.test>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_b\"\r\n\r\n"
)  # fmt: skip


def mail() -> bytes:
    """4 kB of text and HTML."""
    text = "The figures are better than those of October, see below. " * 24
    html = "<html><body><p>" + "The figures are <b>better</b> than those of October. " * 28 + "</p></body></html>"
    part = '--=_b\r\nContent-Type: text/%s; charset="utf-8"\r\n\r\n%s\r\n'
    return (HEADER + part % ("plain", text) + part % ("html", html) + "--=_b--\r\n").encode()


def properties() -> o.Bag:
    """60 properties as Outlook gives an appointment or message: texts, numbers, times, keys, named ones."""
    bag: o.Bag = {
        p.PidTagSubject: "Planning", p.PidTagMessageClass: "IPM.Note", p.PidTagImportance: 1,
        p.PidTagBody: "We meet at ten. " * 60, p.PidTagClientSubmitTime: 133700000000000000,
    }  # fmt: skip
    wanted = {3: 7, 0x1F: "some text", 0x40: 133700000000000000, 0x0B: True, 0x102: b"0123456789abcdef"}
    tags = [tag for name, tag in vars(named_tags).items() if name.startswith("PidLid")]
    tags += [tag for name, tag in vars(proptags).items() if name.startswith("PidTagOriginal")]
    for tag in sorted(tags, reverse=True):
        if len(bag) < 60 and tag & 0xFFFF in wanted:
            bag[tag] = wanted[tag & 0xFFFF]
    return bag


def fill(call: Callable[..., Any]) -> list[tuple[str, int]]:
    """(name, id) of the two messages."""
    raw = mail()
    new = c.NewMessage(digest_message(raw, received=1_700_000_000), raw, 1_700_000_000)
    delivered = call(c.Append(INBOX, new, b"a" * 16), actor=SYSTEM).mid
    person = {p.PidTagRecipientType: 1, p.PidTagDisplayName: "Carl", p.PidTagEmailAddress: "carl@example.net",
              p.PidTagAddressType: "SMTP"}  # fmt: skip
    changes = o.Changes(properties(), [], [person, person])
    made = call(o.SaveMessage(INBOX, 0, 0, changes, b"b" * 16), actor=OWNER).mid
    return [(f"mail of {len(raw):,} octets", delivered), ("60 properties", made)]


def measure(run: Callable[[], Any], count: int) -> tuple[float, float]:
    """(median, 99th percentile) in milliseconds."""
    for _ in range(count // 10):
        run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def line(name: str, run: Callable[[], Any], count: int) -> None:
    median, slow = measure(run, count)
    print(f"| {name} | {median:.3f} | {slow:.3f} |", flush=True)


def over_rpc(folder: str, count: int) -> None:
    """As a protocol worker sees it."""
    with store_worker() as (client, _):
        box = MailboxRef(folder)
        for name, mid in fill(lambda call, actor: client.call(box, call, actor=actor)):
            opened = client.call(box, o.OpenMessage(mid), actor=OWNER)
            what = f"{name}, {len(opened.props)} properties shown"
            whole = o.OpenMessage(mid)
            line(f"{what}, over RPC", partial(client.call, box, whole, actor=OWNER), count)
            tags = [p.PidTagSubject, p.PidTagMessageFlags, p.PidTagMessageDeliveryTime]
            some = o.OpenMessage(mid, [], o.PROPS, tags)
            line("three properties of it, over RPC", partial(client.call, box, some, actor=OWNER), count)


def in_store(folder: str, count: int, profile: bool) -> None:
    """The handler alone."""
    with DirectStore(folder, {"direct": OWNER}) as store:
        box = store.mailbox("direct")
        for name, mid in fill(lambda call, actor: store.call(MailboxRef("direct"), call, actor=actor)):
            run = partial(box.read, o.OpenMessage(mid), OWNER)
            line(f"{name}, in the store", run, count)
            if profile:
                profiler = cProfile.Profile()
                profiler.enable()
                for _ in range(count):
                    run()
                profiler.disable()
                pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    print("| OpenMessage, all properties | median ms | 99 % ms |\n|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        over_rpc(f"{folder}/served", options.calls)
        in_store(folder, options.calls, options.profile)


if __name__ == "__main__":
    main()
