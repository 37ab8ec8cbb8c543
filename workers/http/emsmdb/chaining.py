"""Which ROP, when it is a buffer's last one, is done again to fill further buffers ([MS-OXCRPC] 3.1.4.2.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from gromoxd.mapi.tables import Bookmark, QueryRowsFlags
from gromoxd.rop.codec import Request, Response
from gromoxd.rop.fasttransfer import FastTransferSourceGetBuffer, FastTransferSourceGetBufferResponse
from gromoxd.rop.streams import ReadStream, ReadStreamResponse
from gromoxd.rop.tables import QueryRows, QueryRowsResponse

LEAST_ROOM: Final = 0x2000
"""Octets that must be left of the whole answer for another buffer to be begun."""
_GOES_ON: Final = (1, 2)
"""TransferStatus Partial and NoRoom ([MS-OXCFXICS] 2.2.3.1.1.5.2)."""


def _rows(request: QueryRows, response: QueryRowsResponse) -> Request | None:
    packed = request.flags & (QueryRowsFlags.EnablePackedBuffers | QueryRowsFlags.NoAdvance)
    end = Bookmark.BOOKMARK_END if request.forward else Bookmark.BOOKMARK_BEGINNING
    left = request.row_count - response.row_count
    if packed != QueryRowsFlags.EnablePackedBuffers or not response.row_count or left <= 0 or response.origin == end:
        return None
    return msgspec.structs.replace(request, row_count=left)


def _stream(request: ReadStream, response: ReadStreamResponse) -> Request | None:
    left = request.wanted - len(response.data)
    if not response.data or left <= 0:
        return None
    if request.byte_count == request.wanted:
        return msgspec.structs.replace(request, byte_count=left)
    return msgspec.structs.replace(request, maximum_byte_count=left)


def _transfer(request: FastTransferSourceGetBuffer, response: FastTransferSourceGetBufferResponse) -> Request | None:
    return request if response.transfer_status in _GOES_ON and response.transfer_buffer else None


_NEXT: Final[dict[type[Response], Callable[[Any, Any], Request | None]]] = {
    QueryRowsResponse: _rows,
    ReadStreamResponse: _stream,
    FastTransferSourceGetBufferResponse: _transfer,
}


def following(request: Request, response: Response | None) -> Request | None:
    """The request whose answer fills the next buffer, None when there is no more."""
    after = _NEXT.get(type(response)) if response is not None and not response.code else None
    return after(request, response) if after is not None else None


def worth_sending(response: Response | None) -> bool:
    """Is there something in the answer to a repeated request?"""
    if response is None or response.code:
        return False
    if isinstance(response, QueryRowsResponse):
        return response.row_count > 0
    return not isinstance(response, ReadStreamResponse) or bool(response.data)
