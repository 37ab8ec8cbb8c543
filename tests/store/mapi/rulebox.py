"""Mailboxes with rules, mail that is delivered to them, and what they send because of it."""

from __future__ import annotations

from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from typing import Any, NamedTuple

import msgspec

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.oofcalls import OofSettings, SetOof
from gromoxd.exmdb.outgoing import Options
from gromoxd.exmdb.rulecalls import ADD, GetRules, ModifyRules, RuleChange
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import ServerId, eid_int
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.restrictions import Content, Exist, Restriction, encode_restriction
from gromoxd.mapi.rules import (
    ActionBlock,
    ActionType,
    ExtendedRuleActions,
    ExtendedRuleCondition,
    Forward,
    MoveCopy,
    RecipientBlock,
    RuleState,
    encode_actions,
)
from gromoxd.mapi.values import TaggedPropertyValue
from tests.store.conftest import INBOX, OWNER, Harness
from tests.store.mapi import objects

SENDER = "sam@example.org"
ENABLED = int(RuleState.ST_ENABLED)
EVERYTHING = Exist(p.PidTagMessageClass)


def mail(
    subject: str = "Hello", to: str = OWNER, header: str = "", body: str = "The text.", sender: str = SENDER
) -> bytes:  # fmt: skip
    return (
        f"Return-Path: <{sender}>\r\nDelivered-To: {OWNER}\r\nReceived: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
        f"From: Sam <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <m1@example.org>\r\n{header}"
        f"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\n{body}\r\n"
    ).encode()


def delivery(raw: bytes, request_id: bytes, sender: str = SENDER, **more: Any) -> c.Deliver:
    received = 1_800_000_000
    message = c.NewMessage(digest_message(raw, received=received), raw, received)
    return c.Deliver(message, sender, request_id, b"", **({"recipient": OWNER} | more))


def deliver(box: Harness, raw: bytes, sender: str = SENDER, **more: Any) -> c.Stored:
    stored: c.Stored = box.call(delivery(raw, box.request_id(), sender, **more))
    return stored


# ------------------------------------------------------------------------------------------ rules


def containing(word: str, tag: int = p.PidTagSubject) -> Restriction:
    return Content(1, 1, tag, word)


def standard(
    condition: Restriction, *actions: ActionBlock, name: str = "rule", sequence: int = 10, state: int = ENABLED,
    provider: str = "RuleOrganizer",
) -> RuleChange:  # fmt: skip
    return RuleChange(ADD, {
        p.PidTagRuleName: name, p.PidTagRuleSequence: sequence, p.PidTagRuleState: state, p.PidTagRuleLevel: 0,
        p.PidTagRuleProvider: provider, p.PidTagRuleCondition: encode_restriction(condition),
        p.PidTagRuleActions: encode_actions(actions),
    })  # fmt: skip


def add(box: Harness, *rules: RuleChange) -> None:
    box.call(ModifyRules(INBOX, list(rules), box.request_id()), actor=OWNER)


def extended(
    box: Harness, condition: Restriction, *actions: ActionBlock, name: str = "extended", sequence: int = 10,
    state: int = ENABLED, provider: str = "ExtendedRules", names: Sequence[tuple[int, PropertyName]] = (),
) -> o.Saved:  # fmt: skip
    return objects.save(box, {
        p.PidTagMessageClass: "IPM.ExtendedRule.Message", p.PidTagRuleMessageName: name,
        p.PidTagRuleMessageSequence: sequence, p.PidTagRuleMessageState: state, p.PidTagRuleMessageProvider: provider,
        p.PidTagRuleMessageLevel: 0,
        p.PidTagExtendedRuleMessageCondition: ExtendedRuleCondition(condition, tuple(names)).encode(),
        p.PidTagExtendedRuleMessageActions: ExtendedRuleActions(tuple(actions), tuple(names)).encode(),
    }, associated=True)  # fmt: skip


def moving(fid: int, kind: int = ActionType.OP_MOVE) -> ActionBlock:
    return ActionBlock(kind, MoveCopy(True, b"", ServerId(eid_int(1, fid)).encode()))


def copying(fid: int) -> ActionBlock:
    return moving(fid, ActionType.OP_COPY)


def forwarding(*addresses: str, flavor: int = 0, kind: int = ActionType.OP_FORWARD) -> ActionBlock:
    blocks = tuple(
        RecipientBlock((
            TaggedPropertyValue(p.PidTagDisplayName, address), TaggedPropertyValue(p.PidTagEmailAddress, address),
            TaggedPropertyValue(p.PidTagAddressType, "SMTP"), TaggedPropertyValue(p.PidTagRecipientType, 1),
        ))
        for address in addresses
    )  # fmt: skip
    return ActionBlock(kind, Forward(blocks), flavor)


DELETE, MARK_READ = ActionBlock(ActionType.OP_DELETE), ActionBlock(ActionType.OP_MARK_AS_READ)


def states(box: Harness) -> dict[str, int]:
    return {bag[p.PidTagRuleName]: bag[p.PidTagRuleState] for bag in box.call(GetRules(INBOX))}


# ------------------------------------------------------------------------------------------ what comes of it


def folder(box: Harness, name: str) -> int:
    made: c.Folder = box.call(c.CreateFolder(name, request_id=box.request_id()))
    return made.fid


def subjects(box: Harness, fid: int) -> list[str]:
    """Of the messages in a folder, in the order of their uids."""
    found = []
    for raw in box.contents(fid).values():
        found.append(str(message_from_bytes(raw)["Subject"]))
    return found


class Sent(NamedTuple):
    """A row of the table of outgoing mail."""

    sender: str
    recipients: list[str]
    raw: bytes
    options: Options

    @property
    def message(self) -> Message:
        return message_from_bytes(self.raw)


def sent(box: Harness) -> list[Sent]:
    content = box.box._runner.tx.content
    found = []
    for sender, recipients, options, cid, offset, head in box.sql(
        "SELECT sender, recipients, options, cid, offset, head FROM outgoing ORDER BY id"
    ):
        raw = head + (content.get(cid)[offset:] if cid else b"")
        told = msgspec.msgpack.decode(options, type=Options)
        found.append(Sent(sender, msgspec.msgpack.decode(recipients), raw, told))
    return found


def taken(box: Harness) -> list[Sent]:
    """The same; the relay has taken them then."""
    from gromoxd.exmdb.outgoing import OutgoingTaken

    found = sent(box)
    box.call(OutgoingTaken([id_ for (id_,) in box.sql("SELECT id FROM outgoing")]))
    return found


def oof(box: Harness, **settings: Any) -> None:
    values: dict[str, Any] = {"state": 1, "text": "I am away.", "external_text": "Away.", "audience": 2}
    box.call(SetOof(OofSettings(**(values | settings))), actor=OWNER)
