"""What a client changed of a message (`objects.Changes`), carried out on its data row: properties, recipients,
attachments, embedded messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gromoxd.convert.attachments import BY_VALUE, EMBEDDED_MESSAGE
from gromoxd.convert.derived import ATTACHMENT_READ_ONLY, BODIES, READ_ONLY, SUBJECTS, one_html, shown, subjects
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.objects import BIG, AttachmentChange, Bag, Changes, Spooled
from gromoxd.mapi.bag import check_bag, encode_bag
from gromoxd.mapi.proptags import (
    INTERNAL,
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachmentHidden,
    PidTagAttachMethod,
    PidTagAttachNumber,
    PidTagAttachSize,
    PidTagConversationTopic,
    PidTagCreationTime,
    PidTagHasAttachments,
    PidTagImportance,
    PidTagLastModificationTime,
    PidTagMessageClass,
    PidTagMessageFlags,
    PidTagMessageStatus,
    PidTagNormalizedSubject,
    PidTagRead,
    PidTagRenderingPosition,
    PidTagSearchKey,
    PidTagSensitivity,
    PidTagSubject,
    PidTagSubjectPrefix,
)
from gromoxd.mapi.times import filetime
from gromoxd.mapi.types import MULTIPLE, PropType, prop_type
from store.content import read_exactly
from store.mapi import datarows, values
from store.mapi.datarows import Data
from store.mapi.marks import MARKS
from store.sql import row
from store.transaction import Transaction

MAX_DEPTH = 20
"""Of messages in messages."""
LAST_NUM = (1 << 31) - 2


@dataclass(slots=True)
class Edit:
    """Checked changes. What is read-only or was so already is not in them."""

    put: dict[int, Any] = field(default_factory=dict)
    gone: list[int] = field(default_factory=list)
    recipients: list[Bag] | None = None
    attachments: dict[int, AttachmentChange] = field(default_factory=dict)
    spooled: list[Spooled] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.put or self.gone or self.recipients is not None or self.attachments or self.spooled)

    @property
    def tags(self) -> set[int]:
        """The message's own properties that change."""
        return {*self.put, *self.gone, *(s.tag for s in self.spooled if not s.path and s.num < 0)}


def checked(values_: dict[int, Any], read_only: Iterable[int]) -> dict[int, Any]:
    """A client's properties without read-only ones. ecInvalidParam for values that are not of their types."""
    try:
        check_bag(values_)
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, str(error)) from error
    for tag, value in values_.items():
        kind = prop_type(tag) & ~MULTIPLE
        if kind in _BITS or kind == PropType.PtypGuid:
            some = value if isinstance(value, list) else (value,)
            if not all(_has_room(kind, one) for one in some):
                raise MapiError(Ec.ecInvalidParam, f"property {tag:#010x} out of range")
    passed = set(read_only)
    return {tag: value for tag, value in values_.items() if tag not in passed}


_BITS: dict[int, int] = {
    PropType.PtypInteger16: 16, PropType.PtypInteger32: 32, PropType.PtypErrorCode: 32, PropType.PtypCurrency: 64,
    PropType.PtypInteger64: 64, PropType.PtypTime: 64,
}  # fmt: skip


def _has_room(kind: int, value: Any) -> bool:
    """Whether a value has the width of its type ([MS-OXCDATA] 2.11.1), signed or not."""
    if kind == PropType.PtypGuid:
        return len(value) == 16
    bits = _BITS[kind]
    return bool(-(1 << bits - 1) <= value < 1 << bits)


def prepare(tx: Transaction, data: Data, changes: Changes, spooled: list[Spooled]) -> Edit:
    """Check changes against the message as it is. ecInvalidParam."""
    given = checked(changes.set, READ_ONLY)
    one_html(given)
    big = values.sizes(tx, data.did, 0)
    new = {tag: value for tag, value in given.items() if tag in MARKS or not _same(data.props, big, tag, value)}
    if not new.keys().isdisjoint(SUBJECTS):  # a prefix that is said is none to be guessed, though it is the old one
        new |= {tag: given[tag] for tag in SUBJECTS & given.keys()}
    gone = [tag for tag in changes.delete if (tag in data.props or tag in big) and tag not in READ_ONLY | given.keys()]
    edit = Edit(new, gone, changes.recipients)
    if edit.recipients is not None:
        if len(edit.recipients) > tx.settings.most_recipients:
            raise MapiError(Ec.ecTooBig, "too many recipients")
        edit.recipients = [checked(one, ()) for one in edit.recipients]
        if edit.recipients == data.recipients:
            edit.recipients = None
    edit.attachments = {change.num: change for change in changes.attachments}
    if sum(not change.remove for change in edit.attachments.values()) > tx.settings.most_attachments:
        raise MapiError(Ec.ecMaxAttachmentExceeded, "attachments of a message")
    edit.spooled = [s for s in spooled if s.path or s.num >= 0 or s.tag not in READ_ONLY]
    for one in edit.spooled:
        num = one.path[0] if one.path else one.num
        if num >= 0:
            edit.attachments.setdefault(num, AttachmentChange(num))
    if any(not 0 <= num <= LAST_NUM for num in edit.attachments):
        raise MapiError(Ec.ecInvalidParam, "attachment number")
    return edit


