"""Ids of the original mailbox in values and rules, made those of the mailbox that takes its place.

Entry ids of folders and messages name the mailbox's GUID and counters ([MS-OXCDATA] 2.2.4.1, 2.2.4.2); rules of folders
have 64-bit ids in server ids ([MS-OXORULE] 2.2.5.1.2.1.1). What names another mailbox stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi.entryids import MUID_STORE_WRAP, PUBLIC_FOLDERS, FolderEntryId, MessageEntryId
from gromoxd.mapi.ids import LongTermId, ServerId, eid_int, eid_split
from gromoxd.mapi.proptags import PidTagExtendedRuleMessageActions
from gromoxd.mapi.restrictions import Restriction, map_tags
from gromoxd.mapi.rules import ActionBlock, ExtendedRuleActions, Forward, MoveCopy, RecipientBlock, Reply, Tag
from gromoxd.mapi.values import TaggedPropertyValue

_FOLDER, _MESSAGE = 46, 70
_STORE: Final = b"\0\0\0\0" + MUID_STORE_WRAP
OWN_REPLID: Final = 1


@dataclass(slots=True)
class Rewriter:
    """`old`, `new`: GUIDs of the mailboxes. `fids`, `mids`: ids there -> ids here. `store`: our store's entry id."""

    old: bytes
    new: bytes
    public: bool
    store: bytes
    fids: dict[int, int] = field(default_factory=dict)
    mids: dict[int, int] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------ values

    def item(self, item: Item) -> None:
        """The entry ids in all values of an item."""
        self.values(item.props)
        for bag in item.recipients:
            self.values(bag)
        for attachment in item.attachments:
            self.values(attachment.props)

    def values(self, bag: dict[int, Any]) -> None:
        """The entry ids in a bag; that of the store too when it stands beside one of the original mailbox."""
        mine = False
        for tag, value in bag.items():
            if isinstance(value, bytes):
                made = self.entryid(value)
                if made is not value:
                    bag[tag], mine = made, True
            elif isinstance(value, list) and value and isinstance(value[0], bytes):
                bag[tag] = [self.entryid(one) for one in value]
        if mine:
            for tag, value in bag.items():
                if isinstance(value, bytes) and value.startswith(_STORE):
                    bag[tag] = self.store
        actions = bag.get(PidTagExtendedRuleMessageActions)
        if isinstance(actions, bytes):
            bag[PidTagExtendedRuleMessageActions] = self._extended(actions)

    def entryid(self, value: bytes) -> bytes:
        """The same octets when they are no entry id of the original mailbox."""
        if len(value) not in (_FOLDER, _MESSAGE) or not self._is_old(value[4:20]):
            return value
        try:
            if len(value) == _FOLDER:
                folder = FolderEntryId.decode(value)
                return replace(folder, provider=self._provider, folder=self._long(folder.folder, self.fids)).encode()
            message = MessageEntryId.decode(value)
            return replace(
                message, provider=self._provider, folder=self._long(message.folder, self.fids),
                message=self._long(message.message, self.mids),
            ).encode()  # fmt: skip
        except (WireError, KeyError):
            return value

    def _is_old(self, provider: bytes) -> bool:
        return provider == (PUBLIC_FOLDERS if self.public else self.old) and bool(self.old)

    @property
    def _provider(self) -> bytes:
        return PUBLIC_FOLDERS if self.public else self.new

    def _long(self, found: LongTermId, known: dict[int, int]) -> LongTermId:
        """KeyError for what was not migrated."""
        return LongTermId(self.new, known[found.counter])

    # ------------------------------------------------------------------------------------------ rules

    def _extended(self, data: bytes) -> bytes:
        """The actions of an extended rule, which name folders by entry ids ([MS-OXORULE] 2.2.4.1.9)."""
        try:
            found = ExtendedRuleActions.decode(data)
            return found._replace(actions=tuple([self._wide(action) for action in found.actions])).encode()
        except WireError:
            return data

    def _wide(self, action: ActionBlock) -> ActionBlock:
        data = action.action_data
        if isinstance(data, MoveCopy):
            own = self.entryid(data.folder_eid)
            store = self.store if own is not data.folder_eid else data.store_eid
            return replace(action, action_data=replace(data, store_eid=store, folder_eid=own))
        if isinstance(data, Reply):
            return replace(action, action_data=replace(data, message_eid=self.entryid(data.message_eid)))
        return action

    def action(self, action: ActionBlock, tag_of: Callable[[int], int]) -> ActionBlock:
        """An action of a standard rule. `tag_of`: tags of the original mailbox to ours. WireError when it cannot be."""
        data = action.action_data
        if isinstance(data, MoveCopy) and data.folder_in_this_store:
            fid = eid_split(data.server_id.fid)[1]
            if fid not in self.fids:
                raise WireError(f"it moves to folder {fid:#x}, which was not migrated")
            server = ServerId(eid_int(OWN_REPLID, self.fids[fid]))
            data = replace(data, store_eid=b"", folder_eid=server.encode())
        elif isinstance(data, Reply):
            fid, mid = eid_split(data.template_fid)[1], eid_split(data.template_mid)[1]
            if fid not in self.fids or mid not in self.mids:
                raise WireError("its template was not migrated")
            fid, mid = eid_int(OWN_REPLID, self.fids[fid]), eid_int(OWN_REPLID, self.mids[mid])
            data = replace(data, template_fid=fid, template_mid=mid)
        elif isinstance(data, Tag):
            tag, value = data.property_value
            data = Tag(TaggedPropertyValue(tag_of(tag), value))
        elif isinstance(data, Forward):
            data = Forward(tuple([_renamed(block, tag_of) for block in data.recipient_blocks]))
        return replace(action, action_data=data)

    def condition(self, condition: Restriction, tag_of: Callable[[int], int]) -> Restriction:
        """The condition of a standard rule."""
        return map_tags(condition, tag_of)


def _renamed(block: RecipientBlock, tag_of: Callable[[int], int]) -> RecipientBlock:
    return RecipientBlock(
        tuple([TaggedPropertyValue(tag_of(tag), value) for tag, value in block.property_values]), block.reserved
    )
