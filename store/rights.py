"""Which rights a mail call needs: the table behind the authorisation of IMAP's, POP3's and LMTP's calls.

The mailbox's owner may make every call but those of the system; for others a call names the folders that it concerns
and the rights wanted there ([MS-OXCPERM] 2.2.7). MAPI calls are judged by their handlers, object by object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM
from store import access as a

Wanted = list[tuple[int, int]]
"""Folders and the rights wanted on each."""


class Rule(NamedTuple):
    """What a call needs. `somewhere`: rights wanted on one folder at least, any of these bits."""

    system: bool = False
    owner: bool = False
    somewhere: int = 0
    folders: Callable[[Any], Wanted] | None = None


def _on(right: int) -> Rule:
    return Rule(folders=lambda call: [(call.fid, right)])


def _transfer(call: c.CopyMessages) -> Wanted:
    taken = a.READ_ANY | a.DELETE_ANY if call.move else a.READ_ANY
    return [(call.fid, taken), (call.destination, a.CREATE)]


_SYSTEM, _OWNER, _READ = Rule(system=True), Rule(owner=True), _on(a.READ_ANY)
RULES: dict[type[Any], Rule] = {
    c.ListFolders: Rule(somewhere=a.VISIBLE | a.OWNER),  # and shows only the folders that the actor sees
    c.CreateFolder: Rule(somewhere=a.CREATE_SUBFOLDER),  # and there where the new folder goes: store.folders
    c.DeleteFolder: _on(a.OWNER),
    c.RenameFolder: _on(a.OWNER),  # and CREATE_SUBFOLDER where the folder goes: store.folders
    c.Subscribe: _OWNER,
    c.GetKeywordSets: Rule(somewhere=a.READ_ANY),
    c.GetFolderState: _READ,
    c.GetPages: _READ,
    c.ClaimRecent: _on(a.READ_ANY | a.EDIT_ANY),
    c.Append: _on(a.CREATE),
    c.Deliver: _SYSTEM,
    c.Confirm: _SYSTEM,
    c.SetFlags: _on(a.EDIT_ANY),
    c.CopyMessages: Rule(folders=_transfer),
    c.Expunge: _on(a.DELETE_ANY),
    c.GetVanished: _READ,
    c.GetPieces: _READ,
    c.GetContents: _READ,
    c.ReadContent: _READ,
    c.SearchText: _READ,
    c.GetMailboxInfo: _OWNER,
    c.SetQuota: _SYSTEM,
    c.LockPop3: _OWNER,
    c.Watch: Rule(somewhere=a.VISIBLE | a.OWNER),  # and tells only of the folders that the actor sees
}


def authorise(call: c.Call[Any], access: a.Access) -> None:
    """ecAccessDenied when the actor may not make this mail call, or when it is none."""
    kind = type(call)
    rule = RULES.get(kind)
    if rule is None or (rule.system and access.actor != SYSTEM):
        raise MapiError(Ec.ecAccessDenied, kind.__name__)
    if access.everything:
        return
    if rule.owner or (rule.somewhere and not access.anywhere() & rule.somewhere):
        raise MapiError(Ec.ecAccessDenied, kind.__name__)
    for fid, right in rule.folders(call) if rule.folders is not None else ():
        access.require(fid, right)
