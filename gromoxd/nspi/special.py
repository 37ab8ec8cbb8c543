"""The special tables ([MS-OXNSPI] 3.1.4.3): the hierarchy of address lists, and what addresses can be made by hand."""

from __future__ import annotations

import zlib
from typing import Final

from gromoxd.addressbook.entry import GAL, Collection
from gromoxd.addressbook.properties import container_dn
from gromoxd.addressbook.reader import Book, Container
from gromoxd.directory.dn import prefix
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.entryids import AddressBookEntryId, DisplayType
from gromoxd.mapi.types import PropValue
from gromoxd.nspi.words import word

AB_RECIPIENTS, AB_SUBCONTAINERS, AB_UNMODIFIABLE = 0x1, 0x2, 0x8
"""PidTagContainerFlags ([MS-OXOABK] 2.2.2.1)."""
_NAMES: Final = {
    Collection.GAL: "Global Address List", Collection.ROOT: "All Address Lists", Collection.USERS: "All Users",
    Collection.GROUPS: "All Distribution Lists", Collection.CONTACTS: "All Contacts", Collection.ROOMS: "All Rooms",
}  # fmt: skip
DT_CONTAINER: Final = 0x100
Bag = dict[int, PropValue]


def container_name(listed: Container, locale: int) -> str:
    """A list's name: its domain's, or that of its kind in the client's language."""
    name = _NAMES.get(Collection(listed.meta.collection))
    return word(name, locale) if name is not None else listed.meta.name


def container_id(book: Book, mid: int) -> bytes:
    """The permanent entry id of a list."""
    return AddressBookEntryId(list_dn(book, mid), DisplayType.CONTAINER).encode()


def list_dn(book: Book, mid: int) -> str:
    """The DN of a list."""
    return container_dn(mid, book.meta.domains[0].id)


def hierarchy(book: Book, locale: int) -> list[Bag]:
    """The rows of the hierarchy: the global address list, the root of the others, those that hold something."""
    root = book.collection(Collection.ROOT)
    first = [book.gal, root]
    others = [
        listed for listed in book.containers.values()
        if listed.mid not in (GAL, root.mid) and (len(listed) or listed.meta.collection == Collection.DOMAIN)
    ]  # fmt: skip
    others.sort(key=lambda listed: container_name(listed, locale).casefold())
    return [_row(book, listed, root, locale) for listed in (*first, *others)]


def _row(book: Book, listed: Container, root: Container, locale: int) -> Bag:
    below = listed.mid not in (GAL, root.mid)
    holds = AB_SUBCONTAINERS if listed is root else AB_RECIPIENTS
    bag: Bag = {
        tags.PidTagEntryId: container_id(book, listed.mid),
        tags.PidTagContainerFlags: holds | AB_UNMODIFIABLE,
        tags.PidTagDepth: int(below),
        tags.PidTagAddressBookContainerId: listed.mid,
        tags.PidTagDisplayName: container_name(listed, locale),
        tags.PidTagAddressBookIsMaster: False,
    }
    if below:
        bag[tags.PidTagAddressBookParentEntryId] = container_id(book, root.mid)
    return bag


def version(book: Book) -> int:
    """A number that differs when the hierarchy does."""
    told = "|".join(f"{c.mid}:{c.meta.name}:{len(c) > 0}" for c in book.containers.values())
    return zlib.crc32(told.encode("utf-8", "replace")) or 1


def _one_off_ends(organisation: str) -> tuple[str, str]:
    return f"{prefix(organisation)}/cn=Configuration/cn=Addressing/cn=Address-Templates/cn=", "/cn=SMTP"


def one_off_dn(organisation: str, locale: int) -> str:
    """The DN of the template for Internet addresses in a language: who asks for it tells no other."""
    start, end = _one_off_ends(organisation)
    return f"{start}{locale:x}{end}"


def one_off_locale(organisation: str, dn: str) -> int | None:
    """The language of such a DN; None for another DN."""
    start, end = (part.lower() for part in _one_off_ends(organisation))
    dn = dn.lower()
    text = dn[len(start) : len(dn) - len(end)]
    if not dn.startswith(start) or not dn.endswith(end) or not 0 < len(text) <= 8:
        return None
    try:
        return int(text, 16)
    except ValueError:
        return None


def creation_templates(book: Book, locale: int) -> list[Bag]:
    """The rows of the address creation table: Internet addresses ([MS-OXOABKT] 2.2.1)."""
    entryid = AddressBookEntryId(one_off_dn(book.organisation, locale), DisplayType.TEMPLATE).encode()
    return [
        {
            tags.PidTagAddressType: "SMTP",
            tags.PidTagDisplayName: word("Internet Address", locale),
            tags.PidTagDisplayType: DT_CONTAINER | 1,
            tags.PidTagEntryId: entryid,
            tags.PidTagDepth: 0,
            tags.PidTagSelectable: True,
            tags.PidTagInstanceKey: b"\1\0\0\0",
        }
    ]
