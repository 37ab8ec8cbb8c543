"""The server's side of a log-in with NTLM version 2 ([MS-NLMP] 3.2.5.1, 3.3.2). Version 1 is refused.

server = NtlmServer(os.urandom(8), lookup, Names("MAIL", "EXAMPLE", …), time_nt=now)
answer = server.challenge(first)        # CHALLENGE_MESSAGE for the client's NEGOTIATE_MESSAGE
name = server.authenticate(second)      # of its AUTHENTICATE_MESSAGE; NtlmError, WireError
session = server.session()              # NtlmSession: sign, verify, seal, unseal
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass

from gromoxd.ntlm.messages import MIC_AT, MIC_END, Authenticate, AvId, Challenge, Flags, Negotiate
from gromoxd.ntlm.session import NtlmError, NtlmSession, hmac_md5, rc4

SUPPORTED = (
    Flags.UNICODE | Flags.SIGN | Flags.SEAL | Flags.NTLM | Flags.ALWAYS_SIGN | Flags.EXTENDED_SESSIONSECURITY
    | Flags.VERSION | Flags.KEY_128 | Flags.KEY_EXCH | Flags.KEY_56
)  # fmt: skip
ALWAYS = Flags.REQUEST_TARGET | Flags.NTLM | Flags.TARGET_INFO
SHORTEST_V2 = 16 + 28
"""Of an NTLMv2_RESPONSE ([MS-NLMP] 2.2.2.8); that of version 1 has 24 octets."""
Lookup = Callable[[str, str], "bytes | None"]
"""From (user, domain) as the client wrote them to the NT hash; None for nobody."""
_NOBODY = bytes(16)


@dataclass(frozen=True)
class Names:
    """What the server calls itself in its challenge."""

    computer: str = "GROMOXD"
    domain: str = ""
    dns_computer: str = ""
    dns_domain: str = ""

    def pairs(self) -> dict[int, bytes]:
        """As AV_PAIRs; a server in no domain is its own."""
        said = {
            AvId.NB_DOMAIN_NAME: self.domain or self.computer, AvId.NB_COMPUTER_NAME: self.computer,
            AvId.DNS_DOMAIN_NAME: self.dns_domain, AvId.DNS_COMPUTER_NAME: self.dns_computer,
        }  # fmt: skip
        return {int(number): name.encode("utf-16-le") for number, name in said.items() if name}


def ntowf_v2(nt_hash: bytes, user: str, domain: str) -> bytes:
    """NTOWFv2 ([MS-NLMP] 3.3.2)."""
    return hmac_md5(nt_hash, (user.upper() + domain).encode("utf-16-le"))


class NtlmServer:
    """One log-in. `time_nt`: now as a FILETIME; with it (not 0) clients protect all three messages by a MIC."""

    def __init__(
        self, challenge: bytes, lookup: Lookup | None = None, names: Names | None = None, time_nt: int = 0
    ) -> None:
        self._challenge, self._lookup, self._names, self._time_nt = challenge, lookup, names or Names(), time_nt
        self._negotiate = self._answer = b""
        self._used = False
        self.flags = 0
        self.session_key = b""
        """ExportedSessionKey, after the log-in."""

    def challenge(self, message: bytes) -> bytes:
        """The CHALLENGE_MESSAGE for a NEGOTIATE_MESSAGE. WireError; NtlmError for one that cannot do what we need."""
        wanted = Negotiate.decode(message).flags
        if not wanted & (Flags.UNICODE | Flags.OEM) or wanted & Flags.DATAGRAM:
            raise NtlmError("the client offers no character set, or wants datagrams")
        kind = Flags.TARGET_TYPE_DOMAIN if self._names.domain else Flags.TARGET_TYPE_SERVER
        self.flags = int(wanted & SUPPORTED | ALWAYS | kind)
        if not wanted & Flags.UNICODE:
            self.flags |= Flags.OEM
        if self.flags & Flags.KEY_128:
            self.flags &= ~Flags.KEY_56
        pairs = self._names.pairs()
        if self._time_nt:
            pairs[AvId.TIMESTAMP] = struct.pack("<Q", self._time_nt)
        target = self._names.domain or self._names.computer
        self._negotiate, self._answer = message, Challenge(self.flags, self._challenge, target, pairs).encode()
        return self._answer

    def authenticate(self, message: bytes) -> str:
        r"""Whose AUTHENTICATE_MESSAGE this is: `DOMAIN\user` or `user`, as written. NtlmError, WireError."""
        said = self.read(message)
        found = self._lookup(said.user, said.domain) if self._lookup is not None else None
        if not self.verify(message, said, found):
            raise NtlmError("wrong password or unknown user")
        return name_of(said)

    def read(self, message: bytes) -> Authenticate:
        """The message without its check. NtlmError for what is no NTLMv2, anonymous, or not expected now."""
        if not self._answer or self._used:
            raise NtlmError("no challenge was given")
        self._used = True
        said = Authenticate.decode(message)
        if not said.user or said.flags & Flags.ANONYMOUS:
            raise NtlmError("anonymous")
        if len(said.nt) < SHORTEST_V2:
            raise NtlmError("NTLM version 1")
        return said

    def verify(self, message: bytes, said: Authenticate, nt_hash: bytes | None) -> bool:
        """Was it made with this NT hash, on our challenge, and did nobody change a message? Takes as long for None."""
        key = ntowf_v2(nt_hash or _NOBODY, said.user, said.domain)
        proof = hmac_md5(key, self._challenge + said.nt[16:])
        exported = hmac_md5(key, proof)
        flags = said.flags & self.flags
        if flags & Flags.KEY_EXCH:
            if len(said.session_key) != 16:
                return False
            exported = rc4(exported, said.session_key)
        genuine = hmac.compare_digest(proof, said.nt[:16]) and nt_hash is not None
        if said.has_mic:
            zeroed = message[:MIC_AT] + bytes(16) + message[MIC_END:]
            mic = hmac_md5(exported, self._negotiate + self._answer + zeroed)
            genuine &= hmac.compare_digest(mic, said.mic)
        if genuine:
            self.flags, self.session_key = flags, exported
        return genuine

    def session(self) -> NtlmSession:
        """Session security after a good log-in. NtlmError when none was agreed on or it is too weak."""
        if not self.session_key:
            raise NtlmError("nobody is logged in")
        return NtlmSession(self.flags, self.session_key)


def name_of(said: Authenticate) -> str:
    r"""`DOMAIN\user`, `user@domain` or `user`, as it was written."""
    return f"{said.domain}\\{said.user}" if said.domain else said.user
