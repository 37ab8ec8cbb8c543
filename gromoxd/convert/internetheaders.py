"""Header fields as named properties of PS_INTERNET_HEADERS ([MS-OXCMAIL] 2.2.3.2.29): those that have no other.

A mailbox has few ids for names and strangers make up field names, so nothing is done at delivery: a mailbox reads the
fields for which it has names out of the stored header. An Item has all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gromoxd.convert.headers import decode_header, unfold_fields
from gromoxd.convert.properties import MAPPED

MAX_NAMED, MAX_LENGTH, MAX_NAME, MAX_KEYWORDS = 200, 16 << 10, 126, 100

_WITHOUT: Final = (
    frozenset(
        b"received resent-from resent-sender resent-date resent-message-id resent-to resent-cc resent-bcc content-type"
        b" content-disposition content-description content-transfer-encoding content-id content-md5 mime-version"
        b" return-path comments adhoc apparently-to approved control distribution encoding followup-to lines bytes"
        b" article supercedes newsgroups nntppostinghost organization path rr summary trace encrypted x-mimeole"
        b" x-ms-tnef-correlator x-unsent date from sender reply-to to cc bcc subject keywords importance priority"
        b" x-priority x-msmail-priority sensitivity content-location content-language x-ms-has-attach"
        b" x-microsoft-classified x-microsoft-classkeep x-microsoft-classification x-microsoft-classdesc"
        b" x-microsoft-classid".split()
    )
    | MAPPED
)
_INSIDE: Final = (b"x-ms-exchange-organization-", b"x-ms-exchange-forest-")
_NOT_INSIDE: Final = frozenset(
    b"x-ms-exchange-organization-" + word for word in (b"authas", b"authdomain", b"authmechanism", b"authsource")
)


def is_named(name: bytes) -> bool:
    """Whether a field of that name (lower case) is a property by its name."""
    if name in _WITHOUT or len(name) > MAX_NAME or not name.isascii():
        return False
    return not name.startswith(_INSIDE) or name in _NOT_INSIDE


def internet_headers(header: bytes) -> Iterator[tuple[str, str]]:
    """(name in lower case, text) of the first field of each such name."""
    seen: set[bytes] = set()
    for written, value in unfold_fields(header):
        name = written.lower()
        if name in seen or not is_named(name):
            continue
        seen.add(name)
        yield name.decode("ascii"), decode_header(value[:MAX_LENGTH])
        if len(seen) >= MAX_NAMED:
            return


def keywords_of(value: bytes) -> list[str]:
    """PidNameKeywords of a Keywords field's value (RFC 5322 3.6.5)."""
    words = [word.strip() for word in decode_header(value[:MAX_LENGTH]).split(",")]
    return [word for word in words if word][:MAX_KEYWORDS]
