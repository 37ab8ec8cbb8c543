"""Rules that say where mail goes and how it is marked."""

from __future__ import annotations

import pytest

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.pages import FLAGGED, SEEN
from gromoxd.exmdb.rulecalls import MODIFY, ModifyRules, RuleChange
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import STORE_PRIVATE, FolderEntryId, StoreEntryId
from gromoxd.mapi.ids import LongTermId
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.restrictions import And, BitMask, Content, Not, Or, Property, RelOp, SubObject
from gromoxd.mapi.rules import ActionBlock, ActionType, Defer, MoveCopy, RuleState, Tag, decode_actions
from gromoxd.mapi.values import TaggedPropertyValue
from store.mapi import ruleengine
from tests.store.conftest import INBOX, OWNER, Harness
from tests.store.mapi import objects
from tests.store.mapi.rulebox import (
    DELETE,
    ENABLED,
    EVERYTHING,
    MARK_READ,
    SENDER,
    add,
    containing,
    copying,
    deliver,
    delivery,
    extended,
    folder,
    mail,
    moving,
    oof,
    sent,
    standard,
    states,
    subjects,
)

ERROR, PARSE_ERROR = int(RuleState.ST_ERROR), int(RuleState.ST_RULE_PARSE_ERROR)
EXIT, OOF_ONLY = int(RuleState.ST_EXIT_LEVEL), int(RuleState.ST_ONLY_WHEN_OOF)
ACTIONS_FOLDER = 0x02


def test_move_to_a_folder(box: Harness) -> None:
    there = folder(box, "Lists")
    add(box, standard(containing("offer"), moving(there)))
    moved = deliver(box, mail("An OFFER for you"))
    stays = deliver(box, mail("Hello"))
    assert (moved.fid, moved.uid, stays.fid) == (there, 1, INBOX)
    assert (subjects(box, there), subjects(box, INBOX)) == (["An OFFER for you"], ["Hello"])
    objects.check_references(box)


def test_copies_share_the_data(box: Harness) -> None:
    one, two = folder(box, "One"), folder(box, "Two")
    add(box, standard(EVERYTHING, copying(one), copying(two), copying(one), MARK_READ))
    stored = deliver(box, mail())
    assert stored.fid == INBOX
    dids = box.sql("SELECT fid, did, flags FROM messages ORDER BY fid")
    assert [fid for fid, _, _ in dids] == sorted([INBOX, one, two])
    assert len({did for _, did, _ in dids}) == 1 and {flags for _, _, flags in dids} == {SEEN}
    assert box.sql("SELECT count(*) FROM content") == [(1,)]
    objects.check_references(box)


def test_two_rules_that_move(box: Harness) -> None:
    one, two = folder(box, "One"), folder(box, "Two")
    add(box, standard(EVERYTHING, moving(one)), standard(EVERYTHING, moving(two), sequence=20))
    assert deliver(box, mail()).fid == one
    assert [len(subjects(box, fid)) for fid in (INBOX, one, two)] == [0, 1, 1]


def test_order_and_exit(box: Harness) -> None:
    one, two = folder(box, "One"), folder(box, "Two")
    add(
        box,
        standard(EVERYTHING, moving(two), sequence=20),
        standard(containing("last"), moving(one), sequence=10, state=ENABLED | EXIT),
        standard(EVERYTHING, MARK_READ, sequence=30, state=0),
    )
    assert deliver(box, mail("the last")).fid == one
    assert deliver(box, mail("another")).fid == two
    assert subjects(box, one) == ["the last"]
    assert box.sql("SELECT sum(flags) FROM messages") == [(0,)]


def test_rules_for_the_time_away(box: Harness) -> None:
    one = folder(box, "One")
    two = folder(box, "Two")
    add(
        box,
        standard(EVERYTHING, MARK_READ, sequence=5, state=ENABLED | EXIT),
        standard(EVERYTHING, copying(one), sequence=10, state=OOF_ONLY),
        standard(EVERYTHING, copying(two), sequence=20, state=ENABLED | OOF_ONLY | EXIT),
        standard(EVERYTHING, DELETE, sequence=30, state=ENABLED | OOF_ONLY),
    )
    deliver(box, mail("before"))
    oof(box)
    deliver(box, mail("away"))
    oof(box, state=0)
    deliver(box, mail("after"))
    assert subjects(box, INBOX) == ["before", "away", "after"]
    assert subjects(box, one) == subjects(box, two) == ["away"]


