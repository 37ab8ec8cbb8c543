"""The authorisation matrix: every exmdb call by everybody, with the outcome that permissions want.

What is refused answers ecAccessDenied and leaves every table of the mailbox as it was. A call of `registry.CALLS`
without a row here fails `test_every_call_has_a_row`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calendarcalls as cal
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import names as n
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import oofcalls as f
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb import registry
from gromoxd.exmdb import rulecalls as u
from gromoxd.exmdb import searchcalls as sc
from gromoxd.exmdb import storecalls as st
from gromoxd.exmdb import sync as y
from gromoxd.exmdb import tables as t
from gromoxd.exmdb import upkeepcalls as k
from gromoxd.exmdb.api import SYSTEM, Exmdb, MailboxRef
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Exist, encode_restriction
from store.direct import DirectStore
from tests.contract.mail import digest_of, mail
from tests.contract.served import ServedWorld

OWNER = "alice@example.test"
ROLES = {
    "owner": OWNER, "delegate": "dora@example.test", "editor": "ed@example.test", "reviewer": "rita@example.test",
    "default": "dan@example.test", "anonymous": "", "stranger": "sam@example.test",
}  # fmt: skip
"""The delegate owns the folders that are shared and is in the list of delegates. The default entry there is that of a
drop box: create, and see the folder. The stranger has an entry that grants nothing, wherever there is one for all."""
RIGHTS = {"delegate": 0x5FB, "editor": 0x47B, "reviewer": 0x401, "stranger": 0}
DROP_BOX = 0x402
FINDER, IPM, CALENDAR, FREE_BUSY, SHARED_NAME = 0x05, 0x09, 0x0F, 0x18, "Shared"
FOREIGN = b"F" * 16
ALL: c.Ranges = [(1, 100)]


class Scene:
    """A mailbox with two shared folders, in one of which are messages of the owner."""

    def __init__(self, store: Exmdb, ref: MailboxRef) -> None:
        self.store = store
        self.ref = ref
        self._ids = itertools.count(1)
        self._prefix = os.urandom(8)

    def call(self, call: c.Call[Any], actor: str = OWNER) -> Any:
        return self.store.call(self.ref, call, actor=actor)

    def like(self, template: Scene) -> Scene:
        """This is a copy of the template."""
        self.shared, self.other, self.mid, self.deleted = template.places
        return self

    @property
    def places(self) -> tuple[int, int, int, int]:
        return self.shared, self.other, self.mid, self.deleted

    def request_id(self) -> bytes:
        return self._prefix + b"%08d" % next(self._ids)

    def new(self, number: int = 9) -> c.NewMessage:
        return c.NewMessage(digest_of(mail(number)), mail(number), 1_700_000_000)

    def build(self) -> None:
        """Done once; the tests work on copies."""
        self.shared, self.other = (self.call(c.CreateFolder(name)).fid for name in (SHARED_NAME, "Other"))
        stored = [self.call(c.Append(self.shared, self.new(i), self.request_id())) for i in (1, 2, 3)]
        self.mid, self.deleted = stored[0].mid, stored[2].mid
        self.call(o.DeleteMessages(self.shared, [self.deleted]))
        changes = o.Changes({p.PidTagSubject: "hidden"})
        self.call(o.SaveMessage(self.shared, 0, 0, changes, self.request_id(), associated=True))
        for fid in (self.shared, self.other):
            self.grant(fid, {x.DEFAULT: DROP_BOX} | {ROLES[role]: rights for role, rights in RIGHTS.items()})
        for fid in (CALENDAR, FREE_BUSY):
            self.grant(fid, {ROLES["stranger"]: 0})
        self.call(x.SetDelegates(x.DELEGATES, [ROLES["delegate"]]))

    def grant(self, fid: int, rights: dict[str, int]) -> None:
        changes = [x.PermissionChange(x.ADD, name=name, rights=value) for name, value in rights.items()]
        self.call(x.ModifyPermissions(fid, changes, free_busy=True))

    def guid(self) -> bytes:
        guid: bytes = self.call(st.OpenStore()).guid
        return guid

    def key(self, id_: int) -> bytes:
        return self.guid() + id_.to_bytes(6, "big")

    def category(self, table: t.Table) -> int:
        rows = self.call(t.QueryRows(table, [p.PidTagInstID], 0, 1)).rows
        return int(rows[0][0])

    def draft(self, fid: int) -> int:
        """A message that can be sent."""
        to = {p.PidTagRecipientType: 1, p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: "b@example.org"}
        changes = o.Changes({p.PidTagSubject: "new"}, recipients=[to])
        mid: int = self.call(o.SaveMessage(fid, 0, 0, changes, self.request_id())).mid
        return mid

    def submit(self) -> int:
        id_: int = self.call(g.SubmitMessage(self.draft(0x0C), self.request_id())).id
        return id_

    def submit_draft(self) -> int:
        mid = self.draft(self.shared)
        self.call(g.SubmitMessage(mid, self.request_id()))
        return mid

    def dump(self) -> dict[str, list[Any]]:
        """All rows of all tables."""
        assert isinstance(self.store, DirectStore)
        db = self.store.mailbox(self.ref.maildir)._runner.tx.db
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'").fetchall()]
        return {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in tables}


Build = Callable[[Scene], c.Call[Any]]


class Row(NamedTuple):
    """A sample of a call and its outcome by role: y done, n refused, e done but nothing is told, p partial: nothing is
    changed. Roles: owner, delegate, editor, reviewer, default, anonymous, stranger."""

    outcomes: str
    build: Build
    label: str = ""


EVERYBODY, READERS, EDITORS, CREATORS = "yyyyynn", "yyyynnn", "yyynnnn", "yyynynn"
FOLDER_OWNERS, OWNERS, NOBODY = "yynnnnn", "ynnnnnn", "nnnnnnn"


def contents(s: Scene, **more: Any) -> t.Table:
    return t.Table(t.CONTENTS, s.shared, **more)


def grouped(s: Scene, expanded: int = 0) -> t.Table:
    return contents(s, sort=[(p.PidTagSubject, 0)], categories=1, expanded=expanded)


def expand(s: Scene) -> t.ExpandRow:
    return t.ExpandRow(grouped(s), s.category(grouped(s)), [p.PidTagSubject])


def collapse(s: Scene) -> t.CollapseRow:
    return t.CollapseRow(grouped(s, 1), s.category(grouped(s, 1)))


def imported(s: Scene) -> tuple[bytes, bytes, bytes]:
    """Source key, change key and predecessor change list of another replica."""
    key = FOREIGN + (7).to_bytes(6, "big")
    return key, key, b"\x16" + key


def import_folder(s: Scene) -> y.ImportFolder:
    return y.ImportFolder(s.shared, *imported(s), 130_000_000_000_000_000, "Imported", {})


def import_move(s: Scene) -> y.ImportMove:
    return y.ImportMove(s.shared, s.key(s.mid), s.other, *imported(s), s.request_id())


def searching(s: Scene) -> int:
    """A search folder of the owner's that everybody may read as far as its own permissions go."""
    fid: int = s.call(h.MakeFolder(FINDER, "Found", {}, s.request_id(), search=True)).fid
    s.call(search(s, fid))
    for role, rights in RIGHTS.items():
        s.call(x.ModifyPermissions(fid, [x.PermissionChange(x.ADD, name=ROLES[role], rights=rights)]))
    return fid


