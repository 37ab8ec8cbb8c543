"""Logon, receive folders, ids, public folders' whereabouts."""

from __future__ import annotations

import msgspec

from gromoxd.directory import dn
from gromoxd.directory.model import Domain, Server, User
from gromoxd.errors import Ec
from gromoxd.exmdb.storecalls import OpenStore
from gromoxd.mapi.ids import LongTermId, eid_int
from gromoxd.rop import folders as rf
from gromoxd.rop import store as rs
from gromoxd.rop.codec import Failure
from tests.emsmdb.world import BOB, DOMAIN, INBOX, PRIVATE_LOGON, REPLIDS, SENT, Client, EmsmdbWorld

READ = 0x401
OWNER_FLAGS = rs.ResponseFlags.Reserved | rs.ResponseFlags.OwnerRight | rs.ResponseFlags.SendAsRight


def private(dn_of: str, flags: int = REPLIDS, logon_flags: int = PRIVATE_LOGON) -> rs.Logon:
    return rs.Logon(0, 0, logon_flags, flags, 0, dn_of.encode())


def name_of(world: EmsmdbWorld, user: User) -> str:
    return world.site.people.dn_of(user)


def test_ones_own_mailbox(world: EmsmdbWorld) -> None:
    client = world.client()
    found = client.logon()
    assert found.response_flags == OWNER_FLAGS
    assert found.logon_flags == rs.LogonFlags.Private
    assert len(found.folder_ids) == 13
    assert found.folder_ids[4] == eid_int(1, INBOX)
    assert found.logon_time == rs.LogonTime(0, 0, 8, 5, 15, 1, 2027)
    assert found.repl_id == 5
    assert client.handles[0] == 0


def test_without_a_dn_it_is_ones_own(world: EmsmdbWorld) -> None:
    client = world.client(BOB)
    first = client.one(rs.Logon(3, 0, PRIVATE_LOGON, REPLIDS, 0, b""), rs.LogonResponse)
    assert first.mailbox_guid == world.account(BOB).call(OpenStore()).guid
    assert client.handles[0] == 3 << 24


def test_handles_count_up_from_the_logon(alice: Client) -> None:
    alice.folder(INBOX, 1)
    alice.folder(SENT, 2)
    assert alice.handles[:3] == [0, 1, 2]
    alice.release(1)
    alice.folder(SENT, 1)
    assert alice.handles[1] == 3


def test_another_logon_with_the_same_id_replaces_the_first(alice: Client) -> None:
    alice.folder(INBOX, 1)
    alice.logon()
    assert alice.fails(rf.OpenFolder(0, 1, 2, eid_int(1, INBOX), 0)) == Ec.ecNullObject


def test_a_guest_sees_what_is_his(world: EmsmdbWorld, bob: Client) -> None:
    world.withhold()
    assert bob.fails(private(name_of(world, world.alice))) == Ec.ecAccessDenied
    world.grant(INBOX, BOB, READ)
    found = bob.logon(1, 1, world.alice)
    assert found.response_flags == rs.ResponseFlags.Reserved
    assert bob.folder(INBOX, 2, 1, 1) == 2
    assert bob.fails(rf.OpenFolder(1, 1, 3, eid_int(1, SENT), 0)) == Ec.ecAccessDenied


def test_nobody_is_an_administrator(world: EmsmdbWorld, bob: Client) -> None:
    world.grant(INBOX, BOB, READ)
    flags = REPLIDS | rs.OpenFlags.USE_ADMIN_PRIVILEGE
    assert bob.fails(private(name_of(world, world.alice), flags)) == Ec.ecLoginPerm
    assert bob.run(private("", flags))[0].code == 0


