"""Entry ids of stores, folders, messages and recipients, and lists of them.

[MS-OXCDATA] 2.2.4 (messaging objects), 2.2.5 (recipients), 2.3 (lists). An entry id starts with four octets of flags, 0
where it is permanent, and the UID of the provider that made it; `parse_entryid` finds the structure from these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor, utf16
from gromoxd.mapi.ids import LongTermId, guid_octets

MUID_EMSAB: Final = guid_octets("c840a7dc-42c0-1a10-b4b9-08002b2fe182")
"""The address book: permanent entry ids."""
MUID_OOP: Final = guid_octets("a41f2b81-a3be-1910-9d6e-00dd010f5402")
"""One-off recipients."""
MUID_STORE_WRAP: Final = bytes.fromhex("38a1bb1005e5101aa1bb08002b2a56c2")
"""A store's entry id, wrapped with the name of its provider."""
STORE_PRIVATE: Final = bytes.fromhex("1b55fa20aa6611cd9bc800aa002fc45a")
"""A private mailbox, inside the wrap."""
STORE_PUBLIC: Final = bytes.fromhex("1c830210aa6611cd9bc800aa002fc45a")
"""A public folder store, inside the wrap."""
PUBLIC_FOLDERS: Final = bytes.fromhex("1a447390aa6611cd9bc800aa002fc45a")
"""The provider of folders and messages in a public folder store ([MS-OXCDATA] 2.2.4.1)."""
MUID_CONTAB: Final = bytes.fromhex("fe42aa0a18c71a10e8850b651c240000")
"""Contacts and personal distribution lists as recipients."""
MUID_WAB: Final = bytes.fromhex("c091add3519dcf11a4a900aa0047faa4")
"""A member of a personal distribution list, wrapped with its kind."""
MDB_PRIMARY: Final = bytes.fromhex("5494a1c0297f101ba58708002b2a2517")
"""PidTagStoreProvider of the user's own mailbox."""
MDB_DELEGATE: Final = bytes.fromhex("9eb4770074e411ce8c5e00aa004254e2")
"""PidTagStoreProvider of another user's mailbox."""
MDB_PUBLIC: Final = bytes.fromhex("78b2fa70aff711cd9bc800aa002fc45a")
"""PidTagStoreProvider of a public folder store."""

_HEAD: Final = 20
_DLL: Final = b"emsmdb.dll\0\0\0\0"
_V2_MAGIC: Final = 0xF32135D8
_V3_MAGIC: Final = 0xF43246E9
_V2 = Struct("<5I")
_V3 = Struct("<4I")
_CONTAB = Struct("<4I")
_U32 = Struct("<I")
_PAIR = Struct("<II")


class ObjectType(IntEnum):
    """What a messaging object's entry id points to ([MS-OXCDATA] 2.2.4)."""

    PRIVATE_FOLDER = 0x0001
    PUBLIC_FOLDER = 0x0003
    MAPPED_PUBLIC_FOLDER = 0x0005
    PRIVATE_MESSAGE = 0x0007
    PUBLIC_MESSAGE = 0x0009
    MAPPED_PUBLIC_MESSAGE = 0x000B
    PUBLIC_NEWSGROUP_FOLDER = 0x000C


class WrappedType(IntEnum):
    """WrappedType of a store ([MS-OXCDATA] 2.2.4.3)."""

    PUBLIC = 0x00000006
    PRIVATE = 0x0000000C


class DisplayType(IntEnum):
    """Type of an address book object ([MS-OXCDATA] 2.2.5.2)."""

    LOCAL_MAIL_USER = 0x0000
    DISTRIBUTION_LIST = 0x0001
    BULLETIN_BOARD = 0x0002
    AUTOMATED_MAILBOX = 0x0003
    ORGANIZATIONAL_MAILBOX = 0x0004
    PRIVATE_DISTRIBUTION_LIST = 0x0005
    REMOTE_MAIL_USER = 0x0006
    CONTAINER = 0x0100
    TEMPLATE = 0x0101
    ONE_OFF_USER = 0x0102
    SEARCH = 0x0200


def _head(cursor: Cursor, *providers: bytes) -> int:
    """The flags; WireError when the provider is none of these."""
    flags = cursor.u32()
    if cursor.guid() not in providers:
        raise cursor.fail("an entry id of another provider")
    return flags


