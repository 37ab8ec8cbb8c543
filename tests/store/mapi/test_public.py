"""Public folder stores: of a domain, with folders and default rights of their own and nobody as owner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import storecalls as s
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import PUBLIC_FOLDERS, FolderEntryId
from store.direct import DirectStore
from tests.store.conftest import ALL, mail, new

DOMAIN, ALICE, BOB = "example.test", "alice@example.test", "bob@example.test"
BOX = MailboxRef("public")
SUBTREE, NON_IPM = 0x02, 0x03


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.direct = DirectStore(str(folder), {BOX.maildir: DOMAIN})

    def __call__(self, call: c.Call[Any], actor: str = SYSTEM) -> Any:
        return self.direct.call(BOX, call, actor=actor)

    def refused(self, call: c.Call[Any], actor: str) -> Ec:
        with pytest.raises(MapiError) as caught:
            self(call, actor)
        return caught.value.code

    def props(self, fid: int, *tags: int, actor: str = SYSTEM) -> dict[int, Any]:
        found: dict[int, Any] = self(h.GetFolderProps(fid, list(tags)), actor)
        return found


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.direct.close()


def test_its_folders(store: Store) -> None:
    found = store(c.ListFolders())
    assert [(f.fid, f.parent_fid, f.name, f.path) for f in found.folders] == [
        (1, 0, "Root Container", ""), (2, 1, "IPM_SUBTREE", ""), (3, 1, "NON_IPM_SUBTREE", ""),
        (4, 3, "EFORMS REGISTRY", ""),
    ]  # fmt: skip
    assert found.subscriptions == []
    info = store(s.OpenStore(), ALICE)
    assert (info.owner, info.public, info.folders[:5], info.rights) == (DOMAIN, True, [1, 2, 3, 4, 0], 0x41B)
    entry = FolderEntryId.decode(store.props(SUBTREE, p.PidTagEntryId)[p.PidTagEntryId])
    assert entry.provider == PUBLIC_FOLDERS


def test_paths_start_below_its_subtree(store: Store) -> None:
    made = store(c.CreateFolder("News/INBOX"))
    assert made.path == "News/INBOX"
    store(c.RenameFolder(made.fid, "News/Old"))
    assert {f.path for f in store(c.ListFolders()).folders} == {"", "News", "News/Old"}
    store.direct.close()
    assert {f.path for f in store(c.ListFolders()).folders} == {"", "News", "News/Old"}


def test_everybody_writes_and_nobody_owns(store: Store) -> None:
    news = store(c.CreateFolder("News")).fid
    store(c.Append(news, new(mail(1)), b"1"), ALICE)
    assert [one.uid for one in store(c.GetContents(news, ALL), BOB)] == [1]
    assert store.props(news, p.PidTagRights, actor=ALICE) == {p.PidTagRights: 0x41B}
    for call in (
        c.Expunge(news, ALL, False), c.CreateFolder("Mine"), c.DeleteFolder(news), c.GetMailboxInfo(),
        x.GetPermissions(news), s.SetStoreProps({}), h.RemoveFolder(news, True, True, b""),
    ):  # fmt: skip
        assert store.refused(call, ALICE) == Ec.ecAccessDenied
        assert store.refused(call, DOMAIN) == Ec.ecAccessDenied
    assert store.refused(c.GetContents(news, ALL), "") == Ec.ecAccessDenied
    assert store.refused(c.Deliver(new(mail(1)), "s@x.test", b"d", b"f"), SYSTEM) == Ec.ecNotFound
    assert store.refused(s.GetReceiveFolder("IPM"), ALICE) == Ec.ecNotSupported


def test_permissions_of_its_folders(store: Store) -> None:
    news = store(c.CreateFolder("News")).fid
    assert store(x.GetPermissions(news)) == [x.Member(0, "default", 0x41B), x.Member(-1, "", 0)]
    store(x.ModifyPermissions(news, [x.PermissionChange(x.ADD, name=ALICE, rights=0x5FB)]))
    made = store(h.MakeFolder(news, "Hers", {}, b"m"), ALICE).fid
    assert store(x.GetRights(made), ALICE).rights == 0x5E3
    assert store(x.GetRights(made), BOB).rights == 0x41B
    store(x.ModifyPermissions(news, [x.PermissionChange(x.MODIFY, 0, rights=0)]), ALICE)
    assert store.refused(c.GetContents(news, ALL), BOB) == Ec.ecAccessDenied
    assert store.props(news, p.PidTagIpmAppointmentEntryId) == {}


def test_each_has_read_what_he_has_read(store: Store) -> None:
    news = store(c.CreateFolder("News")).fid
    mids = [store(c.Append(news, new(mail(n)), b"%d" % n), ALICE).mid for n in (1, 2, 3)]
    store(o.SetReadState(news, mids[:2], True), ALICE)
    unread = p.PidTagContentUnreadCount
    assert store.props(news, unread, actor=ALICE) == {unread: 1}
    assert store.props(news, unread, actor=BOB) == {unread: 3}
    store(o.SetReadState(news, mids[:1], False), ALICE)
    assert store.props(news, unread, actor=ALICE) == {unread: 2}
    store(c.Expunge(news, [(2, 2)], False))
    assert store.props(news, unread, actor=ALICE) == {unread: 2}
    store(h.RemoveFolder(news, True, True, b"gone", True))
    rows = store.direct.mailbox(BOX.maildir)._runner.tx.db.execute("SELECT count(*) FROM read_states").fetchall()
    assert rows == [(0,)]


def test_who_appends_may_delete_his_own(store: Store) -> None:
    news = store(c.CreateFolder("News")).fid
    mid = store(c.Append(news, new(mail(1)), b"1"), ALICE).mid
    assert store(o.DeleteMessages(news, [mid]), BOB).partial
    assert not store(o.DeleteMessages(news, [mid]), ALICE).partial
    assert store(c.GetContents(news, ALL)) == []


def test_a_private_mailbox_is_never_opened_as_a_public_one(tmp_path: Path) -> None:
    for first, then in ((ALICE, DOMAIN), (DOMAIN, ALICE)):
        box = MailboxRef(first)
        with DirectStore(str(tmp_path), {first: first}) as one:
            one.call(box, c.ListFolders(), actor=SYSTEM)
        with DirectStore(str(tmp_path), {first: then}) as other, pytest.raises(MapiError) as caught:
            other.call(box, c.ListFolders(), actor=SYSTEM)
        assert caught.value.code == Ec.ecVersionMismatch
        with DirectStore(str(tmp_path), {first: first}) as one:
            assert one.call(box, c.ListFolders(), actor=SYSTEM).folders
