"""RopRegisterNotification and RopNotify ([MS-OXCROPS] 2.2.14.1, 2.2.14.2; [MS-OXCNOTIF] 2.2.1.2.1, 2.2.1.4.1)."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

import msgspec

from gromoxd.mapi.cursor import Cursor, utf16
from gromoxd.rop.codec import U8, Request, Response, request, response

NEW_MAIL, CREATED, DELETED, MODIFIED, MOVED, COPIED = 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
SEARCH_COMPLETE, TABLE_MODIFIED, EXTENDED = 0x80, 0x100, 0x400
"""NotificationType ([MS-OXCNOTIF] 2.2.1.4.1.2)."""
TOTAL, UNREAD, IN_SEARCH, OF_MESSAGE = 0x1000, 0x2000, 0x4000, 0x8000
"""The other bits of NotificationFlags: T, U, S, M."""
TABLE_CHANGED, ROW_ADDED, ROW_DELETED, ROW_MODIFIED, RESTRICTION_CHANGED = 1, 3, 4, 5, 7
"""TableEventType."""
_TYPE: Final = 0xFFF
_ROWS: Final = (ROW_ADDED, ROW_DELETED, ROW_MODIFIED)
_PLACED: Final = (ROW_ADDED, ROW_MODIFIED)
_WITH_OLD: Final = (MOVED, COPIED)
_WITH_PARENT: Final = (CREATED, DELETED, MOVED, COPIED)
_WITH_TAGS: Final = (CREATED, MODIFIED)
_SCOPE = Struct("<QQ")
_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")
_PLACE = Struct("<QI")
_HEAD = Struct("<BIB")
HEAD_SIZE: Final = _HEAD.size
"""Octets of a RopNotify response before its NotificationData."""


@request(0x29)
class RegisterNotification(Request, frozen=True):
    """[MS-OXCROPS] 2.2.14.1. `types`: NEW_MAIL …; the ids are there when `whole_store` is not said."""

    output: U8
    types: U8
    reserved: U8
    whole_store: bool
    folder_id: int = 0
    message_id: int = 0

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        found: dict[str, Any] = {"output": cursor.u8(), "types": cursor.u8(), "reserved": cursor.u8()}
        found["whole_store"] = whole = cursor.u8() != 0
        if not whole:
            found["folder_id"], found["message_id"] = cursor.struct(_SCOPE)
        return found

    def body(self) -> bytes:
        head = bytes((self.output, self.types, self.reserved, self.whole_store))
        return head if self.whole_store else head + _SCOPE.pack(self.folder_id, self.message_id)


@response(0x29)
class RegisterNotificationResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.14.1.2."""


class NotificationData(msgspec.Struct, frozen=True, kw_only=True):
    """[MS-OXCNOTIF] 2.2.1.4.1.2. `flags` say which of the other fields travel. `message_class` is str for Unicode."""

    flags: int
    table_event: int = 0
    row_folder: int = 0
    row_message: int = 0
    row_instance: int = 0
    after_folder: int = 0
    after_message: int = 0
    after_instance: int = 0
    row: bytes = b""
    folder: int = 0
    message: int = 0
    parent: int = 0
    old_folder: int = 0
    old_message: int = 0
    old_parent: int = 0
    tags: list[int] | None = None
    """None: not known (TagCount 0xFFFF)."""
    total: int = 0
    unread: int = 0
    message_flags: int = 0
    message_class: str | bytes = ""

    @property
    def type(self) -> int:
        """NotificationType."""
        return self.flags & _TYPE

    # ------------------------------------------------------------------------------------------ writing

    def encode(self) -> bytes:
        """NotificationFlags and what they announce."""
        head = _U16.pack(self.flags)
        return head + (self._table() if self.type == TABLE_MODIFIED else self._object()) + self._counts()

    def _table(self) -> bytes:
        kind, of_message = self.table_event, self.flags & OF_MESSAGE
        parts = [_U16.pack(kind)]
        if kind in _ROWS:
            parts.append(_U64.pack(self.row_folder))
            if of_message:
                parts.append(_PLACE.pack(self.row_message, self.row_instance))
        if kind in _PLACED:
            parts.append(_U64.pack(self.after_folder))
            if of_message:
                parts.append(_PLACE.pack(self.after_message, self.after_instance))
            parts += [_U16.pack(len(self.row)), self.row]
        return b"".join(parts)

    def _object(self) -> bytes:
        kind, of_message = self.type, self.flags & OF_MESSAGE
        if kind == EXTENDED:
            return b""
        parts = [_U64.pack(self.folder)]
        if of_message:
            parts.append(_U64.pack(self.message))
        if _has_parent(self.flags):
            parts.append(_U64.pack(self.parent))
        if kind in _WITH_OLD:
            parts.append(_SCOPE.pack(self.old_folder, self.old_message if of_message else self.old_parent))
        if kind in _WITH_TAGS:
            tags = self.tags or []
            parts.append(_U16.pack(0xFFFF if self.tags is None else len(tags)))
            parts.append(Struct(f"<{len(tags)}I").pack(*tags))
        return b"".join(parts)

    def _counts(self) -> bytes:
        found = _U32.pack(self.total) if self.flags & TOTAL else b""
        if self.flags & UNREAD:
            found += _U32.pack(self.unread)
        if self.type == NEW_MAIL:
            name = self.message_class
            text = utf16(name) if isinstance(name, str) else name.partition(b"\0")[0] + b"\0"
            found += _U32.pack(self.message_flags) + bytes((isinstance(name, str),)) + text
        return found

    # ------------------------------------------------------------------------------------------ reading

    @classmethod
    def read(cls, cursor: Cursor) -> NotificationData:
        """The next one."""
        flags = cursor.u16()
        found: dict[str, Any] = {"flags": flags}
        if flags & _TYPE == TABLE_MODIFIED:
            _read_table(cursor, flags, found)
        else:
            _read_object(cursor, flags, found)
        if flags & TOTAL:
            found["total"] = cursor.u32()
        if flags & UNREAD:
            found["unread"] = cursor.u32()
        if flags & _TYPE == NEW_MAIL:
            found["message_flags"] = cursor.u32()
            found["message_class"] = cursor.string() if cursor.u8() else cursor.string8()
        return cls(**found)