def _no_nul(octets: bytes) -> bytes:
    """The octets as a string with an end; what follows a NUL is cut off."""
    return octets.partition(b"\0")[0] + b"\0"


@dataclass(slots=True, frozen=True)
class GeneralEntryId:
    """[MS-OXCDATA] 2.2.4: an entry id of a provider that is not known here; kept as it is."""

    provider: bytes
    data: bytes
    flags: int = 0

    def encode(self) -> bytes:
        return _U32.pack(self.flags) + self.provider + self.data

    @classmethod
    def decode(cls, data: bytes) -> GeneralEntryId:
        cursor = Cursor(data)
        flags = cursor.u32()
        return cls(cursor.guid(), cursor.rest(), flags)


@dataclass(slots=True, frozen=True)
class FolderEntryId:
    """[MS-OXCDATA] 2.2.4.1 Folder EntryID. The provider is the GUID of the mailbox, or PUBLIC_FOLDERS."""

    provider: bytes
    folder: LongTermId
    kind: int = ObjectType.PRIVATE_FOLDER
    flags: int = 0

    def encode(self) -> bytes:
        return _U32.pack(self.flags) + self.provider + self.kind.to_bytes(2, "little") + self.folder.encode()

    @classmethod
    def decode(cls, data: bytes) -> FolderEntryId:
        if len(data) != 46:
            raise WireError(f"a folder's entry id of {len(data)} octets")
        cursor = Cursor(data)
        flags, provider, kind = cursor.u32(), cursor.guid(), cursor.u16()
        return cls(provider, LongTermId.read(cursor), kind, flags)


@dataclass(slots=True, frozen=True)
class MessageEntryId:
    """[MS-OXCDATA] 2.2.4.2 Message EntryID: the message and its folder."""

    provider: bytes
    folder: LongTermId
    message: LongTermId
    kind: int = ObjectType.PRIVATE_MESSAGE
    flags: int = 0

    def encode(self) -> bytes:
        start = _U32.pack(self.flags) + self.provider + self.kind.to_bytes(2, "little")
        return start + self.folder.encode() + self.message.encode()

    @classmethod
    def decode(cls, data: bytes) -> MessageEntryId:
        if len(data) != 70:
            raise WireError(f"a message's entry id of {len(data)} octets")
        cursor = Cursor(data)
        flags, provider, kind = cursor.u32(), cursor.guid(), cursor.u16()
        return cls(provider, LongTermId.read(cursor), LongTermId.read(cursor), kind, flags)


@dataclass(slots=True, frozen=True)
class StoreEntryId:
    """[MS-OXCDATA] 2.2.4.3 Store Object EntryID, in the wrap that MAPI puts around it.

    `server` and `mailbox_dn` are of one octet a character. What Outlook 2007 (`server_dn`, `server_fqdn`) and 2013
    (`smtp_address`) append is written when it is set: both are in no open specification, but in MFCMAPI.
    """

    server: bytes
    mailbox_dn: bytes | None
    wrapped_provider: bytes = STORE_PRIVATE
    wrapped_type: int = WrappedType.PRIVATE
    server_dn: bytes | None = None
    server_fqdn: str | None = None
    smtp_address: str | None = None
    rest: bytes = b""
    flags: int = 0
    version: int = 0
    flag: int = 0
    dll: bytes = _DLL
    wrapped_flags: int = 0

    def encode(self) -> bytes:
        parts = [
            _U32.pack(self.flags),
            MUID_STORE_WRAP,
            bytes((self.version, self.flag)),
            self.dll,
            _U32.pack(self.wrapped_flags),
            self.wrapped_provider,
            _U32.pack(self.wrapped_type),
            _no_nul(self.server),
        ]
        if self.mailbox_dn is not None:
            parts.append(_no_nul(self.mailbox_dn))
        if self.server_dn is not None:
            dn, fqdn = _no_nul(self.server_dn), utf16(self.server_fqdn or "")
            parts.append(_V2.pack(_V2_MAGIC, _V2.size + len(dn) + len(fqdn), 1, _V2.size, _V2.size + len(dn)))
            parts += (dn, fqdn)
        elif self.smtp_address is not None:
            address = utf16(self.smtp_address)
            parts.append(_V3.pack(_V3_MAGIC, _V3.size + len(address), 2, _V3.size))
            parts.append(address)
        return b"".join((*parts, self.rest))

    @classmethod
    def decode(cls, data: bytes) -> StoreEntryId:
        cursor = Cursor(data)
        flags = _head(cursor, MUID_STORE_WRAP)
        version, flag, dll = cursor.u8(), cursor.u8(), cursor.take(14)
        wrapped_flags, provider, kind, server = cursor.u32(), cursor.guid(), cursor.u32(), cursor.string8()
        mailbox_dn = None
        if cursor.left and _magic(cursor) is None:
            mailbox_dn = cursor.string8()
        server_dn, fqdn, smtp = _store_tail(cursor)
        return cls(
            server, mailbox_dn, provider, kind, server_dn, fqdn, smtp, cursor.rest(), flags, version, flag, dll,
            wrapped_flags,
        )  # fmt: skip


