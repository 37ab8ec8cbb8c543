"""ROPs on folders ([MS-OXCROPS] 2.2.4, [MS-OXCFOLD] 2.2.1). Their tables are in `tables`.

A ROP that takes long may be answered by RopProgress (`progress`) when it was sent with WantAsynchronous.
"""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Any, ClassVar, Final

from gromoxd.errors import Ec
from gromoxd.mapi.cursor import Cursor, utf16
from gromoxd.rop.codec import U8, U32, U64, Data16, Flag, Ids, Request, Response, request, response
from gromoxd.rop.store import Servers, read_ghost, write_ghost

SOFT_DELETED: Final = 0x04
"""OpenModeFlags: OpenSoftDeleted ([MS-OXCFOLD] 2.2.1.1.1)."""
GENERIC, SEARCH = 1, 2
"""FolderType ([MS-OXCFOLD] 2.2.1.2.1)."""


class DeleteFolderFlags(IntFlag):
    """[MS-OXCFOLD] 2.2.1.3.1."""

    DEL_MESSAGES = 0x01
    DEL_FOLDERS = 0x04
    DELETE_HARD_DELETE = 0x10


@request(0x02)
class OpenFolder(Request, frozen=True):
    """[MS-OXCROPS] 2.2.4.1.1."""

    output: U8
    folder_id: U64
    open_mode_flags: U8


@response(0x02)
class OpenFolderResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.4.1.2. `ghost`: the servers of a public folder that is not here."""

    has_rules: bool
    ghost: Servers | None = None

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        return {"has_rules": cursor.u8() != 0, "ghost": read_ghost(cursor)}

    def body(self) -> bytes:
        return bytes((self.has_rules,)) + write_ghost(self.ghost)


class _Texts(Request, frozen=True):
    """A request that ends with strings: str, or octets of the session's code page where `unicode` is not set."""

    texts: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        found = super().read_body(cursor)
        for name in cls.texts:
            found[name] = cursor.string() if found["unicode"] else cursor.string8()
        return found

    def body(self) -> bytes:
        return super().body() + b"".join([_text(getattr(self, name)) for name in self.texts])


def _text(text: str | bytes) -> bytes:
    return utf16(text) if isinstance(text, str) else text.partition(b"\0")[0] + b"\0"


@request(0x1C)
class CreateFolder(_Texts, frozen=True):
    """[MS-OXCROPS] 2.2.4.2.1."""

    texts = ("display_name", "comment")
    output: U8
    folder_type: U8
    unicode: Flag
    open_existing: Flag
    reserved: U8
    display_name: str | bytes
    comment: str | bytes


@response(0x1C)
class CreateFolderResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.4.2.2. `has_rules` and `ghost` are of a folder that was there already."""

    folder_id: U64
    is_existing_folder: Flag
    has_rules: bool = False
    ghost: Servers | None = None

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        found = super().read_body(cursor)
        if found["is_existing_folder"]:
            found |= {"has_rules": cursor.u8() != 0, "ghost": read_ghost(cursor)}
        return found

    def body(self) -> bytes:
        existing = bytes((self.has_rules,)) + write_ghost(self.ghost) if self.is_existing_folder else b""
        return super().body() + existing


class _Partial(Request, frozen=True):
    """A request whose response says whether all was done, also when it failed."""

    def failure(self, code: int) -> bytes:
        return _HEAD.pack(self.rop, self.index, code) + b"\0"


_HEAD: Final = Struct("<BBI")
_DESTINATION: Final = Struct("<IB")
_U32: Final = Struct("<I")


class PartialResponse(Response, frozen=True):
    """`partial_completion`: some of it was left undone."""

    partial_completion: Flag


class DestinationResponse(PartialResponse, frozen=True):
    """The same; with ecDstNullObject the destination's handle index comes first (Null Destination Failure)."""

    dest_handle_index: int = 0

    @classmethod
    def read(cls, cursor: Cursor) -> Response:
        index, code = cursor.u8(), cursor.u32()
        destination = cursor.u32() if code == Ec.ecDstNullObject else 0
        return cls(index, code, cursor.u8() != 0, destination)

    def body(self) -> bytes:
        partial = bytes((self.partial_completion,))
        return _U32.pack(self.dest_handle_index) + partial if self.code == Ec.ecDstNullObject else partial


