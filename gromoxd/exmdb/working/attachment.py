"""An open attachment ([MS-OXCMSG] 2.2.2, 2.2.3.12-2.2.3.17): a copy of its own until it is saved into its message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from gromoxd.convert.derived import ATTACHMENT_READ_ONLY
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.working.state import EMPTY_SIZE, AttachmentState, MessageState
from gromoxd.exmdb.working.values import Holder, Values
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.proptags import (
    PidTagAccessLevel,
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachMethod,
    PidTagAttachNumber,
    PidTagAttachSize,
    PidTagCreationTime,
    PidTagLastModificationTime,
    PidTagObjectType,
    PidTagRenderingPosition,
)

if TYPE_CHECKING:
    from gromoxd.exmdb.working.message import WorkingMessage

BY_VALUE, BY_REFERENCE = int(AttachMethod.afByValue), int(AttachMethod.afByReference)
EMBEDDED, OLE = int(AttachMethod.afEmbeddedMessage), int(AttachMethod.afStorage)
"""PidTagAttachMethod: afByValue, afByReference, afEmbeddedMessage, afStorage ([MS-OXCMSG] 2.2.2.9)."""
OBJECT_ATTACHMENT: Final = 7
CONTENTS: Final = frozenset((PidTagAttachDataBinary, PidTagAttachDataObject))


class WorkingAttachment(Holder):
    """A handle of an attachment. Two handles of one attachment do not see each other's changes until one is saved."""

    read_only = ATTACHMENT_READ_ONLY
    properties: AttachmentState

    def __init__(self, message: WorkingMessage, state: AttachmentState, writable: bool) -> None:
        super().__init__(message.spool, state, writable)
        self.message = message

    @classmethod
    def new(cls, message: WorkingMessage, num: int, now_nt: int) -> WorkingAttachment:
        """One that is not in its message until it is saved ([MS-OXCMSG] 3.2.5.13)."""
        values: dict[int, Any] = {
            PidTagAttachNumber: num, PidTagAttachSize: EMPTY_SIZE, PidTagAccessLevel: 1, PidTagRenderingPosition: -1,
            PidTagCreationTime: now_nt, PidTagLastModificationTime: now_nt, PidTagObjectType: OBJECT_ATTACHMENT,
        }  # fmt: skip
        return cls(message, AttachmentState(values, num=num), True)

    @property
    def num(self) -> int:
        """PidTagAttachNumber."""
        return self.properties.num

    def _put(self, state: Values, props: dict[int, Any]) -> None:
        super()._put(state, props)
        self._settle(props.keys())

    def _drop(self, state: Values, tags: list[int]) -> None:
        super()._drop(state, tags)
        self._settle(tags)

    def written(self, tag: int) -> None:
        """See Holder."""
        self._settle((tag,))
        super().written(tag)

    def _settle(self, tags: Iterable[int]) -> None:
        state = self.properties
        changed = set(tags)
        if PidTagAttachMethod in changed and state.values.get(PidTagAttachMethod) != EMBEDDED and state.embedded:
            state.embedded, state.child = False, None
        if changed & CONTENTS and PidTagAttachMethod not in state.values:
            state.put(PidTagAttachMethod, BY_VALUE)
        state.measure()

    # ------------------------------------------------------------------------------------------ embedded messages

    def open_embedded(self, *, create: bool = False, writable: bool = True) -> WorkingMessage:
        """The message that it is ([MS-OXCMSG] 2.2.3.16); `create` makes one if there is none. ecNotFound."""
        state = self.properties
        if not state.embedded:
            if not create:
                raise MapiError(Ec.ecNotFound, f"embedded message {state.num}")
            self.require_writable()
        return self.message.within(self, writable and self.writable)

    def put_embedded(self, child: MessageState) -> None:
        """An embedded message is saved into this attachment."""
        self.require_writable()
        state = self.properties
        state.child, state.embedded = child, True
        if state.values.get(PidTagAttachMethod) != EMBEDDED:
            state.put(PidTagAttachMethod, EMBEDDED)
        state.measure()

    # ------------------------------------------------------------------------------------------ saving

    def save(self, *, read_only: bool = False) -> None:
        """Save it into its message, which is not stored by that ([MS-OXCMSG] 2.2.3.15). ecAccessDenied, ecNotFound."""
        self.require_writable()
        self.message.put_attachment(self.properties.clone())
        self.writable = not read_only
