"""Calls and the functions that carry them out, by interface. Those of each interface are in a module of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, TypeVar

from gevent.event import Event

from gromoxd.directory.model import User
from gromoxd.rpc.stub import Interface, Stub
from workers.http.rpch.handles import Group, Handles
from workers.http.site import Site

S = TypeVar("S", bound=Stub)
Answer = Stub | bytes
"""What a call gives: its answer, or the octets of that, when they were made elsewhere."""
Operation = Callable[["Caller", Any], Answer]


@dataclass
class Caller:
    """Whose call it is. `cancelled` is set when nobody waits for its answer any more."""

    site: Site
    user: User
    handles: Handles
    group: Group
    cancelled: Event


OPERATIONS: Final[dict[tuple[str, int], Operation]] = {}


def operation(of: Interface, kind: type[S]) -> Callable[[Callable[[Caller, S], Answer]], Callable[[Caller, S], Answer]]:
    """Register the function for a call."""

    def register(function: Callable[[Caller, S], Answer]) -> Callable[[Caller, S], Answer]:
        OPERATIONS[of.name, kind.opnum] = function
        return function

    return register


def load() -> None:
    """Have all of them registered."""
    for name in ("mailbox", "referral", "addressbook"):
        import_module(f"workers.http.rpch.{name}")
