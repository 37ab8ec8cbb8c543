"""The full details file of version 4, uncompressed: writing and reading ([MS-OXOAB] 2.9). Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.oab.container import crc
from gromoxd.oab.schema import BINARY_LIMIT, HEADER, MULTIPLE_LIMIT, OBJECTS, STRING_LIMIT, Prop

VERSION: Final = 0x20
_HDR, _SIZE, _PROP = Struct("<III"), Struct("<I"), Struct("<II")
MOST_PROPERTIES: Final = 4096
MOST_VALUES: Final = 100_000
_TRUNCATED: Final = tags.PidTagOfflineAddressBookTruncatedProperties
Values = Mapping[int, Any]


class Details(NamedTuple):
    """A file. `header` and `records`: values by tags; the size of `records` is what OAB_HDR tells."""

    serial: int
    header_schema: list[Prop]
    schema: list[Prop]
    header: dict[int, Any]
    records: list[dict[int, Any]]


# ---------------------------------------------------------------------------------------------- values


def encode_integer(value: int) -> bytes:
    """PtypInteger32 and counts, [MS-OXOAB] 2.9.6.1: one octet below 0x80, else the number of octets and these."""
    value &= 0xFFFFFFFF
    if value < 0x80:
        return bytes((value,))
    size = value.bit_length() + 7 >> 3
    return bytes((0x80 | size,)) + value.to_bytes(size, "little")


def _string8(value: str | bytes) -> bytes:
    octets = value if isinstance(value, bytes) else value.encode("utf-8", "replace")
    return octets.replace(b"\0", b"") + b"\0"


def _string(value: str) -> bytes:
    return value.replace("\0", "").encode("utf-8", "replace") + b"\0"


def _binary(value: bytes) -> bytes:
    return encode_integer(len(value)) + value


_ENCODERS: Final[dict[int, Callable[[Any], bytes]]] = {
    PropType.PtypInteger32: encode_integer,
    PropType.PtypBoolean: lambda value: b"\1" if value else b"\0",
    PropType.PtypString8: _string8,
    PropType.PtypString: _string,
    PropType.PtypBinary: _binary,
}
_STRINGS: Final = (PropType.PtypString8, PropType.PtypString)


def _single(kind: int, value: Any) -> tuple[bytes, bool]:
    """A value as far as it is within limits, and whether it is all of it; b"" for none."""
    encoded = _ENCODERS[kind](value)
    if kind in _STRINGS:
        if len(encoded) > STRING_LIMIT:
            return encoded[: STRING_LIMIT - 1].decode("utf-8", "ignore").encode() + b"\0", False
        return (encoded, True) if len(encoded) > 1 else (b"", True)
    if kind == PropType.PtypBinary and len(value) > BINARY_LIMIT:
        return b"", False
    return encoded, True


def _several(kind: int, values: Sequence[Any]) -> tuple[bytes, bool]:
    """As many of the values as there is room for ([MS-OXOAB] 2.9.2.2.1)."""
    found, size, whole = [], 0, True
    encode, empty = _ENCODERS[kind], b"\0" if kind in _STRINGS else None
    for encoded in dict.fromkeys(map(encode, values)):
        if encoded == empty:
            continue
        if size + len(encoded) > MULTIPLE_LIMIT:
            whole = False
            continue
        size += len(encoded)
        found.append(encoded)
    return (encode_integer(len(found)) + b"".join(found) if found else b""), whole


def encode_value(tag: int, value: Any) -> tuple[bytes, bool]:
    """A value, b"" when there is none, and whether it is whole. A single value may stand for several, and they for it.

    [MS-OXOAB] 2.9.6.
    """
    kind = tag & 0xFFFF
    if kind & MULTIPLE:
        return _several(kind & ~MULTIPLE, value if isinstance(value, (list, tuple)) else [value])
    if isinstance(value, (list, tuple)):
        value = value[0]
    return _single(kind, value)


def encode_record(schema: Sequence[Prop], values: Values, cut: Iterable[int] = ()) -> bytes:
    """OAB_V4_REC, [MS-OXOAB] 2.9.5. `cut`: tags of what is online and left out here."""
    truncated = list(cut)
    parts, present = [], 0
    for prop in schema:
        tag = prop.tag
        present <<= 1
        value = truncated if tag == _TRUNCATED else values.get(tag)
        if value is None or value == []:
            continue
        encoded, whole = encode_value(tag, value)
        if encoded:
            present |= 1
            parts.append(encoded)
        if not whole:
            truncated.append(tag)
    size = len(schema) + 7 >> 3
    bits = (present << (-len(schema) % 8)).to_bytes(size, "big")
    data = b"".join(parts)
    return _SIZE.pack(4 + size + len(data)) + bits + data


def encode_meta(header: Sequence[Prop], objects: Sequence[Prop]) -> bytes:
    """OAB_META_DATA, [MS-OXOAB] 2.9.2."""
    tables = [_SIZE.pack(len(table)) + b"".join(_PROP.pack(*prop) for prop in table) for table in (header, objects)]
    data = b"".join(tables)
    return _SIZE.pack(4 + len(data)) + data


def encode_details(header: Values, records: Sequence[bytes]) -> bytes:
    """A file of records that are encoded with the schema `OBJECTS`."""
    body = b"".join([encode_meta(HEADER, OBJECTS), encode_record(HEADER, header), *records])
    return _HDR.pack(VERSION, crc(body), len(records)) + body


# ---------------------------------------------------------------------------------------------- reading


def _read_integer(cursor: Cursor) -> int:
    first = cursor.u8()
    if first < 0x80:
        return first
    if not 0x81 <= first <= 0x84:
        raise cursor.fail(f"integer of kind {first:#x}")
    return int.from_bytes(cursor.take(first & 0x7F), "little")


_READERS: Final[dict[int, Callable[[Cursor], Any]]] = {
    PropType.PtypInteger32: _read_integer,
    PropType.PtypBoolean: lambda cursor: cursor.u8() != 0,
    PropType.PtypString8: lambda cursor: cursor.string8().decode("utf-8", "replace"),
    PropType.PtypString: lambda cursor: cursor.string8().decode("utf-8", "replace"),
    PropType.PtypBinary: lambda cursor: cursor.take(_read_integer(cursor)),
}


def _read_value(cursor: Cursor, tag: int) -> Any:
    kind = tag & 0xFFFF
    read = _READERS.get(kind & ~MULTIPLE)
    if read is None:
        raise cursor.fail(f"value of type {kind:#06x}")
    if not kind & MULTIPLE:
        return read(cursor)
    count = _read_integer(cursor)
    if count > MOST_VALUES:
        raise cursor.fail(f"{count} values")
    return [read(cursor) for _ in range(cursor.count(count, 1))]


def _read_schema(cursor: Cursor) -> list[Prop]:
    count = cursor.u32()
    if count > MOST_PROPERTIES:
        raise cursor.fail(f"{count} properties")
    return [Prop(*cursor.struct(_PROP)) for _ in range(cursor.count(count, _PROP.size))]


def _region(cursor: Cursor) -> Cursor:
    """A record without its size, which is consumed."""
    at = cursor.at
    size = cursor.u32()
    if not 4 <= size <= cursor.end - at:
        raise WireError(f"record of {size} octets", at)
    cursor.at = at + size
    return Cursor(cursor.data, at + 4, at + size)


def read_record(cursor: Cursor, schema: Sequence[Prop]) -> dict[int, Any]:
    """The values of the next record."""
    record = _region(cursor)
    bits = int.from_bytes(record.take(len(schema) + 7 >> 3), "big") >> (-len(schema) % 8)
    last = len(schema) - 1
    values = {prop.tag: _read_value(record, prop.tag) for n, prop in enumerate(schema) if bits >> (last - n) & 1}
    record.finish()
    return values


def read_details(data: bytes) -> Details:
    """A file. WireError, also for a wrong checksum."""
    cursor, serial, count = _start(data)
    meta = _region(cursor)
    header_schema, schema = _read_schema(meta), _read_schema(meta)
    meta.finish()
    header = read_record(cursor, header_schema)
    records = [read_record(cursor, schema) for _ in range(cursor.count(count, 4))]
    cursor.finish()
    if crc(data[_HDR.size :]) != serial:
        raise WireError("checksum of the details file")
    return Details(serial, header_schema, schema, header, records)


def _start(data: bytes) -> tuple[Cursor, int, int]:
    cursor = Cursor(data)
    version, serial, count = cursor.struct(_HDR)
    if version != VERSION:
        raise WireError(f"details file of version {version:#x}", 0)
    return cursor, serial, count


def split(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the records are: first all that is before them, then each. WireError."""
    cursor, _, _ = _start(data)
    _region(cursor)
    _region(cursor)
    yield 0, cursor.at
    while cursor.left:
        at = cursor.at
        _region(cursor)
        yield at, cursor.at