def test_what_is_deleted_can_be_recovered(box: Harness) -> None:
    add(box, standard(EVERYTHING, DELETE))
    stored = deliver(box, mail())
    assert (stored.fid, stored.uid, stored.mid) == (INBOX, 0, 0)
    assert box.sql("SELECT kind, fid FROM unlisted") == [(2, INBOX)]
    assert box.contents() == {}
    objects.check_references(box)


def test_deliveries_are_remembered_wherever_they_went(box: Harness) -> None:
    add(box, standard(EVERYTHING, DELETE))
    call = delivery(mail(), b"once-only-request")
    assert box.call(call) == box.call(call)
    assert box.sql("SELECT count(*) FROM unlisted") == [(1,)]


@pytest.mark.parametrize(
    ("condition", "matches"),
    [
        (Content(1, 1, p.PidTagBody, "the TEXT"), True),
        (Content(1, 1, p.PidTagTransportMessageHeaders, "x-special: yes"), True),
        (Property(RelOp.EQ, p.PidTagMessageToMe, True), True),
        (Property(RelOp.EQ, p.PidTagMessageCcMe, True), False),
        (Property(RelOp.EQ, p.PidTagMessageRecipientMe, True), True),
        (Property(RelOp.GT, p.PidTagMessageSize, 100_000), False),
        (Property(RelOp.GT, p.PidTagMessageSize, 100), True),
        (Property(RelOp.EQ, p.PidTagSenderSearchKey, b"SMTP:SAM@EXAMPLE.ORG\0"), True),
        (BitMask(1, p.PidTagMessageFlags, 0x10), False),
        (Property(RelOp.EQ, p.PidTagImportance, 2), True),
        (SubObject(p.PidTagMessageRecipients, Content(1, 1, p.PidTagEmailAddress, "alice@")), True),
        (SubObject(p.PidTagMessageAttachments, Property(RelOp.GT, p.PidTagAttachSize, 0)), False),
        (And((containing("hello"), Not(containing("world")))), True),
        (Or((containing("nothing"), Content(1, 1, p.PidTagSenderEmailAddress, "@example.org"))), True),
        (Property(RelOp.EQ, p.PidTagMessageClass, "IPM.Note"), True),
    ],
)  # fmt: skip
def test_conditions(box: Harness, condition: object, matches: bool) -> None:
    there = folder(box, "There")
    add(box, standard(condition, moving(there)))  # type: ignore[arg-type]
    stored = deliver(box, mail(header="X-Special: yes\r\nImportance: high\r\n"))
    assert stored.fid == (there if matches else INBOX)


def test_to_me_by_the_address_it_was_sent_to(box: Harness) -> None:
    there = folder(box, "There")
    add(box, standard(Property(RelOp.EQ, p.PidTagMessageToMe, True), moving(there)))
    assert deliver(box, mail(to="info@example.test"), recipient="info@example.test").fid == there
    assert deliver(box, mail(to="info@example.test")).fid == INBOX


def test_tags(box: Harness) -> None:
    def tag(number: int, value: object) -> ActionBlock:
        return ActionBlock(ActionType.OP_TAG, Tag(TaggedPropertyValue(number, value)))  # type: ignore[arg-type]

    add(
        box,
        standard(EVERYTHING, tag(p.PidTagImportance, 2), tag(PidNameKeywords, ["Red", "Blue"])),
        standard(EVERYTHING, tag(p.PidTagFlagStatus, 2), tag(p.PidTagSensitivity, 1), sequence=20),
    )
    stored = deliver(box, mail())
    found = box.call(o.OpenMessage(stored.mid, tags=[p.PidTagImportance, PidNameKeywords, p.PidTagSensitivity]))
    assert found.props[p.PidTagImportance] == 2 and found.props[p.PidTagSensitivity] == 1
    assert sorted(found.props[PidNameKeywords]) == ["Blue", "Red"]
    word, words = objects.flags(box, o.Saved(stored.fid, stored.mid, stored.uid, stored.cn))
    assert word == FLAGGED and sorted(words) == ["Blue", "Red"]


