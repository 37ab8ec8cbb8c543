"""The mailbox that a migration fills: messages written several at a time, each with where it came from.

The source is a named property (`SOURCE`), written in the same transaction as the message: nothing can be there without
it, and it is all that a repeated migration needs to find what it brought before.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar, cast

import gevent
import msgspec
from gevent.pool import Pool

from gromoxd.cli.migration.outcome import Outcome, Stopped
from gromoxd.cli.stores import Store
from gromoxd.cli.transfer.target import KEY, pages
from gromoxd.convert.digest import digest_message
from gromoxd.convert.item import Item
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.calls import Call, Event
from gromoxd.exmdb.names import GetPropertyIds, MakePropertyIds, Name
from gromoxd.exmdb.objects import Bag
from gromoxd.exmdb.pages import SYSTEM_MASK, Page
from gromoxd.exmdb.working import Account
from gromoxd.exmdb.working.items import NameIds, save_item
from gromoxd.mapi.bag import decode_bag, encode_bag
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.named import FIRST_OWN, PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.proptags import PidTagMessageClass, PidTagMid

SOURCE: Final = PropertyName(PS_PUBLIC_STRINGS, "migration-source")
BINARY: Final = 0x0102
AT_ONCE: Final = 16
"""Messages on their way to the store: enough that it commits many at a time."""
INLINE: Final = 256 << 10
"""Octets of a mail that go with the call; of more, a file goes."""
ALONE: Final = 4 << 20
"""Octets of a message for whose end the next one waits."""
LATEST: Final = 0xFFFFFFFF
DEADLINE: Final = 600.0
READ_AT_ONCE: Final = 1000
FATAL: Final = frozenset(
    (Ec.ecQuotaExceeded, Ec.ecStorageFull, Ec.ecNetwork, Ec.ecTimeout, Ec.ecUnknownUser, Ec.ecWrongServer, Ec.ecBusy)
)
"""What no other message would fare better with."""
R = TypeVar("R")


class Known(NamedTuple):
    """A message that is there. `uid` 0: an associated one."""

    fid: int
    mid: int
    uid: int
    flags: int
    keywords: tuple[str, ...]


class Seen(NamedTuple):
    """A message of a folder with the properties that were asked for."""

    known: Known
    size: int
    props: Bag


class Patient:
    """The store's client as an `api.Exmdb` with a deadline for what takes long."""

    def __init__(self, store: Store) -> None:
        self._client = store.stores.client

    def call(
        self, mailbox: MailboxRef, call: Call[R], *, actor: str, spool: BinaryIO | None = None,
        deadline: float = DEADLINE,
    ) -> R:  # fmt: skip
        """See `api.Exmdb`."""
        return self._client.call(mailbox, call, actor=actor, spool=spool, deadline=deadline)

    def published(self, mailbox: MailboxRef, key: bytes) -> bytes | None:
        """See `api.Exmdb`."""
        return self._client.published(mailbox, key)

    def watch(self, mailbox: MailboxRef, actor: str, notify: Callable[[Event], None]) -> Callable[[], None]:
        """See `api.Exmdb`."""
        return self._client.watch(mailbox, actor, notify)


