"""Recipient rows, and recipients as property bags.

[MS-OXCDATA] 2.8.3. A row has a few properties in a layout of their own, named by flags, and a property row for further
columns; the store keeps each recipient as one bag of properties ([MS-OXCMSG] 2.2.3.1.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.cursor import Cursor, utf16
from gromoxd.mapi.entryids import AddressBookEntryId, one_off
from gromoxd.mapi.rows import Cell, column_type, encode_row, read_row
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import PropError, TypedPropertyValue

TYPE: Final = 0x0007
EMAIL: Final = 0x0008
DISPLAY: Final = 0x0010
TRANSMITTABLE: Final = 0x0020
SAME: Final = 0x0040
RESPONSIBLE: Final = 0x0080
NO_RICH: Final = 0x0100
UNICODE: Final = 0x0200
SIMPLE: Final = 0x0400
ADDRESS_TYPE: Final = 0x8000


class AddressKind(IntEnum):
    """The Type bits of RecipientFlags ([MS-OXCDATA] 2.8.3.1)."""

    NO_TYPE = 0
    X500DN = 1
    MS_MAIL = 2
    SMTP = 3
    FAX = 4
    PROFESSIONAL_OFFICE_SYSTEM = 5
    PERSONAL_LIST_1 = 6
    PERSONAL_LIST_2 = 7


_ADDRESS_TYPES: Final = {1: "EX", 2: "MS", 3: "SMTP", 4: "FAX", 5: "PROFS", 6: "MAPIPDL", 7: "MAPIPDL"}
_KINDS: Final = {"EX": 1, "MS": 2, "SMTP": 3, "FAX": 4, "PROFS": 5, "MAPIPDL": 6}
_LISTS: Final = (AddressKind.PERSONAL_LIST_1, AddressKind.PERSONAL_LIST_2)
_U16 = Struct("<H")
_STRING, _STRING8 = int(PropType.PtypString), int(PropType.PtypString8)


@dataclass(slots=True, frozen=True)
class RecipientRow:
    """[MS-OXCDATA] 2.8.3.2 RecipientRow. `flags` says which fields are there; those that are not are not looked at.

    Names and the address are str where UNICODE is set and octets of the session's code page where not. `values` are
    those of the first columns of the list that the request gave; fewer than the list are allowed.
    """

    flags: int
    values: Sequence[Cell] = ()
    address_prefix_used: int = 0
    display_type: int = 0
    x500dn: bytes = b""
    entry_id: bytes = b""
    search_key: bytes = b""
    address_type: bytes = b""
    email_address: str | bytes = ""
    display_name: str | bytes = ""
    simple_display_name: str | bytes = ""
    transmittable_display_name: str | bytes = ""

    def encode(self, columns: Sequence[int]) -> bytes:
        """WireError for values that are not of their columns' types or a list's entry id of over 65,535 octets."""
        flags, kind = self.flags, self.flags & TYPE
        parts = [_U16.pack(flags)]
        if kind == AddressKind.X500DN:
            parts += (bytes((self.address_prefix_used, self.display_type)), _string8(self.x500dn))
        elif kind in _LISTS:
            parts += (_counted(self.entry_id), _counted(self.search_key))
        elif kind == AddressKind.NO_TYPE and flags & ADDRESS_TYPE:
            parts.append(_string8(self.address_type))
        for flag, text in (
            (EMAIL, self.email_address),
            (DISPLAY, self.display_name),
            (SIMPLE, self.simple_display_name),
            (TRANSMITTABLE, self.transmittable_display_name),
        ):
            if flags & flag:
                parts.append(_text(text, flags))
        parts.append(_U16.pack(len(self.values)))
        parts.append(encode_row(columns[: len(self.values)], self.values))
        return b"".join(parts)

    @classmethod
    def read(cls, cursor: Cursor, columns: Sequence[int]) -> RecipientRow:
        """The row that starts at the cursor; WireError when it has more columns than these."""
        flags = cursor.u16()
        kind = flags & TYPE
        prefix = display_type = 0
        dn = entry_id = search_key = address_type = b""
        if kind == AddressKind.X500DN:
            prefix, display_type, dn = cursor.u8(), cursor.u8(), cursor.string8()
        elif kind in _LISTS:
            entry_id = cursor.take(cursor.u16())
            search_key = cursor.take(cursor.u16())
        elif kind == AddressKind.NO_TYPE and flags & ADDRESS_TYPE:
            address_type = cursor.string8()
        one = cursor.string if flags & UNICODE else cursor.string8
        email, name, simple, transmittable = (
            one() if flags & flag else "" for flag in (EMAIL, DISPLAY, SIMPLE, TRANSMITTABLE)
        )
        count = cursor.u16()
        if count > len(columns):
            raise cursor.fail(f"{count} columns of {len(columns)}")
        values = read_row(cursor, columns[:count])
        return cls(
            flags, tuple(values), prefix, display_type, dn, entry_id, search_key, address_type, email, name, simple,
            transmittable,
        )  # fmt: skip

    @classmethod
    def decode(cls, data: bytes, columns: Sequence[int]) -> RecipientRow:
        cursor = Cursor(data)
        row = cls.read(cursor, columns)
        cursor.finish()
        return row

    def to_bag(self, columns: Sequence[int], kind: int, dn_prefix: str = "", code_page: int = 1252) -> Bag:
        """The recipient's properties; `kind` is the RecipientType beside the row, which becomes PidTagRecipientType.

        `dn_prefix` is what the server's X500 DNs begin with, of which a row may leave out as much as
        `address_prefix_used` says. Strings become PtypString throughout. Entry id and search key are derived from the
        address when the row has none.
        """
        bag: Bag = {}
        for tag, cell in zip(columns, self.values, strict=False):
            _put(bag, tag, cell, code_page)
        bag[p.PidTagRecipientType] = kind
        self._address(bag, dn_prefix, code_page)
        flags = self.flags
        if flags & DISPLAY:
            bag[p.PidTagDisplayName] = _plain(self.display_name, code_page)
        if flags & SIMPLE:
            bag[p.PidTagAddressBookDisplayNamePrintable] = _plain(self.simple_display_name, code_page)
        if flags & TRANSMITTABLE:
            bag[p.PidTagTransmittableDisplayName] = _plain(self.transmittable_display_name, code_page)
        elif flags & SAME and p.PidTagDisplayName in bag:
            bag[p.PidTagTransmittableDisplayName] = bag[p.PidTagDisplayName]
        bag[p.PidTagSendRichInfo] = not flags & NO_RICH
        bag[p.PidTagResponsibility] = bool(flags & RESPONSIBLE)
        complete(bag)
        return bag

    def _address(self, bag: Bag, dn_prefix: str, code_page: int) -> None:
        kind = self.flags & TYPE
        if self.flags & EMAIL:
            bag[p.PidTagEmailAddress] = _plain(self.email_address, code_page)
        if kind == AddressKind.X500DN:
            dn = dn_prefix[: self.address_prefix_used] + codepages.decode(self.x500dn, code_page)
            bag[p.PidTagEmailAddress] = dn
            bag.setdefault(p.PidTagDisplayType, self.display_type)
        elif kind in _LISTS:
            bag[p.PidTagEntryId] = self.entry_id
            bag[p.PidTagSearchKey] = self.search_key
        if kind != AddressKind.NO_TYPE:
            bag[p.PidTagAddressType] = _ADDRESS_TYPES[kind]
        elif self.flags & ADDRESS_TYPE:
            bag[p.PidTagAddressType] = codepages.decode(self.address_type, code_page)


def from_bag(
    bag: Mapping[int, PropValue],
    columns: Sequence[int],
    dn_prefix: str = "",
    unicode: bool = True,
    code_page: int = 1252,
) -> RecipientRow:
    """The row of a recipient for these columns: the inverse of `RecipientRow.to_bag`.

    A DN that starts as `dn_prefix` does, whatever the case, is sent without that part. Without `unicode` the strings
    are octets of the code page.
    """
    address_type = _string(bag, p.PidTagAddressType) or ""
    address = _string(bag, p.PidTagEmailAddress)
    kind = _KINDS.get(address_type.upper(), AddressKind.NO_TYPE)
    entry_id = search = dn = one_off_type = b""
    flags = prefix = display_type = 0
    if kind == AddressKind.X500DN:
        prefix, dn = _shorten(address or "", dn_prefix, code_page)
        shown = bag.get(p.PidTagDisplayType)
        display_type = shown & 0xFF if isinstance(shown, int) else 0
        address = None
    elif kind == AddressKind.PERSONAL_LIST_1:
        entry_id, search = _octets(bag, p.PidTagEntryId), _octets(bag, p.PidTagSearchKey)
        if not entry_id or not search:
            kind, entry_id, search = AddressKind.NO_TYPE, b"", b""
    if kind == AddressKind.NO_TYPE and address_type:
        flags |= ADDRESS_TYPE
        one_off_type = codepages.encode(address_type, code_page)
    named, texts = _names(bag, address)
    flags |= named | kind
    if unicode:
        flags |= UNICODE
    else:
        texts = [codepages.encode(text, code_page) for text in texts if isinstance(text, str)]
    cells = tuple([_cell(bag, tag, code_page) for tag in columns])
    return RecipientRow(flags, cells, prefix, display_type, dn, entry_id, search, one_off_type, *texts)


def _names(bag: Mapping[int, PropValue], address: str | None) -> tuple[int, list[str | bytes]]:
    """The flags that do not depend on the kind of address; address, name, simple and transmittable name."""
    flags = 0
    name = _string(bag, p.PidTagDisplayName)
    simple = _string(bag, p.PidTagAddressBookDisplayNamePrintable)
    transmittable = _string(bag, p.PidTagTransmittableDisplayName)
    if transmittable is not None and transmittable == name:
        flags |= SAME
        transmittable = None
    texts: list[str | bytes] = []
    for flag, text in ((EMAIL, address), (DISPLAY, name), (SIMPLE, simple), (TRANSMITTABLE, transmittable)):
        if text is not None:
            flags |= flag
        texts.append(text or "")
    if bag.get(p.PidTagSendRichInfo) is False:
        flags |= NO_RICH
    if bag.get(p.PidTagResponsibility) is True:
        flags |= RESPONSIBLE
    return flags, texts


def complete(bag: Bag) -> None:
    """Derive what recipients are expected to have from their address: SMTP address, search key, entry id."""
    address_type, address = bag.get(p.PidTagAddressType), bag.get(p.PidTagEmailAddress)
    if not isinstance(address_type, str) or not isinstance(address, str):
        return
    upper = address_type.upper()
    if upper == "SMTP":
        bag.setdefault(p.PidTagSmtpAddress, address)
    bag.setdefault(p.PidTagSearchKey, search_key(address_type, address))
    if p.PidTagEntryId in bag:
        return
    if upper == "EX":
        kind = bag.get(p.PidTagDisplayType)
        bag[p.PidTagEntryId] = AddressBookEntryId(
            address, kind if isinstance(kind, int) and 0 <= kind < 7 else 0
        ).encode()
    else:
        name = bag.get(p.PidTagDisplayName)
        bag[p.PidTagEntryId] = one_off(name if isinstance(name, str) else "", address, address_type)


def search_key(address_type: str, address: str) -> bytes:
    """What finds all mail of one correspondent: type and address with a colon between, in capitals, with a NUL.

    PidTagSearchKey of a recipient and PidTagSenderSearchKey and its like ([MS-OXCDATA] 2.8.3.2, [MS-OXOMSG] 2.2.1.40).
    """
    return f"{address_type}:{address}".upper().encode("utf-8", "replace") + b"\0"


def _string8(octets: bytes) -> bytes:
    return octets.partition(b"\0")[0] + b"\0"


def _counted(octets: bytes) -> bytes:
    if len(octets) > 0xFFFF:
        raise WireError(f"{len(octets)} octets in a recipient row")
    return _U16.pack(len(octets)) + octets


def _text(text: str | bytes, flags: int) -> bytes:
    if flags & UNICODE:
        if isinstance(text, str):
            return utf16(text)
    elif isinstance(text, bytes):
        return _string8(text)
    elif not text:
        return b"\0"
    raise WireError("a string of a recipient that is not as UNICODE says")


def _plain(text: str | bytes, code_page: int) -> str:
    return text if isinstance(text, str) else codepages.decode(text, code_page)


def _put(bag: Bag, tag: int, cell: Cell, code_page: int) -> None:
    """A column's value under its tag, strings as PtypString; errors and what is not there are left out."""
    if isinstance(cell, TypedPropertyValue):
        tag, cell = tag & 0xFFFF0000 | cell.type, cell.value
    if cell is None or isinstance(cell, PropError):
        return
    kind = tag & 0xFFFF
    if kind & ~MULTIPLE == _STRING8:
        tag += _STRING - _STRING8
        if isinstance(cell, bytes):
            cell = codepages.decode(cell, code_page)
        elif isinstance(cell, list):
            cell = [codepages.decode(item, code_page) for item in cell if isinstance(item, bytes)]
    bag[tag] = cell


