"""What ROPs on attachments and messages within them do ([MS-OXCMSG] 3.2.5.10-3.2.5.17)."""

from __future__ import annotations

from typing import Final

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi import codepages
from gromoxd.mapi.flags import OpenEmbeddedFlags, OpenModeFlags, SaveFlags
from gromoxd.rop import messages as w
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.messages import code_page, told
from workers.http.emsmdb.objects import Attachment, Message

_KEPT_OPEN: Final = SaveFlags.KeepOpenReadOnly | SaveFlags.KeepOpenReadWrite


@handles(w.OpenAttachment)
def open_attachment(call: Call, request: w.OpenAttachment) -> w.OpenAttachmentResponse:
    """[MS-OXCMSG] 3.2.5.12; best access is what the message was opened with."""
    opened = call.object(Message)
    mode = request.open_attachment_flags & OpenModeFlags.BestAccess
    if mode == OpenModeFlags.ReadWrite:
        opened.message.require_writable()
    found = opened.message.open_attachment(request.attachment_id, writable=bool(mode & OpenModeFlags.ReadWrite))
    made = Attachment(opened.logon, found, opened.code_page)
    call.put(request.output, made)
    made.owned_by(opened)
    return w.OpenAttachmentResponse(request.output, 0)


@handles(w.CreateAttachment)
def create_attachment(call: Call, request: w.CreateAttachment) -> w.CreateAttachmentResponse:
    """[MS-OXCMSG] 3.2.5.13: it is the message's when it is saved."""
    opened = call.object(Message)
    attachment = opened.message.create_attachment(call.session.clock())
    made = Attachment(opened.logon, attachment, opened.code_page)
    call.put(request.output, made)
    made.owned_by(opened)
    return w.CreateAttachmentResponse(request.output, 0, attachment.num)


@handles(w.DeleteAttachment)
def delete_attachment(call: Call, request: w.DeleteAttachment) -> w.DeleteAttachmentResponse:
    """[MS-OXCMSG] 3.2.5.14."""
    call.object(Message).message.delete_attachment(request.attachment_id)
    return w.DeleteAttachmentResponse(request.index, 0)


@handles(w.SaveChangesAttachment)
def save_changes_attachment(call: Call, request: w.SaveChangesAttachment) -> w.SaveChangesAttachmentResponse:
    """[MS-OXCMSG] 3.2.5.14: into the message, which is to be saved in turn. ecNotSupported: flags at odds."""
    opened = call.object(Attachment, request.input)
    if request.save_flags & _KEPT_OPEN == _KEPT_OPEN:
        raise MapiError(Ec.ecNotSupported, f"save flags {request.save_flags:#x}")
    if not opened.attachment.writable:
        raise MapiError(Ec.ecAccessDenied, "opened for reading")
    opened.attachment.save(read_only=bool(request.save_flags & SaveFlags.KeepOpenReadOnly))
    return w.SaveChangesAttachmentResponse(request.index, 0)


@handles(w.GetValidAttachments)
def get_valid_attachments(call: Call, request: w.GetValidAttachments) -> w.GetValidAttachmentsResponse:
    """[MS-OXCMSG] 3.2.5.18: the numbers of the attachments that can be opened."""
    message = call.object(Message).message
    return w.GetValidAttachmentsResponse(request.index, 0, sorted(message.loaded().attachments))


@handles(w.OpenEmbeddedMessage)
def open_embedded_message(call: Call, request: w.OpenEmbeddedMessage) -> w.OpenEmbeddedMessageResponse:
    """[MS-OXCMSG] 3.2.5.16. UnknownCodePage."""
    opened = call.object(Attachment)
    asked = code_page(call, request.code_page)
    if codepages.codec_of(asked) is None and asked != call.session.code_page:
        raise MapiError(Ec.UnknownCodePage, f"code page {asked}")
    mode = int(request.open_mode_flags) & 3
    create = mode == OpenEmbeddedFlags.Create
    if create or mode == OpenEmbeddedFlags.ReadWrite:
        opened.attachment.require_writable()
    message = opened.attachment.open_embedded(create=create, writable=bool(mode))
    made = Message(opened.logon, message, asked)
    call.put(request.output, made)
    made.owned_by(opened)
    return w.OpenEmbeddedMessageResponse(
        index=request.output, code=0, reserved=0, message_id=opened.logon.eid(message.mid), **told(call, made)
    )
