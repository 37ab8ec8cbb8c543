"""ORGANIZER and ATTENDEE as recipients and back ([MS-OXCICAL] 2.1.3.1.1.20.2, 2.1.3.1.1.20.16, 2.1.3.1.1.20.61)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from gromoxd.convert.contentline import Component, ContentLine, line
from gromoxd.convert.ical.texts import cut, number_of, text_of
from gromoxd.convert.ical.values import Kind, filetime_of, moment, seconds_of, time_text
from gromoxd.convert.item import Item
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import one_off
from gromoxd.mapi.recipients import complete, search_key

MAX_PEOPLE: Final = 5_000
NO_MAIL: Final = "invalid:nomail"
TO, CC, BCC = 1, 2, 3
ORGANIZER_FLAGS: Final = 0x3
"""recipSendable and recipOrganizer ([MS-OXOCAL] 2.2.4.10.1)."""
_ORGANIZER = 0x2
_TRACK = {"TENTATIVE": 2, "ACCEPTED": 3, "DECLINED": 4}
_PARTSTAT = {2: "TENTATIVE", 3: "ACCEPTED", 4: "DECLINED"}
RESPONSES: Final = {"TENTATIVE": 2, "ACCEPTED": 3, "DECLINED": 4, "NEEDS-ACTION": 5, "DELEGATED": 5}
_ADDRESS = re.compile(r"[^\s<>,;\x00-\x1f]{1,320}")


def address_of(value: str) -> str:
    """The SMTP address of a calendar user address; '' for one that has none."""
    value = value.strip()
    if value[:7].lower() == "mailto:":
        value = unquote(value[7:].partition("?")[0]).strip().strip("<>")
    elif ":" in value or "@" not in value:
        return ""
    return value if _ADDRESS.fullmatch(value) else ""


def read_people(component: Component, item: Item, user: str) -> str:
    """Recipients of all attendees and the organizer. The PARTSTAT of `user`, '' when it is not invited."""
    bag = item.props
    organizer = component.first("ORGANIZER")
    if organizer is not None:
        _read_organizer(organizer, component, item)
    own, rsvp = "", False
    lists: dict[int, list[str]] = {n.PidLidNonSendableTo: [], n.PidLidNonSendableCc: [], n.PidLidNonSendableBcc: []}
    for attendee in component.all("ATTENDEE")[:MAX_PEOPLE]:
        rsvp = rsvp or attendee.param("RSVP").upper() == "TRUE"
        address = address_of(attendee.value)
        if not address:
            name = attendee.param("CN").replace(";", " ").strip()
            if name:
                lists[(n.PidLidNonSendableTo, n.PidLidNonSendableCc, n.PidLidNonSendableBcc)[_kind(attendee) - 1]] += [
                    name
                ]
            continue
        if user and address.lower() == user.lower():
            own = attendee.param("PARTSTAT").upper() or "NEEDS-ACTION"
        row = _recipient(attendee, address)
        if not _is_first(item, row):
            item.recipients.append(row)
    for tag, names in lists.items():
        if names:
            known = text_of(bag, tag)
            bag[tag] = "; ".join(([known] if known else []) + names)
    if organizer is not None or item.recipients:
        bag[p.PidTagResponseRequested] = bag[p.PidTagReplyRequested] = rsvp
        _strings(item)
    return own


def _is_first(item: Item, row: Bag) -> bool:
    """An attendee that is the organizer, as many programs list it: it is in the table already, and once."""
    first = item.recipients[0] if item.recipients else row
    if not number_of(first, p.PidTagRecipientFlags) & _ORGANIZER or number_of(row, p.PidTagRecipientType) != TO:
        return False
    address, name = _smtp(first), text_of(row, p.PidTagDisplayName)
    if address.lower() != _smtp(row).lower():
        return False
    if text_of(first, p.PidTagDisplayName) == address != name:
        first |= _person(name, address)
        for tags in (_REPRESENTED, _SENDER):
            if text_of(item.props, tags[5]) == address:
                originate(item.props, tags, name, address)
    return True


def _strings(item: Item) -> None:
    """PidLidAllAttendeesString and its like ([MS-OXOCAL] 2.2.1.16 to 2.2.1.18), the organizer among the first two."""
    names: dict[int, list[str]] = {TO: [], CC: [], BCC: []}
    for row in item.recipients:
        names[number_of(row, p.PidTagRecipientType, TO)].append(text_of(row, p.PidTagDisplayName))
    item.props[n.PidLidToAttendeesString] = "; ".join(names[TO])
    item.props[n.PidLidCcAttendeesString] = "; ".join(names[CC])
    item.props[n.PidLidAllAttendeesString] = "; ".join(names[TO] + names[CC] + names[BCC])


def _kind(attendee: ContentLine) -> int:
    """PidTagRecipientType of ROLE and CUTYPE."""
    role = attendee.param("ROLE").upper()
    if attendee.param("CUTYPE").upper() in ("RESOURCE", "ROOM") or role == "NON-PARTICIPANT":
        return BCC
    return CC if role == "OPT-PARTICIPANT" else TO


def _recipient(attendee: ContentLine, address: str) -> Bag:
    row = _person(attendee.param("CN") or address, address)
    row[p.PidTagRecipientType] = _kind(attendee)
    row[p.PidTagRecipientFlags] = 0x1
    row[p.PidTagRecipientTrackStatus] = _TRACK.get(attendee.param("PARTSTAT").upper(), 0)
    answered = moment(attendee.param("X-MS-OLK-RESPTIME"))
    if answered is not None and answered.kind is Kind.UTC:
        row[p.PidTagRecipientTrackStatusTime] = filetime_of(answered.seconds)
    return row


def _person(name: str, address: str) -> Bag:
    row: Bag = {
        p.PidTagDisplayName: cut(name),
        p.PidTagRecipientDisplayName: cut(name),
        p.PidTagAddressType: "SMTP",
        p.PidTagEmailAddress: address,
        p.PidTagSmtpAddress: address,
        p.PidTagObjectType: 6,
        p.PidTagDisplayType: 0,
        p.PidTagResponsibility: False,
    }
    complete(row)
    return row


_REPRESENTED = (
    p.PidTagSentRepresentingName, p.PidTagSentRepresentingAddressType, p.PidTagSentRepresentingEmailAddress,
    p.PidTagSentRepresentingEntryId, p.PidTagSentRepresentingSearchKey, p.PidTagSentRepresentingSmtpAddress,
)  # fmt: skip
_SENDER = (
    p.PidTagSenderName, p.PidTagSenderAddressType, p.PidTagSenderEmailAddress, p.PidTagSenderEntryId,
    p.PidTagSenderSearchKey, p.PidTagSenderSmtpAddress,
)  # fmt: skip


def _read_organizer(organizer: ContentLine, component: Component, item: Item) -> None:
    address = address_of(organizer.value)
    name = organizer.param("CN") or address
    if not address:
        return
    row = _person(name, address)
    row[p.PidTagRecipientType] = TO
    row[p.PidTagRecipientFlags] = ORGANIZER_FLAGS
    item.recipients.append(row)
    originate(item.props, _REPRESENTED, name, address)
    sender = component.first("X-MS-OLK-SENDER")
    agent = address_of(sender.value) if sender is not None else address_of(organizer.param("SENT-BY"))
    agent_name = (sender.param("CN") if sender is not None else "") or agent
    originate(item.props, _SENDER, agent_name or name, agent or address)


def originate(bag: Bag, tags: tuple[int, ...], name: str, address: str) -> None:
    """Name and address of an originator in its six properties ([MS-OXOMSG] 2.2.1.48 to 2.2.1.58)."""
    values: tuple[str | bytes, ...] = (
        cut(name),
        "SMTP",
        address,
        one_off(cut(name), address),
        search_key("SMTP", address),
        address,
    )
    for tag, value in zip(tags, values, strict=True):
        bag[tag] = value


# ------------------------------------------------------------------------------------------ writing


def write_people(item: Item, method: str) -> list[bytes]:
    """ORGANIZER, ATTENDEEs and X-MS-OLK-SENDER of a meeting. Of an answer only who answers (RFC 5546 3.2.3)."""
    bag = item.props
    if method in ("REPLY", "COUNTER"):
        return _write_answer(item, method)
    if not is_meeting(item):
        return []
    found, organizer = _write_organizer(item)
    rsvp = bool(bag.get(p.PidTagResponseRequested, True))
    for row in item.recipients[:MAX_PEOPLE]:
        if number_of(row, p.PidTagRecipientFlags) & _ORGANIZER:
            continue
        if (_smtp(row) or "").lower() == organizer and number_of(row, p.PidTagRecipientType) == TO and not rsvp:
            continue
        found.append(_write_attendee(row, rsvp, method))
    for tag, role in ((n.PidLidNonSendableTo, ""), (n.PidLidNonSendableCc, "OPT-PARTICIPANT")):
        for name in text_of(bag, tag).split(";"):
            if name.strip():
                params = {"CN": name.strip()} | ({"ROLE": role} if role else {})
                found.append(line("ATTENDEE", NO_MAIL, params))
    return found


def is_meeting(item: Item) -> bool:
    """asfMeeting ([MS-OXOCAL] 2.2.1.10), or a message about a meeting."""
    kind = text_of(item.props, p.PidTagMessageClass).upper()
    return bool(number_of(item.props, n.PidLidAppointmentStateFlags) & 1) or kind.startswith("IPM.SCHEDULE.MEETING")


def _smtp(row: Bag) -> str:
    smtp = text_of(row, p.PidTagSmtpAddress)
    if smtp:
        return smtp
    return text_of(row, p.PidTagEmailAddress) if text_of(row, p.PidTagAddressType).upper() == "SMTP" else ""


def _write_organizer(item: Item) -> tuple[list[bytes], str]:
    """The line, and the organizer's address in lower case: the recipient that is it, else who is represented."""
    bag = item.props
    row = next((row for row in item.recipients if number_of(row, p.PidTagRecipientFlags) & _ORGANIZER), None)
    if row is not None:
        name, address = text_of(row, p.PidTagDisplayName), _smtp(row)
    else:
        name, address = _originator(bag, _REPRESENTED)
        if not address:
            name, address = _originator(bag, _SENDER)
    sender_name, sender = _originator(bag, _SENDER)
    if not (name or address):
        return [], ""
    params = {"CN": name} if name else {}
    found = []
    if sender and sender.lower() != address.lower():
        params["SENT-BY"] = f"mailto:{sender}"
        found.append(line("X-MS-OLK-SENDER", f"mailto:{sender}", {"CN": sender_name} if sender_name else None))
    return [line("ORGANIZER", f"mailto:{address}" if address else NO_MAIL, params), *found], address.lower()


