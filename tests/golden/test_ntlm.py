"""[MS-NLMP] 4.2.2 and 4.2.3: NTLM version 1. Its messages are read; what they prove is not enough for this server."""

from __future__ import annotations

from hashlib import md5

import pytest

from gromoxd.ntlm.messages import Authenticate, Challenge, Flags
from gromoxd.ntlm.server import NtlmServer
from gromoxd.ntlm.session import NtlmError, NtlmSession, hmac_md5, rc4
from tests.golden.test_wire import shown

SERVER_CHALLENGE = bytes.fromhex("0123456789abcdef")
_NAME = "06007017 0000000f 530065007200760065007200"
_NAMES = "44006f006d00610069006e00 5500730065007200 43004f004d0050005500540045005200"
CHALLENGE_V1 = bytes.fromhex(
    "4e544c4d53535000 02000000 0c000c0038000000 338202e2 0123456789abcdef 0000000000000000 0000000000000000" + _NAME
)
AUTHENTICATE_V1 = bytes.fromhex(
    "4e544c4d53535000 03000000 180018006c000000 1800180084000000 0c000c0048000000 0800080054000000 100010005c000000"
    "100010009c000000 358280e2 0501280a0000000f" + _NAMES + "98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13"
    "67c43011f30298a2ad35ece64f16331c44bdbed927841f94 518822b1b3f350c8958682ecbb3e3cb7"
)
CHALLENGE_CLIENT = bytes.fromhex(
    "4e544c4d53535000 02000000 0c000c0038000000 33820a82 0123456789abcdef 0000000000000000 0000000000000000" + _NAME
)
AUTHENTICATE_CLIENT = bytes.fromhex(
    "4e544c4d53535000 03000000 180018006c000000 1800180084000000 0c000c0048000000 0800080054000000 100010005c000000"
    "000000009c000000 35820882 0501280a0000000f" + _NAMES + "aaaaaaaaaaaaaaaa00000000000000000000000000000000"
    "7537f803ae367128ca458204bde7caf81e97ed2683267232"
)
KEY_EXCHANGE_KEY = bytes.fromhex("eb93429a8bd952f8b89c55b87f475edc")
"""[MS-NLMP] 4.2.3.1.3."""

EXAMPLES = [
    (CHALLENGE_V1, AUTHENTICATE_V1, 0xE2028233, 0xE2808235),
    (CHALLENGE_CLIENT, AUTHENTICATE_CLIENT, 0x820A8233, 0x82088235),
]
every = pytest.mark.parametrize(
    ("challenge", "authenticate", "offered", "chosen"), EXAMPLES, ids=["4.2.2.3", "4.2.3.3"]
)


@every
def test_challenge_both_ways(challenge: bytes, authenticate: bytes, offered: int, chosen: int) -> None:
    found = Challenge.decode(challenge)
    assert (found.flags, found.challenge, found.target, found.pairs) == (offered, SERVER_CHALLENGE, "Server", {})
    assert found.encode() == challenge


@every
def test_authenticate(challenge: bytes, authenticate: bytes, offered: int, chosen: int) -> None:
    found = Authenticate.decode(authenticate)
    assert (found.flags, found.domain, found.user, found.workstation) == (chosen, "Domain", "User", "COMPUTER")
    assert (found.lm, found.nt) == (authenticate[0x6C:0x84], authenticate[0x84:0x9C])
    assert found.session_key == authenticate[0x9C:] and not found.has_mic
    assert '  user: "User"' in shown("ntlm", authenticate)


@every
def test_version_1_is_refused(challenge: bytes, authenticate: bytes, offered: int, chosen: int) -> None:
    """The right password in the old form, which a listener could break."""
    server = NtlmServer(SERVER_CHALLENGE)
    server._answer, server.flags = challenge, offered
    with pytest.raises(NtlmError, match="NTLM version 1"):
        server.read(authenticate)
    assert not server.session_key


def test_keys_of_56_bits_are_refused() -> None:
    """[MS-NLMP] 4.2.3.4 seals with a key cut to 56 bits. The values are right, and no session may use them."""
    seal_key = md5(KEY_EXCHANGE_KEY[:7] + b"session key to client-to-server sealing key magic constant\0").digest()
    sign_key = md5(KEY_EXCHANGE_KEY + b"session key to client-to-server signing key magic constant\0").digest()
    assert seal_key.hex() == "04dd7f014d8504d265a25cc86a3a7c06"
    assert sign_key.hex() == "60e799be5c72fc92922ae8ebe961fb8d"
    plain = "Plaintext".encode("utf-16-le")
    assert rc4(seal_key, plain).hex() == "a02372f6530273f3aa1eb90190ce5200c99d"
    assert hmac_md5(sign_key, bytes(4) + plain)[:8].hex() == "ff2aeb52f681793a"
    flags = 0x820A8233
    assert not flags & Flags.KEY_128
    with pytest.raises(NtlmError, match="too weak"):
        NtlmSession(flags, KEY_EXCHANGE_KEY)
