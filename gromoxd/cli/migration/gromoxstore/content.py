"""The files with large values beside that database: one value each, in one of four forms."""

from __future__ import annotations

import os
import re
from struct import unpack_from

import zstandard

from gromoxd.errors import WireError

LARGEST = 1 << 31
_NAME = re.compile(r"[A-Za-z0-9-]+(/[A-Za-z0-9]+)?")


def read(folder: str, name: str, *, text: bool) -> bytes:
    """The octets of a value, of text in UTF-8. WireError when the file is gone or broken."""
    if _NAME.fullmatch(name) is None:
        raise WireError("name of a content file")
    path = os.path.join(folder, "cid", name)
    try:
        if "/" in name:
            return _zstd(path)
        if os.path.exists(path + ".zst"):
            return _zstd(path + ".zst")
        if os.path.exists(path + ".v1z"):
            data = _zstd(path + ".v1z")
            return data[4:] if text and len(data) >= 4 else data
        if os.path.getsize(path) > LARGEST:
            raise WireError("size of a content file")
        with open(plain_file(path), "rb") as file:
            return _plain(file.read(), text)
    except (OSError, zstandard.ZstdError) as error:
        raise WireError(f"content file {name}: {error}") from error


def plain_file(path: str) -> int:
    """A descriptor for reading; OSError for a link, which may lead to what is not the mailbox's."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)


def _zstd(path: str) -> bytes:
    unpacker = zstandard.ZstdDecompressor()
    with open(plain_file(path), "rb") as file, unpacker.stream_reader(file, read_across_frames=True) as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise WireError("size of a content file")
    return data


def _plain(data: bytes, text: bool) -> bytes:
    """The oldest form: text has its number of characters before it."""
    if text and len(data) >= 4 and unpack_from("<I", data)[0] <= len(data):
        return data[4:]
    return data
