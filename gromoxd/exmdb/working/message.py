"""An open message ([MS-OXCMSG] 2.2.1, 2.2.3): its client's own copy, of which the difference is saved."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Final

from gromoxd.convert.derived import BODIES, READ_ONLY, SUBJECTS, one_html, shown, subjects
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.objects import Bag
from gromoxd.exmdb.working import forms, saving
from gromoxd.exmdb.working.attachment import WorkingAttachment
from gromoxd.exmdb.working.spool import Spool
from gromoxd.exmdb.working.state import AttachmentState, MessageState
from gromoxd.exmdb.working.values import Account, Holder, Remote, Values, Where, is_long, usable, whole
from gromoxd.mapi import conversation
from gromoxd.mapi import proptags as p
from gromoxd.mapi.flags import OpenModeFlags, SaveFlags
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.times import filetime

MF_READ, MF_UNMODIFIED, MF_UNSENT, MF_HAS_ATTACH, MF_FAI, MF_EVER_READ = 0x1, 0x2, 0x8, 0x10, 0x40, 0x400
MF_SET: Final = MF_READ | MF_UNSENT | 0x4 | 0x20 | 0x80 | 0x100 | 0x200 | 0x2000 | 0x8000
"""PidTagMessageFlags that a client sets ([MS-OXCMSG] 2.2.1.6)."""
MODIFY: Final = 0x1
"""PidTagAccess ([MS-OXCPRPT] 2.2.1.1)."""
OBJECT_MESSAGE: Final = 5
MOST_RECIPIENTS: Final = 100_000
MOST_ATTACHMENTS: Final = 32_000
MAX_DEPTH: Final = 20
"""Of messages in messages."""
_NO_MARK: Final = {p.PidTagFlagStatus: 0, p.PidTagLastVerbExecuted: 0, PidNameKeywords: []}
"""Values that mean that there is no such property."""
_CONVERSATION: Final = frozenset((p.PidTagConversationIndex, p.PidTagConversationTopic,
                                  p.PidTagConversationIndexTracking, *SUBJECTS))  # fmt: skip
UNCERTAIN: Final = (Ec.ecNetwork, Ec.ecTimeout)
"""Errors after which a message may have been saved."""


class WorkingMessage(Holder):
    """A handle of a message. `cn` is the change number on which it rests, 0 before the first save."""

    read_only = READ_ONLY
    properties: MessageState

    def __init__(self, account: Account, state: MessageState, writable: bool, spool: Spool) -> None:
        super().__init__(spool, state, writable)
        self.account = account
        self.fid = self.mid = self.uid = self.cn = 0
        self.associated = False
        self.path: tuple[int, ...] = ()
        self._imported: o.Imported | None = None
        self._stale = False
        self._forms: dict[int, Any] = {}
        self._request = b""

    # ------------------------------------------------------------------------------------------ opening

    @classmethod
    def open(
        cls, account: Account, mid: int, mode: int = OpenModeFlags.BestAccess, spool: Spool | None = None
    ) -> WorkingMessage:
        """A message of the mailbox. ecNotFound, ecAccessDenied (READ_WRITE without the right to change it)."""
        found = account.call(o.OpenMessage(mid))
        if found.deleted and not mode & OpenModeFlags.OpenSoftDeleted:
            raise MapiError(Ec.ecNotFound, f"message {mid:#x} is deleted")
        allowed = bool(_number(found.props, p.PidTagAccess) & MODIFY) and not found.deleted
        if mode & OpenModeFlags.BestAccess == OpenModeFlags.ReadWrite and not allowed:
            raise MapiError(Ec.ecAccessDenied, f"message {mid:#x}")
        made = cls(account, MessageState(), bool(mode & OpenModeFlags.ReadWrite) and allowed, spool or Spool())
        made._take(found)
        return made

    @classmethod
    def create(
        cls, account: Account, fid: int, *, associated: bool = False, now: float | None = None, mid: int = 0,
        imported: o.Imported | None = None, spool: Spool | None = None,
    ) -> WorkingMessage:  # fmt: skip
        """A message that is in no folder until it is saved ([MS-OXCMSG] 2.2.3.2).

        `mid`: one of `ReserveIds`. `imported`: synchronisation brings it, in place of the one that is there.
        """
        values = first_values(filetime(int(time.time() if now is None else now)), associated)
        made = cls(account, MessageState(values), True, spool or Spool())
        made.fid, made.mid, made.associated, made._imported = fid, mid, associated, imported
        return made

    def _take(self, found: o.Message) -> None:
        self.fid, self.mid, self.uid, self.cn = found.fid, found.mid, found.uid, found.cn
        self.associated = found.associated
        self.properties = MessageState.of(found, Where(self.account, self.mid))
        self._forms.clear()
        self._stale = False

    def reload(self) -> None:
        """Forget the changes; the message is as the store has it. ecNotFound when it is gone."""
        self._take(self.account.call(o.OpenMessage(self.mid)))
        self._request = b""

    def discard(self) -> None:
        """Release: what was not saved is gone, and so is the spool."""
        self.properties = MessageState()
        self.writable = False
        self.spool.close()

    def loaded(self) -> MessageState:
        """See Holder; after a save the store is asked when somebody looks."""
        if self._stale:
            rows, cn = sorted(self.properties.recipients), self.cn
            self._take(self.account.call(o.OpenMessage(self.mid)))
            self.cn = cn  # what others did since is a conflict
            state = self.properties
            if len(rows) == len(state.recipients):  # a client goes on with the row ids that it knows
                state.recipients = {
                    row: {**bag, p.PidTagRowid: row} for row, bag in zip(rows, state.recipients.values(), strict=True)
                }
        return self.properties

    # ------------------------------------------------------------------------------------------ properties

    def value(self, tag: int) -> Any:
        """See Holder. A form of the body that is not there is made of another."""
        state = self.loaded()
        kept = state.kept_as(tag)
        value = state.values.get(kept)
        return self._form(state, kept) if value is None and kept in forms.MADE else value

    def _form(self, state: MessageState, tag: int) -> Any:
        if tag not in self._forms:
            own = state.source is None or not BODIES.isdisjoint(state.changed | state.removed)
            self._forms[tag] = forms.made(state, tag) if own else self._stored_form(state.source, tag)
        return self._forms[tag]

    def _stored_form(self, where: Where | None, tag: int) -> Any:
        if where is None:
            return None
        found = self.account.call(o.OpenMessage(where.mid, list(where.path), o.PROPS, [tag]))
        return Remote(where, tag, found.big[tag]) if tag in found.big else found.props.get(tag)

    def tags(self) -> list[int]:
        """See Holder; a message that has a body has it in every form."""
        found = set(super().tags())
        if not BODIES.isdisjoint(found):
            found |= BODIES
        return sorted(found)

    def _put(self, state: Values, props: dict[int, Any]) -> None:
        one_html(props)
        given = {tag: whole(tag, props.pop(tag)) for tag in SUBJECTS & props.keys()}
        for tag in [tag for tag in _NO_MARK if not props.get(tag, True)]:
            del props[tag]
            state.drop(tag)
        if p.PidTagMessageFlags in props:
            props[p.PidTagMessageFlags] = self._flags(state, _number(props, p.PidTagMessageFlags))
            state.values[p.PidTagRead] = bool(_number(props, p.PidTagMessageFlags) & MF_READ)
            state.changed.discard(p.PidTagRead)
            props.pop(p.PidTagRead, None)
        elif p.PidTagRead in props:
            flags = _number(state.values, p.PidTagMessageFlags)
            state.values[p.PidTagMessageFlags] = flags | MF_READ if props[p.PidTagRead] else flags & ~MF_READ
        super()._put(state, props)
        self._follow(state, props.keys() | given.keys(), given, ())

    def _flags(self, state: Values, wanted: int) -> int:
        flags = wanted & MF_SET | _number(state.values, p.PidTagMessageFlags) & ~MF_SET
        return flags | MF_EVER_READ if flags & MF_READ else flags

    def _drop(self, state: Values, tags: list[int]) -> None:
        for tag in tags:
            if tag == p.PidTagMessageFlags:
                self._put(state, {tag: 0})
            else:
                state.drop(tag)
        self._follow(state, set(tags), {}, tags)

    def _follow(self, state: Values, tags: set[int], subject: Bag, gone: Sequence[int]) -> None:
        """What follows from properties that were set or removed."""
        if subject or not SUBJECTS.isdisjoint(gone):
            self._subjects(state, subject, gone)
        if tags & BODIES:
            for other in BODIES - tags if tags & state.changed & BODIES else ():
                if other in state.values:  # the last form that is written is the body
                    state.drop(other)
            forms.note_native(state)
        if tags & (BODIES | {p.PidTagInternetCodepage}):
            self._forms.clear()
        if tags & _CONVERSATION:
            self._conversation(state)

    @staticmethod
    def _subjects(state: Values, given: Bag, gone: Sequence[int]) -> None:
        """The subject's parts; all are said to the store, so that it need not split it again."""
        state.values |= given
        if p.PidTagSubject not in gone or given:
            for tag in SUBJECTS.intersection(gone):
                state.values[tag] = ""
        subjects(state.values, given, gone)
        for tag in SUBJECTS:
            if tag in state.values:
                state.put(tag, state.values[tag])
            else:
                state.drop(tag)

    @staticmethod
    def _conversation(state: Values) -> None:
        index, topic = state.values.get(p.PidTagConversationIndex), state.values.get(p.PidTagConversationTopic)
        found = conversation.conversation_id(
            index if isinstance(index, bytes) else None, topic if isinstance(topic, str) else None,
            state.values.get(p.PidTagConversationIndexTracking) is True,
        )  # fmt: skip
        if found is None:
            state.values.pop(p.PidTagConversationId, None)
        else:
            state.values[p.PidTagConversationId] = found

    def written(self, tag: int) -> None:
        """See Holder."""
        state = self.properties
        if tag in SUBJECTS:
            self._put(state, {tag: whole(tag, state.values[tag])})
        else:
            self._follow(state, {tag}, {}, ())
        self.touched()

    def touched(self) -> None:
        """See Holder."""
        self.properties.measure()
        self._request = b""

    # ------------------------------------------------------------------------------------------ recipients

    @property
    def recipients(self) -> list[Bag]:
        """The rows with their PidTagRowid, in order."""
        rows = self.loaded().recipients
        return [{**rows[row], p.PidTagRowid: row} for row in sorted(rows)]

    def read_recipients(self, first: int, count: int = MOST_RECIPIENTS) -> list[Bag]:
        """Rows from row id `first` on ([MS-OXCMSG] 2.2.3.6). ecNotFound when there are none."""
        found = [bag for bag in self.recipients if _number(bag, p.PidTagRowid) >= first][:count]
        if not found:
            raise MapiError(Ec.ecNotFound, f"recipients from row {first}")
        return found

    def modify_recipients(self, rows: dict[int, Bag | None]) -> None:
        """Replace or add rows by their ids, None removes one ([MS-OXCMSG] 2.2.3.5). ecInvalidParam, ecTooBig."""
        self.require_writable()
        state = self.loaded()
        for row, bag in rows.items():
            if not 0 <= row <= 0xFFFFFFFF or not all(usable(tag, value) for tag, value in (bag or {}).items()):
                raise MapiError(Ec.ecInvalidParam, f"recipient {row}")
        if len(state.recipients.keys() | rows.keys()) > MOST_RECIPIENTS:
            raise MapiError(Ec.ecTooBig, "recipients")
        for row, bag in rows.items():
            if bag is None:
                state.recipients.pop(row, None)
            else:
                state.recipients[row] = {tag: value for tag, value in bag.items() if tag != p.PidTagRowid}
        self._recipients_changed(state)

    def remove_recipients(self) -> None:
        """All of them ([MS-OXCMSG] 2.2.3.4)."""
        self.require_writable()
        state = self.loaded()
        state.recipients.clear()
        self._recipients_changed(state)

    def _recipients_changed(self, state: MessageState) -> None:
        state.recipients_changed = True
        shown(state.values, self.recipients)
        self.touched()

    # ------------------------------------------------------------------------------------------ attachments

    @property
    def attachments(self) -> dict[int, Bag]:
        """Number -> properties, without long ones: the attachment table ([MS-OXCMSG] 2.2.3.17)."""
        return {
            num: {tag: value for tag, value in one.values.items() if not is_long(value)}
            for num, one in sorted(self.loaded().attachments.items())
        }

    def create_attachment(self, now: float | None = None) -> WorkingAttachment:
        """One that is added when it is saved ([MS-OXCMSG] 2.2.3.13). ecMaxAttachmentExceeded."""
        self.require_writable()
        state = self.loaded()
        if len(state.attachments) >= MOST_ATTACHMENTS:
            raise MapiError(Ec.ecMaxAttachmentExceeded, "attachments of a message")
        num = state.next_num
        state.next_num += 1
        return WorkingAttachment.new(self, num, filetime(int(time.time() if now is None else now)))

    def open_attachment(self, num: int, *, writable: bool = True) -> WorkingAttachment:
        """[MS-OXCMSG] 2.2.3.12. ecNotFound."""
        found = self.loaded().attachments.get(num)
        if found is None:
            raise MapiError(Ec.ecNotFound, f"attachment {num}")
        return WorkingAttachment(self, found.clone(), writable and self.writable)

    def delete_attachment(self, num: int) -> None:
        """[MS-OXCMSG] 2.2.3.14. ecNotFound."""
        self.require_writable()
        state = self.loaded()
        if state.attachments.pop(num, None) is None:
            raise MapiError(Ec.ecNotFound, f"attachment {num}")
        self._attachments_changed(state)

    def put_attachment(self, attachment: AttachmentState) -> None:
        """An attachment is saved into this message."""
        self.require_writable()
        state = self.loaded()
        if attachment.num not in state.attachments and attachment.num in state.stored:
            raise MapiError(Ec.ecNotFound, f"attachment {attachment.num}")
        state.attachments[attachment.num] = attachment
        self._attachments_changed(state)

    def _attachments_changed(self, state: MessageState) -> None:
        attachments = state.attachments.values()
        state.values[p.PidTagHasAttachments] = any(not one.hidden for one in attachments)
        flags = _number(state.values, p.PidTagMessageFlags)
        state.values[p.PidTagMessageFlags] = flags | MF_HAS_ATTACH if attachments else flags & ~MF_HAS_ATTACH
        self.touched()

    def within(self, attachment: WorkingAttachment, writable: bool) -> EmbeddedMessage:
        """See `WorkingAttachment.open_embedded`."""
        return EmbeddedMessage(attachment, writable)

    # ------------------------------------------------------------------------------------------ saving

    @property
    def dirty(self) -> bool:
        """Whether there is anything to be saved."""
        return self._imported is not None or (not self._stale and self.properties.dirty)

    def mark_read(self, read: bool) -> None:
        """Mark it at once, whatever else is not saved yet ([MS-OXCMSG] 2.2.3.11). Needs no right to change it."""
        self.account.call(o.SetReadState(self.fid, [self.mid], read))
        values = self.loaded().values
        flags = _number(values, p.PidTagMessageFlags)
        values[p.PidTagMessageFlags] = flags | MF_READ | MF_EVER_READ if read else flags & ~MF_READ
        values[p.PidTagRead] = read

    def save(self, flags: int = SaveFlags.KeepOpenReadWrite, request_id: bytes = b"") -> o.Saved:
        """Store what has changed ([MS-OXCMSG] 2.2.3.3). The message stays open.

        ecObjectModified when somebody else has changed it meanwhile, unless FORCE; ecError when it is open for reading;
        what SaveMessage raises. Saving again after ecNetwork or ecTimeout does not save twice.
        """
        if not self.writable:
            raise MapiError(Ec.ecError, "opened for reading")
        self._request = request_id or self._request or os.urandom(16)
        packed = saving.pack(self.loaded(), self.spool)
        call = o.SaveMessage(
            self.fid, self.mid, self.cn, packed.changes, self._request, bool(flags & SaveFlags.ForceSave),
            self.associated, packed.spooled, self._imported,
        )  # fmt: skip
        try:
            saved = self.account.call(call, spool=packed.file)
        except MapiError as error:
            if error.code not in UNCERTAIN:
                self._request = b""
            raise
        finally:
            packed.close()
        self._request = b""
        self.mid, self.uid, self.cn = saved.mid, saved.uid, saved.cn
        self._imported = None
        self._stale = True
        self.writable = not flags & SaveFlags.KeepOpenReadOnly
        return saved


