"""The exmdb calls on a store as a whole ([MS-OXCSTOR]): logon, its properties, ids, replicas, receive folders."""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Done, Result
from gromoxd.exmdb.hierarchy import Problems
from gromoxd.exmdb.objects import Bag


class StoreInfo(Result, frozen=True):
    """What a logon tells ([MS-OXCSTOR] 2.2.1.1.3). GUIDs are 16 octets; `rights` as `GetRights` of fid 0 has them.

    `folders` are the 13 folder ids of the logon's answer in its order, 0 for one that the store does not have.
    """

    guid: bytes
    mapping_guid: bytes
    owner: str
    public: bool
    created: int
    rights: int
    delegate: bool
    send_as: bool
    folders: list[int]
    cn: int


class OpenStore(Call[StoreInfo], frozen=True):
    """May the actor log on, and to what. ecAccessDenied when nothing in the store is his business."""


class GetStoreProps(Call[Bag], frozen=True):
    """Properties of the store ([MS-OXCSTOR] 2.2.2), all or those of `tags`; of a guest's, those that say what it is."""

    tags: list[int] | None = None


class SetStoreProps(Call[Problems], frozen=True):
    """Set and delete properties of the store; the owner's right, quotas and the display name the system's."""

    writes: ClassVar[bool] = True
    set: Bag
    delete: list[int] = []


class IdRange(Result, frozen=True):
    """`count` ids from `first` on, of the replica with this GUID."""

    guid: bytes
    first: int
    count: int


class ReserveIds(Call[IdRange], frozen=True):
    """Ids that nobody else will ever get ([MS-OXCFXICS] 2.2.3.2.4.7), at most 0x10000. Needs a right to create."""

    writes: ClassVar[bool] = True
    count: int


class GetReplids(Call[list[int]], frozen=True):
    """The short ids of replica GUIDs ([MS-OXCSTOR] 2.2.1.14), made for those who may create; 0: there is none."""

    writes: ClassVar[bool] = True
    guids: list[bytes]


class GetReplguids(Call[list[bytes]], frozen=True):
    """The replica GUIDs of short ids ([MS-OXCSTOR] 2.2.1.13); b'' for one that stands for nothing."""

    replids: list[int]


class ReceiveFolder(Result, frozen=True):
    """The folder of a message class, and the class that was set for it ([MS-OXCSTOR] 2.2.1.2.2)."""

    fid: int
    message_class: str


class GetReceiveFolder(Call[ReceiveFolder], frozen=True):
    """The folder for mail of a class: that of the longest beginning of the class that has one.

    ecInvalidParam for what is no class name, ecNotSupported in a public store.
    """

    message_class: str


class SetReceiveFolder(Call[Done], frozen=True):
    """Set, or with `fid` 0 remove, the folder of a class ([MS-OXCSTOR] 2.2.1.3); the owner's right.

    ecError: removing that of "". ecAccessDenied: those of "IPM" and "REPORT.IPM" stay. ecNotFound: no such folder.
    """

    writes: ClassVar[bool] = True
    message_class: str
    fid: int


class ListReceiveFolders(Call[list[ReceiveFolder]], frozen=True):
    """All that are set ([MS-OXCSTOR] 2.2.1.4), by class; the owner's right."""


CALLS = (
    OpenStore, GetStoreProps, SetStoreProps, ReserveIds, GetReplids, GetReplguids, GetReceiveFolder, SetReceiveFolder,
    ListReceiveFolders,
)  # fmt: skip
