"""The encodings of data blocks, checksums and signatures ([MS-PST] 5.1, 5.2, 5.3, 5.5).

The encodings hide text from the eye and protect nothing. Both work on whole blocks: the permutation is one `translate`,
the cyclic one four of them with octet-wise sums in between, made on long integers.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final
from zlib import crc32


class CryptMethod(IntEnum):
    """bCryptMethod of the header, [MS-PST] 2.2.2.6."""

    NDB_CRYPT_NONE = 0
    NDB_CRYPT_PERMUTE = 1
    NDB_CRYPT_CYCLIC = 2


PERMUTE: Final = bytes.fromhex(
    """
    41361362a8216ebbf416cc047f64e85d1ef2cb2a74c55e35d295479e962d9a884c7d843fdbac31b6485ff6c4d8398be7
    233b388ec8c1df25b120a546604e9cfbaad35651457c550007c92b9d859b09a08fadb30f63ab894bd7a7155a716642bf
    264a6b98faea7753b270052cfd593a867ece06eb827857c78d43afb41cd45bcde2e9274fc3087280cfb0eff5286dbe30
    4d3492d50e3c2232e5e4f99fc2d10a8112e1ee918376e397e6618a1779a4b7dc907a5c8c02a6ca69de501a1193b95287
    58fced1d37491b6ae0293399bd6cd994f340546ff0c673b8d63e6518441fdd6710f10c19ecae03a1147ba90bfff8a3c0
    a201f72ebc2468750dfeba2fb5d0da3d
    """
)
"""mpbbR of [MS-PST] 5.1, the first third of mpbbCrypt: encodes."""

_SUBSTITUTE: Final = bytes.fromhex(
    """
    14530f56b3c87a9ceb65481716159f02cc547c83000d0c0ba262a876dbd9edc7c5a4dcac8574d6d0a79bae9a967166c3
    6399b8dd73928e847da55ed15d93b1575150808952944f4e0a6bbc8d7f6e47464140440111cb033ff7f4e1a98f3c3af9
    fbf0193082092ec99da08649ee6f4d6dc42d813425871b88aafc06a11238fd4c4272641337246a757743ffe6b44b365c
    e4d8353d45b92cecb7312b290768a30e697b189e2139be281a5b78f523ca2ab0af3efe048ce7e5983295d3f64ae8a6ea
    e9f3d52f7020f21f0567ad5510cecde3273bdabad7c226d4911dd21c2233f8faf15aefcf90b68bb5bdc0bf08971e6ce2
    61e0c6c159abbb58de5fdf60797eb28a
    """
)
"""mpbbS, the second third; its own inverse."""

UNPERMUTE: Final = bytes(PERMUTE.index(i) for i in range(256))
"""mpbbI, the last third: decodes."""

_RAMP: Final = bytes(range(256))


def _sum(left: bytes, right: bytes) -> bytes:
    """Octet-wise sums modulo 256 of two strings of the same length: even and odd octets apart, so nothing carries."""
    size = len(left)
    mask = int.from_bytes(b"\xff\0" * (size // 2 + 1), "little")
    a, b = int.from_bytes(left, "little"), int.from_bytes(right, "little")
    even = ((a & mask) + (b & mask)) & mask
    odd = ((a >> 8 & mask) + (b >> 8 & mask)) & mask
    return (even | odd << 8).to_bytes(size + 3, "little")[:size]


_NEGATE: Final = bytes(-i & 0xFF for i in range(256))


def cyclic(data: bytes, bid: int) -> bytes:
    """The cyclic encoding with the block's id as key, [MS-PST] 5.2; encodes and decodes."""
    size = len(data)
    key = (bid ^ bid >> 16) & 0xFFFF
    low, first = key & 0xFF, key >> 8
    lows = (_RAMP * (size // 256 + 2))[low : low + size]
    highs = b"".join([bytes((first + i & 0xFF,)) * 256 for i in range(size // 256 + 2)])[low : low + size]
    octets = _sum(data, lows).translate(PERMUTE)
    octets = _sum(octets, highs).translate(_SUBSTITUTE)
    octets = _sum(octets, highs.translate(_NEGATE)).translate(UNPERMUTE)
    return _sum(octets, lows.translate(_NEGATE))


def decode(data: bytes, method: int, bid: int) -> bytes:
    """The octets of a data block as they were before encoding; of an unknown method as they are."""
    if method == CryptMethod.NDB_CRYPT_PERMUTE:
        return data.translate(UNPERMUTE)
    return cyclic(data, bid) if method == CryptMethod.NDB_CRYPT_CYCLIC else data


def crc(data: bytes | memoryview) -> int:
    """The checksum of [MS-PST] 5.3: CRC-32 that starts from 0 and is not inverted."""
    return crc32(data, 0xFFFFFFFF) ^ 0xFFFFFFFF


def signature(offset: int, bid: int) -> int:
    """wSig of a page or block at a place in the file, [MS-PST] 5.5."""
    mixed = (offset ^ bid) & 0xFFFFFFFF
    return (mixed >> 16 ^ mixed) & 0xFFFF
