"""Which vCard property is which property of a contact: the tables that reader and writer share, [MS-OXVCARD] 2.1.3.

Addresses, mail addresses, dates and media, whose values are more than a text, have files of their own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gromoxd.convert.item import Item
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.types import PropType, prop_id

CONTACT_CLASS: Final = "IPM.Contact"
LIST_CLASS: Final = "IPM.DistList"
CONTACT_ICON: Final = 0x200
LIST_ICON: Final = 0x202

FILE_UNDER_TEXT: Final = -1
"""PidLidFileUnderId of a text of the user's own."""

UID: Final = PropertyName(PS_PUBLIC_STRINGS, "vcard-uid")
KEPT: Final = PropertyName(PS_PUBLIC_STRINGS, "vcard-lines")
"""Lines that no property holds: they go out again as they came."""
DRESS: Final = PropertyName(PS_PUBLIC_STRINGS, "vcard-parameters")
"""Lines whose group and parameters no property holds: they go out so as long as their value is the item's."""

TEXTS: Final[dict[str, int]] = {
    "FN": p.PidTagDisplayName,
    "NICKNAME": p.PidTagNickname,
    "TITLE": p.PidTagTitle,
    "ROLE": p.PidTagProfession,
    "FBURL": n.PidLidFreeBusyLocation,
    "X-MS-MANAGER": p.PidTagManagerName,
    "X-MANAGER": p.PidTagManagerName,
    "X-EVOLUTION-MANAGER": p.PidTagManagerName,
    "X-MS-ASSISTANT": p.PidTagAssistant,
    "X-ASSISTANT": p.PidTagAssistant,
    "X-EVOLUTION-ASSISTANT": p.PidTagAssistant,
    "X-MS-SPOUSE": p.PidTagSpouseName,
    "X-SPOUSE": p.PidTagSpouseName,
    "X-EVOLUTION-SPOUSE": p.PidTagSpouseName,
    "X-MS-INTERESTS": p.PidTagHobbies,
    "HOBBY": p.PidTagHobbies,
    "X-PHONETIC-FIRST-NAME": n.PidLidYomiFirstName,
    "X-PHONETIC-LAST-NAME": n.PidLidYomiLastName,
    "X-PHONETIC-ORG": n.PidLidYomiCompanyName,
    "X-MS-OFFICE": p.PidTagOfficeLocation,
    "X-EVOLUTION-FILE-AS": n.PidLidFileUnder,
}
"""vCard name -> tag of a text that is the whole value. The first name of a tag is the one that is written."""

TEXT_TYPES: Final[dict[str, tuple[str, ...]]] = {
    "X-MS-MANAGER": ("N",),
    "X-MS-ASSISTANT": ("N",),
    "X-MS-SPOUSE": ("N",),
}
"""Bare parameters that [MS-OXVCARD] 2.1.3.9.8 and its neighbours have these names written with."""

CUSTOM: Final[dict[str, int]] = {
    "custom1": n.PidLidContactUserField1,
    "custom2": n.PidLidContactUserField2,
    "custom3": n.PidLidContactUserField3,
    "custom4": n.PidLidContactUserField4,
}
"""X-MS-TEXT by its type."""


class Phone(NamedTuple):
    """A number: its tag and the TYPE values (or X-MS-TEL) it is written with."""

    tag: int
    types: tuple[str, ...]
    name: str = "TEL"


PHONES: Final = (
    Phone(p.PidTagPrimaryTelephoneNumber, ("voice", "pref")),
    Phone(p.PidTagBusinessTelephoneNumber, ("work", "voice")),
    Phone(p.PidTagBusiness2TelephoneNumber, ("work", "voice")),
    Phone(p.PidTagHomeTelephoneNumber, ("home", "voice")),
    Phone(p.PidTagHome2TelephoneNumber, ("home", "voice")),
    Phone(p.PidTagMobileTelephoneNumber, ("cell", "voice")),
    Phone(p.PidTagCarTelephoneNumber, ("car", "voice")),
    Phone(p.PidTagOtherTelephoneNumber, ("voice",)),
    Phone(p.PidTagPagerTelephoneNumber, ("pager",)),
    Phone(p.PidTagBusinessFaxNumber, ("work", "fax")),
    Phone(p.PidTagHomeFaxNumber, ("home", "fax")),
    Phone(p.PidTagPrimaryFaxNumber, ("fax",)),
    Phone(p.PidTagIsdnNumber, ("isdn",)),
    Phone(p.PidTagAssistantTelephoneNumber, ("assistant",), "X-MS-TEL"),
    Phone(p.PidTagCallbackTelephoneNumber, ("callback",), "X-MS-TEL"),
    Phone(p.PidTagCompanyMainTelephoneNumber, ("company",), "X-MS-TEL"),
    Phone(p.PidTagRadioTelephoneNumber, ("radio",), "X-MS-TEL"),
    Phone(p.PidTagTelecommunicationsDeviceForDeafTelephoneNumber, ("ttytdd",), "X-MS-TEL"),
    Phone(p.PidTagTelexNumber, ("telex",), "X-MS-TEL"),
)
"""[MS-OXVCARD] 2.1.3.3.1 TEL, and its extensions."""

