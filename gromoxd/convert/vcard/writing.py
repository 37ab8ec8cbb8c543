"""Contact objects and personal distribution lists to vCards 2.1, 3.0 and 4.0: [MS-OXVCARD] 2.1.3, RFC 6350 6."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from gromoxd.convert import contentline
from gromoxd.convert.contentline import ContentLine, Params, escape
from gromoxd.convert.item import Item
from gromoxd.convert.vcard import fields, media
from gromoxd.convert.vcard.dates import write_day, write_stamp
from gromoxd.convert.vcard.fields import text_of
from gromoxd.convert.vcard.members import members_of, write_member
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p

PRODUCT: Final = "-//gromoxd//vCard//EN"
VERSIONS: Final = ("2.1", "3.0", "4.0")
_STRUCTURED = frozenset(("N", "ADR", "ORG"))
_OLD_ESCAPE = re.compile(r"\\([\\,nN])|\\;")
_SCHEMES = {"TEL": "tel:", "EMAIL": "mailto:"}
_ALIASES = {name: next(one for one, tag in fields.TEXTS.items() if tag == fields.TEXTS[name]) for name in fields.TEXTS}
_ALIASES["X-MS-TEL"] = "TEL"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S")
_GENDERS = {1: "F", 2: "M"}
_LISTED = re.compile(r"[,\s]+")
_WRITTEN_APART = frozenset(("FN", "X-EVOLUTION-FILE-AS", "X-MS-OFFICE"))


def to_vcard(item: Item, *, version: str = "4.0") -> bytes:
    """The vCard, in UTF-8 with CRLF; version "2.1", "3.0" or "4.0"."""
    if version not in VERSIONS:
        raise ValueError(f"vCard version {version}")
    dress: dict[tuple[object, ...], list[ContentLine]] = {}
    for line in _parsed(fields.foreign_texts(item, fields.DRESS)):
        dress.setdefault(said(line), []).append(line)
    lines = []
    for line in generated(item, version):
        worn = dress.get(said(line))
        lines.append(_labelled(worn.pop(0), line) if worn else line)
    lines += _parsed(fields.foreign_texts(item, fields.KEPT))
    head = [contentline.line("VERSION", version), contentline.line("PRODID", PRODUCT)]
    return contentline.component("VCARD", [*head, *[_written(line, version) for line in lines]])


def _labelled(worn: ContentLine, made: ContentLine) -> ContentLine:
    """The line as it came; an address with the label that it has now."""
    if worn.name != "ADR":
        return worn
    params = {key: values for key, values in worn.params.items() if key != "LABEL"}
    return worn._replace(params=params | {key: made.params[key] for key in ("LABEL",) if key in made.params})


def uid_of(item: Item) -> str:
    """The UID that the item came with, else one that its search key or its content gives, always the same."""
    uid = fields.foreign_value(item, fields.UID)
    if isinstance(uid, str) and uid:
        return uid
    key = item.props.get(p.PidTagSearchKey)
    if isinstance(key, bytes) and len(key) == 16:
        return f"urn:uuid:{UUID(bytes=key)}"
    known = "\n".join([_full_name(item), text_of(item, n.PidLidEmail1EmailAddress), text_of(item, p.PidTagBody)[:1000]])
    return f"urn:uuid:{uuid5(NAMESPACE_URL, known)}"


def derived_name(item: Item) -> str:
    """A name for what has no display name: of its parts, the company, or an address."""
    tags = (p.PidTagDisplayNamePrefix, p.PidTagGivenName, p.PidTagMiddleName, p.PidTagSurname, p.PidTagGeneration)
    name = " ".join([text for text in (text_of(item, tag) for tag in tags) if text])
    others = (
        n.PidLidDistributionListName,
        p.PidTagNickname,
        p.PidTagCompanyName,
        n.PidLidFileUnder,
        n.PidLidEmail1EmailAddress,
        p.PidTagSubject,
        p.PidTagMobileTelephoneNumber,
    )
    return name or next((text for text in (text_of(item, tag) for tag in others) if text), "")


def composed_address(values: Sequence[str]) -> str:
    """An address as it is printed, of box, street, city, region, code and country."""
    box, street, city, region, code, country = values
    place = " ".join([part for part in (city + "," if city and region else city, region, code) if part])
    return "\r\n".join([part for part in (street, box, place, country) if part])


def _full_name(item: Item) -> str:
    return text_of(item, p.PidTagDisplayName) or derived_name(item)


def _parsed(texts: list[str]) -> list[ContentLine]:
    return [line for line in map(contentline.parse, texts) if line is not None]


# ------------------------------------------------------------------------------------------ lines


def said(line: ContentLine) -> tuple[object, ...]:
    """What a line says, however it says it: equal for a line that was read and the one that is made of the item."""
    name = _ALIASES.get(line.name, line.name)
    if line.name == "ORG":
        company, *units = contentline.texts(line.value, ";")
        return name, f"{company};{'; '.join([unit for unit in units if unit.strip()])}"
    text = line.text().replace("\r\n", "\n")
    if line.name == "N":
        return name, _LISTED.sub(" ", text).rstrip("; ")  # several values of a part are words of one text in MAPI
    if line.name in _SCHEMES and text[: len(_SCHEMES[line.name])].lower() == _SCHEMES[line.name]:
        text = text[len(_SCHEMES[line.name]) :]
    if name == "TEL":
        return name, fields.phone_tags(line.name, set(line.types())), text.strip()
    return name, text.strip()


def generated(item: Item, version: str) -> Iterator[ContentLine]:
    """The lines that the item's properties are, but VERSION and PRODID."""
    yield _line("FN", escape(_full_name(item)))
    is_list = text_of(item, p.PidTagMessageClass).upper().startswith(fields.LIST_CLASS.upper())
    if is_list:
        yield from _list(item, version)
    else:
        yield from _name(item)
        for part in (_texts, _emails, _phones, _addresses, _pages):
            yield from part(item)
        yield from _days(item, version)
        yield from _media(item, version)
        yield from _person(item, version)
    yield from _common(item, version)


