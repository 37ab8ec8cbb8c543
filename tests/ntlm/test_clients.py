"""pyspnego's NTLM client against our server: log-in, MIC, session security, SPNEGO; what is changed is refused."""

from __future__ import annotations

import struct
import warnings

import pytest

from gromoxd.errors import WireError
from gromoxd.ntlm.md4 import nt_hash
from gromoxd.ntlm.messages import Authenticate, AvId, Challenge, Flags
from gromoxd.ntlm.server import Names, NtlmServer
from gromoxd.ntlm.session import NtlmError
from gromoxd.ntlm.spnego import NTLM_OID, SpnegoServer, State, decode, encode, response

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import spnego
    from spnego.iov import BufferType

NAMES = Names("MAIL", "EXAMPLE", "mail.example.test", "example.test")
TIME_NT = 0x01DC_0000_0000_0000
HASHES = {"alice": nt_hash("Grüße 7"), "alice@example.test": nt_hash("Grüße 7")}


def lookup(user: str, domain: str) -> bytes | None:
    return HASHES.get(user)


def server(time_nt: int = TIME_NT) -> NtlmServer:
    return NtlmServer(b"\x11\x22\x33\x44\x55\x66\x77\x88", lookup, NAMES, time_nt)


def client(user: str = "EXAMPLE\\alice", password: str = "Grüße 7", protocol: str = "ntlm") -> spnego.ContextProxy:
    return spnego.client(
        user, password, hostname="mail", service="http", protocol=protocol,
        options=spnego.NegotiateOptions.use_ntlm if protocol == "ntlm" else spnego.NegotiateOptions.use_negotiate,
    )  # fmt: skip


def test_log_in_and_session_security() -> None:
    ours, theirs = server(), client()
    said = theirs.step(ours.challenge(theirs.step() or b"") or b"") or b""
    assert Authenticate.decode(said).has_mic
    assert ours.authenticate(said) == "EXAMPLE\\alice"
    assert ours.session_key == theirs.session_key
    session = ours.session()
    for number in range(3):
        text = b"message %d" % number
        wrapped = theirs.wrap(text).data
        assert session.unseal(wrapped[16:], wrapped[:16]) == text
        sealed, signature = session.seal(text * 2)
        assert theirs.unwrap(signature + sealed).data == text * 2
    session.verify(b"signed", theirs.sign(b"signed"))
    theirs.verify(b"too", session.sign(b"too"))
    with pytest.raises(NtlmError, match="signature"):
        session.verify(b"signee", theirs.sign(b"signed"))


def test_sealing_a_part_of_what_is_signed() -> None:
    """As DCE/RPC does it: the PDU's head and the security trailer's are signed only ([MS-RPCE] 2.2.2.11)."""
    ours, theirs = server(), client()
    ours.authenticate(theirs.step(ours.challenge(theirs.step() or b"")) or b"")
    session = ours.session()
    made = theirs.wrap_iov(
        [(BufferType.sign_only, b"head"), (BufferType.data, b"stub"), (BufferType.sign_only, b"tail"),
         BufferType.header]
    )  # fmt: skip
    stub, signature = made.buffers[1].data or b"", made.buffers[3].data or b""
    assert stub != b"stub"
    assert session.unseal(stub, signature, b"head", b"tail") == b"stub"


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("bob", "Grüße 7"), ("alice", "grüße 7")])
def test_wrong_passwords_and_unknown_users(user: str, password: str) -> None:
    ours, theirs = server(), client(user, password)
    with pytest.raises(NtlmError, match="wrong password or unknown user"):
        ours.authenticate(theirs.step(ours.challenge(theirs.step() or b"")) or b"")
    with pytest.raises(NtlmError):
        ours.session()


def test_a_changed_message_breaks_the_mic() -> None:
    for where in ("first", "last"):
        ours, theirs = server(), client()
        first = theirs.step() or b""
        sent = first[:-1] + bytes((first[-1] ^ 1,)) if where == "first" else first
        last = bytearray(theirs.step(ours.challenge(sent)) or b"")
        if where == "last":
            last[60] ^= 0x10  # a flag
        with pytest.raises(NtlmError):
            ours.authenticate(bytes(last))


def test_a_challenge_is_for_one_answer() -> None:
    ours, theirs = server(), client()
    said = theirs.step(ours.challenge(theirs.step() or b"")) or b""
    assert ours.authenticate(said)
    with pytest.raises(NtlmError, match="no challenge"):
        ours.authenticate(said)
    with pytest.raises(NtlmError):
        server().authenticate(said)


def authenticate(nt: bytes, user: str = "alice", flags: int = Flags.UNICODE | Flags.NTLM) -> bytes:
    name = user.encode("utf-16-le")
    head = b"NTLMSSP\0" + struct.pack("<I", 3) + bytes(8) + struct.pack("<HHI", len(nt), len(nt), 64 + len(name))
    head += bytes(8) + struct.pack("<HHI", len(name), len(name), 64) + bytes(16) + struct.pack("<I", flags)
    return head + name + nt


