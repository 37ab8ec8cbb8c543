"""What the snapshot has of each object and of each organisation, and how objects are numbered.

A Minimal Entry ID ([MS-OXNSPI] 2.2.9.1) is made of the id of the users row, so it stays the same for ever.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Any, Final
from uuid import UUID

import msgspec

MID_BASE: Final = 0x10
"""Smaller ones have meanings of their own."""
HIGHEST_USER: Final = 0x5FFF0000
GAL: Final = 0
"""The global address list ([MS-OXNSPI] 3.1.4.4.1)."""
DOMAIN_CONTAINERS: Final = 0x60000000
"""A container of a domain is this and the domain's id."""
HIGHEST_DOMAIN: Final = 0x0FFFFFFF
_LISTS: Final = 0x70000000


class Kind(IntEnum):
    """Kinds of objects; the first ones as PR_DISPLAY_TYPE_EX of the directory has them."""

    USER = 0
    LIST = 1
    CONTACT = 6
    ROOM = 7
    EQUIPMENT = 8
    SHARED = 100


class Hidden(IntFlag):
    """Where an object does not show (PR_ATTR_HIDDEN_GROMOX)."""

    GAL = 1
    LISTS = 2
    DELEGATES = 4
    NAMES = 8


class Collection(IntEnum):
    """What a container holds. ROOT holds other containers, DOMAIN the objects of one domain."""

    GAL = 0
    ROOT = 1
    USERS = 2
    GROUPS = 3
    CONTACTS = 4
    ROOMS = 5
    DOMAIN = 6


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """An object. `props`: what user_properties has of it, by property tags of Unicode strings.

    `smtp` is the address to write to; `domain_list`: everybody in the domain is a member; `outside`: how many members
    of a list are not in its organisation's address book.
    """

    user_id: int
    domain_id: int
    kind: int
    username: str
    display_name: str
    smtp: str
    hidden: int = 0
    has_store: bool = False
    domain_list: bool = False
    outside: int = 0
    aliases: list[str] = []
    props: dict[int, Any] = {}

    @property
    def mid(self) -> int:
        """Its Minimal Entry ID."""
        return mid_of(self.user_id)

    @property
    def guid(self) -> bytes:
        """Its GUID, 16 octets as they travel (PidTagAddressBookObjectGuid)."""
        return object_guid(self.domain_id, self.user_id)


class ContainerMeta(msgspec.Struct, array_like=True, frozen=True):
    """An address list: `count` numbers of entries from `at` of the section `order`."""

    mid: int
    collection: int
    name: str
    domain_id: int
    at: int
    count: int


class DomainMeta(msgspec.Struct, array_like=True, frozen=True):
    """A domain; `lists` are the entries that have all its users as members."""

    id: int
    name: str
    title: str
    lists: list[int] = []


class BookMeta(msgspec.Struct, array_like=True, frozen=True):
    """The address book of one organisation: entries `first` to `first + count`, and as many search words."""

    domains: list[DomainMeta]
    containers: list[ContainerMeta]
    first: int
    count: int
    words_at: int
    words: int


class Meta(msgspec.Struct, array_like=True, frozen=True):
    """The head of the file. `stamp` tells whether the directory has changed since; `sections`: place and size."""

    stamp: str
    built: int
    books: list[BookMeta]
    sections: dict[str, tuple[int, int]]


def mid_of(user_id: int) -> int:
    """The Minimal Entry ID of a users row."""
    return MID_BASE + user_id


def container_mid(collection: int, domain_id: int = 0) -> int:
    """The Minimal Entry ID of a container."""
    if collection == Collection.GAL:
        return GAL
    return DOMAIN_CONTAINERS + domain_id if collection == Collection.DOMAIN else _LISTS + collection


def object_guid(domain_id: int, user_id: int) -> bytes:
    """The GUID of an object, or with `user_id` 0 of something of a domain; the form of `dn.mailbox_id`."""
    fields = (user_id, domain_id >> 16 & 0xFFFF, domain_id & 0xFFFF, 0x81, 0, 0x67726D786F64)
    return UUID(fields=fields).bytes_le
