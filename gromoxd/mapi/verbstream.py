"""PidLidVerbStream: what recipients can answer with, votes among it ([MS-OXOMSG] 2.2.1.74)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple, Self

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor

VERSION: Final = 0x0102
VERSION2: Final = 0x0104
VERB_VOTE: Final = 4
"""VerbType of an option to vote for; Reply, Forward and so on have others."""

_TAIL = Struct("<IBIIIIIi")
_START = Struct("<HI")
_LONGEST = 0xFF


class VoteOption(NamedTuple):
    """VoteOption and its VoteOptionExtras, [MS-OXOMSG] 2.2.1.74.1 and 2.2.1.74.2.

    `name` is what users see, `narrow` the same in the writer's code page. The fields named `internal…` have the values
    that the document gives.
    """

    id: int
    name: str
    narrow: bytes
    verb_type: int = VERB_VOTE
    message_class: bytes = b"IPM.Note"
    use_us_headers: int = 0
    send_behavior: int = 2
    narrow_repeated: bytes | None = None
    name_repeated: str | None = None
    """None: the same again, as it ought to be."""
    internal1: bytes = b""
    internal2: int = 0
    internal3: int = 0
    internal4: int = 1
    internal5: int = 2
    internal6: int = -1


def _short(octets: bytes, units: int) -> bytes:
    if units > _LONGEST:
        raise WireError(f"{units} characters in a voting option")
    return bytes((units,)) + octets


def _wide(text: str) -> bytes:
    octets = text.encode("utf-16-le", "surrogatepass")
    return _short(octets, len(octets) // 2)


def _read_wide(cursor: Cursor) -> str:
    return cursor.take(2 * cursor.u8()).decode("utf-16-le", "replace")


def _read_narrow(cursor: Cursor) -> bytes:
    return cursor.take(cursor.u8())


class VerbStream(NamedTuple):
    """[MS-OXOMSG] 2.2.1.74. Count is the number of options, as in the example in 4.5; the text would have the extras
    counted too."""

    options: tuple[VoteOption, ...]
    version: int = VERSION
    version2: int = VERSION2

    @classmethod
    def decode(cls, data: bytes) -> Self:
        cursor = Cursor(data)
        version, count = cursor.struct(_START)
        options = [_read_option(cursor) for _ in range(cursor.count(count, 8 + _TAIL.size))]
        version2 = cursor.u16()
        options = [_read_extras(cursor, option) for option in options]
        cursor.finish()
        return cls(tuple(options), version, version2)

    def encode(self) -> bytes:
        parts = [_START.pack(self.version, len(self.options))]
        parts += [_option(option) for option in self.options]
        parts.append(self.version2.to_bytes(2, "little"))
        for option in self.options:
            again = option.name if option.name_repeated is None else option.name_repeated
            parts += (_wide(option.name), _wide(again))
        return b"".join(parts)


def _read_option(cursor: Cursor) -> VoteOption:
    verb = cursor.u32()
    narrow, message_class, internal1, again = (_read_narrow(cursor) for _ in range(4))
    two, three, us_headers, four, behavior, five, number, six = cursor.struct(_TAIL)
    return VoteOption(
        number, "", narrow, verb, message_class, us_headers, behavior, None if again == narrow else again, None,
        internal1, two, three, four, five, six,
    )  # fmt: skip


def _read_extras(cursor: Cursor, option: VoteOption) -> VoteOption:
    name, again = _read_wide(cursor), _read_wide(cursor)
    return option._replace(name=name, name_repeated=None if again == name else again)


def _option(option: VoteOption) -> bytes:
    again = option.narrow if option.narrow_repeated is None else option.narrow_repeated
    texts = (option.narrow, option.message_class, option.internal1, again)
    tail = _TAIL.pack(
        option.internal2, option.internal3, option.use_us_headers, option.internal4, option.send_behavior,
        option.internal5, option.id, option.internal6,
    )  # fmt: skip
    return option.verb_type.to_bytes(4, "little") + b"".join([_short(text, len(text)) for text in texts]) + tail
