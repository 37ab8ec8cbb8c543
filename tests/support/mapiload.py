"""MAPI writers for `tests.support.load`: they work on a mailbox by exmdb RPC while processes die, and keep account.

Each has two folders that nobody else writes to, so that what must be there in the end is known exactly. The exmdb
client repeats what was not answered, under the same request id; nothing may be lost by that, and nothing be done twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from gromoxd.errors import MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import upkeepcalls
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.client import Client as Exmdb
from gromoxd.exmdb.settings import ExmdbSettings
from gromoxd.exmdb.working import Account, WorkingMessage
from gromoxd.mapi.flags import OpenModeFlags
from gromoxd.mapi.ids import Xid, pcl_encode
from gromoxd.mapi.proptags import PidTagAttachDataBinary, PidTagBody, PidTagMessageFlags, PidTagSubject
from tests.support.load import Client, Load
from tests.support.server import Server

REPLICA = b"another replica!"
BY_FILE = 300_000
"""Octets of an attachment that is kept in a file of its own."""


@dataclass(frozen=True)
class Expected:
    """A message as it was acknowledged."""

    fid: int
    subject: str
    body: str
    read: bool
    attached: str = ""
    source_key: bytes = b""


def shards(server: Server) -> int:
    """How many store workers there are."""
    return sum(slot["protocol"] == "store" for slot in server.status())


class MapiWriter(Client):
    """Saves, changes, imports, marks, moves and deletes messages. `longest`: seconds that one step took at most."""

    def __init__(self, load: Load, name: str, user: str) -> None:
        super().__init__(load, name, user)
        self.expected: dict[int, Expected] = {}
        self.soft: dict[int, Expected] = {}
        self.gone: set[int] = set()
        self.steps: Counter[str] = Counter()
        self.longest = 0.0
        self.longest_step = ""
        self.fids: tuple[int, int] = (0, 0)
        self._random = random.Random(name)
        self._number = 0
        self._maildir = json.loads(self.server.ctl("mailbox", "info", user, "--json"))["maildir"]
        self._shards = shards(self.server)

    @property
    def folders(self) -> tuple[str, str]:
        """The paths of its folders."""
        return f"mapi-{self.name}", f"mapi-{self.name}-moved"

    def account(self, actor: str = "") -> Account:
        """The mailbox, by a connection of the calling thread's own."""
        if self.connection is None:
            routes = SimpleNamespace(host_of=lambda maildir: "")
            self.connection = Exmdb(str(self.server.site / "run"), None, self._shards, routes, ExmdbSettings())
        return Account(self.connection, MailboxRef(self._maildir), actor or self.user)

    def drop(self) -> None:
        """See Client."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def step(self) -> None:
        """One operation. The client repeats it until it is answered; every failure is one of the test."""
        account = self.account()
        if not self.fids[0]:
            first, second = (account.call(c.CreateFolder(path, request_id=self._id())).fid for path in self.folders)
            self.fids = first, second
        kinds = ["save"] if len(self.expected) < 5 else ["save", "change", "read", "delete", "move", "again"]
        kind = self._random.choice([*kinds, "import"])
        begun = time.monotonic()
        getattr(self, "do_" + kind)(account)
        took = time.monotonic() - begun
        if took > self.longest:
            self.longest, self.longest_step = took, kind
        self.steps[kind] += 1
        time.sleep(0.005)

    def _id(self) -> bytes:
        return self._random.randbytes(16)

    def _pick(self) -> tuple[int, Expected]:
        mid = self._random.choice(sorted(self.expected))
        return mid, self.expected[mid]

    def _new(self, fid: int, source_key: bytes = b"") -> Expected:
        self._number += 1
        name = f"{self.name}-{self._number}"
        return Expected(fid, name, f"body of {name}", self._random.random() < 0.5, source_key=source_key)

    def _fill(self, message: WorkingMessage, wanted: Expected) -> None:
        flags = 0x1 if wanted.read else 0
        assert not message.set({PidTagSubject: wanted.subject, PidTagBody: wanted.body, PidTagMessageFlags: flags})

    def do_save(self, account: Account) -> None:
        """A new message, now and then with an attachment that goes through the spool."""
        wanted = self._new(self.fids[0])
        message = WorkingMessage.create(account, wanted.fid)
        self._fill(message, wanted)
        if self._random.random() < 0.2:
            data = self._random.randbytes(self._random.choice((3_000, 100_000, BY_FILE)))
            attachment = message.create_attachment()
            attachment.set({PidTagAttachDataBinary: data})
            attachment.save()
            wanted = replace(wanted, attached=hashlib.sha256(data).hexdigest())
        mid = message.save().mid
        assert mid not in self.expected
        self.expected[mid] = wanted
        message.discard()

    def do_change(self, account: Account) -> None:
        """Another subject and body."""
        mid, had = self._pick()
        new = self._new(had.fid)
        message = WorkingMessage.open(account, mid)
        assert message.get(PidTagSubject) == had.subject
        assert not message.set({PidTagSubject: new.subject, PidTagBody: new.body})
        message.save()
        self.expected[mid] = replace(had, subject=new.subject, body=new.body)
        message.discard()

    def do_read(self, account: Account) -> None:
        """Read or unread."""
        mid, had = self._pick()
        account.call(o.SetReadState(had.fid, [mid], not had.read))
        self.expected[mid] = replace(had, read=not had.read)

    def do_delete(self, account: Account) -> None:
        """Soft or hard."""
        mid, had = self._pick()
        hard = self._random.random() < 0.5
        account.call(o.DeleteMessages(had.fid, [mid], hard, self._id()))
        del self.expected[mid]
        if hard:
            self.gone.add(mid)
        else:
            self.soft[mid] = had

    def do_move(self, account: Account) -> None:
        """To the other folder."""
        mid, had = self._pick()
        destination = self.fids[1] if had.fid == self.fids[0] else self.fids[0]
        moved = account.call(o.TransferMessages(had.fid, [mid], destination, True, self._id()))
        assert [old for old, _ in moved.pairs] == [mid]
        self.expected[moved.pairs[0][1]] = replace(
            self.expected.pop(mid), fid=destination, source_key=b""
        )  # a moved message is another one for synchronisation

    def do_import(self, account: Account) -> None:
        """A message that synchronisation brings along."""
        key = REPLICA + self._random.randbytes(6)
        wanted = self._new(self.fids[0], key)
        self.expected[self._import(account, wanted, 1)] = wanted

    def do_again(self, account: Account) -> None:
        """A new version of such a message, if there is one that was not changed here."""
        of_others = [(mid, had) for mid, had in self.expected.items() if had.source_key and had.fid == self.fids[0]]
        if not of_others:
            return
        mid, had = self._random.choice(of_others)
        new = self._new(had.fid)
        wanted = replace(had, subject=new.subject, body=new.body)
        found = account.call(o.OpenMessage(mid, what=o.PROPS, tags=[0x65E30102]))
        pcl = bytes(found.props[0x65E30102])
        newest = self._number + 10
        merged = pcl_of(pcl) | {REPLICA: newest.to_bytes(6, "big")}
        assert self._import(account, wanted, newest, pcl_encode(merged)) == mid
        self.expected[mid] = wanted

    def _import(self, account: Account, wanted: Expected, version: int, pcl: bytes = b"") -> int:
        change = Xid(REPLICA, version.to_bytes(6, "big")).encode()
        imported = o.Imported(
            wanted.source_key, change, pcl or bytes((len(change),)) + change, 133_000_000_000_000_000 + version
        )  # fmt: skip
        message = WorkingMessage.create(account, wanted.fid, imported=imported)
        self._fill(message, wanted)
        saved = message.save()
        assert not saved.conflict and not saved.ignored, saved
        message.discard()
        return saved.mid

    # ------------------------------------------------------------------------------------------ afterwards

    def check(self) -> None:
        """Everything acknowledged is there exactly once, as MAPI and as IMAP see it, and nothing else is."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.drop)
            account = self.account()
            for mid, wanted in self.expected.items():
                check_message(WorkingMessage.open(account, mid), wanted)
            for mid, wanted in self.soft.items():
                check_message(
                    WorkingMessage.open(account, mid, OpenModeFlags.BestAccess | OpenModeFlags.OpenSoftDeleted), wanted
                )
            for mid in self.gone:
                with contextlib.suppress(MapiError):
                    WorkingMessage.open(account, mid, OpenModeFlags.OpenSoftDeleted)
                    raise AssertionError(f"{self.name}: deleted message {mid:#x} is there")
        for fid, path in zip(self.fids, self.folders, strict=True):
            seen = Counter(imap_view(self.server, self.user, path))
            wanted_ = Counter((one.subject, one.body, one.read) for one in self.expected.values() if one.fid == fid)
            lost, more = wanted_ - seen, seen - wanted_
            assert not lost, f"{self.name} {path}: IMAP does not see {list(lost)[:5]}"
            assert not more, f"{self.name} {path}: IMAP sees more: {list(more.items())[:5]}"

    def check_mailbox(self) -> None:
        """No fault of any kind in the mailbox."""
        account = self.account(SYSTEM)
        try:
            for kind, about in upkeepcalls.KINDS.items():
                found = account.call(upkeepcalls.CheckMailbox(kind))
                assert not found.count, f"{self.user}: {about.line}: {found.faults[:5]}"
        finally:
            self.drop()


