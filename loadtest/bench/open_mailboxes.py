"""Memory of a store worker with many open mailboxes: `python -m loadtest.bench.open_mailboxes [--mailboxes N]`.

Each has a thousand messages; its client has looked at two tables of the Inbox, watches one, and gets a message. Prints
the proportional set size of the process (smaps_rollup).
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from loadtest.bench.big_mailbox import fill
from loadtest.bench.contents_table import BY_DATE, BY_SUBJECT, COLUMNS
from loadtest.bench.served import store_worker
from loadtest.bench.store_engine import INBOX, OWNER, message


def report(name: str, process: int) -> None:
    """Print the proportional set size in MB, and which part of it is the process' own, not mapped files."""
    with open(f"/proc/{process}/smaps_rollup") as file:
        sizes = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in file if "kB" in line}
    print(f"{name:34} {sizes['Pss']:7.1f} MB, of them mapped files {sizes['Pss_File']:7.1f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mailboxes", type=int, default=200)
    parser.add_argument("--messages", type=int, default=1000)
    options = parser.parse_args()
    raw = message(7, 4000)
    new = c.NewMessage(digest_message(raw, received=1_700_000_000), raw, 1_700_000_000)
    with tempfile.TemporaryDirectory() as folder, store_worker() as (client, process):
        fill(f"{folder}/0", options.messages)
        for number in range(1, options.mailboxes):
            shutil.copytree(f"{folder}/0", f"{folder}/{number}")
        report("no mailbox", process)
        client.call(MailboxRef(f"{folder}/0"), c.GetMailboxInfo(), actor=OWNER)
        report("one mailbox", process)
        for number in range(options.mailboxes):
            box = MailboxRef(f"{folder}/{number}")
            for sort in (BY_DATE, BY_SUBJECT):
                table = t.Table(t.CONTENTS, INBOX, sort=sort)
                client.call(box, t.QueryRows(table, COLUMNS, 0, 50), actor=OWNER)
            client.call(box, t.WatchTable(1, True, table, COLUMNS), actor=OWNER)
            client.call(box, t.WatchTable(2, True, t.Table(t.HIERARCHY, 9), COLUMNS[:1]), actor=OWNER)
            client.call(box, c.Append(INBOX, new, b""), actor=SYSTEM)
        report(f"{options.mailboxes} mailboxes, just used", process)
        time.sleep(8)
        report(f"{options.mailboxes} mailboxes, at rest", process)


if __name__ == "__main__":
    main()
