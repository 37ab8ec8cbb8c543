"""Streams on properties, and where the octets written to them are kept."""

from __future__ import annotations

import base64
import os
import tracemalloc

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.hierarchy import GetFolderProps
from gromoxd.exmdb.working import Account, Origin, Spool, WorkingFolder, WorkingMessage, open_stream
from gromoxd.exmdb.working.spool import ALL_IN_MEMORY, IN_MEMORY, Octets
from gromoxd.mapi.flags import OpenStreamFlags
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagBody,
    PidTagBodyHtml,
    PidTagDisplayTo,
    PidTagHtml,
    PidTagImportance,
    PidTagMessageSize,
    PidTagNormalizedSubject,
    PidTagSubject,
)
from tests.contract.mail import digest_of
from tests.contract.worlds import INBOX
from tests.exmdb.test_working import made, refused, reopened

FREE_BINARY, FREE_TEXT = 0x66660102, 0x6667001F


# ---------------------------------------------------------------------------------------------- the spool


def test_octets_move_to_the_file_and_read_the_same() -> None:
    spool = Spool(largest=1 << 20)
    one, other = Octets(spool), Octets(spool)
    one.write(0, b"a" * IN_MEMORY)
    assert (one.place, spool.file) == (None, None)
    one.write(IN_MEMORY, b"b")
    other.write(0, b"c" * (IN_MEMORY + 1))
    assert (one.place, other.place) == (0, 1 << 20)
    assert one.read(IN_MEMORY - 2, 10) == b"aab"
    assert other.read(0, 1 << 20) == b"c" * (IN_MEMORY + 1)
    spool.close()


def test_a_window_that_is_used_again_has_nothing_of_before() -> None:
    spool = Spool(largest=1 << 20)
    first = Octets(spool, b"secret" * 50_000)
    assert first.place == 0
    del first
    second = Octets(spool)
    second.resize(500_000)
    assert second.place == 0
    assert second.read(0, 500_000) == bytes(500_000)
    second.write(0, b"x" * 400_000)
    second.resize(10)
    second.resize(300_000)
    assert second.read(0, 300_000) == b"x" * 10 + bytes(299_990)
    assert (spool.held, spool.in_memory) == (300_000, 0)
    spool.close()


def test_limits_of_a_spool() -> None:
    spool = Spool(largest=100_000, limit=150_000)
    one = Octets(spool, b"1" * 100_000)
    assert refused(one.write, 100_000, b"1") == Ec.ecTooBig
    other = Octets(spool)
    assert refused(other.write, 0, b"2" * 50_001) == Ec.ecTooBig
    assert (one.size, other.size) == (100_000, 0)
    other.write(0, b"2" * 50_000)
    assert one.read(99_999, 5) == b"1"
    spool.close()


def test_memory_is_bounded_for_many_short_values() -> None:
    spool = Spool()
    values = [Octets(spool, bytes([n]) * 60_000) for n in range(100)]
    assert spool.in_memory <= ALL_IN_MEMORY
    assert all(one.read(0, 70_000) == bytes([n]) * 60_000 for n, one in enumerate(values))
    spool.close()


def test_a_full_disk() -> None:
    def none() -> object:
        raise OSError(28, "no space")

    spool = Spool(make=none)  # type: ignore[arg-type]
    one = Octets(spool, b"short")
    assert refused(one.write, 5, b"x" * IN_MEMORY) == Ec.ecStorageFull
    assert one.read(0, 100) == b"short"


# ---------------------------------------------------------------------------------------------- streams


def test_modes(account: Account) -> None:
    message = made(account)
    assert refused(open_stream, message, FREE_BINARY) == Ec.ecNotFound
    assert refused(open_stream, message, FREE_BINARY, OpenStreamFlags.ReadWrite) == Ec.ecNotFound
    assert refused(open_stream, message, FREE_BINARY, 7) == Ec.ecInvalidParam
    assert refused(open_stream, message, PidTagImportance) == Ec.ecNotSupported
    assert refused(open_stream, message, PidTagDisplayTo, OpenStreamFlags.ReadWrite) == Ec.ecAccessDenied
    stream = open_stream(message, FREE_BINARY, OpenStreamFlags.Create)
    assert (stream.size, stream.write(b"hello"), stream.size) == (0, 5, 5)
    assert message.get(FREE_BINARY) == b"hello"
    reading = open_stream(message, FREE_BINARY)
    assert reading.read(100) == b"hello"
    assert refused(reading.write, b"x") == Ec.ecStreamAccessDenied
    assert refused(reading.set_size, 1) == Ec.ecStreamAccessDenied
    best = open_stream(message, FREE_BINARY, OpenStreamFlags.BestAccess)
    best.seek(Origin.END, 0)
    best.write(b"!")
    assert message.get(FREE_BINARY) == b"hello!"
    fixed = open_stream(message, PidTagDisplayTo, OpenStreamFlags.BestAccess)
    assert not fixed.writable
    message.save(1)
    assert refused(open_stream, message, FREE_BINARY, OpenStreamFlags.Create) == Ec.ecAccessDenied
    assert open_stream(message, FREE_BINARY, OpenStreamFlags.BestAccess).read(9) == b"hello!"


