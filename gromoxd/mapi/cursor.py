"""One bounded cursor over octets from outside: every structure of `gromoxd.mapi` is read through it.

Reading past the end of a region, or leaving octets of a region unread, is a WireError with the offset in the whole.
"""

from __future__ import annotations

from struct import Struct

from gromoxd.errors import WireError

U16, U32, U64 = Struct("<H"), Struct("<I"), Struct("<Q")
I16, I32, I64 = Struct("<h"), Struct("<i"), Struct("<q")
F32, F64 = Struct("<f"), Struct("<d")


class Cursor:
    """Reads little-endian values from `data[at:end]`; `at` is where the next one starts."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def left(self) -> int:
        """Octets not read yet."""
        return self.end - self.at

    def fail(self, message: str) -> WireError:
        """The error to raise for what was just looked at."""
        return WireError(message, self.at)

    def _skip(self, count: int) -> int:
        at = self.at
        if count < 0 or self.end - at < count:
            raise WireError(f"{count} octets wanted, {self.end - at} left", at)
        self.at = at + count
        return at

    def take(self, count: int) -> bytes:
        """The next `count` octets."""
        at = self._skip(count)
        return self.data[at : at + count]

    def rest(self) -> bytes:
        """All octets left."""
        return self.take(self.left)

    def expect(self, octets: bytes, what: str) -> None:
        """WireError unless these octets follow."""
        if self.take(len(octets)) != octets:
            raise WireError(what, self.at - len(octets))

    def struct(self, layout: Struct) -> tuple[int, ...]:
        """The values of a struct layout."""
        return layout.unpack_from(self.data, self._skip(layout.size))

    def u8(self) -> int:
        return self.data[self._skip(1)]

    def u16(self) -> int:
        value: int = U16.unpack_from(self.data, self._skip(2))[0]
        return value

    def u32(self) -> int:
        value: int = U32.unpack_from(self.data, self._skip(4))[0]
        return value

    def u64(self) -> int:
        value: int = U64.unpack_from(self.data, self._skip(8))[0]
        return value

    def i16(self) -> int:
        value: int = I16.unpack_from(self.data, self._skip(2))[0]
        return value

    def i32(self) -> int:
        value: int = I32.unpack_from(self.data, self._skip(4))[0]
        return value

    def i64(self) -> int:
        value: int = I64.unpack_from(self.data, self._skip(8))[0]
        return value

    def f32(self) -> float:
        value: float = F32.unpack_from(self.data, self._skip(4))[0]
        return value

    def f64(self) -> float:
        value: float = F64.unpack_from(self.data, self._skip(8))[0]
        return value

    def guid(self) -> bytes:
        """The 16 octets of a GUID as they travel ([MS-DTYP] 2.3.4.2)."""
        return self.take(16)

    def string(self) -> str:
        """UTF-16LE up to its two zero octets, which are consumed. A lone surrogate, no character, becomes U+FFFD."""
        at = self.at
        while True:
            at = self.data.find(b"\0\0", at, self.end)
            if at < 0:
                raise WireError("string without end", self.at)
            if (at - self.at) % 2 == 0:
                break
            at += 1
        octets = self.data[self.at : at]
        self.at = at + 2
        return octets.decode("utf-16-le", "replace")

    def string8(self) -> bytes:
        """Octets up to a zero octet, which is consumed."""
        at = self.data.find(b"\0", self.at, self.end)
        if at < 0:
            raise WireError("string without end", self.at)
        octets = self.data[self.at : at]
        self.at = at + 1
        return octets

    def region(self, length: int) -> Cursor:
        """A cursor over the next `length` octets, which this one passes over."""
        at = self._skip(length)
        return Cursor(self.data, at, at + length)

    def count(self, number: int, smallest: int) -> int:
        """`number`, checked: so many items of at least `smallest` octets each must fit into what is left."""
        if number * smallest > self.left:
            raise WireError(f"{number} items announced, {self.left} octets left", self.at)
        return number

    def finish(self) -> None:
        """WireError unless everything is read."""
        if self.at != self.end:
            raise WireError(f"{self.left} octets too many", self.at)


def utf16(text: str) -> bytes:
    """UTF-16LE with its two zero octets; what follows a NUL is cut off, as no reader would see it."""
    return text.partition("\0")[0].encode("utf-16-le", "surrogatepass") + b"\0\0"