def _originator(bag: Bag, tags: tuple[int, ...]) -> tuple[str, str]:
    smtp = text_of(bag, tags[5])
    if not smtp and text_of(bag, tags[1]).upper() == "SMTP":
        smtp = text_of(bag, tags[2])
    return text_of(bag, tags[0]), smtp


def _write_attendee(row: Bag, rsvp: bool, method: str) -> bytes:
    kind, address = number_of(row, p.PidTagRecipientType, TO), _smtp(row)
    params: dict[str, str] = {}
    name = text_of(row, p.PidTagDisplayName)
    if name:
        params["CN"] = name
    if kind == BCC:
        params |= {"CUTYPE": "RESOURCE", "ROLE": "NON-PARTICIPANT"}
    elif kind == CC:
        params["ROLE"] = "OPT-PARTICIPANT"
    status = _PARTSTAT.get(number_of(row, p.PidTagRecipientTrackStatus))
    if method != "CANCEL":
        params["PARTSTAT"] = status or "NEEDS-ACTION"
    if rsvp:
        params["RSVP"] = "TRUE"
    answered = seconds_of(row.get(p.PidTagRecipientTrackStatusTime))
    if answered and status and method != "CANCEL":
        params["X-MS-OLK-RESPTIME"] = time_text(answered, utc=True)
    return line("ATTENDEE", f"mailto:{address}" if address else NO_MAIL, params)


