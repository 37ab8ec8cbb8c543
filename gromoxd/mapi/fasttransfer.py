"""FastTransfer streams as a sequence of elements: markers, and properties with their values. Both directions.

The lexical structure of [MS-OXCFXICS] 2.2.4.1. What the elements say together (2.2.4.2) is not here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from struct import Struct
from struct import error as StructError
from typing import Any, Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi import codepages
from gromoxd.mapi.cursor import U32, Cursor, utf16
from gromoxd.mapi.named import FIRST_NAMED, PropertyName
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import LAYOUTS, fixed_writer


class Marker(IntEnum):
    """[MS-OXCFXICS] 2.2.4.1.4: elements without a value."""

    NewAttach = 0x40000003
    StartEmbed = 0x40010003
    EndEmbed = 0x40020003
    StartRecip = 0x40030003
    EndToRecip = 0x40040003
    StartTopFld = 0x40090003
    StartSubFld = 0x400A0003
    EndFolder = 0x400B0003
    StartMessage = 0x400C0003
    EndMessage = 0x400D0003
    EndAttach = 0x400E0003
    StartFAIMsg = 0x40100003
    IncrSyncChg = 0x40120003
    IncrSyncDel = 0x40130003
    IncrSyncEnd = 0x40140003
    IncrSyncMessage = 0x40150003
    FXErrorInfo = 0x40180003
    IncrSyncRead = 0x402F0003
    IncrSyncStateBegin = 0x403A0003
    IncrSyncStateEnd = 0x403B0003
    IncrSyncProgressMode = 0x4074000B
    IncrSyncProgressPerMsg = 0x4075000B
    IncrSyncGroupInfo = 0x407B0102
    IncrSyncChgPartial = 0x407D0003


MARKERS: Final[dict[int, Marker]] = {int(marker): marker for marker in Marker}

# Meta-properties ([MS-OXCFXICS] 2.2.4.1.5) and those that encode differences (2.2.1.3): in streams only.
MetaTagDnPrefix: Final = 0x4008001E
MetaTagEcWarning: Final = 0x400F0003
MetaTagNewFXFolder: Final = 0x40110102
MetaTagFXDelProp: Final = 0x40160003
MetaTagIncrementalSyncMessagePartial: Final = 0x407A0003
MetaTagIncrSyncGroupId: Final = 0x407C0003
MetaTagIdsetNoLongerInScope: Final = 0x40210102
MetaTagIdsetRead: Final = 0x402D0102
MetaTagIdsetUnread: Final = 0x402E0102
MetaTagIdsetExpired: Final = 0x67930102
MetaTagIdsetDeleted: Final = 0x67E50102
# The ICS state (2.2.1.1).
MetaTagIdsetGiven: Final = 0x40170003
"""Its type is a lie of the tag's: the value is PtypBinary on the wire and here (2.2.1.1.1, 3.2.5.2.1)."""
MetaTagIdsetGivenBinary: Final = 0x40170102
"""The same as some clients send it."""
MetaTagCnsetSeen: Final = 0x67960102
MetaTagCnsetRead: Final = 0x67D20102
MetaTagCnsetSeenFAI: Final = 0x67DA0102

MAX_VALUE: Final = 256 * 1024 * 1024
"""Octets that the value of one property may have, if the caller sets no other limit."""

_LONGEST_NAME = 0x1000
_CODE_PAGE = 0x8000
_UNICODE = _CODE_PAGE | codepages.UTF16
_STRING, _STRING8, _BINARY, _BOOLEAN = (
    int(kind) for kind in (PropType.PtypString, PropType.PtypString8, PropType.PtypBinary, PropType.PtypBoolean)
)
_FIXED: Final[dict[int, str]] = {**LAYOUTS, PropType.PtypBoolean: "H"}
"""Types of fixed size; a PtypBoolean has two octets in streams ([MS-OXCFXICS] 2.2.4.1.3)."""
_VARIABLE: Final = frozenset((_STRING, _STRING8, _BINARY, int(PropType.PtypServerId), int(PropType.PtypObject)))
_LISTED: Final = frozenset((*_FIXED, _STRING, _STRING8, _BINARY))
"""Types whose multi-value form is known."""
_LAYOUTS: Final = {kind: Struct("<" + code) for kind, code in _FIXED.items()}


