"""Reading the fat part of messages: property bags, recipients, bodies, attachments, big values, RFC 5322 forms.

A `Data` reads what it is asked for and no more: listing the properties of 1,000 messages must not touch their contents,
and opening one message is four statements.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic
from typing import Any, Final, NamedTuple, cast

import apsw

from gromoxd.convert import unfold
from gromoxd.convert.attachments import EMBEDDED_MESSAGE
from gromoxd.convert.item import Item
from gromoxd.convert.mailreader import read_mail
from gromoxd.convert.mime import Octets, Part, decode_parts, scan
from gromoxd.convert.partitem import MARK, part_values, split_path
from gromoxd.convert.structure import item_of_part
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.objects import BIG
from gromoxd.mapi.bag import Bag, decode_bag, decode_bags, encode_bag, encode_bags
from gromoxd.mapi.proptags import (
    PROP_COMPOSED,
    PROP_PART_ITEM,
    PROP_PART_PATH,
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachMethod,
)
from store.access import Access
from store.content import FILE, ContentReader
from store.mapi import partitems
from store.mapi.identity import Identity
from store.mapi.reading import Reading
from store.sql import row, rows
from store.transaction import Transaction

MAX_DEPTH: Final = unfold.MAX_DEPTH
AF_OLE: Final = 6
FULL: Final = (
    "SELECT d.cid, d.props, d.recipients, d.parts, c.head, c.kind, c.hash, c.size, c.body,"
    " (SELECT source_key FROM source_keys WHERE id=?2), (SELECT source_key FROM source_keys WHERE id=?3)"
    " FROM message_data d LEFT JOIN content c ON c.cid = d.cid WHERE d.did=?1"
)
SLIM: Final = "SELECT cid, props FROM message_data WHERE did=?"
_REST: Final = (
    "SELECT d.recipients, d.parts, c.head, c.kind, c.hash, c.size, c.body"
    " FROM message_data d LEFT JOIN content c ON c.cid = d.cid WHERE d.did=?"
)
_ATTACHMENTS: Final = (
    "SELECT num, props, (SELECT child FROM embedded e WHERE e.did = a.did AND e.num = a.num)"
    " FROM attachments a WHERE did=? ORDER BY num"
)
_BIG: Final = "SELECT part, tag, size FROM big_values WHERE did=?"
_BIG_VALUE: Final = (
    "SELECT c.kind, c.hash, c.size, c.body FROM big_values b JOIN content c ON c.cid = b.cid"
    " WHERE b.did=? AND b.part=? AND b.tag=?"
)


class Env(NamedTuple):
    """What messages are read with: by a read call, or by the writer as the running transaction has them."""

    db: apsw.Connection
    content: ContentReader
    identity: Identity
    keywords: list[list[str]]
    access: Access

    @classmethod
    def of(cls, by: Reading | Transaction) -> Env:
        if isinstance(by, Reading):
            box = by.box
            return cls(by.reader.db, by.reader.content, box.identity, box.keyword_sets, by.access)
        return cls(by.db, ContentReader(by.content.folder), by.identity, by.state.keywords.sets, by.access)


class Attached(NamedTuple):
    """An attachment as it is stored. `child`: the data row of the message embedded in it, 0 for none."""

    num: int
    bag: Bag
    child: int

    @property
    def path(self) -> str | None:
        """The section number of its part in the RFC 5322 form, None when its octets are properties."""
        path = self.bag.get(PROP_PART_PATH)
        return path if isinstance(path, str) else None

    @property
    def embedded(self) -> bool:
        """Whether it is a message that can be opened."""
        return bool(self.child) or (self.path is not None and self.bag.get(PidTagAttachMethod) == EMBEDDED_MESSAGE)


def data_tag(bag: Bag) -> int:
    """The property that an attachment's octets are ([MS-OXCMSG] 2.2.2.7, 2.2.2.8): of an OLE object an object."""
    return PidTagAttachDataObject if bag.get(PidTagAttachMethod) == AF_OLE else PidTagAttachDataBinary


class _Stretch:
    """The octets of a message whose body is in a file, read as they are sliced."""

    def __init__(self, content: ContentReader, head: bytes, stored: tuple[Any, ...]) -> None:
        self._content = content
        self._head = head
        self._stored = stored

    def __getitem__(self, which: slice) -> bytes:
        start, stop = which.start or 0, which.stop
        head = len(self._head)
        octets = self._head[start:stop]
        if stop > head:
            first = max(0, start - head)
            kind, digest, size, body = self._stored
            octets += self._content.part(kind, digest, size, body, first, stop - head - first)
        return octets


