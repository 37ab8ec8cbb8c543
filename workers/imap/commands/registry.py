"""How a command is registered: its name, the states in which it is legal, and what may be told before its answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from workers.imap.state import State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

Run = Callable[["Session", Cursor], bytes | None]


class Sync(Enum):
    """What the client is told of changes before the tagged answer."""

    NONE = 0
    NO_EXPUNGE = 1
    """Everything but EXPUNGE, which FETCH, STORE and SEARCH forbid (RFC 3501 7.4.1)."""
    FULL = 2


@dataclass(frozen=True, slots=True)
class Spec:
    """One command."""

    name: str
    states: State
    sync: Sync
    run: Run


COMMANDS: dict[bytes, Spec] = {}


def command(name: str, states: State, sync: Sync = Sync.FULL) -> Callable[[Run], Run]:
    """Register a function as a command; 'UID FETCH' and the like are commands of their own."""

    def register(run: Run) -> Run:
        COMMANDS[name.encode()] = Spec(name, states, sync, run)
        return run

    return register
