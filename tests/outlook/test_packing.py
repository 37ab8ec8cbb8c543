"""Answers compressed, obscured, in several buffers: read by a decoder that the server has no part in."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.outlook.conftest import ALICE
from tests.support.messages import make
from tests.support.outlook import rops as r
from tests.support.outlook import syncrops as s
from tests.support.outlook import tags as t
from tests.support.outlook.fasttransfer import Parser
from tests.support.outlook.profile import INBOX, IPM, Profile
from tests.support.outlook.replica import Replica
from tests.support.outlook.transport import COMPRESSED, XOR_MAGIC, decompress, unpack
from tests.support.outlook.wire import Reader, u16
from tests.support.server import Server, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = {"emsmdb_compress_threshold": "100", "emsmdb_rop_chaining": "2"}
    with running(tmp_path_factory.mktemp("packing") / "site", options=options) as started:
        yield started


def test_decompression_by_hand() -> None:
    """Literals, a short match, two long ones whose lengths share an octet ([MS-OXCRPC] 3.1.4.1.1.2.2)."""
    bits = (0b0001 << 28 | 1 << 26 | 1 << 24).to_bytes(4, "little")
    # abc, (3,9): 7 more; d; (1, 10+4): nibble 4; e; (1, 10+6): the other nibble, 6
    data = bits + b"abc" + u16(2 << 3 | 6) + b"d" + u16(0 << 3 | 7) + bytes((0x64,)) + b"e" + u16(0 << 3 | 7)
    assert decompress(data, 3 + 9 + 1 + 14 + 1 + 16) == b"abc" + b"abcabcabc" + b"d" * 15 + b"e" * 17


def seen_flags(profile: Profile) -> list[int]:
    """The flags of all buffers of the answers from now on."""
    found: list[int] = []
    execute = profile.link.post

    def post(kind: str, body: bytes, **more: str):  # type: ignore[no-untyped-def]
        answer = execute(kind, body, **more)
        if kind == "Execute":
            reader = Reader(answer.body)
            reader.read("3I")
            buffers = Reader(reader.take(reader.u32()))
            while buffers.left():
                _, flags, size, _ = buffers.read("4H")
                found.append(flags)
                buffers.take(size)
        return answer

    profile.link.post = post  # type: ignore[method-assign]
    return found


def test_everything_compressed(server: Server) -> None:
    rng = random.Random(3)
    for number in range(30):
        server.deliver(make(f"packed-{number}", rng.choice((300, 3000, 60_000))))
    with Profile(server, ALICE) as plain, Profile(server, ALICE) as packed:
        packed.link.flags = 0
        flags = seen_flags(packed)
        texts = []
        for profile in (plain, packed):
            replica = Replica(profile.store())
            replica.sync()
            texts.append({one.subject: one.item.props[t.Body] for one in replica.box("Inbox").messages.values()})
        assert texts[0] == texts[1] and len(texts[0]) == 30
        assert any(one & COMPRESSED for one in flags)


def test_obscured_answers(server: Server) -> None:
    with Profile(server, ALICE) as profile:
        profile.link.flags = 1  # not compressed, but NoXorMagic is not set
        flags = seen_flags(profile)
        assert profile.store().folder(INBOX).get(t.DisplayName) == {t.DisplayName: "Inbox"}
        assert not any(one & COMPRESSED for one in flags)
        profile.link.flags = 1 | 2
        flags.clear()
        profile.store()
        assert not any(one & (COMPRESSED | XOR_MAGIC) for one in flags)


def test_chained_buffers(server: Server) -> None:
    """One request for a part of a stream, or for rows: several buffers in the answer ([MS-OXCRPC] 3.1.4.2.1.2)."""
    with Profile(server, ALICE) as profile:
        store = profile.store()
        with store.folder(IPM).create("Chained") as folder, folder.new({t.MessageClass: "IPM.Note"}) as message:
            message.set({t.Subject: "chained"})
            message.attach("a.bin", random.Random(1).randbytes(400_000))
            message.save()
            context = profile.session.make(s.FastTransferSourceCopyTo(message.handle))
        profile.link.flags = 1 | 2 | 4  # Chain
        flags = seen_flags(profile)
        stream, parts = bytearray(), 0
        while True:
            rop = s.FastTransferSourceGetBuffer(context)
            extra = profile.session.chained(rop)
            parts = max(parts, len(extra))
            for part in extra:
                stream += part.data
            if extra[-1].status == 3:
                break
        item = Parser(bytes(stream)).content()
        assert item.attachments[0].props[t.AttachData] == random.Random(1).randbytes(400_000)
        assert parts > 1 and len(flags) > 1


def test_chained_rows(server: Server) -> None:
    with Profile(server, ALICE) as profile:
        store = profile.store()
        folder = store.folder(IPM).create("Chained rows")
        for number in range(150):
            folder.save_new({t.MessageClass: "IPM.Note", t.Subject: f"{number:03} " + "s" * 240})
        columns = (t.Subject, t.Mid)
        table = profile.session.make(r.GetContentsTable(folder.handle))
        profile.session.run(r.SetColumns(table, columns))
        profile.link.flags = 1 | 2 | 4
        answers = profile.session.chained(r.QueryRows(table, columns, 500, flags=2))  # EnablePackedBuffers
        rows = [row for _, part in answers for row in part]
        assert len(answers) > 1 and len({row[t.Subject] for row in rows}) == len(rows) == 150


def test_unpack_refuses_what_is_not_one() -> None:
    with pytest.raises(AssertionError):
        unpack(u16(0, 0, 1, 1) + b"x")  # no last one
    assert unpack(u16(0, 4 | XOR_MAGIC, 1, 1) + b"\xa5") == [b"\0"]
