"""The exmdb calls on permissions and delegates ([MS-OXCPERM] 2.2.1, 2.2.2; [MS-OXODLGT]).

Members are addresses, the resolution of entry ids and display names is the protocol's. Two members are always there:
`DEFAULT` (id 0), everybody who has no entry, and `ANONYMOUS` (id -1), clients that did not say who they are.
"""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Done, Result

DEFAULT, ANONYMOUS = "default", ""
DEFAULT_ID, ANONYMOUS_ID = 0, -1
"""PidTagMemberId as a signed number ([MS-OXCPERM] 2.2.5)."""
ADD, MODIFY, REMOVE = 1, 2, 4
"""PermissionDataFlags ([MS-OXCROPS] 2.2.10.1.1.1)."""
DELEGATES, SENDERS = 1, 2
"""Kinds of delegates: those who send on the owner's behalf, and those who send as the owner."""


class Member(Result, frozen=True):
    """An entry of a folder's permissions. `rights`: PidTagMemberRights ([MS-OXCPERM] 2.2.7)."""

    member_id: int
    name: str
    rights: int


class GetPermissions(Call[list[Member]], frozen=True):
    """A folder's permissions: the default entry, the anonymous one, then the others by name. Its owner's right."""

    fid: int


class PermissionChange(Result, frozen=True):
    """ADD names the member by `name`, MODIFY and REMOVE by `member_id`. Adding one that is there changes it."""

    op: int
    member_id: int = 0
    name: str = ""
    rights: int = 0


class ModifyPermissions(Call[Done], frozen=True):
    """Change a folder's permissions; `replace`: all entries but the default one go first, and only ADD is allowed.

    Without `free_busy` the free/busy rights of the entries stay as they are. Rights that others imply are added.
    Removing an entry that is always there takes it back to what the mailbox grants everybody; changing or removing one
    that is gone is passed over. ecNotFound (folder), ecInvalidParam (rights, operation, name), ecAccessDenied.
    """

    writes: ClassVar[bool] = True
    fid: int
    changes: list[PermissionChange]
    replace: bool = False
    free_busy: bool = False


class Rights(Result, frozen=True):
    """Effective rights. `delegate`, `send_as`: the user is in one of these lists of the mailbox."""

    rights: int
    delegate: bool
    send_as: bool


class GetRights(Call[Rights], frozen=True):
    """The actor's rights on a folder, or, with `fid` 0, all that he has on some folder or other.

    The latter have 0x4 (SendAs) for delegates and senders, and 0x2000 (StoreOwner) for owners of IPM_SUBTREE; 0 means
    that the mailbox is not to be opened for him. `user`: not the actor's, but another's rights; the owner's right.
    """

    fid: int = 0
    user: str | None = None


class GetDelegates(Call[list[str]], frozen=True):
    """The addresses (users and lists) of one kind. The owner's right."""

    kind: int


class SetDelegates(Call[Done], frozen=True):
    """Replace the addresses of one kind. The owner's right."""

    writes: ClassVar[bool] = True
    kind: int
    names: list[str]


CALLS = (GetPermissions, ModifyPermissions, GetRights, GetDelegates, SetDelegates)
