"""What an open message and an open attachment consist of, and in what that differs from what the store has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gromoxd.exmdb.objects import Attachment, Bag, Message
from gromoxd.exmdb.working.values import Values, Where, size_of
from gromoxd.mapi.proptags import PidTagAttachmentHidden, PidTagAttachSize, PidTagMessageSize, PidTagRowid

EMPTY_SIZE: Final = 0x40
"""[MS-OXCMSG] 3.2.5.13."""
LARGEST_SIZE: Final = 0x7FFFFFFF


@dataclass(slots=True)
class AttachmentState(Values):
    """An attachment of a message. What a message has of these is never changed, only replaced.

    `embedded`: a message can be opened in it; `child` is that message once somebody has changed it.
    """

    num: int = 0
    embedded: bool = False
    child: MessageState | None = None
    source: Where | None = None
    """Where the store has it."""
    stored_size: int = 0

    @classmethod
    def of(cls, one: Attachment, where: Where) -> AttachmentState:
        """As the store told it; `where` is the attachment."""
        known = Values.known(one.props, one.big, where)
        state = cls(known.values, num=one.num, embedded=one.embedded, source=where)
        state.stored_size = state.size
        return state

    def clone(self) -> AttachmentState:
        """See `Values.clone`."""
        same = Values.clone(self)
        return AttachmentState(
            same.values, same.changed, same.removed, self.num, self.embedded, self.child, self.source,
            self.stored_size,
        )  # fmt: skip

    @property
    def dirty(self) -> bool:
        """Whether it differs from the store's."""
        return bool(self.changed or self.removed or self.source is None or self.child is not None)

    @property
    def hidden(self) -> bool:
        """[MS-OXCMSG] 2.2.2.24."""
        return self.values.get(PidTagAttachmentHidden) is True

    @property
    def size(self) -> int:
        """About PidTagAttachSize."""
        size = self.values.get(PidTagAttachSize)
        return size if isinstance(size, int) else 0

    def measure(self) -> None:
        """PidTagAttachSize after a change ([MS-OXCMSG] 2.2.2.5)."""
        size = EMPTY_SIZE + sum(size_of(self.values[tag]) for tag in self.values)
        self.values[PidTagAttachSize] = min(size + (self.child.size if self.child else 0), LARGEST_SIZE)


@dataclass(slots=True)
class MessageState(Values):
    """A message. `recipients`: row id -> row; `stored`: the numbers of the attachments that the store has."""

    recipients: dict[int, Bag] = field(default_factory=dict)
    recipients_changed: bool = False
    attachments: dict[int, AttachmentState] = field(default_factory=dict)
    stored: frozenset[int] = frozenset()
    next_num: int = 0
    source: Where | None = None
    before: Values = field(default_factory=Values)
    """The properties as the store has them."""

    @classmethod
    def of(cls, message: Message, where: Where) -> MessageState:
        """As the store told it; `where` is the message."""
        known = Values.known(message.props, message.big, where)
        attachments = {
            one.num: AttachmentState.of(one, Where(where.account, where.mid, where.path, one.num))
            for one in message.attachments
        }
        return cls(
            known.values, recipients={row_id(bag, n): bag for n, bag in enumerate(message.recipients)},
            attachments=attachments, stored=frozenset(attachments), next_num=max(attachments, default=-1) + 1,
            source=where, before=Values(dict(known.values)),
        )  # fmt: skip

    def clone(self) -> MessageState:
        """See `Values.clone`."""
        same = Values.clone(self)
        return MessageState(
            same.values, same.changed, same.removed, dict(self.recipients), self.recipients_changed,
            dict(self.attachments), self.stored, self.next_num, self.source, self.before,
        )  # fmt: skip

    @property
    def dirty(self) -> bool:
        """Whether it differs from the store's."""
        return bool(
            self.changed or self.removed or self.recipients_changed or self.source is None
            or self.stored - self.attachments.keys() or any(one.dirty for one in self.attachments.values())
        )  # fmt: skip

    @property
    def size(self) -> int:
        """About PidTagMessageSize."""
        size = self.values.get(PidTagMessageSize)
        return size if isinstance(size, int) else 0

    def measure(self) -> None:
        """PidTagMessageSize after a change: that of before and what was added ([MS-OXCMSG] 2.2.1.7)."""
        before = self.before.values
        size = before.get(PidTagMessageSize, 0)
        size += sum(size_of(self.values[tag]) - _size(before.get(tag)) for tag in self.changed)
        size -= sum(_size(before.get(tag)) for tag in self.removed)
        for one in self.attachments.values():
            size += one.size - one.stored_size
        self.values[PidTagMessageSize] = min(max(size, 0), LARGEST_SIZE)


def _size(value: object) -> int:
    return 0 if value is None else size_of(value)


def row_id(bag: Bag, number: int) -> int:
    """A recipient's PidTagRowid, its place where it has none."""
    known = bag.get(PidTagRowid)
    return known if isinstance(known, int) else number
