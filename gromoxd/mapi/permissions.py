"""Rights on folders: their bits and roles, what they allow, and changes of a folder's list of them ([MS-OXCPERM])."""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.proptags import PidTagEntryId, PidTagMemberId, PidTagMemberRights
from gromoxd.mapi.values import TaggedPropertyValue

MEMBER_DEFAULT: Final = 0
"""PidTagMemberId of everybody who has no entry of their own, [MS-OXCPERM] 2.2.5."""
MEMBER_ANONYMOUS: Final = -1
"""PidTagMemberId of whom nobody authenticated: 0xFFFFFFFFFFFFFFFF as a signed number."""
NAME_DEFAULT: Final = ""
NAME_ANONYMOUS: Final = "Anonymous"
"""PidTagMemberName of these two, [MS-OXCPERM] 2.2.6."""


class Rights(IntFlag):
    """PidTagMemberRights, [MS-OXCPERM] 2.2.7. SendAs and StoreOwner are ours: no folder's list has them, they tell what
    somebody may do with a whole mailbox."""

    ReadAny = 0x00000001
    Create = 0x00000002
    SendAs = 0x00000004
    EditOwned = 0x00000008
    DeleteOwned = 0x00000010
    EditAny = 0x00000020
    DeleteAny = 0x00000040
    CreateSubfolder = 0x00000080
    FolderOwner = 0x00000100
    FolderContact = 0x00000200
    FolderVisible = 0x00000400
    FreeBusySimple = 0x00000800
    FreeBusyDetailed = 0x00001000
    StoreOwner = 0x00002000


NO_RIGHTS: Final = Rights(0)
ALL_RIGHTS: Final = Rights(0x5FB)
"""What an owner has: everything but being the contact."""
FREE_BUSY: Final = Rights.FreeBusySimple | Rights.FreeBusyDetailed
FOLDER_RIGHTS: Final = ALL_RIGHTS | Rights.FolderContact | FREE_BUSY
"""All bits that a folder's list may have."""
OWN_FOLDER_RIGHTS: Final = Rights(0x5E3)
"""What somebody who is not the mailbox's owner gets on a folder that they make in it."""
PUBLIC_DEFAULT_RIGHTS: Final = Rights(0x41B)
"""Of everybody, on the folders of a public store that say nothing else."""

ROLES: Final[dict[str, Rights]] = {
    "Owner": ALL_RIGHTS,
    "PublishingEditor": Rights(0x4FB),
    "Editor": Rights(0x47B),
    "PublishingAuthor": Rights(0x49B),
    "Author": Rights(0x41B),
    "NoneditingAuthor": Rights(0x413),
    "Reviewer": Rights(0x401),
    "Contributor": Rights(0x402),
    "None": NO_RIGHTS,
}
"""The sets of rights that clients have a name for."""
CUSTOM: Final = "Custom"

_ROLE_NAMES: Final = {rights: name for name, rights in ROLES.items()} | {Rights.FolderVisible: "None"}

IMPLIED: Final[tuple[tuple[Rights, Rights], ...]] = (
    (Rights.EditAny, Rights.EditOwned),
    (Rights.DeleteAny, Rights.DeleteOwned),
    (Rights.ReadAny, Rights.FolderVisible),
    (Rights.FolderOwner, Rights.FolderVisible),
    (Rights.FreeBusyDetailed, Rights.FreeBusySimple),
)
"""(right, what a client must set with it), [MS-OXCPERM] 2.2.7."""


def role_name(rights: int) -> str:
    """The role that these rights are, free/busy and contact aside; "Custom" when they are none."""
    return _ROLE_NAMES.get(Rights(rights) & ALL_RIGHTS, CUSTOM)


def missing(rights: int) -> tuple[tuple[Rights, Rights], ...]:
    """The pairs of IMPLIED that these rights have only the first of."""
    return tuple([(one, other) for one, other in IMPLIED if rights & one and not rights & other])


def closure(rights: int) -> Rights:
    """The rights with those that they imply; a folder's owner has all others, bits that no list may have are dropped.

    [MS-OXCPERM] 2.2.7; that an owner may do everything is MAPI's frightsOwner and the original's way.
    """
    closed = Rights(rights) & FOLDER_RIGHTS
    if Rights.FolderOwner in closed:
        closed |= ALL_RIGHTS
    for one, other in IMPLIED:
        if one in closed:
            closed |= other
    return closed


def changed_rights(old: int, new: int, include_free_busy: bool) -> Rights:
    """The rights of an entry after a change: without the request's IncludeFreeBusy flag the free/busy bits stay as they
    were ([MS-OXCPERM] 2.2.2.1)."""
    wanted = Rights(new) & FOLDER_RIGHTS
    return wanted if include_free_busy else (wanted & ~FREE_BUSY) | (Rights(old) & FREE_BUSY)


