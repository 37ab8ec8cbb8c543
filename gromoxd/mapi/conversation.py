"""Conversations: the index that orders the messages of one, and the id that they share.

[MS-OXOMSG] 2.2.1.2-2.2.1.5. The topic is the subject without its prefix (`gromoxd.convert.properties.split_subject`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5
from typing import Final

from gromoxd.errors import WireError

HEADER: Final = 22
LEVEL: Final = 5
MAX_LEVELS: Final = 400
"""Deeper replies keep their parent's index: each one makes the index of all that follow longer."""

_RESERVED: Final = 1
_TOPIC_UNITS: Final = 255
_KEPT: Final = "\u0131\u017f"
"""Letters whose capitals are ASCII in Python and which no locale-independent table maps there."""


@dataclass(slots=True, frozen=True)
class ResponseLevel:
    """One reply: `delta_nt` is the time since the header's, of which the low bits are lost; `random` has 8 bits."""

    delta_nt: int
    random: int

    def encode(self) -> bytes:
        delta = max(self.delta_nt, 0)
        late = delta >> 49 & 0x7F != 0
        number = delta >> 23 & 0x7FFFFFFF | 0x80000000 if late else delta >> 18 & 0x7FFFFFFF
        return number.to_bytes(4, "big") + bytes((self.random & 0xFF,))

    @classmethod
    def decode(cls, data: bytes) -> ResponseLevel:
        if len(data) != LEVEL:
            raise WireError(f"a response level of {len(data)} octets")
        number = int.from_bytes(data[:4], "big")
        delta = (number & 0x7FFFFFFF) << 23 if number & 0x80000000 else number << 18
        return cls(delta, data[4])


@dataclass(slots=True, frozen=True)
class ConversationIndex:
    """[MS-OXOMSG] 2.2.1.3 PidTagConversationIndex. `guid` is kept as its 16 octets stand there.

    The 40 bits of the time are its highest ones, or, as older clients write it, those after the first octet, which is
    then the reserved one: `old` says which. Both are found in mail; FILETIMEs from 1829 to 2057 begin with 01, those
    up to 2285 with 02.
    """

    time_nt: int
    guid: bytes
    levels: tuple[ResponseLevel, ...] = ()
    old: bool = False

    def encode(self) -> bytes:
        start = self.time_nt >> 16 & 0xFFFFFFFFFF if self.old else self.time_nt >> 24 & 0xFFFFFFFFFF
        levels = b"".join([level.encode() for level in self.levels])
        return bytes((_RESERVED,)) + start.to_bytes(5, "big") + self.guid + levels

    @classmethod
    def decode(cls, data: bytes) -> ConversationIndex:
        if not is_index(data) or (len(data) - HEADER) % LEVEL:
            raise WireError("no conversation index")
        old = data[1] > 2
        time_nt = int.from_bytes(data[:6] if old else data[1:6], "big") << (16 if old else 24)
        levels = [ResponseLevel.decode(data[at : at + LEVEL]) for at in range(HEADER, len(data), LEVEL)]
        return cls(time_nt, data[6:HEADER], tuple(levels), old)


def is_index(index: bytes | None) -> bool:
    """Whether an index names a conversation: a header, whatever follows."""
    return index is not None and len(index) >= HEADER and index[0] == _RESERVED


def new_index(now_nt: int, guid: bytes) -> bytes:
    """The index of a message that starts a conversation; `guid` is to be random."""
    return ConversationIndex(now_nt, guid).encode()


def reply(index: bytes, now_nt: int, random: int) -> bytes:
    """The index of a reply to, or forward of, the message with this index. WireError when it is none.

    Of octets that are no whole level the reply has nothing.
    """
    if not is_index(index):
        raise WireError("no conversation index")
    whole = len(index) - (len(index) - HEADER) % LEVEL
    if whole >= HEADER + MAX_LEVELS * LEVEL:
        return index[:whole]
    start = ConversationIndex.decode(index[:HEADER]).time_nt
    return index[:whole] + ResponseLevel(now_nt - start, random).encode()


def next_index(parent: bytes | None, now_nt: int, entropy: bytes) -> bytes:
    """The index of a message: a reply to one with the index `parent`, or a new one. `entropy`: 16 random octets."""
    if parent is not None and is_index(parent):
        return reply(parent, now_nt, entropy[0])
    return new_index(now_nt, entropy)


def conversation_id(index: bytes | None, topic: str | None, tracking: bool | None) -> bytes | None:
    """[MS-OXOMSG] 2.2.1.2 PidTagConversationId, from PidTagConversationIndex, -Topic and -IndexTracking.

    The index's GUID where tracking is on, else the MD5 of the topic in capitals; None without either.
    """
    if tracking and index is not None and is_index(index):
        return index[6:HEADER]
    if topic is None:
        return None
    return topic_id(topic)


def topic_id(topic: str) -> bytes:
    """The id of a conversation that only its topic tells from others: up to 255 UTF-16 units, up to a NUL."""
    return _topic_id(topic.partition("\0")[0][:_TOPIC_UNITS])


@lru_cache(maxsize=256)
def _topic_id(text: str) -> bytes:
    upper = text.upper() if text.isascii() else "".join(map(_capital, text))
    octets = upper.encode("utf-16-le", "surrogatepass")[: 2 * _TOPIC_UNITS]
    return md5(octets, usedforsecurity=False).digest()


def _capital(letter: str) -> str:
    """The capital of a letter that is one 16-bit unit and has one; all others are as they are."""
    capital = letter.upper()
    return capital if len(capital) == 1 and letter <= "\uffff" and letter not in _KEPT else letter
