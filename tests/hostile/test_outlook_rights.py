"""Every ROP by people with no, some and many rights on another's mailbox: nothing foreign is read, nothing is changed.

Objects of folders that the guest may not open are put into his session as if he had opened them while he still might:
what a handler asks of the store has to be refused there. What is his to see and to change is in folders of its own.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from gromoxd.directory.model import User
from gromoxd.errors import Ec, WireError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import names as n
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import oofcalls as f
from gromoxd.exmdb import rulecalls as u
from gromoxd.exmdb import searchcalls as sc
from gromoxd.exmdb import storecalls as st
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import AddressBookEntryId
from gromoxd.mapi.ids import eid_int
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.permissions import PermissionData
from gromoxd.mapi.restrictions import Content, Exist, FuzzyLow, encode_restriction
from gromoxd.mapi.rules import ActionBlock, ActionType, RuleData, encode_actions
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import notify as rn
from gromoxd.rop import sync as rsync
from gromoxd.rop import tables as rt
from gromoxd.rop.codec import REQUESTS, Request
from tests.emsmdb.world import (
    ALICE,
    CALENDAR,
    DOMAIN,
    DRAFTS,
    FINDER,
    INBOX,
    IPM,
    PUBLIC_IPM,
    TRASH,
    EmsmdbWorld,
)  # fmt: skip
from tests.support.ropnoise import Noise
from workers.http.emsmdb.dispatch import HANDLERS, NO_HANDLE
from workers.http.emsmdb.objects import Folder, ServerObject
from workers.http.emsmdb.tableobject import TableObject

SECRET = "Geheimnis"
CAROL, RITA, ED = "carol@example.test", "rita@example.test", "ed@example.test"
ROLES = {CAROL: 0, RITA: 0x401, ED: 0x47B}
"""What each has on the folder `shared`; nothing on any other but to see the folder `lobby`."""
HANDLES = 40
OBJECTS, ROUNDS = 17, 51
LOGON = 0xFE
KINDS = sorted(REQUESTS)
OWN_BOOKS = {CAROL: set(), RITA: set(), ED: {"named_properties"}, DOMAIN: {"named_properties"}}
"""Tables of the mailbox in which somebody who may create something gets numbers."""


def secret(number: int) -> str:
    return f"{SECRET}{number:04}"


def shows(octets: bytes) -> bool:
    return SECRET.encode() in octets or SECRET.encode("utf-16-le") in octets or SECRET.encode("utf-16-be") in octets


class Scene:
    """Alice's mailbox full of secrets, and the domain's public store with a folder that nobody may see."""

    def __init__(self, folder: Path) -> None:
        self.world = world = EmsmdbWorld(folder)
        self._secrets = itertools.count(1)
        for number, name in enumerate(ROLES, 21):
            world.directory.all_users[name] = User(number, name, 7, str(folder / name.partition("@")[0]))
        world.withhold()
        self.account = world.account()
        names = (n.Name(b"N" * 16, -1, "plain"),)
        (self.named,) = self.account.call(n.MakePropertyIds(list(names)))
        self.shared = self.make("shared", IPM)
        self.lobby = self.make("lobby", IPM)
        self.hidden = self.make(secret(0), IPM)
        for name, rights in ROLES.items():
            world.grant(self.lobby, name, 0x400)
            if rights:
                world.grant(self.shared, name, rights)
        world.grant(INBOX, f"{SECRET}@example.org".lower(), 0x401)
        self.mids = [self.mail(fid) for fid in (INBOX, DRAFTS, TRASH, CALENDAR, self.hidden, self.hidden)]
        self.shared_mid = self.mail(self.shared, "shared")
        self.gone = self.mail(self.hidden)
        self.account.call(o.DeleteMessages(self.hidden, [self.gone]))
        self.search = self.make(secret(2), FINDER, search=True)
        wanted = encode_restriction(Content(FuzzyLow.SUBSTRING, 1, p.PidTagSubject, secret(3)))
        self.account.call(sc.SetSearchCriteria(self.search, wanted, [self.hidden], 2))
        self._settings()
        self.public = self._public()

    def make(self, name: str, parent: int, search: bool = False) -> int:
        call = h.MakeFolder(parent, name, {p.PidTagComment: name}, self.world.request_id(), search=search)
        fid: int = self.account.call(call).fid
        return fid

    def mail(self, fid: int, text: str = "") -> int:
        """A message with a secret in each of its parts."""
        text = text or secret(next(self._secrets))
        made = WorkingMessage.create(self.account, fid)
        made.set({
            p.PidTagSubject: text, p.PidTagBody: f"{text} body", p.PidTagSenderName: text,
            self.named << 16 | 0x1F: f"{text} named", p.PidTagHtml: f"<p>{text}".encode(),
        })  # fmt: skip
        attachment = made.create_attachment()
        attachment.set({p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: f"{text}.txt",
                        p.PidTagAttachDataBinary: text.encode() * 5000})  # fmt: skip
        attachment.save()
        made.save()
        return made.mid

    def _settings(self) -> None:
        rule = {p.PidTagRuleName: secret(5), p.PidTagRuleSequence: 1, p.PidTagRuleState: 1,
                p.PidTagRuleProvider: secret(6), p.PidTagRuleProviderData: secret(7).encode(), p.PidTagRuleLevel: 0,
                p.PidTagRuleUserFlags: 0, p.PidTagRuleCondition: encode_restriction(Exist(p.PidTagSubject)),
                p.PidTagRuleActions: encode_actions([ActionBlock(ActionType.OP_DELETE)])}  # fmt: skip
        self.account.call(u.ModifyRules(INBOX, [u.RuleChange(1, rule)], self.world.request_id()))
        self.account.call(f.SetOof(f.OofSettings(1, text=secret(8), external_text=secret(9))))
        self.account.call(st.SetStoreProps({0x6700001F: secret(10)}))

    def _public(self) -> int:
        system = self.world.account(DOMAIN)
        call = h.MakeFolder(PUBLIC_IPM, secret(11), {p.PidTagComment: secret(12)}, self.world.request_id())
        fid: int = system.call(call).fid
        for name in ROLES:
            system.call(x.ModifyPermissions(fid, [x.PermissionChange(x.ADD, name=name, rights=0)]))
        changes = o.Changes({p.PidTagSubject: secret(13), p.PidTagBody: secret(14)})
        self.public_mid = system.call(o.SaveMessage(fid, 0, 0, changes, self.world.request_id())).mid
        return fid

    def dump(self, maildir: str = "") -> dict[str, list[str]]:
        """All rows of all tables."""
        db = self.world.store.mailbox(maildir or self.world.alice.maildir)._runner.tx.db
        tables = [str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type='table'").fetchall()]
        return {name: sorted(map(repr, db.execute(f"SELECT * FROM {name}").fetchall())) for name in tables}


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    made = Scene(tmp_path)
    yield made
    made.world.close()


class Pointed(Noise):
    """Noise of one ROP whose structures make sense: `guest` is whose objects and ids these are about."""

    def __init__(self, seed: int, guest: Guest, rop: int) -> None:
        super().__init__(Random(seed), guest.eids, frozenset(KINDS) - {rop})
        self.kind, rng = REQUESTS[rop], self._rng
        guid = guest.logon.info.guid

        def key() -> bytes:
            return guid + rng.choice(guest.fids + guest.mids).to_bytes(6, "big")

        pcl = b"\x16" + b"F" * 16 + bytes(6)
        values: dict[int, Any] = {
            p.PidTagSubject: "mine", p.PidTagDisplayName: "mine", p.PidTagComment: "mine", p.PidTagMessageFlags: 1,
            p.PidTagOutOfOfficeState: False, p.PidTagMessageClass: "IPM.X", p.PidTagFreeBusyEntryIds: [b"x"],
        }  # fmt: skip
        member = AddressBookEntryId(guest.scene.world.site.people.dn_of(guest.client.user)).encode()
        self._made: dict[str, Any] = {
            "values": lambda: [TaggedPropertyValue(*one) for one in values.items()],
            "property_values": lambda: rng.choice((
                {p.PidTagSourceKey: key(), p.PidTagLastModificationTime: 1, p.PidTagChangeKey: b"F" * 22,
                 p.PidTagPredecessorChangeList: pcl},
                {0x00001102: [key(), key()]}, values)),
            "hierarchy_values": lambda: {
                p.PidTagParentSourceKey: rng.choice((b"", key())), p.PidTagSourceKey: key(),
                p.PidTagLastModificationTime: 1, p.PidTagChangeKey: b"F" * 22, p.PidTagPredecessorChangeList: pcl,
                p.PidTagDisplayName: "mine"},
            "permissions_data": lambda: [PermissionData(1, (
                TaggedPropertyValue(p.PidTagEntryId, member), TaggedPropertyValue(p.PidTagMemberRights, 0x7FB)))],
            "rules_data": lambda: [RuleData(rng.choice((1, 2, 4)), (TaggedPropertyValue(p.PidTagRuleId, 1),))],
            "sort": lambda: SortOrderSet((SortOrder(p.PidTagSubject),), rng.choice((0, 1)), 0),
            "restriction": lambda: encode_restriction(Exist(p.PidTagSubject)),
            "restriction_data": lambda: b"", "display_name": lambda: "mine", "comment": lambda: "mine",
            "new_folder_name": lambda: "mine",
            "message_read_states": lambda: [rsync.ReadState(key(), True)],
            "long_term_id": lambda: key() + bytes(2), "unicode": lambda: True,
            "source_folder_id": key, "source_message_id": key, "predecessor_change_list": lambda: pcl,
            "destination_message_id": lambda: b"F" * 22, "change_number": lambda: b"F" * 22,
            "property_tag": lambda: rng.choice((p.PidTagBody, p.PidTagHtml, p.PidTagComment)),
            "message_ids": lambda: rng.sample(guest.eids, 3),
            "folder_ids": lambda: rng.sample(guest.eids, 2),
            "property_names": lambda: [PropertyName(b"X" * 16, rng.randrange(4))],
            "columns": lambda: [p.PidTagDisplayName], "rows": list,
            "excluded": lambda: rng.sample([p.PidTagBody, p.PidTagComment], 1),
            "property_ids": lambda: [0x8000, 0x8001], "long_term_id_ranges": list,
            "essdn": lambda: b"", "message_class": lambda: b"IPM.Mine",
        }  # fmt: skip

    def _make(self, kind: type[Request], handles: list[int]) -> Request:
        made = super()._make(kind, handles)
        named = {name: make() for name in kind.__struct_fields__ if (make := self._made.get(name)) is not None}
        return msgspec.structs.replace(made, **named)

    def requests(self, handles: list[int], count: int) -> Iterator[bytes]:
        """Some; those that make no sense are left out."""
        for number in range(count):
            with contextlib.suppress(WireError, AttributeError, TypeError, ValueError, OverflowError):
                made = msgspec.structs.replace(self._make(self.kind, handles), index=number % OBJECTS)
                yield made.encode()


class Guest:
    """A session of somebody on alice's mailbox, in which are objects that were never given to him."""

    def __init__(self, scene: Scene, name: str, *, public: bool = False) -> None:
        self.scene, self.client = scene, scene.world.client(name)
        self.public = public
        self.log_on()
        self.fids = [scene.public] if public else [scene.hidden, INBOX, DRAFTS, TRASH, CALENDAR, scene.search, IPM]
        self.mids = [scene.public_mid] if public else [*scene.mids, scene.gone]
        self.seen: dict[int, Counter[int]] = {}
        """Codes of the answers to each ROP."""

    def log_on(self) -> None:
        """With this number for the logon all that was on it before goes."""
        self.client.handles = [NO_HANDLE] * HANDLES
        if self.public:
            self.client.public_logon()
        else:
            self.client.logon(of=self.scene.world.alice)
        self.logon = self.client.session.logon(0)

    @property
    def eids(self) -> list[int]:
        return [eid_int(1, one) for one in (*self.fids, *self.mids)]

    def force(self, index: int, made: ServerObject) -> None:
        self.client.handles[index] = self.client.session.add(made)

    def prepare(self, fid: int) -> None:
        """The foreign folder, tables of it with columns, what comes of opening more on it, and streams to take."""
        self.log_on()
        self.force(1, Folder(self.logon, fid))
        kinds = (t.CONTENTS, 0), (t.CONTENTS, t.ASSOCIATED), (t.HIERARCHY, t.DEPTH), (t.RULES, 0), (t.PERMISSIONS, 0)
        for index, (kind, flags) in enumerate(kinds, 2):
            self.force(index, made := TableObject(self.logon, t.Table(kind, fid, flags)))
            made.set_columns([p.PidTagSubject, p.PidTagBody, p.PidTagDisplayName, p.PidTagComment, p.PidTagRuleName,
                              p.PidTagMemberName, p.PidTagRuleProviderData], 1252)  # fmt: skip
        flags, send = 0x10, 1
        self.ask(ft.FastTransferSourceCopyFolder(0, 1, 8, flags, send))
        self.ask(ft.FastTransferSourceCopyMessages(0, 1, 9, self.eids, 0, send))
        self.ask(ft.FastTransferSourceCopyTo(0, 1, 10, 0, 0, send, []))
        self.ask(rsync.SynchronizationConfigure(0, 1, 11, 1, send, 0x39, b"", 0xF, []))
        self.ask(rsync.SynchronizationConfigure(0, 1, 12, 2, send, 0, b"", 0xF, []))
        self.ask(rsync.SynchronizationOpenCollector(0, 1, 13, True))
        self.ask(ft.FastTransferDestinationConfigure(0, 1, 14, 3, 0))
        self.ask(rn.RegisterNotification(0, 0, 15, 0xFE, 0, True, 0, 0))
        self.ask(rn.RegisterNotification(0, 0, 16, 0xFE, 0, False, eid_int(1, fid), 0))
        for index in range(2, 7):
            self.ask(rt.QueryRows(0, index, 0, True, 50))
        for index in range(8, 13):
            self.ask(ft.FastTransferSourceGetBuffer(0, index, ft.OWN_SIZE, 0x7000))

    def ask(self, request: Request) -> bytes:
        return self.send(request.encode())

    def send(self, octets: bytes) -> bytes:
        try:
            answer = self.client.session.execute(octets, self.client.handles, 0x7FF0)
        except WireError:
            assert self.public  # where two ROPs have another form
            return b""
        assert not shows(answer), (octets.hex(), answer)
        if octets[0] != 0xFE and len(answer) >= 6:
            self.seen.setdefault(octets[0], Counter())[int.from_bytes(answer[2:6], "little")] += 1
        return answer