def test_what_is_no_logon(world: EmsmdbWorld) -> None:
    client = world.client()
    assert client.fails(private("", 0)) == Ec.ecInvalidParam
    assert client.fails(private("", REPLIDS | rs.OpenFlags.PUBLIC)) == Ec.ecInvalidParam
    assert client.fails(private("", REPLIDS, 0)) == Ec.ecInvalidParam
    client.one(private("", REPLIDS | 0x8000_0000, PRIVATE_LOGON | 0x80), rs.LogonResponse)  # not defined
    client.one(rs.Logon(0, 0, 0, rs.OpenFlags.PUBLIC, 0, b""), rs.LogonPublicResponse)
    for unknown in ("/o=x/ou=y/cn=Recipients/cn=z", name_of(world, world.alice).replace("alice", "malory")):
        assert client.fails(private(unknown)) == Ec.ecUnknownUser


def test_another_servers_mailbox(world: EmsmdbWorld) -> None:
    away = msgspec.structs.replace(world.bob, host="node2")
    world.directory.all_users[BOB] = away
    world.grant(INBOX, "alice@example.test", READ, BOB)
    client = world.client()
    assert client.run(private(name_of(world, away)))[0].code == 0  # other nodes' stores are asked from here
    world.directory.servers["node2"] = Server(2, "node2", "mail2.example.test")
    server = dn.server_dn(world.site.people.organisation, world.site.people.mailbox_id(away))
    for _ in range(5):
        assert client.run(private(name_of(world, away))) == [
            rs.LogonRedirect(0, Ec.ecWrongServer, PRIVATE_LOGON, server.encode())
        ]
    assert client.run(private(name_of(world, away))) == [Failure(0, Ec.ecServerPaused)]
    client.now += 11
    assert client.fails(private(name_of(world, away))) == Ec.ecWrongServer


def test_a_session_at_somebody_elses_server(world: EmsmdbWorld) -> None:
    """A MailboxId of another user is accepted when the client connects, and answered here."""
    world.grant(INBOX, "alice@example.test", READ, BOB)
    client = world.client()
    client.session.mailbox = world.bob
    (found,) = client.run(private(""))
    assert isinstance(found, rs.LogonRedirect)
    assert world.site.people.mailbox_id(world.alice) in found.server_name.decode()
    client.logon(of=world.bob)
    client.public_logon(1, 1)


def test_out_of_office_is_told(world: EmsmdbWorld) -> None:
    from gromoxd.exmdb.storecalls import SetStoreProps
    from gromoxd.mapi.proptags import PidTagOutOfOfficeState

    world.account().call(SetStoreProps({PidTagOutOfOfficeState: True}))
    assert world.client().logon().response_flags == OWNER_FLAGS | rs.ResponseFlags.OOF


def test_the_public_store(world: EmsmdbWorld, bob: Client) -> None:
    found = bob.public_logon(1, 1)
    assert found.folder_ids[:4] == [eid_int(1, number) for number in (1, 2, 3, 4)]
    assert found.folder_ids[4:] == [0] * 9
    public = REPLIDS | rs.OpenFlags.PUBLIC
    for name in (world.site.people.public_dn(world.directory.domains[DOMAIN]), name_of(world, world.alice)):
        assert bob.run(rs.Logon(2, 2, 0, public, 0, name.encode()))[0].code == 0
    assert bob.fails(rs.Logon(2, 2, 0, public, 0, b"/o=elsewhere")) == Ec.ecUnknownUser
    world.directory.domains["other.test"] = other = Domain(8, 4, "other.test", "", 0, "", "/nowhere", 0)
    assert bob.fails(rs.Logon(2, 2, 0, public, 0, world.site.people.public_dn(other).encode())) == Ec.ecLoginFailure


