"""vCards to Contact objects and personal distribution lists: [MS-OXVCARD] 2.1, RFC 6350 6, RFC 2426 3.

What a contact has no property for is kept as the line it was (`fields.KEPT`), so that it can be given back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gromoxd.convert import contentline
from gromoxd.convert.contentline import Component, ContentLine, texts
from gromoxd.convert.item import Item
from gromoxd.convert.vcard import fields, media
from gromoxd.convert.vcard.dates import read_day, read_stamp
from gromoxd.convert.vcard.members import Member, read_member, set_members
from gromoxd.convert.vcard.writing import composed_address, derived_name, generated, said
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import one_off
from gromoxd.mapi.types import PropType

MAX_CARDS: Final = 100_000
MAX_KEPT_LINES: Final = 500
MAX_KEPT: Final = 1 << 20
MAX_TEXT: Final = 1 << 20
MAX_LIST: Final = 1000

_IGNORED = frozenset(("VERSION", "PRODID", "BEGIN", "END", "PROFILE", "X-MICROSOFT-URL-ID"))
_NEVER_DRESSED = _IGNORED | {"PHOTO", "KEY", "UID", "REV", "FN", "X-MS-CARDPICTURE"}
_GENDERS = {"F": 1, "FEMALE": 1, "1": 1, "M": 2, "MALE": 2, "2": 2}
_FILE_UNDER_NAMES, _FILE_UNDER_COMPANY, _FILE_UNDER_DISPLAY = 0x8017, 0x3A16, 0x3001
_WRITTEN_OUT = ("ENCODING", "CHARSET")


def items_of(data: bytes | str) -> list[Item]:
    """An item for each vCard, IPM.Contact or IPM.DistList. WireError when there is no vCard or more than MAX_CARDS."""
    cards: list[Component] = []
    for card in contentline.components(data, "VCARD"):
        cards.append(card)
        if card.first("AGENT") is None:
            cards += [child for child in card.children if child.name == "VCARD"]
    if not cards:
        raise WireError("no vCard")
    if len(cards) > MAX_CARDS:
        raise WireError(f"{len(cards)} vCards")
    return [_Reader(card).read() for card in cards]


def preference(line: ContentLine) -> int:
    """RFC 6350 5.3 PREF from 1, the most preferred, to 100; `TYPE=pref` of older versions is 1."""
    if "pref" in line.types():
        return 1
    text = line.param("PREF")
    return min(max(int(text), 1), 100) if text.isdecimal() and len(text) < 4 else 101


def _order(line: ContentLine) -> int:
    """Preferred addresses and numbers get the first places; a label stands behind its address."""
    if line.name in _BY_PREFERENCE:
        return preference(line)
    return 102 if line.name == "LABEL" else 0


class _Reader:
    """Fills one item from one vCard."""

    def __init__(self, card: Component) -> None:
        self.card = card
        self.item = Item()
        self.props = self.item.props
        self.kept: list[ContentLine] = []
        self.used: list[ContentLine] = []
        self.members: list[Member] = []
        self.old = card.value("VERSION").strip() == "2.1"

    def read(self) -> Item:
        """The item."""
        for line in sorted(self.card.lines, key=_order):
            known = line.name in _HANDLERS or line.name in fields.TEXTS
            if line.name in _IGNORED or (known and not line.value.strip()):
                continue
            (self.used if self._take(line) else self.kept).append(line)
        kind = self.card.value("KIND", self.card.value("X-ADDRESSBOOKSERVER-KIND")).strip().lower()
        self._names()
        if kind == "group":
            self._as_list()
        else:
            self._as_contact()
        self._keep()
        return self.item

    def _take(self, line: ContentLine) -> bool:
        """Whether the line is now in the item."""
        handler = _HANDLERS.get(line.name)
        if handler is not None:
            return handler(self, line)
        tag = fields.TEXTS.get(line.name)
        return tag is not None and self.text(tag, line.text())

    def text(self, tag: int, value: str) -> bool:
        """Sets a text once."""
        value = _lines(value.strip()[:MAX_TEXT])
        if not value or tag in self.props:
            return False
        self.props[tag] = value
        return True

    # -------------------------------------------------------------------------------- names

    def name(self, line: ContentLine) -> bool:
        """N: family, given, additional names, prefixes, suffixes ([MS-OXVCARD] 2.1.3.1.2)."""
        tags = (
            p.PidTagSurname,
            p.PidTagGivenName,
            p.PidTagMiddleName,
            p.PidTagDisplayNamePrefix,
            p.PidTagGeneration,
        )
        parts = contentline.split(line.value, ";")
        set_any = [self.text(tag, self.part(part, " ")) for tag, part in zip(tags, parts, strict=False)]
        return any(set_any)

    def part(self, part: str, between: str) -> str:
        """A part of a structure, its values joined; in vCard 2.1 a comma is one of the text."""
        if self.old:
            return contentline.unescape(part)
        return between.join([text for text in texts(part) if text])

    def organisation(self, line: ContentLine) -> bool:
        """ORG: company, department, and units within ([MS-OXVCARD] 2.1.3.5.5)."""
        company, *units = texts(line.value, ";")
        taken = self.text(p.PidTagCompanyName, company)
        return self.text(p.PidTagDepartmentName, "; ".join([unit for unit in units if unit.strip()])) or taken

    def _names(self) -> None:
        """What names say that is not written: display name, subject, what the contact is filed under."""
        item, props = self.item, self.props
        name = fields.text_of(item, p.PidTagDisplayName) or derived_name(item)
        props[p.PidTagDisplayName] = name
        props[p.PidTagSubject] = props[p.PidTagNormalizedSubject] = name
        surname, given = fields.text_of(item, p.PidTagSurname), fields.text_of(item, p.PidTagGivenName)
        company = fields.text_of(item, p.PidTagCompanyName)
        if n.PidLidFileUnder in props:
            number = fields.FILE_UNDER_TEXT
        elif surname and given:
            number = _FILE_UNDER_NAMES
            middle = fields.text_of(item, p.PidTagMiddleName)
            props[n.PidLidFileUnder] = f"{surname}, {given}" + (f" {middle}" if middle else "")
        elif company and company == name:
            number = _FILE_UNDER_COMPANY
            props[n.PidLidFileUnder] = company
        else:
            number = _FILE_UNDER_DISPLAY
            props[n.PidLidFileUnder] = name
        props[n.PidLidFileUnderId] = number

    # -------------------------------------------------------------------------------- reaching somebody

    def email(self, line: ContentLine) -> bool:
        """EMAIL, [MS-OXVCARD] 2.1.3.3.2: three of them; a telex number is Outlook's `EMAIL;TLX`."""
        types = line.types()
        address = line.text().strip()[:2000]
        if "tlx" in types:
            return self.text(p.PidTagTelexNumber, address)
        if address.lower().startswith("mailto:"):
            address = address[7:]
        kind = "X400" if "x400" in types else "SMTP"
        for name_tag, type_tag, address_tag, original_tag, _ in fields.EMAILS:
            if address_tag in self.props:
                continue
            self.props[type_tag], self.props[address_tag], self.props[original_tag] = kind, address, address
            self.props[name_tag] = address
            return True
        return False

    def phone(self, line: ContentLine) -> bool:
        """TEL and X-MS-TEL, [MS-OXVCARD] 2.1.3.3.1: the first free place of those that the types allow."""
        number = line.text()
        if number.lower().startswith("tel:"):
            number = number[4:]
        return any(self.text(tag, number) for tag in fields.phone_tags(line.name, set(line.types())))

    def messaging(self, line: ContentLine) -> bool:
        """X-MS-IMADDRESS and IMPP (RFC 6350 6.4.3)."""
        return self.text(n.PidLidInstantMessagingAddress, line.text())

    def url(self, line: ContentLine) -> bool:
        """URL, [MS-OXVCARD] 2.1.3.6.8: of the person at home, else of the business."""
        if "home" in line.types():
            return self.text(p.PidTagPersonalHomePage, line.text())
        if not self.text(p.PidTagBusinessHomePage, line.text()):
            return False
        self.props[n.PidLidHtml] = self.props[p.PidTagBusinessHomePage]
        return True

    # -------------------------------------------------------------------------------- addresses

    def address(self, line: ContentLine) -> bool:
        """ADR, [MS-OXVCARD] 2.1.3.2.1: box, extended, street, city, region, code, country."""
        where = self._where(line)
        if where is None:
            return False
        parts = [self.part(part, ", ") for part in contentline.split(line.value, ";")]
        box, extended, street, *rest = [_lines(part[:MAX_TEXT].strip()) for part in (parts + [""] * 7)[:7]]
        if where.kind == "work" and extended and self.text(p.PidTagOfficeLocation, extended):
            extended = ""
        values = (box, "\r\n".join([part for part in (extended, street) if part]), *rest)
        for tag, value in zip(where.parts, values, strict=True):
            if value:
                self.props[tag] = value
        self.props[where.whole] = _lines(contentline.unescape(line.param("LABEL"))) or composed_address(values)
        if preference(line) == 1 and n.PidLidPostalAddressId not in self.props:
            self.props[n.PidLidPostalAddressId] = where.number
        return True

    def _where(self, line: ContentLine) -> fields.Address | None:
        """The free address for the line's types."""
        types = set(line.types()) & {"work", "home"}
        for where in fields.ADDRESSES:
            fits = where.kind in types or (where.kind == "other" and not types)
            if fits and where.whole not in self.props:
                return where
        return None

    def label(self, line: ContentLine) -> bool:
        """LABEL (RFC 2426 3.2.2): an address as it is printed; it stands beside its ADR."""
        types = set(line.types())
        for where in fields.ADDRESSES:
            if where.kind in types or (where.kind == "other" and not types & {"work", "home"}):
                self.props[where.whole] = _lines(line.text()[:MAX_TEXT])
                return True
        return False

    def postal(self, line: ContentLine) -> bool:
        """X-MS-OL-DEFAULT-POSTAL-ADDRESS: the number of the mailing address."""
        value = line.value.strip()
        if value not in ("0", "1", "2", "3"):
            return False
        self.props[n.PidLidPostalAddressId] = int(value)
        return True

    def _mailing(self) -> None:
        """The mailing address, equal to the one that is chosen ([MS-OXOCNTC] 2.2.1.3.9)."""
        number = self.props.get(n.PidLidPostalAddressId)
        where = next((one for one in fields.ADDRESSES if one.number == number), None)
        if where is None:
            where = next((one for one in fields.ADDRESSES if one.whole in self.props), None)
            if where is None:
                return
            self.props[n.PidLidPostalAddressId] = where.number
        for source, target in zip(where.parts, fields.MAILING, strict=True):
            if source in self.props:
                self.props[target] = self.props[source]
        if where.whole in self.props:
            self.props[p.PidTagPostalAddress] = self.props[where.whole]

    # -------------------------------------------------------------------------------- the rest

    def birthday(self, line: ContentLine) -> bool:
        """BDAY, [MS-OXVCARD] 2.1.3.1.5."""
        return self._day(line, p.PidTagBirthday, n.PidLidBirthdayLocal)

    def anniversary(self, line: ContentLine) -> bool:
        """ANNIVERSARY (RFC 6350 6.2.6) and its older names."""
        return self._day(line, p.PidTagWeddingAnniversary, n.PidLidWeddingAnniversaryLocal)

    def _day(self, line: ContentLine, tag: int, local: int) -> bool:
        day = read_day(line.value)
        if day is None or tag in self.props:
            return False
        self.props[tag] = self.props[local] = day
        return True

    def note(self, line: ContentLine) -> bool:
        """NOTE, [MS-OXVCARD] 2.1.3.6.2: several become one."""
        known = fields.text_of(self.item, p.PidTagBody)
        text = _lines(line.text())
        self.props[p.PidTagBody] = (f"{known}\r\n{text}" if known else text)[:MAX_TEXT]
        return True

    def categories(self, line: ContentLine) -> bool:
        """CATEGORIES, [MS-OXVCARD] 2.1.3.6.1."""
        known = self._texts(n.PidNameKeywords)
        new = [text.strip()[:255] for text in texts(line.value) if text.strip()]
        known += [text for text in dict.fromkeys(new) if text not in known][: MAX_LIST - len(known)]
        self.props[n.PidNameKeywords] = known
        return True

    def _texts(self, tag: int) -> list[str]:
        """The texts of a list so far."""
        known = self.props.get(tag)
        return [text for text in known if isinstance(text, str)] if isinstance(known, list) else []

    def child(self, line: ContentLine) -> bool:
        """X-MS-CHILD."""
        known = self._texts(p.PidTagChildrensNames)
        if len(known) >= MAX_LIST:
            return False
        self.props[p.PidTagChildrensNames] = [*known, line.text()[:1000]]
        return True

    def sensitivity(self, line: ContentLine) -> bool:
        """CLASS, [MS-OXVCARD] 2.1.3.8.1."""
        value = fields.SENSITIVITY.get(line.value.strip().upper())
        if value is None:
            return False
        self.props[p.PidTagSensitivity] = value
        self.props[n.PidLidPrivate] = value == fields.SENSITIVITY["PRIVATE"]
        return True

    def gender(self, line: ContentLine) -> bool:
        """GENDER (RFC 6350 6.2.7), X-GENDER, X-WAB-GENDER; a text beside the sex stays in the line."""
        value = _GENDERS.get(line.value.strip().upper())
        if value is None:
            return False
        self.props[p.PidTagGender] = value
        return True

    def related(self, line: ContentLine) -> bool:
        """RELATED (RFC 6350 6.6.6) of a spouse whose name is said."""
        if "spouse" not in line.types() or line.param("VALUE").lower() != "text":
            return False
        return self.text(p.PidTagSpouseName, line.text())

    def agent(self, line: ContentLine) -> bool:
        """AGENT of vCard 2.1 and RFC 2426 3.5.4: a vCard within, or its text."""
        inner = next((child for child in self.card.children if child.name == "VCARD"), None)
        if inner is None and "BEGIN:VCARD" in line.value.upper():
            inner = next(iter(contentline.components(line.text(), "VCARD")), None)
        name = inner.first("FN") if inner is not None else None
        return name is not None and self.text(p.PidTagAssistant, name.text())

    def custom(self, line: ContentLine) -> bool:
        """X-MS-TEXT: the four fields of the user."""
        return any(self.text(fields.CUSTOM[kind], line.text()) for kind in line.types() if kind in fields.CUSTOM)

    def design(self, line: ContentLine) -> bool:
        """X-MS-OL-DESIGN, [MS-OXVCARD] 2.1.3.9.13: the card's layout, XML."""
        self.props[n.PidLidBusinessCardDisplayDefinition] = line.text()[:MAX_TEXT].encode("utf-8", "replace")
        return True

    def card_picture(self, line: ContentLine) -> bool:
        """X-MS-CARDPICTURE: the picture on the card."""
        found = line.octets()
        if found is None or not found[0] or len(found[0]) > media.MAX_PHOTO:
            return False
        self.props[n.PidLidBusinessCardCardPicture] = found[0]
        return True

    def photo(self, line: ContentLine) -> bool:
        """PHOTO."""
        return media.read_photo(self.item, line)

    def key(self, line: ContentLine) -> bool:
        """KEY."""
        return media.read_key(self.item, line)

    def uid(self, line: ContentLine) -> bool:
        """UID (RFC 6350 6.7.6)."""
        self.props[fields.foreign(self.item, fields.UID, PropType.PtypString)] = line.text().strip()[:1000]
        return True

    def revision(self, line: ContentLine) -> bool:
        """REV."""
        stamp = read_stamp(line.value)
        if stamp is not None:
            self.props[p.PidTagLastModificationTime] = stamp
        return True

    def kind(self, line: ContentLine) -> bool:
        """KIND (RFC 6350 6.1.4): a group becomes a list, other kinds stay in their line."""
        return line.value.strip().lower() == "group"

    def member(self, line: ContentLine) -> bool:
        """MEMBER (RFC 6350 6.6.5); a member that is another vCard stays in its line."""
        found = read_member(line.text(), line.param("X-CN") or line.param("CN"))
        if found is not None:
            self.members.append(found)
        return found is not None

    # -------------------------------------------------------------------------------- ends

    def _as_contact(self) -> None:
        props = self.props
        props[p.PidTagMessageClass] = fields.CONTACT_CLASS
        props[p.PidTagIconIndex] = fields.CONTACT_ICON
        self._mailing()
        name = fields.text_of(self.item, p.PidTagDisplayName)
        indices = []
        for index, (name_tag, type_tag, address_tag, _, entry_tag) in enumerate(fields.EMAILS):
            address = props.get(address_tag)
            if not isinstance(address, str):
                continue
            indices.append(index)
            shown = f"{name} ({address})" if name and name != address else address
            props[name_tag] = shown
            kind = props[type_tag]
            props[entry_tag] = one_off(name or address, address, kind if isinstance(kind, str) else "SMTP")
        if indices:
            props[n.PidLidAddressBookProviderEmailList] = [*indices]
            props[n.PidLidAddressBookProviderArrayType] = sum(1 << index for index in indices)

    def _as_list(self) -> None:
        props = self.props
        props[p.PidTagMessageClass] = fields.LIST_CLASS
        props[p.PidTagIconIndex] = fields.LIST_ICON
        props[n.PidLidDistributionListName] = props[p.PidTagDisplayName]
        set_members(self.item, self.members)

    def _keep(self) -> None:
        """Lines that nothing holds, and the parameters of lines that the item gives back without them."""
        version = self.card.value("VERSION", "3.0").strip()
        made: dict[tuple[object, ...], list[ContentLine]] = {}
        for line in generated(self.item, version if version in ("2.1", "3.0", "4.0") else "3.0"):
            made.setdefault(said(line), []).append(line)
        dressed = []
        for line in self.used:
            alike = made.get(said(line))
            if alike and line.name not in _NEVER_DRESSED and _differs(line, alike.pop(0)):
                dressed.append(line)
        for name, lines in ((fields.KEPT, self.kept), (fields.DRESS, dressed)):
            values = _as_text(lines)
            if values:
                self.props[fields.foreign(self.item, name, fields.STRINGS)] = values


