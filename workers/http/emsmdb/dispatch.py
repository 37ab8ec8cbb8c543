"""From requests to what does them: each family of ROPs registers its functions here.

    @handles(OpenFolder)
    def open_folder(call: Call, request: OpenFolder) -> OpenFolderResponse:
        parent = call.object(ServerObject)
        ...
        call.put(request.output, Folder(parent.logon, fid))
        return OpenFolderResponse(request.output, 0, has_rules, False)

A function answers with a Response, or with None for a ROP without one; it raises MapiError, whose code the client gets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gromoxd.errors import Ec, MapiError
from gromoxd.rop.codec import Request, Response
from workers.http.emsmdb.objects import Logon, ServerObject

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

O = TypeVar("O", bound=ServerObject)  # noqa: E741
R = TypeVar("R", bound=Request)
Handler = Callable[["Call", Any], Response | None]
HANDLERS: Final[dict[int, Handler]] = {}
NO_HANDLE: Final = 0xFFFFFFFF


class RoomTooSmall(Exception):
    """A response of `needed` octets has no room: the ROP was not done, RopBufferTooSmall is the answer.

    [MS-OXCROPS] 3.2.5.1.
    """

    def __init__(self, needed: int) -> None:
        super().__init__(f"{needed} octets of room are needed")
        self.needed = needed


class Call:
    """One ROP under way. `handles` is the request buffer's table; `room`: octets that its response may have.

    `last`: no ROP follows in the buffer, so that what fills it may be answered in further buffers (`Session`).
    """

    __slots__ = ("handles", "last", "request", "room", "session")

    def __init__(self, session: Session, request: Request, handles: list[int], room: int, last: bool) -> None:
        self.session, self.request, self.handles, self.room, self.last = session, request, handles, room, last

    def object(self, kind: type[O], index: int | None = None) -> O:
        """The object at a handle index (None: the request's). ecNullObject; ecNotSupported: of another kind."""
        at = self.request.index if index is None else index
        handle = self.handles[at] if at < len(self.handles) else NO_HANDLE
        found = self.session.objects.get(handle)
        if found is None or found.logon.number != self.request.logon:
            raise MapiError(Ec.ecNullObject, f"handle {handle:#x}")
        if not isinstance(found, kind):
            raise MapiError(Ec.ecNotSupported, f"{type(found).__name__} where {kind.__name__} is wanted")
        return found

    @property
    def logon(self) -> Logon:
        """The logon that the request names. ecNullObject."""
        return self.session.logon(self.request.logon)

    def put(self, index: int, made: ServerObject) -> int:
        """Give a new object a handle and put that into the table. ecMaxObjsExceeded."""
        if index >= len(self.handles):
            made.close()
            raise MapiError(Ec.ecNullObject, f"handle index {index}")
        self.handles[index] = handle = self.session.add(made)
        return handle


def handles(kind: type[R]) -> Callable[[Callable[[Call, R], Response | None]], Callable[[Call, R], Response | None]]:
    """Register the function that does a ROP."""

    def register(function: Callable[[Call, R], Response | None]) -> Callable[[Call, R], Response | None]:
        if kind.rop in HANDLERS:
            raise TypeError(f"two functions for {kind.__name__}")
        HANDLERS[kind.rop] = function
        return function

    return register
