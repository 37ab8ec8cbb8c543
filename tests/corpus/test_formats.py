"""Calendars and cards of many programs through .msg and TNEF, one after the other, and back: nothing is lost.

What is compared is the text that is made of the item, to the octet: times, occurrences, exceptions, attendees, alarms,
categories, attachments, fields of other programs; and what an independent reader counts in it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import icalendar
import pytest
import recurring_ical_events
import vobject

from gromoxd.convert import vcard
from gromoxd.convert.ical import items_of, to_ical
from gromoxd.convert.item import Item
from gromoxd.convert.msg import from_msg, to_msg
from gromoxd.convert.tnef import from_tnef, to_tnef
from gromoxd.errors import WireError
from tests.convert.ical.made import MADE
from tests.convert.vcard.test_programs import CARDS
from tests.corpus.collect import ROOT

SHARED = ROOT.parent / "shared" / "corpus" / "ics"
INSTALLED = Path(recurring_ical_events.__file__).parent / "test" / "calendars"
EVENTS = 900
"""So many there are at least where the shared samples are."""

WAYS: dict[str, Callable[[Item], Item]] = {
    "msg": lambda item: from_msg(to_msg(item)),
    "tnef": lambda item: from_tnef(to_tnef(item)),
    "msg, tnef": lambda item: from_tnef(to_tnef(from_msg(to_msg(item)))),
}


def calendars() -> dict[str, bytes]:
    paths = [path for folder in (SHARED, INSTALLED) for path in sorted(folder.glob("*.ics"))]
    return {path.name: path.read_bytes() for path in paths} | MADE


def objects(data: bytes) -> list[Item]:
    try:
        return items_of(data)
    except WireError:
        return []


@pytest.mark.parametrize("way", WAYS)
def test_calendars_come_through(way: str) -> None:
    count = 0
    for name, data in calendars().items():
        for number, item in enumerate(objects(data)):
            count += 1
            assert to_ical([WAYS[way](item)]) == to_ical([item]), (name, number)
    if not SHARED.is_dir():
        pytest.skip(f"THE SHARED CALENDARS ARE ABSENT; only {count} events are tried")
    assert count > EVENTS


@pytest.mark.parametrize("way", WAYS)
def test_people_alarms_and_categories_do(way: str) -> None:
    """As icalendar counts them: the text that is compared above has them."""
    item = objects(
        b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:u1\r\nDTSTART:20261124T090000Z\r\n"
        b"DTEND:20261124T100000Z\r\nRRULE:FREQ=WEEKLY;COUNT=5\r\nEXDATE:20261201T090000Z\r\nCATEGORIES:red,blue\r\n"
        b"ORGANIZER;CN=Ann:mailto:a@b.org\r\nATTENDEE;CN=Bob;PARTSTAT=TENTATIVE:mailto:b@b.org\r\n"
        b"ATTENDEE;ROLE=OPT-PARTICIPANT:mailto:c@b.org\r\nSUMMARY:s\r\n"
        b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\nEND:VALARM\r\nEND:VEVENT\r\n"
        b"BEGIN:VEVENT\r\nUID:u1\r\nRECURRENCE-ID:20261208T090000Z\r\nDTSTART:20261208T110000Z\r\n"
        b"DTEND:20261208T120000Z\r\nSUMMARY:later\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )[0]  # fmt: skip
    calendar: Any = icalendar.Calendar.from_ical(to_ical([WAYS[way](item)], method="REQUEST"))
    first, moved = calendar.walk("VEVENT")
    assert len(first["ATTENDEE"]) == 2 and str(first["ORGANIZER"]).lower() == "mailto:a@b.org"
    assert {one.params["PARTSTAT"] for one in first["ATTENDEE"] if "b@" in one} == {"TENTATIVE"}
    assert sorted(first.categories) == ["blue", "red"] and moved["SUMMARY"] == "later"
    assert calendar.walk("VALARM")[0]["TRIGGER"].dt.total_seconds() == -900
    assert len(recurring_ical_events.of(calendar).between((2026, 1, 1), (2028, 1, 1))) == 4


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", CARDS)
def test_cards_come_through(name: str, way: str) -> None:
    card = CARDS[name]
    (item,) = vcard.items_of(card)
    text = vcard.to_vcard(WAYS[way](item), version="3.0")
    assert text == vcard.to_vcard(item, version="3.0")
    assert vobject.readOne(text.decode()).fn.value == item.props[0x3001001F]
