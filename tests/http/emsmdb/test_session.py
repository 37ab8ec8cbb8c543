"""Sessions: handles, the order of ROPs, room for their answers, further buffers, with ROPs done by the test."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from struct import pack, unpack_from
from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop import buffer, extbuffer
from gromoxd.rop.codec import REQUESTS, Request, Response, read_response
from gromoxd.rop.control import BufferTooSmall
from gromoxd.rop.fasttransfer import FastTransferSourceGetBuffer, FastTransferSourceGetBufferResponse
from gromoxd.rop.folders import OpenFolder, OpenFolderResponse
from gromoxd.rop.release import Release
from gromoxd.rop.streams import ReadStream, ReadStreamResponse
from gromoxd.rop.tables import QueryRows, QueryRowsResponse
from tests.http.mapihttp.fakes import ALICE, Site
from workers.http.emsmdb.connect import execute_ext, may_chain
from workers.http.emsmdb.dispatch import HANDLERS, NO_HANDLE, Call, RoomTooSmall
from workers.http.emsmdb.objects import Logon, ServerObject
from workers.http.emsmdb.session import MOST_ROPS, Session

ROOM = 32_000


class Thing(ServerObject):
    """An object that says when it is closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def session() -> Session:
    made = Session(Site(emsmdb_rop_chaining=2), ALICE, lambda: None)  # type: ignore[arg-type]
    made.add(Logon(0, None, None, 0))  # type: ignore[arg-type]
    return made


Does = Callable[[type[Request], Callable[[Call, Any], Response | None]], None]


@pytest.fixture
def does(monkeypatch: pytest.MonkeyPatch) -> Does:
    """Have a ROP done by a function of the test."""
    return lambda kind, function: monkeypatch.setitem(HANDLERS, kind.rop, function)


def opens(call: Call, request: OpenFolder) -> OpenFolderResponse:
    call.put(request.output, Thing(call.object(ServerObject).logon))
    return OpenFolderResponse(request.output, 0, False, None)


def ask(session: Session, *requests: Request, handles: list[int], room: int = ROOM) -> list[Response]:
    cursor = Cursor(session.execute(b"".join(request.encode() for request in requests), handles, room))
    found = []
    while cursor.left:
        found.append(read_response(cursor))
    return found


# ---------------------------------------------------------------------------------------------------- handles


def test_handles_count_up_and_are_not_given_twice(session: Session, does: Does) -> None:
    does(OpenFolder, opens)
    handles = [0, NO_HANDLE, NO_HANDLE]
    answers = ask(session, OpenFolder(0, 0, 1, 5, 0), OpenFolder(0, 0, 2, 5, 0), handles=handles)
    assert [(answer.index, answer.code) for answer in answers] == [(1, 0), (2, 0)]
    assert handles == [0, 1, 2]
    assert ask(session, Release(0, 1), handles=handles) == []
    assert handles == [0, NO_HANDLE, 2]
    ask(session, OpenFolder(0, 0, 1, 5, 0), handles=handles)
    assert handles == [0, 3, 2]


def test_what_an_earlier_rop_of_the_buffer_opened_may_be_used(session: Session, does: Does) -> None:
    does(OpenFolder, opens)
    handles = [0, NO_HANDLE, NO_HANDLE]
    answers = ask(session, OpenFolder(0, 0, 1, 5, 0), OpenFolder(0, 1, 2, 5, 0), handles=handles)
    assert [answer.code for answer in answers] == [0, 0]


def test_handles_that_are_none(session: Session, does: Does) -> None:
    does(OpenFolder, opens)
    handles = [0, 77]
    answers = ask(
        session, OpenFolder(0, 1, 1, 5, 0), OpenFolder(0, 9, 1, 5, 0), OpenFolder(0, 0, 9, 5, 0),
        OpenFolder(3, 0, 1, 5, 0), handles=handles,
    )  # fmt: skip
    assert [answer.code for answer in answers] == [Ec.ecNullObject] * 4
    assert [answer.index for answer in answers] == [1, 1, 9, 1]
    assert len(session.objects) == 1, "nothing was opened for an index beyond the table"
    assert ask(session, Release(0, 9), Release(0, 1), handles=handles) == []