def _cell(bag: Mapping[int, PropValue], tag: int, code_page: int) -> Cell:
    """What a bag has for a column."""
    kind = column_type(tag)
    if kind & ~MULTIPLE == _STRING8:
        value = bag.get(tag + _STRING - _STRING8)
        if isinstance(value, str):
            return codepages.encode(value, code_page)
        if isinstance(value, list):
            return [codepages.encode(item, code_page) for item in value if isinstance(item, str)]
        return bag.get(tag)
    if kind == PropType.PtypUnspecified:
        found = next((key for key in bag if key >> 16 == tag >> 16), None)
        return None if found is None else TypedPropertyValue(found & 0xFFFF, bag[found])
    return bag.get(tag)


def _string(bag: Mapping[int, PropValue], tag: int) -> str | None:
    value = bag.get(tag)
    return value if isinstance(value, str) else None


def _octets(bag: Mapping[int, PropValue], tag: int) -> bytes:
    value = bag.get(tag)
    return value if isinstance(value, bytes) else b""


def _shorten(dn: str, dn_prefix: str, code_page: int) -> tuple[int, bytes]:
    """How much of the prefix a DN has, and the rest of it."""
    used = 0
    for mine, other in zip(dn[:0xFF], dn_prefix, strict=False):
        if mine.lower() != other.lower():
            break
        used += 1
    return used, codepages.encode(dn[used:], code_page)
