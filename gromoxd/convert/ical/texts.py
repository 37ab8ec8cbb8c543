"""Simple properties of components ([MS-OXCICAL] 2.1.3.1.1.20.3 to 2.1.3.1.1.20.60), both directions, as tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import unquote

from gromoxd.convert.bodies import html_to_text, mail_bodies
from gromoxd.convert.contentline import Component, ContentLine, escape, line, texts
from gromoxd.convert.ical.values import Kind, boolean, filetime_of, integer, moment_of, seconds_of, time_text
from gromoxd.convert.properties import split_subject
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.codepages import UTF8
from gromoxd.mapi.lcids import language_tag, lcid_of

MAX_TEXT: Final = 255
MAX_CONTACT: Final = 500
MAX_LISTED: Final = 1_000
_BREAKS = re.compile(r"[\r\n]+")
_SPACES = re.compile(r"\s+")
_SEPARATORS = re.compile("[;,؛﹔；]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,7}")

SENSITIVITY: Final = {"PUBLIC": 0, "X-PERSONAL": 1, "PRIVATE": 2, "CONFIDENTIAL": 3}
BUSY: Final = {"FREE": 0, "TENTATIVE": 1, "BUSY": 2, "OOF": 3, "OUTOFOFFICE": 3, "WORKINGELSEWHERE": 4}
_BUSY_NAMES = ("FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE")
_CLASSES = ("PUBLIC", "X-PERSONAL", "PRIVATE", "CONFIDENTIAL")
_STATUS_BUSY = {"TENTATIVE": 1, "CONFIRMED": 2, "CANCELLED": 0}
_TRANSP_BUSY = {"TRANSPARENT": 0, "OPAQUE": 2}

_DIRECT: Final[dict[str, int]] = {
    "X-MICROSOFT-CDO-OWNERAPPTID": p.PidTagOwnerAppointmentId,
    "X-MICROSOFT-DISALLOW-COUNTER": n.PidLidAppointmentNotAllowPropose,
    "X-MS-OLK-ALLOWEXTERNCHECK": n.PidLidAllowExternalCheck,
    "X-MS-OLK-APPTLASTSEQUENCE": n.PidLidAppointmentLastSequence,
    "X-MS-OLK-APPTSEQTIME": n.PidLidAppointmentSequenceTime,
    "X-MS-OLK-AUTOFILLLOCATION": n.PidLidAutoFillLocation,
    "X-MS-OLK-AUTOSTARTCHECK": n.PidLidAutoStartCheck,
    "X-MS-OLK-COLLABORATEDOC": n.PidLidCollaborateDoc,
    "X-MS-OLK-CONFCHECK": n.PidLidConferencingCheck,
    "X-MS-OLK-CONFTYPE": n.PidLidConferencingType,
    "X-MS-OLK-DIRECTORY": n.PidLidDirectory,
    "X-MS-OLK-MWSURL": n.PidLidMeetingWorkspaceUrl,
    "X-MS-OLK-NETSHOWURL": n.PidLidNetShowUrl,
    "X-MS-OLK-ONLINEPASSWORD": n.PidLidOnlinePassword,
    "X-MS-OLK-ORGALIAS": n.PidLidOrganizerAlias,
    "X-MICROSOFT-CDO-REPLYTIME": n.PidLidAppointmentReplyTime,
    "X-MICROSOFT-CDO-ATTENDEE-CRITICAL-CHANGE": n.PidLidAttendeeCriticalChange,
    "X-MICROSOFT-CDO-OWNER-CRITICAL-CHANGE": n.PidLidOwnerCriticalChange,
}
"""Properties that are one of MAPI as they are, by its type: boolean, integer, text, time in UTC."""

UNDERSTOOD: Final = frozenset((
    "SUMMARY", "LOCATION", "DESCRIPTION", "X-ALT-DESC", "CATEGORIES", "CLASS", "PRIORITY", "SEQUENCE", "TRANSP",
    "CONTACT", "RESOURCES", "CREATED", "LAST-MODIFIED", "DTSTAMP", "X-MICROSOFT-CDO-BUSYSTATUS",
    "X-MICROSOFT-CDO-IMPORTANCE", "X-MICROSOFT-CDO-ALLDAYEVENT", "X-MICROSOFT-CDO-APPT-SEQUENCE",
    "X-MICROSOFT-CDO-INSTTYPE", "X-MICROSOFT-CDO-INTENDEDSTATUS", "X-MICROSOFT-MSNCALENDAR-BUSYSTATUS",
    "X-MICROSOFT-MSNCALENDAR-IMPORTANCE", "X-MICROSOFT-MSNCALENDAR-ALLDAYEVENT",
    "X-MICROSOFT-MSNCALENDAR-INTENDEDSTATUS", "X-MICROSOFT-ISDRAFT", "X-MS-OLK-ORIGINALSTART", "X-MS-OLK-ORIGINALEND",
    *_DIRECT,
))  # fmt: skip


def cut(text: str, units: int = MAX_TEXT) -> str:
    """A text of at most so many UTF-16 units, surrogate pairs whole."""
    if len(text) <= units // 2:
        return text
    return text.encode("utf-16-le", "replace")[: 2 * units].decode("utf-16-le", "ignore")


def one_line(text: str, units: int = MAX_TEXT) -> str:
    return cut(_BREAKS.sub(" ", text), units)


def listed(values: Iterable[str], units: int, drop: re.Pattern[str]) -> list[str]:
    """Values without separators and doubled spaces, cut, each once whatever its case (2.1.3.1.1.20.3)."""
    found: dict[str, str] = {}
    for value in values:
        value = cut(_SPACES.sub(" ", drop.sub("", value)).strip(), units)
        if value and len(found) < MAX_LISTED:
            found.setdefault(value.lower(), value)
    return list(found.values())


# ------------------------------------------------------------------------------------------ reading


def read_texts(component: Component, bag: Bag, method: str) -> None:
    """Subject, bodies, place, categories, importance, sensitivity and the direct ones."""
    summary = component.first("SUMMARY")
    set_subject(bag, one_line(summary.text()) if summary is not None else "")
    if summary is not None and summary.param("LANGUAGE"):
        lcid = lcid_of(summary.param("LANGUAGE"))
        if lcid is not None:
            bag[p.PidTagMessageLocaleId] = lcid
    _read_bodies(component, bag, method)
    place = component.first("LOCATION")
    if place is not None:
        bag[n.PidLidLocation] = one_line(place.text())
        if place.param("ALTREP"):
            bag[n.PidNameCalendarLocationUrl] = cut(place.param("ALTREP"), 2_000)
    _read_lists(component, bag)
    bag[p.PidTagImportance] = _importance(component)
    bag[p.PidTagPriority] = _importance(component) - 1
    sensitivity = SENSITIVITY.get(component.value("CLASS").strip().upper(), 0)
    bag[p.PidTagSensitivity] = sensitivity
    bag[n.PidLidPrivate] = sensitivity >= 2
    for name, tag in _DIRECT.items():
        found = component.first(name)
        value = None if found is None else _READ[tag & 0xFFFF](found)
        if value is not None:
            bag[tag] = value
    _read_stamps(component, bag, method)


def set_subject(bag: Bag, subject: str) -> None:
    prefix, normalized = split_subject(subject)
    bag[p.PidTagSubject] = subject
    bag[p.PidTagNormalizedSubject] = bag[p.PidTagConversationTopic] = normalized
    if prefix:
        bag[p.PidTagSubjectPrefix] = prefix


_READ: dict[int, Callable[[ContentLine], int | bool | str | None]] = {
    0x0003: lambda found: integer(found.value),
    0x000B: lambda found: boolean(found.value),
    0x001F: lambda found: cut(found.text(), 2_000),
    0x0040: lambda found: _utc(found),
}


def _utc(found: ContentLine) -> int | None:
    at = moment_of(found)
    return None if at is None or at.kind is not Kind.UTC else filetime_of(at.seconds)


def _read_bodies(component: Component, bag: Bag, method: str) -> None:
    """DESCRIPTION, COMMENT in its stead in answers (2.1.3.1.1.20.5, 11), X-ALT-DESC (27)."""
    body = component.first("COMMENT" if method in ("REPLY", "COUNTER") else "DESCRIPTION")
    if body is not None:
        bag[p.PidTagBody] = body.text()
    html = next(
        (each.text() for each in component.all("X-ALT-DESC") if each.param("FMTTYPE").lower() == "text/html"), ""
    ) or (_altrep(body) if body is not None else "")
    if html:
        bag[p.PidTagHtml] = html.encode("utf-8", "replace")
        bag[p.PidTagInternetCodepage] = UTF8
        if body is None:
            bag[p.PidTagBody] = html_to_text(html)


def _altrep(body: ContentLine) -> str:
    """HTML that stands in ALTREP as a data URI, as some programs write it."""
    kind, _, text = body.param("ALTREP").partition(",")
    return unquote(text) if kind.lower() == "data:text/html" else ""


def _read_lists(component: Component, bag: Bag) -> None:
    categories = listed(
        (each for found in component.all("CATEGORIES") for each in texts(found.value)), MAX_TEXT, _SEPARATORS
    )
    if categories:
        bag[n.PidNameKeywords] = categories
    semicolon = re.compile(";")
    contacts = listed((found.text() for found in component.all("CONTACT")), MAX_CONTACT, semicolon)
    if contacts:
        bag[n.PidLidContacts] = contacts
    resources = listed(
        (each for found in component.all("RESOURCES") for each in texts(found.value)), MAX_CONTACT, semicolon
    )
    if resources:
        bag[n.PidLidNonSendableBcc] = "; ".join(resources)


def _importance(component: Component) -> int:
    """2.1.3.1.1.20.17, 32, 43."""
    for name in ("X-MICROSOFT-CDO-IMPORTANCE", "X-MICROSOFT-MSNCALENDAR-IMPORTANCE"):
        level = integer(component.value(name))
        if level in (0, 1, 2):
            return level
    priority = integer(component.value("PRIORITY")) or 5
    return 2 if 1 <= priority <= 4 else 0 if 6 <= priority <= 9 else 1


def _read_stamps(component: Component, bag: Bag, method: str) -> None:
    """DTSTAMP, CREATED, LAST-MODIFIED (2.1.3.1.1.20.7, 9, 14)."""
    stamp = n.PidLidAttendeeCriticalChange if method in ("REPLY", "COUNTER") else n.PidLidOwnerCriticalChange
    for name, tag in (
        ("DTSTAMP", stamp), ("CREATED", p.PidTagCreationTime), ("LAST-MODIFIED", p.PidTagLastModificationTime),
    ):  # fmt: skip
        at = moment_of(component.first(name))
        if at is not None and at.kind is not Kind.DATE:
            bag.setdefault(tag, filetime_of(at.seconds))


def busy_status(component: Component) -> int:
    """PidLidBusyStatus (2.1.3.1.1.20.31, 42, 25, 23 in this order); busy when nothing says."""
    named = _named_status(component, "X-MICROSOFT-CDO-BUSYSTATUS", "X-MICROSOFT-MSNCALENDAR-BUSYSTATUS")
    if named is not None:
        return named
    for name, values in (("TRANSP", _TRANSP_BUSY), ("STATUS", _STATUS_BUSY)):
        status = values.get(component.value(name).strip().upper())
        if status is not None:
            return status
    return BUSY["BUSY"]


def intended_status(component: Component) -> int | None:
    """X-MICROSOFT-CDO-INTENDEDSTATUS (2.1.3.1.1.20.34)."""
    return _named_status(component, "X-MICROSOFT-CDO-INTENDEDSTATUS", "X-MICROSOFT-MSNCALENDAR-INTENDEDSTATUS")


def _named_status(component: Component, *names: str) -> int | None:
    for name in names:
        status = BUSY.get(component.value(name).strip().upper())
        if status is not None:
            return status
    return None


# ------------------------------------------------------------------------------------------ writing


def text_of(bag: Bag, tag: int) -> str:
    value = bag.get(tag)
    return value if isinstance(value, str) else ""


def number_of(bag: Bag, tag: int, default: int = 0) -> int:
    value = bag.get(tag)
    return value if isinstance(value, int) else default


def strings_of(bag: Bag, tag: int) -> list[str]:
    value = bag.get(tag)
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def write_texts(bag: Bag, method: str) -> list[bytes]:
    """The inverse of `read_texts`."""
    tag = language_tag(number_of(bag, p.PidTagMessageLocaleId))
    language = {"LANGUAGE": tag} if tag and _LANGUAGE.fullmatch(tag) else None
    found = [line("SUMMARY", escape(text_of(bag, p.PidTagSubject)), language)]
    found += _write_bodies(bag, method)
    if n.PidLidLocation in bag:
        url = text_of(bag, n.PidNameCalendarLocationUrl)
        found.append(line("LOCATION", escape(text_of(bag, n.PidLidLocation)), {"ALTREP": url} if url else None))
    keywords = strings_of(bag, n.PidNameKeywords)
    if keywords:
        found.append(line("CATEGORIES", ",".join(map(escape, keywords))))
    found += [line("CONTACT", escape(contact)) for contact in strings_of(bag, n.PidLidContacts)]
    resources = [each.strip() for each in text_of(bag, n.PidLidNonSendableBcc).split(";") if each.strip()]
    if resources:
        found.append(line("RESOURCES", ",".join(map(escape, resources))))
    importance = number_of(bag, p.PidTagImportance, 1)
    found.append(line("PRIORITY", {0: "9", 2: "1"}.get(importance, "5")))
    found.append(line("CLASS", _CLASSES[number_of(bag, p.PidTagSensitivity) & 3]))
    return found


def write_direct(bag: Bag) -> list[bytes]:
    """The direct ones, and PidTagImportance as Outlook has it."""
    found = [line("X-MICROSOFT-CDO-IMPORTANCE", str(min(max(number_of(bag, p.PidTagImportance, 1), 0), 2)))]
    for name, tag in _DIRECT.items():
        value = bag.get(tag)
        kind = tag & 0xFFFF
        if value is None or "CRITICAL-CHANGE" in name:
            continue
        if kind == 0x000B:
            found.append(line(name, "TRUE" if value else "FALSE"))
        elif kind == 0x0040:
            seconds = seconds_of(value)
            if seconds is not None:
                found.append(line(name, time_text(seconds, utc=True)))
        elif isinstance(value, int):
            found.append(line(name, str(value)))
        elif isinstance(value, str) and value:
            found.append(line(name, escape(value)))
    return found


def _write_bodies(bag: Bag, method: str) -> list[bytes]:
    if not (p.PidTagBody in bag or p.PidTagHtml in bag or p.PidTagRtfCompressed in bag):
        return []
    plain, html, charset = mail_bodies(bag)
    text = (plain or "").replace("\r\n", "\n")
    found = [line("COMMENT" if method in ("REPLY", "COUNTER") else "DESCRIPTION", escape(text))] if text else []
    if html is not None:
        rich = html.decode(charset, "replace") if charset == "utf-8" else _decoded(html, charset)
        found.append(line("X-ALT-DESC", escape(rich), {"FMTTYPE": "text/html"}))
    return found


def _decoded(octets: bytes, charset: str) -> str:
    try:
        return octets.decode(charset, "replace")
    except LookupError:
        return octets.decode("latin-1")


def write_stamps(bag: Bag, method: str) -> list[bytes]:
    """DTSTAMP, CREATED and LAST-MODIFIED; without any time known, the first is what the item has otherwise."""
    times = {
        "CREATED": seconds_of(bag.get(p.PidTagCreationTime)),
        "LAST-MODIFIED": seconds_of(bag.get(p.PidTagLastModificationTime)),
    }
    tag = n.PidLidAttendeeCriticalChange if method in ("REPLY", "COUNTER") else n.PidLidOwnerCriticalChange
    stamp = seconds_of(bag.get(tag))
    if stamp is None:
        stamp = times["LAST-MODIFIED"] or times["CREATED"] or seconds_of(bag.get(p.PidTagClientSubmitTime)) or _OLD
    found = [line("DTSTAMP", time_text(stamp, utc=True))]
    return found + [line(name, time_text(at, utc=True)) for name, at in times.items() if at is not None]


_OLD = 11644473600
"""1970 in seconds since 1601: no clock is read here."""


def status_name(status: int) -> str:
    return _BUSY_NAMES[status] if 0 <= status < len(_BUSY_NAMES) else "BUSY"
