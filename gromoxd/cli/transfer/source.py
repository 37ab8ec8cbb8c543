"""A mailbox that is exported: its messages in the order of their folder, content when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from gromoxd.cli.stores import Store
from gromoxd.cli.transfer.found import Entry
from gromoxd.cli.transfer.target import DEADLINE, pages
from gromoxd.convert.item import Item
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.pages import KEYWORD_SHIFT, SYSTEM_MASK, is_imap_keyword
from gromoxd.exmdb.working import Account
from gromoxd.exmdb.working.items import NameIds, load_item

_PIECE = 1 << 20


def entries(store: Store, folder: c.Folder) -> Iterator[tuple[int, Entry]]:
    """The messages of a folder, each with the number of all."""
    account = Account(store.stores.client, store.where, SYSTEM)
    names = NameIds(account)
    sets = store.call(c.GetKeywordSets(0), DEADLINE).sets
    index = list(pages(store, folder.fid))
    total = sum(len(page.uids) for page in index)
    way = tuple(folder.path.split("/")) if folder.path else (folder.name,)
    for page in index:
        for uid, mid, word, received in zip(page.uids, page.mids, page.flags, page.received, strict=True):
            number = word >> KEYWORD_SHIFT
            words = tuple(sorted(filter(is_imap_keyword, sets[number]))) if number < len(sets) else ()
            raw, item = partial(_raw, store, folder.fid, uid), partial(_item, account, mid, names)
            yield total, Entry(way, folder.container_class, uid, mid, word & SYSTEM_MASK, words, received, raw, item)


def _raw(store: Store, fid: int, uid: int) -> bytes:
    """The octets as IMAP shows them. ecNotFound."""
    found = store.call(c.GetContents(fid, [(uid, uid)]), DEADLINE)
    if not found:
        raise MapiError(Ec.ecNotFound, "it is gone")
    if found[0].raw or not found[0].size:
        return found[0].raw
    parts: list[bytes] = []
    offset = 0
    while offset < found[0].size:
        piece = store.call(c.ReadContent(fid, uid, offset, _PIECE), DEADLINE)
        if not piece:
            break
        parts.append(piece)
        offset += len(piece)
    return b"".join(parts)


def _item(account: Account, mid: int, names: NameIds) -> Item:
    return load_item(account, mid, names=names)
