"""Builds the snapshot file from the directory.

    python -m gromoxd.addressbook.build SITE < SETTINGS

is what the relay worker runs, as a process of low priority whose memory is gone afterwards. It ends at once when the
directory has not changed, and is one of its kind per site at any time. The settings come by standard input, for there
is a password among them.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
import time
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from struct import Struct
from typing import Final

import mmh3
import msgspec
from sqlalchemy import Connection

from gromoxd.addressbook import layout, source
from gromoxd.addressbook.entry import (
    BookMeta,
    Collection,
    ContainerMeta,
    DomainMeta,
    Entry,
    Hidden,
    Kind,
    Meta,
    container_mid,
    mid_of,
)
from gromoxd.addressbook.words import entry_words
from gromoxd.directory.database import Database
from gromoxd.directory.model import ListType
from gromoxd.directory.settings import DatabaseSettings
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.compare import fold
from gromoxd.mapi.types import PropValue

LOCK_WAIT: Final = 300.0
NICE: Final = 10
END: Final[tuple[int, dict[int, PropValue]]] = (1 << 40, {})
"""Properties of a user after the last one."""
_SORT: Final = Struct(">II")
_INDEX: Final = Struct(">I")
_MANAGER_DN: Final = re.compile(r"/cn=recipients/cn=[0-9a-f]{8}([0-9a-f]{8})-", re.IGNORECASE)
_COLLECTIONS: Final = {
    Collection.USERS: (Kind.USER, Kind.SHARED),
    Collection.GROUPS: (Kind.LIST,),
    Collection.CONTACTS: (Kind.CONTACT,),
    Collection.ROOMS: (Kind.ROOM, Kind.EQUIPMENT),
}


def address_hash(address: str) -> int:
    """What addresses are looked up by."""
    return mmh3.hash64(address.lower().encode(), signed=False)[0]


class Texts:
    """Octet strings one after the other, and where each starts."""

    def __init__(self) -> None:
        self.data, self.at = bytearray(), array("I", [0])

    def add(self, octets: bytes) -> None:
        self.data += octets
        self.at.append(len(self.data))


class Links:
    """Lists of entries, one for each entry."""

    def __init__(self, lists: dict[int, list[int]], count: int) -> None:
        self.data, self.at = array("I"), array("I", [0])
        for index in range(count):
            self.data.extend(sorted(set(lists.get(index, ()))))
            self.at.append(len(self.data))


class Summary:
    """What of an entry is needed to put it into lists."""

    __slots__ = ("book", "domain_id", "domain_list", "hidden", "kind", "username")

    def __init__(self, book: int, entry: Entry) -> None:
        self.book, self.domain_id, self.kind, self.hidden = book, entry.domain_id, entry.kind, entry.hidden
        self.domain_list, self.username = entry.domain_list, entry.username


def _is_kind(kinds: tuple[int, ...], one: Summary) -> bool:
    return one.kind in kinds and not one.hidden & Hidden.LISTS


def _in_domain(domain_id: int, one: Summary) -> bool:
    return one.domain_id == domain_id and not one.hidden & Hidden.LISTS


class Builder:
    """One snapshot in the making. Entries are numbered by organisation, then by name: number order is list order."""

    def __init__(self, connection: Connection) -> None:
        self.stamp = source.stamp(connection)
        self._domains = {domain.id: domain for domain in source.read_domains(connection)}
        self._books = sorted({domain.book for domain in self._domains.values()})
        self._number = {book: number for number, book in enumerate(self._books)}
        self._list_kinds, self._members = source.read_lists(connection)
        self._keys: list[bytes] = []
        self._packed: dict[bytes, bytes] = {}
        self._names: dict[tuple[int, str], int] = {}
        self._managers: list[tuple[int, str]] = []
        self._mid_index: dict[int, int] = {}
        self._read(connection)
        self._keys.sort()
        self._sections: dict[str, layout.Buffer] = {}

    def _read(self, connection: Connection) -> None:
        """All entries, packed, by what they are sorted by."""
        others = source.read_aliases(connection)
        rows = source.read_users(connection)
        pack = msgspec.msgpack.Encoder().encode
        with closing(source.read_properties(connection)) as bags:
            user_id, bag = next(bags, END)
            for row in rows:
                while user_id < row[0]:
                    user_id, bag = next(bags, END)
                domain = self._domains.get(row[2])
                if user_id != row[0] or domain is None:
                    continue
                kind = self._list_kinds.get(row[1], (-1, 0))[0]
                entry = source.entry_of(row, bag, others.get(row[1], []), kind)
                if entry is not None:
                    name = fold(entry.display_name).encode("utf-8", "replace")
                    key = _INDEX.pack(self._number[domain.book]) + name + b"\0" + _INDEX.pack(entry.mid)
                    self._keys.append(key)
                    self._packed[key] = pack(entry)

    def write(self, path: str, now: int) -> Meta:
        """Make the file. OSError, layout.Damaged."""
        entries, keys, words = Texts(), Texts(), list[bytes]()
        mids, addresses, summaries = list[tuple[int, int]](), list[tuple[int, int]](), list[Summary]()
        decode = msgspec.msgpack.Decoder(Entry).decode
        for index, key in enumerate(self._keys):
            packed = self._packed.pop(key)
            entry = decode(packed)
            book = _INDEX.unpack_from(key)[0]
            entries.add(packed)
            keys.add(key[4:-5])
            mids.append((entry.mid, index))
            own = {entry.username, entry.smtp.lower(), *entry.aliases}
            addresses.extend([(address_hash(address), index) for address in own])
            self._names.update([((book, address), index) for address in own])
            if not entry.hidden & Hidden.NAMES:
                head, tail = key[:4], b"\0" + _INDEX.pack(index)
                words.extend([head + word.encode("utf-8", "replace") + tail for word in entry_words(entry)])
            manager = entry.props.get(tags.PidTagAddressBookManagerDistinguishedName)
            if isinstance(manager, str):
                self._managers.append((index, manager))
            summaries.append(Summary(book, entry))
        self._mid_index = dict(mids)
        books = self._metas(summaries, words)
        self._sections |= {
            "entries": entries.data, "entry_at": entries.at, "keys": keys.data, "key_at": keys.at,
            **_pairs("mid", "I", mids), **_pairs("address", "Q", addresses),
        }  # fmt: skip
        self._link(summaries, len(self._keys))
        meta = Meta(self.stamp, now, books, {})
        layout.write(path, meta, self._sections)
        return meta

    # ------------------------------------------------------------------------------------------ lists and words

    def _metas(self, summaries: list[Summary], words: list[bytes]) -> list[BookMeta]:
        words.sort()
        texts, owners, order = Texts(), array("I"), array("I")
        starts = []
        for number in range(len(self._books) + 1):
            starts.append(bisect_left(words, _INDEX.pack(number)))
        for word in words:
            texts.add(word[4:-5])
            owners.append(_INDEX.unpack_from(word, len(word) - 4)[0])
        words.clear()
        ranges = [[0, 0] for _ in self._books]
        for index, summary in enumerate(summaries):
            span = ranges[summary.book]
            if not span[1]:
                span[0] = index
            span[1] += 1
        books = []
        for number in range(len(self._books)):
            first, count = ranges[number]
            part = summaries[first : first + count]
            books.append(
                BookMeta(
                    self._domain_metas(number, first, part), self._containers(number, first, part, order),
                    first, count, starts[number], starts[number + 1] - starts[number],
                )
            )  # fmt: skip
        self._sections |= {
            "order": order, "words": texts.data, "word_at": texts.at, "word_entry": owners,
        }  # fmt: skip
        return books

    def _in_book(self, number: int) -> list[source.DomainRow]:
        return [domain for domain in self._domains.values() if domain.book == self._books[number]]

    def _domain_metas(self, number: int, first: int, part: list[Summary]) -> list[DomainMeta]:
        lists: dict[int, list[int]] = defaultdict(list)
        for index, summary in enumerate(part, first):
            if summary.domain_list:
                lists[summary.domain_id].append(index)
        return [DomainMeta(domain.id, domain.name, domain.title, lists[domain.id]) for domain in self._in_book(number)]

    def _containers(self, number: int, first: int, part: list[Summary], order: array[int]) -> list[ContainerMeta]:
        found = []

        def add(collection: int, wanted: Callable[[Summary], bool], name: str = "", domain_id: int = 0) -> None:
            at = len(order)
            order.extend([index for index, one in enumerate(part, first) if wanted(one)])
            mid = container_mid(collection, domain_id)
            found.append(ContainerMeta(mid, collection, name, domain_id, at, len(order) - at))

        add(Collection.GAL, lambda one: not one.hidden & Hidden.GAL)
        add(Collection.ROOT, lambda one: False)
        for collection, kinds in _COLLECTIONS.items():
            add(collection, partial(_is_kind, kinds))
        for each in self._in_book(number):
            add(Collection.DOMAIN, partial(_in_domain, each.id), each.title or each.name, each.id)
        return found

    # ------------------------------------------------------------------------------------------ links

    def _link(self, summaries: list[Summary], count: int) -> None:
        members: dict[int, list[int]] = {}
        groups: dict[int, list[int]] = defaultdict(list)
        outside = array("I", bytes(4 * count))
        for index, one in enumerate(summaries):
            list_type, number = self._list_kinds.get(one.username, (-1, 0))
            if one.kind != Kind.LIST or list_type != ListType.NORMAL:
                continue
            book = one.book
            names = self._members.get(number, [])
            inside = [self._names[book, name] for name in names if (book, name) in self._names]
            outside[index] = len(names) - len(inside)
            members[index] = inside
            for member in set(inside):
                groups[member].append(index)
        reports: dict[int, list[int]] = defaultdict(list)
        managers: dict[int, list[int]] = {}
        for index, text in self._managers:
            manager = self._manager(summaries[index].book, text)
            if manager is not None and summaries[manager].book == summaries[index].book:
                managers[index] = [manager]
                reports[manager].append(index)
        families = {"members": members, "groups": groups, "reports": reports, "managers": managers}
        for name, lists in families.items():
            links = Links(lists, count)
            self._sections |= {name: links.data, f"{name}_at": links.at}
        self._sections["outside"] = outside

    def _manager(self, book: int, text: str) -> int | None:
        """The manager of an entry: told by address or DN."""
        found = _MANAGER_DN.search(text)
        if found is None:
            return self._names.get((book, text.strip().lower()))
        user_id = int.from_bytes(bytes.fromhex(found[1]), "little")
        return self._mid_index.get(mid_of(user_id))


def _pairs(name: str, code: str, pairs: list[tuple[int, int]]) -> dict[str, layout.Buffer]:
    """Keys and the entries they stand for, sorted by key."""
    pairs.sort()
    keys, values = array(code), array("I")
    for key, value in pairs:
        keys.append(key)
        values.append(value)
    return {f"{name}_keys": keys, f"{name}_entry": values}


# ---------------------------------------------------------------------------------------------- the file


def build(connection: Connection, path: str, now: int) -> Meta:
    """Write a snapshot of the directory. OSError, layout.Damaged, database errors."""
    return Builder(connection).write(path, now)


@contextmanager
def building(path: str, wait: float = LOCK_WAIT) -> Iterator[bool]:
    """Be the only one that builds this file; False when another is still at it after `wait` seconds."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _locked(descriptor, time.monotonic() + wait)
    finally:
        os.close(descriptor)


def _locked(descriptor: int, until: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.05)
        else:
            return True


def stamp_of(path: str) -> str | None:
    """The stamp of the file that is there; None when there is no good one."""
    try:
        return layout.Mapped(path).meta.stamp
    except (OSError, layout.Damaged):
        return None


def refresh(connection: Connection, path: str, now: int) -> bool:
    """Build unless the file is as the directory is now. Whether it was built."""
    if stamp_of(path) == source.stamp(connection):
        return False
    build(connection, path, now)
    return True


def main(site: str, settings: bytes) -> int:
    """Refresh a site's snapshot, after another process that is at it. `settings`: DatabaseSettings as JSON."""
    os.nice(NICE)
    database = Database(msgspec.json.decode(settings, type=DatabaseSettings), site)
    path = layout.path_of(site)
    with building(path, LOCK_WAIT) as mine:
        if mine:
            database.run(lambda connection: refresh(connection, path, int(time.time())))
    database.close()
    return 0 if mine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdin.buffer.read()))
