"""Reading of octets, little-endian, with ends that are watched."""

from __future__ import annotations

import struct
from typing import Any


class Bad(AssertionError):
    """The server sent what the documents do not allow."""


class Reader:
    """A cursor over octets."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        """The next octets; Bad when there are fewer."""
        if size < 0 or self.at + size > len(self.data):
            raise Bad(f"{size} octets wanted at {self.at} of {len(self.data)}")
        self.at += size
        return self.data[self.at - size : self.at]

    def read(self, form: str) -> tuple[Any, ...]:
        """By a struct format, little-endian."""
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def ascii(self) -> str:
        """A string of octets up to its NUL."""
        end = self.data.find(b"\0", self.at)
        if end < 0:
            raise Bad("string without end")
        return self.take(end + 1 - self.at)[:-1].decode("latin-1")

    def unicode(self) -> str:
        """UTF-16LE up to its NUL."""
        begun = self.at
        while self.take(2) != b"\0\0":
            pass
        return self.data[begun : self.at - 2].decode("utf-16le", "surrogatepass")

    def rest(self) -> bytes:
        return self.take(self.left())

    def end(self) -> None:
        """Bad when anything is left."""
        if self.left():
            raise Bad(f"{self.left()} octets too many: {self.data[self.at :][:64].hex()}")


def u8(*values: int) -> bytes:
    return bytes(values)


def u16(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}H", *values)


def u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def z(text: str) -> bytes:
    """An ASCII string with its NUL."""
    return text.encode("ascii") + b"\0"


def wz(text: str) -> bytes:
    """A UTF-16LE string with its NUL."""
    return text.encode("utf-16le", "surrogatepass") + b"\0\0"


def sized(data: bytes) -> bytes:
    """With 16 bits of length."""
    return u16(len(data)) + data


def globcnt(eid: int) -> int:
    """The counter in a FID or MID: its last six octets, most significant first ([MS-OXCDATA] 2.2.1.1)."""
    return int.from_bytes(eid.to_bytes(8, "little")[2:], "big")


def eid(replid: int, counter: int) -> int:
    """The opposite."""
    return int.from_bytes(u16(replid) + counter.to_bytes(6, "big"), "little")
