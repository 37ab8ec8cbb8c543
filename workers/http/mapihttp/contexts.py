"""Session contexts ([MS-OXCMAPIHTTP] 3.2.1): who owns them, their cookies, when they end. One table an endpoint."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from gevent.lock import BoundedSemaphore

from gromoxd.errors import Ec, MapiError
from workers.http.mapihttp.framing import Code, Refusal

log = logging.getLogger(__name__)

GRACE: Final = 60.0
"""Seconds that a session context lives on after it has expired for its client."""
_SID = re.compile(r"\d{1,6}\.[A-Za-z0-9_-]{32}")


def _secret() -> str:
    return secrets.token_urlsafe(24)


class SessionContext:
    """One. `state` is the endpoint's; `lock` is held while a request is carried out; `users`: those under way."""

    __slots__ = ("ended", "lock", "sequence", "sid", "state", "used", "username", "users")

    def __init__(self, sid: str, username: str, state: Any, now: float) -> None:
        self.sid, self.username, self.state, self.used = sid, username, state, now
        self.sequence = _secret()
        self.lock = BoundedSemaphore()
        self.users = 0
        self.ended = False

    def advance(self) -> None:
        """The next request of this session context has another sequence cookie."""
        self.sequence = _secret()


class Contexts:
    """All of one endpoint in one worker, whose number begins their cookies (`workers.http.front.Route.cookie`)."""

    def __init__(self, slot: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._slot, self._clock = slot, clock
        self._all: dict[str, SessionContext] = {}
        self._of_user: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._all)

    def states(self) -> list[Any]:
        """What the endpoint put into them."""
        return [context.state for context in self._all.values()]

    def admit(self, username: str, per_user: int, most: int) -> None:
        """MapiError unless the user may have another one."""
        if self._of_user[username] >= per_user or len(self._all) >= most:
            log.warning("too many sessions", extra={"user": username, "of_user": self._of_user[username]})
            raise MapiError(Ec.ecMaxObjsExceeded, "sessions")

    def open(self, username: str, state: Any) -> SessionContext:
        """A new one."""
        context = SessionContext(f"{self._slot}.{_secret()}", username, state, self._clock())
        self._all[context.sid] = context
        self._of_user[username] += 1
        return context

    def find(self, sid: str, username: str) -> SessionContext:
        """The one of a cookie; its idle time begins anew. Refusal."""
        if not sid:
            raise Refusal(Code.MISSING_COOKIE, "no session cookie")
        context = self.look(sid, username)
        if context is None:
            raise Refusal(Code.CONTEXT_NOT_FOUND)
        context.used = self._clock()
        return context

    def look(self, sid: str, username: str) -> SessionContext | None:
        """The one of a cookie; None when there is none such of this user (3.2.5.1). Refusal for what is no cookie."""
        if not _SID.fullmatch(sid):
            raise Refusal(Code.INVALID_CONTEXT_COOKIE)
        context = self._all.get(sid)
        return context if context is not None and context.username == username else None

    def enter(self, context: SessionContext) -> None:
        """A request uses it: it does not expire meanwhile."""
        context.users += 1

    def leave(self, context: SessionContext) -> None:
        """The request is answered."""
        context.users -= 1
        context.used = self._clock()

    def end(self, context: SessionContext) -> None:
        """Forget it, and close its state after what is under way."""
        if context.ended:
            return
        context.ended = True
        self._all.pop(context.sid, None)
        self._of_user[context.username] -= 1
        if self._of_user[context.username] <= 0:
            del self._of_user[context.username]
        close = getattr(context.state, "close", None)
        if close is not None:
            close()

    def expire(self, idle: float) -> int:
        """End those that nobody used for so long; how many."""
        limit = self._clock() - idle - GRACE
        old = [context for context in self._all.values() if not context.users and context.used < limit]
        for context in old:
            self.end(context)
        return len(old)

    def close(self) -> None:
        """End all of them."""
        for context in list(self._all.values()):
            self.end(context)
