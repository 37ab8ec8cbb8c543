"""The values of an object that a client works on: those that are here, those still in the store, those being written.

`Values` is what messages, attachments and folders have in common: a bag of which some values are `Remote` or `Octets`,
and the difference to what the store has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import Exmdb, MailboxRef
from gromoxd.exmdb.calls import Call
from gromoxd.exmdb.objects import BIG, Bag, ReadValue
from gromoxd.exmdb.working.spool import IN_MEMORY, Octets, Spool
from gromoxd.mapi import codepages
from gromoxd.mapi.proptags import PidTagAttachDataBinary
from gromoxd.mapi.types import MULTIPLE, PYTHON, PropType, PropValue, fits, prop_type

PIECE: Final = 1 << 20
"""ReadValue gives no more at once."""
SLACK: Final = 64 << 10
"""By so much a reckoned size may be too long, as a rule."""
TEXT: Final = int(PropType.PtypString)
STRING8: Final = int(PropType.PtypString8)
STREAMED: Final = frozenset((TEXT, STRING8, int(PropType.PtypBinary), int(PropType.PtypObject)))
"""Types whose values are streams ([MS-OXCPRPT] 2.2.14)."""
_LOWEST, _HIGHEST = -(1 << 63), (1 << 64) - 1
_NO_VALUES: Final = frozenset((PropType.PtypUnspecified, PropType.PtypNull, PropType.PtypErrorCode))
R = TypeVar("R")
Problem = tuple[int, Ec]
"""A property that was left alone, and why ([MS-OXCDATA] 2.7)."""


@dataclass(frozen=True)
class Account:
    """Whose mailbox somebody works in, and as whom."""

    exmdb: Exmdb
    mailbox: MailboxRef
    actor: str

    def call(self, call: Call[R], **more: Any) -> R:
        """One call of the mailbox."""
        return self.exmdb.call(self.mailbox, call, actor=self.actor, **more)


@dataclass(frozen=True)
class Where:
    """A message, one embedded in it, or an attachment, as `ReadValue` names it."""

    account: Account
    mid: int
    path: tuple[int, ...] = ()
    num: int = -1


class Remote:
    """A value that the store has. `about`: its octets; for the contents of attachments nearly those."""

    __slots__ = ("_exact", "about", "tag", "where")

    def __init__(self, where: Where, tag: int, size: int) -> None:
        self.where = where
        self.tag = tag
        self.about = size
        self._exact = where.num < 0 or tag != PidTagAttachDataBinary
        """Parts of mail are decoded when they are read: before, their size is reckoned."""

    @property
    def size(self) -> int:
        """Its octets."""
        known, offset = 0, max(self.about - SLACK, 0)
        while not self._exact:
            piece = self.read(offset, PIECE)
            if piece or offset == known:
                known = offset = offset + len(piece)
                if len(piece) < PIECE:
                    self.about, self._exact = offset, True
            else:  # behind the end
                offset = max(known, offset - PIECE)
        return self.about

    def read(self, offset: int, length: int) -> bytes:
        """Short at the end. ecObjectModified when the value is not what it was."""
        where, exact = self.where, self._exact
        end = min(offset + length, self.about) if exact else offset + length
        pieces = []
        while offset < end:
            wanted = min(end - offset, PIECE)
            call = ReadValue(where.mid, self.tag, offset, wanted, list(where.path), where.num)
            piece = where.account.call(call)
            pieces.append(piece)
            offset += len(piece)
            if len(piece) != wanted:
                if exact:
                    raise MapiError(Ec.ecObjectModified, f"property {self.tag:#010x}")
                if any(pieces):
                    self.about, self._exact = offset, True
                break
        return b"".join(pieces)


def is_long(value: Any) -> bool:
    """Whether a value is one that is read in pieces."""
    return isinstance(value, Remote | Octets)


def size_of(value: Any) -> int:
    """Octets of a value in the form of streams; about that of those that are not here, and of other types."""
    if isinstance(value, Octets):
        return value.size
    if isinstance(value, Remote):
        return value.about
    if isinstance(value, str):
        return len(value) * 2 if value.isascii() else len(value.encode("utf-16-le", "surrogatepass"))
    if isinstance(value, bytes):
        return len(value)
    return sum(map(size_of, value)) if isinstance(value, list) else 8


def to_octets(value: Any) -> bytes:
    """The form of streams of a value that is not long."""
    return value.encode("utf-16-le", "surrogatepass") if isinstance(value, str) else value or b""


def whole(tag: int, value: Any) -> Any:
    """A value in memory, however long."""
    if not isinstance(value, Remote | Octets):
        return value
    data = b"".join(pieces(value))
    return data.decode("utf-16-le", "replace") if prop_type(tag) == TEXT else data


def pieces(value: Any) -> Iterable[bytes]:
    """The octets of a value, one piece after the other."""
    if not isinstance(value, Remote | Octets):
        yield to_octets(value)
        return
    offset, piece = 0, bytes(PIECE)
    while len(piece) == PIECE:
        piece = value.read(offset, PIECE)
        offset += len(piece)
        yield piece


def copied(value: Any, spool: Spool) -> Octets:
    """The octets of a value as somebody's own, who may write them."""
    mine = Octets(spool)
    for piece in pieces(value):
        mine.write(mine.size, piece)
    return mine