class Property(NamedTuple):
    """A property in a stream. `name` is there where the id is that of a named property, 0x8000 and above.

    The value of a string in a code page other than UTF-16 is its octets; its type then is 0x8000 + the code page
    ([MS-OXCFXICS] 2.2.4.1.1.1), or PtypString8.
    """

    tag: int
    value: PropValue
    name: PropertyName | None = None


Element = Marker | Property


class _Short(WireError):
    """The element goes on behind the octets that are here."""


class _Stream(Cursor):
    """A cursor over the first part of a stream."""

    __slots__ = ()

    def _skip(self, count: int) -> int:
        at = self.at
        if self.end - at < count:
            raise _Short("stream ends within an element", at)
        self.at = at + count
        return at

    def string(self) -> str:
        """The name of a property; one without an end is not waited for without end."""
        at = self.at
        try:
            text = super().string()
        except WireError as error:
            if self.left > _LONGEST_NAME:
                raise
            raise _Short(str(error), error.offset) from None
        if self.at - at > _LONGEST_NAME:
            raise self.fail("name of a property too long")
        return text


class StreamReader:
    """Finds the elements of a stream that comes in pieces, cut wherever the sender likes.

    An element is given when it is complete. Octets are copied a bounded number of times, however small the pieces are.
    """

    __slots__ = ("_held", "_limit", "_many", "_need", "_pieces", "_size")

    def __init__(self, max_value: int = MAX_VALUE) -> None:
        """`max_value`: octets that one property's value may have."""
        self._limit = max_value
        self._pieces: list[bytes] = []
        self._size = 0
        self._need = 0
        self._many: _Many | None = None
        self._held = False
        """Nothing is to be read for now (LongReader)."""

    def feed(self, data: bytes) -> list[Element]:
        """The elements that these octets complete. WireError for what is no stream."""
        self._size += len(data)
        if not data:
            return []
        if self._pieces:
            self._pieces.append(data)
            if self._size < self._need:
                return []
            data = b"".join(self._pieces)
        cursor = _Stream(data)
        found: list[Element] = []
        at = self._need = 0
        try:
            while cursor.left and not self._held:
                found.append(self._element(cursor))
                at = cursor.at
        except _Short:
            if self._many is not None:
                at, self._many.at = self._many.at, 0
        left = data[at:] if at else data
        self._pieces = [left] if left else []
        self._size = len(left)
        self._need = max(self._need - at, 0)
        return found

    def finish(self) -> None:
        """WireError when the stream ends within an element."""
        if self._pieces or self._many is not None:
            raise WireError("stream ends within an element", self._size)

    def _element(self, cursor: _Stream) -> Element:
        if self._many is not None:
            return self._items(cursor, self._many)
        tag = cursor.u32()
        marker = MARKERS.get(tag)
        if marker is not None:
            return marker
        name = PropertyName.read_info(cursor) if tag >> 16 >= FIRST_NAMED else None
        kind = tag & 0xFFFF
        layout = _LAYOUTS.get(kind)
        if tag == MetaTagIdsetGiven:
            return Property(tag, self._variable(cursor, _BINARY))
        if layout is not None:
            value = cursor.struct(layout)[0]
            return Property(tag, value != 0 if kind == _BOOLEAN else value, name)
        if kind in _VARIABLE or kind & _CODE_PAGE:
            octets = self._variable(cursor, _STRING if kind == _UNICODE else kind)
            return Property(tag - _UNICODE + _STRING if kind == _UNICODE else tag, octets, name)
        if kind & MULTIPLE and kind & ~MULTIPLE in _LISTED:
            self._many = _Many(tag, name, cursor.u32(), [], cursor.at)
            return self._items(cursor, self._many)
        raise cursor.fail(f"property {tag:#010x} of unknown type")

    def _variable(self, cursor: _Stream, kind: int) -> Any:
        size = cursor.u32()
        if size > self._limit:
            raise cursor.fail(f"value of {size} octets")
        if cursor.left < size:
            self._need = cursor.at + size
        octets = cursor.take(size)
        if kind == _STRING:
            if size % 2:
                raise cursor.fail(f"string of {size} octets")
            text = octets.decode("utf-16-le", "replace")
            return text.partition("\0")[0] if "\0" in text else text
        if kind == _STRING8 or kind & _CODE_PAGE:
            return octets.partition(b"\0")[0] if b"\0" in octets else octets
        return octets

    def _items(self, cursor: _Stream, many: _Many) -> Property:
        """The values of a multi-value property; those that are here stay when it goes on later."""
        kind = many.tag & 0xFFFF & ~MULTIPLE
        layout = _LAYOUTS.get(kind)
        if layout is None:
            while len(many.values) < many.count:
                many.values.append(self._variable(cursor, kind))
                many.taken += cursor.at - many.at
                many.at = cursor.at
                if many.taken > self._limit:
                    raise cursor.fail(f"values of {many.taken} octets")
        else:
            size = many.count * layout.size
            if size > self._limit:
                raise cursor.fail(f"values of {size} octets")
            if cursor.left < size:
                self._need = cursor.at + size
            octets = cursor.take(size)
            many.values = _numbers(kind, octets, many.count)
        self._many = None
        return Property(many.tag, many.values, many.name)


