"""Header fields of RFC 5322: splitting and unfolding them, and the text of RFC 2047 and RFC 6532 in their values.

Dates are in `gromoxd.convert.dates`, addresses in `gromoxd.convert.addresses`; both are offered here too. A header is
read up to `MAX_HEADER` octets and `MAX_FIELDS` lines; what is beyond stays in the message but is not interpreted.
"""

from __future__ import annotations

import binascii
import re

from gromoxd.convert.addresses import Address, parse_addresses
from gromoxd.convert.charsets import decode, decode_unlabelled
from gromoxd.convert.dates import parse_date

__all__ = [
    "MAX_FIELDS", "MAX_HEADER", "Address", "decode_header", "field_map", "get_field", "parse_addresses", "parse_date",
    "unfold_fields",
]  # fmt: skip

MAX_HEADER = 256 << 10
MAX_FIELDS = 2000

_JOINED = frozenset((b"to", b"cc", b"bcc", b"references"))
"""Fields that RFC 5322 3.6 allows once, but of which senders make several: their values are taken together."""


def _lines(header: bytes) -> list[bytes]:
    """One line a field: unfolded as RFC 5322 2.2.3 says, only the line breaks go."""
    text = header[:MAX_HEADER].replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b"\t")
    lines = text.split(b"\n", MAX_FIELDS)
    if len(lines) > MAX_FIELDS:
        lines.pop()
    return lines


def unfold_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """(name as written, unfolded value, white space around it gone) of each field; other lines are left out."""
    fields = []
    for line in _lines(header):
        name, colon, value = line.partition(b":")
        if colon and name:
            fields.append((name.rstrip(b" \t"), value.strip(b" \t\r")))
    return fields


def field_map(header: bytes) -> dict[bytes, bytes]:
    """Lower-case name -> unfolded value of its first occurrence; recipient fields that occur again are joined."""
    fields: dict[bytes, bytes] = {}
    again: list[tuple[bytes, bytes]] = []
    for line in _lines(header):
        name, colon, value = line.partition(b":")
        key = name.lower()
        if key not in fields:
            if colon and name:
                if key[-1] in b" \t":
                    fields.setdefault(key.rstrip(b" \t"), value.strip(b" \t\r"))
                else:
                    fields[key] = value.strip(b" \t\r")
        elif key in _JOINED:
            again.append((key, value.strip(b" \t\r")))
    return _joined(fields, again) if again else fields


def _joined(fields: dict[bytes, bytes], again: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The fields with the further values of some; all of a field at once, as there may be thousands."""
    for key in {key for key, _ in again}:
        between = b" " if key == b"references" else b", "
        fields[key] = between.join([fields[key], *(value for name, value in again if name == key)])
    return fields


def get_field(header: bytes, name: bytes) -> bytes | None:
    """The unfolded value of the first field of that name (any case), None when there is none."""
    wanted = name.lower()
    for line in _lines(header):
        found, colon, value = line.partition(b":")
        if colon and found.rstrip(b" \t").lower() == wanted:
            return value.strip(b" \t\r")
    return None


_WORD = re.compile(rb"=\?([A-Za-z0-9][^?\s*]{0,60})(?:\*[^?\s]{0,60})?\?([bBqQ])\?([^?\r\n]*(?:\?(?!=)[^?\r\n]*)*)\?=")
_GAP = b" \t\r\n"


def decode_header(value: bytes) -> str:
    """The text of an unfolded value: RFC 2047 words decoded, white space between two of them dropped (6.2).

    8-bit octets are UTF-8 (RFC 6532). A word that cannot be decoded stays as written; NULs go. Never raises.
    """
    if b"=?" not in value:
        text = value.decode() if value.isascii() else decode_unlabelled(value)
    else:
        text = _decode_words(value)
    return text.replace("\x00", "") if "\x00" in text else text


def _decode_words(value: bytes) -> str:
    """Octets of adjacent words of one charset are joined before decoding: senders split multi-octet characters."""
    out: list[str] = []
    run: list[bytes] = []
    run_charset = b""
    at = 0
    for match in _WORD.finditer(value):
        charset, encoding, text = match.groups()
        data = _word_octets(encoding, text)
        if data is None:
            continue
        between = value[at : match.start()]
        if not run or between.strip(_GAP):
            out += (_flush(run, run_charset), decode_unlabelled(between))
            run = []
        elif charset.lower() != run_charset:
            out.append(_flush(run, run_charset))
            run = []
        run.append(data)
        run_charset = charset.lower()
        at = match.end()
    out += (_flush(run, run_charset), decode_unlabelled(value[at:]))
    return "".join(out)


def _flush(run: list[bytes], charset: bytes) -> str:
    return decode(b"".join(run), charset.decode("latin-1")) if run else ""


def _word_octets(encoding: bytes, text: bytes) -> bytes | None:
    """RFC 2047 4.1 and 4.2; None when the base64 is broken beyond a missing padding."""
    if encoding in b"qQ":
        return binascii.a2b_qp(text, header=True)
    try:
        return binascii.a2b_base64(text + b"==")
    except binascii.Error:
        return _without_odd_digit(text)


def _without_odd_digit(text: bytes) -> bytes | None:
    """Base64 that somebody cut within a group of digits."""
    try:
        return binascii.a2b_base64(text.rstrip(b"= ")[:-1] + b"==") or None
    except binascii.Error:
        return None