def _has_parent(flags: int) -> bool:
    """Whether ParentFolderId is there: of a folder, or of a message in a search folder."""
    placed = flags & (IN_SEARCH | OF_MESSAGE)
    return flags & _TYPE in _WITH_PARENT and placed in (0, IN_SEARCH | OF_MESSAGE)


def _read_table(cursor: Cursor, flags: int, found: dict[str, Any]) -> None:
    found["table_event"] = kind = cursor.u16()
    if kind in _ROWS:
        found["row_folder"] = cursor.u64()
        if flags & OF_MESSAGE:
            found["row_message"], found["row_instance"] = cursor.struct(_PLACE)
    if kind in _PLACED:
        found["after_folder"] = cursor.u64()
        if flags & OF_MESSAGE:
            found["after_message"], found["after_instance"] = cursor.struct(_PLACE)
        found["row"] = cursor.take(cursor.u16())


def _read_object(cursor: Cursor, flags: int, found: dict[str, Any]) -> None:
    kind = flags & _TYPE
    if kind == EXTENDED:
        return
    found["folder"] = cursor.u64()
    if flags & OF_MESSAGE:
        found["message"] = cursor.u64()
    if _has_parent(flags):
        found["parent"] = cursor.u64()
    if kind in _WITH_OLD:
        old = "old_message" if flags & OF_MESSAGE else "old_parent"
        found["old_folder"], found[old] = cursor.struct(_SCOPE)
    if kind in _WITH_TAGS:
        count = cursor.u16()
        if count != 0xFFFF:
            count = cursor.count(count, 4)
            found["tags"] = list(cursor.struct(Struct(f"<{count}I")))


@response(0x2A, always=True)
class Notify(Response, frozen=True):
    """[MS-OXCROPS] 2.2.14.2: a response without a request, and without handle index and ReturnValue."""

    handle: int
    logon: int
    data: NotificationData

    def encode(self) -> bytes:
        return _HEAD.pack(self.rop, self.handle, self.logon) + self.data.encode()

    @classmethod
    def read(cls, cursor: Cursor) -> Notify:
        handle, logon = cursor.u32(), cursor.u8()
        return cls(0, 0, handle, logon, NotificationData.read(cursor))


def notify(handle: int, logon: int, data: NotificationData) -> bytes:
    """The octets of a RopNotify response."""
    return _HEAD.pack(Notify.rop, handle, logon) + data.encode()


def table_of(octets: bytes) -> tuple[int, int]:
    """(handle, TableEventType) of an encoded RopNotify about a table; TableEventType 0 of others."""
    _, handle, _, flags, kind = _KINDS.unpack(octets[: _KINDS.size].ljust(_KINDS.size, b"\0"))
    return handle, kind if flags & _TYPE == TABLE_MODIFIED else 0


_KINDS = Struct("<BIBHH")
