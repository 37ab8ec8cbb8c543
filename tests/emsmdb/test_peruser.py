"""What users have read in public folders, taken from store to store."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.objects import SetReadState
from gromoxd.exmdb.storecalls import OpenStore
from gromoxd.mapi.ids import LongTermId
from gromoxd.mapi.idset import IdSet
from gromoxd.rop import peruser as ru
from tests.contract.mail import mail
from tests.emsmdb.world import ALICE, BOB, DOMAIN, PUBLIC_IPM, Client, EmsmdbWorld
from workers.http.emsmdb.peruser import _messages


@pytest.fixture
def guid(world: EmsmdbWorld) -> bytes:
    return world.account(DOMAIN).call(OpenStore()).guid


@pytest.fixture
def mids(world: EmsmdbWorld) -> list[int]:
    return [world.append(mail(n), PUBLIC_IPM, DOMAIN).mid for n in range(3)]


def read(client: Client, index: int, number: int, folder: bytes, size: int = 0) -> bytes:
    """All of the information, piece by piece."""
    data, finished = b"", False
    while not finished:
        request = ru.ReadPerUserInformation(number, index, folder, 0, len(data), size)
        piece = client.one(request, ru.ReadPerUserInformationResponse)
        data, finished = data + piece.data, piece.has_finished
        assert len(piece.data) <= (size or 4096)
    return data


def marks(client: Client) -> list[bool]:
    """Which of the messages the client's user has read."""
    return [one for _, one, _ in sorted(_messages(client.session.logon(1), PUBLIC_IPM))]


def test_what_was_read_goes_to_a_mailbox_and_comes_back(
    world: EmsmdbWorld, alice: Client, guid: bytes, mids: list[int]
) -> None:
    public, folder = world.account(DOMAIN, ALICE), LongTermId(guid, PUBLIC_IPM).encode()
    alice.public_logon(1, 1)
    assert read(alice, 1, 1, folder) == b""
    public.call(SetReadState(PUBLIC_IPM, mids[:2], True))
    assert marks(alice) == [True, True, False]
    data = read(alice, 1, 1, folder)
    assert len(IdSet.decode_replguid(data).of(guid)) == 2
    assert read(alice, 1, 1, folder, 7) == data
    keep = ru.WritePerUserInformation(0, 0, folder, False, 0, data[:5], guid)
    alice.one(keep, ru.WritePerUserInformationResponse)
    alice.one(ru.WritePerUserInformation(0, 0, folder, True, 5, data[5:]), ru.WritePerUserInformationResponse)
    assert read(alice, 0, 0, folder) == data
    assert alice.run(ru.GetPerUserGuid(0, 0, folder)) == [ru.GetPerUserGuidResponse(0, 0, guid)]
    assert alice.run(ru.GetPerUserLongTermIds(0, 0, guid)) == [ru.GetPerUserLongTermIdsResponse(0, 0, [folder])]
    assert alice.run(ru.GetPerUserLongTermIds(0, 0, b"?" * 16)) == [ru.GetPerUserLongTermIdsResponse(0, 0, [])]
    public.call(SetReadState(PUBLIC_IPM, mids, False))
    public.call(SetReadState(PUBLIC_IPM, mids[2:], True))
    back = ru.WritePerUserInformationPublic(1, 1, folder, True, 0, data)
    alice.one(back, ru.WritePerUserInformationResponse)
    assert marks(alice) == [True, True, False]


def test_others_have_their_own(world: EmsmdbWorld, alice: Client, bob: Client, guid: bytes, mids: list[int]) -> None:
    folder = LongTermId(guid, PUBLIC_IPM).encode()
    for client in (alice, bob):
        client.public_logon(1, 1)
    world.account(DOMAIN, BOB).call(SetReadState(PUBLIC_IPM, mids, True))
    assert (marks(alice), marks(bob)) == ([False] * 3, [True] * 3)
    assert read(alice, 1, 1, folder) == b""
    assert len(read(bob, 1, 1, folder)) > 16


def test_it_is_replaced(alice: Client, guid: bytes) -> None:
    folder = LongTermId(guid, PUBLIC_IPM).encode()
    for data in (b"first", b"second"):
        alice.one(ru.WritePerUserInformation(0, 0, folder, True, 0, data, guid), ru.WritePerUserInformationResponse)
        assert read(alice, 0, 0, folder) == data
    assert len(alice.one(ru.GetPerUserLongTermIds(0, 0, guid), ru.GetPerUserLongTermIdsResponse).long_term_ids) == 1


def test_what_is_refused(world: EmsmdbWorld, alice: Client, guid: bytes) -> None:
    folder = LongTermId(guid, PUBLIC_IPM).encode()
    alice.public_logon(1, 1)
    assert alice.fails(ru.GetPerUserGuid(0, 0, folder)) == Ec.ecNotFound
    assert alice.fails(ru.GetPerUserGuid(1, 1, folder)) == Ec.ecNotSupported
    assert alice.fails(ru.GetPerUserLongTermIds(1, 1, guid)) == Ec.ecNotSupported
    assert alice.fails(ru.ReadPerUserInformation(1, 1, LongTermId(b"F" * 16, 2).encode(), 0, 0, 0)) == Ec.ecNotFound
    assert alice.fails(ru.ReadPerUserInformation(1, 1, folder, 0, 9, 0)) == Ec.ecError
    assert alice.fails(ru.WritePerUserInformationPublic(1, 1, folder, True, 4, b"x")) == Ec.ecError
    assert alice.fails(ru.WritePerUserInformationPublic(1, 1, folder, True, 0, b"\x01" * 30)) == Ec.ecInvalidParam
    world.account(DOMAIN, SYSTEM).call(OpenStore())