def test_owning_servers_of_public_folders(world: EmsmdbWorld, bob: Client) -> None:
    bob.public_logon(1, 1)
    found = bob.one(rs.GetOwningServers(1, 1, eid_int(1, 2)), rs.GetOwningServersResponse)
    assert found.servers.cheap == 1
    assert found.servers.names[0].endswith(b"@example.test")
    assert bob.run(rs.PublicFolderIsGhosted(1, 1, eid_int(1, 2))) == [rs.PublicFolderIsGhostedResponse(1, 0, None)]
    assert bob.fails(rs.GetOwningServers(1, 1, eid_int(1, 0x999))) == Ec.ecNotFound
    assert bob.fails(rs.PublicFolderIsGhosted(1, 1, eid_int(1, 0x999))) == Ec.ecNotFound
    assert bob.run(rs.PublicFolderIsGhosted(0, 0, eid_int(1, INBOX))) == [rs.PublicFolderIsGhostedResponse(0, 0, None)]
    assert bob.fails(rs.GetOwningServers(0, 0, eid_int(1, INBOX))) == Ec.ecNotSupported


def test_receive_folders(alice: Client) -> None:
    inbox, sent = eid_int(1, INBOX), eid_int(1, SENT)
    assert alice.run(rs.GetReceiveFolder(0, 0, b"IPM.Note")) == [rs.GetReceiveFolderResponse(0, 0, inbox, b"IPM")]
    assert alice.run(rs.SetReceiveFolder(0, 0, sent, b"IPM.Fax")) == [rs.SetReceiveFolderResponse(0, 0)]
    found = alice.one(rs.GetReceiveFolder(0, 0, b"ipm.fax.x"), rs.GetReceiveFolderResponse)
    assert (found.folder_id, found.explicit_message_class) == (sent, b"IPM.Fax")
    table = alice.one(rs.GetReceiveFolderTable(0, 0), rs.GetReceiveFolderTableResponse)
    assert {row.message_class: row.folder_id for row in table.rows}[b"IPM.Fax"] == sent
    assert alice.fails(rs.SetReceiveFolder(0, 0, sent, b"IPM")) == Ec.ecAccessDenied
    assert alice.fails(rs.SetReceiveFolder(0, 0, 0, b"")) == Ec.ecError
    assert alice.fails(rs.SetReceiveFolder(0, 0, sent, b"a..b")) == Ec.ecInvalidParam
    assert alice.run(rs.SetReceiveFolder(0, 0, 0, b"IPM.Fax"))[0].code == 0
    assert alice.one(rs.GetReceiveFolder(0, 0, b"IPM.Fax"), rs.GetReceiveFolderResponse).folder_id == inbox
    alice.public_logon(1, 1)
    assert alice.fails(rs.GetReceiveFolder(1, 1, b"IPM")) == Ec.ecNotSupported


def test_long_term_ids(alice: Client, world: EmsmdbWorld) -> None:
    guid = world.account().call(OpenStore()).guid
    found = alice.one(rs.LongTermIdFromId(0, 0, eid_int(1, INBOX)), rs.LongTermIdFromIdResponse)
    assert LongTermId.decode(found.long_term_id) == LongTermId(guid, INBOX)
    back = alice.one(rs.IdFromLongTermId(0, 0, found.long_term_id), rs.IdFromLongTermIdResponse)
    assert back.object_id == eid_int(1, INBOX)
    foreign = LongTermId(b"F" * 16, 0x77).encode()
    assert alice.fails(rs.IdFromLongTermId(0, 0, LongTermId(bytes(16), 5).encode())) == Ec.ecInvalidParam
    made = alice.one(rs.IdFromLongTermId(0, 0, foreign), rs.IdFromLongTermIdResponse).object_id
    assert made & 0xFFFF >= 6
    assert alice.one(rs.LongTermIdFromId(0, 0, made), rs.LongTermIdFromIdResponse).long_term_id == foreign
    assert alice.fails(rs.LongTermIdFromId(0, 0, eid_int(0x7000, 1))) == Ec.ecNotFound


def test_store_state(alice: Client) -> None:
    from gromoxd.exmdb.hierarchy import MakeFolder

    assert alice.one(rs.GetStoreState(0, 0), rs.GetStoreStateResponse).store_state == 0
    world = alice.world
    world.account().call(MakeFolder(5, "Search", {}, world.request_id(), search=True))
    assert alice.one(rs.GetStoreState(0, 0), rs.GetStoreStateResponse).store_state == 0x01000000
