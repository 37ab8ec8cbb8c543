"""The exmdb calls on named properties ([MS-OXCPRPT] 2.2.12-2.2.14): which id a name has in this mailbox.

Names of `gromoxd.mapi.named.BUILT_IN` have the same id in every mailbox and need no call.
"""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Result


class Name(Result, frozen=True):
    """A property set (16 octets) with a number, or, `lid` being -1, with a string in it ([MS-OXCDATA] 2.6.1)."""

    guid: bytes
    lid: int = -1
    name: str = ""


class GetPropertyIds(Call[list[int]], frozen=True):
    """The ids (0x8000 and up; in PS_MAPI the number itself) of names; 0 for one that has none. At most 65,535.

    Strings compare without case. ecInvalidParam for what is no name.
    """

    names: list[Name]


class MakePropertyIds(Call[list[int]], frozen=True):
    """The same, names without id getting one. It is 0 still when no id is left (28,672 names).

    Needs a right to create or change something. Names once known stay.
    """

    writes: ClassVar[bool] = True
    names: list[Name]


class GetPropertyNames(Call[list[Name | None]], frozen=True):
    """The names of property ids, None where there is none."""

    ids: list[int]


class NamedId(Result, frozen=True):
    """A name with its id."""

    id: int
    name: Name


class ListPropertyNames(Call[list[NamedId]], frozen=True):
    """All names that the mailbox knows, built-in ones included, or those of one property set."""

    guid: bytes | None = None


CALLS = (GetPropertyIds, MakePropertyIds, GetPropertyNames, ListPropertyNames)
