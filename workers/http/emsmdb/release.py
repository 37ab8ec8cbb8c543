"""RopRelease ([MS-OXCROPS] 2.2.15.3)."""

from __future__ import annotations

from gromoxd.rop.release import Release
from workers.http.emsmdb import progress
from workers.http.emsmdb.dispatch import NO_HANDLE, Call, handles


@handles(Release)
def release(call: Call, request: Release) -> None:
    """There is no response, and none for a handle that is none."""
    handle = call.handles[request.index] if request.index < len(call.handles) else NO_HANDLE
    found = call.session.objects.get(handle)
    if found is not None:
        progress.complete(call, found)
    call.session.released(request.index, call.handles)
