"""Server objects ([MS-OXCROPS] 3.1.1): what handles stand for. Families of ROPs add their own kinds beside these."""

from __future__ import annotations

from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.storecalls import StoreInfo
from gromoxd.exmdb.working import Account, WorkingAttachment, WorkingFolder, WorkingMessage
from gromoxd.exmdb.working.values import Holder
from gromoxd.mapi.ids import eid_int, eid_split

OWN_REPLID = 1
"""The short id by which a store names its own replica in FIDs and MIDs."""


class ServerObject:
    """What a handle stands for. `handle` is set when it gets one.

    What is opened on an object is a part of it, and released with it ([MS-OXCROPS] 3.1.5.3).
    """

    handle = 0
    transfers = False
    """Whether it holds much while octets go in or out: a session has few such at a time."""
    owner: ServerObject | None = None
    parts: set[ServerObject] | frozenset[ServerObject] = frozenset()
    work: Any = None
    """A long operation under way on it (`progress`), which goes with it."""

    def __init__(self, logon: Logon) -> None:
        self.logon = logon

    @property
    def holder(self) -> Holder | None:
        """The properties of objects that have some ([MS-OXCPRPT])."""
        return None

    def owned_by(self, owner: ServerObject) -> None:
        """Be a part of another object; for what has its handle already."""
        self.owner = owner
        owner.parts = {*owner.parts, self}

    def close(self) -> None:
        """The handle is released, or its session ends."""


class Logon(ServerObject):
    """A logon ([MS-OXCSTOR] 2.2.1.1): a store as somebody's. `number` is its LogonId."""

    def __init__(self, number: int, account: Account, info: StoreInfo, flags: int) -> None:
        super().__init__(self)
        self.number, self.account, self.info, self.flags = number, account, info, flags

    @property
    def public(self) -> bool:
        """Is it a public store?"""
        return self.info.public

    def eid(self, counter: int) -> int:
        """A FID or MID as it travels."""
        return eid_int(OWN_REPLID, counter) if counter else 0

    def counter(self, eid: int) -> int:
        """The store's number in a FID or MID. ecNotFound for one of another replica."""
        replid, counter = eid_split(eid)
        if replid != OWN_REPLID or not counter:
            raise MapiError(Ec.ecNotFound, f"id {eid:#x}")
        return counter


class Folder(ServerObject):
    """An open folder. `search`: it shows messages of others."""

    def __init__(self, logon: Logon, fid: int, *, search: bool = False) -> None:
        super().__init__(logon)
        self.fid, self.search = fid, search
        self.folder = WorkingFolder(logon.account, fid)

    @property
    def holder(self) -> Holder:
        return self.folder


class Message(ServerObject):
    """An open message, also one within an attachment.

    `code_page`: of 8-bit strings that say it. `columns`: the properties of which rows of recipients consist.
    """

    def __init__(self, logon: Logon, message: WorkingMessage, code_page: int = 0) -> None:
        super().__init__(logon)
        self.message, self.code_page = message, code_page
        self.columns: tuple[int, ...] = ()

    @property
    def holder(self) -> Holder:
        return self.message

    def close(self) -> None:
        self.message.discard()


class Attachment(ServerObject):
    """An open attachment."""

    def __init__(self, logon: Logon, attachment: WorkingAttachment, code_page: int = 0) -> None:
        super().__init__(logon)
        self.attachment, self.code_page = attachment, code_page

    @property
    def holder(self) -> Holder:
        return self.attachment
