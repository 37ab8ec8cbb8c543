"""The trace header that delivery puts before a message: Return-Path, Delivered-To, Received (RFC 5321 4.4). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNUSUAL = re.compile(r"[^A-Za-z0-9._:\[\]-]")


@dataclass(frozen=True)
class Trace:
    """What the header tells. `recipient` is named in Received when the message has but one (RFC 5321 7.6)."""

    sender: str
    helo: str
    peer: str
    hostname: str
    protocol: str
    id: str
    date: str
    recipient: str = ""

    def header(self, delivered_to: str, width: int = 0) -> bytes:
        """The header for one mailbox; Delivered-To is padded to `width` octets, so that all copies have one length."""
        address = delivered_to.encode()
        lines = b"Return-Path: <" + self.sender.encode() + b">\r\nDelivered-To: " + address.ljust(width) + b"\r\n"
        return lines + self.received()

    def received(self) -> bytes:
        """The Received field alone, for mail that goes on."""
        behind = f"\n\tfor <{self.recipient}>" if self.recipient else ""
        helo = _UNUSUAL.sub("?", self.helo)
        received = (
            f"Received: from {helo} ([{self.peer}])\n\tby {self.hostname} (gromoxd) with {self.protocol} id {self.id}"
            f"{behind};\n\t{self.date}\n"
        )
        return received.encode().replace(b"\n", b"\r\n")
