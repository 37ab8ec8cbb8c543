"""An open folder's properties ([MS-OXCFOLD] 2.2.2): what is set is stored at once, a stream when it is committed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gromoxd.errors import Ec
from gromoxd.exmdb.hierarchy import GetFolderProps, SetFolderProps
from gromoxd.exmdb.objects import Bag
from gromoxd.exmdb.working.spool import Spool
from gromoxd.exmdb.working.values import Account, Holder, Problem, Values, usable, whole
from gromoxd.mapi.proptags import PidTagFolderId

LARGEST = 1 << 20
"""Octets of a folder's property."""


class WorkingFolder(Holder):
    """A handle of a folder. Properties are read when somebody asks for the first."""

    def __init__(self, account: Account, fid: int, *, writable: bool = True) -> None:
        super().__init__(Spool(largest=LARGEST, limit=16 * LARGEST), Values(), writable)
        self.account = account
        self.fid = fid
        self._known = False

    def loaded(self) -> Values:
        """See Holder. ecNotFound, ecAccessDenied."""
        if not self._known:
            found: Bag = self.account.call(GetFolderProps(self.fid))
            self.properties = Values(dict(found))
            self._known = True
        return self.properties

    def refresh(self) -> None:
        """Read the properties anew when they are next wanted; streams that are not committed lose what they wrote."""
        self._known = False

    def set(self, props: dict[int, Any]) -> list[Problem]:
        """See Holder; problems are also those of SetFolderProps."""
        self.require_writable()
        good = {tag: value for tag, value in props.items() if usable(tag, value)}
        return [(tag, Ec.ecInvalidParam) for tag in props.keys() - good.keys()] + self._store(good, [])

    def delete(self, tags: Iterable[int]) -> list[Problem]:
        """See Holder."""
        self.require_writable()
        return self._store({}, list(tags))

    def _store(self, props: Bag, gone: list[int]) -> list[Problem]:
        if not props and not gone:
            return []
        answer = self.account.call(SetFolderProps(self.fid, props, gone))
        self.refresh()
        return [(tag, Ec(code)) for tag, code in answer.problems]

    def commit(self) -> None:
        """Store what streams have written."""
        state = self.properties
        written = {tag: whole(tag, state.values[tag]) for tag in state.changed}
        if written:
            self._store(written, [])

    def tags(self) -> list[int]:
        """See Holder."""
        return sorted({PidTagFolderId, *super().tags()})
