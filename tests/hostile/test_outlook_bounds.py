"""What Outlook's protocols hold and how long they take is bounded, whatever a client that may log in sends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import eid_int
from gromoxd.rop import extbuffer, lzxpress
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import messages as rm
from gromoxd.rop import peruser as rp
from gromoxd.rop import streams as rs
from gromoxd.rop import sync as rsync
from gromoxd.rop import tables as rt
from gromoxd.rop.codec import Request
from gromoxd.rop.release import Release
from tests.emsmdb.world import DRAFTS, INBOX, Client, EmsmdbWorld
from workers.http.emsmdb import session as sessions
from workers.http.emsmdb import syncstate
from workers.http.mapihttp import mailbox


@pytest.fixture
def world(tmp_path: Path) -> Any:
    made = EmsmdbWorld(tmp_path)
    yield made
    made.close()


@pytest.fixture
def client(world: EmsmdbWorld) -> Client:
    made = world.client()
    made.logon()
    made.folder(INBOX, 1)
    return made


def code(client: Client, request: Request) -> int:
    (answer,) = client.run(request)
    return answer.code


# ---------------------------------------------------------------------------------------------------- buffers


def bomb(size: int) -> bytes:
    """Octets that are as much work to decompress as can be: matches of three octets."""
    parts, left = [b"a", b"b", b"c"], (size - 3) // 3
    parts += [pack("<H", 2 << 3)] * left
    out = b""
    for at in range(0, len(parts), 32):
        chunk = parts[at : at + 32]
        out += pack("<I", sum(1 << 31 - n for n, part in enumerate(chunk) if len(part) == 2)) + b"".join(chunk)
    return out


def test_of_several_buffers_none_is_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bomb(65535)
    one = extbuffer.HEADER.pack(0, 1, len(data), 65535) + data
    assert len(extbuffer.read_one(extbuffer.HEADER.pack(0, 5, len(data), 65535) + data)) == 65535
    monkeypatch.setattr(lzxpress, "decompress", lambda *args: pytest.fail("decompressed"))
    with pytest.raises(WireError, match="too many"):
        extbuffer.read_one(one * 5 + extbuffer.HEADER.pack(0, 4, 0, 0))


def test_many_rops_let_others_have_their_turn(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ROPs that ask no store the longest turn is a few milliseconds."""
    turns: list[float] = [time.monotonic()]
    monkeypatch.setattr(client.session, "pause", lambda: turns.append(time.monotonic()))
    monkeypatch.setattr(sessions, "LONGEST_TURN", 0.0001)
    client.one(rm.CreateMessage(0, 1, 2, 0xFFF, eid_int(1, INBOX), False), rm.CreateMessageResponse)
    client.one(rs.OpenStream(0, 2, 3, p.PidTagBody, 2), rs.OpenStreamResponse)
    rops = b"".join(rs.WriteStream(0, 3, b"octets").encode() for _ in range(1500))
    assert client.session.execute(rops, client.handles, 0x7FF0)[-2:] == b"\6\0"
    assert len(turns) > 2
    with pytest.raises(WireError):
        client.session.execute(Release(0, 9).encode() * 5000, client.handles, 0x7FF0)


# ---------------------------------------------------------------------------------------------------- states


def upload(client: Client, size: int, tag: int = 0x67960102) -> int:
    """The code of the first ROP that fails, 0 for none; what is uploaded is a set of `size` octets."""
    count = (size - 17) // 7
    octets = os.urandom(16) + b"".join(b"\x06" + (n * 3).to_bytes(6, "big") for n in range(count)) + b"\0"
    requests: list[Request] = [rsync.SynchronizationUploadStateStreamBegin(0, 2, tag, len(octets))]
    requests += [
        rsync.SynchronizationUploadStateStreamContinue(0, 2, octets[at : at + 60_000])
        for at in range(0, len(octets), 60_000)
    ]
    requests.append(rsync.SynchronizationUploadStateStreamEnd(0, 2))
    return next((found for one in requests if (found := code(client, one))), 0)


