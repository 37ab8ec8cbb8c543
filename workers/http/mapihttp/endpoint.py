"""One endpoint: from requests to functions, in their session context's order, with signs of life if it takes long."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import gevent

from gromoxd.errors import MapiError, WireError
from workers.http.emsmdb.connect import server_version
from workers.http.emsmdb.settings import EmsmdbSettings
from workers.http.front import Headers, Refused, Reply, Request
from workers.http.mapihttp.contexts import Contexts, SessionContext
from workers.http.mapihttp.framing import (
    PENDING,
    PENDING_INTERVAL,
    PENDING_PERIOD_MS,
    PROCESSING,
    Code,
    Context,
    Refusal,
    RequestType,
    Use,
    Wait,
    done,
    failure_body,
    head,
)
from workers.http.site import Site

log = logging.getLogger(__name__)

SWEEP: Final = 30.0
PING: Final = "ping"
_ORDERED: Final = (Use.USES, Use.CLOSES)


def _nothing(context: Context, body: bytes) -> bytes:
    return b""


class Endpoint:
    """`path` is where its cookies belong, without a slash at the end."""

    def __init__(self, site: Site, path: str, types: dict[str, RequestType]) -> None:
        self.site, self.path = site, path
        self.types = {PING: RequestType(_nothing, Use.FREE), **types}
        self.contexts = Contexts(site.ctx.slot.number)
        self._sweeping = False
        site.ctx.on_drain(self.wake)

    # ---------------------------------------------------------------------------------------------- requests

    def handle(self, request: Request) -> Reply:
        """Handler of the endpoint's route."""
        started = time.time()
        try:
            return self._handle(request, started)
        except Refusal as refusal:
            return self._refused(request, refusal)
        except Refused as refused:
            if refused.status != 413:
                raise
            return self._refused(request, Refusal(Code.TOO_LARGE))

    def _handle(self, request: Request, started: float) -> Reply:
        if request.method != "POST":
            raise Refusal(Code.INVALID_VERB)
        name = request.header("X-RequestType")
        if not name:
            raise Refusal(Code.MISSING_HEADER, "no X-RequestType")
        kind = self.types.get(name.lower())
        if kind is None:
            raise Refusal(Code.INVALID_REQUEST_TYPE)
        if not request.header("X-RequestId"):
            raise Refusal(Code.MISSING_HEADER, "no X-RequestId")
        if kind.use is Use.OPENS:
            return self._open(request, kind, started)
        context, body = Context(self.site, request), request.body()
        sid = request.cookie("sid")
        if kind.use is Use.FREE:
            found = self.contexts.find(sid, request.user.username) if sid else None
            if found is not None:
                context.state = found.state
            return self._run(kind, context, found, body, started)
        found = self.contexts.find(sid, request.user.username)
        context.state = found.state
        if kind.use is Use.WAITS:
            return self._wait(kind, context, found, body, started)
        sequence = request.cookie("sequence")
        if not sequence:
            raise Refusal(Code.MISSING_COOKIE, "no sequence cookie")
        if sequence != found.sequence:
            raise Refusal(Code.INVALID_SEQUENCE)
        found.advance()
        return self._run(kind, context, found, body, started)

    def _open(self, request: Request, kind: RequestType, started: float) -> Reply:
        """[MS-OXCMAPIHTTP] 3.2.5.1, 3.2.5.6: the session context of before ends, if it has not yet."""
        username = request.user.username
        sid = request.cookie("sid")
        if sid:
            before = self.contexts.look(sid, username)
            if before is not None:
                self.contexts.end(before)
        context = Context(self.site, request)
        body = request.body()
        try:
            settings = self._settings()
            self.contexts.admit(username, settings.emsmdb_max_cxh_per_user, settings.emsmdb_max_sessions)
            answer = kind.function(context, body)
            self._admit_again(context, username)
        except (MapiError, WireError) as error:
            return self._answer(request, None, _failure(error), started)
        if context.state is None:
            return self._answer(request, None, answer, started)
        found = self.contexts.open(username, context.state)
        self._sweep()
        return self._answer(request, found, answer, started)

    def _admit_again(self, context: Context, username: str) -> None:
        """While one was made, others may have taken the user's last places. MapiError."""
        if context.state is None:
            return
        settings = self._settings()
        try:
            self.contexts.admit(username, settings.emsmdb_max_cxh_per_user, settings.emsmdb_max_sessions)
        except MapiError:
            context.state.close()
            raise

    def _run(
        self, kind: RequestType, context: Context, found: SessionContext | None, body: bytes, started: float
    ) -> Reply:
        request = context.request
        if found is not None:
            self.contexts.enter(found)
        job = gevent.spawn(self._work, kind, context, found, body)
        job.join(PENDING_INTERVAL)
        if job.ready():
            return self._answer(request, found, cast("bytes | Exception", job.value), started)
        return Reply(200, self._head(request, found, waits=False), self._long(job, started))

    def _work(self, kind: RequestType, context: Context, found: SessionContext | None, body: bytes) -> Any:
        """The function's answer, or the exception that it raised."""
        try:
            if found is None or kind.use not in _ORDERED:
                return kind.function(context, body)
            with found.lock:
                if found.ended:
                    return Refusal(Code.CONTEXT_NOT_FOUND)
                try:
                    return kind.function(context, body)
                finally:
                    if kind.use is Use.CLOSES:
                        self.contexts.end(found)
        except (MapiError, WireError) as error:
            return _failure(error)
        except Exception as error:  # noqa: BLE001  # raised again where the request is answered
            return error
        finally:
            if found is not None:
                self.contexts.leave(found)

    def _long(self, job: Any, started: float) -> Iterator[bytes]:
        yield PROCESSING + PENDING
        while True:
            job.join(PENDING_INTERVAL)
            if job.ready():
                break
            yield PENDING
        answer: Any = job.value
        code = Code.SUCCESS
        if isinstance(answer, Refusal):
            answer, code = b"", answer.code
        elif isinstance(answer, Exception):
            log.error("request failed", exc_info=answer)
            self.site.ctx.board.add("internal_errors")
            answer, code = b"", Code.UNKNOWN_FAILURE
        yield done(answer, started=started, elapsed=time.time() - started, code=code)

    # ---------------------------------------------------------------------------------------------- waiting

    def _wait(self, kind: RequestType, context: Context, found: SessionContext, body: bytes, started: float) -> Reply:
        try:
            wait: Wait = kind.function(context, body)
        except (MapiError, WireError) as error:
            return self._answer(context.request, found, _failure(error), started)
        self.contexts.enter(found)
        return Reply(200, self._head(context.request, found, waits=True), _Stream(self, wait, found, started))

    def waiting(self, wait: Wait, found: SessionContext, started: float) -> Iterator[bytes]:
        """The parts of the answer as time goes by ([MS-OXCMAPIHTTP] 3.2.5.5)."""
        first, begun = PROCESSING, time.monotonic()
        longest, draining = self._settings().emsmdb_wait_longest, self.site.ctx.draining
        if not wait.wait(0) and not draining():
            yield PROCESSING
            first = b""
            while (left := begun + longest - time.monotonic()) > 0:
                if wait.wait(min(PENDING_INTERVAL, left)) or draining():
                    break
                if left > PENDING_INTERVAL:
                    yield PENDING
        code = Code.CONTEXT_NOT_FOUND if found.ended else Code.SUCCESS
        if draining():
            code = Code.ENDPOINT_SHUTTING_DOWN
        yield first + done(wait.answer(), started=started, elapsed=time.monotonic() - begun, code=code)

    # ---------------------------------------------------------------------------------------------- answers

    def _head(self, request: Request, found: SessionContext | None, *, waits: bool = False) -> Headers:
        fields = head(request, Code.SUCCESS, self._version())
        fields.append(("X-PendingPeriod", str(PENDING_PERIOD_MS)))
        fields.append(("X-ExpirationInfo", str(int(self._settings().emsmdb_session_idle * 1000))))
        if found is not None and not waits:  # another request may have advanced the sequence while one waited
            fields += self._cookies(request, found)
        return fields

    def _cookies(self, request: Request, found: SessionContext) -> Headers:
        tail = f"; Path={self.path}; HttpOnly" + ("; Secure" if request.secure else "")
        if found.ended:
            tail += "; Max-Age=0"
        return [("Set-Cookie", f"sid={found.sid}{tail}"), ("Set-Cookie", f"sequence={found.sequence}{tail}")]

    def _answer(
        self, request: Request, found: SessionContext | None, answer: bytes | Exception, started: float
    ) -> Reply:
        if isinstance(answer, Refusal) and found is not None and not found.ended:
            refused = self._refused(request, answer)
            refused.headers += self._cookies(request, found)  # the sequence has advanced
            return refused
        if isinstance(answer, Exception):
            raise answer
        body = PROCESSING + done(answer, started=started, elapsed=time.time() - started)
        return Reply(200, self._head(request, found), [body])

    def _refused(self, request: Request, refusal: Refusal) -> Reply:
        fields = head(request, refusal.code, self._version())
        if refusal.code in (Code.CONTEXT_NOT_FOUND, Code.INVALID_CONTEXT_COOKIE):
            tail = f"; Path={self.path}; Max-Age=0"  # a client that just keeps cookies gets rid of them
            fields += [("Set-Cookie", f"sid={tail}"), ("Set-Cookie", f"sequence={tail}")]
        return Reply(200, fields, f"<html><body>{refusal.text}</body></html>\r\n".encode())

    def _version(self) -> str:
        """Three digits at the end: clients are known that look for just that form."""
        major, minor, build, revision = server_version(self.site)
        return f"{major:02}.{minor:02}.{build:04}.{revision % 1000:03}"

    def _settings(self) -> EmsmdbSettings:
        return self.site.ctx.config.get(EmsmdbSettings)

    # ---------------------------------------------------------------------------------------------- upkeep

    def wake(self, of: Callable[[Any], bool] = lambda state: True) -> None:
        """Have those who wait answered, so that they ask again: all, or those whose states are meant."""
        for state in self.contexts.states():
            if of(state):
                state.wake()

    def _sweep(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            gevent.spawn(self._sweeper)

    def _sweeper(self) -> None:
        while len(self.contexts):
            gevent.sleep(SWEEP)
            self.contexts.expire(self._settings().emsmdb_session_idle)
        self._sweeping = False


class _Stream:
    """The answer to somebody who waits; what he had is given back also when nothing of it could be sent."""

    __slots__ = ("_endpoint", "_found", "_parts", "_wait")

    def __init__(self, endpoint: Endpoint, wait: Wait, found: SessionContext, started: float) -> None:
        self._endpoint, self._wait, self._found = endpoint, wait, found
        self._parts: Iterator[bytes] | None = endpoint.waiting(wait, found, started)

    def __iter__(self) -> Iterator[bytes]:
        return self._parts or iter(())

    def close(self) -> None:
        """Answered, or the client is gone. Once is enough."""
        if self._parts is not None:
            self._parts = None
            self._wait.close()
            self._endpoint.contexts.leave(self._found)


def _failure(error: MapiError | WireError) -> bytes | Refusal:
    log.debug("request failed", extra={"error": str(error)})
    return failure_body(error.code) if isinstance(error, MapiError) else Refusal(Code.INVALID_REQUEST_BODY)