def test_extended_rules_run_among_the_others(box: Harness) -> None:
    one, two = folder(box, "One"), folder(box, "Two")
    identity = box.box.identity
    target = MoveCopy(True, identity.store_entryid(), identity.folder_entryid(two))
    saved = extended(box, containing("both"), ActionBlock(ActionType.OP_MOVE, target), sequence=5, state=ENABLED | EXIT)
    add(box, standard(EVERYTHING, moving(one)))
    assert (deliver(box, mail("both")).fid, deliver(box, mail("one")).fid) == (two, one)
    objects.change(box, saved, {p.PidTagRuleMessageState: 0}, associated=True)
    assert deliver(box, mail("both")).fid == one


def test_changes_of_rules_count_at_once(box: Harness) -> None:
    there = folder(box, "There")
    add(box, standard(EVERYTHING, moving(there)))
    assert deliver(box, mail()).fid == there
    rule_id = box.sql("SELECT rule_id FROM rules")[0][0]
    off = RuleChange(MODIFY, {p.PidTagRuleId: rule_id, p.PidTagRuleState: 0})
    box.call(ModifyRules(INBOX, [off], b""), actor=OWNER)
    assert deliver(box, mail()).fid == INBOX
    on = RuleChange(MODIFY, {p.PidTagRuleId: rule_id, p.PidTagRuleState: ENABLED})
    box.call(ModifyRules(INBOX, [on], b""), actor=OWNER)
    box.reopen()
    assert deliver(box, mail()).fid == there


def test_a_folder_that_is_gone_disables_the_rule(box: Harness) -> None:
    there = folder(box, "There")
    add(box, standard(EVERYTHING, moving(there), name="broken"))
    add(box, standard(EVERYTHING, MARK_READ, name="good", sequence=20))
    box.call(c.DeleteFolder(there))
    assert deliver(box, mail()).fid == INBOX
    assert states(box) == {"broken": ENABLED | ERROR, "good": ENABLED}
    assert box.flags() == {1: SEEN}
    [(mid,)] = box.sql("SELECT mid FROM messages WHERE fid=?", ACTIONS_FOLDER)
    told = objects.bag(box, mid)
    assert told[p.PidTagMessageClass] == "IPC.Microsoft Exchange 4.0.Deferred Error"
    assert (told[p.PidTagRuleError], told[p.PidTagRuleActionType], told[p.PidTagRuleActionNumber]) == (6, 1, 0)
    deliver(box, mail())
    assert len(box.contents(ACTIONS_FOLDER)) == 1


def test_what_fails_keeps_the_mail(box: Harness) -> None:
    add(box, standard(EVERYTHING, DELETE, moving(0x9999)))
    assert deliver(box, mail()).fid == INBOX
    assert len(subjects(box, INBOX)) == 1


def test_a_broken_extended_rule(box: Harness) -> None:
    saved = extended(box, EVERYTHING, DELETE)
    objects.change(box, saved, {p.PidTagExtendedRuleMessageCondition: b"\x07\x00garbage"}, associated=True)
    assert deliver(box, mail()).fid == INBOX
    assert objects.bag(box, saved.mid)[p.PidTagRuleMessageState] == ENABLED | PARSE_ERROR
    deliver(box, mail())
    assert len(box.contents(ACTIONS_FOLDER)) == 1