def _same(bag: Bag, big: dict[int, int], tag: int, value: Any) -> bool:
    if tag in big:
        return False
    have = bag.get(tag)
    return have == value and type(have) is type(value)


def apply(tx: Transaction, data: Data, edit: Edit, depth: int = 0) -> None:
    """Carry changes out on a row that is `datarows.own`. Neither it nor what is new in its bag is written yet."""
    bag = data.props
    settled = edit.put.keys() | set(edit.gone)
    for tag in edit.gone:
        bag.pop(tag, None)
    bag |= edit.put
    fresh = edit.put.keys() | {s.tag for s in edit.spooled if not s.path and s.num < 0}
    if fresh & BODIES:
        for tag in BODIES - fresh:
            bag.pop(tag, None)
        settled |= BODIES - fresh
    values.drop(tx, data.did, 0, settled)
    for one in edit.spooled:
        if not one.path and one.num < 0:
            _unspool(tx, data.did, 0, one, bag)
    subjects(bag, edit.put, edit.gone)
    if edit.recipients is not None:
        data.recipients = edit.recipients
        shown(bag, data.recipients)
    if edit.attachments:
        _attach(tx, data, edit, depth)


def defaults(tx: Transaction, data: Data) -> None:
    """What a new message has that its maker did not say ([MS-OXCMSG] 3.2.5.2)."""
    bag = data.props
    now = filetime(tx.now)
    for tag, value in (
        (PidTagImportance, 1), (PidTagSensitivity, 0), (PidTagMessageClass, "IPM.Note"), (PidTagCreationTime, now),
        (PidTagLastModificationTime, now), (PidTagHasAttachments, False),
    ):  # fmt: skip
        bag.setdefault(tag, value)
    if not data.recipients:
        shown(bag, [])


KEPT = INTERNAL | READ_ONLY | {
    PidTagMessageFlags, PidTagMessageStatus, PidTagRead, PidTagCreationTime, PidTagLastModificationTime,
    PidTagSearchKey, PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject, PidTagConversationTopic,
    PidTagImportance, PidTagSensitivity, PidTagMessageClass,
}  # fmt: skip
"""What a message keeps when it is replaced by one that does not say: what every message has, and its state here."""
ATTACHMENT_KEPT = ATTACHMENT_READ_ONLY | {
    PidTagAttachMethod, PidTagCreationTime, PidTagLastModificationTime, PidTagRenderingPosition,
}  # fmt: skip


def as_whole(tx: Transaction, data: Data, changes: Changes, spooled: list[Spooled]) -> Changes:
    """The changes that make a message just what `changes` has ([MS-OXCFXICS] 3.2.5.9.4.2)."""
    said = changes.set.keys() | {s.tag for s in spooled if not s.path and s.num < 0}
    have = data.props.keys() | values.sizes(tx, data.did, 0).keys() | MARKS
    attachments = {change.num: change for change in changes.attachments}
    for one in spooled:
        num = one.path[0] if one.path else one.num
        if num >= 0:
            attachments.setdefault(num, AttachmentChange(num))
    for num, bag in datarows.attachments(tx, data.did):
        change = attachments.get(num)
        if change is None:
            attachments[num] = AttachmentChange(num, True)
        elif not change.remove:
            within = [s for s in spooled if (s.path[0] if s.path else s.num) == num]
            attachments[num] = _as_whole(tx, data.did, bag, change, within)
    gone = [*changes.delete, *(have - KEPT - said)]
    if said.isdisjoint((PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject)):
        gone.append(PidTagSubject)
    return Changes(changes.set, gone, changes.recipients or [], list(attachments.values()))


def _as_whole(
    tx: Transaction, did: int, bag: Bag, change: AttachmentChange, spooled: list[Spooled]
) -> AttachmentChange:
    num = change.num
    said = change.set.keys() | {s.tag for s in spooled if not s.path}
    have = bag.keys() | values.sizes(tx, did, values.part_of(num)).keys()
    child, embedded = datarows.child_of(tx, did, num), change.embedded
    if child and embedded is not None:
        deeper = [Spooled(s.tag, s.offset, s.length, s.path[1:], s.num) for s in spooled if s.path]
        embedded = as_whole(tx, datarows.load(tx, child), embedded, deeper)
    return AttachmentChange(num, False, change.set, [*change.delete, *(have - ATTACHMENT_KEPT - said)], embedded)