_MS_TEL = {phone.types[0]: phone.tag for phone in PHONES if phone.name == "X-MS-TEL"}
_BY_TYPE = (
    ("pager", (p.PidTagPagerTelephoneNumber,)),
    ("car", (p.PidTagCarTelephoneNumber,)),
    ("isdn", (p.PidTagIsdnNumber,)),
    ("textphone", (p.PidTagTelecommunicationsDeviceForDeafTelephoneNumber,)),
    ("cell", (p.PidTagMobileTelephoneNumber,)),
    ("iphone", (p.PidTagMobileTelephoneNumber,)),
    ("main", (p.PidTagCompanyMainTelephoneNumber,)),
    ("work", (p.PidTagBusinessTelephoneNumber, p.PidTagBusiness2TelephoneNumber)),
    ("home", (p.PidTagHomeTelephoneNumber, p.PidTagHome2TelephoneNumber)),
    ("pref", (p.PidTagPrimaryTelephoneNumber, p.PidTagOtherTelephoneNumber)),
)


def phone_tags(name: str, types: set[str]) -> tuple[int, ...]:
    """The places where a number of the types may go, the best first; none for what a contact has no place for."""
    if name == "X-MS-TEL":
        return tuple([_MS_TEL[kind] for kind in types if kind in _MS_TEL])
    if "pcs" in types:
        return ()
    if "fax" in types:
        if "home" in types:
            return (p.PidTagHomeFaxNumber,)
        return (p.PidTagBusinessFaxNumber,) if "work" in types else (p.PidTagPrimaryFaxNumber,)
    for kind, tags in _BY_TYPE:
        if kind in types:
            return tags
    return (p.PidTagOtherTelephoneNumber,)


class Address(NamedTuple):
    """A postal address: the tags of its parts in the order of ADR without the extended one, and of the whole."""

    kind: str
    parts: tuple[int, int, int, int, int, int]
    whole: int
    number: int


ADDRESSES: Final = (
    Address(
        "work",
        (
            n.PidLidWorkAddressPostOfficeBox,
            n.PidLidWorkAddressStreet,
            n.PidLidWorkAddressCity,
            n.PidLidWorkAddressState,
            n.PidLidWorkAddressPostalCode,
            n.PidLidWorkAddressCountry,
        ),
        n.PidLidWorkAddress,
        2,
    ),
    Address(
        "home",
        (
            p.PidTagHomeAddressPostOfficeBox,
            p.PidTagHomeAddressStreet,
            p.PidTagHomeAddressCity,
            p.PidTagHomeAddressStateOrProvince,
            p.PidTagHomeAddressPostalCode,
            p.PidTagHomeAddressCountry,
        ),
        n.PidLidHomeAddress,
        1,
    ),
    Address(
        "other",
        (
            p.PidTagOtherAddressPostOfficeBox,
            p.PidTagOtherAddressStreet,
            p.PidTagOtherAddressCity,
            p.PidTagOtherAddressStateOrProvince,
            p.PidTagOtherAddressPostalCode,
            p.PidTagOtherAddressCountry,
        ),
        n.PidLidOtherAddress,
        3,
    ),
)
"""[MS-OXOCNTC] 2.2.1.3; `number` is PidLidPostalAddressId."""
MAILING: Final = (
    p.PidTagPostOfficeBox,
    p.PidTagStreetAddress,
    p.PidTagLocality,
    p.PidTagStateOrProvince,
    p.PidTagPostalCode,
    p.PidTagCountry,
)
"""The mailing address, [MS-OXOCNTC] 2.2.1.3.9: equal to the one that PidLidPostalAddressId names."""

EMAILS: Final = (
    (
        n.PidLidEmail1DisplayName,
        n.PidLidEmail1AddressType,
        n.PidLidEmail1EmailAddress,
        n.PidLidEmail1OriginalDisplayName,
        n.PidLidEmail1OriginalEntryId,
    ),
    (
        n.PidLidEmail2DisplayName,
        n.PidLidEmail2AddressType,
        n.PidLidEmail2EmailAddress,
        n.PidLidEmail2OriginalDisplayName,
        n.PidLidEmail2OriginalEntryId,
    ),
    (
        n.PidLidEmail3DisplayName,
        n.PidLidEmail3AddressType,
        n.PidLidEmail3EmailAddress,
        n.PidLidEmail3OriginalDisplayName,
        n.PidLidEmail3OriginalEntryId,
    ),
)
"""Display name, address type, address, original display name, original entry id ([MS-OXOCNTC] 2.2.1.2)."""

SENSITIVITY: Final = {"PUBLIC": 0, "PERSONAL": 1, "PRIVATE": 2, "CONFIDENTIAL": 3}
"""CLASS, [MS-OXVCARD] 2.1.3.8.1."""


def foreign(item: Item, name: PropertyName, kind: int) -> int:
    """The tag of a name that is not built in."""
    return item.foreign_id(name) << 16 | kind


def foreign_value(item: Item, name: PropertyName) -> object:
    """Its value, None when the item has none."""
    number = next((number for number, known in item.names.items() if known == name), 0)
    if not number:
        return None
    return next((value for tag, value in item.props.items() if prop_id(tag) == number), None)


def foreign_texts(item: Item, name: PropertyName) -> list[str]:
    """The same of PtypMultipleString."""
    value = foreign_value(item, name)
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def text_of(item: Item, tag: int) -> str:
    """A text property, "" for none and for one of the wrong type."""
    value = item.props.get(tag)
    return value if isinstance(value, str) else ""


STRINGS: Final = PropType.PtypString | 0x1000
