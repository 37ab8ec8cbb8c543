"""Messages, recipients and attachments of a file ([MS-PST] 2.4.5, 2.4.6) as items.

An item has the properties that say something of the message; those that the file keeps for itself (ids of rows and
of replication, [MS-PST] 2.5.3) stay behind. The subject loses the two characters that mark its prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.pst.heap import Heap
from gromoxd.convert.pst.names import NameMap
from gromoxd.convert.pst.ndb import Budget, Ndb, Node
from gromoxd.convert.pst.tables import Table
from gromoxd.convert.pst.values import PropertyContext
from gromoxd.errors import WireError
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.codepages import CODE_PAGES, UTF8
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachMethod,
    PidTagHtml,
    PidTagInternetCodepage,
    PidTagMessageCodepage,
    PidTagNormalizedSubject,
    PidTagSubject,
    PidTagSubjectPrefix,
)

_NID_ATTACHMENT_TABLE: Final = 0x671
_NID_RECIPIENT_TABLE: Final = 0x692
_TYPE_ATTACHMENT: Final = 0x05
_DEEPEST: Final = 16
_OBJECT_COST: Final = 4096
_EMBEDDED_MESSAGE: Final = 5
"""afEmbeddedMessage of PidTagAttachMethod, [MS-OXCMSG] 2.2.2.9."""
_DATA: Final = PidTagAttachDataBinary >> 16
_HTML: Final = PidTagHtml >> 16
_INTERNAL: Final = frozenset((*range(0x6700, 0x6800), 0x0E30, 0x0E33, 0x0E34, 0x0E38, 0x0E3C, 0x0E3D))
_INTERNAL_OF_ATTACHMENTS: Final = _INTERNAL | {_DATA}


@dataclass(slots=True)
class Reading:
    """Reading one item: how much more of the file may be looked at, and what was lost when losses are taken."""

    ndb: Ndb
    names: NameMap
    code_page: int
    budget: Budget
    lost: list[str] | None = field(default=None)

    def item(self, node: Node, depth: int = 0) -> Item:
        """The item of a message node, or of a subnode that is one."""
        if depth > _DEEPEST:
            raise WireError(f"messages within messages, {depth} deep")
        self.budget.spend(_OBJECT_COST)
        heap = Heap(self.ndb, node, self.budget)
        properties = PropertyContext(heap, self.code_page)
        properties.code_page = _code_page(properties) or self.code_page
        item = Item()
        item.props = self.names.apply(properties.bag(_INTERNAL, self.lost), item.names)
        _tidy_subject(item.props)
        _tidy_html(item.props, properties)
        if node.bid_sub:
            self._recipients(heap, properties.code_page, item)
            self._attachments(heap, properties.code_page, item, depth)
        return item

    def _lose(self, what: str, error: WireError) -> None:
        if self.lost is None:
            raise error
        self.lost.append(f"{what}: {error}")

    def _table(self, heap: Heap, nid: int, code_page: int) -> Table | None:
        node = heap.subnodes.get(nid)
        if node is None:
            return None
        return Table(Heap(self.ndb, node, self.budget), self.ndb.layout.row_index, code_page)

    def _recipients(self, heap: Heap, code_page: int, item: Item) -> None:
        """[MS-PST] 2.4.5.3."""
        try:
            table = self._table(heap, _NID_RECIPIENT_TABLE, code_page)
            for row in table.rows() if table else ():
                item.recipients.append(self.names.apply(row, item.names))
        except WireError as error:
            self._lose("recipients", error)

    def _attachments(self, heap: Heap, code_page: int, item: Item, depth: int) -> None:
        """[MS-PST] 2.4.6: the rows' ids are the nids of subnodes; without a table all attachments are taken."""
        try:
            table = self._table(heap, _NID_ATTACHMENT_TABLE, code_page)
        except WireError as error:
            self._lose("attachments", error)
            table = None
        nids = table.row_ids if table else [nid for nid in heap.subnodes if nid & 0x1F == _TYPE_ATTACHMENT]
        for nid in nids:
            try:
                item.attachments.append(self._attachment(heap.subnode(nid), code_page, item, depth))
            except WireError as error:
                self._lose(f"attachment {nid:#x}", error)

    def _attachment(self, node: Node, code_page: int, item: Item, depth: int) -> ItemAttachment:
        self.budget.spend(_OBJECT_COST)
        heap = Heap(self.ndb, node, self.budget)
        properties = PropertyContext(heap, code_page)
        bag = self.names.apply(properties.bag(_INTERNAL_OF_ATTACHMENTS, self.lost), item.names)
        attachment = ItemAttachment(bag)
        nid = properties.object_nid(_DATA)
        if nid is None:
            attachment.data = properties.octets(PidTagAttachDataBinary) or b""
        elif properties.get(PidTagAttachMethod) == _EMBEDDED_MESSAGE:
            attachment.embedded = self.item(heap.subnode(nid), depth + 1)
        else:
            attachment.data = self.ndb.octets(heap.subnode(nid).bid_data, self.budget)
        return attachment


def _code_page(properties: PropertyContext) -> int:
    """The code page of a message's 8-bit text, 0 when it does not say: [MS-PST] 2.4.5.1, else that of its HTML."""
    for tag in (PidTagMessageCodepage, PidTagInternetCodepage):
        number = properties.get(tag)
        if isinstance(number, int) and number in CODE_PAGES and number != 1200:
            return number
    return 0


def _tidy_subject(bag: Bag) -> None:
    """A subject may start with U+0001 and a character that counts its prefix, one too many ([MS-PST] 2.5.3.1.1.1)."""
    subject = bag.get(PidTagSubject)
    if not isinstance(subject, str) or not subject.startswith("\1"):
        return
    size = ord(subject[1]) - 1 if len(subject) > 1 else 0
    subject = bag[PidTagSubject] = subject[2:]
    if size <= len(subject):
        bag.setdefault(PidTagSubjectPrefix, subject[:size])
        bag.setdefault(PidTagNormalizedSubject, subject[size:])


def _tidy_html(bag: Bag, properties: PropertyContext) -> None:
    """HTML that is kept as a string becomes octets, as PidTagHtml has it ([MS-OXCMSG] 2.2.1.58.9)."""
    text = bag.pop(_HTML << 16 | 0x1F, None)
    if not isinstance(text, str) or PidTagHtml in bag:
        return
    octets = properties.octets(_HTML << 16 | 0x1E)
    if octets is None:
        bag[PidTagHtml], bag[PidTagInternetCodepage] = text.encode("utf-8", "replace"), UTF8
        return
    bag[PidTagHtml] = octets.rstrip(b"\0")
    bag.setdefault(PidTagInternetCodepage, properties.code_page)