def _line(name: str, value: str, **params: Sequence[str] | str) -> ContentLine:
    """A line; parameters without a value are left out."""
    found: Params = {}
    for key, values in params.items():
        if values:
            found[key.replace("_", "-")] = [values] if isinstance(values, str) else list(values)
    return ContentLine(name, found, value)


def _list(item: Item, version: str) -> Iterator[ContentLine]:
    modern = version == "4.0"
    yield _line("N", escape(_full_name(item)) + ";;;;")
    yield _line("KIND" if modern else "X-ADDRESSBOOKSERVER-KIND", "group")
    for member in members_of(item):
        name = member.name if member.name != member.address else ""
        yield _line("MEMBER" if modern else "X-ADDRESSBOOKSERVER-MEMBER", write_member(member), X_CN=name)


def _name(item: Item) -> Iterator[ContentLine]:
    tags = (p.PidTagSurname, p.PidTagGivenName, p.PidTagMiddleName, p.PidTagDisplayNamePrefix, p.PidTagGeneration)
    yield _line("N", ";".join([escape(text_of(item, tag)) for tag in tags]))
    company, department = text_of(item, p.PidTagCompanyName), text_of(item, p.PidTagDepartmentName)
    if company or department:
        yield _line("ORG", escape(company) + (";" + escape(department) if department else ""))
    filed, surname, given = (text_of(item, tag) for tag in (n.PidLidFileUnder, p.PidTagSurname, p.PidTagGivenName))
    usual = (_full_name(item), f"{surname}, {given}", company)
    middle = text_of(item, p.PidTagMiddleName)
    own = item.props.get(n.PidLidFileUnderId) == fields.FILE_UNDER_TEXT
    if filed and (own or (filed not in usual and filed != f"{surname}, {given} {middle}")):
        yield _line("X-EVOLUTION-FILE-AS", escape(filed))


def _texts(item: Item) -> Iterator[ContentLine]:
    seen = set(_WRITTEN_APART)
    done: set[int] = set()
    for name, tag in fields.TEXTS.items():
        text = text_of(item, tag)
        if text and name not in seen and tag not in done:
            done.add(tag)
            yield _line(name, escape(text), TYPE=fields.TEXT_TYPES.get(name, ()))
    children = item.props.get(p.PidTagChildrensNames)
    for child in children if isinstance(children, list) else ():
        if isinstance(child, str) and child:
            yield _line("X-MS-CHILD", escape(child), TYPE=("N",))
    for kind, tag in fields.CUSTOM.items():
        if text_of(item, tag):
            yield _line("X-MS-TEXT", escape(text_of(item, tag)), TYPE=(kind.upper(),))


