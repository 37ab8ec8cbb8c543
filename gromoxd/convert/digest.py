"""`digest_message`: everything that delivery and APPEND learn from a message's octets, in one go.

This is the largest CPU cost of a delivery (docs/performance.md). It reads the header, the part headers and looks for
delimiter lines; bodies are not decoded, but for a meeting's calendar and a winmail.dat, which may take as long as they
like. Event loops ask
`digest_at_once`, and a thread when that answers None.
"""

from __future__ import annotations

from collections.abc import Mapping
from mmap import mmap

from gromoxd.convert.bodystructure import bodystructure
from gromoxd.convert.envelope import envelope
from gromoxd.convert.headers import decode_header
from gromoxd.convert.mailreader import Lengthy, read_mail
from gromoxd.convert.mime import Octets, encode, octets
from gromoxd.convert.properties import identifier
from gromoxd.convert.searchtext import fold
from gromoxd.exmdb.calls import Digest
from gromoxd.mapi.bag import encode_bag, encode_bags

NO_DATE = -(2**31)
MAX_KEY = 4096
ALWAYS_QUICK, NEVER_QUICK = 8 << 10, 300 << 10


def digest_at_once(raw: bytes, *, received: int) -> Digest | None:
    """The Digest, if it takes some milliseconds at most, whatever is in there; None: `digest_message` on a thread."""
    if len(raw) > NEVER_QUICK:
        return None
    try:
        return _digest(raw, received, hasty=len(raw) > ALWAYS_QUICK)
    except Lengthy:
        return None


def digest_message(raw: bytes | bytearray | memoryview | mmap, *, received: int) -> Digest:
    """The Digest of a message; `received` is INTERNALDATE in Unix seconds. Never raises for any octets."""
    return _digest(octets(raw), received, hasty=False)


def _digest(data: Octets, received: int, *, hasty: bool) -> Digest:
    mail = read_mail(data, received, hasty=hasty)
    fields = mail.fields
    return Digest(
        mail.size,
        mail.body,
        sent_clock(mail.dates),
        envelope(fields, mail.addresses),
        bodystructure(mail.root),
        encode(mail.root),
        identifier(fields[b"message-id"]) if b"message-id" in fields else "",
        _key(fields, b"from"),
        _key(fields, b"to"),
        _key(fields, b"cc"),
        _key(fields, b"bcc"),
        fold(mail.subject),
        mail.kind,
        encode_bag(mail.bag),
        encode_bags(mail.recipients),
        [encode_bag(attachment) for attachment in mail.attachments],
        [(number, name.guid, name.key) for number, name in mail.names.items()] if mail.names else [],
    )


def sent_clock(dates: tuple[int, int] | None) -> int:
    """The Date field's wall clock within 32 bits, NO_DATE when there is none."""
    return NO_DATE if dates is None else min(max(dates[1], NO_DATE + 1), 2**31 - 1)


def _key(fields: Mapping[bytes, bytes], name: bytes) -> str:
    """The field's text as SEARCH looks at it: decoded, folded, at most MAX_KEY characters."""
    value = fields.get(name)
    return fold(decode_header(value[:MAX_KEY]))[:MAX_KEY] if value else ""
