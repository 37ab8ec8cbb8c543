"""The objects of an organisation as records of its offline address book. Pure.

Those of the global address list, in its order: hidden ones are not in it. Pictures are in mailboxes: the records of
those who have one say that there may be more online ([MS-OXOAB] 2.9.2.2.1).
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from gromoxd.addressbook.entry import GAL, Kind
from gromoxd.addressbook.properties import container_dn, linked, value_of
from gromoxd.addressbook.reader import Book, Item
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.evaluate import canonical
from gromoxd.oab.details import encode_details, encode_record
from gromoxd.oab.names import book_guid
from gromoxd.oab.schema import EMAIL, GROUPS, MEMBERS, OBJECTS

NAME: Final = "\\Global Address List"
"""As OAB_HDR and the manifest have it ([MS-OXWOAB] 4); clients translate it."""
MOST_NAMES: Final = 700
"""More DNs of linked objects than there can be room for ([MS-OXOAB] 2.9.2.2.1)."""
_APART: Final = {EMAIL, MEMBERS, GROUPS, tags.PidTagSendRichInfo, tags.PidTagOfflineAddressBookTruncatedProperties}
_PLAIN: Final = tuple((prop.tag, canonical(prop.tag)) for prop in OBJECTS if prop.tag not in _APART)
"""Tags here, and those of the address book, whose strings are Unicode ones."""


def book_domains(book: Book) -> list[str]:
    """The GUIDs by which the people of an organisation ask for their book; the first is what it is known by."""
    return [book_guid(domain.id) for domain in book.meta.domains]


class Recorder:
    """Makes records of one book's objects."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._dns: dict[int, str] = {}

    def _dn(self, index: int) -> str:
        found = self._dns.get(index)
        if found is None:
            found = self._dns[index] = self._book.item(index).dn
        return found

    def _names(self, indices: list[int]) -> list[str]:
        return [self._dn(index) for index in indices[: MOST_NAMES + 1]]

    def values(self, item: Item) -> tuple[dict[int, Any], list[int]]:
        """The properties of an object, and the tags of those that are in part or not at all among them."""
        entry, cut = item.entry, []
        values: dict[int, Any] = {EMAIL: item.dn, tags.PidTagSendRichInfo: entry.kind != Kind.CONTACT}
        for tag, known in _PLAIN:
            value = value_of(item, known)
            if value is not None:
                values[tag] = value
        members, groups = linked(item, "members"), linked(item, "groups")
        for tag, indices in ((MEMBERS, members), (GROUPS, groups)):
            if indices:
                values[tag] = self._names(indices)
        if entry.has_store and tags.PidTagThumbnailPhoto not in values:
            cut.append(tags.PidTagThumbnailPhoto)
        return values, cut

    def record(self, item: Item) -> bytes:
        """OAB_V4_REC of an object."""
        return encode_record(OBJECTS, *self.values(item))


def records_of(book: Book) -> list[bytes]:
    """All records."""
    record = Recorder(book).record
    return [record(item) for item in book.gal.items(0, len(book.gal))]


def digest(records: list[bytes]) -> str:
    """What tells whether records have changed."""
    made = hashlib.sha256()
    for record in records:
        made.update(record)
    return made.hexdigest()


def details_of(book: Book, records: list[bytes], sequence: int) -> bytes:
    """The details file of a generation."""
    header = {
        tags.PidTagOfflineAddressBookName: NAME,
        tags.PidTagOfflineAddressBookDistinguishedName: container_dn(GAL, book.meta.domains[0].id),
        tags.PidTagOfflineAddressBookSequence: sequence,
        tags.PidTagOfflineAddressBookContainerGuid: book_guid(book.meta.domains[0].id),
    }
    return encode_details(header, records)
