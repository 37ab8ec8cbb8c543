"""Bad streams, states and ROPs: every one gets an answer, and nothing is made of it that is not there."""

from __future__ import annotations

from random import Random

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import sync as s
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import eid_int, gid
from gromoxd.mapi.restrictions import Exist, encode_restriction
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import sync as rop
from gromoxd.rop.codec import Request, read_response
from tests.emsmdb.cachedclient import CONTEXT, FOLDER, OTHER, SyncClient
from tests.emsmdb.test_fasttransfer import COPY_FOLDER, COPY_MESSAGES, COPY_TO, UNICODE, folder_tree
from tests.emsmdb.world import DRAFTS, INBOX, IPM, Client, EmsmdbWorld

ROUNDS = 60
EXISTS = encode_restriction(Exist(0x0037001F))


@pytest.fixture
def sync(alice: Client) -> SyncClient:
    return SyncClient(alice)


def mutated(rng: Random, octets: bytes) -> bytes:
    """A stream with something wrong."""
    data = bytearray(octets)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        kind = rng.random()
        if kind < 0.5:
            data[at] = rng.randrange(256)
        elif kind < 0.7:
            del data[at : at + rng.randint(1, 40)]
        elif kind < 0.9:
            data[at:at] = data[rng.randrange(len(data)) :][: rng.randint(1, 40)]
        else:
            del data[at + 1 :]
    return bytes(data)


def send(client: Client, request: Request) -> int:
    """The code of the answer, whatever it is."""
    answer = client.session.execute(request.encode(), client.handles, 0x7FF0)
    cursor = Cursor(answer)
    found = read_response(cursor)
    cursor.finish()
    return found.code


@pytest.mark.parametrize("operation", [COPY_FOLDER, COPY_MESSAGES, COPY_TO])
def test_streams_with_something_wrong(world: EmsmdbWorld, sync: SyncClient, operation: int) -> None:
    client, rng = sync.client, Random(operation)
    top = folder_tree(world)
    client.folder(top, FOLDER)
    account = world.account()
    mids = [eid_int(1, mid) for mid, *_ in account.call(s.GetContentChanges(top, s.State(), s.NORMAL)).changed]
    sync.ask(
        {
            COPY_FOLDER: ft.FastTransferSourceCopyFolder(0, FOLDER, CONTEXT, 0x10, UNICODE),
            COPY_MESSAGES: ft.FastTransferSourceCopyMessages(0, FOLDER, CONTEXT, mids, 0, UNICODE),
            COPY_TO: ft.FastTransferSourceCopyTo(0, FOLDER, CONTEXT, 0, 0, UNICODE, []),
        }[operation]
    )
    octets = sync.stream()
    client.release(CONTEXT, FOLDER)
    codes = set()
    for _ in range(ROUNDS):
        client.folder(DRAFTS, FOLDER)
        sync.ask(ft.FastTransferDestinationConfigure(0, FOLDER, OTHER, operation, 0))
        bad = mutated(rng, octets)
        for at in range(0, len(bad), 30_000):
            codes.add(send(client, ft.FastTransferDestinationPutBuffer(0, OTHER, bad[at : at + 30_000])))
        client.release(OTHER, FOLDER)
    assert 0 in codes and len(codes) > 1
    assert client.session.objects.keys() == {client.handles[0]}


def test_states_of_any_octets(world: EmsmdbWorld, sync: SyncClient) -> None:
    client, rng = sync.client, Random(1)
    world.append(b"Subject: x\r\n\r\nx\r\n")
    codes = set()
    for number in range(ROUNDS):
        sync.configure(INBOX if number % 2 else IPM, 1 if number % 2 else 2)
        tag = rng.choice((0x40170003, 0x40170102, 0x67960102, 0x67DA0102, 0x67D20102))
        octets = sync.guid + bytes(rng.choices(range(256), k=rng.randint(0, 30)))
        if rng.random() < 0.3:
            octets = sync.guid + b"\x52" + bytes(5) + bytes(rng.choices(range(256), k=7)) + b"\0"
        codes.add(send(client, rop.SynchronizationUploadStateStreamBegin(0, CONTEXT, tag, len(octets))))
        codes.add(send(client, rop.SynchronizationUploadStateStreamContinue(0, CONTEXT, octets)))
        codes.add(send(client, rop.SynchronizationUploadStateStreamEnd(0, CONTEXT)))
        codes.add(send(client, ft.FastTransferSourceGetBuffer(0, CONTEXT, ft.OWN_SIZE, 0x7BC0)))
        client.release(CONTEXT, FOLDER)
    assert 0 in codes and len(codes) > 1


