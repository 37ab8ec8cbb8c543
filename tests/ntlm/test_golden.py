"""[MS-NLMP] 4.2.4: the example of NTLM version 2 with its keys, messages and a sealed text. RFC 1320 A.5 for MD4."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.ntlm.md4 import md4, nt_hash
from gromoxd.ntlm.messages import Authenticate, Challenge, Flags
from gromoxd.ntlm.server import NtlmServer, ntowf_v2
from gromoxd.ntlm.session import NtlmSession, hmac_md5, rc4

NTOWFV2 = bytes.fromhex("0c868a403bfd7a93a3001ef22ef02e3f")
SESSION_BASE_KEY = bytes.fromhex("8de40ccadbc14a82f15cb0ad0de95ca3")
LM_V2 = bytes.fromhex("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa")
NT_PROOF = bytes.fromhex("68cd0ab851e51c96aabc927bebef6a1c")
ENCRYPTED_KEY = bytes.fromhex("c5dad2544fc9799094ce1ce90bc9d03e")
RANDOM_KEY = b"\x55" * 16
CHALLENGE = bytes.fromhex(
    "4e544c4d53535000" "02000000" "0c000c0038000000" "33828ae2" "0123456789abcdef" "0000000000000000"
    "2400240044000000" "060070170000000f" "530065007200760065007200"
    "02000c0044006f006d00610069006e00" "01000c00530065007200760065007200" "00000000"
)  # fmt: skip
AUTHENTICATE = bytes.fromhex(
    "4e544c4d53535000" "03000000" "180018006c000000" "5400540084000000" "0c000c0048000000" "0800080054000000"
    "100010005c000000" "10001000d8000000" "358288e2" "0501280a0000000f" "44006f006d00610069006e00"
    "5500730065007200" "43004f004d0050005500540045005200"
    "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa" "68cd0ab851e51c96aabc927bebef6a1c"
    "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"
    "02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000"
    "c5dad2544fc9799094ce1ce90bc9d03e"
)  # fmt: skip
SEALED = bytes.fromhex("54e50165bf1936dc996020c1811b0f06fb5f")
SIGNATURE = bytes.fromhex("010000007fb38ec5c55d497600000000")
EXAMPLES = {
    "nlmp-ntowfv2": NTOWFV2, "nlmp-sbk": SESSION_BASE_KEY, "nlmp-lmv2": LM_V2, "nlmp-ntproof": NT_PROOF,
    "nlmp-esk": ENCRYPTED_KEY, "nlmp-challenge": CHALLENGE, "nlmp-auth": AUTHENTICATE, "nlmp-seal": SEALED,
}  # fmt: skip
"""By their ids in the collection of examples (tests/golden)."""
PLAIN = "Plaintext".encode("utf-16-le")


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"), (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"), (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)  # fmt: skip
def test_md4(text: bytes, digest: str) -> None:
    assert md4(text).hex() == digest


def test_keys() -> None:
    assert nt_hash("Password").hex() == "a4f49c406510bdcab6824ee7c30fd852"
    assert ntowf_v2(nt_hash("Password"), "User", "Domain") == NTOWFV2
    assert hmac_md5(NTOWFV2, NT_PROOF) == SESSION_BASE_KEY
    assert rc4(SESSION_BASE_KEY, RANDOM_KEY) == ENCRYPTED_KEY
    assert hmac_md5(NTOWFV2, bytes.fromhex("0123456789abcdef") + b"\xaa" * 8) + b"\xaa" * 8 == LM_V2


def test_challenge_both_ways() -> None:
    found = Challenge.decode(CHALLENGE)
    assert found.flags == 0xE28A8233 and found.target == "Server"
    assert found.pairs == {2: "Domain".encode("utf-16-le"), 1: "Server".encode("utf-16-le")}
    assert found.encode() == CHALLENGE


def test_authenticate() -> None:
    found = Authenticate.decode(AUTHENTICATE)
    assert (found.domain, found.user, found.workstation) == ("Domain", "User", "COMPUTER")
    assert (found.lm, found.nt[:16], found.session_key) == (LM_V2, NT_PROOF, ENCRYPTED_KEY)
    assert found.flags == 0xE2888235 and not found.has_mic


@pytest.mark.parametrize("whole", [CHALLENGE, AUTHENTICATE])
def test_every_truncation_is_refused_or_shorter(whole: bytes) -> None:
    decode = Challenge.decode if whole is CHALLENGE else Authenticate.decode
    for size in range(len(whole)):
        with pytest.raises(WireError):
            decode(whole[:size])


def test_the_server_takes_the_example() -> None:
    server = NtlmServer(bytes.fromhex("0123456789abcdef"))
    server._answer, server.flags = CHALLENGE, 0xE28A8233
    said = server.read(AUTHENTICATE)
    assert server.verify(AUTHENTICATE, said, nt_hash("Password"))
    assert server.session_key == RANDOM_KEY
    assert not server.verify(AUTHENTICATE, said, nt_hash("password"))
    assert not server.verify(AUTHENTICATE, said, None)


def test_sealing() -> None:
    flags = 0xE28A8233
    assert flags & Flags.KEY_EXCH
    client, server = NtlmSession(flags, RANDOM_KEY, server=False), NtlmSession(flags, RANDOM_KEY)
    assert client.outgoing.seal_key.hex() == "59f600973cc4960a25480a7c196e4c58"
    assert client.outgoing.sign_key.hex() == "4788dc861b4782f35d43fd98fe1a2d39"
    assert client.seal(PLAIN) == (SEALED, SIGNATURE)
    assert server.unseal(SEALED, SIGNATURE) == PLAIN