def _emails(item: Item) -> Iterator[ContentLine]:
    """[MS-OXVCARD] 2.1.3.3.2. An address of an Exchange organisation goes out when an SMTP address stands beside it."""
    first = True
    for _, type_tag, address_tag, original_tag, _ in fields.EMAILS:
        address, original = text_of(item, address_tag), text_of(item, original_tag)
        kind = text_of(item, type_tag).upper()
        if kind == "EX":
            address = original if "@" in original and " " not in original else ""
        if address:
            types = ["x400" if kind == "X400" else "internet"] + (["pref"] if first else [])
            first = False
            yield _line("EMAIL", escape(address), TYPE=types)


def _phones(item: Item) -> Iterator[ContentLine]:
    for tag, types, name in fields.PHONES:
        number = text_of(item, tag)
        if number:
            yield _line(name, escape(number), TYPE=types)
    address = text_of(item, n.PidLidInstantMessagingAddress)
    if address:
        yield _line("IMPP" if _URI.match(address) else "X-MS-IMADDRESS", escape(address))


def _addresses(item: Item) -> Iterator[ContentLine]:
    chosen = item.props.get(n.PidLidPostalAddressId)
    numbers = [where.number for where in fields.ADDRESSES if any(text_of(item, tag) for tag in where.parts)]
    for where in fields.ADDRESSES:
        values = [text_of(item, tag) for tag in where.parts]
        if where.kind == "work" and 2 not in numbers and chosen not in (1, 2, 3):
            values = [text_of(item, tag) for tag in fields.MAILING]
        office = text_of(item, p.PidTagOfficeLocation) if where.kind == "work" else ""
        whole = text_of(item, where.whole)
        if not any(values):
            if whole:
                yield _line("ADR", f";;{escape(whole)};;;;", TYPE=_address_types(where, chosen))
            elif office:
                yield _line("X-MS-OFFICE", escape(office))
            continue
        box, *rest = [escape(value) for value in values]
        label = _plain(whole) if whole and _plain(whole) != _plain(composed_address(values)) else ""
        value = ";".join([box, escape(office), *rest])
        yield _line("ADR", value, TYPE=_address_types(where, chosen), LABEL=label.replace("\n", "\\n"))
    if isinstance(chosen, int) and chosen in numbers:
        yield _line("X-MS-OL-DEFAULT-POSTAL-ADDRESS", str(chosen))


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _address_types(where: fields.Address, chosen: object) -> list[str]:
    return ([where.kind] if where.kind != "other" else []) + (["pref"] if where.number == chosen else [])


def _pages(item: Item) -> Iterator[ContentLine]:
    home, work = text_of(item, p.PidTagPersonalHomePage), text_of(item, p.PidTagBusinessHomePage)
    work = work or text_of(item, n.PidLidHtml)
    if home:
        yield _line("URL", escape(home), TYPE="home")
    if work:
        yield _line("URL", escape(work), TYPE="work")


def _days(item: Item, version: str) -> Iterator[ContentLine]:
    days = (
        ("BDAY", n.PidLidBirthdayLocal, p.PidTagBirthday),
        (
            "ANNIVERSARY" if version == "4.0" else "X-MS-ANNIVERSARY",
            n.PidLidWeddingAnniversaryLocal,
            p.PidTagWeddingAnniversary,
        ),
    )
    for name, local, tag in days:
        day = item.props.get(local, item.props.get(tag))
        if isinstance(day, int):
            yield _line(name, write_day(day, extended=version != "4.0"))


def _media(item: Item, version: str) -> Iterator[ContentLine]:
    photo = media.photo_of(item)
    if photo:
        yield _binary("PHOTO", photo, "image/" + media.image_type(photo)[0], version)
    for key in media.keys_of(item):
        yield _binary("KEY", key, "application/pkix-cert", version)
    picture = item.props.get(n.PidLidBusinessCardCardPicture)
    if isinstance(picture, bytes) and picture:
        yield _binary("X-MS-CARDPICTURE", picture, "image/" + media.image_type(picture)[0], version)
    design = item.props.get(n.PidLidBusinessCardDisplayDefinition)
    if isinstance(design, bytes) and design:
        yield _line("X-MS-OL-DESIGN", escape(design.decode("utf-8", "replace")))