def _lines(text: str) -> str:
    """Text with CRLF between lines, as MAPI has it."""
    return text.replace("\r\n", "\n").replace("\n", "\r\n") if "\n" in text else text


def _differs(line: ContentLine, made: ContentLine) -> bool:
    same = line.name == made.name and _plain(line) == made.params and line.text() == made.text()
    return bool(line.group) or not same


def _plain(line: ContentLine) -> contentline.Params:
    """The parameters but those that the writer sees to; each type on its own, also of a quoted list."""
    found = {key: values for key, values in line.params.items() if key not in _WRITTEN_OUT}
    if "TYPE" in found:
        found["TYPE"] = [part.strip() for value in found["TYPE"] for part in value.split(",") if part.strip()]
    return found


def _as_text(lines: list[ContentLine]) -> list[str]:
    """The lines unfolded, within MAX_KEPT in all."""
    found, size = [], 0
    for line in lines[:MAX_KEPT_LINES]:
        params = _plain(line)
        if line.param("ENCODING").upper() in ("B", "BASE64"):
            params["ENCODING"] = ["b"]
        value = line.value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
        text = contentline.line(line.name, value, params, group=line.group)
        text = text.replace(b"\r\n ", b"").removesuffix(b"\r\n")
        size += len(text)
        if size > MAX_KEPT:
            break
        found.append(text.decode())
    return found


