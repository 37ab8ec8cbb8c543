"""NDR (C706 14) and connection-oriented PDUs (C706 12.6), as far as this client needs them; little-endian."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.outlook.wire import Bad, Reader

REQUEST, RESPONSE, FAULT, BIND, BIND_ACK, BIND_NAK, ALTER, ALTER_RESP, AUTH3, RTS = 0, 2, 3, 11, 12, 13, 14, 15, 16, 20
FIRST, LAST, HEADER_SIGN = 1, 2, 4
NO_HANDLE = bytes(20)


def syntax(name: str, major: int, minor: int) -> bytes:
    """p_syntax_id_t."""
    return uuid.UUID(name).bytes_le + struct.pack("<HH", major, minor)


NDR = syntax("8a885d04-1ceb-11c9-9fe8-08002b104860", 2, 0)
NDR64 = syntax("71710533-beba-4937-8319-b5dbef9ccc36", 1, 0)
FEATURES = syntax("6cb71c2c-9812-4540-0300-000000000000", 1, 0)
EMSMDB = syntax("a4f1db00-ca47-1067-b31f-00dd010662da", 0, 81)
ASYNC = syntax("5261574a-4572-206e-b268-6b199213b4e4", 0, 1)
NSPI = syntax("f5cc5a18-4264-101a-8c59-08002b2f8426", 56, 0)
RFR = syntax("1544f5e0-613c-11d1-93df-00c04fd7bd09", 1, 0)


class Writer:
    """The parameters of a call; each is aligned to its size, counted from the beginning."""

    def __init__(self) -> None:
        self.out = bytearray()
        self._referent = 0x00020000

    def align(self, size: int) -> Writer:
        self.out += bytes(-len(self.out) % size)
        return self

    def u16(self, *values: int) -> Writer:
        self.align(2).out += struct.pack(f"<{len(values)}H", *values)
        return self

    def u32(self, *values: int) -> Writer:
        self.align(4).out += struct.pack(f"<{len(values)}I", *values)
        return self

    def raw(self, data: bytes) -> Writer:
        """Octets as they are."""
        self.out += data
        return self

    def handle(self, value: bytes) -> Writer:
        """A context handle (C706 14.2.16.6)."""
        return self.align(4).raw(value)

    def pointer(self, there: bool = True) -> Writer:
        """A referent id, or 0; what it points to is for the caller to write where it belongs."""
        self._referent += 4
        return self.u32(self._referent if there else 0)

    def octets(self, data: bytes) -> Writer:
        """A conformant array of octets (C706 14.3.3.2)."""
        return self.u32(len(data)).raw(data)

    def string(self, text: str | bytes, unit: int = 1) -> Writer:
        """A conformant and varying string with its NUL (C706 14.3.4.2); `unit` 2: UTF-16."""
        data = text if isinstance(text, bytes) else text.encode("latin-1" if unit == 1 else "utf-16le")
        data += bytes(unit)
        return self.u32(len(data) // unit, 0, len(data) // unit).raw(data)

    def tags(self, tags: Sequence[int]) -> Writer:
        """PropertyTagArray_r ([MS-OXNSPI] 2.2.1): size_is(cValues + 1), length_is(cValues)."""
        return self.u32(len(tags) + 1, len(tags), 0, len(tags), *tags)


class NdrReader(Reader):
    """The parameters of an answer."""

    def align(self, size: int) -> NdrReader:
        self.take(-self.at % size)
        return self

    def u16(self) -> int:
        return Reader.u16(self.align(2))

    def u32(self) -> int:
        return Reader.u32(self.align(4))

    def handle(self) -> bytes:
        return self.align(4).take(20)

    def varying(self) -> bytes:
        """A conformant and varying array of octets."""
        most, offset, count = self.u32(), self.u32(), self.u32()
        if offset or count > most:
            raise Bad(f"array of {most} with {count} from {offset}")
        return self.take(count)

    def string(self, unit: int = 1) -> str:
        """A conformant and varying string, whose last item is its NUL."""
        most, offset, count = self.u32(), self.u32(), self.u32()
        if offset or not count or count > most:
            raise Bad(f"string of {most} with {count} from {offset}")
        data = self.take(count * unit)
        if data[-unit:] != bytes(unit):
            raise Bad("string without its NUL")
        return data[:-unit].decode("latin-1" if unit == 1 else "utf-16le")

    def optional(self, read: Callable[[], Any]) -> Any:
        """A unique pointer that is a parameter: what it points to follows at once."""
        return read() if self.u32() else None

    def tags(self) -> list[int]:
        """PropertyTagArray_r."""
        most, count, offset, actual = self.u32(), self.u32(), self.u32(), self.u32()
        if offset or actual != count or most < count:
            raise Bad(f"PropertyTagArray_r of {most}, {count}, {offset}, {actual}")
        return [self.u32() for _ in range(count)]

    def finish(self) -> None:
        """Nothing is left."""
        self.end()


# ---------------------------------------------------------------------------------------------- values of NSPI

MV = 0x1000


def _binary(reader: NdrReader) -> Callable[[], Any]:
    size, there = reader.u32(), reader.u32()

    def later() -> bytes | None:
        if not there:
            return None if not size else b""
        if reader.u32() != size:
            raise Bad("Binary_r")
        return reader.take(size)

    return later


def _text(unit: int) -> Callable[[NdrReader], Callable[[], Any]]:
    def head(reader: NdrReader) -> Callable[[], Any]:
        there = reader.u32()
        return lambda: reader.string(unit) if there else None

    return head


def _flat(reader: NdrReader) -> Callable[[], Any]:
    there = reader.u32()
    return lambda: reader.take(16) if there else None


def _time(reader: NdrReader) -> Callable[[], Any]:
    low, high = reader.u32(), reader.u32()
    return lambda: high << 32 | low


def _number(read: Callable[[NdrReader], int]) -> Callable[[NdrReader], Callable[[], Any]]:
    def head(reader: NdrReader) -> Callable[[], Any]:
        found = read(reader)
        return lambda: found

    return head


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


_ARMS: dict[int, Callable[[NdrReader], Callable[[], Any]]] = {
    0x0001: _number(NdrReader.u32), 0x000D: _number(NdrReader.u32), 0x000A: _number(NdrReader.u32),
    0x0002: _number(lambda reader: _signed(reader.u16(), 16)), 0x000B: _number(NdrReader.u16),
    0x0003: _number(lambda reader: _signed(reader.u32(), 32)), 0x001E: _text(1), 0x001F: _text(2),
    0x0040: _time, 0x0048: _flat, 0x0102: _binary,
}  # fmt: skip


def _many(reader: NdrReader, arm: Callable[[NdrReader], Callable[[], Any]]) -> Callable[[], Any]:
    count, there = reader.u32(), reader.u32()

    def later() -> list[Any]:
        if not there:
            return []
        if reader.u32() != count:
            raise Bad("array of values")
        return [one() for one in [arm(reader) for _ in range(count)]]

    return later


def _value(reader: NdrReader) -> tuple[int, Callable[[], Any]]:
    """PropertyValue_r ([MS-OXNSPI] 2.2.2): what stands in place, and what reads the rest later."""
    tag, reserved, kind = reader.u32(), reader.u32(), reader.u32()
    if reserved or kind != tag & 0xFFFF or kind & ~MV not in _ARMS:
        raise Bad(f"PropertyValue_r {tag:#x}, {reserved:#x}, {kind:#x}")
    arm = _ARMS[kind & ~MV]
    return tag, _many(reader, arm) if kind & MV else arm(reader)


def _row(reader: NdrReader) -> Callable[[], dict[int, Any]]:
    """PropertyRow_r ([MS-OXNSPI] 2.2.3)."""
    reserved, count, there = reader.u32(), reader.u32(), reader.u32()
    if reserved:
        raise Bad(f"PropertyRow_r {reserved:#x}")

    def later() -> dict[int, Any]:
        if not there:
            return {}
        if reader.u32() != count:
            raise Bad("PropertyRow_r")
        return {tag: rest() for tag, rest in [_value(reader) for _ in range(count)]}

    return later


def row(reader: NdrReader) -> dict[int, Any]:
    """PropertyRow_r with all that it points to."""
    return _row(reader)()


def rows(reader: NdrReader) -> list[dict[int, Any]]:
    """PropertyRowSet_r ([MS-OXNSPI] 2.2.4)."""
    most, count = reader.u32(), reader.u32()
    if most != count:
        raise Bad(f"PropertyRowSet_r of {most} with {count}")
    return [one() for one in [_row(reader) for _ in range(count)]]


# ---------------------------------------------------------------------------------------------- PDUs


@dataclass
class Pdu:
    """One fragment. `whole`: its octets; `trailer`: sec_trailer, without credentials."""

    kind: int
    flags: int
    call_id: int
    body: bytes
    whole: bytes
    trailer: bytes = b""
    credentials: bytes = b""


def pdu(
    kind: int, call_id: int, body: bytes, *, flags: int = FIRST | LAST, trailer: bytes = b"", auth: int = 0
) -> bytes:
    """A PDU; `trailer` with room for credentials, the last `auth` octets of it."""
    head = struct.pack("<BBBB4sHHI", 5, 0, kind, flags, b"\x10\0\0\0", 16 + len(body) + len(trailer), auth, call_id)
    return head + body + trailer


def parse(data: bytes) -> Pdu:
    """Bad for what C706 12.6 does not have."""
    major, minor, kind, flags, representation, size, auth, call_id = struct.unpack_from("<BBBB4sHHI", data)
    if (major, minor) != (5, 0) or representation != b"\x10\0\0\0" or size != len(data):
        raise Bad(f"head of a PDU {data[:16].hex()}")
    end = len(data) - (auth + 8 if auth else 0)
    if end < 16 or (auth and (end - 16) % 4):
        raise Bad(f"{auth} octets of credentials in a PDU of {size}")
    credentials = data[len(data) - auth :] if auth else b""
    return Pdu(kind, flags, call_id, data[16:end], data, data[end : end + 8] if auth else b"", credentials)


def bind_body(contexts: Sequence[tuple[int, bytes, bytes]], group: int = 0, largest: int = 5840) -> bytes:
    """bind and alter_context: contexts are (id, interface, transfer syntax), each with one syntax as Windows has it."""
    parts = b"".join(struct.pack("<HBx", number, 1) + one + transfer for number, one, transfer in contexts)
    return struct.pack("<HHIBxxx", largest, largest, group, len(contexts)) + parts


@dataclass
class Bound:
    """bind_ack: results are (result, reason, transfer syntax)."""

    xmit: int
    recv: int
    group: int
    results: list[tuple[int, int, bytes]]


def bound(body: bytes) -> Bound:
    """bind_ack and alter_context_resp (C706 12.6.4.4)."""
    reader = Reader(body)
    xmit, recv, group = reader.read("HHI")
    reader.take(reader.u16())
    reader.take(-reader.at % 4)
    count = reader.read("B3x")[0]
    results = [(*reader.read("HH"), reader.take(20)) for _ in range(count)]
    return Bound(xmit, recv, group, results)
