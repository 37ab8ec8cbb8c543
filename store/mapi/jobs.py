"""What a mailbox has to do when its callers have their answers: views to make, search folders to fill and keep current.

A job reads on a thread and may answer a write, which the writer then carries out in the system's name. Nothing is lost
with a job: what was not done shows in the database, and is begun again when the mailbox is opened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.calls import Call

if TYPE_CHECKING:
    from store.mapi.reading import Reading

Work = Callable[["Reading"], Call[Any] | None]


class Job(NamedTuple):
    """`key`: of two jobs with one key only the first is done, while it waits or runs."""

    key: Any
    work: Work
    actor: str = SYSTEM


class Jobs:
    """The jobs of one mailbox. `add` may be called on any thread, the others in the loop."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._keys: set[Any] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, job: Job) -> None:
        """Have something done, unless it is about to be."""
        if job.key not in self._keys:
            self._keys.add(job.key)
            self._waiting.append(job)

    def take(self) -> Job:
        """The next job to run."""
        return self._waiting.popleft()

    def done(self, job: Job) -> None:
        """A job was run, or never will be."""
        self._keys.discard(job.key)
