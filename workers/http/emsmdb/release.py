"""RopRelease ([MS-OXCROPS] 2.2.15.3)."""

from __future__ import annotations

from gromoxd.rop.release import Release
from workers.http.emsmdb.dispatch import Call, handles


@handles(Release)
def release(call: Call, request: Release) -> None:
    """There is no response, and none for a handle that is none."""
    call.session.released(request.index, call.handles)
