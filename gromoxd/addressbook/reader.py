"""Reading the snapshot: the address book of an organisation, its lists and objects. No I/O but of mapped memory.

    snapshot = Snapshot(path)                       # reads all of the file: off the loop
    book = snapshot.book(domain_id, organisation)   # None: no such domain
    for item in book.gal.items(0, 50): item.get(PidTagDisplayName)

Objects are numbered in the order of their names, so a list is an ascending row of numbers. A snapshot and what comes
of it never changes; whoever holds one keeps the file mapped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache

import mmh3
import msgspec

from gromoxd.addressbook.entry import GAL, BookMeta, ContainerMeta, DomainMeta, Entry, Hidden, Kind, mid_of
from gromoxd.addressbook.layout import Mapped
from gromoxd.addressbook.properties import value_of
from gromoxd.addressbook.words import is_exact, query_words
from gromoxd.directory import dn
from gromoxd.mapi.compare import fold
from gromoxd.mapi.types import PropValue

_MOST_CHECKED, _MOST_FOUND = 1000, 20
_decode = msgspec.msgpack.Decoder(Entry).decode


class Snapshot:
    """One file. `layout.Damaged` and OSError when it cannot be used."""

    def __init__(self, path: str) -> None:
        self.file = Mapped(path)
        self.meta = self.file.meta
        self._entries, self._entry_at = self.file.section("entries"), self.file.section("entry_at", "I")
        self._keys, self._key_at = self.file.section("keys"), self.file.section("key_at", "I")
        self._mids, self._mid_entry = self.file.section("mid_keys", "I"), self.file.section("mid_entry", "I")
        self._hashes = self.file.section("address_keys", "Q")
        self._hash_entry = self.file.section("address_entry", "I")
        self._words, self._word_at = self.file.section("words"), self.file.section("word_at", "I")
        self.word_entry = self.file.section("word_entry", "I")
        self.order = self.file.section("order", "I")
        self._outside = self.file.section("outside", "I")
        self._links = {
            name: (self.file.section(name, "I"), self.file.section(f"{name}_at", "I"))
            for name in ("members", "groups", "reports", "managers")
        }
        self._books = {domain.id: book for book in self.meta.books for domain in book.domains}
        self._entry = lru_cache(maxsize=512)(self._read_entry)

    def __len__(self) -> int:
        return len(self._mids)

    def book(self, domain_id: int, organisation: str) -> Book | None:
        """The address book that people of this domain see. `organisation` is the one of DNs (x500_org_name)."""
        meta = self._books.get(domain_id)
        return Book(self, meta, organisation) if meta is not None else None

    def entry(self, index: int) -> Entry:
        """An entry by its number."""
        return self._entry(index)

    def _read_entry(self, index: int) -> Entry:
        return _decode(self._entries[self._entry_at[index] : self._entry_at[index + 1]])

    def key(self, index: int) -> bytes:
        """What an entry is sorted by: its folded display name."""
        return bytes(self._keys[self._key_at[index] : self._key_at[index + 1]])

    def word(self, index: int) -> bytes:
        """A search word."""
        return bytes(self._words[self._word_at[index] : self._word_at[index + 1]])

    def of_mid(self, mid: int) -> int | None:
        """The entry of a Minimal Entry ID."""
        at = bisect_left(self._mids, mid)
        return self._mid_entry[at] if at < len(self._mids) and self._mids[at] == mid else None

    def of_address(self, address: str) -> list[int]:
        """Entries that have this address; several when a contact has the address of somebody else's user."""
        wanted = address.lower()
        key = mmh3.hash64(wanted.encode("utf-8", "replace"), signed=False)[0]
        found = []
        at = bisect_left(self._hashes, key)
        while at < len(self._hashes) and self._hashes[at] == key:
            entry = self.entry(self._hash_entry[at])
            if wanted in (entry.username, entry.smtp.lower()) or wanted in entry.aliases:
                found.append(self._hash_entry[at])
            at += 1
        return found

    def links(self, family: str, index: int) -> Sequence[int]:
        """The entries that an entry is linked to: members, groups, reports, managers."""
        data, at = self._links[family]
        return data[at[index] : at[index + 1]]

    def outside(self, index: int) -> int:
        """How many members of a list are in no address book here."""
        return self._outside[index]


