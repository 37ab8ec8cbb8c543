"""The spool on disk: an SQLite index, small mails in it, large ones as files below content/. On one thread at a time.

Every method that changes something is called in a transaction of the caller's (`transact`), which is on disk
(synchronous=FULL) when it returns. A mail is known by its token: one that comes again is not taken twice, until its
name is forgotten (`KEPT`). A mail goes when none of its recipients waits any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

import apsw
import msgspec

from gromoxd.exmdb.outgoing import NOTIFY_NEVER, Options
from gromoxd.files import sync_folder
from workers.relay.schedule import HELD, QUEUED, Recipient

log = logging.getLogger(__name__)
R = TypeVar("R")
SCHEMA = """
CREATE TABLE mails (
  id INTEGER PRIMARY KEY AUTOINCREMENT, token BLOB NOT NULL UNIQUE, mailbox TEXT NOT NULL, sender TEXT NOT NULL,
  created REAL NOT NULL, size INTEGER NOT NULL, options BLOB NOT NULL, raw BLOB
);
CREATE TABLE recipients (
  mail INTEGER NOT NULL, number INTEGER NOT NULL, address TEXT NOT NULL, state INTEGER NOT NULL, due REAL NOT NULL,
  tries INTEGER NOT NULL, status TEXT NOT NULL, text TEXT NOT NULL, warned INTEGER NOT NULL,
  PRIMARY KEY (mail, number)
) WITHOUT ROWID;
CREATE TABLE taken (token BLOB PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX taken_time ON taken (time);
"""
INLINE = 64 << 10
"""Longer mails are files."""
KEPT = 30 * 86400.0
_BARE = re.compile(rb"\r\n|\r|\n")
PLAIN = Options()


class NewMail(NamedTuple):
    """A mail to take. The octets are `raw`, or the finished file `path` in `waiting`."""

    token: bytes
    mailbox: str
    sender: str
    recipients: Sequence[str]
    raw: bytes = b""
    path: str = ""
    options: Options = PLAIN


class Mail(NamedTuple):
    """A mail of the spool with those of its recipients that were asked for."""

    id: int
    token: bytes
    mailbox: str
    sender: str
    created: float
    size: int
    options: Options
    raw: bytes | None
    path: str
    recipients: list[Recipient]

    def read(self, limit: int) -> bytes:
        """At most so many octets from the start."""
        if self.raw is not None:
            return self.raw[:limit]
        with open(self.path, "rb") as file:
            return file.read(limit)


_COLUMNS = "id, token, mailbox, sender, created, size, options, raw"
_INSERT = "INSERT INTO mails (token, mailbox, sender, created, size, options, raw) VALUES (?,?,?,?,?,?,?)"
_RECIPIENT = "number, address, state, due, tries, status, text, warned"


class Locked(Exception):
    """Another relay has the spool."""


class Spool:
    """See the module."""

    def __init__(self, folder: str) -> None:
        self._content = os.path.join(folder, "content")
        self.waiting = os.path.join(folder, "tmp")
        """The folder for files that are not yet in the spool."""
        self.apart = os.path.join(folder, "apart")
        """The folder for what went wrong here in a way that nobody knows of."""
        for path in (folder, self._content, self.waiting, self.apart):
            os.makedirs(path, 0o700, exist_ok=True)
        self._lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise Locked(folder) from error
        self._doomed: list[str] = []
        self._db = self._open(os.path.join(folder, "queue.sqlite3"))
        self._clean()

    def _open(self, path: str) -> apsw.Connection:
        db = apsw.Connection(path)
        db.set_busy_timeout(10_000)
        db.pragma("journal_mode", "wal")
        db.pragma("synchronous", "full")
        db.pragma("temp_store", "memory")
        os.chmod(path, 0o600)
        if not db.pragma("user_version"):
            with db:
                db.execute(SCHEMA)
                db.pragma("user_version", 1)
        return db

    def _clean(self) -> None:
        """Remove files that a crash left behind."""
        for name in os.listdir(self.waiting):
            os.unlink(os.path.join(self.waiting, name))
        for name in os.listdir(self._content):
            found = self._db.execute("SELECT 1 FROM mails WHERE token=?", (_token(name),)).fetchone()
            if found is None:
                os.unlink(os.path.join(self._content, name))

    def close(self) -> None:
        """Give the spool back."""
        self._db.close()
        os.close(self._lock)

    def transact(self, works: Sequence[Callable[[], Any]]) -> list[Any]:
        """Do all of this and put it on disk; answers results, exceptions for what did not work alone."""
        results: list[Any] = []
        self._doomed.clear()
        with self._db:
            for work in works:
                doomed = len(self._doomed)
                try:
                    with self._db:
                        results.append(work())
                except Exception as error:
                    log.exception("spool: a change failed")
                    del self._doomed[doomed:]
                    results.append(error)
        for path in self._doomed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        return results

    # ------------------------------------------------------------------------------------------ taking

    def set_apart(self, new: NewMail) -> str:
        """Keep, for people to look at, the octets of a mail that cannot be taken; answers the file."""
        path = os.path.join(self.apart, f"{new.token.hex()}.eml")
        if new.path:
            os.replace(new.path, path)
        else:
            write_durably(path, [new.raw])
        sync_folder(self.apart)
        return path

    def add(self, new: NewMail, now: float) -> int:
        """Take a mail; answers its id, 0 when its token is known."""
        known = "SELECT 1 FROM taken WHERE token=?1 UNION ALL SELECT 1 FROM mails WHERE token=?1"
        if self._db.execute(known, (new.token,)).fetchone() is not None:
            if new.path:
                self._doomed.append(new.path)
            return 0
        raw: bytes | None = new.raw
        size = len(new.raw)
        if new.path:
            raw, size = None, os.stat(new.path).st_size
            self._install(new.path, new.token)
        elif size > INLINE:
            raw = None
            path = os.path.join(self.waiting, new.token.hex())
            write_durably(path, [new.raw])
            self._install(path, new.token)
        options = msgspec.msgpack.encode(new.options)
        self._db.execute(_INSERT, (new.token, new.mailbox, new.sender, now, size, options, raw))
        id_ = self._db.last_insert_rowid()
        self._add_recipients(id_, 0, new.recipients, now)
        return id_

    def add_again(self, mail: Mail, name: str, recipients: Sequence[str], now: float) -> int:
        """Take the octets of a mail here once more, for these, with the null sender; `name` tells it from others."""
        token = blake2b(mail.token + name.encode(), digest_size=16).digest()
        new = NewMail(token, "", "", recipients, mail.raw or b"", options=Options(NOTIFY_NEVER))
        if mail.raw is None:
            path = os.path.join(self.waiting, f"{token.hex()}.again")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            os.link(mail.path, path)
            new = new._replace(path=path)
        return self.add(new, now)

    def _install(self, path: str, token: bytes) -> None:
        os.replace(path, self._path(token))
        sync_folder(self._content)

    def _path(self, token: bytes) -> str:
        return os.path.join(self._content, token.hex())

    def _add_recipients(self, mail: int, first: int, addresses: Iterable[str], now: float) -> None:
        rows = ((mail, first + n, address, QUEUED, now, 0, "", "", 0) for n, address in enumerate(addresses))
        self._db.executemany("INSERT INTO recipients VALUES (?,?,?,?,?,?,?,?,?)", rows)

    # ------------------------------------------------------------------------------------------ working

    def load(self, id_: int, due: float | None = None) -> Mail | None:
        """A mail with its recipients, or only those that are queued and due."""
        found = self._db.execute(f"SELECT {_COLUMNS} FROM mails WHERE id=?", (id_,)).fetchone()
        if found is None:
            return None
        where = "" if due is None else f" AND state={QUEUED} AND due <= {due!r}"
        sql = f"SELECT {_RECIPIENT} FROM recipients WHERE mail=?{where} ORDER BY number"
        recipients = [_recipient(row) for row in self._db.execute(sql, (id_,))]
        id_, token, mailbox, sender, created, size, octets, raw = found
        options = msgspec.msgpack.decode(octets, type=Options)
        path = self._path(token) if raw is None else ""
        return Mail(id_, token, mailbox, sender, created, size, options, raw, path, recipients)

    def record(self, mail: int, changed: Iterable[Recipient], added: Sequence[str], now: float) -> float | None:
        """What became of recipients; answers when the mail is due again, None when it is done and gone."""
        sql = (  # what was held meanwhile stays so
            f"UPDATE recipients SET state = CASE WHEN state={HELD} AND ?1={QUEUED} THEN {HELD} ELSE ?1 END,"
            " due=?2, tries=?3, status=?4, text=?5, warned=?6 WHERE mail=?7 AND number=?8"
        )
        values = ((r.state, r.due, r.tries, r.status, r.text, r.warned, mail, r.number) for r in changed)
        self._db.executemany(sql, values)
        if added:
            there = {a for (a,) in self._db.execute("SELECT address FROM recipients WHERE mail=?", (mail,))}
            last = self._one("SELECT max(number) FROM recipients WHERE mail=?", mail)[0]
            self._add_recipients(mail, last + 1, [a for a in added if a not in there], now)
        return self._next(mail, now)

    def _one(self, sql: str, mail: int) -> Any:
        return self._db.execute(sql, (mail,)).fetchone()

    def _next(self, mail: int, now: float) -> float | None:
        sql = f"SELECT count(*), min(CASE state WHEN {QUEUED} THEN due END) FROM recipients WHERE mail=? AND state < 2"
        waiting, due = self._one(sql, mail)
        if not waiting:
            self._remove(mail, now)
            return None
        return float("inf") if due is None else float(due)

    def _remove(self, mail: int, now: float) -> None:
        sql = "DELETE FROM mails WHERE id=? RETURNING token, raw IS NULL"
        gone: list[Any] = self._db.execute(sql, (mail,)).fetchall()
        self._db.execute("DELETE FROM recipients WHERE mail=?", (mail,))
        for token, is_file in gone:
            self._db.execute("INSERT OR REPLACE INTO taken VALUES (?,?)", (token, now))
            if is_file:
                self._doomed.append(self._path(token))

    def forget(self, now: float) -> None:
        """Names of mails that went long ago."""
        self._db.execute("DELETE FROM taken WHERE time < ?", (now - KEPT,))

    def waiting_mails(self) -> list[tuple[float, int]]:
        """(when it is due, id) of every mail that waits for a time."""
        sql = f"SELECT min(due), mail FROM recipients WHERE state={QUEUED} GROUP BY mail ORDER BY mail"
        return [(due, mail) for due, mail in self._db.execute(sql)]

    # ------------------------------------------------------------------------------------------ administration

    def listing(self, limit: int) -> list[dict[str, Any]]:
        """What is in the queue, oldest first, without octets."""
        sql = (
            "SELECT m.id, m.sender, m.created, m.size, count(*),"
            f" sum(r.state={QUEUED}), sum(r.state={HELD}), min(CASE r.state WHEN {QUEUED} THEN r.due END),"
            " max(r.tries),"
            " max(CASE WHEN r.state < 2 THEN r.text END)"
            " FROM mails m JOIN recipients r ON r.mail = m.id GROUP BY m.id ORDER BY m.id LIMIT ?"
        )
        names = ("id", "sender", "created", "size", "recipients", "queued", "held", "due", "tries", "text")
        return [dict(zip(names, row, strict=True)) for row in self._db.execute(sql, (limit,))]

    def ids(self) -> list[int]:
        """All mails."""
        return [id_ for (id_,) in self._db.execute("SELECT id FROM mails ORDER BY id")]

    def hold(self, mail: int) -> bool:
        """Keep what waits until it is released."""
        return self._switch(mail, QUEUED, HELD, 0.0)

    def release(self, mail: int, now: float) -> bool:
        """Let it go on, at once."""
        return self._switch(mail, HELD, QUEUED, now)

    def retry(self, mail: int, now: float) -> bool:
        """Try again now."""
        return self._switch(mail, QUEUED, QUEUED, now)

    def _switch(self, mail: int, before: int, after: int, due: float) -> bool:
        sql = "UPDATE recipients SET state=?, due=? WHERE mail=? AND state=?"
        self._db.execute(sql, (after, due, mail, before))
        return bool(self._db.changes())

    def drop(self, mail: int, now: float) -> bool:
        """Remove a mail; nobody is told."""
        there = self._db.execute("SELECT 1 FROM mails WHERE id=?", (mail,)).fetchone() is not None
        self._remove(mail, now)
        return there


def _recipient(row: Any) -> Recipient:
    number, address, state, due, tries, status, text, warned = row
    return Recipient(number, address, state, due, tries, status, text, bool(warned))


def write_durably(path: str, blocks: Iterable[bytes]) -> None:
    """Write a new file and put it on disk (its name is the caller's matter)."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        for block in blocks:
            view = memoryview(block)
            while view:
                view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def with_crlf(raw: bytes) -> bytes:
    """All line ends as SMTP wants them (RFC 5321 2.3.8)."""
    if raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r"):
        return raw
    return _BARE.sub(b"\r\n", raw)


def _token(name: str) -> bytes:
    try:
        return bytes.fromhex(name)
    except ValueError:
        return b""
