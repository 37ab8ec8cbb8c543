"""ROPs on messages: octets of Outlook, forms in both directions ([MS-OXCROPS] 2.2.6)."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.recipients import RecipientRow
from gromoxd.mapi.values import TaggedPropertyValue, TypedString
from gromoxd.rop import messages as w
from gromoxd.rop import properties as rp
from gromoxd.rop.codec import Request, Response, read_request, read_response
from tests.rop.forms import check, golden

FID, MID = 0x0D00_0000_0000_0001, 0x1234_0000_0000_0001
ROW = w.OpenRecipientRow(1, 1252, 0, b"row")
DATA = bytes(range(24))
REQUESTS: list[tuple[Request, str]] = [
    (w.OpenMessage(0, 1, 2, 0x0FFF, FID, 3, MID), "03000102ff0f010000000000000d030100000000003412"),
    (w.CreateMessage(1, 1, 2, 1252, FID, True), "06010102e404010000000000000d01"),
    (w.SaveChangesMessage(0, 1, 2, 0x0A), "0c0001020a"),
    (w.RemoveAllRecipients(0, 1), "0d000100000000"),
    (w.ReadRecipients(0, 1, 5), "0f0001050000000000"),
    (w.ReloadCachedInformation(0, 1), "1000010000"),
    (w.SetMessageStatus(0, 1, MID, 0x1000, 0x3000), "20000101000000000034120010000000300000"),
    (w.GetMessageStatus(0, 1, MID), "1f00010100000000003412"),
    (w.SetReadFlags(0, 1, True, 0x05, [MID]), "660001010501000100000000003412"),
    (w.SetMessageReadFlag(0, 1, 2, 1), "1100010201"),
    (w.OpenAttachment(0, 1, 2, 3, 7), "220001020307000000"),
    (w.CreateAttachment(0, 1, 2), "23000102"),
    (w.DeleteAttachment(0, 1, 7), "24000107000000"),
    (w.SaveChangesAttachment(0, 1, 2, 2), "2500010202"),
    (w.OpenEmbeddedMessage(0, 1, 2, 1252, 2), "46000102e40402"),
    (w.GetValidAttachments(0, 1), "520001"),
]
RESPONSES: list[tuple[Response, str]] = [
    (
        w.OpenMessageResponse(2, 0, True, TypedString("Re: "), TypedString("\u20ac"), 3, [p.PidTagObjectType], [ROW]),
        "030200000000" "01" "0352653a2000" "04ac200000" "0300" "01000300fe0f" "01" "01e40400000300726f77",
    ),
    (w.CreateMessageResponse(2, 0, None), "06020000000000"),
    (w.CreateMessageResponse(2, 0, MID), "060200000000010100000000003412"),
    (w.SaveChangesMessageResponse(1, 0, 2, MID), "0c0100000000020100000000003412"),
    (w.RemoveAllRecipientsResponse(1, 0), "0d0100000000"),
    (w.ModifyRecipientsResponse(1, 0), "0e0100000000"),
    (
        w.ReadRecipientsResponse(1, 0, [w.ReadRecipientRow(5, 2, 1252, 0, b"row")]),
        "0f0100000000" "01" "0500000002e40400000300726f77",
    ),
    (
        w.ReloadCachedInformationResponse(1, 0, False, TypedString(None), TypedString(""), 0, [], []),
        "100100000000" "00" "00" "01" "0000" "0000" "00",
    ),
    (w.SetMessageStatusResponse(1, 0, 0x1008), "20010000000008100000"),
    (w.SetReadFlagsResponse(1, 0, True), "66010000000001"),
    (w.SetMessageReadFlagResponse(1, 0, False), "11010000000000"),
    (w.SetMessageReadFlagResponse(1, 0, True, 3, DATA), "110100000000" "0103" + DATA.hex()),
    (w.OpenAttachmentResponse(2, 0), "220200000000"),
    (w.CreateAttachmentResponse(2, 0, 7), "23020000000007000000"),
    (w.DeleteAttachmentResponse(1, 0), "240100000000"),
    (w.SaveChangesAttachmentResponse(1, 0), "250100000000"),
    (
        w.OpenEmbeddedMessageResponse(2, 0, 0, MID, False, TypedString(""), TypedString("a"), 0, [], []),
        "460200000000" "00" "0100000000003412" "00" "01" "036100" "0000" "0000" "00",
    ),
    (w.GetValidAttachmentsResponse(1, 0, [1, 2]), "520100000000" "0200" "0100000002000000"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "octets"), REQUESTS, ids=lambda one: type(one).__name__)
def test_requests(value: Request, octets: str) -> None:
    check(value, octets, read_request)


@pytest.mark.parametrize(("value", "octets"), RESPONSES, ids=lambda one: type(one).__name__)
def test_responses(value: Response, octets: str) -> None:
    check(value, octets, read_response)


def test_client_data_is_there_in_public_stores_only() -> None:
    value = w.SetPublicMessageReadFlag(3, 1, 2, 1, DATA)
    data = value.encode()
    assert data == bytes.fromhex("1103010201") + DATA
    assert read_request(Cursor(data), lambda logon: logon == 3) == value
    cursor = Cursor(data)
    assert read_request(cursor, lambda logon: False) == w.SetMessageReadFlag(3, 1, 2, 1)
    assert cursor.left == 24
    bare = read_request(Cursor(data[:5]), lambda logon: True)
    assert bare == w.SetPublicMessageReadFlag(3, 1, 2, 1)
    with pytest.raises(WireError):
        read_request(Cursor(data[:-1]), lambda logon: True)


def test_read_flags_that_fail_say_partial_completion() -> None:
    octets = w.SetReadFlags(0, 1, False, 0, []).failure(0x80070005)
    assert octets == bytes.fromhex("66010500078000")
    assert read_response(Cursor(octets)) == w.SetReadFlagsResponse(1, 0x80070005, False)


def test_a_failed_status_bears_the_other_id() -> None:
    assert w.GetMessageStatus(0, 1, MID).failure(0x8004010F) == bytes.fromhex("20010f010480")


def test_what_outlook_2007_sends() -> None:
    """Recipients, a subject and RopSubmitMessage, captured."""
    buffer = golden("outlook2007-001-plain")
    size = int.from_bytes(buffer[:2], "little")
    cursor = Cursor(buffer, 2, size)
    found = []
    submit = bytes.fromhex("32000000")
    while cursor.left:
        if cursor.data[cursor.at] == submit[0]:
            cursor.expect(submit, "RopSubmitMessage")
        else:
            found.append(read_request(cursor))
    octets = [one.encode() for one in found]
    assert b"".join([*octets[:3], submit, *octets[3:]]) == buffer[2:size]
    assert found[3] == rp.GetPropertiesSpecific(0, 0, 0, 0, [p.PidTagChangeKey])
    assert found[0] == w.RemoveAllRecipients(0, 0, 1)
    modify = found[1]
    assert isinstance(modify, w.ModifyRecipients)
    (one,) = modify.rows
    assert (len(modify.columns), one.row_id, one.type) == (12, 0, 1)
    row = RecipientRow.decode(one.row, modify.columns)
    assert (row.flags, row.x500dn, row.display_name) == (0x0651, b"Jkerihuel", "Julien Kerihuel")
    assert (row.address_prefix_used, row.display_type) == (0x45, 0)
    cells = dict(zip(modify.columns, row.values, strict=True))
    assert cells[p.PidTagSmtpAddress] == "jkerihuel@openchange2003.local"
    assert row.encode(modify.columns) == one.row
    assert found[2] == rp.SetProperties(
        0, 0, [TaggedPropertyValue(p.PidTagSubjectPrefix, ""), TaggedPropertyValue(p.PidTagNormalizedSubject, "test")]
    )