def test_a_logon_takes_all_of_its_own_along(session: Session, does: Does) -> None:
    does(OpenFolder, opens)
    handles = [0, NO_HANDLE]
    ask(session, OpenFolder(0, 0, 1, 5, 0), handles=handles)
    thing = session.objects[handles[1]]
    assert isinstance(thing, Thing)
    ask(session, Release(0, 0), handles=handles)
    assert (session.objects, thing.closed) == ({}, 1)
    with pytest.raises(MapiError):
        session.logon(0)


def test_the_end_of_a_session_closes_everything_once(session: Session, does: Does) -> None:
    does(OpenFolder, opens)
    handles = [0, NO_HANDLE]
    ask(session, OpenFolder(0, 0, 1, 5, 0), handles=handles)
    thing = session.objects[handles[1]]
    session.pending.append(b"x")
    session.close()
    session.close()
    assert isinstance(thing, Thing)
    assert (thing.closed, session.closed, session.objects, len(session.pending)) == (1, True, {}, 0)


# ---------------------------------------------------------------------------------------------------- order, errors


def test_a_buffer_that_cannot_be_read_does_nothing(session: Session, does: Does) -> None:
    done: list[int] = []
    does(OpenFolder, lambda call, request: done.append(1) or OpenFolderResponse(1, 0, False, None))
    whole = OpenFolder(0, 0, 1, 5, 0).encode()
    for rest in (b"\x00\0\0", b"\x02\0", whole[:-1]):
        with pytest.raises(WireError):
            session.execute(whole + rest, [0, NO_HANDLE], ROOM)
    with pytest.raises(WireError, match="too many"):
        session.execute(Release(0, 0).encode() * (MOST_ROPS + 1), [], ROOM)
    assert done == []


