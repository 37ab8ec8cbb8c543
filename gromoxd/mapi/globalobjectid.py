"""PidLidGlobalObjectId and PidLidCleanGlobalObjectId ([MS-OXOCAL] 2.2.1.27, 2.2.1.28), and the UID they stand for."""

from __future__ import annotations

import binascii
from struct import Struct
from typing import NamedTuple, Self

from gromoxd.mapi.cursor import Cursor

BYTE_ARRAY_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")
VCAL_UID = b"vCal-Uid\x01\0\0\0"
"""Data that begins so holds the UID of another program, with a NUL after it ([MS-OXCICAL] 2.1.3.1.1.20.26)."""

_DATE = Struct(">H2B")
_REST = Struct("<Q8sI")
_SHORTEST_HEX = 82


class GlobalObjectId(NamedTuple):
    """[MS-OXOCAL] 2.2.1.27. The date is that of the occurrence which an exception replaces, zeros otherwise."""

    data: bytes
    creation_time_nt: int = 0
    year: int = 0
    month: int = 0
    day: int = 0
    x: bytes = bytes(8)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        cursor.expect(BYTE_ARRAY_ID, "no global object id")
        year, month, day = cursor.struct(_DATE)
        created = cursor.u64()
        x = cursor.take(8)
        value = cls(cursor.take(cursor.u32()), created, year, month, day, x)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        return b"".join((
            BYTE_ARRAY_ID,
            _DATE.pack(self.year, self.month, self.day),
            _REST.pack(self.creation_time_nt, self.x, len(self.data)),
            self.data,
        ))  # fmt: skip

    @property
    def clean(self) -> Self:
        """The same for all occurrences of a series: PidLidCleanGlobalObjectId."""
        return self._replace(year=0, month=0, day=0)

    def on(self, year: int, month: int, day: int) -> Self:
        """The id of the exception that replaces the occurrence of this date."""
        return self._replace(year=year, month=month, day=day)

    @property
    def uid(self) -> str:
        """The UID of the series: another program's as it is, else this id in hex ([MS-OXCICAL] 2.1.3.1.1.20.26)."""
        if self.data.startswith(VCAL_UID):
            return self.data[len(VCAL_UID) :].partition(b"\0")[0].decode("utf-8", "replace")
        return self.clean.encode().hex().upper()

    @classmethod
    def from_uid(cls, uid: str) -> Self:
        """The id of a UID; one of the hex form keeps the date that it has."""
        if len(uid) >= _SHORTEST_HEX and uid[:32].upper() == BYTE_ARRAY_ID.hex().upper():
            try:
                return cls.decode(binascii.unhexlify(uid))
            except ValueError:
                pass  # not hex or not whole: then it is any other text
        return cls(VCAL_UID + uid.partition("\0")[0].encode("utf-8", "replace") + b"\0")


def uid_of(data: bytes) -> str:
    """The UID of a PidLidGlobalObjectId of any kind: of one that is none, its octets in hex."""
    try:
        return GlobalObjectId.decode(data).uid
    except ValueError:
        return data.hex().upper()
