"""ROPs on messages, their recipients and attachments ([MS-OXCROPS] 2.2.6, [MS-OXCMSG] 2.2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Annotated, Any, Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.recipients import RecipientRow
from gromoxd.mapi.values import TypedString
from gromoxd.rop.codec import (
    U8,
    U16,
    U32,
    U64,
    Flag,
    Ids,
    Request,
    Response,
    Tags,
    listed,
    request,
    response,
    sized,
    structure,
)

CLIENT_DATA: Final = 24
_OCTETS: Final = sized("H")
_OPEN_ROW: Final = Struct("<BHH")
_READ_ROW: Final = Struct("<IBHH")
_MODIFY_ROW: Final = Struct("<IB")
_ANSWER: Final = Struct("<BBI")


class OpenRecipientRow(NamedTuple):
    """[MS-OXCROPS] 2.2.6.1.2.1. `row`: the octets of a RecipientRow, of which the response's columns tell the form."""

    type: int
    code_page: int
    reserved: int
    row: bytes

    @classmethod
    def read(cls, cursor: Cursor) -> OpenRecipientRow:
        kind, page, reserved = cursor.struct(_OPEN_ROW)
        return cls(kind, page, reserved, _OCTETS.read(cursor))

    def encode(self) -> bytes:
        return _OPEN_ROW.pack(*self[:3]) + _OCTETS.write(self.row)

    def recipient(self, columns: Sequence[int]) -> RecipientRow:
        """The recipient. WireError."""
        return RecipientRow.decode(self.row, columns)


class ReadRecipientRow(NamedTuple):
    """[MS-OXCROPS] 2.2.6.6.2.1; the columns are those of the response that opened the message."""

    row_id: int
    type: int
    code_page: int
    reserved: int
    row: bytes

    @classmethod
    def read(cls, cursor: Cursor) -> ReadRecipientRow:
        row_id, kind, page, reserved = cursor.struct(_READ_ROW)
        return cls(row_id, kind, page, reserved, _OCTETS.read(cursor))

    def encode(self) -> bytes:
        return _READ_ROW.pack(*self[:4]) + _OCTETS.write(self.row)


class ModifyRecipientRow(NamedTuple):
    """[MS-OXCROPS] 2.2.6.5.1.1. Without octets the recipient is to be removed."""

    row_id: int
    type: int
    row: bytes

    @classmethod
    def read(cls, cursor: Cursor) -> ModifyRecipientRow:
        row_id, kind = cursor.struct(_MODIFY_ROW)
        return cls(row_id, kind, _OCTETS.read(cursor))

    def encode(self) -> bytes:
        return _MODIFY_ROW.pack(self.row_id, self.type) + _OCTETS.write(self.row)


Subject = Annotated[TypedString, structure(TypedString)]
OpenRows = Annotated[list[OpenRecipientRow], listed("B", structure(OpenRecipientRow), 7)]
ReadRows = Annotated[list[ReadRecipientRow], listed("B", structure(ReadRecipientRow), 11)]
ModifyRows = Annotated[list[ModifyRecipientRow], listed("H", structure(ModifyRecipientRow), 7)]


