"""Rules as a broken or hostile client writes them: the mail is there whatever they are, and soon."""

from __future__ import annotations

import logging
import random
import time

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.rulecalls import ADD, GetExtendedRules, GetRules, ModifyRules, RuleChange
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Content, Or, SubObject, encode_restriction
from gromoxd.mapi.rules import ActionType, ExtendedRuleActions, ExtendedRuleCondition, RuleState, encode_actions
from tests.hostile.mails import MAILS
from tests.hostile.rules import action, condition, spoiled
from tests.store.conftest import INBOX, OWNER, Harness
from tests.store.mapi import rulebox as r
from tests.store.mapi.objects import save

KINDS = ("mixed", "winmail", "request", "bounce", "html", "nested", "8-bit")


def install(box: Harness, chance: random.Random, folders: tuple[int, ...]) -> set[int]:
    """A standard or an extended rule, if the store takes it; what its actions are, none when that is not known."""
    wanted = tuple(action(chance, folders) for _ in range(chance.randrange(1, 4)))
    state = int(RuleState.ST_ENABLED) | chance.choice((0, 0, 0, 4, 8, 0x10))
    if chance.random() < 0.5:
        test = spoiled(encode_restriction(condition(chance)), chance)
        acts = spoiled(encode_actions(wanted), chance)
        change = RuleChange(ADD, {
            p.PidTagRuleName: "fuzz", p.PidTagRuleSequence: chance.randrange(20), p.PidTagRuleState: state,
            p.PidTagRuleLevel: 0, p.PidTagRuleProvider: "RuleOrganizer", p.PidTagRuleCondition: test,
            p.PidTagRuleActions: acts,
        })  # fmt: skip
        try:
            box.call(ModifyRules(INBOX, [change], box.request_id()), actor=OWNER)
        except MapiError as error:
            assert error.code in (Ec.ecInvalidParam, Ec.ecTooBig), error
        return {int(block.action_type) for block in wanted} if acts == encode_actions(wanted) else set()
    save(box, {
        p.PidTagMessageClass: "IPM.ExtendedRule.Message", p.PidTagRuleMessageName: "fuzz",
        p.PidTagRuleMessageSequence: chance.randrange(20), p.PidTagRuleMessageState: state,
        p.PidTagRuleMessageProvider: "x", p.PidTagRuleMessageLevel: 0,
        p.PidTagExtendedRuleMessageCondition: spoiled(ExtendedRuleCondition(condition(chance), ()).encode(), chance),
        p.PidTagExtendedRuleMessageActions: spoiled(ExtendedRuleActions(
            tuple(block for block in wanted if block.action_type not in (1, 2, 3, 4)), ()).encode(), chance),
    }, associated=True)  # fmt: skip
    return set()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_no_rules_lose_mail(box: Harness, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Each mail is somewhere, kept or sent back or away, unless a rule that deletes was written."""
    chance = random.Random(seed)
    folders = (r.folder(box, "One"), r.folder(box, "Two"))
    r.oof(box)
    for number in range(25):
        kinds = install(box, chance, folders)
        raw = MAILS[chance.choice(KINDS)]
        begun = time.thread_time()
        with caplog.at_level(logging.ERROR):
            stored = r.deliver(
                box,
                raw,
                sender=chance.choice(("sam@example.org", "", OWNER)),
                booking=c.Booking(accepts=chance.random() < 0.2),
            )
        assert time.thread_time() - begun < 1
        assert [record.getMessage() for record in caplog.records] == [], f"seed {seed}, rule {number}: {kinds}"
        if stored.mid:
            (content,) = box.call(c.GetContents(stored.fid, [(stored.uid, stored.uid)]))
            assert content.raw == raw
            box.call(o.OpenMessage(stored.mid))
        box.call(GetRules(INBOX), actor=OWNER)
        box.call(GetExtendedRules(INBOX), actor=OWNER)


def test_a_rule_without_an_action_that_takes_mail_away_keeps_it(box: Harness) -> None:
    """The same with rules that neither delete nor refuse nor send away: all mail is in a folder."""
    chance = random.Random(99)
    folders = (r.folder(box, "One"), r.folder(box, "Two"))
    kept = (ActionType.OP_MOVE, ActionType.OP_COPY, ActionType.OP_TAG, ActionType.OP_MARK_AS_READ,
            ActionType.OP_FORWARD, ActionType.OP_REPLY, ActionType.OP_DEFER_ACTION)  # fmt: skip
    taken = 0
    for number in range(60):
        blocks = [one for one in (action(chance, folders) for _ in range(6)) if one.action_type in kept]
        try:
            r.add(box, r.standard(condition(chance), *blocks, name=f"rule {number}"))
            taken += 1
        except MapiError as error:
            assert error.code == Ec.ecInvalidParam
        stored = r.deliver(box, MAILS["mixed"])
        assert stored.mid and box.contents(stored.fid)[stored.uid] == MAILS["mixed"]
    assert taken > 20


def test_the_owner_is_told_once(box: Harness) -> None:
    """A rule that can never work is turned off, with one message in the folder of deferred actions."""
    r.add(box, r.standard(r.EVERYTHING, r.moving(0x7FFFFFFF), name="nowhere"))
    for _ in range(3):
        assert r.deliver(box, MAILS["mixed"]).fid == INBOX
    assert r.states(box)["nowhere"] & RuleState.ST_ERROR
    assert len(box.sql("SELECT mid FROM messages WHERE fid=2")) == 1


@pytest.mark.slow
def test_the_most_and_the_largest_rules_take_bounded_time(box: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Rules of 60 KB over a body of a megabyte and a thousand recipients."""
    words = tuple(Content(1, 1, p.PidTagBody, f"never {number}") for number in range(1500))
    people = tuple(
        SubObject(p.PidTagMessageRecipients, Content(1, 1, p.PidTagEmailAddress, f"zz{n}")) for n in range(900)
    )
    for number in range(20):
        r.add(
            box, r.standard(Or(words), r.DELETE, name=f"w{number}"), r.standard(Or(people), r.DELETE, name=f"p{number}")
        )
    to = ", ".join(f"person{number}@example.org" for number in range(1000))
    raw = r.mail(header=f"Cc: {to}\r\n", body="some words of a text " * 50_000)
    begun = time.perf_counter()
    with caplog.at_level(logging.WARNING):
        stored = r.deliver(box, raw)
    assert stored.fid == INBOX and box.contents()[stored.uid] == raw
    assert time.perf_counter() - begun < 8
    assert "rules take too long" in caplog.messages
