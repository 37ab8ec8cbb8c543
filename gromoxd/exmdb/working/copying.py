"""RopCopyTo and RopCopyProperties between two open objects of a kind ([MS-OXCPRPT] 2.2.10, 2.2.11, 3.2.5.7, 3.2.5.8).

The destination's client saves it; folders are stored at once. Objects may be in different mailboxes: named properties
get the ids that they have in the destination's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntFlag
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.names import GetPropertyNames, MakePropertyIds
from gromoxd.exmdb.objects import Bag
from gromoxd.exmdb.working.attachment import WorkingAttachment
from gromoxd.exmdb.working.folder import WorkingFolder
from gromoxd.exmdb.working.message import WorkingMessage
from gromoxd.exmdb.working.state import AttachmentState
from gromoxd.exmdb.working.values import Account, Holder, Problem, copied, is_long, usable, whole
from gromoxd.mapi.named import BUILT_IN, FIRST_NAMED
from gromoxd.mapi.proptags import (
    PidTagAttachNumber,
    PidTagMessageAttachments,
    PidTagMessageRecipients,
    PidTagRead,
)

_SUBOBJECTS: Final = frozenset((PidTagMessageRecipients, PidTagMessageAttachments))
_FIRST_FREE: Final = FIRST_NAMED + len(BUILT_IN)
_FLAGS: Final = 0x3


class Copy(IntFlag):
    """CopyFlags ([MS-OXCPRPT] 2.2.10.1, 2.2.11.1)."""

    MOVE = 1
    NO_OVERWRITE = 2


def copy_to(
    source: Holder, destination: Holder, *, exclude: Collection[int] = (), sub_objects: bool = True, flags: int = 0
) -> list[Problem]:
    """Copy all properties that can be set but those excluded, whatever their types.

    With `sub_objects` recipients and attachments too; a folder's messages and subfolders are not this function's.
    ecNotSupported (kinds, moving a folder's), ecInvalidParam (flags), ecAccessDenied.
    """
    _check(source, destination, flags)
    without = {tag >> 16 for tag in exclude}
    tags = [tag for tag in source.loaded().values if tag >> 16 not in without and tag not in destination.read_only]
    if isinstance(source, WorkingFolder):
        tags = [tag for tag in tags if usable(tag, source.get(tag))]
    subs = {tag for tag in _SUBOBJECTS if tag >> 16 not in without} if sub_objects else set()
    problems = _copy(source, destination, tags, subs, flags)
    return [one for one in problems if one[1] != Ec.ecComputed]


def copy_properties(source: Holder, destination: Holder, tags: Iterable[int], *, flags: int = 0) -> list[Problem]:
    """Copy these properties. Problems: ecNotFound (the source has none), ecComputed; else as copy_to."""
    _check(source, destination, flags)
    wanted = list(dict.fromkeys(tags))
    subs = _SUBOBJECTS.intersection(wanted)
    missing, there = [], []
    for tag in wanted:
        kept = source.loaded().kept_as(tag)
        if tag in subs:
            continue
        if kept in destination.read_only:
            missing.append((tag, Ec.ecComputed))
        elif source.value(kept) is None:
            missing.append((tag, Ec.ecNotFound))
        else:
            there.append(kept)
    return missing + _copy(source, destination, there, set(subs), flags)


def _check(source: Holder, destination: Holder, flags: int) -> None:
    kinds = (WorkingMessage, WorkingAttachment, WorkingFolder)
    if not any(isinstance(source, kind) and isinstance(destination, kind) for kind in kinds) or source is destination:
        raise MapiError(Ec.ecNotSupported, "copying between objects of different kinds")
    if flags & ~_FLAGS:
        raise MapiError(Ec.ecInvalidParam, f"copy flags {flags:#x}")
    destination.require_writable()
    if flags & Copy.MOVE:
        if isinstance(source, WorkingFolder):
            raise MapiError(Ec.ecNotSupported, "moving properties of a folder")
        source.require_writable()


def _copy(source: Holder, destination: Holder, tags: list[int], subs: set[int], flags: int) -> list[Problem]:
    ids = _Ids(_account(source), _account(destination), tags)
    there = {tag >> 16 for tag in destination.loaded().values} if flags & Copy.NO_OVERWRITE else set()
    problems: list[Problem] = []
    values: dict[int, Any] = {}
    done = []
    for tag in tags:
        new = ids.of(tag)
        if new >> 16 in there:
            continue
        if not new:
            problems.append((tag, Ec.ecNotFound))
            continue
        value = source.value(tag)
        if is_long(value) and not isinstance(destination, WorkingFolder):
            values[new] = copied(value, destination.spool)
        else:
            values[new] = whole(tag, value)
        done.append(tag)
    if isinstance(source, WorkingMessage):
        values.pop(PidTagRead, None)  # said by PidTagMessageFlags
    if values:
        problems += destination.set(values)
    if isinstance(source, WorkingMessage) and isinstance(destination, WorkingMessage):
        _copy_subobjects(source, destination, subs, flags)
    elif isinstance(source, WorkingAttachment) and isinstance(destination, WorkingAttachment):
        _copy_embedded(source, destination)
    if flags & Copy.MOVE:
        source.delete(done)
    return problems


# ---------------------------------------------------------------------------------------------- parts


def _copy_subobjects(source: WorkingMessage, destination: WorkingMessage, subs: set[int], flags: int) -> None:
    """Recipients and attachments; those of the destination go, unless they are not to be overwritten."""
    keep = bool(flags & Copy.NO_OVERWRITE)
    if PidTagMessageRecipients in subs and not (keep and destination.loaded().recipients):
        rows: dict[int, Bag | None] = dict(enumerate(source.recipients))
        destination.remove_recipients()
        destination.modify_recipients(rows)
        if flags & Copy.MOVE:
            source.remove_recipients()
    if PidTagMessageAttachments in subs and not (keep and destination.loaded().attachments):
        for num in list(destination.loaded().attachments):
            destination.delete_attachment(num)
        for num in list(source.loaded().attachments):
            made = destination.create_attachment()
            _copy_attachment(source.open_attachment(num, writable=False), made)
            made.save()
            if flags & Copy.MOVE:
                source.delete_attachment(num)


def _copy_attachment(source: WorkingAttachment, destination: WorkingAttachment) -> None:
    tags = [tag for tag in source.properties.values if tag not in destination.read_only and tag != PidTagAttachNumber]
    _copy(source, destination, tags, set(), 0)


def _copy_embedded(source: WorkingAttachment, destination: WorkingAttachment) -> None:
    if not source.properties.embedded:
        return
    inner = source.open_embedded(writable=False)
    state: AttachmentState = destination.properties
    if state.embedded:
        state.embedded, state.child = False, None
    new = destination.open_embedded(create=True)
    tags = [tag for tag in inner.loaded().values if tag not in new.read_only]
    _copy(inner, new, tags, set(_SUBOBJECTS), 0)
    new.save()


# ---------------------------------------------------------------------------------------------- named properties


def _account(holder: Holder) -> Account:
    if isinstance(holder, WorkingAttachment):
        return holder.message.account
    if isinstance(holder, WorkingMessage | WorkingFolder):
        return holder.account
    raise MapiError(Ec.ecNotSupported, "object")


class _Ids:
    """The ids of named properties in another mailbox, asked for once."""

    def __init__(self, source: Account, destination: Account, tags: Iterable[int]) -> None:
        self._new: dict[int, int] | None = None
        if source.mailbox == destination.mailbox:
            return
        own = sorted({tag >> 16 for tag in tags if tag >> 16 >= _FIRST_FREE})
        self._new = {}
        if not own:
            return
        names = source.call(GetPropertyNames(own))
        known = [(number, name) for number, name in zip(own, names, strict=True) if name is not None]
        if known:
            ids = destination.call(MakePropertyIds([name for _, name in known]))
            self._new = {number: new for (number, _), new in zip(known, ids, strict=True)}

    def of(self, tag: int) -> int:
        """The tag there, 0 when there is none."""
        if self._new is None or tag >> 16 < _FIRST_FREE:
            return tag
        new = self._new.get(tag >> 16, 0)
        return new << 16 | tag & 0xFFFF if new else 0
