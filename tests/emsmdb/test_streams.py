"""Properties as streams by ROPs ([MS-OXCPRPT] 2.2.14-2.2.27)."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import eid_int
from gromoxd.mapi.rows import NO_MEMORY
from gromoxd.rop import streams as w
from gromoxd.rop.codec import read_response
from tests.emsmdb.test_messages import FOLDER, MESSAGE, OTHER, create, get, open_, put, save
from tests.emsmdb.test_properties import narrow, read, write
from tests.emsmdb.world import INBOX, Client, EmsmdbWorld

STREAM, CLONE = 5, 6


def stream(client: Client, tag: int = p.PidTagBody, mode: int = 2, index: int = MESSAGE, output: int = STREAM) -> int:
    return client.one(w.OpenStream(0, index, output, tag, mode), w.OpenStreamResponse).stream_size


def wrote(client: Client, data: bytes, index: int = STREAM) -> int:
    return client.one(w.WriteStream(0, index, data), w.WriteStreamResponse).written_size


def reads(client: Client, count: int, index: int = STREAM) -> bytes:
    return client.one(w.ReadStream(0, index, count), w.ReadStreamResponse).data


def seek(client: Client, offset: int, origin: int = 0, index: int = STREAM) -> int:
    return client.one(w.SeekStream(0, index, origin, offset), w.SeekStreamResponse).new_position


def size(client: Client, index: int = STREAM) -> int:
    return client.one(w.GetStreamSize(0, index), w.GetStreamSizeResponse).stream_size


# ---------------------------------------------------------------------------------------------- octets


def test_what_is_written_is_the_property_at_once(alice: Client) -> None:
    create(alice)
    assert stream(alice) == 0
    assert wrote(alice, "Hello".encode("utf-16-le")) == 10
    assert get(alice, p.PidTagBody) == ["Hello"]
    assert seek(alice, 4) == 4
    assert wrote(alice, "LLO!".encode("utf-16-le")) == 8
    alice.one(w.CommitStream(0, STREAM), w.CommitStreamResponse)
    assert (size(alice), get(alice, p.PidTagBody)) == (12, ["HeLLO!"])
    assert seek(alice, -2, 2) == 10
    assert reads(alice, 100) == b"!\0"
    assert reads(alice, 100) == b""
    alice.one(w.SetStreamSize(0, STREAM, 4), w.SetStreamSizeResponse)
    assert get(alice, p.PidTagBody) == ["He"]
    mid = save(alice)
    open_(alice, mid)
    assert read(alice, p.PidTagBody) == "He".encode("utf-16-le")


def test_long_values_pass_in_both_directions(alice: Client) -> None:
    create(alice)
    data = bytes(range(256)) * 2_000
    write(alice, p.PidTagHtml, data)
    assert get(alice, p.PidTagHtml) == [NO_MEMORY]
    mid = save(alice)
    open_(alice, mid)
    assert get(alice, p.PidTagHtml, index=OTHER) == [NO_MEMORY]
    assert read(alice, p.PidTagHtml) == data


def test_reads_are_as_large_as_their_room(alice: Client) -> None:
    create(alice)
    write(alice, p.PidTagHtml, b"x" * 50_000)
    stream(alice, p.PidTagHtml, 0)
    (found,) = alice.run(w.ReadStream(0, STREAM, w.MAXIMUM, 40_000), room=1_000)
    assert isinstance(found, w.ReadStreamResponse)
    assert len(found.data) == 1_000 - 8
    (found,) = alice.run(w.ReadStream(0, STREAM, w.MAXIMUM, 40_000), room=0x12000)
    assert isinstance(found, w.ReadStreamResponse)
    assert len(found.data) == 40_000


def test_a_last_read_goes_on_in_further_buffers(alice: Client) -> None:
    create(alice)
    data = bytes(range(250)) * 400
    write(alice, p.PidTagHtml, data)
    stream(alice, p.PidTagHtml, 0)
    (first,) = alice.run(w.ReadStream(0, STREAM, w.MAXIMUM, 90_000))
    assert isinstance(first, w.ReadStreamResponse)
    found = first.data
    while octets := alice.session.again(alice.handles, 0x7FF0):
        answer = read_response(Cursor(octets))
        assert isinstance(answer, w.ReadStreamResponse)
        found += answer.data
    assert found == data[:90_000]


def test_ends_of_streams(alice: Client) -> None:
    create(alice)
    stream(alice, p.PidTagHtml)
    wrote(alice, b"abc")
    assert alice.fails(w.SeekStream(0, STREAM, 0, -1)) == Ec.ecStreamSeekError
    assert alice.fails(w.SeekStream(0, STREAM, 3, 0)) == Ec.ecStreamInvalidParam
    assert alice.fails(w.SeekStream(0, STREAM, 0, 1 << 31)) == Ec.ecStreamSeekError
    assert alice.fails(w.SetStreamSize(0, STREAM, 1 << 40)) == Ec.ecTooBig
    assert seek(alice, 10) == 10
    assert size(alice) == 10
    stream(alice, p.PidTagHtml, 0, output=CLONE)
    assert alice.fails(w.WriteStream(0, CLONE, b"x")) == Ec.ecStreamAccessDenied
    assert alice.fails(w.SetStreamSize(0, CLONE, 1)) == Ec.ecStreamAccessDenied


def test_failed_reads_and_writes_say_that_they_did_nothing(alice: Client) -> None:
    requests = [w.ReadStream(0, 40, 10), w.WriteStream(0, 40, b"x"), w.WriteStreamExtended(0, 40, b"x")]
    found = [alice.session.execute(one.encode(), alice.handles, 1_000) for one in requests]
    null = Ec.ecNullObject.to_bytes(4, "little")
    assert found == [b"\x2c\x28" + null + bytes(2), b"\x2d\x28" + null + bytes(2), b"\xa3\x28" + null + bytes(4)]


def test_what_is_no_stream(alice: Client) -> None:
    create(alice)
    assert alice.fails(w.OpenStream(0, MESSAGE, STREAM, p.PidTagImportance, 0)) == Ec.ecNotSupported
    assert alice.fails(w.OpenStream(0, MESSAGE, STREAM, p.PidTagBody, 0)) == Ec.ecNotFound
    assert alice.fails(w.OpenStream(0, MESSAGE, STREAM, p.PidTagBody, 9)) == Ec.ecInvalidParam
    assert alice.fails(w.OpenStream(0, MESSAGE, STREAM, p.PidTagEntryId, 1)) == Ec.ecAccessDenied
    assert alice.fails(w.OpenStream(0, 0, STREAM, p.PidTagComment, 0)) == Ec.ecNotSupported
    assert alice.fails(w.ReadStream(0, MESSAGE, 10)) == Ec.ecNotSupported


def test_narrow_text_is_in_the_messages_code_page(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagBody: "na\u00efve \u20ac"})
    mid = save(alice)
    open_(alice, mid, page=1252)
    assert read(alice, narrow(p.PidTagBody)) == "na\u00efve \u20ac".encode("cp1252")


def test_attachments_of_mails_are_decoded(world: EmsmdbWorld, alice: Client) -> None:
    from gromoxd.rop import messages as rm

    raw = (
        b"From: ann@example.org\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
        b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.bin\r\n\r\n"
        + b"QUJDREVG" * 9_000
        + b"\r\n"
    )
    open_(alice, eid_int(1, world.append(raw).mid), fid=INBOX)
    alice.one(rm.OpenAttachment(0, OTHER, 7, 0, 0), rm.OpenAttachmentResponse)
    assert read(alice, p.PidTagAttachDataBinary, index=7) == b"ABCDEF" * 9_000


# ---------------------------------------------------------------------------------------------- folders


def test_a_folders_stream_is_stored_when_it_is_committed_or_released(alice: Client) -> None:
    alice.folder(INBOX)
    stream(alice, p.PidTagAdditionalRenEntryIdsEx, index=FOLDER)
    wrote(alice, b"first")
    alice.folder(INBOX, index=9)
    assert get(alice, p.PidTagAdditionalRenEntryIdsEx, index=FOLDER) == [b"first"]
    assert get(alice, p.PidTagAdditionalRenEntryIdsEx, index=9) != [b"first"]
    alice.one(w.CommitStream(0, STREAM), w.CommitStreamResponse)
    assert get(alice, p.PidTagAdditionalRenEntryIdsEx, index=9) == [b"first"]
    wrote(alice, b" and more")
    put(alice, {p.PidTagComment: "set meanwhile"}, index=FOLDER)
    wrote(alice, b" and end")
    alice.release(STREAM)
    assert get(alice, p.PidTagAdditionalRenEntryIdsEx, index=9) == [b"first and more and end"]
    answer = alice.one(w.OpenStream(0, FOLDER, STREAM, p.PidTagAdditionalRenEntryIdsEx, 1), w.OpenStreamResponse)
    assert answer.stream_size == 22
    found = alice.one(w.WriteAndCommitStream(0, STREAM, b"FIRST"), w.WriteAndCommitStreamResponse)
    assert found.written_size == 5
    assert get(alice, p.PidTagAdditionalRenEntryIdsEx, index=9) == [b"FIRST and more and end"]


def test_permissions_are_not_xml(alice: Client) -> None:
    """[MS-OXCPERM] 4.1, octet by octet."""
    alice.folder(INBOX)
    answer = alice.session.execute(bytes.fromhex("2b0001021f006a0e00"), alice.handles, 1_000)
    assert answer == bytes.fromhex("2b0202010480")


# ---------------------------------------------------------------------------------------------- several streams


def test_octets_go_from_stream_to_stream(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagHtml: b"0123456789"})
    create(alice, index=OTHER)
    stream(alice, p.PidTagHtml, 0)
    stream(alice, p.PidTagHtml, 2, OTHER, CLONE)
    seek(alice, 3)
    found = alice.one(w.CopyToStream(0, STREAM, CLONE, 4), w.CopyToStreamResponse)
    assert (found.read_byte_count, found.written_byte_count) == (4, 4)
    found = alice.one(w.CopyToStream(0, STREAM, CLONE, 1 << 60), w.CopyToStreamResponse)
    assert (found.read_byte_count, found.written_byte_count) == (3, 3)
    assert get(alice, p.PidTagHtml, index=OTHER) == [b"3456789"]
    (answer,) = alice.run(w.CopyToStream(0, STREAM, 40, 4))
    assert answer == w.CopyToStreamNullDestination(STREAM, Ec.ecDstNullObject, 40, 0, 0)
    assert alice.fails(w.CopyToStream(0, STREAM, MESSAGE, 4)) == Ec.ecNotSupported


def test_others_have_their_turn_while_much_is_copied(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    create(alice)
    stream(alice, p.PidTagHtml)
    content = bytes(range(256)) * (5 << 12)  # 5 MiB
    for at in range(0, len(content), 0x7F00):
        wrote(alice, content[at : at + 0x7F00])
    seek(alice, 0)
    create(alice, index=OTHER)
    stream(alice, p.PidTagHtml, index=OTHER, output=CLONE)
    turns: list[int] = []
    monkeypatch.setattr(alice.session, "pause", lambda: turns.append(size(alice, CLONE)))
    found = alice.one(w.CopyToStream(0, STREAM, CLONE, len(content)), w.CopyToStreamResponse)
    assert (found.read_byte_count, found.written_byte_count) == (5 << 20, 5 << 20)
    assert turns == [n << 20 for n in range(1, 5)]
    assert (seek(alice, -3, 2, CLONE), reads(alice, 9, CLONE)) == ((5 << 20) - 3, b"\xfd\xfe\xff")


def test_clones_share_octets_and_not_their_pointers(alice: Client) -> None:
    create(alice)
    stream(alice, p.PidTagHtml)
    wrote(alice, b"0123456789")
    seek(alice, 4)
    alice.one(w.CloneStream(0, STREAM, CLONE), w.CloneStreamResponse)
    assert reads(alice, 2, CLONE) == b"45"
    assert reads(alice, 2) == b"45"
    wrote(alice, b"xy", CLONE)
    assert reads(alice, 4) == b"xy89"
    alice.release(STREAM)
    assert reads(alice, 2, CLONE) == b"89"


def test_locks_keep_others_away_until_their_owner_is_silent(alice: Client) -> None:
    create(alice)
    stream(alice, p.PidTagHtml)
    wrote(alice, b"0123456789")
    alice.one(w.CloneStream(0, STREAM, CLONE), w.CloneStreamResponse)
    seek(alice, 0, index=CLONE)
    alice.one(w.LockRegionStream(0, STREAM, 2, 4, 1), w.LockRegionStreamResponse)
    assert alice.fails(w.LockRegionStream(0, CLONE, 5, 1, 1)) == Ec.ecAccessDenied
    assert reads(alice, 10, CLONE) == b"0123456789"
    seek(alice, 0, index=CLONE)
    assert wrote(alice, b"ab", CLONE) == 2
    assert alice.fails(w.WriteStream(0, CLONE, b"c")) == Ec.ecAccessDenied
    alice.one(w.UnlockRegionStream(0, CLONE, 2, 4, 1), w.UnlockRegionStreamResponse)
    assert alice.fails(w.WriteStream(0, CLONE, b"c")) == Ec.ecAccessDenied
    alice.one(w.UnlockRegionStream(0, STREAM, 2, 4, 1), w.UnlockRegionStreamResponse)
    assert wrote(alice, b"cd", CLONE) == 2
    alice.one(w.LockRegionStream(0, STREAM, 0, 2, 0), w.LockRegionStreamResponse)
    seek(alice, 0, index=CLONE)
    assert alice.fails(w.ReadStream(0, CLONE, 1)) == Ec.ecAccessDenied
    alice.now += 31
    alice.one(w.LockRegionStream(0, CLONE, 0, 2, 0), w.LockRegionStreamResponse)
    seek(alice, 0)
    assert alice.fails(w.ReadStream(0, STREAM, 1)) == Ec.ecNetwork
    alice.release(CLONE, STREAM)