class Data:
    """A row of `message_data`, read as far as somebody asks."""

    __slots__ = ("_attached", "_bag", "_big", "_items", "_memory", "_part_values", "_props", "_recipients", "cid",
                 "did", "env", "head", "item", "keys", "raw", "raw_parts", "root", "stored")  # fmt: skip

    def __init__(self, env: Env, did: int) -> None:
        self.env = env
        self.did = did
        self.cid = 0
        self.keys: tuple[bytes | None, bytes | None] | None = None
        """The foreign source keys of the message and its folder, when they were read along."""
        self._props = b""
        self._bag: Bag | None = None
        self._recipients: bytes | None = None
        self.raw_parts = b""
        self.root: Part | None = None
        self.head = b""
        self.stored: tuple[Any, ...] = ()
        self.raw: Octets | None = None
        self._attached: list[Attached] | None = None
        self._big: list[tuple[int, int, int]] | None = None
        self._part_values: dict[int, int] | None = None
        self._memory: dict[tuple[int, int], bytes] = {}
        """Big values of a message that is in no row, by part and tag."""
        self._items: dict[str, Item | None] = {}
        """Those of parts of a message that is in no row."""
        self.item: Item | None = None
        """The item that it is, where it is one embedded in another."""

    @classmethod
    def full(cls, env: Env, did: int, mid: int = 0, fid: int = 0) -> Data:
        """With everything but attachments, in one statement. ecNotFound."""
        data = cls(env, did)
        found = row(env.db, FULL, (did, mid, fid))
        if found is None:
            raise MapiError(Ec.ecNotFound, f"data {did}")
        data.cid, data._props, data._recipients, data.raw_parts, head, *stored, own, folder = found
        data.head, data.stored, data.keys = head or b"", tuple(stored), (own, folder)
        return data

    @classmethod
    def slim(cls, env: Env, did: int) -> Data:
        """With the bag alone. ecNotFound."""
        data = cls(env, did)
        found = row(env.db, SLIM, (did,))
        if found is None:
            raise MapiError(Ec.ecNotFound, f"data {did}")
        data.cid, data._props = found
        return data

    @classmethod
    def known(cls, env: Env, did: int, cid: int, props: bytes) -> Data:
        """With what somebody has read already."""
        data = cls(env, did)
        data.cid, data._props = cid, props
        return data

    def fill(
        self, rest: tuple[Any, ...], attached: list[Attached] | None, big: list[tuple[int, int, int]],
        keys: tuple[bytes | None, bytes | None],
    ) -> None:  # fmt: skip
        """Take what somebody read of many messages at once; `rest` are the columns of `_REST`."""
        self._recipients, self.raw_parts, head, *stored = rest
        self.head, self.stored = head or b"", tuple(stored)
        self._attached, self._big, self.keys = attached, big, keys

    @classmethod
    def of_mail(cls, env: Env, raw: bytes, received: int) -> Data:
        """A message that is in nothing but these octets: one embedded in a delivered message."""
        data = cls(env, 0)
        mail = read_mail(raw, received)
        ids = partitems.known_ids(env.db, mail.names)
        data.cid, data._bag = -1, partitems.renumbered(mail.bag, ids) if ids else mail.bag
        data._props, data._recipients = encode_bag(data._bag), encode_bags(mail.recipients)
        data.head, data.raw, data.root = raw[: mail.body], raw, mail.root
        data._attached = [Attached(num, bag, 0) for num, bag in enumerate(mail.attachments)]
        data._big = []
        return data

    @classmethod
    def of_item(cls, env: Env, item: Item) -> Data:
        """A message embedded in the item that a part of a delivered message is."""
        data = cls(env, 0)
        data.item, data.root, data._big = item, scan(b""), []
        ids = partitems.known_ids(env.db, item.names)
        data._bag = data._remembered(0, partitems.renumbered(item.props, ids))
        data._props, data._recipients = encode_bag(data._bag), encode_bags(item.recipients)
        data._attached = []
        for num, one in enumerate(item.attachments):
            bag = partitems.renumbered(one.props, ids)
            if one.embedded is not None:
                bag |= {PROP_PART_PATH: f"{MARK}{num}", PidTagAttachMethod: EMBEDDED_MESSAGE}
            else:
                bag[data_tag(bag)] = one.data
            data._attached.append(Attached(num, data._remembered(num + 1, bag), 0))
        return data

    def _remembered(self, part: int, bag: Bag) -> Bag:
        """A bag without its big values, which are put aside."""
        for tag, value in bag.items():
            octets = value.encode("utf-16-le", "surrogatepass") if isinstance(value, str) else value
            if isinstance(octets, bytes) and len(octets) > BIG:
                self._memory[part, tag] = octets
        return {tag: value for tag, value in bag.items() if (part, tag) not in self._memory}

    # ------------------------------------------------------------------------------------------ what there is

    @property
    def bag(self) -> Bag:
        """The stored properties; internal ones too. Do not change."""
        bag = self._bag
        if bag is None:
            bag = self._bag = decode_bag(self._props)
        return bag

    @property
    def weight(self) -> int:
        """About how many octets it is, without what was not read."""
        return len(self._props) + len(self._recipients or b"")

    @property
    def referring(self) -> bool:
        """Whether bodies and attachments are in the RFC 5322 form: it was delivered, not made of properties."""
        return self.cid != 0 and PROP_COMPOSED not in self.bag

    def _read_rest(self) -> None:
        if self._recipients is None:
            found = row(self.env.db, _REST, (self.did,))
            if found is None:
                raise MapiError(Ec.ecNotFound, f"data {self.did}")
            self._recipients, self.raw_parts, head, *stored = found
            self.head, self.stored = head or b"", tuple(stored)

    @property
    def recipients(self) -> list[Bag]:
        """One bag each, in order."""
        self._read_rest()
        return decode_bags(self._recipients or b"\x90")

    @property
    def parts(self) -> Part:
        """The MIME tree of the RFC 5322 form."""
        if self.root is None:
            self._read_rest()
            self.root = decode_parts(self.raw_parts)
        return self.root

    @property
    def header(self) -> bytes:
        """The header of the RFC 5322 form, b'' when there is none."""
        self._read_rest()
        return self.head

    @property
    def octets(self) -> Octets:
        """The RFC 5322 form: whole, or (a large one) something that reads what is sliced out of it. ecNotFound."""
        if self.raw is None:
            self._read_rest()
            if not self.stored or self.stored[0] is None:
                raise MapiError(Ec.ecNotFound, f"content of data {self.did}")
            if self.in_memory:
                self.raw = self.head + self.env.content.body(*self.stored)
            else:
                self.raw = cast(bytes, _Stretch(self.env.content, self.head, self.stored))
        return self.raw

    @property
    def in_memory(self) -> bool:
        """Whether the RFC 5322 form costs nothing more to read."""
        return isinstance(self.raw, bytes) or (bool(self.stored) and self.stored[0] != FILE)

    # ------------------------------------------------------------------------------------------ big values

    def big(self, part: int = 0) -> dict[int, int]:
        """tag -> octets of the big values of the message (part 0) or of attachment part - 1."""
        if self._big is None:
            self._big = rows(self.env.db, _BIG, (self.did,))
        found = {tag: size for owner, tag, size in self._big if owner == part} if self._big else {}
        if self._memory:
            found |= {tag: len(octets) for (owner, tag), octets in self._memory.items() if owner == part}
        if part == 0 and self.part_values:
            found |= {tag: size for tag, size in self.part_values.items() if size > BIG and tag not in found}
        return found

    @property
    def part_values(self) -> dict[int, int]:
        """tag -> octets of what is read out of the part whose item the message also is."""
        if self._part_values is None:
            self._part_values = part_values(self.bag) if PROP_PART_ITEM in self.bag else {}
        return self._part_values

    def part_value(self, tag: int) -> Any:
        """Such a value, None when the part does not have it after all."""
        path = self.bag.get(PROP_PART_ITEM)
        item = self.item_of(path) if isinstance(path, str) else None
        return item.props.get(tag) if item is not None else None

    def item_of(self, section: str) -> Item | None:
        """The item that a part of the RFC 5322 form is."""
        try:
            if self.did:
                return partitems.ITEMS.get(
                    (self.env.identity.guid, self.cid, section), lambda: item_of_part(self.octets, self.parts, section)
                )
            if section not in self._items:
                self._items[section] = item_of_part(self.octets, self.parts, section)
            return self._items[section]
        except FileNotFoundError as error:
            raise MapiError(Ec.ecNotFound, f"content of data {self.did}") from error

    def big_value(self, part: int, tag: int, offset: int = 0, length: int | None = None) -> bytes:
        """Octets of a big value. ecNotFound."""
        octets = self._memory.get((part, tag))
        if octets is None and part == 0 and tag in self.part_values:
            value = self.part_value(tag)
            octets = value.encode("utf-16-le", "surrogatepass") if isinstance(value, str) else value
        if isinstance(octets, bytes):
            return octets[offset : None if length is None else offset + length]
        found = row(self.env.db, _BIG_VALUE, (self.did, part, tag))
        if found is None:
            raise MapiError(Ec.ecNotFound, f"property {tag:#010x}")
        try:
            kind, digest, size, body = found
            if length is None:
                return self.env.content.body(kind, digest, size, body)
            return self.env.content.part(kind, digest, size, body, offset, length)
        except FileNotFoundError as error:
            raise MapiError(Ec.ecNotFound, f"property {tag:#010x}") from error

    # ------------------------------------------------------------------------------------------ attachments

    @property
    def attached(self) -> Sequence[Attached]:
        """The attachments by number."""
        if self._attached is None:
            found = rows(self.env.db, _ATTACHMENTS, (self.did,))
            self._attached = [Attached(num, decode_bag(props), child or 0) for num, props, child in found]
        return self._attached

    def attachment(self, num: int) -> Attached:
        """ecNotFound."""
        for one in self.attached:
            if one.num == num:
                return one
        raise MapiError(Ec.ecNotFound, f"attachment {num}")

    def part_octets(self, path: str) -> bytes:
        """The octets of an attachment that is a part of the RFC 5322 form."""
        try:
            if self.did:
                return DECODED.get(self.part_key(path), lambda: self._part_octets(path))
            return self._part_octets(path)
        except FileNotFoundError as error:
            raise MapiError(Ec.ecNotFound, f"content of data {self.did}") from error

    def part_key(self, path: str) -> tuple[bytes, int, str]:
        """What `DECODED` knows such a part by: a content never changes."""
        return self.env.identity.guid, self.cid, path

    def _part_octets(self, path: str) -> bytes:
        section, number = split_path(path)
        if number is not None:
            one = unfold.attachment_of_item(self.item_of(section), number)
            return one.data if one is not None else b""
        return unfold.attachment_octets(self.octets, self.parts, path)

    def embedded(self, num: int, received: int) -> Data:
        """The message that an attachment is. ecNotFound."""
        one = self.attachment(num)
        if one.child:
            return Data.full(self.env, one.child)
        if not one.embedded or one.path is None:
            raise MapiError(Ec.ecNotFound, f"embedded message {num}")
        section, number = split_path(one.path)
        if number is not None:
            inner = unfold.attachment_of_item(self.item if self.item is not None else self.item_of(section), number)
            if inner is None or inner.embedded is None:
                raise MapiError(Ec.ecNotFound, f"embedded message {num}")
            return Data.of_item(self.env, inner.embedded)
        return Data.of_mail(self.env, self.part_octets(one.path), received)