class EmbeddedMessage(WorkingMessage):
    """A message in an attachment; saving it puts it into the attachment, which is to be saved in turn."""

    def __init__(self, attachment: WorkingAttachment, writable: bool) -> None:
        outer, state = attachment.message, attachment.properties
        super().__init__(outer.account, MessageState(first_values(filetime(int(time.time())), False)), writable,
                         attachment.spool)  # fmt: skip
        self.attachment = attachment
        self.fid, self.mid = outer.fid, outer.mid
        self.path = (*outer.path, state.num)
        if len(self.path) > MAX_DEPTH:
            raise MapiError(Ec.ecTooBig, "messages in messages")
        if state.child is not None:
            self.properties = state.child.clone()
        elif state.source is not None and state.embedded:
            self.reload()

    def reload(self) -> None:
        """Forget the changes. ecNotFound when the store does not have it."""
        source = self.attachment.properties.source
        if source is None:
            raise MapiError(Ec.ecNotFound, "embedded message")
        path = (*source.path, source.num)
        found = self.account.call(o.OpenMessage(source.mid, list(path)))
        self.properties = MessageState.of(found, Where(self.account, source.mid, path))
        self._forms.clear()

    def discard(self) -> None:
        """See WorkingMessage; the spool is the outermost message's."""
        self.properties = MessageState()
        self.writable = False

    def save(self, flags: int = SaveFlags.KeepOpenReadWrite, request_id: bytes = b"") -> o.Saved:
        """Put it into its attachment ([MS-OXCMSG] 3.1.4.18). ecError, ecAccessDenied."""
        if not self.writable:
            raise MapiError(Ec.ecError, "opened for reading")
        self.attachment.put_embedded(self.properties.clone())
        self.writable = not flags & SaveFlags.KeepOpenReadOnly
        return o.Saved(self.fid, self.mid, 0, 0)


def first_values(now_nt: int, associated: bool) -> dict[int, Any]:
    """What a new message has ([MS-OXCMSG] 3.2.5.2)."""
    flags = MF_READ | MF_UNMODIFIED | MF_EVER_READ | (MF_FAI if associated else MF_UNSENT)
    return {
        p.PidTagImportance: 1, p.PidTagMessageClass: "IPM.Note", p.PidTagSensitivity: 0, p.PidTagDisplayTo: "",
        p.PidTagDisplayCc: "", p.PidTagDisplayBcc: "", p.PidTagMessageFlags: flags, p.PidTagRead: True,
        p.PidTagMessageSize: 0, p.PidTagHasAttachments: False, p.PidTagCreationTime: now_nt,
        p.PidTagLastModificationTime: now_nt, p.PidTagAccess: 7, p.PidTagAccessLevel: 1,
        p.PidTagObjectType: OBJECT_MESSAGE, p.PidTagAssociated: associated,
    }  # fmt: skip


def _number(bag: Any, tag: int) -> int:
    value = bag.get(tag)
    return value if isinstance(value, int) else 0