class _Destination(_Partial, frozen=True):
    """`index` is the source, `destination` the handle index of where it goes."""

    def failure(self, code: int) -> bytes:
        if code != Ec.ecDstNullObject:
            return super().failure(code)
        return _HEAD.pack(self.rop, self.index, code) + _DESTINATION.pack(getattr(self, "destination"), 0)  # noqa: B009


@request(0x1D)
class DeleteFolder(_Partial, frozen=True):
    """[MS-OXCROPS] 2.2.4.3.1."""

    delete_folder_flags: U8
    folder_id: U64


@response(0x1D, always=True)
class DeleteFolderResponse(PartialResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.3.2."""


@request(0x30)
class SetSearchCriteria(Request, frozen=True):
    """[MS-OXCROPS] 2.2.4.4.1. `restriction` is encoded, b'' keeps the one of before."""

    restriction: Data16
    folder_ids: Ids
    search_flags: U32


@response(0x30)
class SetSearchCriteriaResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.4.4.2."""


@request(0x31)
class GetSearchCriteria(Request, frozen=True):
    """[MS-OXCROPS] 2.2.4.5.1."""

    use_unicode: Flag
    include_restriction: Flag
    include_folders: Flag


@response(0x31)
class GetSearchCriteriaResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.4.5.2."""

    restriction: Data16
    logon_id: U8
    folder_ids: Ids
    search_flags: U32


@request(0x33)
class MoveCopyMessages(_Destination, frozen=True):
    """[MS-OXCROPS] 2.2.4.6.1."""

    destination: U8
    message_ids: Ids
    want_asynchronous: Flag
    want_copy: Flag


@response(0x33, always=True)
class MoveCopyMessagesResponse(DestinationResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.6.2, 2.2.4.6.3."""


@request(0x35)
class MoveFolder(_Texts, _Destination, frozen=True):
    """[MS-OXCROPS] 2.2.4.7.1."""

    texts = ("new_folder_name",)
    destination: U8
    want_asynchronous: Flag
    unicode: Flag
    folder_id: U64
    new_folder_name: str | bytes


@response(0x35, always=True)
class MoveFolderResponse(DestinationResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.7.2, 2.2.4.7.3."""


@request(0x36)
class CopyFolder(_Texts, _Destination, frozen=True):
    """[MS-OXCROPS] 2.2.4.8.1."""

    texts = ("new_folder_name",)
    destination: U8
    want_asynchronous: Flag
    want_recursive: Flag
    unicode: Flag
    folder_id: U64
    new_folder_name: str | bytes


@response(0x36, always=True)
class CopyFolderResponse(DestinationResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.8.2, 2.2.4.8.3."""


@request(0x58)
class EmptyFolder(_Partial, frozen=True):
    """[MS-OXCROPS] 2.2.4.9.1."""

    want_asynchronous: Flag
    want_delete_associated: Flag


@response(0x58, always=True)
class EmptyFolderResponse(PartialResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.9.2."""


@request(0x92)
class HardDeleteMessagesAndSubfolders(_Partial, frozen=True):
    """[MS-OXCROPS] 2.2.4.10.1."""

    want_asynchronous: Flag
    want_delete_associated: Flag


@response(0x92, always=True)
class HardDeleteMessagesAndSubfoldersResponse(PartialResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.10.2."""


@request(0x1E)
class DeleteMessages(_Partial, frozen=True):
    """[MS-OXCROPS] 2.2.4.11.1."""

    want_asynchronous: Flag
    notify_non_read: Flag
    message_ids: Ids


@response(0x1E, always=True)
class DeleteMessagesResponse(PartialResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.11.2."""


@request(0x91)
class HardDeleteMessages(_Partial, frozen=True):
    """[MS-OXCROPS] 2.2.4.12.1."""

    want_asynchronous: Flag
    notify_non_read: Flag
    message_ids: Ids


@response(0x91, always=True)
class HardDeleteMessagesResponse(PartialResponse, frozen=True):
    """[MS-OXCROPS] 2.2.4.12.2."""
