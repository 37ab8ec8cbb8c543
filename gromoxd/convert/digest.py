"""`digest_message`: everything that delivery and APPEND learn from a message's octets, in one go.

This is the largest CPU cost of a delivery (docs/performance.md). It reads the header, the part headers and looks for
delimiter lines; bodies are not decoded. Above some megabytes call it on a thread: 10 MB take 1 to 5 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from mmap import mmap

from gromoxd.convert.attachments import attachment_bags, message_class
from gromoxd.convert.bodystructure import bodystructure
from gromoxd.convert.dates import parse_date
from gromoxd.convert.envelope import envelope, parsed_addresses
from gromoxd.convert.headers import MAX_HEADER, decode_header, field_map
from gromoxd.convert.mime import encode, header_end, octets, scan_message
from gromoxd.convert.properties import MAX_STRING, codepage_into, header_bag, identifier, recipient_bags
from gromoxd.convert.searchtext import fold
from gromoxd.exmdb.calls import Digest
from gromoxd.mapi.bag import encode_bag, encode_bags
from gromoxd.mapi.proptags import PidTagAttachmentHidden, PidTagHasAttachments, PidTagMessageClass

NO_DATE = -(2**31)
MAX_KEY = 4096


def digest_message(raw: bytes | bytearray | memoryview | mmap, *, received: int) -> Digest:
    """The Digest of a message; `received` is INTERNALDATE in Unix seconds. Never raises for any octets."""
    data = octets(raw)
    size = len(data)
    body = header_end(data, 0, size)
    fields = field_map(data[: min(body, MAX_HEADER)])
    addresses = parsed_addresses(fields)
    root = scan_message(data, fields, body)
    dates = parse_date(fields[b"date"]) if b"date" in fields else None
    subject = decode_header(fields.get(b"subject", b"")[: MAX_STRING * 4])[:MAX_STRING]
    bag = header_bag(fields, addresses, dates[0] if dates else None, received, subject)
    recipients = recipient_bags(bag, addresses)
    attachments = attachment_bags(data, root)
    kind = message_class(data, root)
    bag[PidTagMessageClass] = kind
    bag[PidTagHasAttachments] = any(PidTagAttachmentHidden not in attachment for attachment in attachments)
    codepage_into(bag, root)
    return Digest(
        size,
        body,
        sent_clock(dates),
        envelope(fields, addresses),
        bodystructure(root),
        encode(root),
        identifier(fields[b"message-id"]) if b"message-id" in fields else "",
        _key(fields, b"from"),
        _key(fields, b"to"),
        _key(fields, b"cc"),
        _key(fields, b"bcc"),
        fold(subject),
        kind,
        encode_bag(bag),
        encode_bags(recipients),
        [encode_bag(attachment) for attachment in attachments],
    )


def sent_clock(dates: tuple[int, int] | None) -> int:
    """The Date field's wall clock within 32 bits, NO_DATE when there is none."""
    return NO_DATE if dates is None else min(max(dates[1], NO_DATE + 1), 2**31 - 1)


def _key(fields: Mapping[bytes, bytes], name: bytes) -> str:
    """The field's text as SEARCH looks at it: decoded, folded, at most MAX_KEY characters."""
    value = fields.get(name)
    return fold(decode_header(value[:MAX_KEY]))[:MAX_KEY] if value else ""