def _binary(name: str, data: bytes, media_type: str, version: str) -> ContentLine:
    """Octets as the version writes them: a `data:` URI, or base64 with the type beside it."""
    body = binascii.b2a_base64(data, newline=False).decode()
    if version == "4.0":
        return _line(name, f"data:{media_type};base64,{body}")
    kind = "X509" if name == "KEY" else media_type.partition("/")[2].upper()
    return _line(name, body, ENCODING="b" if version == "3.0" else "BASE64", TYPE=kind)


def _person(item: Item, version: str) -> Iterator[ContentLine]:
    gender = item.props.get(p.PidTagGender)
    if isinstance(gender, int) and gender in _GENDERS:
        yield _line("GENDER" if version == "4.0" else "X-GENDER", _GENDERS[gender])


def _common(item: Item, version: str) -> Iterator[ContentLine]:
    note = text_of(item, p.PidTagBody).rstrip("\r\n")
    if note:
        yield _line("NOTE", escape(note))
    categories = item.props.get(n.PidNameKeywords)
    if isinstance(categories, list) and categories:
        yield _line("CATEGORIES", ",".join([escape(text) for text in categories if isinstance(text, str)]))
    sensitivity = item.props.get(p.PidTagSensitivity)
    named = next((name for name, value in fields.SENSITIVITY.items() if value == sensitivity), "")
    if named and (sensitivity or version != "4.0"):  # which has no CLASS any more: said where it matters
        yield _line("CLASS", named)
    yield _line("UID", escape(uid_of(item)))
    stamp = item.props.get(p.PidTagLastModificationTime)
    if isinstance(stamp, int):
        yield _line("REV", write_stamp(stamp))


# ------------------------------------------------------------------------------------------ versions


def _written(line: ContentLine, version: str) -> bytes:
    """The octets of a line as the version has it."""
    params = _adapted(line.params, version)
    if "LABEL" in line.params and "LABEL" not in params:
        label = ContentLine("LABEL", params, escape(contentline.unescape(line.param("LABEL"))), line.group)
        return _written(line._replace(params=params), version) + _written(label, version)
    if version != "2.1":
        return contentline.line(line.name, line.value, params, group=line.group)
    value = line.value
    if params.get("ENCODING"):
        encoded = {**params, "ENCODING": ["BASE64"]}
        return contentline.line(line.name, value, encoded, group=line.group, bare=True) + b"\r\n"
    structured = line.name in _STRUCTURED
    value = value if line.name == "CATEGORIES" else _OLD_ESCAPE.sub(lambda match: _old(match, structured), value)
    if value.isascii() and value.isprintable():
        return contentline.line(line.name, value, params, group=line.group, bare=True)
    return contentline.quoted_line(line.name, value, params, group=line.group)


def _old(match: re.Match[str], structured: bool) -> str:
    """vCard 2.1 escapes nothing but the semicolon between the parts of a structure."""
    character = match.group(1)
    if character is None:
        return "\\;" if structured else ";"
    return "\n" if character in "nN" else character


def _adapted(params: Params, version: str) -> Params:
    """Preference as the version says it (RFC 6350 5.3 against `TYPE=pref`), and no LABEL where ADR has none."""
    found = dict(params)
    if version == "4.0":
        types = params.get("TYPE", [])
        if "pref" in [kind.lower() for kind in types]:
            rest = [kind for kind in types if kind.lower() not in ("pref", "internet")]
            found.pop("TYPE")
            found |= ({"TYPE": rest} if rest else {}) | {"PREF": ["1"]}
        elif [kind.lower() for kind in types] == ["internet"]:
            found.pop("TYPE")
        return found
    found.pop("LABEL", None)
    if found.pop("PREF", None) == ["1"] and "pref" not in [kind.lower() for kind in found.get("TYPE", [])]:
        found["TYPE"] = [*found.get("TYPE", []), "pref"]
    return found