class Storm:
    """ROPs of these families with any values, mostly on objects that have them."""

    def __init__(self, sync: SyncClient, rng: Random) -> None:
        self.sync, self.client, self.rng = sync, sync.client, rng
        self.keys = [gid(sync.guid, INBOX), gid(bytes(16), 5), b"", bytes(17), bytes(30)]

    def index(self, *kinds: str) -> int:
        """A handle index of an object of one of these kinds, or any."""
        objects = self.client.session.objects
        living = [
            index for index, handle in enumerate(self.client.handles)
            if handle in objects and type(objects[handle]).__name__ in kinds
        ]  # fmt: skip
        return self.rng.choice(living) if living and self.rng.random() < 0.9 else self.rng.randrange(64)

    @property
    def output(self) -> int:
        return self.rng.randrange(50, 64)

    @property
    def key(self) -> bytes:
        return self.rng.choice(self.keys)

    @property
    def flags(self) -> int:
        return self.rng.choice((0, 0, 1, 1, 0x10, 0x40, self.rng.randrange(256)))

    def octets(self, most: int) -> bytes:
        return self.rng.randbytes(self.rng.randint(0, most))

    def bag(self) -> dict[int, object]:
        if self.rng.random() < 0.3:
            return {0x00001102: [self.key]}
        change = gid(bytes(16), self.rng.randint(1, 9))
        values = {0x65E00102: self.key, 0x30080040: 1, 0x65E20102: self.rng.choice((self.key, change)),
                  0x65E30102: self.rng.choice((self.key, b"")), 0x65E10102: self.key, 0x3001001F: "Name"}  # fmt: skip
        return {tag: value for tag, value in values.items() if self.rng.random() < 0.97}

    def upload(self) -> Request:
        """One of a collector's."""
        index, rng = self.index("Collector"), self.rng
        return rng.choice(
            [
                rop.SynchronizationImportMessageChange(0, index, self.output, self.flags, self.bag()),
                rop.SynchronizationImportMessageChangePartial(0, index, self.output, self.flags, self.bag()),
                rop.SynchronizationImportHierarchyChange(0, index, self.bag(), self.bag()),
                rop.SynchronizationImportDeletes(0, index, rng.randint(0, 4), self.bag()),
                rop.SynchronizationImportMessageMove(0, index, self.key, self.key, self.key, self.key, self.key),
                rop.SynchronizationImportReadStateChanges(0, index, [rop.ReadState(self.key, True)]),
            ]
        )

    def state(self) -> Request:
        """One on the state of a context."""
        index = self.index("Collector", "SyncDownload")
        return self.rng.choice(
            [
                rop.SynchronizationGetTransferState(0, index, self.output),
                rop.SynchronizationUploadStateStreamBegin(0, index, 0x67960102, self.flags),
                rop.SynchronizationUploadStateStreamContinue(0, index, self.octets(40)),
                rop.SynchronizationUploadStateStreamEnd(0, index),
            ]
        )

    def context(self) -> Request:
        """One that makes a context."""
        index, output, flags, rng = self.index("Folder", "Message"), self.output, self.flags, self.rng
        return rng.choice(
            [
                rop.SynchronizationConfigure(0, index, output, rng.randint(0, 3), flags, rng.randrange(65536),
                                             rng.choice((b"", b"", EXISTS, self.octets(2))), flags, [0x0037001F]),
                rop.SynchronizationOpenCollector(0, index, output, rng.random() < 0.5),
                ft.FastTransferSourceCopyTo(0, index, output, flags, flags, 1, [0x0037001F]),
                ft.FastTransferSourceCopyFolder(0, index, output, flags, 1),
                ft.FastTransferSourceCopyMessages(0, index, output, [eid_int(1, 5)], flags, 5),
                ft.FastTransferSourceCopyProperties(0, index, output, flags, flags, 1, [0x0037001F]),
                ft.FastTransferDestinationConfigure(0, index, output, rng.randint(0, 5), rng.randint(0, 2)),
                ft.TellVersion(0, index, 1, 2, 3),
                rop.GetLocalReplicaIds(0, rng.choice((0, index)), rng.choice((5, 0xFFFFFFFF))),
            ]
        )  # fmt: skip

    def transfer(self) -> Request:
        """One that moves a stream."""
        source = self.index("SyncDownload", "CopyObject", "CopyFolder", "CopyMessages", "StateDownload")
        size = self.rng.choice((0, 100, 600, 0x7000, 0xFFFF))
        return self.rng.choice(
            [
                ft.FastTransferSourceGetBuffer(0, source, ft.OWN_SIZE, size),
                ft.FastTransferSourceGetBuffer(0, source, size),
                ft.FastTransferDestinationPutBuffer(0, self.index("Destination"), self.octets(20)),
            ]
        )


def test_rops_in_any_order(world: EmsmdbWorld, sync: SyncClient) -> None:
    client, rng = sync.client, Random(7)
    for number in range(5):
        world.append(b"Subject: %d\r\n\r\nx\r\n" % number)
    storm = Storm(sync, rng)
    codes = set()
    for _ in range(2500):
        if rng.random() < 0.05:
            client.folder(rng.choice((INBOX, IPM, DRAFTS)), rng.randrange(1, 50))
        if rng.random() < 0.01:
            for handle in list(client.session.objects)[1:]:
                client.session.release(handle)
        codes.add(send(client, rng.choice((storm.upload, storm.state, storm.context, storm.transfer))()))
    assert {0, Ec.ecInvalidParam, Ec.ecNotSupported, Ec.ecNullObject, Ec.ecRpcFormat, Ec.SyncNoParent} <= codes
    assert len(codes) > 8, codes
