"""What all protocols of one HTTP worker share."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.context import WorkerContext
from workers.common.services import Services
from workers.http.people import People


@dataclass
class Site:
    """`people` knows users by their DNs; `services` has the directory and the way to the mailboxes."""

    ctx: WorkerContext
    services: Services
    people: People