def search(s: Scene, fid: int) -> sc.SetSearchCriteria:
    return sc.SetSearchCriteria(fid, encode_restriction(Exist(p.PidTagSubject)), [s.shared], 2)


def save(s: Scene, mid: int = 0, **more: Any) -> o.SaveMessage:
    return o.SaveMessage(s.shared, mid, 0, o.Changes({p.PidTagSubject: "new"}), s.request_id(), **more)


MATRIX: dict[type[c.Call[Any]], list[Row]] = {
    c.ListFolders: [Row(EVERYBODY, lambda s: c.ListFolders())],
    c.CreateFolder: [
        Row(FOLDER_OWNERS, lambda s: c.CreateFolder("Shared/New", request_id=s.request_id())),
        Row(OWNERS, lambda s: c.CreateFolder("New", request_id=s.request_id()), "top"),
    ],
    c.DeleteFolder: [Row(FOLDER_OWNERS, lambda s: c.DeleteFolder(s.shared))],
    c.RenameFolder: [
        Row(FOLDER_OWNERS, lambda s: c.RenameFolder(s.shared, "Renamed")),
        Row(FOLDER_OWNERS, lambda s: c.RenameFolder(s.shared, "Other/Moved"), "move"),
        Row(OWNERS, lambda s: c.RenameFolder(s.shared, "INBOX/Moved"), "move away"),
    ],
    c.Subscribe: [Row(OWNERS, lambda s: c.Subscribe("Shared", True))],
    c.GetKeywordSets: [Row(READERS, lambda s: c.GetKeywordSets())],
    c.GetFolderState: [Row(READERS, lambda s: c.GetFolderState(s.shared))],
    c.GetPages: [Row(READERS, lambda s: c.GetPages(s.shared, [0]))],
    c.ClaimRecent: [Row(EDITORS, lambda s: c.ClaimRecent(s.shared))],
    c.Append: [Row(CREATORS, lambda s: c.Append(s.shared, s.new(), s.request_id()))],
    c.Deliver: [Row(NOBODY, lambda s: c.Deliver(s.new(), "s@example.org", s.request_id(), b"print"))],
    c.Confirm: [Row(NOBODY, lambda s: c.Confirm([b"x"]))],
    c.SetFlags: [Row(EDITORS, lambda s: c.SetFlags(s.shared, ALL, c.ADD, 1))],
    c.CopyMessages: [
        Row(EDITORS, lambda s: c.CopyMessages(s.shared, ALL, s.other, False, s.request_id())),
        Row(EDITORS, lambda s: c.CopyMessages(s.shared, ALL, s.other, True, s.request_id()), "move"),
        Row(OWNERS, lambda s: c.CopyMessages(s.shared, ALL, 0x0D, False, s.request_id()), "to the Inbox"),
    ],
    c.Expunge: [Row(EDITORS, lambda s: c.Expunge(s.shared, ALL, False))],
    c.GetVanished: [Row(READERS, lambda s: c.GetVanished(s.shared, 0))],
    c.GetPieces: [Row(READERS, lambda s: c.GetPieces(s.shared, ALL, c.ENVELOPE))],
    c.GetContents: [Row(READERS, lambda s: c.GetContents(s.shared, ALL))],
    c.ReadContent: [Row(READERS, lambda s: c.ReadContent(s.shared, 1, 0, 10))],
    c.SearchText: [Row(READERS, lambda s: c.SearchText(s.shared, ALL, [c.Term("subject", "message")]))],
    c.GetMailboxInfo: [Row(OWNERS, lambda s: c.GetMailboxInfo())],
    c.SetQuota: [Row(NOBODY, lambda s: c.SetQuota(0, 0))],
    c.LockPop3: [Row(OWNERS, lambda s: c.LockPop3(True))],
    c.Watch: [Row(EVERYBODY, lambda s: c.Watch(True))],
    x.GetPermissions: [Row(FOLDER_OWNERS, lambda s: x.GetPermissions(s.shared))],
    x.ModifyPermissions: [
        Row(FOLDER_OWNERS, lambda s: x.ModifyPermissions(s.shared, [x.PermissionChange(x.ADD, name="z@z.z", rights=1)]))
    ],
    x.GetRights: [
        Row(EVERYBODY, lambda s: x.GetRights(s.shared)),
        Row(EVERYBODY, lambda s: x.GetRights(0), "mailbox"),
        Row(OWNERS, lambda s: x.GetRights(s.shared, "z@example.test"), "another's"),
    ],
    x.GetDelegates: [Row(OWNERS, lambda s: x.GetDelegates(x.DELEGATES))],
    x.SetDelegates: [Row(OWNERS, lambda s: x.SetDelegates(x.DELEGATES, []))],
    h.MakeFolder: [
        Row(FOLDER_OWNERS, lambda s: h.MakeFolder(s.shared, "New", {}, s.request_id())),
        Row(OWNERS, lambda s: h.MakeFolder(IPM, "New", {}, s.request_id()), "top"),
    ],
    h.GetFolderProps: [
        Row(EVERYBODY, lambda s: h.GetFolderProps(s.shared)),
        Row(OWNERS, lambda s: h.GetFolderProps(0x0D), "Inbox"),
    ],
    h.SetFolderProps: [Row(FOLDER_OWNERS, lambda s: h.SetFolderProps(s.shared, {p.PidTagComment: "x"}))],
    h.RemoveFolder: [
        Row(FOLDER_OWNERS, lambda s: h.RemoveFolder(s.shared, True, True, s.request_id())),
        Row(FOLDER_OWNERS, lambda s: h.RemoveFolder(s.shared, True, True, s.request_id(), True), "hard"),
        Row("ppnnnnn", lambda s: h.RemoveFolder(s.shared, False, False, s.request_id()), "not empty"),
    ],
    h.TransferFolder: [
        Row(FOLDER_OWNERS, lambda s: h.TransferFolder(s.shared, s.other, "", False, s.request_id())),
        Row(FOLDER_OWNERS, lambda s: h.TransferFolder(s.shared, s.other, "", True, s.request_id()), "copy"),
    ],
    h.ListDeletedFolders: [Row(OWNERS, lambda s: h.ListDeletedFolders())],
    n.GetPropertyIds: [Row(EVERYBODY, lambda s: n.GetPropertyIds([n.Name(FOREIGN, 1)]))],
    n.MakePropertyIds: [Row(CREATORS, lambda s: n.MakePropertyIds([n.Name(FOREIGN, 1)]))],
    n.GetPropertyNames: [Row(EVERYBODY, lambda s: n.GetPropertyNames([0x8000]))],
    n.ListPropertyNames: [Row(EVERYBODY, lambda s: n.ListPropertyNames())],
    o.OpenMessage: [Row(READERS, lambda s: o.OpenMessage(s.mid))],
    o.ReadMessages: [Row("yyyyenn", lambda s: o.ReadMessages([s.mid]))],
    o.ReadValue: [Row(READERS, lambda s: o.ReadValue(s.mid, p.PidTagSubject, 0, 10))],
    o.SaveMessage: [
        Row(CREATORS, save),
        Row(CREATORS, lambda s: save(s, associated=True), "associated"),
        Row(EDITORS, lambda s: save(s, s.mid, force=True), "change"),
    ],
    o.SetReadState: [Row(EDITORS, lambda s: o.SetReadState(s.shared, [s.mid], True))],
    o.DeleteMessages: [
        Row(EDITORS, lambda s: o.DeleteMessages(s.shared, [s.mid])),
        Row(EDITORS, lambda s: o.DeleteMessages(s.shared, [s.deleted], True), "hard"),
    ],
    o.TransferMessages: [
        Row(EDITORS, lambda s: o.TransferMessages(s.shared, [s.mid], s.other, False, s.request_id())),
        Row(EDITORS, lambda s: o.TransferMessages(s.shared, [s.mid], s.other, True, s.request_id()), "move"),
    ],
    o.EmptyFolder: [Row(EDITORS, lambda s: o.EmptyFolder(s.shared, True, True))],
    o.PurgeDeleted: [
        Row(EDITORS, lambda s: o.PurgeDeleted(s.shared, 1 << 40)),
        Row(OWNERS, lambda s: o.PurgeDeleted(0, 1 << 40), "everywhere"),
    ],
    cal.GetFreeBusy: [Row("yyyyynn", lambda s: cal.GetFreeBusy(1, 2))],
    u.GetRules: [Row(FOLDER_OWNERS, lambda s: u.GetRules(s.shared))],
    u.GetExtendedRules: [Row(FOLDER_OWNERS, lambda s: u.GetExtendedRules(s.shared))],
    f.GetOof: [Row(OWNERS, lambda s: f.GetOof())],
    f.SetOof: [Row(OWNERS, lambda s: f.SetOof(f.OofSettings(1)))],
    u.ModifyRules: [Row(FOLDER_OWNERS, lambda s: u.ModifyRules(s.shared, [], s.request_id(), True))],
    st.OpenStore: [Row(EVERYBODY, lambda s: st.OpenStore())],
    st.GetStoreProps: [Row(EVERYBODY, lambda s: st.GetStoreProps())],
    st.SetStoreProps: [Row(OWNERS, lambda s: st.SetStoreProps({p.PidTagComment: "x"}))],
    st.ReserveIds: [Row(CREATORS, lambda s: st.ReserveIds(5))],
    st.GetReplids: [Row(EVERYBODY, lambda s: st.GetReplids([FOREIGN]))],
    st.GetReplguids: [Row(EVERYBODY, lambda s: st.GetReplguids([1]))],
    st.GetReceiveFolder: [Row(EVERYBODY, lambda s: st.GetReceiveFolder("IPM.Note"))],
    st.SetReceiveFolder: [Row(OWNERS, lambda s: st.SetReceiveFolder("IPM.X", s.shared))],
    st.ListReceiveFolders: [Row(OWNERS, lambda s: st.ListReceiveFolders())],
    y.GetContentChanges: [Row(READERS, lambda s: y.GetContentChanges(s.shared, y.State(), y.NORMAL))],
    y.GetHierarchyChanges: [Row(EVERYBODY, lambda s: y.GetHierarchyChanges(IPM, y.State()))],
    y.ImportFolder: [Row(FOLDER_OWNERS, import_folder)],
    y.ImportDeletes: [
        Row(EDITORS, lambda s: y.ImportDeletes(s.shared, [s.key(s.mid)])),
        Row(FOLDER_OWNERS, lambda s: y.ImportDeletes(IPM, [s.key(s.shared)], True), "folders"),
    ],
    y.ImportMove: [Row(EDITORS, import_move)],
    y.ImportReadState: [Row(EDITORS, lambda s: y.ImportReadState(s.shared, [(s.key(s.mid), True)]))],
    y.GetSourceKeys: [Row(EVERYBODY, lambda s: y.GetSourceKeys([s.mid]))],
    y.FindSourceKeys: [Row("yyyyenn", lambda s: y.FindSourceKeys([s.key(s.mid)]))],
    t.QueryRows: [
        Row(READERS, lambda s: t.QueryRows(contents(s), [p.PidTagSubject], 0, 10)),
        Row(EVERYBODY, lambda s: t.QueryRows(t.Table(t.HIERARCHY, IPM), [p.PidTagDisplayName], 0, 10), "hierarchy"),
        Row(FOLDER_OWNERS, lambda s: t.QueryRows(t.Table(t.PERMISSIONS, s.shared), [p.PidTagMemberId], 0, 9), "rights"),
        Row(FOLDER_OWNERS, lambda s: t.QueryRows(t.Table(t.RULES, s.shared), [p.PidTagRuleId], 0, 10), "rules"),
        Row(OWNERS, lambda s: t.QueryRows(t.Table(t.RECEIVE_FOLDERS, 0), [p.PidTagMessageClass], 0, 10), "receive"),
        Row(OWNERS, lambda s: t.QueryRows(t.Table(t.CONTENTS, searching(s)), [p.PidTagSubject], 0, 10), "found"),
    ],
    t.FindRow: [Row(READERS, lambda s: t.FindRow(contents(s), b"\x08" + p.PidTagSubject.to_bytes(4, "little"), 0, []))],
    t.LocateRow: [Row(READERS, lambda s: t.LocateRow(contents(s), s.mid))],
    t.QueryColumnsAll: [Row(READERS, lambda s: t.QueryColumnsAll(contents(s)))],
    t.ExpandRow: [Row(READERS, expand)],
    t.CollapseRow: [Row(READERS, collapse)],
    sc.SetSearchCriteria: [Row(OWNERS, lambda s: search(s, searching(s)))],
    sc.GetSearchCriteria: [Row(OWNERS, lambda s: sc.GetSearchCriteria(searching(s)))],
    t.WatchTable: [Row(READERS, lambda s: t.WatchTable(1, True, contents(s), [p.PidTagSubject]))],
    t.WatchObjects: [Row(EVERYBODY, lambda s: t.WatchObjects(1, True, s.shared))],
    g.GetOutgoing: [Row(NOBODY, lambda s: g.GetOutgoing())],
    g.ReadOutgoing: [Row(NOBODY, lambda s: g.ReadOutgoing(s.submit(), 0, 10))],
    g.OutgoingTaken: [Row(NOBODY, lambda s: g.OutgoingTaken([]))],
    g.SubmitMessage: [
        Row(OWNERS, lambda s: g.SubmitMessage(s.draft(0x0C), s.request_id())),
        Row("yynnnnn", lambda s: g.SubmitMessage(s.draft(s.shared), s.request_id()), "shared"),
    ],
    g.AbortSubmit: [Row("yynnnnn", lambda s: g.AbortSubmit(s.submit_draft()))],
    g.SubmitMime: [
        Row(OWNERS, lambda s: g.SubmitMime(mail(9), ["b@example.org"], OWNER, s.request_id())),
    ],
    k.CheckMailbox: [Row(NOBODY, lambda s: k.CheckMailbox("figures"))],
    k.RepairMailbox: [Row(NOBODY, lambda s: k.RepairMailbox("figures"))],
    k.CompactMailbox: [Row(NOBODY, lambda s: k.CompactMailbox())],
    k.FolderSizes: [Row(OWNERS, lambda s: k.FolderSizes())],
    k.BiggestMessages: [Row(OWNERS, lambda s: k.BiggestMessages(10))],
    k.GetFigures: [Row(OWNERS, lambda s: k.GetFigures())],
}
CASES = [
    pytest.param(row, id=f"{kind.__name__}{'-' + row.label.replace(' ', '-') if row.label else ''}")
    for kind, rows in MATRIX.items()
    for row in rows
]