def _magic(cursor: Cursor) -> int | None:
    """Which of the appended structures follows, if any; nothing is read."""
    if cursor.left < 4:
        return None
    magic = int.from_bytes(cursor.data[cursor.at : cursor.at + 4], "little")
    return magic if magic in (_V2_MAGIC, _V3_MAGIC) else None


def _store_tail(cursor: Cursor) -> tuple[bytes | None, str | None, str | None]:
    """Server DN, server name and SMTP address, as far as they are there in the usual layout."""
    start = cursor.at
    magic = _magic(cursor)
    if magic == _V2_MAGIC:
        _, size, version, dn_at, fqdn_at = cursor.struct(_V2)
        if version == 1 and dn_at == _V2.size:
            dn = cursor.string8()
            if cursor.at == start + fqdn_at:
                fqdn = cursor.string()
                if cursor.at == start + size:
                    return dn, fqdn, None
    elif magic == _V3_MAGIC:
        _, size, version, smtp_at = cursor.struct(_V3)
        if version == 2 and smtp_at == _V3.size:
            smtp = cursor.string()
            if cursor.at == start + size:
                return None, None, smtp
    cursor.at = start
    return None, None, None


ONE_OFF_UNICODE: Final = 0x8000
ONE_OFF_NO_RICH_INFO: Final = 0x0001
ONE_OFF_DONT_LOOKUP: Final = 0x1000


@dataclass(slots=True, frozen=True)
class OneOffEntryId:
    """[MS-OXCDATA] 2.2.5.1 One-Off EntryID: a recipient that is in no address book.

    `options` is the second 16-bit integer: ONE_OFF_UNICODE chooses the encoding, NO_RICH_INFO is the M bit, DONT_LOOKUP
    the L bit. Without ONE_OFF_UNICODE each character is one octet of some code page and becomes U+0000 to U+00FF here.
    """

    display_name: str
    address_type: str
    email_address: str
    options: int = ONE_OFF_UNICODE | ONE_OFF_DONT_LOOKUP | ONE_OFF_NO_RICH_INFO
    version: int = 0
    flags: int = 0

    def encode(self) -> bytes:
        start = _U32.pack(self.flags) + MUID_OOP + self.version.to_bytes(2, "little")
        one = utf16 if self.options & ONE_OFF_UNICODE else _latin
        texts = one(self.display_name) + one(self.address_type) + one(self.email_address)
        return start + self.options.to_bytes(2, "little") + texts

    @classmethod
    def read(cls, cursor: Cursor) -> OneOffEntryId:
        flags = _head(cursor, MUID_OOP)
        version, options = cursor.u16(), cursor.u16()
        if options & ONE_OFF_UNICODE:
            name, kind, address = cursor.string(), cursor.string(), cursor.string()
        else:
            name, kind, address = (cursor.string8().decode("latin-1") for _ in range(3))
        return cls(name, kind, address, options, version, flags)

    @classmethod
    def decode(cls, data: bytes) -> OneOffEntryId:
        cursor = Cursor(data)
        made = cls.read(cursor)
        cursor.finish()
        return made


def _latin(text: str) -> bytes:
    return _no_nul(text.encode("latin-1", "replace"))


@dataclass(slots=True, frozen=True)
class AddressBookEntryId:
    """[MS-OXCDATA] 2.2.5.2 Address Book EntryID, the PermanentEntryID of [MS-OXNSPI] 2.2.9.3."""

    dn: str
    kind: int = DisplayType.LOCAL_MAIL_USER
    version: int = 1
    flags: int = 0

    def encode(self) -> bytes:
        return _U32.pack(self.flags) + MUID_EMSAB + _PAIR.pack(self.version, self.kind) + _latin(self.dn)

    @classmethod
    def decode(cls, data: bytes) -> AddressBookEntryId:
        cursor = Cursor(data)
        flags = _head(cursor, MUID_EMSAB)
        version, kind = cursor.u32(), cursor.u32()
        dn = cursor.string8().decode("latin-1")
        cursor.finish()
        return cls(dn, kind, version, flags)