class _Many:
    """A multi-value property whose values are being read: `at` is where in the octets the next one starts."""

    __slots__ = ("at", "count", "name", "tag", "taken", "values")

    def __init__(self, tag: int, name: PropertyName | None, count: int, values: list[Any], at: int) -> None:
        self.tag = tag
        self.name = name
        self.count = count
        self.values = values
        self.at = at
        self.taken = 0


class LongValue(NamedTuple):
    """The begin of a property whose value comes in pieces, `size` octets in all; text is in UTF-16LE."""

    tag: int
    size: int
    name: PropertyName | None


class LongReader(StreamReader):
    """The same, but a text or binary value of more than `longest` octets is given as it comes, never as a whole."""

    __slots__ = ("_begun", "_left", "_longest")

    def __init__(self, longest: int, max_value: int = MAX_VALUE) -> None:
        super().__init__(max_value)
        self._longest = longest
        self._begun: LongValue | None = None
        self._left = 0

    def read(self, data: bytes) -> list[Element | LongValue | bytes]:
        """The elements that these octets complete, LongValue where one begins, and its octets after it."""
        found: list[Element | LongValue | bytes] = []
        while data:
            if self._left:
                found.append(data[: self._left])
                data, self._left = data[self._left :], max(self._left - len(data), 0)
                continue
            found += self.feed(data)
            data = b""
            if self._begun is not None:
                begun, self._begun, self._held = self._begun, None, False
                found[-1] = begun
                self._left = begun.size
                data, self._pieces, self._size = b"".join(self._pieces), [], 0
        return found

    def finish(self) -> None:
        """See StreamReader."""
        if self._left:
            raise WireError("stream ends within an element", self._size)
        super().finish()

    def _element(self, cursor: _Stream) -> Element:
        at = cursor.at
        begun = self._long(cursor) if self._many is None else None
        if begun is None:
            cursor.at = at
            return super()._element(cursor)
        self._begun, self._held = begun, True
        return Marker.NewAttach  # `read` puts what was begun in its place

    def _long(self, cursor: _Stream) -> LongValue | None:
        tag = cursor.u32()
        kind = tag & 0xFFFF
        if tag in MARKERS or kind not in _LONG:
            return None
        name = PropertyName.read_info(cursor) if tag >> 16 >= FIRST_NAMED else None
        size = cursor.u32()
        if size <= self._longest:
            return None
        if size > self._limit or (size % 2 and kind != _BINARY and kind != PropType.PtypObject):
            raise cursor.fail(f"value of {size} octets")
        return LongValue(tag - _UNICODE + _STRING if kind == _UNICODE else tag, size, name)


_LONG: Final = frozenset((_STRING, _UNICODE, _BINARY, int(PropType.PtypObject)))


def _numbers(kind: int, octets: bytes, count: int) -> list[Any]:
    if kind == PropType.PtypGuid:
        return [octets[at : at + 16] for at in range(0, len(octets), 16)]
    found = Struct(f"<{count}{_FIXED[kind]}").unpack(octets)
    return [value != 0 for value in found] if kind == _BOOLEAN else list(found)


