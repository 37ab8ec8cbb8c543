"""Context handles: what calls have in common, by handles that nobody can guess (C706 14.2.16.6, [MS-RPCE] 3.3.3.4.1).

A handle belongs to a user, and to the association group in which it was made: when the last connection of that is gone,
nobody will close it any more, and it is run down here (C706 5.1.6, "context rundown").
"""

from __future__ import annotations

import secrets
from collections import Counter
from typing import Any, Protocol, TypeVar

from gromoxd.rpc.stub import NO_HANDLE

MOST = 1000
"""Handles of one user."""
T = TypeVar("T")


class State(Protocol):
    """What is behind a handle."""

    def close(self) -> None:
        """The handle is gone."""
        ...


class Group:
    """An association group: the connections that share handles."""

    def __init__(self, number: int, user: int) -> None:
        self.number, self.user = number, user
        self.connections = 0
        self.handles: set[bytes] = set()


class BadHandle(Exception):
    """No such handle of this user's."""


class TooMany(Exception):
    """The user has too many handles."""


class Handles:
    """All of one worker."""

    def __init__(self) -> None:
        self._states: dict[bytes, tuple[Group, Any]] = {}
        self._groups: dict[tuple[int, int], Group] = {}
        self._of_user: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._states)

    def join(self, user: int, number: int) -> Group:
        """The group that a client names; a new one for 0, and for one that there is not."""
        group = self._groups.get((user, number)) if number else None
        if group is None:
            while (user, number) in self._groups or not number:
                number = secrets.randbits(31)
            group = self._groups[user, number] = Group(number, user)
        group.connections += 1
        return group

    def leave(self, group: Group) -> None:
        """A connection of the group has ended. With the last one all its handles go."""
        group.connections -= 1
        if group.connections:
            return
        self._groups.pop((group.user, group.number), None)
        for handle in list(group.handles):
            self.close(group.user, handle)

    def open(self, group: Group, state: State) -> bytes:
        """A handle for something. TooMany."""
        if self._of_user[group.user] >= MOST:
            raise TooMany
        handle = bytes(4) + secrets.token_bytes(16)
        self._states[handle] = (group, state)
        group.handles.add(handle)
        self._of_user[group.user] += 1
        return handle

    def find(self, user: int, handle: bytes, kind: type[T]) -> T:
        """What a handle of the user's is for. BadHandle."""
        found = self._states.get(handle)
        if found is None or found[0].user != user or not isinstance(found[1], kind):
            raise BadHandle
        return found[1]

    def of(self, user: int, kind: type[T]) -> list[T]:
        """All of a kind that the user has."""
        return [state for group, state in self._states.values() if group.user == user and isinstance(state, kind)]

    def close(self, user: int, handle: bytes) -> bytes:
        """Forget a handle and what is behind it; what the client is given instead."""
        found = self._states.get(handle)
        if found is None or found[0].user != user:
            raise BadHandle
        group, state = self._states.pop(handle)
        group.handles.discard(handle)
        self._of_user[user] -= 1
        if not self._of_user[user]:
            del self._of_user[user]
        state.close()
        return NO_HANDLE
