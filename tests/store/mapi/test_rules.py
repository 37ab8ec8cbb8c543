"""Rules of folders."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb.rulecalls import ADD, MODIFY, REMOVE, GetRules, ModifyRules, RuleChange
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Exist, encode_restriction
from gromoxd.mapi.rules import ActionBlock, ActionType, encode_actions
from store import access as a
from store.mapi import rules
from tests.store.conftest import INBOX, OWNER, SENT, Harness

BOB = "bob@example.test"
CONDITION = encode_restriction(Exist(p.PidTagSubject))
ACTIONS = encode_actions((ActionBlock(ActionType.OP_DELETE, None),))


def rule(name: str, sequence: int = 10, **more: Any) -> dict[int, Any]:
    return {
        p.PidTagRuleName: name, p.PidTagRuleSequence: sequence, p.PidTagRuleState: 1, p.PidTagRuleLevel: 0,
        p.PidTagRuleProvider: "RuleOrganizer", p.PidTagRuleProviderData: b"data", p.PidTagRuleUserFlags: 0,
        p.PidTagRuleCondition: CONDITION, p.PidTagRuleActions: ACTIONS,
    } | {getattr(p, tag): value for tag, value in more.items()}  # fmt: skip


def modify(box: Harness, *changes: RuleChange, replace: bool = False, fid: int = INBOX) -> None:
    box.call(ModifyRules(fid, list(changes), box.request_id(), replace), actor=OWNER)


def names(box: Harness, fid: int = INBOX) -> list[str]:
    return [bag[p.PidTagRuleName] for bag in box.call(GetRules(fid), actor=OWNER)]


def test_in_the_order_in_which_they_apply(box: Harness) -> None:
    modify(
        box, RuleChange(ADD, rule("second", 20)), RuleChange(ADD, rule("first", 10)), RuleChange(ADD, rule("last", 20))
    )
    found = box.call(GetRules(INBOX), actor=OWNER)
    assert [bag[p.PidTagRuleName] for bag in found] == ["first", "second", "last"]
    ids = [bag.pop(p.PidTagRuleId) for bag in found]
    assert len(set(ids)) == 3 and all(ids)
    assert found[0] == rule("first", 10)
    assert names(box, SENT) == []


def test_change_and_remove(box: Harness) -> None:
    modify(box, RuleChange(ADD, rule("one", 1)), RuleChange(ADD, rule("two", 2)))
    one, two = (bag[p.PidTagRuleId] for bag in box.call(GetRules(INBOX)))
    modify(box, RuleChange(MODIFY, {p.PidTagRuleId: one, p.PidTagRuleSequence: 3, p.PidTagRuleState: 0}))
    box.reopen()
    found = box.call(GetRules(INBOX))
    assert [bag[p.PidTagRuleName] for bag in found] == ["two", "one"]
    assert (found[1][p.PidTagRuleId], found[1][p.PidTagRuleState], found[1][p.PidTagRuleActions]) == (one, 0, ACTIONS)
    modify(box, RuleChange(REMOVE, {p.PidTagRuleId: two}), RuleChange(REMOVE, {p.PidTagRuleId: two}))
    assert names(box) == ["one"]
    modify(box, RuleChange(ADD, rule("new")), replace=True)
    assert names(box) == ["new"]
    assert box.call(GetRules(INBOX))[0][p.PidTagRuleId] not in (one, two)
    modify(box, replace=True)
    assert names(box) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (RuleChange(MODIFY, {p.PidTagRuleId: 77}), Ec.ecNotFound),
        (RuleChange(MODIFY, {}), Ec.ecInvalidParam),
        (RuleChange(REMOVE, {p.PidTagRuleId: "x"}), Ec.ecInvalidParam),
        (RuleChange(REMOVE, {p.PidTagRuleId: 1 << 63}), Ec.ecInvalidParam),
        (RuleChange(3, rule("x")), Ec.ecInvalidParam),
        (RuleChange(ADD, {}), Ec.ecInvalidParam),
        (RuleChange(ADD, rule("x", PidTagRuleLevel=1)), Ec.ecInvalidParam),
        (RuleChange(ADD, rule("x", PidTagRuleProvider="")), Ec.ecInvalidParam),
        (RuleChange(ADD, rule("x", PidTagRuleState="1")), Ec.ecInvalidParam),
        (RuleChange(ADD, rule("x" * 300)), Ec.ecInvalidParam),
        (RuleChange(ADD, rule("x", PidTagRuleCondition=b"\x77")), Ec.ecInvalidParam),
        (RuleChange(ADD, rule("x", PidTagRuleActions=ACTIONS[:-1])), Ec.ecInvalidParam),
        (RuleChange(ADD, rule("x", PidTagRuleProviderData=bytes(70_000))), Ec.ecTooBig),
    ],
)
def test_what_is_no_rule(box: Harness, change: RuleChange, code: Ec) -> None:
    modify(box, RuleChange(ADD, rule("there")))
    good = RuleChange(ADD, rule("good"))
    assert box.refused(ModifyRules(INBOX, [good, change], b"r"), actor=OWNER) == code
    assert names(box) == ["there"]
    if change.op != ADD:
        assert box.refused(ModifyRules(INBOX, [change], b"r", True), actor=OWNER) == Ec.ecInvalidParam
        assert names(box) == ["there"]


def test_not_too_many(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "MOST_RULES", 2)
    modify(box, RuleChange(ADD, rule("1")), RuleChange(ADD, rule("2")))
    assert box.refused(ModifyRules(INBOX, [RuleChange(ADD, rule("3"))], b""), actor=OWNER) == Ec.ecNotEnoughMemory
    assert names(box) == ["1", "2"]


def test_a_repeated_request_is_done_once(box: Harness) -> None:
    call = ModifyRules(INBOX, [RuleChange(ADD, rule("once"))], b"request-of-rules")
    assert box.call(call, actor=OWNER) == box.call(call, actor=OWNER)
    assert names(box) == ["once"]


def test_the_folder_owner_s_right(box: Harness) -> None:
    for rights, allowed in ((a.READ_ANY | a.EDIT_ANY, False), (a.OWNER, True)):
        box.call(x.ModifyPermissions(INBOX, [x.PermissionChange(x.ADD, name=BOB, rights=rights)]))
        for call in (GetRules(INBOX), ModifyRules(INBOX, [RuleChange(ADD, rule("bob's"))], b"")):
            if allowed:
                box.call(call, actor=BOB)
            else:
                assert box.refused(call, actor=BOB) == Ec.ecAccessDenied
    assert names(box) == ["bob's"]
    assert box.refused(GetRules(0x99), actor=OWNER) == Ec.ecNotFound
    assert box.refused(ModifyRules(0x99, [], b""), actor=OWNER) == Ec.ecNotFound