def check_message(message: WorkingMessage, wanted: Expected) -> None:
    """A message is what was acknowledged."""
    seen = Expected(
        message.fid, str(message.get(PidTagSubject)), str(message.get(PidTagBody)).rstrip(),
        bool(message.get(PidTagMessageFlags) & 0x1), "", wanted.source_key,  # type: ignore[operator]
    )  # fmt: skip
    for num in message.attachments:
        data = message.open_attachment(num).get(PidTagAttachDataBinary)
        seen = replace(seen, attached=seen.attached + hashlib.sha256(data).hexdigest())  # type: ignore[arg-type]
    assert seen == wanted


def pcl_of(data: bytes) -> dict[bytes, bytes]:
    """A predecessor change list as namespace -> id ([MS-OXCFXICS] 2.2.2.3)."""
    found: dict[bytes, bytes] = {}
    while data:
        size = data[0]
        found[data[1:17]] = data[17 : 1 + size]
        data = data[1 + size :]
    return found


def imap_view(server: Server, user: str, path: str) -> list[tuple[str, str, bool]]:
    """(subject, first line of the text, whether it is \\Seen) of all messages of a folder."""
    seen: list[tuple[str, str, bool]] = []
    with server.imap(user, timeout=60) as client:
        kind, data = client.select(path, readonly=True)
        assert kind == "OK", data
        if not int(data[0]):
            return seen
        _, parts = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])")
    row: list[Any] = []
    for part in parts:
        if isinstance(part, tuple):
            row.append(part)
        elif row:
            head = next(data for about, data in row if b"HEADER" in about).decode()
            text = next(data for about, data in row if b"BODY[TEXT]" in about).decode()
            body = next(line for line in text.split("\r\n") if line.startswith("body of "))
            flags = b"".join(about for about, _ in row) + part
            seen.append((head.partition(":")[2].strip(), body.rstrip(), b"\\Seen" in flags))
            row = []
    return seen
