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
    """`key`: of jobs with one key that wait only the first is done, and never two at a time, their writes included."""

    key: Any
    work: Work
    actor: str = SYSTEM


class Jobs:
    """The jobs of one mailbox. `add` may be called on any thread, the others in the loop."""

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._keys: set[Any] = set()
        self._running: set[Any] = set()
        self._again: dict[Any, Job] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, job: Job) -> None:
        """Have something done, unless it is about to be; after it, when it is being done."""
        if job.key in self._running:
            self._again[job.key] = job
        elif job.key not in self._keys:
            self._keys.add(job.key)
            self._waiting.append(job)

    def take(self) -> Job:
        """The next job to run."""
        job = self._waiting.popleft()
        self._running.add(job.key)
        return job

    def done(self, job: Job) -> None:
        """A job was run and its write carried out, or neither will be."""
        self._running.discard(job.key)
        self._keys.discard(job.key)
        again = self._again.pop(job.key, None)
        if again is not None:
            self.add(again)
