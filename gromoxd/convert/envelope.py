"""IMAP's ENVELOPE (RFC 9051 7.5.2, `envelope` in 9; the same in RFC 3501): ten fields of a message header as text."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from gromoxd.convert.addresses import Address, parse_addresses
from gromoxd.convert.imapstring import MAX_TEXT, encode_words, nstring, quoted

Addresses = list[Address]
EMPTY = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
_ADDRESS_FIELDS = (b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc")


def parsed_addresses(fields: Mapping[bytes, bytes]) -> dict[bytes, Addresses]:
    """The address fields that are there and hold an address, parsed."""
    found = {}
    for name in _ADDRESS_FIELDS:
        value = fields.get(name)
        if value:
            addresses = parse_addresses(value)
            if addresses:
                found[name] = addresses
    return found


def envelope(fields: Mapping[bytes, bytes], addresses: Mapping[bytes, Addresses] | None = None) -> bytes:
    """The ENVELOPE of a header given as `headers.field_map`; `addresses` are its `parsed_addresses` if at hand.

    Sender and Reply-To default to From (RFC 9051 7.5.2).
    """
    if addresses is None:
        addresses = parsed_addresses(fields)
    sent_by = _list(addresses.get(b"from"))
    sender, reply_to = addresses.get(b"sender"), addresses.get(b"reply-to")
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(fields.get(b"date")),
        _text(fields.get(b"subject")),
        sent_by,
        _list(sender) if sender else sent_by,
        _list(reply_to) if reply_to else sent_by,
        _list(addresses.get(b"to")),
        _list(addresses.get(b"cc")),
        _list(addresses.get(b"bcc")),
        _text(fields.get(b"in-reply-to")),
        _text(fields.get(b"message-id")),
    )


def _text(value: bytes | None) -> bytes:
    """A text field; a tab left by unfolding is shown as the space it stands for."""
    if value is None:
        return b"NIL"
    if b"\t" in value:
        value = value.replace(b"\t", b" ")
    return quoted(value[:MAX_TEXT])


def _list(addresses: Addresses | None) -> bytes:
    if not addresses:
        return b"NIL"
    return b"(%b)" % b"".join([_address(*address) for address in addresses])


def _address(name: bytes | None, adl: bytes | None, mailbox: bytes | None, host: bytes | None) -> bytes:
    if host is not None and not host.isascii():
        host = _ascii_host(host)
    if mailbox is not None and not mailbox.isascii():
        mailbox = encode_words(mailbox)
    return b"(%b %b %b %b)" % (nstring(name), nstring(adl), nstring(mailbox), nstring(host))


def _ascii_host(host: bytes) -> bytes:
    """A-labels of an internationalized domain (RFC 5890 2.3.2.1); what can be none is shown with `?`."""
    try:
        labels = unicodedata.normalize("NFKC", host[:255].decode()).lower().split(".")
    except UnicodeDecodeError:
        return host[:255].decode("ascii", "replace").encode("ascii", "replace")
    return b".".join([label.encode() if label.isascii() else b"xn--" + label.encode("punycode") for label in labels])