def test_text_is_utf16(account: Account) -> None:
    message = made(account)
    stream = open_stream(message, FREE_TEXT, OpenStreamFlags.Create)
    stream.write("gr\u00fc\u00df".encode("utf-16-le"))
    assert message.get(FREE_TEXT) == "gr\u00fc\u00df"
    assert open_stream(message, FREE_TEXT & ~1, code_page=1252).read(99) == b"gr\xfc\xdf"
    assert refused(open_stream, message, FREE_TEXT & ~1, OpenStreamFlags.ReadWrite) == Ec.ecNotSupported
    message.save()
    assert open_stream(reopened(account, message), FREE_TEXT).read(4) == "gr".encode("utf-16-le")


def test_seeking_and_sizes(account: Account) -> None:
    message = made(account)
    stream = open_stream(message, FREE_BINARY, OpenStreamFlags.Create)
    stream.write(b"0123456789")
    assert stream.seek(Origin.BEGIN, 2) == 2
    assert (stream.read(3), stream.seek(Origin.CURRENT, -1), stream.seek(Origin.END, -3)) == (b"234", 4, 7)
    stream.write(b"xy")
    assert stream.seek(Origin.BEGIN, 12) == 12
    assert message.get(FREE_BINARY) == b"0123456xy9\0\0"
    stream.set_size(4)
    assert (stream.size, message.get(FREE_BINARY)) == (4, b"0123")
    assert stream.read(5) == b""
    assert refused(stream.seek, Origin.BEGIN, -1) == Ec.ecStreamSeekError
    assert refused(stream.seek, Origin.END, 1 << 31) == Ec.ecStreamSeekError
    assert refused(stream.seek, 3, 0) == Ec.ecStreamInvalidParam
    assert refused(stream.set_size, 1 << 31) == Ec.ecTooBig
    assert refused(open_stream(message, FREE_BINARY).seek, Origin.END, 1) == Ec.ecStreamSeekError


def test_copying_from_stream_to_stream(account: Account) -> None:
    message, other = made(account), made(account)
    message.set({FREE_BINARY: os.urandom(300_000)})
    source, destination = open_stream(message, FREE_BINARY), open_stream(other, FREE_BINARY, OpenStreamFlags.Create)
    source.seek(Origin.BEGIN, 1_000)
    assert source.copy_to(destination, 200_000) == (200_000, 200_000)
    assert (source.position, destination.position) == (201_000, 200_000)
    assert source.copy_to(destination, 1 << 30) == (99_000, 99_000)
    assert other.get(FREE_BINARY) == message.get(FREE_BINARY)[1_000:]  # type: ignore[index]


def test_a_long_attachment_is_written_and_read_in_pieces(account: Account) -> None:
    message = made(account)
    attachment = message.create_attachment()
    stream = open_stream(attachment, PidTagAttachDataBinary, OpenStreamFlags.Create)
    block = os.urandom(31_000)
    tracemalloc.start()
    for _ in range(300):
        stream.write(block)
    stream.commit()
    attachment.save()
    message.save()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert stream.size == 9_300_000
    reading = open_stream(reopened(account, message).open_attachment(0), PidTagAttachDataBinary)
    for _ in range(300):
        assert reading.read(31_000) == block
    assert reading.read(1) == b""
    if type(account.exmdb).__name__ == "Client":
        return  # the store, which makes the mail's form of it, is the same process here
    assert peak < 80 << 20


def test_a_stream_lives_on_after_saving(account: Account) -> None:
    message = made(account)
    stream = open_stream(message, FREE_BINARY, OpenStreamFlags.Create)
    stream.write(b"a" * 200_000)
    message.save()
    stream.write(b"b" * 100_000)
    assert message.dirty
    message.save()
    assert reopened(account, message).get(FREE_BINARY) == b"a" * 200_000 + b"b" * 100_000


def test_a_copy_taken_is_not_written_to(account: Account) -> None:
    message = made(account)
    attachment = message.create_attachment()
    stream = open_stream(attachment, PidTagAttachDataObject, OpenStreamFlags.Create)
    stream.write(b"1" * 100_000)
    attachment.save()
    stream.write(b"2" * 100_000)
    assert message.open_attachment(0).get(PidTagAttachDataObject) == b"1" * 100_000
    assert attachment.get(PidTagAttachDataObject) == b"1" * 100_000 + b"2" * 100_000


def test_part_of_a_stored_value_is_written(account: Account) -> None:
    message = made(account)
    message.set({FREE_BINARY: b"-" * 150_000})
    message.save()
    other = reopened(account, message)
    stream = open_stream(other, FREE_BINARY, OpenStreamFlags.ReadWrite)
    stream.seek(Origin.BEGIN, 70_000)
    stream.write(b"+" * 10)
    other.save()
    assert reopened(account, message).get(FREE_BINARY) == b"-" * 70_000 + b"+" * 10 + b"-" * 79_990