class Container:
    """An address list: a row of entries in the order of their names."""

    def __init__(self, book: Book, meta: ContainerMeta) -> None:
        self.book, self.meta = book, meta
        self.order = book.snapshot.order[meta.at : meta.at + meta.count]

    @property
    def mid(self) -> int:
        return self.meta.mid

    def __len__(self) -> int:
        return self.meta.count

    def position(self, index: int) -> int | None:
        """Where an entry is in the list; None when it is not in it."""
        at = bisect_left(self.order, index)
        return at if at < len(self.order) and self.order[at] == index else None

    def seek(self, name: str) -> int:
        """Where the first entry is whose name is not less than this; the length of the list if there is none."""
        return bisect_left(self.order, fold(name).encode("utf-8", "replace"), key=self.book.snapshot.key)

    def items(self, start: int, stop: int) -> Iterator[Item]:
        """Objects by their places."""
        for index in self.order[start:stop]:
            yield Item(self.book, index)


class Book:
    """The address book of one organisation: a domain, or several with a common `org_id`."""

    def __init__(self, snapshot: Snapshot, meta: BookMeta, organisation: str) -> None:
        self.snapshot, self.meta, self.organisation = snapshot, meta, organisation
        self.containers = {each.mid: Container(self, each) for each in meta.containers}

    @property
    def gal(self) -> Container:
        """The global address list."""
        return self.containers[GAL]

    def collection(self, collection: int) -> Container:
        """The list of one kind of objects."""
        return next(each for each in self.containers.values() if each.meta.collection == collection)

    def domain(self, domain_id: int) -> DomainMeta:
        """A domain of this organisation."""
        return next(each for each in self.meta.domains if each.id == domain_id)

    def __len__(self) -> int:
        return self.meta.count

    def __contains__(self, index: int) -> bool:
        return self.meta.first <= index < self.meta.first + self.meta.count

    def item(self, index: int) -> Item:
        """An object by the number of its entry."""
        return Item(self, index)

    def of_mid(self, mid: int) -> Item | None:
        """The object of a Minimal Entry ID, if it is in this book; also one that is in no list."""
        index = self.snapshot.of_mid(mid)
        return Item(self, index) if index is not None and index in self else None

    def of_user(self, user_id: int) -> Item | None:
        """The object of a users row."""
        return self.of_mid(mid_of(user_id))

    def of_dn(self, text: str) -> Item | None:
        """The object of a DN (PidTagEmailAddress)."""
        found = dn.parse_recipient(self.organisation, text)
        item = self.of_user(found.user_id) if found is not None and found.user_id else None
        if item is None or found is None or item.entry.domain_id != found.domain_id:
            return None
        return item if item.entry.username.partition("@")[0] == found.local else None

    def of_address(self, address: str) -> Item | None:
        """The object with this SMTP address or alias."""
        for index in self.snapshot.of_address(address):
            if index in self:
                return Item(self, index)
        return None

    # ------------------------------------------------------------------------------------------ links

    def members(self, item: Item) -> list[int]:
        """The members of a list that are in this book."""
        if item.entry.domain_list:
            listed = next(
                (c for c in self.containers.values() if c.meta.domain_id == item.entry.domain_id), None
            )  # fmt: skip
            if listed is None:
                return []
            return [i for i in listed.order if self.snapshot.entry(i).kind == Kind.USER]
        return [index for index in self.snapshot.links("members", item.index) if index in self]

    def groups(self, item: Item) -> list[int]:
        """The lists that an object is a member of."""
        found = {index for index in self.snapshot.links("groups", item.index) if index in self}
        if item.entry.kind == Kind.USER and not item.entry.hidden & Hidden.LISTS:
            found.update(self.domain(item.entry.domain_id).lists)
        return sorted(found)

    def linked(self, family: str, item: Item) -> list[int]:
        """Its `reports` or `managers`."""
        return [index for index in self.snapshot.links(family, item.index) if index in self]

    # ------------------------------------------------------------------------------------------ names

    def search(self, text: str, limit: int, within: Container | None = None) -> list[int]:
        """Entries that a name may mean, in the order of their names; of more than `limit`, `limit + 1`.

        Each word must be the beginning of a word of the object's names or addresses ([MS-OXNSPI] 3.1.4.7). A leading
        `=` asks for the whole of a name; `SMTP:` and `EX:` are left out of addresses; a DN stands for its object.
        """
        text, whole = _plain(text)
        if text.startswith("/"):
            item = self.of_dn(text)
            return [item.index] if item is not None and self._visible(item.index, within) else []
        return self._whole(text, within)[: limit + 1] if whole else self._candidates(text, limit, within)

    def resolve(self, text: str, within: Container | None = None) -> list[int]:
        """As `search`, for one name: one entry when it is the only one, or the only one of which it is a whole name."""
        plain, _ = _plain(text)
        if "@" in plain:
            item = self.of_address(plain)
            if item is not None and self._visible(item.index, within):
                return [item.index]
        exact = self._whole(plain, within)
        return exact if len(exact) == 1 else self.search(text, _MOST_FOUND, within)

    def _whole(self, text: str, within: Container | None) -> list[int]:
        """Entries of which this is a whole name or address."""
        found = self._candidates(text, _MOST_CHECKED, within, whole=True)
        return [index for index in found if is_exact(self.snapshot.entry(index), text)]

    def _visible(self, index: int, within: Container | None) -> bool:
        if self.snapshot.entry(index).hidden & Hidden.NAMES:
            return False
        return within is None or within.mid == GAL or within.position(index) is not None

    def _candidates(self, text: str, limit: int, within: Container | None, *, whole: bool = False) -> list[int]:
        """Entries that have all these words, or words that begin like them."""
        spans = sorted((self._span(word, whole) for word in query_words(text)), key=lambda span: span[1] - span[0])
        if not spans:
            return []
        entries = self.snapshot.word_entry
        listed = within if within is not None and within.mid != GAL else None
        start, stop = spans[0]
        found = set(entries[start:stop])
        for start, stop in spans[1:]:
            if not found:
                return []
            found.intersection_update(entries[start:stop])
        if listed is not None:
            found = {index for index in found if listed.position(index) is not None}
        ordered = sorted(found)
        return ordered[: limit + 1]

    def _span(self, word: str, whole: bool) -> tuple[int, int]:
        """The range of search words of this book that are `word`, or begin with it."""
        octets = word.encode("utf-8", "replace")
        low, high = self.meta.words_at, self.meta.words_at + self.meta.words
        numbers = range(low, high)
        start = bisect_left(numbers, octets, key=self.snapshot.word)
        end = octets + (b"\0" if whole else b"\xff")
        stop = bisect_left(numbers, end, key=self.snapshot.word)
        return low + start, low + stop


def _plain(text: str) -> tuple[str, bool]:
    """What is asked for without the signs before it, and whether the whole of a name is."""
    text = text.strip()
    whole = text.startswith("=")
    text = text.removeprefix("=").strip()
    if text[:5].lower() == "smtp:" or text[:3].lower() == "ex:":
        text = text.partition(":")[2].strip()
    return text, whole


class Item:
    """One object of a book. `get(tag)` gives a property by its tag (strings: PtypString), None when it is not there."""

    __slots__ = ("_entry", "book", "index")

    def __init__(self, book: Book, index: int) -> None:
        self.book, self.index = book, index
        self._entry: Entry | None = None

    @property
    def entry(self) -> Entry:
        if self._entry is None:
            self._entry = self.book.snapshot.entry(self.index)
        return self._entry

    @property
    def mid(self) -> int:
        """Its Minimal Entry ID."""
        return self.entry.mid

    @property
    def dn(self) -> str:
        """Its DN (PidTagEmailAddress)."""
        entry = self.entry
        return dn.recipient_dn(self.book.organisation, entry.domain_id, entry.user_id, entry.username)

    def get(self, tag: int) -> PropValue:
        """See `gromoxd.addressbook.properties`."""
        return value_of(self, tag)