def _unspool(tx: Transaction, did: int, part: int, one: Spooled, bag: Bag) -> None:
    """Take a value from the spool, a short one into the bag."""
    if one.length > BIG:
        values.put_spooled(tx, did, part, one)
        bag.pop(one.tag, None)
        return
    if one.offset < 0 or one.length < 0 or tx.write.spool_fd < 0:
        raise MapiError(Ec.ecInvalidParam, "spooled value")
    values.drop(tx, did, part, (one.tag,))
    bag |= checked({one.tag: values.value_of(one.tag, read_exactly(tx.write.spool_fd, one.length, one.offset))}, ())


# ---------------------------------------------------------------------------------------------- attachments


def _attach(tx: Transaction, data: Data, edit: Edit, depth: int) -> None:
    for num, change in edit.attachments.items():
        if change.remove:
            datarows.remove_attachment(tx, data.did, num)
        else:
            within = [s for s in edit.spooled if (s.path[0] if s.path else s.num) == num]
            _change_attachment(tx, data, change, within, depth)
    if row(tx.db, "SELECT count(*) FROM attachments WHERE did=?", (data.did,))[0] > tx.settings.most_attachments:
        raise MapiError(Ec.ecMaxAttachmentExceeded, "attachments of a message")
    note_attachments(tx, data)


def note_attachments(tx: Transaction, data: Data) -> None:
    """PidTagHasAttachments: whether there are any that are not hidden ([MS-OXCMSG] 2.2.1.2)."""
    bags = datarows.attachments(tx, data.did)
    data.props[PidTagHasAttachments] = any(not bag.get(PidTagAttachmentHidden) for _, bag in bags)


def _change_attachment(
    tx: Transaction, data: Data, change: AttachmentChange, spooled: list[Spooled], depth: int
) -> None:
    did, num, part = data.did, change.num, values.part_of(change.num)
    bag = datarows.attachment(tx, did, num)
    now = filetime(tx.now)
    if bag is None:
        bag = {PidTagAttachNumber: num, PidTagRenderingPosition: -1, PidTagCreationTime: now}
    given = checked(change.set, ATTACHMENT_READ_ONLY)
    for tag in change.delete:
        bag.pop(tag, None)
    bag |= given
    bag.setdefault(PidTagLastModificationTime, now)
    if PidTagLastModificationTime not in given:
        bag[PidTagLastModificationTime] = now
    values.drop(tx, did, part, {*given, *change.delete})
    for one in spooled:
        if not one.path:
            _unspool(tx, did, part, one, bag)
    deeper = [Spooled(s.tag, s.offset, s.length, s.path[1:], s.num) for s in spooled if s.path]
    if change.embedded is not None or deeper:
        _embed(tx, did, num, change.embedded or Changes(), deeper, depth)
        bag[PidTagAttachMethod] = EMBEDDED_MESSAGE
    elif bag.get(PidTagAttachMethod) != EMBEDDED_MESSAGE and datarows.child_of(tx, did, num):
        datarows.remove_child(tx, did, num)
    put_attachment(tx, did, num, bag)


def put_attachment(tx: Transaction, did: int, num: int, bag: Bag) -> None:
    """Write an attachment, with its method and size if they are not said."""
    part = values.part_of(num)
    values.settle(tx, did, part, bag)
    big = values.sizes(tx, did, part)
    if PidTagAttachMethod not in bag:
        data = bag.keys() | big.keys()
        bag[PidTagAttachMethod] = BY_VALUE if data & {PidTagAttachDataBinary, PidTagAttachDataObject} else 0
    child = datarows.child_of(tx, did, num)
    size = len(encode_bag(bag)) + sum(big.values()) + (datarows.size_of(tx, child) if child else 0)
    bag[PidTagAttachSize] = min(size, 0x7FFFFFFF)
    datarows.put_attachment(tx, did, num, bag)


def _embed(tx: Transaction, did: int, num: int, changes: Changes, spooled: list[Spooled], depth: int) -> None:
    """Make or change the message embedded in an attachment ([MS-OXCMSG] 2.2.3.16)."""
    if depth >= MAX_DEPTH:
        raise MapiError(Ec.ecTooBig, "messages in messages")
    known = datarows.child_of(tx, did, num)
    child = datarows.load(tx, known) if known else datarows.make(tx, tx.new_ids())
    datarows.own(tx, child)
    if child.did != known:
        datarows.put_child(tx, did, num, child.did)
    edit = prepare(tx, child, changes, spooled)
    apply(tx, child, edit, depth + 1)
    if not known:
        defaults(tx, child)
    elif PidTagLastModificationTime not in edit.put:
        child.props[PidTagLastModificationTime] = filetime(tx.now)
    datarows.write_unsourced(tx, child)