def test_errors_of_rops(session: Session, does: Does, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(call: Call, request: OpenFolder) -> OpenFolderResponse:
        if request.folder_id == 1:
            raise MapiError(Ec.ecNotFound)
        raise WireError("value")

    does(OpenFolder, fail)
    monkeypatch.delitem(HANDLERS, ReadStream.rop, raising=False)
    answers = ask(
        session, OpenFolder(0, 0, 1, 1, 0), OpenFolder(0, 0, 1, 2, 0), ReadStream(0, 0, 5), handles=[0, NO_HANDLE]
    )
    assert [answer.code for answer in answers] == [Ec.ecNotFound, Ec.ecInvalidParam, Ec.ecNotSupported]


# ---------------------------------------------------------------------------------------------------- room


def rows(count: int) -> Callable[[Call, QueryRows], QueryRowsResponse]:
    return lambda call, request: QueryRowsResponse(request.index, 0, 2, 1, bytes(count))


def test_an_answer_for_which_there_is_no_room(session: Session, does: Does) -> None:
    does(OpenFolder, opens)
    does(QueryRows, rows(900))
    handles = [0, NO_HANDLE, NO_HANDLE]
    asked = [OpenFolder(0, 0, 1, 5, 0), QueryRows(0, 1, 0, True, 10), OpenFolder(0, 0, 2, 5, 0)]
    opened, small = ask(session, *asked, handles=handles, room=600)
    assert opened.code == 0
    assert isinstance(small, BufferTooSmall)
    assert small.requests == asked[1].encode() + asked[2].encode()
    assert small.size_needed == 8 + 909 + 3 + len(asked[2].encode())
    assert handles[2] == NO_HANDLE
    again = ask(session, *asked, handles=[0, NO_HANDLE, NO_HANDLE], room=small.size_needed + 300)
    assert [answer.code for answer in again[:2]] == [0, 0]


def test_a_rop_is_not_begun_when_its_answer_might_not_fit(session: Session, does: Does) -> None:
    done: list[int] = []

    def once(call: Call, request: OpenFolder) -> OpenFolderResponse:
        done.append(request.output)
        return opens(call, request)

    does(OpenFolder, once)
    does(QueryRows, rows(300))
    handles = [0, NO_HANDLE]
    answers = session.execute(QueryRows(0, 0, 0, True, 10).encode() + OpenFolder(0, 0, 1, 5, 0).encode(), handles, 500)
    small = read_response(Cursor(answers, 309))
    assert isinstance(small, BufferTooSmall)
    assert small.requests == OpenFolder(0, 0, 1, 5, 0).encode()
    assert done == []


def test_an_object_that_the_client_is_not_told_of_is_closed(session: Session, does: Does) -> None:
    things: list[Thing] = []

    def large(call: Call, request: OpenFolder) -> Response:
        things.append(Thing(call.object(ServerObject).logon))
        call.put(request.output, things[-1])
        return QueryRowsResponse(request.output, 0, 0, 0, bytes(1000))

    does(OpenFolder, large)
    handles = [0, NO_HANDLE]
    (small,) = ask(session, OpenFolder(0, 0, 1, 5, 0), handles=handles, room=300)
    assert isinstance(small, BufferTooSmall)
    assert (things[0].closed, handles, len(session.objects)) == (1, [0, NO_HANDLE], 1)


def test_a_rop_says_itself_that_it_needs_more_room(session: Session, does: Does) -> None:
    def refuse(call: Call, request: ReadStream) -> Response:
        raise RoomTooSmall(20_000)

    does(ReadStream, refuse)
    (small,) = ask(session, ReadStream(0, 0, 5), handles=[0], room=1000)
    assert isinstance(small, BufferTooSmall)
    assert (small.size_needed, small.requests) == (20_003, ReadStream(0, 0, 5).encode())


def test_no_room_for_anything(session: Session, does: Does) -> None:
    does(QueryRows, rows(900))
    with pytest.raises(MapiError) as caught:
        ask(session, QueryRows(0, 0, 0, True, 10), handles=[0], room=9)
    assert caught.value.code is Ec.ecBufferTooSmall


# ---------------------------------------------------------------------------------------------------- notifications


def test_notifications_come_along_while_they_fit(session: Session, does: Does) -> None:
    does(OpenFolder, opens)
    session.pending += [b"n" * 100, b"m" * 100, b"o" * 400]
    answers = session.execute(OpenFolder(0, 0, 1, 5, 0).encode(), [0, NO_HANDLE], 400)
    assert answers[8:] == b"n" * 100 + b"m" * 100 + b"\x6e\0\0"
    assert list(session.pending) == [b"o" * 400]
    assert session.execute(b"", [], 402) == b"o" * 400
    assert session.execute(b"", [], 402) == b""


# ---------------------------------------------------------------------------------------------------- buffers


def call_ext(
    session: Session, *requests: Request, handles: list[int], flags: int = 3, room: int = 0x18008
) -> list[tuple[bytes, list[int]]]:
    payload = buffer.write(b"".join(request.encode() for request in requests), handles)
    rgb_out, aux_out = execute_ext(session, flags, extbuffer.write([payload]), room)
    assert aux_out == b""
    assert len(rgb_out) <= room
    return [buffer.read(payload) for payload in extbuffer.read(rgb_out)]


def streaming(total: int) -> Callable[[Call, ReadStream], ReadStreamResponse]:
    left = [total]

    def read(call: Call, request: ReadStream) -> ReadStreamResponse:
        assert call.last
        count = min(left[0], request.wanted, call.room - 8)
        left[0] -= count
        return ReadStreamResponse(request.index, 0, bytes(count))

    return read


def test_one_buffer_unless_more_are_wanted(session: Session, does: Does) -> None:
    does(ReadStream, streaming(200_000))
    assert len(call_ext(session, ReadStream(0, 0, 0xBABE, 200_000), handles=[0])) == 1


def test_a_stream_in_several_buffers(session: Session, does: Does) -> None:
    """[MS-OXCRPC] 4.3."""
    does(OpenFolder, opens)
    does(ReadStream, streaming(80_000))
    answers = call_ext(
        session, OpenFolder(0, 0, 1, 5, 0), ReadStream(0, 0, 0xBABE, 90_000), handles=[0, NO_HANDLE], flags=7
    )
    assert [len(rops) for rops, _ in answers] == [0x8000 - 10, 0x8000 - 10, 80_000 - (0x8000 - 26) - (0x8000 - 18) + 8]
    assert all(handles == [0, 1] for _, handles in answers)
    assert answers[1][0][:6] == b"\x2c\0\0\0\0\0"


def test_the_answer_is_no_longer_than_the_client_wants(session: Session, does: Does) -> None:
    does(ReadStream, streaming(1_000_000))
    answers = call_ext(session, ReadStream(0, 0, 0xBABE, 900_000), handles=[0], flags=7, room=0x8008 * 2 + 8000)
    assert len(answers) == 2
    answers = call_ext(session, ReadStream(0, 0, 0xBABE, 900_000), handles=[0], flags=7, room=0x8008 * 2 + 9000)
    assert len(answers) == 3
    assert len(call_ext(session, ReadStream(0, 0, 0xBABE, 900_000), handles=[0], flags=7, room=23041)) == 1


def test_not_more_than_was_asked_for(session: Session, does: Does) -> None:
    does(ReadStream, streaming(1_000_000))
    answers = call_ext(session, ReadStream(0, 0, 50_000), handles=[0], flags=7)
    assert sum(len(rops) - 8 for rops, _ in answers) == 50_000


def test_no_more_than_ninety_six(session: Session, does: Does) -> None:
    does(ReadStream, streaming(1 << 30))
    answers = call_ext(session, ReadStream(0, 0, 0xBABE, 1 << 29), handles=[0], flags=7, room=1 << 24)
    assert len(answers) == 96


@pytest.mark.parametrize(("flags", "forward", "buffers"), [(2, True, 3), (0, True, 1), (3, True, 1), (2, False, 3)])
def test_rows_in_several_buffers(session: Session, does: Does, flags: int, forward: bool, buffers: int) -> None:
    left, asked = [25], list[int]()

    def query(call: Call, request: QueryRows) -> QueryRowsResponse:
        asked.append(request.row_count)
        count = min(left[0], 10)
        left[0] -= count
        origin = 1 if left[0] else 2 if forward else 0
        return QueryRowsResponse(request.index, 0, origin, count, bytes(count * 1000))

    does(QueryRows, query)
    answers = call_ext(session, QueryRows(0, 0, flags, forward, 40), handles=[0], flags=7)
    assert len(answers) == buffers
    assert asked == [40, 30, 20][:buffers]


def test_a_transfer_goes_on_until_it_is_done(session: Session, does: Does) -> None:
    status = iter([1, 2, 3, 1])
    does(
        FastTransferSourceGetBuffer,
        lambda call, request: FastTransferSourceGetBufferResponse(request.index, 0, next(status), 0, 0, 0, bytes(9000)),
    )
    answers = call_ext(session, FastTransferSourceGetBuffer(0, 0, 0xBABE, 9000), handles=[0], flags=7)
    assert [unpack_from("<H", rops, 6)[0] for rops, _ in answers] == [1, 2, 3]


def test_a_repeated_rop_that_fails_adds_nothing(session: Session, does: Does) -> None:
    calls: list[int] = []

    def read(call: Call, request: ReadStream) -> ReadStreamResponse:
        calls.append(1)
        if len(calls) > 1:
            raise MapiError(Ec.ecTimeout)
        return ReadStreamResponse(request.index, 0, bytes(1000))

    does(ReadStream, read)
    assert len(call_ext(session, ReadStream(0, 0, 0xBABE, 90_000), handles=[0], flags=7)) == 1
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("version", "setting", "wanted"),
    [
        ((12, 0, 6661, 5000), 1, True), ((14, 0, 7000, 1), 1, True), ((15, 0, 4815, 1002), 1, False),
        ((16, 0, 9999, 1), 1, False), ((16, 0, 10_000, 1), 1, True), ((17, 0, 0, 1), 1, True),
        ((16, 0, 16_130, 1), 0, False), ((15, 0, 0, 0), 2, True),
    ],
)  # fmt: skip
def test_who_reads_several_buffers(version: tuple[int, int, int, int], setting: int, wanted: bool) -> None:
    session = Session(Site(emsmdb_rop_chaining=setting), ALICE, lambda: None)  # type: ignore[arg-type]
    session.client_version = version
    assert may_chain(session) is wanted