def unlike(before: dict[str, list[str]], after: dict[str, list[str]]) -> dict[str, tuple[list[str], list[str]]]:
    """Rows that are not on both sides."""
    return {
        name: (sorted(set(before[name]) - set(after[name])), sorted(set(after[name]) - set(before[name])))
        for name in before
        if before[name] != after[name]
    }


def test_nothing_is_in_the_planting_that_is_not_secret(scene: Scene) -> None:
    """The test's own eyes: the owner's session does show the secrets, by tables, streams and messages."""
    owner = scene.world.client(ALICE)
    owner.logon()
    owner.folder(scene.hidden, 1)
    owner.one(rt.GetContentsTable(0, 1, 2, 0), rt.GetContentsTableResponse)
    owner.one(rt.SetColumns(0, 2, 0, [p.PidTagSubject]), rt.SetColumnsResponse)
    assert shows(owner.session.execute(rt.QueryRows(0, 2, 0, True, 50).encode(), owner.handles, 0x7FF0))
    owner.one(ft.FastTransferSourceCopyFolder(0, 1, 3, 0x10, 1), ft.FastTransferSourceCopyFolderResponse)
    taken = ft.FastTransferSourceGetBuffer(0, 3, ft.OWN_SIZE, 0x7000).encode()
    assert shows(owner.session.execute(taken, owner.handles, 0x7FF0))


