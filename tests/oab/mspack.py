"""libmspack's reader of these containers, by ctypes: a foreign one.

`LIBRARY` is None where it is not installed: one test is skipped then, loudly; others compare less.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from pathlib import Path
from typing import Any

_NAME = ctypes.util.find_library("mspack")
LIBRARY: Any = ctypes.CDLL(_NAME) if _NAME else None
_Full = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
_Patch = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p)


class _Decompressor(ctypes.Structure):
    """struct msoab_decompressor of mspack.h."""

    _fields_ = (("decompress", _Full), ("decompress_incremental", _Patch))


def expand(folder: Path, packed: bytes, source: bytes | None = None) -> bytes:
    """What is in a compressed file, or in a patch of `source`; ValueError with libmspack's number."""
    LIBRARY.mspack_create_oab_decompressor.restype = ctypes.POINTER(_Decompressor)
    LIBRARY.mspack_create_oab_decompressor.argtypes = [ctypes.c_void_p]
    LIBRARY.mspack_destroy_oab_decompressor.argtypes = [ctypes.c_void_p]
    (folder / "packed").write_bytes(packed)
    made = LIBRARY.mspack_create_oab_decompressor(None)
    names = [str(folder / name).encode() for name in ("packed", "source", "expanded")]
    try:
        if source is None:
            error = made.contents.decompress(ctypes.cast(made, ctypes.c_void_p), names[0], names[2])
        else:
            (folder / "source").write_bytes(source)
            error = made.contents.decompress_incremental(ctypes.cast(made, ctypes.c_void_p), *names)
    finally:
        LIBRARY.mspack_destroy_oab_decompressor(made)
    if error:
        raise ValueError(f"libmspack: error {error}")
    return (folder / "expanded").read_bytes()
