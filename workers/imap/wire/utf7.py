"""Modified UTF-7 of mailbox names (RFC 3501 5.1.3). Decoding is strict: one name has one encoding."""

from __future__ import annotations

import binascii
import re

from gromoxd.errors import WireError

_DIRECT = re.compile(rb"[\x20-\x25\x27-\x7e]*")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")
_PRINTABLE = re.compile("[\x20-\x7e]+|[^\x20-\x7e]+")


def encode(name: str) -> bytes:
    """The name as it goes over the wire. Lone surrogates cannot occur in names that came from `decode`."""
    if name.isascii() and name.isprintable():
        return name.encode().replace(b"&", b"&-")
    out = []
    for run in _PRINTABLE.findall(name):
        if "\x20" <= run[0] <= "\x7e":
            out.append(run.encode().replace(b"&", b"&-"))
        else:
            text = binascii.b2a_base64(run.encode("utf-16-be", "replace"), newline=False)
            out.append(b"&" + text.rstrip(b"=").replace(b"/", b",") + b"-")
    return b"".join(out)


def decode(data: bytes) -> str:
    """The name behind `data`; WireError for 8-bit or control octets and for any non-canonical shift."""
    if _DIRECT.fullmatch(data):
        return data.decode()
    out, at, shifted_before = [], 0, False
    while at < len(data):
        found = _DIRECT.match(data, at)
        if found and found.end() > at:
            out.append(found[0].decode())
            at, shifted_before = found.end(), False
            continue
        shift = _SHIFTED.match(data, at)
        if not shift:
            raise WireError("invalid modified UTF-7", at)
        out.append(_shifted(shift[1], at, shifted_before))
        at, shifted_before = shift.end(), bool(shift[1])
    return "".join(out)


def _shifted(text: bytes, at: int, after_shift: bool) -> str:
    """One base64 run. Superfluous shifts, padding bits, printable ASCII and broken UTF-16 are refused."""
    if not text:
        return "&"
    if after_shift:
        raise WireError("superfluous shift in modified UTF-7", at)
    try:
        raw = binascii.a2b_base64(text.replace(b",", b"/") + b"=" * (-len(text) % 4), strict_mode=True)
        run = raw.decode("utf-16-be")
    except ValueError as error:
        raise WireError("invalid modified UTF-7", at) from error
    if encode(run) != b"&" + text + b"-":
        raise WireError("modified UTF-7 is not canonical", at)
    return run
