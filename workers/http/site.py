"""What all protocols of one HTTP worker share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gromoxd.context import WorkerContext
from workers.common.services import Services
from workers.http.people import People


@dataclass
class Site:
    """`people` knows users by their DNs; `services` has the directory and the way to the mailboxes.

    `endpoints`, by path, have state (sessions) that the applications of all listeners share.
    """

    ctx: WorkerContext
    services: Services
    people: People
    endpoints: dict[str, Any] = field(default_factory=dict)
