"""Fast transfer downloads ([MS-OXCFXICS] 2.2.3.1.1, 3.2.5.8.1): objects as they are, to be copied elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.mapi import proptags as p
from gromoxd.mapi.fasttransfer import Marker, MetaTagFXDelProp, StreamWriter
from gromoxd.mapi.ids import gid
from gromoxd.rop import fasttransfer as rop
from workers.http.emsmdb import streamout
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.download import Download
from workers.http.emsmdb.icsdownload import BATCH, FEW, FOLDER_COUNTS, tags_of
from workers.http.emsmdb.objects import Attachment, Folder, Logon, Message, ServerObject
from workers.http.emsmdb.streamout import IDENTITY, IN_ATTACHMENT, VERSION, Keep, Names, Scope, code_page_of, prop_list

MOVE, COPY_SUBFOLDERS, SEND_ENTRY_ID = 0x01, 0x10, 0x20
MESSAGES_FLAGS, FOLDER_FLAGS, PROPERTIES_FLAGS, COPY_TO_FLAGS = 0x3F, 0x1F, 0x0F, 0x260F
"""CopyFlags of each kind ([MS-OXCFXICS] 2.2.3.1.1.1.1-2.2.3.1.1.4.1); BestBody is how bodies always go."""
DELETE: Final = 0x4
"""In PidTagAccess ([MS-OXCPRPT] 2.2.1.1)."""
FOLDER_DEPTH: Final = 100
ERROR_TAG: Final = 0x00000102
_ERROR: Final = Struct("<HHI22s2x22s2x24xII")
_OF_FOLDER: Final = IDENTITY | VERSION | FOLDER_COUNTS


class Copy(Download):
    """A download context of RopFastTransferSourceCopy*."""

    def __init__(self, logon: Logon, options: int, code_page: int, keep: Keep, subobjects: Keep) -> None:
        self.names = Names(logon.account)
        super().__init__(logon, StreamWriter(self.names, code_page_of(options, code_page)))
        self.recover = bool(options & streamout.RECOVER)
        self.subobjects = subobjects
        self.scope = Scope(
            logon.account, self.writer, keep, recipients=subobjects[p.PidTagMessageRecipients],
            attachments=subobjects[p.PidTagMessageAttachments],
        )  # fmt: skip

    def messages(self, fid: int, mids: Sequence[int], move: bool = False) -> Iterator[None]:
        """The element messageList ([MS-OXCFXICS] 2.2.4.3.17). What cannot be read is left out, or an errorInfo."""
        at, count = 0, FEW
        while at < len(mids):
            wanted = mids[at : at + count]
            found: list[o.Message] = self.logon.account.call(o.ReadMessages(list(wanted)))
            self.names.coming = lambda found=found: tags_of(found)  # type: ignore[misc]
            there = {message.mid: message for message in found}
            last = wanted.index(found[-1].mid) + 1 if found else len(wanted)
            for mid in wanted[:last]:
                message = there.get(mid)
                if message is None or message.fid != fid or message.deleted:
                    self._missing(fid, mid)
                elif not move or _access(message) & DELETE:
                    self.writer.marker(Marker.StartFAIMsg if message.associated else Marker.StartMessage)
                    yield from streamout.message_content(self.scope, message)
                    self.writer.marker(Marker.EndMessage)
                self.done += 1
                yield
            at, count = at + last, BATCH

    def _missing(self, fid: int, mid: int) -> None:
        """The element errorInfo: ExtendedErrorInfo ([MS-OXCFXICS] 2.2.2.10)."""
        if self.recover:
            guid = self.logon.info.guid
            self.writer.marker(Marker.FXErrorInfo)
            self.writer.property(ERROR_TAG, _ERROR.pack(0, 0, Ec.ecNotFound, gid(guid, fid), gid(guid, mid), 0, 0))

    def folder(self, fid: int, keep: Keep, subobjects: Keep, removing: bool) -> Iterator[None]:
        """The element folderContent ([MS-OXCFXICS] 2.2.4.3.6); `removing`: with what tells to remove what is there."""
        children: dict[int, list[int]] = {}
        if subobjects[p.PidTagContainerHierarchy]:
            children = self._children(fid)
        yield from self._folder(fid, keep, subobjects, removing, children, 0)

    def _folder(
        self, fid: int, keep: Keep, subobjects: Keep, removing: bool, children: dict[int, list[int]], depth: int
    ) -> Iterator[None]:  # fmt: skip
        props: o.Bag = self.logon.account.call(h.GetFolderProps(fid))
        self.names.coming = lambda: list(props)
        yield from prop_list(self.writer, props, keep)
        for tag, flag in ((p.PidTagFolderAssociatedContents, s.ASSOCIATED), (p.PidTagContainerContents, s.NORMAL)):
            if subobjects[tag]:
                if removing:
                    self.writer.property(MetaTagFXDelProp, tag)
                yield from self.messages(fid, self._mids(fid, flag))
        if not subobjects[p.PidTagContainerHierarchy]:
            return
        if removing:
            self.writer.property(MetaTagFXDelProp, p.PidTagContainerHierarchy)
        for child in children.get(fid, ()) if depth < FOLDER_DEPTH else ():
            self.writer.marker(Marker.StartSubFld)
            yield from self._folder(child, Keep(_OF_FOLDER), _EVERYTHING, removing, children, depth + 1)
            self.writer.marker(Marker.EndFolder)
            yield

    def _mids(self, fid: int, flag: int) -> list[int]:
        try:
            changes: s.ContentChanges = self.logon.account.call(s.GetContentChanges(fid, s.State(), flag))
        except MapiError as error:
            if error.code not in (Ec.ecAccessDenied, Ec.ecNotFound):
                raise
            return []
        mids = changes.mids()
        self.total += len(mids)
        return mids

    def _children(self, fid: int) -> dict[int, list[int]]:
        """The subfolders of each folder below one."""
        account, found = self.logon.account, dict[int, list[int]]()
        changes: s.HierarchyChanges = account.call(s.GetHierarchyChanges(fid, s.State()))
        for child, _ in changes.changed:
            props: o.Bag = account.call(h.GetFolderProps(child, [p.PidTagParentFolderId]))
            parent: Any = props.get(p.PidTagParentFolderId, 0)
            found.setdefault(self.logon.counter(parent & 0xFFFFFFFFFFFFFFFF), []).append(child)
        return found


_EVERYTHING: Final = Keep()


def _access(message: o.Message) -> int:
    found = message.props.get(p.PidTagAccess)
    return found if isinstance(found, int) else 0


class CopyMessages(Copy):
    """RopFastTransferSourceCopyMessages: the root is messageList."""

    def __init__(self, folder: Folder, mids: list[int], flags: int, options: int, code_page: int) -> None:
        never = IDENTITY - {p.PidTagEntryId} if flags & SEND_ENTRY_ID else IDENTITY | VERSION
        super().__init__(folder.logon, options, code_page, Keep(never), Keep())
        self._fid, self._mids_asked, self._move = folder.fid, mids, bool(flags & MOVE)
        self.total = len(mids)

    def start(self) -> Iterator[None]:
        """See Download."""
        return self.messages(self._fid, self._mids_asked, self._move)


class CopyFolder(Copy):
    """RopFastTransferSourceCopyFolder: the root is topFolder."""

    def __init__(self, folder: Folder, flags: int, options: int, code_page: int) -> None:
        super().__init__(folder.logon, options, code_page, Keep(IDENTITY | VERSION), Keep())
        self._fid = folder.fid
        without = () if flags & COPY_SUBFOLDERS else (p.PidTagContainerHierarchy,)
        self._subobjects = Keep(without=without)

    def start(self) -> Iterator[None]:
        """See Download."""
        self.writer.marker(Marker.StartTopFld)
        yield from self.folder(self._fid, Keep(_OF_FOLDER), self._subobjects, False)
        self.writer.marker(Marker.EndFolder)


class CopyObject(Copy):
    """RopFastTransferSourceCopyTo, RopFastTransferSourceCopyProperties: of an open object what `tags` say."""

    def __init__(
        self, source: ServerObject, options: int, code_page: int, level: int, *, without: Sequence[int] = (),
        only: Sequence[int] | None = None,
    ) -> None:  # fmt: skip
        never = {Folder: _OF_FOLDER, Message: IDENTITY | VERSION, Attachment: IN_ATTACHMENT}[type(source)]
        deep = not level or isinstance(source, Attachment)
        self._source = source
        super().__init__(
            source.logon, options, code_page, Keep(never, without, only),
            Keep(without=without, only=only) if deep else Keep(only=()),
        )  # fmt: skip

    def start(self) -> Iterator[None]:
        """See Download."""
        source, scope = self._source, self.scope
        if isinstance(source, Message):
            return streamout.open_message(scope, source.message)
        if isinstance(source, Attachment):
            return self._attachment(source)
        assert isinstance(source, Folder)
        return self.folder(source.fid, scope.keep, self.subobjects, True)

    def _attachment(self, source: Attachment) -> Iterator[None]:
        """The element attachmentContent."""
        values = source.attachment.loaded().clone().values
        yield from prop_list(self.writer, values, self.scope.keep)
        if self.subobjects[p.PidTagAttachDataObject]:
            yield from streamout.embedded_of(self.scope, source.attachment)


# ---------------------------------------------------------------------------------------------- ROPs


def _check(flags: int, known: int, options: int) -> None:
    if flags & ~known or options & ~streamout.KNOWN_OPTIONS:
        raise MapiError(Ec.ecInvalidParam, f"CopyFlags {flags:#x}, SendOptions {options:#x}")


@handles(rop.FastTransferSourceCopyMessages)
def copy_messages(
    call: Call, request: rop.FastTransferSourceCopyMessages
) -> rop.FastTransferSourceCopyMessagesResponse:
    """[MS-OXCFXICS] 3.2.5.8.1.3."""
    folder, options = call.object(Folder), request.send_options
    _check(request.copy_flags, MESSAGES_FLAGS, options)
    mids = [folder.logon.counter(one) for one in request.message_ids]
    mids = list(dict.fromkeys(mids))
    call.put(request.output, CopyMessages(folder, mids, request.copy_flags, options, call.session.code_page))
    return rop.FastTransferSourceCopyMessagesResponse(request.output, 0)


@handles(rop.FastTransferSourceCopyFolder)
def copy_folder(call: Call, request: rop.FastTransferSourceCopyFolder) -> rop.FastTransferSourceCopyFolderResponse:
    """[MS-OXCFXICS] 3.2.5.8.1.4. Move is passed over, as the document lets servers do."""
    folder, options = call.object(Folder), request.send_options
    _check(request.copy_flags, FOLDER_FLAGS, options)
    call.put(request.output, CopyFolder(folder, request.copy_flags, options, call.session.code_page))
    return rop.FastTransferSourceCopyFolderResponse(request.output, 0)


@handles(rop.FastTransferSourceCopyTo)
def copy_to(call: Call, request: rop.FastTransferSourceCopyTo) -> rop.FastTransferSourceCopyToResponse:
    """[MS-OXCFXICS] 3.2.5.8.1.1."""
    source, options = _source(call), request.send_options
    _check(request.copy_flags, COPY_TO_FLAGS, options)
    made = CopyObject(source, options, call.session.code_page, request.level, without=request.property_tags)
    call.put(request.output, made)
    return rop.FastTransferSourceCopyToResponse(request.output, 0)


@handles(rop.FastTransferSourceCopyProperties)
def copy_properties(
    call: Call, request: rop.FastTransferSourceCopyProperties
) -> rop.FastTransferSourceCopyPropertiesResponse:
    """[MS-OXCFXICS] 3.2.5.8.1.2."""
    source, options = _source(call), request.send_options
    _check(request.copy_flags, PROPERTIES_FLAGS, options)
    made = CopyObject(source, options, call.session.code_page, request.level, only=request.property_tags)
    call.put(request.output, made)
    return rop.FastTransferSourceCopyPropertiesResponse(request.output, 0)


def _source(call: Call) -> ServerObject:
    found = call.object(ServerObject)
    if type(found) not in (Folder, Message, Attachment):
        raise MapiError(Ec.ecNotSupported, f"fast transfer of a {type(found).__name__}")
    return found
