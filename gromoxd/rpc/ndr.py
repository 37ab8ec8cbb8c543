"""NDR 2.0, little-endian (C706 14, [MS-RPCE] 2.2.4): values of types and their octets, both directions.

A type writes and reads in two steps, as NDR has it: `head` is what stands in place, `body` what its embedded pointers
point to, which follows once the whole construct that encloses them is there (C706 14.3.12.3). What is read is bounded
by the octets that are there: each item of an array takes some; pointers nest at most `DEEPEST` times.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any, Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor

DEEPEST: Final = 128
"""Pointers within what pointers point to: restrictions nest, each level by two of them at most."""
LONGEST_STRING: Final = 64 << 10
_U32: Final = Struct("<I")
_COUNTS: Final = Struct("<II")


class Reader:
    """What reads a stub. Alignment counts from its beginning."""

    __slots__ = ("_depth", "cursor")

    def __init__(self, data: bytes) -> None:
        self.cursor = Cursor(data)
        self._depth = 0

    def align(self, size: int) -> None:
        """Pass over the octets before an item of this alignment; what they are does not matter."""
        self.cursor.take(-self.cursor.at % size)

    def u32(self) -> int:
        self.align(4)
        return self.cursor.u32()

    def pointee(self, kind: Type) -> Any:
        """What a pointer points to, with all that hangs on it."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise self.cursor.fail("too many pointers in each other")
        value = kind.read(self)
        self._depth -= 1
        return value


class Writer:
    """What writes a stub. Referents are numbered as Windows does."""

    __slots__ = ("_referent", "out")

    def __init__(self) -> None:
        self.out = bytearray()
        self._referent = 0x0001FFFC

    def align(self, size: int) -> None:
        self.out += bytes(-len(self.out) % size)

    def u32(self, value: int) -> None:
        self.align(4)
        self.out += _U32.pack(value)

    def referent(self) -> None:
        """A referent of its own."""
        self._referent += 4
        self.u32(self._referent)


class Type(ABC):
    """How values of one kind travel. `smallest`: octets that one takes at least, in place."""

    smallest: int = 1

    @abstractmethod
    def head(self, reader: Reader) -> Any:
        """What stands in place."""

    def body(self, reader: Reader, head: Any) -> Any:
        """The value, once what it points to is read as well."""
        return head

    @abstractmethod
    def put_head(self, writer: Writer, value: Any) -> None:
        """The opposite of `head`."""

    def put_body(self, writer: Writer, value: Any) -> None:  # noqa: B027  # most types point to nothing
        """The opposite of `body`."""

    def read(self, reader: Reader) -> Any:
        """A value and all that it points to."""
        return self.body(reader, self.head(reader))

    def write(self, writer: Writer, value: Any) -> None:
        """The opposite."""
        self.put_head(writer, value)
        self.put_body(writer, value)


class Fixed(Type):
    """A number or octets of fixed size; `code` is its letter in `struct` layouts."""

    def __init__(self, code: str, align: int) -> None:
        self._layout, self._align = Struct("<" + code), align
        self.smallest = self._layout.size

    def head(self, reader: Reader) -> Any:
        reader.align(self._align)
        return reader.cursor.struct(self._layout)[0]

    def put_head(self, writer: Writer, value: Any) -> None:
        writer.align(self._align)
        writer.out += self._layout.pack(value)


class FileTime(Type):
    """FILETIME: two DWORDs ([MS-DTYP] 2.3.3), which align to four octets only."""

    smallest = 8

    def head(self, reader: Reader) -> int:
        return reader.u32() | reader.u32() << 32

    def put_head(self, writer: Writer, value: int) -> None:
        writer.u32(value & 0xFFFFFFFF)
        writer.u32(value >> 32 & 0xFFFFFFFF)


class FixedArray(Type):
    """An array whose length the interface says: no counts travel. Its items have no pointers."""

    def __init__(self, item: Type, length: int) -> None:
        self._item, self._length = item, length
        self.smallest = item.smallest * length

    def head(self, reader: Reader) -> tuple[Any, ...]:
        return tuple(self._item.head(reader) for _ in range(self._length))

    def put_head(self, writer: Writer, value: Sequence[Any]) -> None:
        if len(value) != self._length:
            raise WireError(f"{len(value)} items where there are {self._length}")
        for item in value:
            self._item.put_head(writer, item)


