"""ROPs on properties and streams: octets of the documents, forms in both directions ([MS-OXCROPS] 2.2.8, 2.2.9)."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.values import PropertyProblem, TaggedPropertyValue
from gromoxd.rop import properties as w
from gromoxd.rop import streams as s
from gromoxd.rop.codec import Failure, Request, Response, read_request, read_response
from tests.rop.forms import check, golden

SUBJECT, CLASS = TaggedPropertyValue(p.PidTagSubject, "a"), TaggedPropertyValue(p.PidTagImportance, 2)
PROBLEM = PropertyProblem(1, p.PidTagEntryId, Ec.ecComputed)
REQUESTS: list[tuple[Request, str]] = [
    (w.GetPropertiesSpecific(0, 1, 0x1000, 1, [p.PidTagSubject]), "070001" "0010" "0100" "0100" "1f003700"),
    (w.GetPropertiesAll(0, 1, 0, 1), "080001" "0000" "0100"),
    (w.GetPropertiesList(0, 1), "090001"),
    (w.SetProperties(0, 1, [SUBJECT, CLASS]), "0a0001" "1200" "0200" "1f00370061000000" "0300170002000000"),
    (w.SetPropertiesNoReplicate(0, 1, [CLASS]), "790001" "0a00" "0100" "0300170002000000"),
    (w.DeleteProperties(0, 1, [p.PidTagSubject]), "0b0001" "0100" "1f003700"),
    (w.DeletePropertiesNoReplicate(0, 1, []), "7a0001" "0000"),
    (w.CopyTo(0, 1, 2, True, False, 2, [p.PidTagSubject]), "390001" "02" "01" "00" "02" "0100" "1f003700"),
    (w.CopyProperties(0, 1, 2, False, 1, [p.PidTagSubject]), "670001" "02" "00" "01" "0100" "1f003700"),
    (s.OpenStream(0, 1, 2, p.PidTagBody, 2), "2b000102" "1f000010" "02"),
    (s.ReadStream(0, 1, 0x1000), "2c0001" "0010"),
    (s.ReadStream(0, 1, s.MAXIMUM, 0x10000), "2c0001" "beba" "00000100"),
    (s.WriteStream(0, 1, b"ab"), "2d0001" "0200" "6162"),
    (s.WriteStreamExtended(0, 1, b"ab"), "a30001" "0200" "6162"),
    (s.CommitStream(0, 1), "5d0001"),
    (s.GetStreamSize(0, 1), "5e0001"),
    (s.SetStreamSize(0, 1, 7), "2f0001" "0700000000000000"),
    (s.SeekStream(0, 1, 2, -1), "2e0001" "02" "ffffffffffffffff"),
    (s.CopyToStream(0, 1, 2, 7), "3a0001" "02" "0700000000000000"),
    (s.LockRegionStream(0, 1, 2, 3, 1), "5b0001" "0200000000000000" "0300000000000000" "01000000"),
    (s.UnlockRegionStream(0, 1, 2, 3, 1), "5c0001" "0200000000000000" "0300000000000000" "01000000"),
    (s.WriteAndCommitStream(0, 1, b"ab"), "900001" "0200" "6162"),
    (s.CloneStream(0, 1, 2), "3b000102"),
]  # fmt: skip
RESPONSES: list[tuple[Response, str]] = [
    (w.GetPropertiesAllResponse(1, 0, [SUBJECT]), "080100000000" "0100" "1f00370061000000"),
    (w.GetPropertiesListResponse(1, 0, [p.PidTagSubject]), "090100000000" "0100" "1f003700"),
    (w.SetPropertiesResponse(1, 0, [PROBLEM]), "0a0100000000" "0100" "0100" "0201ff0f" "1a010480"),
    (w.SetPropertiesNoReplicateResponse(1, 0, []), "790100000000" "0000"),
    (w.DeletePropertiesResponse(1, 0, []), "0b0100000000" "0000"),
    (w.DeletePropertiesNoReplicateResponse(1, 0, []), "7a0100000000" "0000"),
    (w.CopyToResponse(1, 0, []), "390100000000" "0000"),
    (w.CopyToNullDestination(1, Ec.ecDstNullObject, 2), "390103050000" "02000000"),
    (w.CopyPropertiesResponse(1, 0, [PROBLEM]), "670100000000" "0100" "0100" "0201ff0f" "1a010480"),
    (w.CopyPropertiesNullDestination(1, Ec.ecDstNullObject, 2), "670103050000" "02000000"),
    (s.OpenStreamResponse(2, 0, 7), "2b0200000000" "07000000"),
    (s.ReadStreamResponse(1, 0, b"ab"), "2c0100000000" "0200" "6162"),
    (s.ReadStreamResponse(1, Ec.ecNullObject, b""), "2c01b9040000" "0000"),
    (s.WriteStreamResponse(1, 0, 2), "2d0100000000" "0200"),
    (s.WriteStreamResponse(1, Ec.ecTooBig, 0), "2d0105030480" "0000"),
    (s.WriteStreamExtendedResponse(1, 0, 2), "a30100000000" "02000000"),
    (s.CommitStreamResponse(1, 0), "5d0100000000"),
    (s.GetStreamSizeResponse(1, 0, 7), "5e0100000000" "07000000"),
    (s.SetStreamSizeResponse(1, 0), "2f0100000000"),
    (s.SeekStreamResponse(1, 0, 7), "2e0100000000" "0700000000000000"),
    (s.CopyToStreamResponse(1, 0, 7, 6), "3a0100000000" "0700000000000000" "0600000000000000"),
    (
        s.CopyToStreamNullDestination(1, Ec.ecDstNullObject, 2, 0, 0),
        "3a0103050000" "02000000" "0000000000000000" "0000000000000000",
    ),
    (s.LockRegionStreamResponse(1, 0), "5b0100000000"),
    (s.UnlockRegionStreamResponse(1, 0), "5c0100000000"),
    (s.WriteAndCommitStreamResponse(1, 0, 2), "900100000000" "0200"),
    (s.CloneStreamResponse(2, 0), "3b0200000000"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "octets"), REQUESTS, ids=lambda one: type(one).__name__)
def test_requests(value: Request, octets: str) -> None:
    check(value, octets, read_request)


@pytest.mark.parametrize(("value", "octets"), RESPONSES, ids=lambda one: type(one).__name__)
def test_responses(value: Response, octets: str) -> None:
    check(value, octets, read_response)


def test_failures_without_more() -> None:
    assert read_response(Cursor(bytes.fromhex("390105000780"))) == Failure(1, Ec.ecAccessDenied)
    assert w.CopyTo(0, 1, 2, False, True, 0, []).failure(Ec.ecAccessDenied) == bytes.fromhex("390105000780")
    assert w.CopyTo(0, 1, 2, False, True, 0, []).failure(Ec.ecDstNullObject) == bytes.fromhex("39010305000002000000")


def test_values_that_are_none_are_kept_as_they_are() -> None:
    data = bytes.fromhex("0a0001050001001f0037090001")
    cursor = Cursor(data)
    broken, listing = read_request(cursor), read_request(cursor)
    assert broken == w.SetProperties(0, 1, [], bytes.fromhex("01001f0037"))
    assert broken.encode() + listing.encode() == data


GOLDEN: list[tuple[str, Request | Response]] = [
    (
        "oxcprpt-4.2.1",
        w.SetProperties(
            0, 0,
            [
                TaggedPropertyValue(p.PidTagSubjectPrefix, ""),
                TaggedPropertyValue(p.PidTagNormalizedSubject, "Hello World"),
            ],
        ),
    ),
    ("oxcprpt-4.2.2", w.SetPropertiesResponse(0, 0, [])),
    ("oxcprpt-4.3.1", w.GetPropertiesSpecific(0, 0, 0, 1, [0x863E000B, 0x863F0003, p.PidTagChangeKey])),
    ("oxcprpt-4.4.1.1", s.OpenStream(1, 0, 1, 0x0E9A0102, 1)),
    ("oxcperm-4.1a", s.OpenStream(0, 1, 2, p.PidTagSecurityDescriptorAsXml, 0)),
    ("oxcperm-4.1b", Failure(2, Ec.ecNotSupported)),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), GOLDEN, ids=[name for name, _ in GOLDEN])
def test_examples_of_the_documents(name: str, value: Request | Response) -> None:
    data = golden(name)
    read = read_request if isinstance(value, Request) else read_response
    cursor = Cursor(data)
    assert read(cursor) == value
    cursor.finish()
    if isinstance(value, Failure):
        assert s.OpenStream(0, 1, 2, p.PidTagSecurityDescriptorAsXml, 0).failure(value.code) == data
    else:
        assert value.encode() == data
