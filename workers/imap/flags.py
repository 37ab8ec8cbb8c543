"""Flags as clients write them, to system flag bits and keywords (RFC 3501 2.3.2, 9 `flag`). Pure."""

from __future__ import annotations

from gromoxd.errors import WireError
from workers.imap.errors import Refused
from workers.imap.mailbox import SYSTEM_FLAGS

_BITS = {name.lower(): bit for name, bit in SYSTEM_FLAGS}
MAX_KEYWORD = 255


def parse_flags(words: list[bytes]) -> tuple[int, list[str]]:
    """(bits, keywords). \\Recent cannot be set by a client; unknown system flags are an error."""
    bits = 0
    keywords: dict[bytes, str] = {}
    for word in words:
        if word.startswith(b"\\"):
            bit = _BITS.get(word.lower())
            if bit is None:
                if word.lower() == b"\\recent":
                    continue
                raise WireError("Unknown system flag")
            bits |= bit
        elif len(word) > MAX_KEYWORD:
            raise Refused("The keyword is too long", "LIMIT")
        else:
            keywords.setdefault(word.lower(), word.decode("ascii"))
    return bits, list(keywords.values())
