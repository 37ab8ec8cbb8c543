"""The exmdb calls on search folders ([MS-OXCFOLD] 2.2.1.4, 2.2.1.5). They are made by `hierarchy.MakeFolder`.

A search folder links messages that match a restriction in some folders; `gromoxd.mapi.searchcriteria` has the flags. A
new search fills the folder in the background; one that is not static is then kept current, a moment behind the changes.
Its contents table is like any other's. Search folders are the mailbox owner's.
"""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Done, Result

MOST_SCOPE = 1000


class SetSearchCriteria(Call[Done], frozen=True):
    """Begin, change or stop a search. `restriction` b'' and `scope` [] keep those of before; `flags`: SetSearchFlags.

    Criteria that differ start the search anew. ecNotSearchFolder, ecNotInitialized (nothing to keep), ecNotFound
    (scope), ecInvalidParam, ecTooComplex, ecNotSupported (a search folder as scope; public stores),
    ecSearchFolderScopeViolation (itself as scope).
    """

    writes: ClassVar[bool] = True
    fid: int
    restriction: bytes
    scope: list[int]
    flags: int


class SearchCriteria(Result, frozen=True):
    """`status`: SearchStatus."""

    restriction: bytes
    scope: list[int]
    status: int


class GetSearchCriteria(Call[SearchCriteria], frozen=True):
    """What a search folder looks for. ecNotSearchFolder, ecNotInitialized (it was never told)."""

    fid: int


CALLS = (SetSearchCriteria, GetSearchCriteria)
