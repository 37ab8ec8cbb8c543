"""SPNEGO (RFC 4178) around NTLM: NegTokenInit and NegTokenResp, in the few forms of DER that they take.

The client's list of mechanisms is signed at the end when NTLM was not its first choice (RFC 4178 5, [MS-SPNG] 3.1.5.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from gromoxd.errors import WireError
from gromoxd.ntlm.messages import SIGNATURE
from gromoxd.ntlm.server import NtlmServer
from gromoxd.ntlm.session import NtlmError, NtlmSession

SPNEGO_OID = bytes.fromhex("2b0601050502")
NTLM_OID = bytes.fromhex("2b06010401823702020a")
LONGEST = 32 << 10
MOST_MECHANISMS = 16


class State(IntEnum):
    """NegTokenResp.negState (RFC 4178 4.2.2)."""

    ACCEPT_COMPLETED = 0
    ACCEPT_INCOMPLETE = 1
    REJECT = 2
    REQUEST_MIC = 3


@dataclass
class Token:
    """A NegTokenInit (`mechanisms` is there) or NegTokenResp. `mechanism_list` is the DER that a MIC is over."""

    mechanisms: list[bytes]
    mechanism_list: bytes = b""
    token: bytes = b""
    mic: bytes = b""


def encode(tag: int, content: bytes) -> bytes:
    """One element of DER."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def element(data: bytes, at: int = 0) -> tuple[int, bytes, int]:
    """(tag, content, where the next one begins)."""
    if at + 2 > len(data):
        raise WireError("DER is cut", at)
    tag, size = data[at], data[at + 1]
    at += 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 3 or at + count > len(data):
            raise WireError("length in DER", at)
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    if at + size > len(data):
        raise WireError("DER is cut", at)
    return tag, data[at : at + size], at + size


def _expect(data: bytes, tag: int) -> bytes:
    found, content, _ = element(data)
    if found != tag:
        raise WireError(f"DER: tag {found:#x} where {tag:#x} belongs", 0)
    return content


def _fields(sequence: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(sequence):
        tag, content, at = element(sequence, at)
        found[tag] = content
    return found


def decode(data: bytes) -> Token:
    """A client's token. WireError."""
    if len(data) > LONGEST:
        raise WireError("token is too long", 0)
    tag, content, _ = element(data)
    if tag == 0x60:  # InitialContextToken (RFC 2743 3.1)
        kind, oid, at = element(content)
        if (kind, oid) != (0x06, SPNEGO_OID):
            raise WireError("not SPNEGO", 2)
        return _init(_fields(_expect(_expect(content[at:], 0xA0), 0x30)))
    if tag == 0xA1:
        fields = _fields(_expect(content, 0x30))
        return Token([], b"", _octets(fields, 0xA2), _octets(fields, 0xA3))
    raise WireError("not a SPNEGO token", 0)


def _init(fields: dict[int, bytes]) -> Token:
    listed = fields.get(0xA0, b"")
    names, at = _expect(listed, 0x30), 0
    mechanisms: list[bytes] = []
    while at < len(names):
        kind, oid, at = element(names, at)
        if kind != 0x06 or len(mechanisms) == MOST_MECHANISMS:
            raise WireError("mechanisms", at)
        mechanisms.append(oid)
    return Token(mechanisms, listed, _octets(fields, 0xA2), _octets(fields, 0xA3))


def _octets(fields: dict[int, bytes], tag: int) -> bytes:
    return _expect(fields[tag], 0x04) if tag in fields else b""


def response(state: State, *, mechanism: bytes = b"", token: bytes = b"", mic: bytes = b"") -> bytes:
    """A NegTokenResp."""
    parts = encode(0xA0, encode(0x0A, bytes((state,))))
    if mechanism:
        parts += encode(0xA1, encode(0x06, mechanism))
    if token:
        parts += encode(0xA2, encode(0x04, token))
    if mic:
        parts += encode(0xA3, encode(0x04, mic))
    return encode(0xA1, encode(0x30, parts))


@dataclass
class Step:
    """What a token comes to: `answer` for the client; or `message`, its AUTHENTICATE_MESSAGE, to be verified now."""

    answer: bytes = b""
    message: bytes = b""


class SpnegoServer:
    """One log-in over SPNEGO, or with bare NTLM messages where a client sends these under `Negotiate`."""

    def __init__(self, server: NtlmServer) -> None:
        self._server = server
        self._bare = False
        self._first_choice = True
        self._list = self._mic = b""
        self._challenged = False
        self._session: NtlmSession | None = None

    def step(self, data: bytes) -> Step:
        """Take the client's next token. WireError, NtlmError."""
        if data.startswith(SIGNATURE):
            self._bare = True
            return self._message(data)
        token = decode(data)
        if token.mechanisms:
            if self._list:
                raise NtlmError("a second NegTokenInit")
            self._list = token.mechanism_list
            if NTLM_OID not in token.mechanisms:
                raise NtlmError("the client cannot do NTLM")
            self._first_choice = token.mechanisms[0] == NTLM_OID
            if not self._first_choice or not token.token:
                return Step(response(State.REQUEST_MIC, mechanism=NTLM_OID))
        self._mic = token.mic
        return self._message(token.token)

    def _message(self, message: bytes) -> Step:
        if self._challenged:
            return Step(message=message)
        self._challenged = True
        answer = self._server.challenge(message)
        if self._bare:
            return Step(answer)
        return Step(response(State.ACCEPT_INCOMPLETE, mechanism=NTLM_OID, token=answer))

    def finish(self) -> bytes:
        """The last token, once the message was verified; b'' for bare NTLM. NtlmError for a changed list."""
        if self._bare:
            return b""
        if not self._mic:
            if not self._first_choice:
                raise NtlmError("the list of mechanisms is not signed")
            return response(State.ACCEPT_COMPLETED)
        session = self.session()
        session.verify(self._list, self._mic)
        mine = session.sign(self._list)
        session.incoming.restart()
        session.outgoing.restart()
        return response(State.ACCEPT_COMPLETED, mic=mine)

    def session(self) -> NtlmSession:
        """Session security after `finish`. NtlmError."""
        if self._session is None:
            self._session = self._server.session()
        return self._session
