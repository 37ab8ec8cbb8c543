"""What ROPs on rules do ([MS-OXORULE] 3.2.5). The store sends and moves by addresses: it is told those behind DNs."""

from __future__ import annotations

import dataclasses
import os
from typing import Final

from gromoxd.directory import dn
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import rulecalls as u
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi import rules as m
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import StoreEntryId
from gromoxd.mapi.flags import OpenModeFlags
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.restrictions import Property, RelOp, encode_restriction
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.rop import rights as w
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder, Logon
from workers.http.emsmdb.tableobject import TableObject
from workers.http.people import People

_UNICODE: Final = 0x40
"""The one bit of RopGetRulesTable's TableFlags ([MS-OXORULE] 2.2.2.1)."""
_REPLACE: Final = int(m.ModifyRulesFlags.Replace)
DEFERRED_ACTION: Final = 1
"""The place of the Deferred Action folder in a logon's answer."""
MOST_DEFERRED: Final = 1000
_STRING, _STRING8 = int(PropType.PtypString), int(PropType.PtypString8)


@handles(w.GetRulesTable)
def get_rules_table(call: Call, request: w.GetRulesTable) -> w.GetRulesTableResponse:
    """[MS-OXORULE] 3.2.5.3. ecNotSupported: flags that are none."""
    folder = call.object(Folder)
    if request.table_flags & ~_UNICODE:
        raise MapiError(Ec.ecNotSupported, f"TableFlags {request.table_flags:#x}")
    table = t.Table(t.RULES, folder.fid)
    folder.logon.account.call(t.QueryRows(table, [], 0, 0))
    made = TableObject(folder.logon, table)
    call.put(request.output, made)
    return w.GetRulesTableResponse(request.output, 0)


@handles(w.ModifyRules)
def modify_rules(call: Call, request: w.ModifyRules) -> w.ModifyRulesResponse:
    """[MS-OXORULE] 3.2.5.2."""
    folder, flags = call.object(Folder), request.modify_rules_flags
    if flags & ~_REPLACE:
        raise MapiError(Ec.ecInvalidParam, f"flags {flags:#x}")
    changes = [u.RuleChange(one.flags, _rule(call, folder.logon, one)) for one in request.rules_data]
    folder.logon.account.call(u.ModifyRules(folder.fid, changes, os.urandom(16), bool(flags)))
    return w.ModifyRulesResponse(request.index, 0)


def _rule(call: Call, logon: Logon, data: m.RuleData) -> Bag:
    """The properties of a rule; ids of rules are the store's counters."""
    bag: Bag = {}
    for tag, value in data.property_values:
        if tag & 0xFFFF == _STRING8 and isinstance(value, bytes):
            tag, value = tag - _STRING8 + _STRING, codepages.decode(value, call.session.code_page)
        bag[tag] = value
    number = bag.get(p.PidTagRuleId)
    if isinstance(number, int):
        bag[p.PidTagRuleId] = logon.counter(number & 0xFFFF_FFFF_FFFF_FFFF)
    actions = bag.get(p.PidTagRuleActions)
    if isinstance(actions, bytes):
        bag[p.PidTagRuleActions] = completed(call.session.site.people, actions)
    return bag


# ---------------------------------------------------------------------------------------------- actions


def completed(people: People, actions: bytes, wide: bool = False) -> bytes:
    """Actions whose recipients have SMTP addresses, and whose stores their owners'. WireError."""
    blocks = m.decode_actions(actions, wide)
    done = [_action(people, one) for one in blocks]
    return actions if done == list(blocks) else m.encode_actions(done, wide)


def _action(people: People, block: m.ActionBlock) -> m.ActionBlock:
    data = block.action_data
    if isinstance(data, m.Forward):
        recipients = tuple([_recipient(people, one) for one in data.recipient_blocks])
        return dataclasses.replace(block, action_data=m.Forward(recipients))
    if isinstance(data, m.MoveCopy) and not data.folder_in_this_store:
        return dataclasses.replace(
            block, action_data=dataclasses.replace(data, store_eid=_store(people, data.store_eid))
        )
    return block


def _recipient(people: People, block: m.RecipientBlock) -> m.RecipientBlock:
    bag = {tag >> 16: value for tag, value in block.property_values}
    if p.PidTagSmtpAddress >> 16 in bag:
        return block
    kind, address = _string(bag.get(p.PidTagAddressType >> 16)), _string(bag.get(p.PidTagEmailAddress >> 16))
    entry_id = bag.get(p.PidTagEntryId >> 16)
    if not kind and isinstance(entry_id, bytes):
        found = people.address_of_entry(entry_id)
    else:
        found = people.address_of(kind, address)
    if not found:
        return block
    return m.RecipientBlock(
        (*block.property_values, TaggedPropertyValue(p.PidTagSmtpAddress, found)), block.reserved
    )  # fmt: skip


def _string(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def _store(people: People, entry_id: bytes) -> bytes:
    """A store's entry id that says whose it is by a name that the store knows: an address, or a domain."""
    try:
        found = StoreEntryId.decode(entry_id)
    except WireError:
        return entry_id
    if found.smtp_address:
        return entry_id
    owner = ""
    if found.mailbox_dn:
        owner = people.address_of("EX", _string(found.mailbox_dn))
    else:
        mailbox = dn.parse_mailbox_id(_string(found.server))
        owner = mailbox.domain if mailbox is not None and not mailbox.user_id else ""
    if not owner:
        return entry_id
    return dataclasses.replace(found, server_dn=None, server_fqdn=None, smtp_address=owner).encode()


# ---------------------------------------------------------------------------------------------- deferred actions


@handles(w.UpdateDeferredActionMessages)
def update_deferred(call: Call, request: w.UpdateDeferredActionMessages) -> w.UpdateDeferredActionMessagesResponse:
    """[MS-OXORULE] 3.2.5.3: what names a message by the server's entry id from now on has the client's."""
    logon = call.object(Logon)
    if logon.public:
        raise MapiError(Ec.ecNotSupported, "public store")
    same = Property(RelOp.EQ, p.PidTagDamOriginalEntryId, request.server_entry_id)
    table = t.Table(t.CONTENTS, logon.info.folders[DEFERRED_ACTION], restriction=encode_restriction(same))
    for (eid,) in logon.account.call(t.QueryRows(table, [p.PidTagMid], 0, MOST_DEFERRED)).rows:
        message = WorkingMessage.open(logon.account, eid_split(eid)[1], OpenModeFlags.ReadWrite)
        try:
            message.set({p.PidTagDamOriginalEntryId: request.client_entry_id, p.PidTagDamBackPatched: True})
            message.save()
        finally:
            message.discard()
    return w.UpdateDeferredActionMessagesResponse(request.index, 0)