def settled(tag: int, value: Any, spool: Spool) -> Any:
    """A value as it is kept: what is too long goes to the spool; text is such as can travel."""
    if isinstance(value, Octets):
        return value
    if isinstance(value, str):
        value = codepages.without_surrogates(value)
    elif isinstance(value, list) and value and isinstance(value[0], str):
        value = [codepages.without_surrogates(one) for one in value]
    if prop_type(tag) in STREAMED and size_of(value) > IN_MEMORY:
        return Octets(spool, to_octets(value))
    return value


def usable(tag: int, value: Any) -> bool:
    """Whether a client's value is one of the tag's type ([MS-OXCDATA] 2.11.1)."""
    kind = prop_type(tag) & ~MULTIPLE
    if isinstance(value, Octets):
        return kind in STREAMED
    if not 0 < tag <= 0xFFFFFFFF or kind not in PYTHON or kind in _NO_VALUES or not fits(tag, value):
        return False
    return all(
        _LOWEST <= one <= _HIGHEST for one in (value if isinstance(value, list) else [value]) if type(one) is int
    )


@dataclass(slots=True)
class Values:
    """The properties of one object. `changed` and `removed`: in what they differ from what the store has."""

    values: dict[int, Any] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)

    @classmethod
    def known(cls, props: Bag, big: dict[int, int], where: Where) -> Values:
        """As the store told them."""
        values: dict[int, Any] = dict(props)
        for tag, size in big.items():
            values[tag] = Remote(where, tag, size)
        return cls(values)

    def clone(self) -> Values:
        """The same for somebody else; what is being written is nobody's to change from now on."""
        for value in self.values.values():
            if isinstance(value, Octets):
                value.frozen = True
        return Values(dict(self.values), set(self.changed), set(self.removed))

    def put(self, tag: int, value: Any) -> None:
        """A value that is to be saved."""
        self.values[tag] = value
        self.changed.add(tag)
        self.removed.discard(tag)

    def drop(self, tag: int) -> None:
        """Remove a value; it is to be removed from the store too."""
        self.values.pop(tag, None)
        self.changed.discard(tag)
        self.removed.add(tag)

    def kept_as(self, tag: int) -> int:
        """The tag by which a property is kept: PtypString for PtypString8, its own type where none is said."""
        kind = prop_type(tag)
        if kind & ~MULTIPLE == STRING8:
            return tag if tag in self.values else tag | 1
        if kind != PropType.PtypUnspecified:
            return tag
        return next((have for have in self.values if have >> 16 == tag >> 16), tag)