_BY_PREFERENCE = frozenset(("EMAIL", "TEL", "ADR", "URL", "IMPP"))
_HANDLERS: dict[str, Callable[[_Reader, ContentLine], bool]] = {
    "N": _Reader.name,
    "ORG": _Reader.organisation,
    "EMAIL": _Reader.email,
    "TEL": _Reader.phone,
    "X-MS-TEL": _Reader.phone,
    "X-MS-IMADDRESS": _Reader.messaging,
    "IMPP": _Reader.messaging,
    "URL": _Reader.url,
    "ADR": _Reader.address,
    "LABEL": _Reader.label,
    "X-MS-OL-DEFAULT-POSTAL-ADDRESS": _Reader.postal,
    "BDAY": _Reader.birthday,
    "ANNIVERSARY": _Reader.anniversary,
    "X-ANNIVERSARY": _Reader.anniversary,
    "X-MS-ANNIVERSARY": _Reader.anniversary,
    "X-EVOLUTION-ANNIVERSARY": _Reader.anniversary,
    "NOTE": _Reader.note,
    "CATEGORIES": _Reader.categories,
    "X-MS-CHILD": _Reader.child,
    "CLASS": _Reader.sensitivity,
    "GENDER": _Reader.gender,
    "X-GENDER": _Reader.gender,
    "X-WAB-GENDER": _Reader.gender,
    "RELATED": _Reader.related,
    "AGENT": _Reader.agent,
    "X-MS-TEXT": _Reader.custom,
    "X-MS-OL-DESIGN": _Reader.design,
    "X-MS-CARDPICTURE": _Reader.card_picture,
    "PHOTO": _Reader.photo,
    "KEY": _Reader.key,
    "UID": _Reader.uid,
    "REV": _Reader.revision,
    "KIND": _Reader.kind,
    "X-ADDRESSBOOKSERVER-KIND": _Reader.kind,
    "MEMBER": _Reader.member,
    "X-ADDRESSBOOKSERVER-MEMBER": _Reader.member,
}
