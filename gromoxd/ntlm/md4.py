"""The digest MD4 (RFC 1320), which current OpenSSL has no more: NT hashes are made with it, and nothing else."""

from __future__ import annotations

import struct

_WORD = 0xFFFFFFFF
_ROUNDS = (
    (0x00000000, (3, 7, 11, 19), tuple(range(16))),
    (0x5A827999, (3, 5, 9, 13), (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15)),
    (0x6ED9EBA1, (3, 9, 11, 15), (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)),
)
"""Constant, shifts and order of the words of each round (RFC 1320 3.4)."""


def md4(data: bytes) -> bytes:
    """The digest of 16 octets."""
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", len(data) * 8)
    state = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
    for at in range(0, len(padded), 64):
        state = _block(state, struct.unpack_from("<16I", padded, at))
    return struct.pack("<4I", *state)


def _block(state: tuple[int, int, int, int], words: tuple[int, ...]) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for number, (constant, shifts, order) in enumerate(_ROUNDS):
        for step, index in enumerate(order):
            if number == 0:
                mixed = (b & c) | (~b & d)
            elif number == 1:
                mixed = (b & c) | (b & d) | (c & d)
            else:
                mixed = b ^ c ^ d
            total, by = (a + mixed + words[index] + constant) & _WORD, shifts[step % 4]
            a, b, c, d = d, ((total << by) | (total >> (32 - by))) & _WORD, b, c
    return (state[0] + a) & _WORD, (state[1] + b) & _WORD, (state[2] + c) & _WORD, (state[3] + d) & _WORD


def nt_hash(password: str) -> bytes:
    """NTOWFv1 of a password ([MS-NLMP] 3.3.1): what a server keeps of it for NTLM."""
    return md4(password.encode("utf-16-le", "surrogatepass"))
