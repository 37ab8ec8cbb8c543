"""Operations that take long ([MS-OXCFOLD] 3.1.5.2, [MS-OXCPRPT] 3.2.5.20): done in steps, a while for each request.

A client that asked for it gets RopProgress instead of the response, and the operation goes on when it asks how far it
is; the response of the operation comes last. It is also done whole when the client asks no more and releases the
object: only what is cancelled is left undone, and what is under way when the session ends.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Final, Protocol

from gromoxd.errors import Ec, MapiError
from gromoxd.rop import progress as w
from gromoxd.rop.codec import Response
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import ServerObject

log = logging.getLogger(__name__)

BUDGET: Final = 0.5
"""So long a request works before it answers how far it is."""
Steps = Generator[tuple[int, int], None, bool]
"""Yields (done, total) after each step; returns whether something was left undone."""


class Kind(Protocol):
    """The class of a response that says whether all was done."""

    def __call__(self, index: int, code: int, partial_completion: bool) -> Response: ...


class _Work:
    def __init__(self, kind: Kind, steps: Steps) -> None:
        self.kind, self.steps = kind, steps

    def advance(self, call: Call, forever: bool) -> Response:
        """The operation's response, or, if there is time for no more, the progress. MapiError."""
        clock = call.session.clock
        end = clock() + BUDGET
        try:
            while True:
                done, total = next(self.steps)
                if not forever and clock() >= end:
                    return w.ProgressResponse(call.request.index, 0, call.request.logon, done, total)
        except StopIteration as stop:
            return self.kind(call.request.index, 0, bool(stop.value))


def run(call: Call, on: ServerObject, kind: Kind, steps: Steps, *, asynchronous: bool) -> Response:
    """Do what `steps` does on an object: to its end or, `asynchronous`, for a while. Older work goes first."""
    earlier = _taken(on)
    if earlier is not None:
        earlier.advance(call, True)
    return _go_on(call, on, _Work(kind, steps), not asynchronous)


def complete(call: Call, on: ServerObject) -> None:
    """Do what is left of the work on an object that the client releases; nobody hears how it ends."""
    work = _taken(on)
    if work is None:
        return
    try:
        work.advance(call, True)
    except MapiError as error:
        log.warning("Long operation failed", extra={"error": str(error)})


def _taken(on: ServerObject) -> _Work | None:
    """What is under way on an object, which is so no more."""
    work: _Work | None = on.work
    on.work = None
    return work


def _go_on(call: Call, on: ServerObject, work: _Work, forever: bool) -> Response:
    answer = work.advance(call, forever)
    if isinstance(answer, w.ProgressResponse):
        on.work = work
    return answer


@handles(w.Progress)
def progress(call: Call, request: w.Progress) -> Response:
    """[MS-OXCPRPT] 3.2.5.20. ecNotSupported: nothing is under way."""
    on = call.object(ServerObject)
    work = _taken(on)
    if work is None:
        raise MapiError(Ec.ecNotSupported, "no operation under way")
    if request.want_cancel:
        work.steps.close()
        return work.kind(request.index, 0, True)
    try:
        return _go_on(call, on, work, False)
    except MapiError as error:
        return work.kind(request.index, error.code, True)
