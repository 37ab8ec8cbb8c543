"""RopProgress ([MS-OXCROPS] 2.2.8.13, [MS-OXCPRPT] 2.2.23): how far an operation is that takes long."""

from __future__ import annotations

from gromoxd.rop.codec import U8, U32, Flag, Request, Response, request, response


@request(0x50)
class Progress(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.13.1."""

    want_cancel: Flag


@response(0x50)
class ProgressResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.13.2. Comes in place of another ROP's response, too, when that is not done yet."""

    logon_id: U8
    completed_task_count: U32
    total_task_count: U32