@dataclass(slots=True, frozen=True)
class EphemeralEntryId:
    """[MS-OXNSPI] 2.2.9.2 EphemeralEntryID: good for one session with the server whose GUID is the provider."""

    provider: bytes
    mid: int
    kind: int = DisplayType.LOCAL_MAIL_USER

    def encode(self) -> bytes:
        return b"\x87\0\0\0" + self.provider + _PAIR.pack(1, self.kind) + _U32.pack(self.mid)

    @classmethod
    def decode(cls, data: bytes) -> EphemeralEntryId:
        cursor = Cursor(data)
        cursor.expect(b"\x87\0\0\0", "no ephemeral entry id")
        provider = cursor.guid()
        cursor.expect(b"\1\0\0\0", "no ephemeral entry id")
        kind, mid = cursor.u32(), cursor.u32()
        cursor.finish()
        return cls(provider, mid, kind)


@dataclass(slots=True, frozen=True)
class ContactEntryId:
    """[MS-OXCDATA] 2.2.5.3 Contact Address EntryID: an address (`index`: 0-2 e-mail, 3-5 fax) of a Contact object."""

    contact: bytes
    index: int = 0
    rest: bytes = b""
    flags: int = 0

    def encode(self) -> bytes:
        return _contab(self.flags, 4, self.index, self.contact) + self.rest

    @classmethod
    def decode(cls, data: bytes) -> ContactEntryId:
        flags, kind, index, entryid, rest = _read_contab(data)
        if kind != 4:
            raise WireError("no contact address")
        return cls(entryid, index, rest, flags)


@dataclass(slots=True, frozen=True)
class PersonalListEntryId:
    """[MS-OXCDATA] 2.2.5.4 Personal Distribution List EntryID: `members` is the entry id of the list's object."""

    members: bytes
    index: int = 0xFF
    rest: bytes = b""
    flags: int = 0

    def encode(self) -> bytes:
        return _contab(self.flags, 5, self.index, self.members) + self.rest

    @classmethod
    def decode(cls, data: bytes) -> PersonalListEntryId:
        flags, kind, index, entryid, rest = _read_contab(data)
        if kind != 5:
            raise WireError("no personal distribution list")
        return cls(entryid, index, rest, flags)


def _contab(flags: int, kind: int, index: int, entryid: bytes) -> bytes:
    return _U32.pack(flags) + MUID_CONTAB + _CONTAB.pack(3, kind, index, len(entryid)) + entryid


def _read_contab(data: bytes) -> tuple[int, int, int, bytes, bytes]:
    cursor = Cursor(data)
    flags = _head(cursor, MUID_CONTAB)
    version, kind, index, size = cursor.struct(_CONTAB)
    if version != 3:
        raise cursor.fail("a contact's entry id of another version")
    return flags, kind, index, cursor.take(size), cursor.rest()


@dataclass(slots=True, frozen=True)
class WrappedEntryId:
    """[MS-OXOCNTC] 2.2.2.2.4.1.1 WrappedEntryId: a member of a personal distribution list.

    `kind`: in the low 4 bits 0 one-off, 3 contact, 4 personal list, 5 address book user, 6 address book list; in the
    next 3 which of a contact's addresses. `entryid` is the embedded one.
    """

    entryid: bytes
    kind: int
    flags: int = 0

    def encode(self) -> bytes:
        return _U32.pack(self.flags) + MUID_WAB + bytes((self.kind,)) + self.entryid

    @classmethod
    def decode(cls, data: bytes) -> WrappedEntryId:
        cursor = Cursor(data)
        flags = _head(cursor, MUID_WAB)
        kind = cursor.u8()
        return cls(cursor.rest(), kind, flags)


EntryId = (
    GeneralEntryId
    | FolderEntryId
    | MessageEntryId
    | StoreEntryId
    | OneOffEntryId
    | AddressBookEntryId
    | EphemeralEntryId
    | ContactEntryId
    | PersonalListEntryId
    | WrappedEntryId
)


def _contact_or_list(data: bytes) -> ContactEntryId | PersonalListEntryId:
    return PersonalListEntryId.decode(data) if data[24:28] == b"\5\0\0\0" else ContactEntryId.decode(data)


