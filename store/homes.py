"""What the store worker asks the directory: whose a maildir is, and whether it is homed on this node."""

from __future__ import annotations

import logging

from gevent.threadpool import ThreadPool

from gromoxd.context import WorkerContext
from gromoxd.directory.errors import AmbiguousName, DirectoryDown
from gromoxd.directory.service import Directory
from gromoxd.errors import Ec, MapiError

THREADS = 4
log = logging.getLogger(__name__)


class DirectoryHomes:
    """Implements `store.service.Homes` over the directory."""

    def __init__(self, ctx: WorkerContext) -> None:
        pool = ThreadPool(THREADS)
        self._directory = Directory(
            ctx.config,
            ctx.shared,
            run_blocking=lambda work, *args: pool.apply(work, args),
            site=ctx.site,
            board=ctx.board,
        )

    @property
    def node(self) -> str:
        """This node's name."""
        return self._directory.host_id

    def home(self, maildir: str) -> tuple[str, bool]:
        """(owner, homed here). MapiError: ecUnknownUser when nobody has it, ecBusy when the directory is down."""
        try:
            user = self._directory.owner_of(maildir)
        except DirectoryDown as error:
            raise MapiError(Ec.ecBusy, str(error)) from error
        if user is None:
            raise MapiError(Ec.ecUnknownUser, "nobody has this maildir")
        return user.username, self._directory.homed_here(user.host)

    def person(self, name: str) -> tuple[str, frozenset[str]] | None:
        """A user's name and the addresses of the lists he is in; None when there is no such user. ecBusy."""
        try:
            found = self._directory.memberships(name)
        except DirectoryDown as error:
            raise MapiError(Ec.ecBusy, str(error)) from error
        except AmbiguousName:
            log.warning("ambiguous name in the directory", extra={"name_asked": name})
            return None
        return None if found is None else (found.name, frozenset(found.lists))
