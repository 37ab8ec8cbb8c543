"""An EMSMDB session ([MS-OXCRPC] 3.1.1): one client's logons and handles, and the execution of its ROPs."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import Request, Response, read_request
from gromoxd.rop.control import TOO_SMALL_SIZE, BufferTooSmall, Pending
from workers.http.emsmdb import families
from workers.http.emsmdb.chaining import following, worth_sending
from workers.http.emsmdb.dispatch import HANDLERS, NO_HANDLE, Call, RoomTooSmall
from workers.http.emsmdb.objects import Logon, ServerObject
from workers.http.site import Site

log = logging.getLogger(__name__)

MOST_OBJECTS: Final = 32_768
"""Handles of one logon."""
MOST_TRANSFERS: Final = 256
"""Of them such as hold states of synchronisation, or streams under way, in one session."""
SMALLEST_ROOM: Final = 256
"""Octets that a ROP is given for its answer, or it is not begun. What has effects answers with less (RopLogon: 166)."""
MOST_ROPS: Final = 4096
"""Requests of one buffer; more than fit into one with handles for them."""
LONGEST_TURN: Final = 0.005
"""Seconds after which others have their turn between two ROPs."""
_RELEASE: Final = 0x01


class Session:
    """One session; one thing happens in it at a time, under `lock` (`connect.execute_ext`, `connect.disconnect`).

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
        self.mailbox: User | None = None
        """Whom the MailboxId of the client's URL names, if it had one (`store.logon`)."""
        self.moved: deque[float] = deque()
        self.lock = threading.Lock()
        self.closed = False
        self._transfers = 0
        self._repeated: Request | None = None
        self._logons: dict[int, Logon] = {}
        self._next: dict[int, int] = {}

    # ------------------------------------------------------------------------------------------ objects

    def logon(self, number: int) -> Logon:
        """The logon of this LogonId. ecNullObject."""
        found = self._logons.get(number)
        if found is None:
            raise MapiError(Ec.ecNullObject, f"logon {number}")
        return found

    def is_public(self, number: int) -> bool:
        """Whether this LogonId is one of a public store."""
        found = self._logons.get(number)
        return found is not None and found.public

    def add(self, made: ServerObject) -> int:
        """A handle for a new object: LogonId and a number that counts up. ecMaxObjsExceeded (it is closed then)."""
        number = made.logon.number
        if isinstance(made, Logon):
            self._forget(number)
            self._logons[number], self._next[number] = made, 0
        elif len(self.objects) >= MOST_OBJECTS or (made.transfers and self._transfers >= MOST_TRANSFERS):
            made.close()
            raise MapiError(Ec.ecMaxObjsExceeded, "handles")
        n = self._next[number]
        while (handle := number << 24 | n & 0xFFFFFF) in self.objects:
            n += 1
        self._next[number] = n + 1
        made.handle = handle
        self.objects[handle] = made
        self._transfers += made.transfers
        return handle

    def release(self, handle: int) -> None:
        """Forget an object; with a logon all that was opened on it. Unknown handles are passed over."""
        found = self.objects.get(handle)
        if isinstance(found, Logon):
            self._forget(found.number)
        elif found is not None:
            del self.objects[handle]
            self._transfers -= found.transfers
            for part in found.parts:
                self.release(part.handle)
            if found.owner is not None:
                found.owner.parts = found.owner.parts - {found}
            found.close()

    def _forget(self, number: int) -> None:
        self._logons.pop(number, None)
        for handle in [handle for handle in self.objects if handle >> 24 == number]:
            gone = self.objects.pop(handle)
            self._transfers -= gone.transfers
            try:
                gone.close()
            except (MapiError, WireError, OSError) as error:  # the others are to be closed all the same
                log.warning("object not closed well", extra={"kind": type(gone).__name__, "error": str(error)})

    def close(self) -> None:
        """The session ends. Once is enough."""
        self.closed = True
        for number in list(self._logons):
            self._forget(number)
        self.pending.clear()

    def pause(self) -> None:
        """Let the others of this process have their turn; for what works long without asking a store."""
        self.site.services.run_blocking(_nothing)

    # ------------------------------------------------------------------------------------------ execution

    def execute(self, rops: bytes, handles: list[int], room: int) -> bytes:
        """Do the ROPs of one request buffer; their responses, of at most `room` octets. `handles` is changed in place.

        WireError when the buffer is not one ([MS-OXCROPS] 3.2.5.1): nothing is done then. MapiError(ecBufferTooSmall)
        when not even the first response or RopBufferTooSmall fits.
        """
        requests = self._requests(rops)
        answers: list[bytes] = []
        self._repeated = None
        begun = time.monotonic()
        for number, (start, request) in enumerate(requests, 1):
            if time.monotonic() - begun > LONGEST_TURN:
                self.pause()
                begun = time.monotonic()
            after = requests[number][0] if number < len(requests) else len(rops)
            last = after == len(rops)
            mine = room if last else room - TOO_SMALL_SIZE - (len(rops) - after)
            needed = SMALLEST_ROOM
            if mine >= SMALLEST_ROOM or not answers or request.rop == _RELEASE:
                answer, response, needed = self._one(request, handles, mine, last)
                if needed <= mine:
                    answers.append(answer)
                    room -= len(answer)
                    if last:
                        self._repeated = following(request, response)
                    continue
                self._undo(request, response, handles)
                needed += TOO_SMALL_SIZE + len(rops) - after
            if room < TOO_SMALL_SIZE + len(rops) - start:
                raise MapiError(Ec.ecBufferTooSmall, f"{room} octets")
            answers.append(BufferTooSmall(0, 0, sum(map(len, answers)) + needed, rops[start:]).encode())
            return b"".join(answers)
        answers += self._notifications(room)
        return b"".join(answers)

    def again(self, handles: list[int], room: int) -> bytes:
        """The last ROP once more ([MS-OXCRPC] 3.1.4.2.1.2); its response, b'' when there is nothing more to tell."""
        request, self._repeated = self._repeated, None
        if request is None:
            return b""
        answer, response, needed = self._one(request, handles, room, True)
        if needed > room or not worth_sending(response):
            return b""
        self._repeated = following(request, response)
        return answer

    def _one(self, request: Request, handles: list[int], room: int, last: bool) -> tuple[bytes, Response | None, int]:
        """The answer, as octets and as what it says; the room that it needs."""
        answer, response, needed = b"", None, 0
        handler = HANDLERS.get(request.rop)
        try:
            if handler is None:
                answer = request.failure(Ec.ecNotSupported)
            elif request.answer_index >= len(handles) and request.rop != _RELEASE:
                answer = request.failure(Ec.ecNullObject)  # [MS-OXCROPS] 3.2.5.1
            else:
                response = handler(Call(self, request, handles, room, last), request)
                answer = b"" if response is None else response.encode()
        except MapiError as error:
            log.debug("ROP failed", extra={"rop": f"{request.rop:#04x}", "error": str(error)})
            answer = request.failure(error.code)
        except WireError as error:
            log.debug("ROP with bad values", extra={"rop": f"{request.rop:#04x}", "error": str(error)})
            answer = request.failure(Ec.ecInvalidParam)
        except RoomTooSmall as error:
            needed = max(error.needed, room + 1)
        return answer, response, needed or len(answer)

    def _undo(self, request: Request, response: Response | None, handles: list[int]) -> None:
        """An object of which the client is not told is not kept: he sends the request again."""
        if hasattr(request, "output") and response is not None and not response.code:
            self.released(request.answer_index, handles)

    def _notifications(self, room: int) -> list[bytes]:
        """Pending RopNotify that fit, RopPending when one does not ([MS-OXCNOTIF] 3.1.4.3.5)."""
        found = []
        while self.pending:
            if len(self.pending[0]) > room:
                if room >= TOO_SMALL_SIZE:
                    found.append(Pending(0, 0).encode())
                break
            found.append(self.pending.popleft())
            room -= len(found[-1])
        return found

    def released(self, index: int, handles: list[int]) -> None:
        """RopRelease ([MS-OXCROPS] 2.2.15.3)."""
        if index < len(handles):
            self.release(handles[index])
            handles[index] = NO_HANDLE

    def _requests(self, rops: bytes) -> list[tuple[int, Request]]:
        """The requests with the places where they begin. WireError."""
        cursor, found = Cursor(rops), list[tuple[int, Request]]()
        while cursor.left:
            if len(found) == MOST_ROPS:
                raise WireError("too many ROPs", cursor.at)
            found.append((cursor.at, read_request(cursor, self.is_public)))
        return found


def _nothing() -> None:
    """What a thread does while the others have their turn."""


families.load()  # at the end: families know this module
