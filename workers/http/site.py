"""What all protocols of one HTTP worker share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gromoxd.context import WorkerContext

if TYPE_CHECKING:  # the master imports the protocols' packages for their settings: it must load no gevent
    from workers.common.services import Services
    from workers.http.people import People
from workers.http.settings import HttpSettings


@dataclass
class Site:
    """`people` knows users by their DNs; `services` has the directory and the way to the mailboxes.

    `endpoints`, by path, have state (sessions) that the applications of all listeners share.
    """

    ctx: WorkerContext
    services: Services
    people: People
    endpoints: dict[str, Any] = field(default_factory=dict)

    @property
    def server_version(self) -> str:
        """The version of Exchange that clients are told."""
        return self.ctx.config.get(HttpSettings).reported_server_version