@pytest.mark.parametrize(
    "rgb_in",
    [
        b"x", bytes(8), extbuffer.write([b"\1\0"]), extbuffer.write([b"\2\0", b"\2\0"]),
        extbuffer.write([buffer.write(b"\0\0\0", [])]), bytes(0x40001), pack("<4H", 0, 5, 1, 9) + b"x",
    ],
    ids=["short", "not-last", "size", "two", "no-rop", "long", "lz77"],
)  # fmt: skip
def test_what_is_no_request(session: Session, rgb_in: bytes) -> None:
    with pytest.raises(MapiError) as caught:
        execute_ext(session, 0, rgb_in, 32775)
    assert caught.value.code is Ec.ecRpcFormat


def test_forms_of_requests_and_answers(does: Does) -> None:
    session = Session(Site(emsmdb_compress_threshold=100), ALICE, lambda: None)  # type: ignore[arg-type]
    session.add(Logon(0, None, None, 0))  # type: ignore[arg-type]
    does(QueryRows, rows(5000))
    payload = buffer.write(QueryRows(0, 0, 0, True, 1).encode(), [0])
    plain = execute_ext(session, 3, extbuffer.write([payload]), 32775)[0]
    packed = execute_ext(session, 2, extbuffer.write([payload], 0, xor=True), 32775)[0]
    assert extbuffer.HEADER.unpack_from(plain)[1:] == (4, 5015, 5015)
    assert extbuffer.HEADER.unpack_from(packed)[1] == 5
    assert extbuffer.read(packed) == extbuffer.read(plain)
    session.pending.append(b"note")
    assert execute_ext(session, 3, b"", 32775)[0] == extbuffer.write([b"\6\0note"]), "a request without a buffer"
    with pytest.raises(MapiError) as caught:
        execute_ext(session, 3, extbuffer.write([payload]), 13)
    assert caught.value.code is Ec.ecBufferTooSmall
    with pytest.raises(MapiError) as caught:
        execute_ext(session, 3, extbuffer.write([payload]), 32775, b"bad aux octets")
    assert caught.value.code is Ec.ecRpcFormat
    session.close()
    with pytest.raises(MapiError) as caught:
        execute_ext(session, 3, extbuffer.write([payload]), 32775)
    assert caught.value.code is Ec.ecError


def test_random_rops(session: Session) -> None:
    """Whatever octets come after known RopIds: responses or one of two errors, and the handle table stays one."""
    rng, known = random.Random(11), sorted(REQUESTS)
    session.release(0)  # with no logon, every ROP that needs one fails by itself
    answered = 0
    for _ in range(5000):
        rops = b"".join(
            bytes((rng.choice(known), rng.randrange(3), rng.randrange(3))) + rng.randbytes(rng.choice((0, 1, 5, 9, 20)))
            for _ in range(rng.choice((1, 1, 2)))
        )
        handles = [rng.choice((0, 1, NO_HANDLE)) for _ in range(rng.randrange(4))]
        size = len(handles)
        with contextlib.suppress(WireError):
            assert len(session.execute(rops, handles, ROOM)) <= ROOM
            answered += 1
        assert len(handles) == size
    assert answered > 100
    assert session.objects == {}