def test_version_1_and_nobody_are_refused() -> None:
    first = b"NTLMSSP\0" + struct.pack("<II", 1, Flags.UNICODE | Flags.NTLM) + bytes(16)
    for message, why in (
        (authenticate(bytes(24)), "version 1"), (authenticate(b"", ""), "anonymous"),
        (authenticate(bytes(60), flags=Flags.UNICODE | Flags.ANONYMOUS), "anonymous"),
    ):  # fmt: skip
        ours = server()
        ours.challenge(first)
        with pytest.raises(NtlmError, match=why):
            ours.authenticate(message)
    with pytest.raises(NtlmError, match="character set"):
        server().challenge(b"NTLMSSP\0" + struct.pack("<II", 1, Flags.NTLM) + bytes(16))


def test_clients_without_unicode() -> None:
    """workaround: curl offers OEM characters alone; the names in the AV_PAIRs are UTF-16 all the same."""
    found = Challenge.decode(
        server().challenge(b"NTLMSSP\0" + struct.pack("<II", 1, Flags.NTLM | Flags.OEM) + bytes(16))
    )
    assert found.flags & Flags.OEM and not found.flags & Flags.UNICODE
    assert found.target == "EXAMPLE" and found.pairs[AvId.NB_COMPUTER_NAME] == "MAIL".encode("utf-16-le")


def test_weak_session_security_is_refused() -> None:
    first = b"NTLMSSP\0" + struct.pack("<II", 1, Flags.UNICODE | Flags.NTLM | Flags.KEY_56) + bytes(16)
    ours = server()
    ours.challenge(first)
    ours.session_key = b"k" * 16
    with pytest.raises(NtlmError, match="weak"):
        ours.session()


def negotiate(ours: SpnegoServer, inner: NtlmServer, theirs: spnego.ContextProxy) -> None:
    token = theirs.step()
    for _ in range(4):
        step = ours.step(token or b"")
        if step.message:
            said = inner.read(step.message)
            if not inner.verify(step.message, said, lookup(said.user, said.domain)):
                raise NtlmError("wrong")
            theirs.step(ours.finish())
            return
        token = theirs.step(step.answer)
    raise AssertionError("no end")


def test_spnego() -> None:
    inner = server()
    theirs = client(protocol="negotiate")
    ours = SpnegoServer(inner)
    negotiate(ours, inner, theirs)
    assert theirs.complete and theirs.session_key == inner.session_key
    wrapped = theirs.wrap(b"after the MIC of the list").data
    assert ours.session().unseal(wrapped[16:], wrapped[:16]) == b"after the MIC of the list"


def test_spnego_with_bare_ntlm() -> None:
    inner, theirs = server(), client()
    ours = SpnegoServer(inner)
    answer = ours.step(theirs.step() or b"").answer
    assert answer.startswith(b"NTLMSSP\0")
    step = ours.step(theirs.step(answer) or b"")
    assert inner.verify(step.message, inner.read(step.message), lookup("alice", "")) and ours.finish() == b""


KERBEROS = bytes.fromhex("2a864886f712010202")


def init(*mechanisms: bytes, token: bytes = b"") -> bytes:
    names = encode(0xA0, encode(0x30, b"".join(encode(0x06, oid) for oid in mechanisms)))
    held = encode(0xA2, encode(0x04, token)) if token else b""
    return encode(0x60, encode(0x06, bytes.fromhex("2b0601050502")) + encode(0xA0, encode(0x30, names + held)))


def test_kerberos_first_then_ntlm_needs_a_signed_list() -> None:
    inner, theirs = server(), client()
    ours = SpnegoServer(inner)
    assert ours.step(init(KERBEROS, NTLM_OID, token=b"a ticket")).answer == response(
        State.REQUEST_MIC, mechanism=NTLM_OID
    )
    step = ours.step(encode(0xA1, encode(0x30, encode(0xA2, encode(0x04, theirs.step() or b"")))))
    challenge = decode(step.answer).token
    step = ours.step(encode(0xA1, encode(0x30, encode(0xA2, encode(0x04, theirs.step(challenge) or b"")))))
    assert inner.verify(step.message, inner.read(step.message), lookup("alice", ""))
    with pytest.raises(NtlmError, match="not signed"):
        ours.finish()


def test_other_mechanisms_are_refused() -> None:
    with pytest.raises(NtlmError, match="cannot do NTLM"):
        SpnegoServer(server()).step(init(KERBEROS))


def test_truncated_tokens() -> None:
    whole = init(NTLM_OID, token=b"NTLMSSP\0" + bytes(24))
    for size in range(len(whole)):
        with pytest.raises(WireError):
            decode(whole[:size])
    assert decode(whole).mechanisms == [NTLM_OID]