class Destination:
    """One mailbox. What is given to `start` runs beside the caller; `wait` and `Stopped` end it."""

    def __init__(self, store: Store, outcome: Outcome, *, dry: bool = False) -> None:
        self.store, self.outcome, self.dry = store, outcome, dry
        self.account = Account(Patient(store), store.where, SYSTEM)
        self.names = NameIds(self.account)
        wanted = [Name(name.guid, -1, str(name.key)) for name in (SOURCE, KEY)]
        ids = self.account.call(GetPropertyIds(wanted) if dry else MakePropertyIds(wanted))
        self.source_tag, self.key_tag = [number << 16 | BINARY if number else 0 for number in ids]
        """Of SOURCE and of an import's KEY; 0 in a dry run of a mailbox that knows no such property."""
        self.folders = store.folders()
        self._pool = Pool(AT_ONCE)
        self._stop: MapiError | None = None

    def call(self, call: Call[R], **more: Any) -> R:
        """One call of the mailbox."""
        return self.account.call(call, **more)

    # ------------------------------------------------------------------------------------------ many at a time

    def start(self, where: str, work: Callable[[], None], octets: int = 0) -> None:
        """Do something beside the caller; what goes wrong is told. Stopped when nothing more can be done."""
        self._check()
        if octets > ALONE:
            self._pool.join()
        self._pool.spawn(self._run, where, work)
        if octets > ALONE:
            self._pool.join()
        else:
            gevent.sleep(0)
        self._check()

    def wait(self) -> None:
        """Until all that was started is done. Stopped as `start`."""
        self._pool.join()
        self._check()

    def _run(self, where: str, work: Callable[[], None]) -> None:
        try:
            work()
        except MapiError as error:
            if error.code in FATAL:
                self._stop = self._stop or error
            self.outcome.fail(where, error.text or str(error))

    def _check(self) -> None:
        if self._stop is not None:
            self._pool.kill()
            raise Stopped(self._stop.text or str(self._stop)) from self._stop

    # ------------------------------------------------------------------------------------------ what is there

    def contents(self, fid: int, *tags: int) -> Iterator[Seen]:
        """The messages of a folder but the associated ones, with some properties."""
        sets = self.call(c.GetKeywordSets(0)).sets
        asked = [tag for tag in (self.source_tag, *tags) if tag]
        for page in pages(self.store, fid):
            places = {mid: at for at, mid in enumerate(page.mids)}
            for message in self._read(list(page.mids), asked):
                at = places[message.mid]
                yield Seen(_known(fid, page, at, sets), page.sizes[at], message.props)

    def _read(self, mids: list[int], tags: list[int]) -> Iterator[o.Message]:
        while mids:
            found = self.call(o.ReadMessages(mids[:READ_AT_ONCE], o.PROPS, tags))
            yield from found
            mids = mids[mids.index(found[-1].mid) + 1 :] if found else mids[READ_AT_ONCE:]

    def associated(self, fid: int, *tags: int) -> Iterator[Seen]:
        """The associated (FAI) messages of a folder."""
        columns = [tag for tag in (PidTagMid, self.source_tag, *tags) if tag]
        table, position = t.Table(t.CONTENTS, fid, t.ASSOCIATED), 0
        while True:
            found = self.call(t.QueryRows(table, columns, position, READ_AT_ONCE))
            for row in found.rows:
                mid = eid_split(row[0])[1]
                props = {tag: value for tag, value in zip(columns, row, strict=True) if value is not None}
                yield Seen(Known(fid, mid, 0, 0, ()), 0, props)
            position += len(found.rows)
            if not found.rows or position >= found.total:
                break

    # ------------------------------------------------------------------------------------------ writing

    def append(
        self, fid: int, raw: bytes | BinaryIO, source: bytes, *, received: int, flags: int = 0,
        keywords: tuple[str, ...] = (), extra: Item | None = None,
    ) -> c.Stored:  # fmt: skip
        """Store a mail with its octets. `extra`: properties that it has beside those that follow from the octets."""
        received = min(max(received, 0), LATEST)
        key = blake2b(digest_size=16, person=b"mail")
        if isinstance(raw, bytes):
            key.update(raw)
            digest = digest_message(raw, received=received)
        else:
            raw.flush()
            with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as octets:
                key.update(octets)
                digest = digest_message(octets, received=received)
        mine = extra or Item()
        mine.props[mine.foreign_id(SOURCE) << 16 | BINARY] = source
        mine.props[mine.foreign_id(KEY) << 16 | BINARY] = key.digest()
        digest = _with(digest, mine)
        inline = raw if isinstance(raw, bytes) else b""
        call = c.Append(
            fid, c.NewMessage(digest, inline, received, flags, list(keywords)), os.urandom(16)
        )  # fmt: skip
        return self.call(call) if inline else self.call(call, spool=cast(BinaryIO, raw))

    def save(
        self, fid: int, item: Item, source: bytes, *, read: bool | None = None, associated: bool = False
    ) -> o.Saved:
        """Store an item."""
        item.props[item.foreign_id(SOURCE) << 16 | BINARY] = source
        return save_item(self.account, fid, item, names=self.names, read=read, associated=associated)

    def change(self, known: Known, props: Bag, without: list[int] | None = None) -> None:
        """Set and delete properties of a message, marks and SOURCE among them; its octets stay."""
        changes = o.Changes(props, without or [])
        call = o.SaveMessage(
            known.fid, known.mid, 0, changes, os.urandom(16), force=True, associated=not known.uid
        )  # fmt: skip
        self.call(call)

    def delete(self, known: Known, *, hard: bool = False) -> None:
        """Delete a message; it can be recovered unless `hard`."""
        self.call(o.DeleteMessages(known.fid, [known.mid], hard, os.urandom(16)))


def _known(fid: int, page: Page, at: int, sets: list[list[str]]) -> Known:
    word = page.flags[at]
    number = word >> 8
    words = tuple(sets[number]) if number < len(sets) else ()
    return Known(fid, page.mids[at], page.uids[at], word & SYSTEM_MASK, words)


def _with(digest: c.Digest, item: Item) -> c.Digest:
    """A digest with an item's properties in it, under ids that its own names do not have."""
    number = max((one for one, _, _ in digest.names), default=FIRST_OWN - 1) + 1
    renumbered = {old: number + at for at, old in enumerate(item.names)}
    bag = decode_bag(digest.props)
    for tag, value in item.props.items():
        bag[renumbered.get(tag >> 16, tag >> 16) << 16 | tag & 0xFFFF] = value
    names = [*digest.names, *[(renumbered[old], name.guid, name.key) for old, name in item.names.items()]]
    kind = item.props.get(PidTagMessageClass)
    return msgspec.structs.replace(
        digest, props=encode_bag(bag), names=names,
        message_class=kind if isinstance(kind, str) and kind else digest.message_class,
    )  # fmt: skip
