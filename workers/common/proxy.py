"""The PROXY protocol's header, versions 1 and 2 (HAProxy, "The PROXY protocol", sections 2.1 and 2.2). Pure.

`ProxyReader` says how many bytes it wants next and never asks for one more than the header has, so that TLS or the
protocol begins exactly behind it.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from gromoxd.errors import WireError

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LONGEST_V1 = 107
LONGEST_V2 = 4096
"""A bound on the address block with its TLVs; load balancers send a few hundred bytes."""

_INET, _INET6 = 1, 2


class Source(NamedTuple):
    """The client that the proxy speaks for; address '' when it speaks for itself (LOCAL, UNKNOWN)."""

    address: str
    port: int


class ProxyReader:
    """Collects the header. Feed what `wanted` asks for until `feed` returns a Source. WireError for anything else."""

    def __init__(self) -> None:
        self._data = b""
        self.wanted = 12
        """Bytes to read next, at most."""

    def feed(self, data: bytes) -> Source | None:
        """Take bytes (no more than `wanted`); the source once the header is complete."""
        self._data += data
        self.wanted -= len(data)
        if self.wanted:
            return None
        if self._data.startswith(b"PROXY "):
            return self._version1()
        if self._data.startswith(SIGNATURE):
            return self._version2()
        raise WireError("no PROXY header")

    def _version1(self) -> Source | None:
        if self._data.endswith(b"\r\n"):
            return parse_v1(self._data)
        if len(self._data) >= LONGEST_V1:
            raise WireError("PROXY line too long", LONGEST_V1)
        self.wanted = 1
        return None

    def _version2(self) -> Source | None:
        if len(self._data) == 12:
            self.wanted = 4
            return None
        length = int.from_bytes(self._data[14:16], "big")
        if length > LONGEST_V2:
            raise WireError("PROXY block too long", 14)
        if len(self._data) < 16 + length:
            self.wanted = 16 + length - len(self._data)
            return None
        return parse_v2(self._data)


def parse_v1(line: bytes) -> Source:
    """'PROXY TCP4 source destination sport dport' with CRLF (section 2.1)."""
    words = line[:-2].split(b" ")
    if words[1] == b"UNKNOWN":
        return Source("", 0)
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6") or not words[4].isdigit():
        raise WireError("malformed PROXY line", 6)
    try:
        address = ipaddress.ip_address(words[2].decode("ascii"))
        port = int(words[4])
    except ValueError as error:
        raise WireError("malformed address in the PROXY line", 11) from error
    if address.version != (4 if words[1] == b"TCP4" else 6) or port > 65535:
        raise WireError("address of another family in the PROXY line", 11)
    return Source(plain_address(str(address)), port)


def parse_v2(data: bytes) -> Source:
    """A complete binary header (section 2.2). Families other than IP say nothing of the client."""
    version, command, family = data[12] >> 4, data[12] & 15, data[13] >> 4
    if version != 2 or command > 1:
        raise WireError("unknown PROXY version or command", 12)
    if command == 0 or family not in (_INET, _INET6):
        return Source("", 0)
    size = 4 if family == _INET else 16
    if len(data) < 16 + 2 * size + 4:
        raise WireError("PROXY address block too short", 16)
    address = ipaddress.ip_address(data[16 : 16 + size])
    port = int.from_bytes(data[16 + 2 * size : 18 + 2 * size], "big")
    return Source(plain_address(str(address)), port)


def plain_address(address: str) -> str:
    """An address as text, an IPv4 one inside IPv6 (RFC 4291 2.5.5.2) as plain IPv4."""
    if address.startswith("::ffff:"):
        try:
            mapped = ipaddress.IPv6Address(address).ipv4_mapped
        except ValueError:
            return address
        if mapped is not None:
            return str(mapped)
    return address