class Holder:
    """An open object: what is done to its properties ([MS-OXCPRPT] 2.2.2-2.2.8)."""

    read_only: frozenset[int] = frozenset()
    """Tags that are not the client's to set."""

    def __init__(self, spool: Spool, state: Values, writable: bool) -> None:
        self.spool = spool
        self.properties = state
        self.writable = writable

    # ------------------------------------------------------------------------------------------ reading

    def loaded(self) -> Values:
        """The properties as they are now, read anew if need be."""
        return self.properties

    def value(self, tag: int) -> Any:
        """A property as it is kept (`Remote` and `Octets` too), None when there is none."""
        state = self.loaded()
        return state.values.get(state.kept_as(tag))

    def get(self, tag: int) -> PropValue:
        """A property's value, however long; None when there is none."""
        state = self.loaded()
        kept: PropValue = whole(state.kept_as(tag), self.value(tag))
        return kept

    def bag(self, tags: Iterable[int] | None = None, longest: int = BIG) -> tuple[Bag, dict[int, int]]:
        """(properties, octets of those of more than `longest`), under the tags by which they are kept.

        `tags` None: all but forms of the body that would have to be made. Those that are not there are not in it.
        """
        found: Bag = {}
        big: dict[int, int] = {}
        state = self.loaded()
        asked = list(state.values) if tags is None else [state.kept_as(tag) for tag in tags]
        for tag in asked:
            value = self.value(tag)
            if value is None:
                continue
            if prop_type(tag) in STREAMED and size_of(value) > longest:
                big[tag] = size_of(value)
            else:
                found[tag] = whole(tag, value)
        return found, big

    def tags(self) -> list[int]:
        """The tags of all properties ([MS-OXCPRPT] 2.2.6)."""
        return sorted(self.loaded().values)

    # ------------------------------------------------------------------------------------------ changing

    def require_writable(self) -> None:
        """ecAccessDenied."""
        if not self.writable:
            raise MapiError(Ec.ecAccessDenied, "opened for reading")

    def set(self, props: dict[int, Any]) -> list[Problem]:
        """Set properties, the spool's own `Octets` too. ecAccessDenied.

        The problems are those that were left alone: ecComputed, ecInvalidParam.
        """
        self.require_writable()
        state = self.loaded()
        problems: list[Problem] = []
        good: dict[int, Any] = {}
        for tag, value in props.items():
            if tag in self.read_only:
                problems.append((tag, Ec.ecComputed))
            elif not usable(tag, value):
                problems.append((tag, Ec.ecInvalidParam))
            else:
                good[tag] = value
        if good:
            self._put(state, good)
            self.touched()
        return problems

    def delete(self, tags: Iterable[int]) -> list[Problem]:
        """Remove properties; it is no problem when there are none. Problems: ecComputed. ecAccessDenied."""
        self.require_writable()
        state = self.loaded()
        problems: list[Problem] = []
        gone = []
        for tag in map(state.kept_as, tags):
            if tag in self.read_only:
                problems.append((tag, Ec.ecComputed))
            else:
                gone.append(tag)
        if gone:
            self._drop(state, gone)
            self.touched()
        return problems

    def _put(self, state: Values, props: dict[int, Any]) -> None:
        for tag, value in props.items():
            state.put(tag, settled(tag, value, self.spool))

    def _drop(self, state: Values, tags: list[int]) -> None:
        for tag in tags:
            state.drop(tag)

    def own(self, tag: int, *, empty: bool = False) -> Octets:
        """A property's octets to be written; what they are now becomes the property's value at once."""
        state = self.loaded()
        value = state.values.get(tag)
        if empty:
            mine = Octets(self.spool)
        elif isinstance(value, Octets) and not value.frozen:
            mine = value
        else:
            mine = copied(value, self.spool)
        state.put(tag, mine)
        return mine

    def written(self, tag: int) -> None:
        """A stream has changed a property."""
        self.touched()

    def touched(self) -> None:
        """Something has changed."""

    def commit(self) -> None:
        """A stream is committed; what that means is the object's."""