def test_every_call_has_a_row() -> None:
    assert [kind.__name__ for kind in registry.CALLS if not MATRIX.get(kind)] == []
    assert set(MATRIX) <= set(registry.CALLS)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("template")
    with DirectStore(str(folder), {"box": OWNER}) as store:
        scene = Scene(store, MailboxRef("box"))
        scene.build()
    return scene


def copied(template: Scene, folder: Path) -> None:
    assert isinstance(template.store, DirectStore)
    shutil.copytree(Path(template.store.root) / "box", folder)


@pytest.fixture
def scene(template: Scene, tmp_path: Path) -> Iterator[Scene]:
    copied(template, tmp_path / "box")
    with DirectStore(str(tmp_path), {"box": OWNER}) as store:
        yield Scene(store, MailboxRef("box")).like(template)


def tells_nothing(result: Any) -> bool:
    return isinstance(result, list) and not any(result)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("row", CASES)
def test_outcome(scene: Scene, row: Row, role: str) -> None:
    wanted = row.outcomes[list(ROLES).index(role)]
    call = row.build(scene)
    before = scene.dump()
    rights = scene.call(x.GetRights(scene.shared, ROLES[role]))
    try:
        result = scene.call(call, ROLES[role])
    except MapiError as error:
        assert (wanted, error.code) == ("n", Ec.ecAccessDenied)
        assert scene.dump() == before
        assert scene.call(x.GetRights(scene.shared, ROLES[role])) == rights
        return
    assert wanted in "yep"
    if wanted == "e":
        assert tells_nothing(result)
    if wanted == "p":
        assert result.partial
    elif hasattr(result, "partial"):
        assert not result.partial
    if wanted in "ep":
        assert {**scene.dump(), "requests": 0} == {**before, "requests": 0}


