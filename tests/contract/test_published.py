"""Contract: what the owner publishes is what its calls answer, and is there before a write is answered."""

from __future__ import annotations

import struct

import msgspec

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import keys, pages
from tests.contract.mail import mail
from tests.contract.worlds import ALL, INBOX, SENT, Mailbox


def published(box: Mailbox, key: bytes) -> bytes | None:
    return box.world.store.published(box.world.box, key)


def check(box: Mailbox, fid: int) -> None:
    """Published values, taken before asking, equal the answers; a state names pages that are there or older."""
    maildir = box.world.box.maildir
    state = published(box, keys.folder_state(maildir, fid))
    assert state is not None
    table = list(struct.iter_unpack("<IIQ", msgspec.msgpack.decode(state, type=pages.FolderState).pages))
    seen = [published(box, keys.page(maildir, fid, number)) for number, _, _ in table]
    assert state == box.call(c.GetFolderState(fid))
    for (number, _, cn), value in zip(table, seen, strict=True):
        if value is not None and value[:8] == struct.pack("<Q", cn):
            assert value[8:] == box.call(c.GetPages(fid, [number]))[0]
        else:
            box.call(c.GetPages(fid, [number]))
        fresh = published(box, keys.page(maildir, fid, number))
        assert fresh is not None
        assert fresh[:8] == struct.pack("<Q", cn)
        assert fresh[8:] == box.call(c.GetPages(fid, [number]))[0]


def test_folder_list(box: Mailbox) -> None:
    key = keys.folder_list(box.world.box.maildir)
    first = box.call(c.ListFolders())
    value = published(box, key)
    assert value is not None and msgspec.msgpack.decode(value, type=c.FolderList) == first
    box.create("New/Folder")
    box.call(c.Subscribe("New", True))
    value = published(box, key)
    assert value is not None
    decoded = msgspec.msgpack.decode(value, type=c.FolderList)
    assert decoded == box.call(c.ListFolders())
    assert "New/Folder" in {f.path for f in decoded.folders}


def test_keyword_sets(box: Mailbox) -> None:
    box.append(mail(1), keywords=["a"])
    box.call(c.GetKeywordSets())
    box.flag(ALL, c.ADD, 0, ["b"])
    value = published(box, keys.keyword_sets(box.world.box.maildir))
    assert value is not None
    decoded = msgspec.msgpack.decode(value, type=c.KeywordSets)
    assert decoded == box.call(c.GetKeywordSets())
    assert decoded.first == 0 and sorted(decoded.sets[-1]) == ["a", "b"]


def test_folder_state_and_pages(box: Mailbox) -> None:
    for fid in (INBOX, SENT):
        box.call(c.GetFolderState(fid))
    box.append(mail(1))
    check(box, INBOX)
    box.deliver(mail(2))
    check(box, INBOX)
    box.flag([(1, 1)], c.ADD, pages.SEEN, ["word"])
    check(box, INBOX)
    box.copy(ALL, SENT)
    check(box, SENT)
    box.copy([(1, 1)], SENT, move=True)
    check(box, INBOX)
    check(box, SENT)
    box.expunge(ALL)
    check(box, INBOX)
    box.append(mail(3))
    box.call(c.ClaimRecent(INBOX))
    check(box, INBOX)


def test_pieces(box: Mailbox) -> None:
    stored = box.append(mail(1))
    piece = box.call(c.GetPieces(INBOX, ALL, c.ENVELOPE | c.BODYSTRUCTURE))[0]
    value = published(box, keys.pieces(box.world.box.maildir, stored.mid, stored.uid))
    assert value is not None
    first, second = struct.unpack_from("<II", value)
    assert value[8 : 8 + first] == piece.envelope
    assert value[8 + first : 8 + first + second] == piece.bodystructure
    assert len(value) == 8 + first + second
