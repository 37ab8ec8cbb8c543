"""A mailbox with very many messages, made by writing its tables: `python -m loadtest.bench.big_mailbox DIR N`."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import apsw

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb.calls import Digest
from loadtest.bench.store_engine import INBOX, OWNER, WORDS
from store.direct import DictArena
from store.mailbox import Mailbox
from store.messages import INSERT_DATA, INSERT_MESSAGE
from store.settings import StoreSettings

START = 1_600_000_000
COUNT = 200_000


def text(number: int, source: random.Random) -> bytes:
    """A small message; times are nearly in order, subjects and senders are not."""
    words = " ".join(source.choice(WORDS) + format(source.randrange(4096), "x") for _ in range(source.randint(2, 7)))
    sender = source.randrange(2000)
    return (
        f"From: Sender Number {sender} <sender{sender}@example.org>\r\nTo: Bench <{OWNER}>\r\n"
        f"Subject: {'Re: ' if sender % 3 else ''}{words}\r\nDate: Tue, 3 Mar 2026 10:20:30 +0100\r\n"
        f"Message-ID: <{number}.{source.randrange(1 << 30)}@example.org>\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\nThis is number {number}.\r\n"
    ).encode()


def open_box(folder: str) -> Mailbox:
    """The mailbox, opened in this process."""
    return Mailbox(
        folder, owner=OWNER, node="bench", settings=StoreSettings(), arena=DictArena(), notify=lambda fid: None,
        is_alive=lambda instance: True,
    )  # fmt: skip


def _data(number: int, digest: Digest) -> tuple[Any, ...]:
    d = digest
    return (
        number, number, d.from_key, d.to_key, d.cc_key, d.bcc_key, d.subject_key, d.envelope, d.bodystructure, d.parts,
        d.message_id, d.message_class, d.props, d.recipients,
    )  # fmt: skip


def rows(first: int, count: int) -> Iterator[tuple[tuple[Any, ...], ...]]:
    """Rows of messages, message_data and content."""
    source = random.Random(7)
    for i in range(count):
        received = START + i * 60 + source.randrange(300)
        raw = text(i, source)
        digest = digest_message(raw, received=received)
        mid, flags = first + i, source.choice((0, 1, 1, 1, 5))
        message = (INBOX, i + 1, mid, flags, mid, mid, len(raw), received, received, mid)
        head = digest.header_size
        yield message, _data(mid, digest), (mid, len(raw), 0, None, raw[:head], raw[head:])


def fill(folder: str, count: int) -> None:
    """Make the mailbox, unless it is there."""
    if os.path.exists(os.path.join(folder, "mailbox.sqlite3")):
        return
    open_box(folder).close()
    db = apsw.Connection(os.path.join(folder, "mailbox.sqlite3"))
    db.pragma("synchronous", "off")
    first = db.execute("SELECT max(next_id, cn) + 10 FROM mailbox").fetchone()[0]  # type: ignore[index]
    made = rows(first, count)
    with db:
        while chunk := list(islice(made, 2000)):
            messages, data, content = zip(*chunk, strict=True)
            db.executemany(INSERT_MESSAGE, messages)
            db.executemany(INSERT_DATA, data)
            db.executemany("INSERT INTO content VALUES (?,?,?,?,?,?)", content)
        top = first + count
        figures = "SELECT count(*), sum(NOT flags & 1), sum(size), max(uid) + 1, ? FROM messages WHERE fid=?"
        db.execute(
            f"UPDATE folders SET (messages, unseen, size, uidnext, cn) = ({figures}) WHERE fid=?", (top, INBOX, INBOX)
        )
        db.execute(
            "INSERT INTO pages SELECT fid, uid >> 8, count(*), ? FROM messages WHERE fid=? GROUP BY 2", (top, INBOX)
        )
        db.execute("UPDATE mailbox SET next_id=?, cn=?", (top + 10, top))
    db.pragma("wal_checkpoint(truncate)")
    db.close()


if __name__ == "__main__":
    fill(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else COUNT)