def test_large_states_are_read_on_threads(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []
    services: Any = client.session.site.services

    def on_thread(function: Callable[..., Any], *args: Any) -> Any:
        called.append(function)
        return function(*args)

    monkeypatch.setattr(services, "run_blocking", on_thread)
    client.one(rsync.SynchronizationOpenCollector(0, 1, 2, True), rsync.SynchronizationOpenCollectorResponse)
    assert upload(client, 10_000) == 0 and not called
    assert upload(client, 1 << 20, 0x67DA0102) == 0 and len(called) == 1
    assert upload(client, (2 << 20) + 100, 0x67D20102) == Ec.ecTooBig


def test_states_of_a_session_are_few_and_small(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncstate, "MOST_HELD", 300_000)
    client.one(rsync.SynchronizationOpenCollector(0, 1, 3, True), rsync.SynchronizationOpenCollectorResponse)
    client.one(rsync.SynchronizationOpenCollector(0, 1, 2, True), rsync.SynchronizationOpenCollectorResponse)
    assert upload(client, 200_000) == 0
    client.handles[2], client.handles[3] = client.handles[3], client.handles[2]
    assert upload(client, 200_000) == Ec.ecTooBig
    client.release(3)
    assert upload(client, 200_000) == 0


def opened(client: Client, make: Callable[[], Request]) -> int:
    """How many of them there may be."""
    for number in range(40_000):
        if (found := code(client, make())) != 0:
            assert found == Ec.ecMaxObjsExceeded
            return number
    return 40_000


@pytest.mark.parametrize(
    "request_",
    [
        rsync.SynchronizationOpenCollector(0, 1, 2, True),
        rsync.SynchronizationConfigure(0, 1, 2, 1, 1, 0x20, b"", 0, []),
        ft.FastTransferSourceCopyFolder(0, 1, 2, 0x10, 1), ft.FastTransferDestinationConfigure(0, 1, 2, 3, 0),
    ],
)  # fmt: skip
def test_transfers_are_few_and_come_back(client: Client, request_: Request) -> None:
    assert opened(client, lambda: request_) == sessions.MOST_TRANSFERS
    client.release(*[2])
    client.session.release(next(h for h, one in client.session.objects.items() if one.transfers))
    assert code(client, request_) == 0
    client.logon()
    client.folder(INBOX, 1)
    assert opened(client, lambda: request_) == sessions.MOST_TRANSFERS, "with the logon they went"


def test_handles_end(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_OBJECTS", 500)
    assert opened(client, lambda: rt.GetContentsTable(0, 1, 2, 0)) == 498


def test_an_object_that_cannot_be_closed_holds_up_nothing(client: Client) -> None:
    client.one(rt.GetContentsTable(0, 1, 2, 0), rt.GetContentsTableResponse)
    table = client.session.objects[client.handles[2]]

    def fails() -> None:
        raise MapiError(Ec.ecNetwork, "gone")

    table.close = fails  # type: ignore[method-assign]
    client.one(rsync.SynchronizationOpenCollector(0, 1, 3, True), rsync.SynchronizationOpenCollectorResponse)
    client.session.close()
    assert client.session.objects == {} and client.session._transfers == 0


def test_unfinished_information_is_little(client: Client) -> None:
    codes = set()
    for number in range(30):
        folder = bytes(16) + number.to_bytes(6, "big") + b"\0\0"
        codes.add(code(client, rp.WritePerUserInformation(0, 0, folder, False, 0, bytes(60_000), bytes(16))))
    assert codes == {0, int(Ec.ecTooBig)}


# ---------------------------------------------------------------------------------------------------- values


def test_streams_of_two_gigabytes(world: EmsmdbWorld, client: Client) -> None:
    client.folder(DRAFTS, 1)
    client.one(rm.CreateMessage(0, 1, 2, 0xFFF, eid_int(1, DRAFTS), False), rm.CreateMessageResponse)
    client.one(rs.OpenStream(0, 2, 3, p.PidTagBody, 2), rs.OpenStreamResponse)
    begun = time.monotonic()
    for size in (1 << 31, (1 << 31) - 1, 1 << 40, (1 << 63) - 1, (256 << 20) + 1):
        assert code(client, rs.SetStreamSize(0, 3, size)) in (Ec.ecTooBig, Ec.ecInvalidParam)
    assert code(client, rs.SeekStream(0, 3, 0, 1 << 30)) == Ec.ecTooBig
    assert time.monotonic() - begun < 1
    message: Any = client.session.objects[client.handles[2]]
    assert isinstance(message.message, WorkingMessage)


# ---------------------------------------------------------------------------------------------------- waiting


def test_of_many_who_wait_the_oldest_are_answered() -> None:
    state = mailbox.Mailbox("")
    state.session = SimpleNamespace(pending=[], closed=False)  # type: ignore[assignment]
    waits = [mailbox.NotificationWait(state) for _ in range(50)]
    answered = [wait for wait in waits if wait.wait(0)]
    assert answered == waits[: -mailbox.MOST_WAITING]
    for wait in waits:
        wait.close()
    assert not state._waiting
    state.wake()