_ANSWERS = {"POS": "ACCEPTED", "NEG": "DECLINED", "TENT": "TENTATIVE"}


def _write_answer(item: Item, method: str) -> list[bytes]:
    """An answer: who answers is its author, the organizer its one recipient ([MS-OXOCAL] 2.2.8)."""
    bag = item.props
    name, address = _originator(bag, _REPRESENTED)
    answer = _ANSWERS.get(text_of(bag, p.PidTagMessageClass).upper().rpartition(".")[2], "TENTATIVE")
    params = {"PARTSTAT": answer} | ({"CN": name} if name else {})
    found = [line("ATTENDEE", f"mailto:{address}" if address else NO_MAIL, params)]
    for row in item.recipients[:1]:
        organizer, smtp = text_of(row, p.PidTagDisplayName), _smtp(row)
        found.append(line("ORGANIZER", f"mailto:{smtp}" if smtp else NO_MAIL, {"CN": organizer} if organizer else None))
    return found


def read_answer(component: Component, item: Item) -> str:
    """Author and recipient of REPLY or COUNTER; the PARTSTAT of the one attendee that it has."""
    organizer, attendee = component.first("ORGANIZER"), component.first("ATTENDEE")
    if organizer is not None:
        address = address_of(organizer.value)
        if address:
            row = _person(organizer.param("CN") or address, address)
            row[p.PidTagRecipientType] = TO
            item.recipients.append(row)
    if attendee is None:
        return ""
    address = address_of(attendee.value)
    if address:
        name = attendee.param("CN") or address
        originate(item.props, _REPRESENTED, name, address)
        agent = address_of(attendee.param("SENT-BY"))
        originate(item.props, _SENDER, agent or name, agent or address)
    return attendee.param("PARTSTAT").upper()
