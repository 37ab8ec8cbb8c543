"""RopRelease ([MS-OXCROPS] 2.2.15.3)."""

from __future__ import annotations

from gromoxd.rop.codec import Request, request


@request(0x01)
class Release(Request, frozen=True):
    """There is no response."""