@pytest.mark.parametrize("row", CASES)
def test_the_system_may_make_every_call(scene: Scene, row: Row) -> None:
    scene.call(row.build(scene), SYSTEM)


NO_IDS = (0, -1, 0x99, 1 << 48, 1 << 62, 1 << 63, (1 << 64) - 1, -(1 << 63))


@pytest.mark.parametrize("row", CASES)
def test_numbers_that_are_no_ids(scene: Scene, row: Row) -> None:
    """Whatever numbers a call has, they give an answer or an error of the protocol."""
    call = row.build(scene)
    fields = [field for field in call.__struct_fields__ if type(getattr(call, field)) is int]
    for field, value in itertools.product(fields, NO_IDS):
        changed = msgspec.structs.replace(call, **{field: value})
        if hasattr(changed, "request_id"):
            changed = msgspec.structs.replace(changed, request_id=scene.request_id())
        with contextlib.suppress(MapiError):
            scene.call(changed, SYSTEM)


@pytest.mark.parametrize("rows", MATRIX.values(), ids=[kind.__name__ for kind in MATRIX])
def test_every_call_crosses_the_wire(template: Scene, tmp_path: Path, rows: list[Row]) -> None:
    """And answers there what it answers here, refusals too."""
    copied(template, tmp_path / "alice")
    world = ServedWorld(tmp_path, OWNER)
    try:
        scene = Scene(world.store, world.box).like(template)
        call = rows[0].build(scene)
        with pytest.raises(MapiError) as caught:
            scene.call(call, ROLES["anonymous"])
        assert caught.value.code == Ec.ecAccessDenied
        scene.call(call, SYSTEM)
    finally:
        world.close()


@pytest.mark.parametrize("role", ["delegate", "editor", "reviewer", "default"])
def test_a_folder_that_is_not_shared_is_nobody_s(scene: Scene, role: str) -> None:
    """Rights on one folder are none on another; whatever names the Inbox there is refused."""
    inbox = 0x0D
    for call in (
        c.GetFolderState(inbox), c.Append(inbox, scene.new(), b"q"), h.GetFolderProps(inbox), u.GetRules(inbox),
        o.SaveMessage(inbox, 0, 0, o.Changes({}), b"q"), x.GetRights(inbox), y.GetContentChanges(inbox, y.State(), 1),
        t.QueryRows(t.Table(t.CONTENTS, inbox), [p.PidTagSubject], 0, 1), c.SetFlags(inbox, ALL, c.ADD, 1),
    ):  # fmt: skip
        with pytest.raises(MapiError) as caught:
            scene.call(call, ROLES[role])
        assert caught.value.code == Ec.ecAccessDenied, call