def test_deferred_actions(box: Harness) -> None:
    blocks = [ActionBlock(ActionType.OP_DEFER_ACTION, Defer(text)) for text in (b"one", b"two", b"three")]
    add(
        box,
        standard(EVERYTHING, blocks[0], provider="A"),
        standard(EVERYTHING, blocks[1], provider="B", sequence=20),
        standard(EVERYTHING, blocks[2], provider="A", sequence=30),
    )
    stored = deliver(box, mail())
    assert objects.bag(box, stored.mid)[p.PidTagHasDeferredActionMessages] is True
    mids = [mid for (mid,) in box.sql("SELECT mid FROM messages WHERE fid=? ORDER BY uid", ACTIONS_FOLDER)]
    bags = {objects.bag(box, mid)[p.PidTagRuleProvider]: objects.bag(box, mid) for mid in mids}
    assert sorted(bags) == ["A", "B"] and len(mids) == 2
    assert decode_actions(bags["A"][p.PidTagClientActions]) == (blocks[0], blocks[2])
    assert len(bags["A"][p.PidTagRuleIds]) == 16
    assert bags["B"][p.PidTagDamOriginalEntryId] == box.box.identity.message_entryid(stored.fid, stored.mid)


def test_another_store_of_ours(box: Harness) -> None:
    guid = b"B" * 16
    store = StoreEntryId(b"example.test", b"bob@example.test", STORE_PRIVATE).encode()
    target = MoveCopy(False, store, FolderEntryId(guid, LongTermId(guid, 0x0D)).encode())
    add(box, standard(containing("bob"), ActionBlock(ActionType.OP_MOVE, target)))
    assert deliver(box, mail("for bob")).mid == 0
    [one] = sent(box)
    assert (one.sender, one.recipients, one.options.store, one.options.folder) == (
        OWNER, ["bob@example.test"], "bob@example.test", 0x0D)  # fmt: skip
    assert one.raw == mail("for bob")
    assert box.sql("SELECT count(*) FROM content") == [(1,)]


def test_no_room_for_copies(box: Harness) -> None:
    there = folder(box, "There")
    add(box, standard(EVERYTHING, copying(there), name="copies"))
    box.call(c.SetQuota(0, len(mail()) + 50))
    assert deliver(box, mail()).fid == INBOX
    assert (subjects(box, there), states(box)) == ([], {"copies": ENABLED})


@pytest.mark.parametrize(
    "header",
    [
        "X-Spam-Flag: YES\r\n", "X-Spam: Yes\r\n", "X-Spam-Status: Yes, score=9\r\n",
        "X-Rspamd-Action: add header\r\n", "X-MS-Exchange-Organization-SCL: 7\r\n",
    ],
)  # fmt: skip
def test_spam(box: Harness, header: str) -> None:
    add(box, standard(EVERYTHING, MARK_READ))
    stored = deliver(box, mail(header=header))
    assert stored.fid == 0x17
    assert objects.bag(box, stored.mid)[p.PidTagContentFilterSpamConfidenceLevel] == 9
    assert box.flags(0x17) == {1: 0}


def test_no_spam(box: Harness) -> None:
    header = "X-Spam-Flag: NO\r\nX-Spam-Status: No\r\nX-MS-Exchange-Organization-SCL: 1\r\nX-Not-Spam-Flag: yes\r\n"
    assert deliver(box, mail(header=header)).fid == INBOX
    assert deliver(box, mail(body="X-Spam-Flag: YES")).fid == INBOX


def test_the_owner_may_want_spam_in_the_inbox(box: Harness) -> None:
    extended(box, EVERYTHING, DELETE, provider="JunkEmailRule", state=0)
    assert deliver(box, mail(header="X-Spam-Flag: YES\r\n")).fid == INBOX


def test_delegates_are_told_whom_it_was_for(box: Harness) -> None:
    stored = deliver(box, mail(), represents="bob@example.test")
    bag = objects.bag(box, stored.mid)
    assert bag[p.PidTagDelegatedByRule] is True
    assert bag[p.PidTagReceivedRepresentingEmailAddress] == "bob@example.test"
    assert bag[p.PidTagSenderEmailAddress] == SENDER


def test_bugs_do_not_lose_mail(box: Harness, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    there = folder(box, "There")
    add(box, standard(EVERYTHING, moving(there)))

    def broken(run: object) -> None:
        raise KeyError("bug")

    monkeypatch.setattr(ruleengine, "apply", broken)
    assert deliver(box, mail()).fid == INBOX
    assert "rules failed" in caplog.text
    monkeypatch.undo()
    assert deliver(box, mail()).fid == there