def test_bodies_and_subjects_as_streams(account: Account) -> None:
    message = made(account)
    size = message.get(PidTagMessageSize)
    stream = open_stream(message, PidTagHtml, OpenStreamFlags.Create)
    stream.write(b"<p>" + b"word " * 30_000 + b"</p>")
    assert str(message.get(PidTagBody)).startswith("word word")
    assert message.get(PidTagMessageSize) > size + 140_000  # type: ignore[operator]
    assert open_stream(message, PidTagBodyHtml).read(6) == "<p>".encode("utf-16-le")
    assert refused(open_stream, message, PidTagBodyHtml, OpenStreamFlags.Create) == Ec.ecNotSupported
    subject = open_stream(message, PidTagSubject, OpenStreamFlags.Create)
    for letter in "RE: tea":
        subject.write(letter.encode("utf-16-le"))
    assert message.get(PidTagNormalizedSubject) == "tea"
    message.save()
    other = reopened(account, message)
    assert (other.get(PidTagSubject), other.get(PidTagNormalizedSubject)) == ("RE: tea", "tea")
    assert other.get(PidTagHtml) == b"<p>" + b"word " * 30_000 + b"</p>"


def test_several_long_values_travel_together(account: Account) -> None:
    message = WorkingMessage.create(account, INBOX)
    message.set({FREE_BINARY: b"m" * 100_000, FREE_TEXT: "\u20ac" * 20_000})
    for number in range(3):
        attachment = message.create_attachment()
        attachment.set({PidTagAttachDataBinary: bytes([number]) * (20_000 + 50_000 * number)})
        attachment.save()
    message.save()
    other = reopened(account, message)
    assert (other.get(FREE_BINARY), other.get(FREE_TEXT)) == (b"m" * 100_000, "\u20ac" * 20_000)
    for number in range(3):
        data = other.open_attachment(number).get(PidTagAttachDataBinary)
        assert data == bytes([number]) * (20_000 + 50_000 * number)


def test_many_short_values_are_no_long_call(account: Account) -> None:
    message = WorkingMessage.create(account, INBOX)
    for number in range(400):
        attachment = message.create_attachment()
        attachment.set({PidTagAttachDataBinary: bytes([number % 256]) * 15_000})
        attachment.save()
    message.save()
    other = reopened(account, message)
    assert len(other.attachments) == 400
    assert other.open_attachment(399).get(PidTagAttachDataBinary) == bytes([399 % 256]) * 15_000


def test_a_value_that_shrank_meanwhile(account: Account) -> None:
    message = made(account)
    message.set({FREE_BINARY: b"long" * 50_000})
    message.save()
    other = reopened(account, message)
    assert isinstance(other.bag([FREE_BINARY])[1][FREE_BINARY], int)
    message.set({FREE_BINARY: b"short"})
    message.save()
    with pytest.raises(MapiError) as caught:
        other.get(FREE_BINARY)
    assert caught.value.code in (Ec.ecObjectModified, Ec.ecNotFound)


# ---------------------------------------------------------------------------------------------- folders


def test_a_folder(account: Account) -> None:
    folder = WorkingFolder(account, INBOX)
    assert folder.set({FREE_TEXT: "x", PidTagMessageSize: 1}) == [(PidTagMessageSize, Ec.ecComputed)]
    assert account.call(GetFolderProps(INBOX, [FREE_TEXT])) == {FREE_TEXT: "x"}
    stream = open_stream(folder, FREE_BINARY, OpenStreamFlags.Create)
    stream.write(b"view" * 1_000)
    assert account.call(GetFolderProps(INBOX, [FREE_BINARY])) == {}
    stream.commit()
    assert account.call(GetFolderProps(INBOX, [FREE_BINARY])) == {FREE_BINARY: b"view" * 1_000}
    assert open_stream(folder, FREE_BINARY).read(4) == b"view"
    assert folder.delete([FREE_TEXT]) == []
    assert folder.get(FREE_TEXT) is None
    assert refused(WorkingFolder(account, 0x7777).get, FREE_TEXT) == Ec.ecNotFound
    assert o.BIG < 1 << 20


@pytest.mark.parametrize("size", [1, 33_000, 60_000, 100_001, 1_500_000])
def test_an_attachment_of_mail_has_its_exact_size(account: Account, size: int) -> None:
    data = os.urandom(size)
    lines = base64.encodebytes(data).replace(b"\n", b"\r\n")
    for raw in (lines, lines.replace(b"\r\n", b" \r\n\r\n")):
        head = b"MIME-Version: 1.0\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        message = c.NewMessage(digest_of(head + raw), head + raw, 1_000_000)
        mid = account.call(c.Append(INBOX, message, os.urandom(16))).mid
        attachment = WorkingMessage.open(account, mid).open_attachment(0)
        stream = open_stream(attachment, PidTagAttachDataBinary)
        assert stream.size == size
        assert (stream.read(7), stream.seek(Origin.END, -1), stream.read(2)) == (data[:7], size - 1, data[-1:])
        assert WorkingMessage.open(account, mid).open_attachment(0).get(PidTagAttachDataBinary) == data
