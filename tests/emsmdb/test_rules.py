"""Rules: what they are completed with before the store sees them; deferred actions."""

from __future__ import annotations

from gromoxd.directory import dn
from gromoxd.errors import Ec
from gromoxd.exmdb.rulecalls import GetRules
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi import rules as m
from gromoxd.mapi.entryids import AddressBookEntryId, StoreEntryId
from gromoxd.mapi.ids import eid_value
from gromoxd.mapi.restrictions import Exist, encode_restriction
from gromoxd.mapi.values import TaggedPropertyValue as Value
from gromoxd.rop import rights as rr
from tests.emsmdb.world import BOB, DOMAIN, INBOX, Client, EmsmdbWorld
from workers.http.emsmdb.tableobject import TableObject


def rule(*actions: m.ActionBlock, name: object = "Rule", tag: int = p.PidTagRuleName) -> m.RuleData:
    return m.RuleData(
        1,
        (
            Value(tag, name),  # type: ignore[arg-type]
            Value(p.PidTagRuleSequence, 10),
            Value(p.PidTagRuleState, 1),
            Value(p.PidTagRuleProvider, "RuleOrganizer"),
            Value(p.PidTagRuleLevel, 0),
            Value(p.PidTagRuleCondition, encode_restriction(Exist(p.PidTagSubject))),
            Value(p.PidTagRuleActions, m.encode_actions(actions)),
        ),
    )


def forward(world: EmsmdbWorld, *values: Value) -> m.ActionBlock:
    return m.ActionBlock(m.ActionType.OP_FORWARD, m.Forward((m.RecipientBlock(values),)))


def stored(world: EmsmdbWorld) -> list[dict[int, object]]:
    found: list[dict[int, object]] = world.account().call(GetRules(INBOX))
    return found


def actions(bag: dict[int, object]) -> tuple[m.ActionBlock, ...]:
    value = bag[p.PidTagRuleActions]
    assert isinstance(value, bytes)
    return m.decode_actions(value)


def test_recipients_get_addresses(world: EmsmdbWorld, alice: Client) -> None:
    bob = world.site.people.dn_of(world.bob)
    alice.folder(INBOX, 1)
    blocks = [
        forward(world, Value(p.PidTagAddressType, "EX"), Value(p.PidTagEmailAddress, bob)),
        forward(world, Value(p.PidTagEntryId, AddressBookEntryId(bob).encode())),
    ]
    alice.one(rr.ModifyRules(0, 1, 0, [rule(*blocks)]), rr.ModifyRulesResponse)
    for block in actions(stored(world)[0]):
        assert isinstance(block.action_data, m.Forward)
        assert block.action_data.recipient_blocks[0].property_values[-1] == Value(p.PidTagSmtpAddress, BOB)


def test_other_stores_get_their_owners_addresses(world: EmsmdbWorld, alice: Client) -> None:
    alice.folder(INBOX, 1)
    bobs = StoreEntryId(b"server", world.site.people.dn_of(world.bob).encode(), server_dn=b"/o=x", server_fqdn="x")
    public = StoreEntryId(dn.mailbox_id(7, 0, DOMAIN).encode(), None)
    moves = [
        m.ActionBlock(m.ActionType.OP_MOVE, m.MoveCopy(False, entry_id.encode(), b"folder"))
        for entry_id in (bobs, public)
    ]
    alice.one(rr.ModifyRules(0, 1, 0, [rule(*moves)]), rr.ModifyRulesResponse)
    found = [block.action_data for block in actions(stored(world)[0])]
    names = [StoreEntryId.decode(one.store_eid).smtp_address for one in found if isinstance(one, m.MoveCopy)]
    assert names == [BOB, DOMAIN]


def test_rules_are_changed_and_removed(world: EmsmdbWorld, alice: Client) -> None:
    alice.folder(INBOX, 1)
    delete = m.ActionBlock(m.ActionType.OP_DELETE)
    alice.one(
        rr.ModifyRules(0, 1, 1, [rule(delete, name=b"Gr\xfcn", tag=p.PidTagRuleName - 1)]), rr.ModifyRulesResponse
    )
    (found,) = stored(world)
    assert found[p.PidTagRuleName] == "Grün"
    number = found[p.PidTagRuleId]
    assert isinstance(number, int)
    eid = Value(p.PidTagRuleId, eid_value(1, number))
    alice.one(rr.ModifyRules(0, 1, 0, [m.RuleData(2, (eid, Value(p.PidTagRuleName, "Blau")))]), rr.ModifyRulesResponse)
    assert stored(world)[0][p.PidTagRuleName] == "Blau"
    alice.one(rr.GetRulesTable(0, 1, 2, 0x40), rr.GetRulesTableResponse)
    table = alice.session.objects[alice.handles[2]]
    assert isinstance(table, TableObject)
    assert table.total() == 1
    alice.one(rr.ModifyRules(0, 1, 0, [m.RuleData(4, (eid,))]), rr.ModifyRulesResponse)
    assert stored(world) == []
    assert alice.fails(rr.ModifyRules(0, 1, 2, [])) == Ec.ecInvalidParam
    assert alice.fails(rr.GetRulesTable(0, 1, 3, 0x41)) == Ec.ecNotSupported
    alice.one(rr.GetRulesTable(0, 1, 3, 0), rr.GetRulesTableResponse)


def test_a_guest_has_no_rules(world: EmsmdbWorld, bob: Client) -> None:
    world.grant(INBOX, BOB, 0x47B)
    bob.logon(1, 1, world.alice)
    bob.folder(INBOX, 2, 1, 1)
    assert bob.fails(rr.GetRulesTable(1, 2, 3, 0x40)) == Ec.ecAccessDenied
    request = rr.ModifyRules(1, 2, 0, [rule(m.ActionBlock(m.ActionType.OP_DELETE))])
    assert bob.fails(request) == Ec.ecAccessDenied


def test_deferred_actions_learn_the_clients_entry_id(world: EmsmdbWorld, alice: Client) -> None:
    deferred = 2
    mids = []
    for original in (b"server", b"other"):
        message = WorkingMessage.create(world.account(), deferred)
        message.set({p.PidTagMessageClass: "IPC.Microsoft Exchange 4.0.Deferred Action",
                     p.PidTagDamOriginalEntryId: original, p.PidTagDamBackPatched: False})  # fmt: skip
        mids.append(message.save().mid)
    alice.one(rr.UpdateDeferredActionMessages(0, 0, b"server", b"client"), rr.UpdateDeferredActionMessagesResponse)
    values = [WorkingMessage.open(world.account(), mid) for mid in mids]
    assert [one.get(p.PidTagDamOriginalEntryId) for one in values] == [b"client", b"other"]
    assert [one.get(p.PidTagDamBackPatched) for one in values] == [True, False]
