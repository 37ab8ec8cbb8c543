"""Signing and sealing of messages after the log-in, with extended session security ([MS-NLMP] 3.4).

Sequence numbers count by themselves, one for each message and direction. A message is encrypted first and signed then,
by the same stream cipher; its signature is over the plain text, or over more than what is encrypted (DCE/RPC: the PDU).
"""

from __future__ import annotations

import hmac
import struct
from hashlib import md5
from typing import Any

from gromoxd.ntlm.messages import Flags

SIGNATURE_SIZE = 16


class NtlmError(Exception):
    """The other side is not who it should be, or the message was changed; the text is for the log."""


def stream(key: bytes) -> Any:
    """RC4 from its beginning; `update` encrypts or decrypts."""
    # loaded when somebody logs in: it is large
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    from cryptography.hazmat.primitives.ciphers import Cipher

    return Cipher(ARC4(key), None).encryptor()


def rc4(key: bytes, data: bytes) -> bytes:
    """RC4 of one text."""
    found: bytes = stream(key).update(data)
    return found


def hmac_md5(key: bytes, data: bytes) -> bytes:
    """HMAC_MD5 of [MS-NLMP]."""
    return hmac.digest(key, data, "md5")


class Direction:
    """One direction's keys (3.4.5.2, 3.4.5.3), stream and sequence number."""

    def __init__(self, flags: int, session_key: bytes, words: bytes) -> None:
        if not flags & Flags.EXTENDED_SESSIONSECURITY or not flags & Flags.KEY_128:
            raise NtlmError("session security is too weak")
        self.sign_key = md5(session_key + b"session key to %b signing key magic constant\0" % words).digest()
        self.seal_key = md5(session_key + b"session key to %b sealing key magic constant\0" % words).digest()
        self._encrypts_checksum = bool(flags & Flags.KEY_EXCH)
        self._number = 0
        self.restart()

    def restart(self) -> None:
        """Begin the stream anew; numbers go on ([MS-SPNG] 3.3.5.1: after the list of mechanisms was signed)."""
        self._stream = stream(self.seal_key)

    def crypt(self, data: bytes) -> bytes:
        """Encrypt or decrypt. Comes before the message's `sign` or `verify`."""
        done: bytes = self._stream.update(data)
        return done

    def sign(self, message: bytes) -> bytes:
        """NTLMSSP_MESSAGE_SIGNATURE of the next message (2.2.2.9.2, 3.4.4.2)."""
        number = struct.pack("<I", self._number & 0xFFFFFFFF)
        self._number += 1
        checksum = hmac_md5(self.sign_key, number + message)[:8]
        if self._encrypts_checksum:
            checksum = self._stream.update(checksum)
        return b"\1\0\0\0" + checksum + number

    def verify(self, message: bytes, signature: bytes) -> None:
        """NtlmError unless this is the next message's signature."""
        if not hmac.compare_digest(self.sign(message), signature):
            raise NtlmError("bad signature")


class NtlmSession:
    """Both directions as the server (or with `server=False` the client) sees them. NtlmError for weak keys."""

    def __init__(self, flags: int, session_key: bytes, *, server: bool = True) -> None:
        self.flags, self.session_key = flags, session_key
        to_server = Direction(flags, session_key, b"client-to-server")
        to_client = Direction(flags, session_key, b"server-to-client")
        self.outgoing, self.incoming = (to_client, to_server) if server else (to_server, to_client)

    def sign(self, message: bytes) -> bytes:
        """Signature of the next message that is sent (GSS_GetMIC)."""
        return self.outgoing.sign(message)

    def verify(self, message: bytes, signature: bytes) -> None:
        """NtlmError unless the next message that came is genuine (GSS_VerifyMIC)."""
        self.incoming.verify(message, signature)

    def seal(self, data: bytes, before: bytes = b"", after: bytes = b"") -> tuple[bytes, bytes]:
        """(encrypted, signature) of the next message (GSS_WrapEx); what is signed is before + data + after."""
        sealed = self.outgoing.crypt(data)
        return sealed, self.outgoing.sign(before + data + after)

    def unseal(self, data: bytes, signature: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
        """The next message that came in plain text (GSS_UnwrapEx). NtlmError."""
        plain = self.incoming.crypt(data)
        self.incoming.verify(before + plain + after, signature)
        return plain