class Array(Type):
    """A conformant array (C706 14.3.3.2), `most` items at most."""

    smallest = 4

    def __init__(self, item: Type, most: int = 100_000) -> None:
        self._item, self._most = item, most

    def head(self, reader: Reader) -> list[Any]:
        count = reader.u32()
        if count > self._most:
            raise reader.cursor.fail(f"{count} items")
        item = self._item
        return [item.head(reader) for _ in range(reader.cursor.count(count, item.smallest))]

    def body(self, reader: Reader, head: list[Any]) -> list[Any]:
        body = self._item.body
        return [body(reader, each) for each in head]

    def put_head(self, writer: Writer, value: Sequence[Any]) -> None:
        writer.u32(len(value))
        for item in value:
            self._item.put_head(writer, item)

    def put_body(self, writer: Writer, value: Sequence[Any]) -> None:
        for item in value:
            self._item.put_body(writer, item)


class Octets(Type):
    """A conformant array of octets."""

    smallest = 4

    def __init__(self, most: int) -> None:
        self._most = most

    def head(self, reader: Reader) -> bytes:
        count = reader.u32()
        if count > self._most:
            raise reader.cursor.fail(f"{count} octets")
        return reader.cursor.take(count)

    def put_head(self, writer: Writer, value: bytes) -> None:
        writer.u32(len(value))
        writer.out += value


class VaryingOctets(Type):
    """A conformant and varying array of octets (C706 14.3.3.4)."""

    smallest = 12

    def __init__(self, most: int) -> None:
        self._most = most

    def head(self, reader: Reader) -> bytes:
        return reader.cursor.take(varying(reader, reader.u32(), self._most))

    def put_head(self, writer: Writer, value: bytes) -> None:
        writer.u32(len(value))
        writer.u32(0)
        writer.u32(len(value))
        writer.out += value


def varying(reader: Reader, largest: int, most: int) -> int:
    """Offset and actual count of a varying array; the latter. The offset has to be 0, as it is in all known calls."""
    offset, count = reader.u32(), reader.u32()
    if offset or count > largest or count > most:
        raise reader.cursor.fail(f"array of {largest} items, {count} from {offset} on")
    return count


class String8(Type):
    """A conformant and varying string of octets; its value goes without the NUL at its end (C706 14.3.4)."""

    smallest = 12

    def head(self, reader: Reader) -> bytes:
        count = varying(reader, reader.u32(), LONGEST_STRING)
        octets = reader.cursor.take(count)
        if not octets.endswith(b"\0"):
            raise reader.cursor.fail("string without end")
        return octets.partition(b"\0")[0]

    def put_head(self, writer: Writer, value: bytes) -> None:
        octets = value.partition(b"\0")[0] + b"\0"
        writer.u32(len(octets))
        writer.u32(0)
        writer.u32(len(octets))
        writer.out += octets