def decode_stream(data: bytes, max_value: int = MAX_VALUE) -> list[Element]:
    """All elements of a whole stream."""
    reader = StreamReader(max_value)
    found = reader.feed(data)
    reader.finish()
    return found


Names = Callable[[int], PropertyName | None]
"""The name of a named property's tag."""

_SMALL: Final = 64
"""Values up to so many octets are not cut: a buffer loses less than that, and nothing is noted down for each."""
_KEEP: Final = 1024 * 1024


class StreamWriter:
    """Makes a stream, from which `take` cuts buffers at places where the format allows it.

    [MS-OXCFXICS] 2.2.4.1: between two atoms (a marker; type and id; length; a value of fixed size) or within a value of
    variable size. Write elements while `pending` is below what the next buffer may have.
    """

    __slots__ = ("_at", "_bodies", "_code_page", "_cuts", "_names", "_open", "_out", "_starts")

    def __init__(self, names: Names | None = None, code_page: int | None = None) -> None:
        """`names` finds the names of named properties; one without is left out. With `code_page` the strings are
        PtypString8 in that code page, as clients want that cannot do Unicode (SendOptions, 2.2.3.1.1.1.2)."""
        self._names = names
        self._code_page = code_page
        self._out = bytearray()
        self._at = 0
        self._open = 0
        self._cuts = array("Q")
        self._bodies: list[tuple[int, int]] = []
        self._starts: list[int] = []

    @property
    def pending(self) -> int:
        """Octets written and not taken."""
        return len(self._out) - self._at

    @property
    def unicode(self) -> bool:
        """Whether strings are PtypString."""
        return self._code_page is None

    def marker(self, marker: int) -> None:
        """An element without a value."""
        self._element(U32.pack(marker))

    def property(self, tag: int, value: PropValue) -> None:
        """A property. WireError when the value is not of its tag's type, or of a type that streams do not have."""
        kind = tag & 0xFFFF
        try:
            if kind & MULTIPLE:
                self._values(tag, value)
                return
            pack = _PACK.get(kind)
            if pack is not None and tag != MetaTagIdsetGiven:
                head = self._head(tag)
                if head:
                    self._element(head + pack(value))
                return
            octets, tag = self._octets(tag, value)
        except (StructError, TypeError, AttributeError) as error:
            raise WireError(f"property {tag:#010x}: {error}") from None
        head = self._head(tag)
        if head:
            self._begin(head + U32.pack(len(octets)), len(octets))
            self._out += octets
            self._open = 0

    def properties(self, bag: Mapping[int, PropValue]) -> None:
        """All properties of a bag in its order."""
        for tag, value in bag.items():
            self.property(tag, value)

    def begin(self, tag: int, size: int) -> bool:
        """Start a PtypBinary, PtypString or PtypObject property whose `size` octets `write` brings piece by piece.

        False: it has no name and is left out. Strings come in UTF-16LE with their two zero octets.
        """
        head = self._head(tag)
        if head:
            self._begin(head + U32.pack(size), size)
        return bool(head)

    def write(self, octets: bytes) -> None:
        """More octets of the value that was begun. ValueError when there are more than announced."""
        if len(octets) > self._open:
            raise ValueError("more octets than were announced")
        self._open -= len(octets)
        self._out += octets

    def element(self, element: Element) -> None:
        """An element as the reader gives it; a property keeps the name that it has."""
        if not isinstance(element, Property):
            self.marker(element)
            return
        names, self._names = self._names, lambda _: element.name
        try:
            self.property(element.tag, element.value)
        finally:
            self._names = names

    def take(self, size: int) -> bytes:
        """The next octets, at most `size`; fewer than `pending` only where the rest does not fit.

        b"" when there is nothing, or when `size` is too small to cut anything off; 512 octets are not, unless a name
        is longer than [MS-OXCDATA] 2.6.1 has room for.
        """
        out, start = self._out, self._at
        stop = start + size
        stop = len(out) if stop >= len(out) else self._cut(start, stop)
        taken = bytes(out[start:stop])
        self._at = stop
        if stop == len(out) and not self._open:
            self._reset()
        elif stop > _KEEP:
            self._forget()
        return taken

    def _cut(self, start: int, stop: int) -> int:
        """The last place up to `stop` where the stream may be cut; `start` when there is none behind it."""
        at = bisect_right(self._cuts, stop)
        best = max(self._cuts[at - 1], start) if at else start
        at = bisect_right(self._starts, stop)
        if at:
            begin, end = self._bodies[at - 1]
            best = max(best, min(begin + (stop - begin) // 2 * 2, end))
        return best

    def _reset(self) -> None:
        self._out = bytearray()
        self._at = 0
        self._cuts = array("Q")
        self._bodies, self._starts = [], []

    def _forget(self) -> None:
        """Drop what was taken."""
        gone = self._at
        del self._out[:gone]
        self._at = 0
        first = bisect_right(self._cuts, gone)
        self._cuts = array("Q", [cut - gone for cut in self._cuts[first:]])
        bodies = [(max(begin - gone, 0), end - gone) for begin, end in self._bodies if end > gone]
        self._bodies, self._starts = bodies, [begin for begin, _ in bodies]

    def _element(self, octets: bytes) -> None:
        self._check_closed()
        self._cuts.append(len(self._out))
        self._out += octets

    def _check_closed(self) -> None:
        if self._open:
            raise ValueError(f"{self._open} octets of a value are missing")

    def _begin(self, head: bytes, size: int) -> None:
        """Type, id and length of a value of variable size."""
        self._element(head)
        self._open = size
        if size > _SMALL:
            begin = len(self._out)
            self._starts.append(begin)
            self._bodies.append((begin, begin + size))

    def _head(self, tag: int) -> bytes:
        """Property tag, and the name of a named one; b"" when it has none."""
        if tag >> 16 < FIRST_NAMED:
            return U32.pack(tag)
        name = self._names(tag) if self._names is not None else None
        return b"" if name is None else U32.pack(tag) + name.encode_info()

    def _octets(self, tag: int, value: Any) -> tuple[bytes, int]:
        """The octets of a value of variable size, and the tag with the type that it is sent as."""
        kind = tag & 0xFFFF
        if kind == _STRING:
            if self._code_page is None:
                return utf16(value), tag
            return codepages.encode(value.partition("\0")[0], self._code_page) + b"\0", tag - _STRING + _STRING8
        if kind not in _VARIABLE and not kind & _CODE_PAGE and tag != MetaTagIdsetGiven:
            raise WireError(f"property {tag:#010x} of a type that streams do not have")
        if kind == _STRING8 or kind & _CODE_PAGE:
            return value.partition(b"\0")[0] + b"\0", tag
        return value + b"", tag

    def _values(self, tag: int, values: Any) -> None:
        kind = tag & 0xFFFF & ~MULTIPLE
        if kind not in _LISTED:
            raise WireError(f"property {tag:#010x} of a type that streams do not have")
        if not isinstance(values, list):
            raise TypeError("a multi-value property is a list")
        pack = _PACK.get(kind)
        items = [pack(value) if pack is not None else self._octets(tag & ~MULTIPLE, value)[0] for value in values]
        if kind == _STRING and self._code_page is not None:
            tag += _STRING8 - _STRING
        head = self._head(tag)
        if not head:
            return
        self._element(head + U32.pack(len(items)))
        for item in items:
            if pack is None:
                self._begin(U32.pack(len(item)), len(item))
                self._out += item
                self._open = 0
            else:
                self._element(item)


def encode_stream(elements: Sequence[Element]) -> bytes:
    """The octets of elements, as `decode_stream` finds them."""
    writer = StreamWriter()
    for element in elements:
        writer.element(element)
    return writer.take(writer.pending)


def _packer(kind: int) -> Callable[[Any], bytes]:
    return _pack_guid if kind == PropType.PtypGuid else fixed_writer(_FIXED[kind])


def _pack_guid(value: bytes) -> bytes:
    if len(value) != 16:
        raise WireError(f"GUID of {len(value)} octets")
    return value + b""


_PACK: Final[dict[int, Callable[[Any], bytes]]] = {int(kind): _packer(kind) for kind in _FIXED}