@request(0x03)
class OpenMessage(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.1.1."""

    output: U8
    code_page: U16
    folder_id: U64
    open_mode_flags: U8
    message_id: U64


@response(0x03)
class OpenMessageResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.1.2."""

    has_named_properties: Flag
    subject_prefix: Subject
    normalized_subject: Subject
    recipient_count: U16
    columns: Tags
    rows: OpenRows


@request(0x06)
class CreateMessage(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.2.1."""

    output: U8
    code_page: U16
    folder_id: U64
    associated: Flag


@response(0x06)
class CreateMessageResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.2.2. `message_id` None: HasMessageId is 0."""

    message_id: int | None

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        return {"message_id": cursor.u64() if cursor.u8() else None}

    def body(self) -> bytes:
        return b"\0" if self.message_id is None else b"\1" + self.message_id.to_bytes(8, "little")


@request(0x0C)
class SaveChangesMessage(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.3.1; `index` is ResponseHandleIndex."""

    input: U8
    save_flags: U8


@response(0x0C)
class SaveChangesMessageResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.3.2."""

    input: U8
    message_id: U64


@request(0x0D)
class RemoveAllRecipients(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.4.1."""

    reserved: U32 = 0


@response(0x0D)
class RemoveAllRecipientsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.4.2."""


@request(0x0E)
class ModifyRecipients(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.5.1."""

    columns: Tags
    rows: ModifyRows


@response(0x0E)
class ModifyRecipientsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.5.2."""


@request(0x0F)
class ReadRecipients(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.6.1."""

    row_id: U32
    reserved: U16 = 0


@response(0x0F)
class ReadRecipientsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.6.2."""

    rows: ReadRows


@request(0x10)
class ReloadCachedInformation(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.7.1."""

    reserved: U16 = 0


@response(0x10)
class ReloadCachedInformationResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.7.2."""

    has_named_properties: Flag
    subject_prefix: Subject
    normalized_subject: Subject
    recipient_count: U16
    columns: Tags
    rows: OpenRows


@request(0x20)
class SetMessageStatus(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.8.1."""

    message_id: U64
    message_status_flags: U32
    message_status_mask: U32


@response(0x20)
class SetMessageStatusResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.8.2, and the response to RopGetMessageStatus, which has its RopId (2.2.6.9.2)."""

    message_status_flags: U32


@request(0x1F)
class GetMessageStatus(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.9.1."""

    message_id: U64

    def failure(self, code: int) -> bytes:
        return _ANSWER.pack(SetMessageStatus.rop, self.index, code)


@request(0x66)
class SetReadFlags(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.10.1."""

    want_asynchronous: Flag
    read_flags: U8
    message_ids: Ids

    def failure(self, code: int) -> bytes:
        """The response has one form ([MS-OXCROPS] 2.2.6.10.2)."""
        return super().failure(code) + b"\0"


@response(0x66, always=True)
class SetReadFlagsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.10.2."""

    partial_completion: Flag


@request(0x11)
class SetMessageReadFlag(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.11.1 on a logon of a private mailbox; `index` is ResponseHandleIndex."""

    input: U8
    read_flags: U8


@request(0x11, public=True)
class SetPublicMessageReadFlag(Request, frozen=True):
    """The same on a logon of a public store: ClientData follows. b'': a client has left it out at the buffer's end."""

    input: U8
    read_flags: U8
    client_data: bytes = b""

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        found = super().read_body(cursor)
        return {**found, "client_data": cursor.take(CLIENT_DATA) if cursor.left else b""}

    def body(self) -> bytes:
        return super().body() + self.client_data


@response(0x11)
class SetMessageReadFlagResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.11.2. `client_data` is there when `read_status_changed`."""

    read_status_changed: bool
    logon: int = 0
    client_data: bytes = b""

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        if not cursor.u8():
            return {"read_status_changed": False}
        return {"read_status_changed": True, "logon": cursor.u8(), "client_data": cursor.take(CLIENT_DATA)}

    def body(self) -> bytes:
        if not self.read_status_changed:
            return b"\0"
        if len(self.client_data) != CLIENT_DATA:
            raise WireError(f"ClientData of {len(self.client_data)} octets")
        return bytes((1, self.logon)) + self.client_data


@request(0x22)
class OpenAttachment(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.12.1."""

    output: U8
    open_attachment_flags: U8
    attachment_id: U32


@response(0x22)
class OpenAttachmentResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.12.2."""


@request(0x23)
class CreateAttachment(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.13.1."""

    output: U8


@response(0x23)
class CreateAttachmentResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.13.2."""

    attachment_id: U32


@request(0x24)
class DeleteAttachment(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.14.1."""

    attachment_id: U32


@response(0x24)
class DeleteAttachmentResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.14.2."""


@request(0x25)
class SaveChangesAttachment(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.15.1; `index` is ResponseHandleIndex."""

    input: U8
    save_flags: U8


@response(0x25)
class SaveChangesAttachmentResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.15.2."""


@request(0x46)
class OpenEmbeddedMessage(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.16.1."""

    output: U8
    code_page: U16
    open_mode_flags: U8


@response(0x46)
class OpenEmbeddedMessageResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.16.2."""

    reserved: U8
    message_id: U64
    has_named_properties: Flag
    subject_prefix: Subject
    normalized_subject: Subject
    recipient_count: U16
    columns: Tags
    rows: OpenRows


@request(0x52)
class GetValidAttachments(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.18.1."""


@response(0x52)
class GetValidAttachmentsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.18.2."""

    attachment_ids: Tags
