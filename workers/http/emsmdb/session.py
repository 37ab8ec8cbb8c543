"""An EMSMDB session ([MS-OXCRPC] 3.1.1): one client's logons and handles, and the execution of its ROPs."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from struct import Struct
from typing import Final

from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import Request, read_request
from workers.http.emsmdb import families
from workers.http.emsmdb.dispatch import HANDLERS, NO_HANDLE, Call
from workers.http.emsmdb.objects import Logon, ServerObject
from workers.http.site import Site

log = logging.getLogger(__name__)

MOST_OBJECTS: Final = 32_768
"""Handles of one logon."""
SMALLEST_ROOM: Final = 64
_U16 = Struct("<H")
_TOO_SMALL: Final = 0xFF
_RELEASE: Final = 0x01
families.load()


class Session:
    """One session. Its owner sees to it that one thing happens at a time.

    `wake` is called when there is something to tell the client who waits. `pending` holds the encoded RopNotify
    responses that the next buffer takes along ([MS-OXCNOTIF] 3.1.4.3.5).
    """

    def __init__(
        self, site: Site, user: User, wake: Callable[[], None], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.site, self.user, self.wake, self.clock = site, user, wake, clock
        self.objects: dict[int, ServerObject] = {}
        self.pending: deque[bytes] = deque()
        self.code_page, self.lcid, self.sort_lcid = 1252, 0x409, 0x409
        self.client_version = (0, 0, 0, 0)
        self._logons: dict[int, Logon] = {}
        self._next: dict[int, int] = {}

    # ------------------------------------------------------------------------------------------ objects

    def logon(self, number: int) -> Logon:
        """The logon of this LogonId. ecNullObject."""
        found = self._logons.get(number)
        if found is None:
            raise MapiError(Ec.ecNullObject, f"logon {number}")
        return found

    def add(self, made: ServerObject) -> int:
        """A handle for a new object: LogonId and a number that counts up. ecMaxObjsExceeded (it is closed then)."""
        number = made.logon.number
        if isinstance(made, Logon):
            self._forget(number)
            self._logons[number], self._next[number] = made, 0
        elif len(self.objects) >= MOST_OBJECTS:
            made.close()
            raise MapiError(Ec.ecMaxObjsExceeded, "handles")
        n = self._next[number]
        while (handle := number << 24 | n & 0xFFFFFF) in self.objects:
            n += 1
        self._next[number] = n + 1
        made.handle = handle
        self.objects[handle] = made
        return handle

    def release(self, handle: int) -> None:
        """Forget an object; with a logon all that was opened on it. Unknown handles are passed over."""
        found = self.objects.get(handle)
        if isinstance(found, Logon):
            self._forget(found.number)
        elif found is not None:
            del self.objects[handle]
            found.close()

    def _forget(self, number: int) -> None:
        self._logons.pop(number, None)
        for handle in [handle for handle in self.objects if handle >> 24 == number]:
            self.objects.pop(handle).close()

    def close(self) -> None:
        """The session ends."""
        for number in list(self._logons):
            self._forget(number)
        self.pending.clear()

    # ------------------------------------------------------------------------------------------ execution

    def execute(self, rops: bytes, handles: list[int], room: int) -> bytes:
        """Do the ROPs of one request buffer; their responses, of at most `room` octets. `handles` is changed in place.

        WireError when the buffer is not one ([MS-OXCROPS] 3.2.5.1).
        """
        cursor = Cursor(rops)
        answers: list[bytes] = []
        while cursor.left:
            start = cursor.at
            request = read_request(cursor)
            answer = self._one(request, handles, room, not cursor.left)
            if len(answer) > room or (cursor.left and room - len(answer) < SMALLEST_ROOM):
                rest = rops[start:] if len(answer) > room else rops[cursor.at :]
                if len(answer) <= room:
                    answers.append(answer)
                answers.append(bytes((_TOO_SMALL,)) + _U16.pack(min(len(answer) + 0x1000, 0xFFFF)) + rest)
                break
            answers.append(answer)
            room -= len(answer)
        return b"".join(answers)

    def _one(self, request: Request, handles: list[int], room: int, last: bool) -> bytes:
        handler = HANDLERS.get(request.rop)
        if handler is None:
            return request.failure(Ec.ecNotSupported)
        try:
            response = handler(Call(self, request, handles, room, last), request)
            return b"" if response is None else response.encode()
        except MapiError as error:
            log.debug("ROP failed", extra={"rop": f"{request.rop:#04x}", "error": str(error)})
            return request.failure(error.code)
        except WireError as error:
            log.debug("ROP with bad values", extra={"rop": f"{request.rop:#04x}", "error": str(error)})
            return request.failure(Ec.ecInvalidParam)

    def released(self, index: int, handles: list[int]) -> None:
        """RopRelease ([MS-OXCROPS] 2.2.15.3)."""
        if index < len(handles):
            self.release(handles[index])
            handles[index] = NO_HANDLE