def storm(guest: Guest, fids: list[int], rounds: int) -> dict[int, int]:
    """Every ROP on what the guest's table has, again and again; how many of each."""
    sent: dict[int, int] = {}
    for fid in fids:
        for rop in KINDS:
            if rop == LOGON:
                continue
            guest.prepare(fid)
            for octets in Pointed(rop * 1000 + fid, guest, rop).requests(guest.client.handles, rounds):
                guest.send(octets)
                if guest.client.handles[0] == NO_HANDLE:
                    guest.prepare(fid)
                sent[rop] = sent.get(rop, 0) + 1
    return sent


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ROLES))
def test_every_rop_on_foreign_objects(scene: Scene, name: str) -> None:
    assert set(KINDS) == set(HANDLERS)
    guest = Guest(scene, name)
    before = scene.dump()
    sent = storm(guest, [scene.hidden, INBOX, scene.search], ROUNDS)
    assert {rop for rop in KINDS if sent.get(rop, 0) < 10} == {LOGON}
    changed = unlike(before, scene.dump())
    assert set(changed) == OWN_BOOKS[name], changed
    assert sum(codes[int(Ec.ecAccessDenied)] for codes in guest.seen.values()) > 1000


@pytest.mark.slow
def test_every_rop_on_a_public_folder_of_nobody(scene: Scene) -> None:
    guest = Guest(scene, CAROL, public=True)
    home = scene.world.directory.domains[DOMAIN].homedir
    before = scene.dump(home)
    storm(guest, [scene.public], ROUNDS)
    changed = unlike(before, scene.dump(home))
    assert set(changed) <= OWN_BOOKS[DOMAIN], changed
