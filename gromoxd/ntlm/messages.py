"""The three messages of NTLM: NEGOTIATE, CHALLENGE, AUTHENTICATE ([MS-NLMP] 2.2.1), and AV_PAIRs (2.2.2.1)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from gromoxd.errors import WireError

SIGNATURE = b"NTLMSSP\0"
LONGEST = 16 << 10
"""Octets of a message that are looked at."""
LONGEST_NAME = 512
MOST_PAIRS = 64
MIC_AT, MIC_END = 72, 88
_FIELDS = struct.Struct("<HHI")
_HEAD = struct.Struct("<8sI")
_VERSION = bytes((10, 0, 0x61, 0x4A, 0, 0, 0, 15))
"""VERSION (2.2.2.10): nobody decides anything by it but debuggers; NTLMSSP_REVISION_W2K3."""


class Flags(IntFlag):
    """NEGOTIATE ([MS-NLMP] 2.2.2.5)."""

    UNICODE = 0x00000001
    OEM = 0x00000002
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    SEAL = 0x00000020
    DATAGRAM = 0x00000040
    NTLM = 0x00000200
    ANONYMOUS = 0x00000800
    ALWAYS_SIGN = 0x00008000
    TARGET_TYPE_DOMAIN = 0x00010000
    TARGET_TYPE_SERVER = 0x00020000
    EXTENDED_SESSIONSECURITY = 0x00080000
    TARGET_INFO = 0x00800000
    VERSION = 0x02000000
    KEY_128 = 0x20000000
    KEY_EXCH = 0x40000000
    KEY_56 = 0x80000000


class AvId(IntEnum):
    """AV_PAIR.AvId ([MS-NLMP] 2.2.2.1)."""

    EOL = 0
    NB_COMPUTER_NAME = 1
    NB_DOMAIN_NAME = 2
    DNS_COMPUTER_NAME = 3
    DNS_DOMAIN_NAME = 4
    DNS_TREE_NAME = 5
    FLAGS = 6
    TIMESTAMP = 7
    SINGLE_HOST = 8
    TARGET_NAME = 9
    CHANNEL_BINDINGS = 10


MIC_PROVIDED = 0x2
"""In the value of AvId.FLAGS."""


def encode_pairs(pairs: Mapping[int, bytes]) -> bytes:
    """AV_PAIRs with their end."""
    body = b"".join(struct.pack("<HH", number, len(value)) + value for number, value in pairs.items())
    return body + bytes(4)


def decode_pairs(data: bytes) -> dict[int, bytes]:
    """The pairs up to MsvAvEOL; of two with one id the first counts."""
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(MOST_PAIRS):
        if at + 4 > len(data):
            raise WireError("AV_PAIRs have no end", at)
        number, size = struct.unpack_from("<HH", data, at)
        at += 4
        if number == AvId.EOL:
            return found
        if at + size > len(data):
            raise WireError("AV_PAIR is cut", at)
        found.setdefault(number, data[at : at + size])
        at += size
    raise WireError("too many AV_PAIRs", at)


@dataclass(frozen=True)
class Negotiate:
    """NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1). Domain and workstation in it are of no use to a server."""

    flags: int

    @classmethod
    def decode(cls, data: bytes) -> Negotiate:
        """Out of a message."""
        _check(data, 1, 16)
        return cls(struct.unpack_from("<I", data, 12)[0])


@dataclass(frozen=True)
class Challenge:
    """CHALLENGE_MESSAGE ([MS-NLMP] 2.2.1.2)."""

    flags: int
    challenge: bytes
    target: str = ""
    pairs: dict[int, bytes] = field(default_factory=dict)
    version: bytes = _VERSION

    def encode(self) -> bytes:
        """The message; its target name in UTF-16, or in ASCII where OEM characters were agreed on."""
        charset = "utf-16-le" if self.flags & Flags.UNICODE else "ascii"
        name = self.target.encode(charset, "replace")
        info = encode_pairs(self.pairs) if self.flags & Flags.TARGET_INFO else b""
        head = _HEAD.pack(SIGNATURE, 2) + _FIELDS.pack(len(name), len(name), 56)
        head += struct.pack("<I8s8x", self.flags, self.challenge)
        head += _FIELDS.pack(len(info), len(info), 56 + len(name) if info else 0) + self.version
        return head + name + info

    @classmethod
    def decode(cls, data: bytes) -> Challenge:
        """Out of a message."""
        _check(data, 2, 48)
        flags, challenge = struct.unpack_from("<I8s", data, 20)
        info = _payload(data, 40) if flags & Flags.TARGET_INFO else b""
        name = (_text if flags & Flags.UNICODE else _oem)(_payload(data, 12))
        pairs = decode_pairs(info) if info else {}
        return cls(flags, challenge, name, pairs, data[48:56] if flags & Flags.VERSION else _VERSION)


@dataclass(frozen=True)
class Authenticate:
    """AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3). `has_mic`: the NTLMv2 response says that the message has a MIC."""

    flags: int
    lm: bytes
    nt: bytes
    domain: str
    user: str
    workstation: str
    session_key: bytes
    has_mic: bool = False
    mic: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Authenticate:
        """Out of a message; names in UTF-16, or in Latin-1 where OEM characters were agreed on."""
        _check(data, 3, 64)
        flags = struct.unpack_from("<I", data, 60)[0]
        decode = _text if flags & Flags.UNICODE else _oem
        domain, user, workstation = (decode(_payload(data, at, 2 * LONGEST_NAME)) for at in (28, 36, 44))
        nt = _payload(data, 20)
        has_mic = _says_mic(nt)
        if has_mic and len(data) < MIC_END:
            raise WireError("the MIC is missing", MIC_AT)
        return cls(
            flags, _payload(data, 12), nt, domain, user, workstation, _payload(data, 52), has_mic,
            data[MIC_AT:MIC_END] if has_mic else b"",
        )  # fmt: skip


def _says_mic(nt: bytes) -> bool:
    """MsvAvFlags in NTLMv2_CLIENT_CHALLENGE ([MS-NLMP] 2.2.2.7), which begins 16 octets into the response."""
    if len(nt) <= 44:
        return False
    value = decode_pairs(nt[44:]).get(AvId.FLAGS, b"")
    return len(value) == 4 and bool(value[0] & MIC_PROVIDED)


def _check(data: bytes, number: int, shortest: int) -> None:
    if not shortest <= len(data) <= LONGEST:
        raise WireError("length of an NTLM message", 0)
    if _HEAD.unpack_from(data) != (SIGNATURE, number):
        raise WireError(f"not the NTLM message {number}", 0)


def _payload(data: bytes, at: int, longest: int = LONGEST) -> bytes:
    size, _, offset = _FIELDS.unpack_from(data, at)
    if not size:
        return b""
    if size > longest or offset + size > len(data):
        raise WireError("field beyond the message", at)
    return data[offset : offset + size]


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise WireError("bad UTF-16", 0) from error


def _oem(data: bytes) -> str:
    return data.decode("latin-1")
