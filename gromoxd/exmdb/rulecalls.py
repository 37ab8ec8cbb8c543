"""The exmdb calls on the rules of a folder ([MS-OXORULE] 2.2.1). Extended rules are FAI messages, written as such."""

from __future__ import annotations

from typing import ClassVar

from gromoxd.exmdb.calls import Call, Done, Result
from gromoxd.exmdb.objects import Bag

ADD, MODIFY, REMOVE = 1, 2, 4
"""RuleDataFlags ([MS-OXORULE] 2.2.1.3)."""


class GetRules(Call[list[Bag]], frozen=True):
    """The rules of a folder in the order in which they apply; the folder owner's right.

    Bags of PidTagRuleId, -Sequence, -State, -Name, -UserFlags, -Level, -Provider, -ProviderData, -Condition and
    -Actions, the last two encoded.
    """

    fid: int


class RuleChange(Result, frozen=True):
    """ADD: `props` are a rule without id. MODIFY: those of its properties that change, with its id. REMOVE: the id."""

    op: int
    props: Bag


class ModifyRules(Call[Done], frozen=True):
    """Change the rules of a folder; `replace`: all go first and only ADD is allowed. The folder owner's right.

    ecNotFound (folder, rule), ecInvalidParam (what is no condition, action or level), ecNotEnoughMemory (too many).
    """

    writes: ClassVar[bool] = True
    fid: int
    changes: list[RuleChange]
    request_id: bytes
    replace: bool = False


class GetExtendedRules(Call[list[Bag]], frozen=True):
    """The extended rules of a folder ([MS-OXORULE] 2.2.4) in the order in which they apply; the folder owner's right.

    Bags of PidTagMid (the message's id, a counter), PidTagRuleSequence, -State, -Name, -Provider, and of
    PidTagExtendedRuleMessageCondition and -Actions.
    """

    fid: int


CALLS = (GetRules, ModifyRules, GetExtendedRules)
