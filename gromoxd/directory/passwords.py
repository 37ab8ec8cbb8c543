"""crypt(3) hashes: verifying and making them. The C library does the work and lets go of the interpreter meanwhile.

A verification takes milliseconds on purpose: on a thread, never in an event loop (see `Directory.authenticate`).
Formats: crypt(5): $1$ MD5, $5$ SHA-256, $6$ SHA-512, $2b$/$2y$ bcrypt, $y$ yescrypt, and what else the library knows.
"""

from __future__ import annotations

import ctypes
import hmac
import secrets
from functools import cache

from gromoxd.directory.errors import DirectoryDown

LONGEST = 511
"""Bytes of a password: CRYPT_MAX_PASSPHRASE_SIZE of crypt(3)."""

_DATA_SIZE = 256 << 10  # struct crypt_data takes 32 KiB in libxcrypt and 128 KiB in old glibc
_SALT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DUMMY = "$6$gromoxdnobodyhas$"


class CryptMissing(DirectoryDown):
    """This system has no crypt(3) library: nobody can log in until it is installed."""


@cache
def _library() -> ctypes.CDLL:
    for name in ("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
        library.crypt_r.restype = ctypes.c_char_p
        return library
    raise CryptMissing("libcrypt.so.1 is not installed (Debian package libcrypt1); passwords cannot be verified")


def acceptable(password: str) -> bool:
    """Whether crypt(3) would see the whole of this password, which must be encodable and not empty."""
    try:
        data = password.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(data) <= LONGEST and b"\0" not in data


def crypt(password: str, setting: str) -> str:
    """The hash of `password` under the method and salt of `setting` (or of a whole hash); '' when it is no such."""
    if not setting or not setting.isascii() or "\0" in setting:
        return ""
    data = ctypes.create_string_buffer(_DATA_SIZE)
    result = _library().crypt_r(password.encode(), setting.encode(), data)
    if not result or result.startswith(b"*"):
        return ""
    return bytes(result).decode("ascii", "replace")


def verify(password: str, stored: str) -> bool:
    """Whether `stored` is the hash of `password`. Takes as long for a hash that can never match."""
    usable = acceptable(password) and len(stored) >= 13 and stored[0] not in "*!"
    computed = crypt(password if acceptable(password) else "x", stored if usable else _DUMMY)
    return usable and bool(computed) and hmac.compare_digest(computed.encode(), stored.encode())


def waste(password: str, like: str = "") -> None:
    """Spend the time of a verification, so that an unknown user is not told from a wrong password.

    `like` is a hash of the kind usual here.
    """
    crypt(password if acceptable(password) else "x", like or _DUMMY)


def new_hash(password: str) -> str:
    """A fresh SHA-512 hash with a salt of 16 characters. ValueError for a password that crypt(3) cannot take."""
    if not acceptable(password):
        raise ValueError(f"a password has 1 to {LONGEST} bytes and no NUL")
    salt = "".join(secrets.choice(_SALT) for _ in range(16))
    return crypt(password, f"$6${salt}$")