_BY_PROVIDER: dict[bytes, Callable[[bytes], EntryId]] = {
    MUID_EMSAB: AddressBookEntryId.decode,
    MUID_OOP: OneOffEntryId.decode,
    MUID_STORE_WRAP: StoreEntryId.decode,
    MUID_CONTAB: _contact_or_list,
    MUID_WAB: WrappedEntryId.decode,
}
_FOLDERS = frozenset((1, 3, 5, 0xC))
_MESSAGES = frozenset((7, 9, 0xB))


def parse_entryid(data: bytes) -> EntryId:
    """The structure of an entry id. WireError when it is damaged; a provider that is not known gives GeneralEntryId."""
    decode = _BY_PROVIDER.get(data[4:_HEAD])
    if decode is not None:
        return decode(data)
    kind = int.from_bytes(data[_HEAD : _HEAD + 2], "little")
    if len(data) == 46 and kind in _FOLDERS:
        return FolderEntryId.decode(data)
    if len(data) == 70 and kind in _MESSAGES:
        return MessageEntryId.decode(data)
    if len(data) == 32 and data[:4] == b"\x87\0\0\0":
        return EphemeralEntryId.decode(data)
    return GeneralEntryId.decode(data)


class FlatEntryList(NamedTuple):
    """[MS-OXCDATA] 2.3.3 FlatEntryList of FlatEntry (2.3.2): PidTagReplyRecipientEntries."""

    entries: tuple[bytes, ...]

    def encode(self) -> bytes:
        body = bytearray()
        for entry in self.entries:
            # Each FlatEntry starts at a multiple of 4; Size counts the octets between them.
            body += bytes(-len(body) % 4)
            body += _U32.pack(len(entry)) + entry
        return _PAIR.pack(len(self.entries), len(body)) + bytes(body)

    @classmethod
    def decode(cls, data: bytes) -> FlatEntryList:
        cursor = Cursor(data)
        count = cursor.u32()
        entries = cursor.region(cursor.u32())
        cursor.finish()
        found = []
        for _ in range(entries.count(count, 4)):
            entry = entries.take(entries.u32())
            found.append(entry)
            entries.take(min(-len(entry) % 4, entries.left))
        entries.finish()
        return cls(tuple(found))


class EntryList(NamedTuple):
    """[MS-OXCDATA] 2.3.1 EntryList: the folders that a search folder searches, in its definition.

    `pads` are the Pad fields, the list's and then each entry's: Outlook leaves addresses there. Empty: zeros.
    """

    entries: tuple[bytes, ...]
    pads: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """WireError for pads that are not one more than the entries."""
        pads = self.pads or (0,) * (len(self.entries) + 1)
        if len(pads) != len(self.entries) + 1:
            raise WireError(f"{len(pads)} pads of {len(self.entries)} entries")
        lengths = b"".join([_PAIR.pack(len(entry), pad) for entry, pad in zip(self.entries, pads[1:], strict=True)])
        return _PAIR.pack(len(self.entries), pads[0]) + lengths + b"".join(self.entries)

    @classmethod
    def read(cls, cursor: Cursor) -> EntryList:
        count, pad = cursor.struct(_PAIR)
        heads = [cursor.struct(_PAIR) for _ in range(cursor.count(count, 8))]
        pads = (pad, *(pad for _, pad in heads))
        return cls(tuple([cursor.take(length) for length, _ in heads]), pads if any(pads) else ())

    @classmethod
    def decode(cls, data: bytes) -> EntryList:
        cursor = Cursor(data)
        made = cls.read(cursor)
        cursor.finish()
        return made


def one_off(display_name: str, address: str, address_type: str = "SMTP") -> bytes:
    """The usual entry id of a recipient without one: Unicode, not to be looked up in the address book."""
    if len(display_name) + len(address) > _SHORT:
        return OneOffEntryId(display_name, address_type, address).encode()
    return _one_off(display_name, address, address_type)


_SHORT: Final = 256
"""Characters of names and addresses that are remembered."""


@lru_cache(maxsize=1024)
def _one_off(display_name: str, address: str, address_type: str) -> bytes:
    return OneOffEntryId(display_name, address_type, address).encode()


def flat_entries(entries: Sequence[bytes]) -> bytes:
    """A FlatEntryList of entry ids."""
    return FlatEntryList(tuple(entries)).encode()
