"""What PidTagTransportMessageHeaders ([MS-OXOMSG] 2.2.1.61) keeps of a header when a delivered message is made anew."""

from __future__ import annotations

from collections.abc import Collection

from gromoxd.convert.charsets import decode_unlabelled
from gromoxd.convert.headerlines import field
from gromoxd.convert.headers import decode_header, unfold_fields
from gromoxd.mapi.types import PropValue

MAX_HEADER, MAX_FIELDS = 64 << 10, 500
_MADE = frozenset((
    b"from", b"sender", b"to", b"cc", b"bcc", b"subject", b"date", b"message-id", b"in-reply-to", b"references",
    b"reply-to", b"importance", b"priority", b"x-priority", b"x-msmail-priority", b"sensitivity", b"thread-topic",
    b"thread-index", b"disposition-notification-to", b"return-receipt-to", b"mime-version", b"list-help",
    b"list-subscribe", b"list-unsubscribe", b"expires", b"reply-by", b"x-message-flag", b"x-auto-response-suppress",
))  # fmt: skip
"""Fields that are made of properties, or not at all."""


def transport_headers(header: bytes) -> str:
    """The property of a header's octets."""
    return (header.decode() if header.isascii() else decode_unlabelled(header)).replace("\0", "")


def kept_fields(headers: PropValue, made: Collection[str] = ()) -> list[bytes]:
    """The fields that properties do not say: trace, signatures, lists, X-… (RFC 5322 3.6.7), in their order.

    `made`: names in lower case of what is there already.
    """
    if not isinstance(headers, str):
        return []
    kept = []
    for name, value in unfold_fields(headers[:MAX_HEADER].encode("utf-8", "replace"))[:MAX_FIELDS]:
        lowered = name.lower()
        if lowered in _MADE or lowered.startswith((b"content-", b"resent-bcc")) or not _is_name(name):
            continue
        if lowered.decode("ascii") in made:
            continue
        kept.append(field(name.decode("ascii"), decode_header(value)))
    return kept


def _is_name(name: bytes) -> bool:
    return 0 < len(name) <= 200 and all(33 <= octet <= 126 and octet != 58 for octet in name)
