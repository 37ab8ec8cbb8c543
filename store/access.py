"""Who may do what in a mailbox: folder permissions of users, lists, everybody and anonymous clients ([MS-OXCPERM] 3).

The permissions of a mailbox are few: they are kept in memory, by the writer's state and by the mailbox in the loop,
which replaces its copy when a batch changed them.
"""

from __future__ import annotations

from collections.abc import Mapping

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import SYSTEM

ANONYMOUS = ""
"""The actor (and member name) of clients that did not say who they are."""
DEFAULT = "default"
"""The member name that stands for everybody who has no entry of his own."""

READ_ANY, CREATE, SEND_AS, EDIT_OWNED, DELETE_OWNED, EDIT_ANY, DELETE_ANY = 0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40
CREATE_SUBFOLDER, OWNER, CONTACT, VISIBLE = 0x80, 0x100, 0x200, 0x400
FREE_BUSY_SIMPLE, FREE_BUSY_DETAILED, STORE_OWNER = 0x800, 0x1000, 0x2000
ALL = 0x1FFB
"""Everything but the rights that are computed ([MS-OXCPERM] 2.2.7)."""
PUBLIC_DEFAULT = READ_ANY | CREATE | EDIT_OWNED | DELETE_OWNED | VISIBLE
"""What everybody may do in a folder of a public store that says nothing else."""
GUEST_FOLDER = READ_ANY | CREATE | EDIT_ANY | DELETE_ANY | CREATE_SUBFOLDER | OWNER | VISIBLE
"""What somebody else than the mailbox's owner gets on a folder that he makes in it."""

Members = Mapping[str, int]
Acl = Mapping[int, Members]
"""fid -> member name in lower case -> rights."""
Groups = Mapping[str, frozenset[str]]
"""Actor in lower case -> the lower-case addresses of the lists he is in, nested ones too."""


class Access:
    """The rights of one actor. `public`: a public store has no owner; its administrator is SYSTEM."""

    __slots__ = ("_acl", "_default", "_groups", "actor", "everything")

    def __init__(self, actor: str, owner: str, acl: Acl, groups: Groups, default: int = 0) -> None:
        self.actor = actor if actor == SYSTEM else actor.lower()
        self.everything = actor == SYSTEM or (bool(owner) and self.actor == owner.lower())
        self._acl = acl
        self._groups = groups
        self._default = default

    def rights(self, fid: int) -> int:
        """The rights on a folder: own entry, else those of the lists together, else the default entry's."""
        if self.everything:
            return ALL
        members = self._acl.get(fid)
        if members is None:
            return self._default if self.actor != ANONYMOUS else 0
        own = members.get(self.actor)
        if own is not None:
            return own
        if self.actor == ANONYMOUS:
            return 0
        lists = [members[name] for name in self._groups.get(self.actor, ()) if name in members]
        if lists:
            union = 0
            for rights in lists:
                union |= rights
            return union
        return members.get(DEFAULT, self._default)

    def may(self, fid: int, right: int) -> bool:
        """Whether all these rights are there."""
        return self.everything or self.rights(fid) & right == right

    @property
    def is_system(self) -> bool:
        """Delivery or administration, not a client."""
        return self.actor == SYSTEM

    @property
    def groups(self) -> frozenset[str]:
        """The lists that the actor is in."""
        return self._groups.get(self.actor, frozenset())

    def sees(self, fid: int) -> bool:
        """Whether the folder is shown to the actor, with its name and properties."""
        return self.everything or bool(self.rights(fid) & (VISIBLE | OWNER))

    def require_sight(self, fid: int) -> None:
        """ecAccessDenied unless the folder is shown to the actor."""
        if not self.sees(fid):
            raise MapiError(Ec.ecAccessDenied, f"folder {fid:#x}")

    def anywhere(self) -> int:
        """The rights that the actor has on some folder or other; 0: the mailbox is none of his business."""
        if self.everything:
            return ALL
        union = 0 if self.actor == ANONYMOUS else self._default
        for fid in self._acl:
            union |= self.rights(fid)
        return union

    def require(self, fid: int, right: int) -> None:
        """ecAccessDenied."""
        if not self.everything and self.rights(fid) & right != right:
            raise MapiError(Ec.ecAccessDenied, f"folder {fid:#x}")

    def require_owner(self) -> None:
        """ecAccessDenied to all but the mailbox's owner and the system."""
        if not self.everything:
            raise MapiError(Ec.ecAccessDenied, "the owner's right")
