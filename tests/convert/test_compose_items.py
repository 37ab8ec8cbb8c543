"""Items that are more than mail, as mail: meetings, contacts, TNEF; read back by our reader and by others'."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage, Message

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.tnef import from_tnef
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.times import filetime

START = filetime(1_795_511_700)
OBJECT_ID = bytes.fromhex("040000008200E00074C5B7101A82E008") + bytes(20) + b"\x10\0\0\0" + bytes(16)
BOB: Bag = {p.PidTagRecipientType: 1, p.PidTagDisplayName: "Bob", p.PidTagEmailAddress: "bob@example.net",
            p.PidTagAddressType: "SMTP"}  # fmt: skip


def meeting(kind: str) -> Item:
    props: Bag = {
        p.PidTagMessageClass: kind, p.PidTagSubject: "Plan ü", p.PidTagBody: "Let us talk.",
        p.PidTagSenderName: "Anna", p.PidTagSenderEmailAddress: "anna@example.org",
        p.PidTagSenderSmtpAddress: "anna@example.org", p.PidTagSentRepresentingEmailAddress: "anna@example.org",
        p.PidTagSentRepresentingSmtpAddress: "anna@example.org", p.PidTagSentRepresentingName: "Anna",
        n.PidLidAppointmentStartWhole: START, n.PidLidAppointmentEndWhole: START + 36_000_000_000,
        n.PidLidCommonStart: START, n.PidLidCommonEnd: START + 36_000_000_000, n.PidLidLocation: "Room 1",
        n.PidLidGlobalObjectId: OBJECT_ID,
        p.PidTagInternetMessageId: "<m@example.org>",
    }  # fmt: skip
    return Item(props, [dict(BOB)])


def parsed(item: Item, tnef: bool | None = None) -> EmailMessage:
    message = email.message_from_bytes(compose(item, host="example.test", tnef=tnef), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def octets(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


@pytest.mark.parametrize(
    ("kind", "method"),
    [("IPM.Schedule.Meeting.Request", "REQUEST"), ("IPM.Schedule.Meeting.Canceled", "CANCEL"),
     ("IPM.Schedule.Meeting.Resp.Pos", "REPLY"), ("IPM.Schedule.Meeting.Resp.Neg", "REPLY"),
     ("IPM.Appointment", "PUBLISH")],
)  # fmt: skip
def test_a_calendar_item_carries_its_calendar(kind: str, method: str) -> None:
    """[MS-OXCMAIL] 2.1.3.3.8."""
    message = parsed(meeting(kind))
    assert message.get_content_type() == "multipart/alternative"
    text, calendar = message.iter_parts()
    assert text.get_content() == "Let us talk."
    assert calendar.get_content_type() == "text/calendar"
    assert calendar.get_param("method") == method
    lines = calendar.get_content().splitlines()
    assert lines[0] == "BEGIN:VCALENDAR" and f"METHOD:{method}" in lines
    assert any(line.startswith("SUMMARY") and line.endswith("Plan ü") for line in lines)


def test_a_counter_proposal_is_one() -> None:
    item = meeting("IPM.Schedule.Meeting.Resp.Tent")
    item.props[n.PidLidAppointmentCounterProposal] = True
    item.props |= {n.PidLidAppointmentProposedStartWhole: START, n.PidLidAppointmentProposedEndWhole: START + 10**9}
    *_, calendar = parsed(item).iter_parts()
    assert calendar.get_param("method") == "COUNTER"


@pytest.mark.parametrize("kind", ["IPM.Schedule.Meeting.Request", "IPM.Schedule.Meeting.Canceled",
                                  "IPM.Schedule.Meeting.Resp.Pos", "IPM.Schedule.Meeting.Resp.Tent"])  # fmt: skip
def test_our_reader_has_the_meeting_again(kind: str) -> None:
    back = item_of_mime(compose(meeting(kind), host="example.test"), received=0).props
    assert back[p.PidTagMessageClass] == kind
    assert back[n.PidLidAppointmentStartWhole] == START
    assert back[p.PidTagSubject] == "Plan ü"


def test_images_of_a_meeting_are_beside_its_texts() -> None:
    """[MS-OXCMAIL] 2.1.3.3.8.3."""
    item = meeting("IPM.Schedule.Meeting.Request")
    item.props[p.PidTagHtml] = b'<img src="cid:a@b">'
    item.attachments = [
        ItemAttachment({p.PidTagAttachContentId: "a@b", p.PidTagAttachMimeTag: "image/png"}, b"png"),
        ItemAttachment({p.PidTagAttachLongFilename: "a.pdf", p.PidTagAttachMimeTag: "application/pdf"}, b"pdf"),
        ItemAttachment({}, b"", Item({p.PidTagMessageClass: "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"})),
    ]
    assert [part.get_content_type() for part in parsed(item).walk()] == [
        "multipart/mixed", "multipart/related", "multipart/alternative", "text/plain", "text/html", "text/calendar",
        "image/png", "application/pdf",
    ]  # fmt: skip


def test_a_contact_is_a_card() -> None:
    """[MS-OXCMAIL] 2.1.3.4.6."""
    contact = Item({p.PidTagMessageClass: "IPM.Contact", p.PidTagDisplayName: "Zoë X", p.PidTagSurname: "X",
                    p.PidTagGivenName: "Zoë"})  # fmt: skip
    message = parsed(Item({p.PidTagBody: "see"}, [], [ItemAttachment({}, b"", contact)]))
    _, card = message.iter_parts()
    assert card.get_content_type() == "text/directory" and card.get_param("profile") == "vCard"
    assert card.get_filename() == "Zoë X.vcf"
    text = octets(card).decode()
    assert text.startswith("BEGIN:VCARD\r\nVERSION:3.0\r\n") and "Zoë X" in text


@pytest.mark.parametrize(("asked", "tnef", "there"), [(True, None, True), (True, False, False), (False, None, False),
                                                      (False, True, True)])  # fmt: skip
def test_tnef_goes_along_when_it_is_asked_for(asked: bool, tnef: bool | None, there: bool) -> None:
    item = Item({p.PidTagSubject: "x", p.PidTagBody: "text", p.PidTagInternetMessageId: "<t@example.org>"}, [dict(BOB)])
    item.props |= {n.PidLidUseTnef: asked, p.PidTagMessageClass: "IPM.Note", n.PidLidCommonStart: START}
    item.attachments.append(ItemAttachment({p.PidTagAttachLongFilename: "a.bin", p.PidTagAttachMethod: 1}, b"\0data"))
    message = parsed(item, tnef=tnef)
    kinds = [part.get_content_type() for part in message.walk()]
    if not there:
        assert kinds == ["multipart/mixed", "text/plain", "application/octet-stream"]
        return
    assert kinds == ["multipart/mixed", "text/plain", "application/ms-tnef"]
    assert message["X-MS-TNEF-Correlator"] == "<t@example.org>" and message["X-MS-Has-Attach"] == "yes"
    back = from_tnef(octets(list(message.iter_parts())[1]))
    assert back.props[n.PidLidCommonStart] == START
    assert back.props[p.PidTagTnefCorrelationKey] == b"<t@example.org>\0"
    assert [one.data for one in back.attachments] == [b"\0data"]
    tnefparse = pytest.importorskip("tnefparse")
    other = tnefparse.TNEF(octets(list(message.iter_parts())[1]))
    assert [one.data for one in other.attachments] == [b"\0data"]


def test_our_reader_takes_tnef_out() -> None:
    item = Item({p.PidTagSubject: "x", p.PidTagBody: "text", p.PidTagMessageClass: "IPM.Note",
                 n.PidLidCommonStart: START}, [dict(BOB)])  # fmt: skip
    back = item_of_mime(compose(item, host="example.test", tnef=True), received=0)
    assert back.props[n.PidLidCommonStart] == START and back.props[p.PidTagSubject] == "x"
    assert back.attachments == []