class String(Type):
    """The same of UTF-16LE units."""

    smallest = 12

    def head(self, reader: Reader) -> str:
        count = varying(reader, reader.u32(), LONGEST_STRING)
        octets = reader.cursor.take(2 * count)
        if not octets.endswith(b"\0\0") or not count:
            raise reader.cursor.fail("string without end")
        return octets.decode("utf-16-le", "replace").partition("\0")[0]

    def put_head(self, writer: Writer, value: str) -> None:
        octets = value.partition("\0")[0].encode("utf-16-le", "surrogatepass") + b"\0\0"
        writer.u32(len(octets) // 2)
        writer.u32(0)
        writer.u32(len(octets) // 2)
        writer.out += octets


class Pointer(Type):
    """A unique pointer: None when it points to nothing. Within others, or a parameter of its own (`read` does both).

    `needed`: one that has to point to something.
    """

    smallest = 4

    def __init__(self, kind: Type, *, needed: bool = False) -> None:
        self.kind, self._needed = kind, needed

    def head(self, reader: Reader) -> bool:
        found = reader.u32() != 0
        if self._needed and not found:
            raise reader.cursor.fail("null pointer")
        return found

    def body(self, reader: Reader, head: bool) -> Any:
        return reader.pointee(self.kind) if head else None

    def put_head(self, writer: Writer, value: Any) -> None:
        if value is None:
            writer.u32(0)
        else:
            writer.referent()

    def put_body(self, writer: Writer, value: Any) -> None:
        if value is not None:
            self.kind.write(writer, value)


class Structure(Type):
    """Several values one after the other; `make` makes the value of theirs, `take` does the opposite."""

    def __init__(
        self, fields: Sequence[Type], make: Callable[..., Any], take: Callable[[Any], Sequence[Any]], align: int = 4
    ) -> None:
        self._fields, self._make, self._take, self._align = list(fields), make, take, align
        self.smallest = max(1, sum(field.smallest for field in fields))

    def head(self, reader: Reader) -> list[Any]:
        reader.align(self._align)
        return [field.head(reader) for field in self._fields]

    def body(self, reader: Reader, head: list[Any]) -> Any:
        values = [field.body(reader, each) for field, each in zip(self._fields, head, strict=True)]
        try:
            return self._make(*values)
        except ValueError as error:
            raise reader.cursor.fail(str(error)) from None

    def put_head(self, writer: Writer, value: Any) -> None:
        writer.align(self._align)
        for field, each in zip(self._fields, self._take(value), strict=True):
            field.put_head(writer, each)

    def put_body(self, writer: Writer, value: Any) -> None:
        for field, each in zip(self._fields, self._take(value), strict=True):
            field.put_body(writer, each)


class Counted(Type):
    """A structure that counts the items of an array at its end: the array's size stands before all (C706 14.3.7.1).

    `varies`: the array is varying as well. `spare`: how much larger its size is than the count, as the interface says;
    clients are known that announce the count itself.
    """

    smallest = 8

    def __init__(self, item: Type, *, varies: bool = False, spare: int = 0, most: int = 100_000) -> None:
        self._item, self._varies, self._spare, self._most = item, varies, spare, most

    def head(self, reader: Reader) -> list[Any]:
        size, count = reader.u32(), reader.u32()
        if count > self._most or size not in (count, count + self._spare):
            raise reader.cursor.fail(f"{count} items in an array of {size}")
        if self._varies and varying(reader, size, self._most) != count:
            raise reader.cursor.fail("array of another length than its count")
        return [self._item.head(reader) for _ in range(reader.cursor.count(count, self._item.smallest))]

    def body(self, reader: Reader, head: list[Any]) -> list[Any]:
        body = self._item.body
        return [body(reader, each) for each in head]

    def put_head(self, writer: Writer, value: Sequence[Any]) -> None:
        writer.u32(len(value) + self._spare)
        writer.u32(len(value))
        if self._varies:
            writer.u32(0)
            writer.u32(len(value))
        for item in value:
            self._item.put_head(writer, item)

    def put_body(self, writer: Writer, value: Sequence[Any]) -> None:
        for item in value:
            self._item.put_body(writer, item)


U8: Final = Fixed("B", 1)
U16: Final = Fixed("H", 2)
U32: Final = Fixed("I", 4)
I16: Final = Fixed("h", 2)
I32: Final = Fixed("i", 4)
GUID: Final = Fixed("16s", 4)
FLAT_UID: Final = Fixed("16s", 1)
"""FlatUID_r: an array of octets, which needs no alignment ([MS-OXNSPI] 2.2.1)."""
HANDLE: Final = Fixed("20s", 4)
"""A context handle: attributes and a UUID (C706 14.2.16.6)."""
FILETIME: Final = FileTime()
STRING8: Final = String8()
STRING: Final = String()


def decode(kind: Type, data: bytes) -> Any:
    """One value that takes all of the octets."""
    reader = Reader(data)
    value = kind.read(reader)
    reader.cursor.finish()
    return value


def encode(kind: Type, value: Any) -> bytes:
    """The octets of a value. WireError for one that is none of the type."""
    writer = Writer()
    try:
        kind.write(writer, value)
    except (StructError, TypeError, AttributeError, OverflowError, UnicodeError) as error:
        raise WireError(f"not of the type: {error}") from None
    return bytes(writer.out)