def shown_rights(rights: int, include_free_busy: bool) -> Rights:
    """PidTagMemberRights of a row: the free/busy bits only when the table was asked for them, 2.2.1.1."""
    shown = Rights(rights) & FOLDER_RIGHTS
    return shown if include_free_busy else shown & ~FREE_BUSY


# What rights allow


class Access(IntFlag):
    """PidTagAccess, [MS-OXCPRPT] 2.2.1.1."""

    Modify = 0x00000001
    Read = 0x00000002
    Delete = 0x00000004
    CreateHierarchy = 0x00000008
    CreateContents = 0x00000010
    CreateAssociated = 0x00000020


ALL_ACCESS: Final = Access(0x3F)
MESSAGE_ACCESS: Final = Access.Modify | Access.Read | Access.Delete


def folder_access(rights: int) -> Access:
    """PidTagAccess of a folder: its owner may do everything, others open what they see and create what they may."""
    if rights & Rights.FolderOwner:
        return ALL_ACCESS
    access = Access(0)
    if rights & (Rights.ReadAny | Rights.FolderVisible):
        access |= Access.Read
    if rights & Rights.Create:
        access |= Access.CreateContents | Access.CreateAssociated
    if rights & Rights.CreateSubfolder:
        access |= Access.CreateHierarchy
    return access


def message_access(rights: int, own: bool) -> Access:
    """PidTagAccess of a message; `own`: who asks created it ([MS-OXCPERM] 2.2.7)."""
    if rights & Rights.FolderOwner:
        return MESSAGE_ACCESS
    access = Access(0)
    if own or rights & Rights.ReadAny:
        access |= Access.Read
    if rights & Rights.EditAny or (own and rights & Rights.EditOwned):
        access |= Access.Modify
    if rights & Rights.DeleteAny or (own and rights & Rights.DeleteOwned):
        access |= Access.Delete
    return access


def access_level(access: int) -> int:
    """PidTagAccessLevel, [MS-OXCPRPT] 2.2.1.2: 1 where the object may be modified, else 0."""
    return int(bool(access & Access.Modify))


# Changes of a list


class ModifyFlags(IntFlag):
    """Of RopModifyPermissions, [MS-OXCPERM] 2.2.2.1."""

    ReplaceRows = 0x01
    IncludeFreeBusy = 0x02


class PermissionDataFlags(IntFlag):
    """[MS-OXCPERM] 2.2.2.1.1."""

    AddRow = 0x01
    ModifyRow = 0x02
    RemoveRow = 0x04


_HEAD = Struct("<BH")


class PermissionData(NamedTuple):
    """PermissionData, [MS-OXCPERM] 2.2.2.1.1: one change of a folder's list."""

    flags: int
    property_values: tuple[TaggedPropertyValue, ...]

    @classmethod
    def read(cls, cursor: Cursor) -> PermissionData:
        flags, count = cursor.struct(_HEAD)
        values = tuple([TaggedPropertyValue.read(cursor) for _ in range(cursor.count(count, 4))])
        return cls(flags, values)

    @classmethod
    def decode(cls, data: bytes) -> PermissionData:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        values = b"".join([value.encode() for value in self.property_values])
        return _HEAD.pack(self.flags, len(self.property_values)) + values

    @property
    def change(self) -> PermissionChange:
        """What it asks for. WireError for a change without what it needs ([MS-OXCPERM] 3.1.4.2, 3.1.4.3, 3.1.4.4)."""
        bag = dict(self.property_values)
        flags = self.flags
        if flags not in (PermissionDataFlags.AddRow, PermissionDataFlags.ModifyRow, PermissionDataFlags.RemoveRow):
            raise WireError(f"flags {flags:#x} of a permission")
        entry_id, member_id, rights = bag.get(PidTagEntryId), bag.get(PidTagMemberId), bag.get(PidTagMemberRights)
        if flags == PermissionDataFlags.AddRow:
            if not isinstance(entry_id, bytes):
                raise WireError("permission of nobody")
            member_id = None
        elif not isinstance(member_id, int):
            raise WireError("permission of no member")
        if flags == PermissionDataFlags.RemoveRow:
            rights = 0
        elif not isinstance(rights, int):
            raise WireError("permission without rights")
        entry = entry_id if isinstance(entry_id, bytes) else None
        return PermissionChange(PermissionDataFlags(flags), entry, member_id, Rights(rights & 0xFFFFFFFF))


class PermissionChange(NamedTuple):
    """One change as it is carried out: whom it adds (`entry_id`), or whose row it changes or removes (`member_id`)."""

    kind: PermissionDataFlags
    entry_id: bytes | None
    member_id: int | None
    rights: Rights
