"""What RopCopyTo copies of a folder besides its properties ([MS-OXCPRPT] 2.2.11): messages and subfolders.

Each kind has a property that stands for it, and is left out where that one is excluded ([MS-OXCFXICS] 2.2.4.1.5.1).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import tables as t
from gromoxd.mapi.proptags import PidTagContainerContents, PidTagContainerHierarchy, PidTagFolderAssociatedContents
from gromoxd.mapi.values import PropertyProblem
from workers.http.emsmdb import transferring
from workers.http.emsmdb.folders import move_messages, same_store
from workers.http.emsmdb.objects import Folder
from workers.http.emsmdb.progress import Steps

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session

Kind = Callable[["Session", Folder, Folder], Steps]
_PASSED_OVER: Final = transferring.LEFT_ALONE | {Ec.ecDuplicateName, Ec.ecNotSupported}


def copy(
    session: Session, source: Folder, destination: Folder, excluded: Collection[int], problems: list[PropertyProblem]
) -> Steps:  # fmt: skip
    """Copy what is in a folder into another, of which the client knows the properties as well.

    What was left alone is a problem of the property that stands for it. ecNotSupported (public folders, [MS-OXCPRPT]
    3.2.5.8; into a search folder), ecFolderCycle.
    """
    if source.logon.public or destination.logon.public:
        raise MapiError(Ec.ecNotSupported, "copy of a public folder")
    without = {tag >> 16 for tag in excluded}
    wanted = {tag: steps for tag, steps in _KINDS.items() if tag >> 16 not in without}
    if wanted and same_store(source, destination) and source.fid == destination.fid:
        raise MapiError(Ec.ecFolderCycle, "a folder into itself")
    if wanted and destination.search:
        raise MapiError(Ec.ecNotSupported, "into a search folder")
    return _all(session, source, destination, wanted, problems)


def _all(
    session: Session, source: Folder, destination: Folder, wanted: dict[int, Kind], problems: list[PropertyProblem]
) -> Steps:  # fmt: skip
    partial = False
    for tag, steps in wanted.items():
        if (yield from steps(session, source, destination)):
            problems.append(PropertyProblem(0, tag, Ec.ecError))
            partial = True
    return partial


def _subfolders(session: Session, source: Folder, destination: Folder) -> Steps:
    """All that is below, too. A folder whose name is taken there stays."""
    here, there = source.logon.account, destination.logon.account
    partial, near = False, same_store(source, destination)
    children = list(transferring.list_folders(here, source.fid))
    if near and destination.fid in children:
        raise MapiError(Ec.ecFolderCycle, "a folder into what is in it")
    for done, child in enumerate(children, 1):
        try:
            if near:
                call = h.TransferFolder(child, destination.fid, "", True, os.urandom(16), True)
                partial |= here.call(call).partial
            else:
                steps = transferring.folder(
                    here, child, there, destination.fid, "", session.site.services.run_blocking, recursive=True,
                    move=False,
                )  # fmt: skip
                partial |= yield from steps
        except MapiError as error:
            if error.code not in _PASSED_OVER:
                raise
            partial = True
        yield done, len(children)
    return partial


def _messages(session: Session, source: Folder, destination: Folder) -> Steps:
    return _listed(session, source, destination, 0)


def _associated(session: Session, source: Folder, destination: Folder) -> Steps:
    return _listed(session, source, destination, t.ASSOCIATED)


def _listed(session: Session, source: Folder, destination: Folder, flags: int) -> Steps:
    mids = transferring.list_messages(source.logon.account, source.fid, flags)
    eids = [source.logon.eid(mid) for mid in mids]
    return (yield from move_messages(session, source, destination, eids, move=False))


_KINDS: Final[dict[int, Kind]] = {
    PidTagContainerHierarchy: _subfolders, PidTagContainerContents: _messages,
    PidTagFolderAssociatedContents: _associated,
}  # fmt: skip