class Decoded:
    """Large decoded parts of messages that somebody is reading piece by piece; the latest ones, up to a limit."""

    SMALLEST, LIMIT, SECONDS = 256 << 10, 32 << 20, 60

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kept: OrderedDict[tuple[bytes, int, str], tuple[bytes, float]] = OrderedDict()
        """Key -> octets and when they were last asked for, in that order."""
        self.size = 0

    def get(self, key: tuple[bytes, int, str], make: Callable[[], bytes]) -> bytes:
        """A part, decoded now unless it is here."""
        with self._lock:
            found = self._kept.get(key)
        octets = make() if found is None else found[0]
        if self.SMALLEST <= len(octets) <= self.LIMIT:
            with self._lock:
                self._forget(key)
                now = self._clock()
                self._kept[key] = (octets, now)
                self.size += len(octets)
                while self.size > self.LIMIT or next(iter(self._kept.values()))[1] < now - self.SECONDS:
                    self._forget(next(iter(self._kept)))
        return octets

    def _forget(self, key: tuple[bytes, int, str]) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self.size -= len(found[0])

    def drop(self, key: tuple[bytes, int, str]) -> None:
        """Its reader has come to the end."""
        with self._lock:
            self._forget(key)

    def __contains__(self, key: object) -> bool:
        return key in self._kept


DECODED: Final = Decoded()
