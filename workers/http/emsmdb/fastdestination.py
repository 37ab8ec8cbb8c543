"""Fast transfer uploads ([MS-OXCFXICS] 2.2.3.1.2, 3.2.5.8.2): what a client sends becomes objects while it comes."""

from __future__ import annotations

from functools import partial
from typing import Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.fasttransfer import LongReader, LongValue
from gromoxd.rop import fasttransfer as rop
from workers.http.emsmdb import correspondents, streamin
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Attachment, Folder, Message, ServerObject
from workers.http.emsmdb.session import Session

COPY_TO, COPY_PROPERTIES, COPY_MESSAGES, COPY_FOLDER = 1, 2, 3, 4
"""SourceOperation ([MS-OXCFXICS] 2.2.3.1.2.1.1)."""
MOVE: Final = 0x01
LONGEST: Final = 1 << 20
"""Octets of a value that is in memory until it is complete; a longer one goes to its message's spool as it comes."""


class Destination(ServerObject):
    """An upload context. What went wrong once goes wrong again."""

    transfers = True

    def __init__(self, target: ServerObject, root: streamin.Sink) -> None:
        super().__init__(target.logon)
        self._reader = LongReader(LONGEST)
        self._assembler = streamin.Assembler(root)
        self._failure: MapiError | None = None

    def put(self, data: bytes) -> None:
        """More of the stream. ecRpcFormat for what is none."""
        if self._failure is not None:
            raise self._failure
        try:
            for element in self._reader.read(data):
                if isinstance(element, bytes):
                    self._assembler.piece(element)
                elif isinstance(element, LongValue):
                    self._assembler.begin(element)
                else:
                    self._assembler.element(element)
            self._assembler.pause()
        except MapiError as error:
            self._fail(error)
            raise
        except WireError as error:
            self._fail(MapiError(Ec.ecRpcFormat, str(error)))
            raise MapiError(Ec.ecRpcFormat, str(error)) from error

    def _fail(self, error: MapiError) -> None:
        self._failure = error
        self._assembler.abandon()
        self._reader = LongReader(LONGEST)

    def close(self) -> None:
        self._fail(MapiError(Ec.ecNullObject, "released"))


def _root(target: ServerObject, operation: int, upload: streamin.Upload) -> streamin.Sink:
    """The sink of the root element. ecInvalidParam for operations that the object does not have."""
    if operation in (COPY_TO, COPY_PROPERTIES):
        if isinstance(target, Message):
            target.message.require_writable()
            return streamin.MessageSink(upload, target.message)
        if isinstance(target, Attachment):
            target.attachment.require_writable()
            return streamin.AttachmentSink(upload, target.attachment)
    if isinstance(target, Folder):
        if operation in (COPY_TO, COPY_PROPERTIES):
            return streamin.FolderSink(upload, target.fid)
        if operation == COPY_MESSAGES:
            return streamin.MessagesSink(upload, target.fid)
        if operation == COPY_FOLDER:
            return streamin.TopFolderSink(upload, target.fid)
    raise MapiError(Ec.ecInvalidParam, f"SourceOperation {operation} of a {type(target).__name__}")


def _complete(session: Session, what: Bag | WorkingMessage) -> None:
    if isinstance(what, WorkingMessage):
        correspondents.complete(session, what)
    else:
        correspondents.add_smtp_address(session, what)


@handles(rop.FastTransferDestinationConfigure)
def configure(
    call: Call, request: rop.FastTransferDestinationConfigure
) -> rop.FastTransferDestinationConfigureResponse:
    """[MS-OXCFXICS] 3.2.5.8.2.1."""
    target, session = call.object(ServerObject), call.session
    if request.copy_flags & ~MOVE:
        raise MapiError(Ec.ecInvalidParam, f"CopyFlags {request.copy_flags:#x}")
    upload = streamin.Upload(
        target.logon.account, session.code_page, session.clock, partial(_complete, session)
    )  # fmt: skip
    call.put(request.output, Destination(target, _root(target, request.source_operation, upload)))
    return rop.FastTransferDestinationConfigureResponse(request.output, 0)


@handles(rop.FastTransferDestinationPutBuffer)
def put_buffer(
    call: Call, request: rop.FastTransferDestinationPutBuffer
) -> rop.FastTransferDestinationPutBufferResponse:
    """[MS-OXCFXICS] 3.2.5.8.2.2."""
    call.object(Destination).put(request.transfer_data)
    return rop.FastTransferDestinationPutBufferResponse(request.index, 0, 0, 0, 1, 0, len(request.transfer_data))


@handles(rop.FastTransferDestinationPutBufferExtended)
def put_buffer_extended(
    call: Call, request: rop.FastTransferDestinationPutBufferExtended
) -> rop.FastTransferDestinationPutBufferExtendedResponse:
    """[MS-OXCFXICS] 3.2.5.8.2.3."""
    call.object(Destination).put(request.transfer_data)
    return rop.FastTransferDestinationPutBufferExtendedResponse(
        request.index, 0, 0, 0, 1, 0, len(request.transfer_data)
    )
