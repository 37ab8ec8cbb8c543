"""The difference between a message as it was opened and as it is, as `SaveMessage` wants it.

Long values travel beside the call in a spool: the message's own file when only one value is in it, else a file made
for the call.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

import gevent

from gromoxd.convert.derived import SUBJECTS
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.objects import AttachmentChange, Bag, Changes, Spooled
from gromoxd.exmdb.working.spool import CHUNK, Octets, Spool
from gromoxd.exmdb.working.state import AttachmentState, MessageState
from gromoxd.exmdb.working.values import STREAMED, Remote, Values, pieces, size_of, whole
from gromoxd.mapi.proptags import PidTagRowid
from gromoxd.mapi.types import prop_type

INLINE: Final = 16 << 10
"""A value of more octets goes into the spool."""
SHORT: Final = 512
"""The same when all values together are long, too."""
MOST_INLINE: Final = 4 << 20
MOST_AT_ALL: Final = 64 << 20
"""Octets of a call; a frame has no room for more."""


@dataclass
class Packed:
    """What SaveMessage is given. `close` when it is done."""

    changes: Changes
    spooled: list[Spooled] = field(default_factory=list)
    file: BinaryIO | None = None
    own: bool = False

    def close(self) -> None:
        """Forget the file, if it was made for the call."""
        if self.own and self.file is not None:
            self.file.close()


@dataclass
class _Long:
    path: list[int]
    num: int
    tag: int
    value: Any


@dataclass
class _Packing:
    """`longest`: what is longer goes to `long`; `inline`: octets of the rest."""

    longest: int
    long: list[_Long] = field(default_factory=list)
    inline: int = 0


def pack(state: MessageState, spool: Spool) -> Packed:
    """The difference. ecStorageFull, ecTooBig."""
    packing = _Packing(INLINE)
    packed = Packed(_changes(state, [], packing))
    if packing.inline > MOST_INLINE:
        packing = _Packing(SHORT)
        packed = Packed(_changes(state, [], packing))
    if packing.inline > MOST_AT_ALL:
        raise MapiError(Ec.ecTooBig, "message")
    long = packing.long
    if not long:
        return packed
    if len(long) == 1 and isinstance(long[0].value, Octets) and long[0].value.place == 0:
        packed.file = spool.file
        if os.fstat(spool.descriptor).st_size < long[0].value.size:  # zeros at its end that nobody wrote
            os.ftruncate(spool.descriptor, long[0].value.size)
        packed.spooled = [Spooled(long[0].tag, 0, long[0].value.size, long[0].path, long[0].num)]
        return packed
    packed.own = True
    try:
        packed.file = spool.make()
        _gather(packed, long)
    except OSError as error:
        packed.close()
        raise MapiError(Ec.ecStorageFull, str(error)) from error
    except MapiError:
        packed.close()
        raise
    return packed


def _gather(packed: Packed, long: list[_Long]) -> None:
    assert packed.file is not None
    descriptor, offset = packed.file.fileno(), 0
    for one in long:
        first = offset
        for piece in pieces(one.value):
            view = memoryview(piece)
            while view:
                written = os.pwrite(descriptor, view, offset)
                offset += written
                view = view[written:]
            if len(piece) == CHUNK:
                gevent.sleep(0)  # a disk's speed is no reason to hold others up
        packed.spooled.append(Spooled(one.tag, first, offset - first, one.path, one.num))


def _changes(state: MessageState, path: list[int], to: _Packing) -> Changes:
    rows = None
    if state.recipients_changed:
        rows = [_row(state.recipients[row]) for row in sorted(state.recipients)]
        to.inline += sum(size_of(value) for row in rows for value in row.values())
    attachments = [AttachmentChange(num, remove=True) for num in sorted(state.stored - state.attachments.keys())]
    attachments += [
        _attachment(one, path, to) for _, one in sorted(state.attachments.items()) if one.dirty
    ]  # fmt: skip
    return Changes(_bag(state, path, -1, to), sorted(state.removed), rows, attachments)


def _row(bag: Bag) -> Bag:
    return {tag: value for tag, value in bag.items() if tag != PidTagRowid}


def _attachment(state: AttachmentState, path: list[int], to: _Packing) -> AttachmentChange:
    child = None
    if state.child is not None:
        child = _changes(state.child, [*path, state.num], to)
    return AttachmentChange(
        state.num, False, _bag(state, path, state.num, to), sorted(state.removed), child
    )  # fmt: skip


def _bag(state: Values, path: list[int], num: int, to: _Packing) -> Bag:
    """The values that go with the call; the others are added to `to.long`."""
    bag: Bag = {}
    for tag in sorted(state.changed):
        value = state.values[tag]
        if isinstance(value, Remote):
            continue  # what the store has
        size = size_of(value)
        if prop_type(tag) in STREAMED and size > to.longest and tag not in SUBJECTS:
            to.long.append(_Long(path, num, tag, value))
        else:
            bag[tag] = whole(tag, value)
            to.inline += size
    return bag
