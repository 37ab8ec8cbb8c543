"""Who may make a mailbox do something with all mail that comes: rules that are messages ([MS-OXORULE] 2.2.4).

Standard rules ask for the folder owner's right (RopModifyRules); without this, the right to create messages in the
Inbox, or to edit some there, would be one to forward all of its mail.
"""

from __future__ import annotations

from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import PidTagMessageClass
from gromoxd.mapi.rules import EXTENDED_RULE_CLASS
from store import wellknown as wk
from store.access import OWNER
from store.transaction import Transaction


def require_for(tx: Transaction, fid: int, *bags: Bag) -> None:
    """ecAccessDenied when one of these, associated with the folder, is a rule that is not the actor's to write."""
    if fid == wk.INBOX and any(is_rule(bag) for bag in bags):
        tx.access.require(fid, OWNER)


def is_rule(bag: Bag) -> bool:
    """Whether properties are those of an extended rule."""
    return str(bag.get(PidTagMessageClass, "")).lower() == EXTENDED_RULE_CLASS.lower()
