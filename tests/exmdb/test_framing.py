"""exmdb frames: both directions, any split, garbage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls, framing, registry


def test_frame_bytes() -> None:
    assert framing.frame(framing.ANSWER, 7, b"\x90") == bytes.fromhex("0100000002000700000090")


def test_request_carries_the_call() -> None:
    data = framing.request(3, "/m/alice", "alice", calls.Expunge(13, [(1, 5)]))
    (found,) = framing.FrameReader().feed(data)
    assert found[:3] == (framing.REQUEST, 0, 3)
    request = framing.REQUEST_DECODER.decode(found[3])
    assert (request.mailbox, request.actor, request.upload) == ("/m/alice", "alice", 0)
    assert framing.CALL_DECODERS[request.number].decode(request.body) == calls.Expunge(13, [(1, 5)], True)


def test_call_numbers_are_stable() -> None:
    assert [cls.__name__ for cls in registry.CALLS[:4]] == [
        "ListFolders",
        "CreateFolder",
        "DeleteFolder",
        "RenameFolder",
    ]
    assert len({cls.__name__ for cls in registry.CALLS}) == len(registry.CALLS)


def test_failure_round_trip() -> None:
    (found,) = framing.FrameReader().feed(framing.failure(9, MapiError(Ec.ecQuotaExceeded, "full")))
    error = framing.decode_failure(found[3])
    assert (error.code, error.text) == (Ec.ecQuotaExceeded, "full")
    unknown = framing.decode_failure(framing.encode(framing.Failure(0x12345, "new")))
    assert unknown.code is Ec.ecError


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=12), st.data()
)
def test_any_split_gives_the_same_frames(items: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(framing.frame(kind, number, body) for kind, number, body in items)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader, found = framing.FrameReader(), []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += [(kind, number, body) for kind, _, number, body in reader.feed(stream[start:stop])]
    assert found == items


def test_byte_by_byte() -> None:
    stream = framing.frame(framing.EVENT, 0, b"abc") + framing.frame(framing.UPLOAD, 5, b"")
    reader, found = framing.FrameReader(), []
    for i in range(len(stream)):
        found += list(reader.feed(stream[i : i + 1]))
    assert found == [(framing.EVENT, 0, 0, b"abc"), (framing.UPLOAD, 0, 5, b"")]


@pytest.mark.parametrize("head", [framing.HEAD.pack(framing.MAX_BODY + 1, 1, 0, 0), framing.HEAD.pack(1, 77, 0, 0)])
def test_out_of_bounds_is_refused(head: bytes) -> None:
    with pytest.raises(WireError):
        list(framing.FrameReader().feed(head))
    reader = framing.FrameReader()
    list(reader.feed(head[:5]))
    with pytest.raises(WireError):
        list(reader.feed(head[5:]))


@given(st.binary(max_size=200))
def test_garbage_bodies_raise_value_errors_only(body: bytes) -> None:
    """msgspec.DecodeError or, for text that is none, UnicodeDecodeError: the link ends on any ValueError."""
    for decoder in (framing.REQUEST_DECODER, framing.HELLO_DECODER, framing.FAILURE_DECODER, framing.EVENT_DECODER):
        try:
            decoder.decode(body)
        except ValueError:
            continue
