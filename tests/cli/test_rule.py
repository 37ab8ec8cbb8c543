"""gromoxctl rule and oof on stores that are running."""

from __future__ import annotations

import json
from typing import Any

from gromoxd.exmdb import objects as o
from gromoxd.exmdb.oofcalls import GetOof, OofSettings
from gromoxd.exmdb.rulecalls import GetRules, ModifyRules
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import FolderEntryId
from gromoxd.mapi.ids import LongTermId
from gromoxd.mapi.restrictions import And, Not, Property, RelOp, SubObject
from gromoxd.mapi.rules import (
    ActionBlock,
    ActionType,
    Bounce,
    Defer,
    ExtendedRuleActions,
    ExtendedRuleCondition,
    ForwardFlavor,
    MoveCopy,
    Reply,
    Tag,
)
from gromoxd.mapi.values import TaggedPropertyValue
from tests.cli.conftest import Ctl
from tests.cli.served import ALICE, Served
from tests.store.mapi.rulebox import DELETE, EVERYTHING, MARK_READ, containing, forwarding, moving, standard

INBOX = 0x0D


def rules(served: Served) -> list[Any]:
    found: list[Any] = served.call(GetRules(INBOX))
    return found


def fill(served: Served) -> int:
    """Two standard rules and an extended one, whose id this is."""
    to_me = SubObject(p.PidTagMessageRecipients, containing("me", p.PidTagEmailAddress))
    condition = And((containing("offer"), Not(to_me)))
    actions = (moving(0x0B), forwarding("bob@example.test", flavor=ForwardFlavor.PR), MARK_READ)
    served.call(ModifyRules(INBOX, [
        standard(condition, *actions, name="offers", sequence=10),
        standard(EVERYTHING, DELETE, name="twice", sequence=20, state=0x12),
        standard(EVERYTHING, DELETE, name="twice", state=0),
    ], b""))  # fmt: skip
    guid = b"G" * 16
    eid = FolderEntryId(guid, LongTermId(guid, 0x0A)).encode()
    extended = (
        ActionBlock(ActionType.OP_COPY, MoveCopy(True, b"", eid)), ActionBlock(ActionType.OP_BOUNCE, Bounce(0x26)),
        ActionBlock(ActionType.OP_TAG, Tag(TaggedPropertyValue(p.PidTagImportance, 2))),
        ActionBlock(ActionType.OP_REPLY, Reply(guid, message_eid=b"")),
        ActionBlock(ActionType.OP_DEFER_ACTION, Defer(b"x")),
    )  # fmt: skip
    large = ExtendedRuleCondition(Property(RelOp.GT, p.PidTagMessageSize, 9)).encode()
    saved: o.Saved = served.call(o.SaveMessage(INBOX, 0, 0, o.Changes({
        p.PidTagMessageClass: "IPM.ExtendedRule.Message", p.PidTagRuleMessageName: "wide", p.PidTagRuleMessageState: 1,
        p.PidTagRuleMessageSequence: 5, p.PidTagRuleMessageProvider: "E",
        p.PidTagExtendedRuleMessageCondition: large,
        p.PidTagExtendedRuleMessageActions: ExtendedRuleActions(extended).encode(),
    }), b"", associated=True))  # fmt: skip
    return saved.mid


def listed(ctl: Ctl, *words: str) -> list[dict[str, Any]]:
    outcome = ctl("rule", *words, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(outcome.out)
    return found


def test_list_and_show(served: Served, filled: Ctl) -> None:
    mid = fill(served)
    rows = listed(filled, "list", ALICE)
    assert [(row["name"], row["state"], row["kind"]) for row in rows] == [
        ("wide", "enabled", "extended"), ("offers", "enabled", "standard"), ("twice", "disabled", "standard"),
        ("twice", "disabled, last one", "standard"),
    ]  # fmt: skip
    assert rows[0]["rule"] == f"{mid:#x}"
    shown = [(row["what"], row["text"]) for row in listed(filled, "show", ALICE, "offers")]
    assert shown == [
        ("state", "enabled"),
        ("if", 'Subject contains "offer" and not a recipient has EmailAddress contains "me"'),
        ("then", "move to Deleted Items"), ("then", "redirect to bob@example.test"), ("then", "mark as read"),
    ]  # fmt: skip
    assert [row["text"] for row in listed(filled, "show", ALICE, f"{mid:#x}")] == [
        "enabled", "MessageSize > 9", "copy to Sent Items", "send back (DENIED)", "set Importance to 2",
        "answer the sender", "leave to the client",
    ]  # fmt: skip
    assert len(listed(filled, "show", ALICE)) == 7 + 5 + 3 + 3


def test_enable_disable_delete(served: Served, filled: Ctl) -> None:
    mid = fill(served)
    for word, state in (("disable", 0), ("enable", 1)):
        for name in ("offers", "wide"):
            assert filled("rule", word, ALICE, name).status == 0
        assert rules(served)[0][p.PidTagRuleState] == state
        assert served.call(o.OpenMessage(mid, tags=[p.PidTagRuleMessageState])).props == {
            p.PidTagRuleMessageState: state
        }
    assert filled("rule", "enable", ALICE, "offers", "--when-away").status == 0
    assert rules(served)[0][p.PidTagRuleState] == 5
    assert "several rules" in filled("rule", "delete", ALICE, "twice").err
    assert filled("rule", "delete", ALICE, "nothing").status == 1
    for row in listed(filled, "list", ALICE):
        assert filled("rule", "delete", ALICE, row["rule"]).status == 0
    assert listed(filled, "list", ALICE) == []


def test_out_of_office(served: Served, filled: Ctl) -> None:
    words = ["--state", "scheduled", "--start", "2027-01-01 08:00", "--end", "2027-01-08 17:30", "--text", "away"]
    assert filled("oof", "set", ALICE, *words, "--audience", "known", "--external-text", "out").status == 0
    assert served.call(GetOof()) == OofSettings(2, 1_798_790_400, 1_799_429_400, "away", False, "out", False, 1)
    outcome = filled("oof", "show", ALICE)
    assert "start\t2027-01-01 08:00 UTC\n" in outcome.out and "audience\tknown\n" in outcome.out
    assert filled("oof", "set", ALICE, "--state", "off", "--html").status == 0
    kept = served.call(GetOof())
    assert (kept.state, kept.text, kept.html) == (0, "away", True)
    assert filled("oof", "set", ALICE, "--start", "tomorrow").status == 1
    assert filled("oof", "set", ALICE, "--state", "scheduled", "--end", "2020-01-01 00:00").status == 1
