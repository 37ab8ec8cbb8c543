"""Names of named properties, the property sets they belong to, and the names that every mailbox knows from the start.

A named property is known by a property set (GUID) and a number or a string in it; each mailbox maps such names to
property ids from 0x8000 on ([MS-OXCPRPT] 1.3.1). The names of BUILT_IN have the same id in every mailbox, 0x8000 + the
place in the list, so that code uses the tags of `gromoxd.mapi.named_tags` and needs no mapping.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U32, Cursor, utf16

FIRST_NAMED: Final = 0x8000
LAST_NAMED: Final = 0xFFFE
"""Property ids of named properties; 0xFFFF is never given out."""
FIRST_OWN: Final = 0x9000
"""From here on ids are given out by each mailbox, or each item outside of any; below, they are BUILT_IN's."""


def _set(text: str) -> bytes:
    return UUID(text).bytes_le


PS_MAPI: Final = _set("00020328-0000-0000-c000-000000000046")
PS_PUBLIC_STRINGS: Final = _set("00020329-0000-0000-c000-000000000046")
PS_INTERNET_HEADERS: Final = _set("00020386-0000-0000-c000-000000000046")
PSETID_Appointment: Final = _set("00062002-0000-0000-c000-000000000046")
PSETID_Task: Final = _set("00062003-0000-0000-c000-000000000046")
PSETID_Address: Final = _set("00062004-0000-0000-c000-000000000046")
PSETID_Common: Final = _set("00062008-0000-0000-c000-000000000046")
PSETID_Log: Final = _set("0006200a-0000-0000-c000-000000000046")
PSETID_Note: Final = _set("0006200e-0000-0000-c000-000000000046")
PSETID_Report: Final = _set("00062013-0000-0000-c000-000000000046")
PSETID_Remote: Final = _set("00062014-0000-0000-c000-000000000046")
PSETID_Sharing: Final = _set("00062040-0000-0000-c000-000000000046")
PSETID_PostRss: Final = _set("00062041-0000-0000-c000-000000000046")
PSETID_CalendarAssistant: Final = _set("11000e07-b51b-40d6-af21-caa85edab1d0")
PSETID_XmlExtractedEntities: Final = _set("23239608-685d-4732-9c55-4c95cb4e8e33")
PSETID_Messaging: Final = _set("41f28f13-83f4-4114-a584-eedb5a6b0bff")
PSETID_UnifiedMessaging: Final = _set("4442858e-a9e3-4e80-b900-317a210cc15b")
PSETID_Meeting: Final = _set("6ed8da90-450b-101b-98da-00aa003f1305")
PSETID_AirSync: Final = _set("71035549-0739-4dcb-9163-00f0580dbbdf")
PSETID_Attachment: Final = _set("96357f7f-59e1-47d0-99a7-46515c183b54")

SETS: Final[dict[bytes, str]] = {
    value: name for name, value in list(globals().items()) if name.startswith(("PS_", "PSETID_"))
}
"""The names of the property sets ([MS-OXPROPS] 1.3.2)."""

_KIND_LID, _KIND_NAME, _KIND_NONE = 0, 1, 0xFF
_LONGEST = 0xFF


class PropertyName(NamedTuple):
    """PropertyName, [MS-OXCDATA] 2.6.1: the set's GUID as its 16 octets, and a number (LID) or a string in that set."""

    guid: bytes
    key: int | str

    def __str__(self) -> str:
        key = f"{self.key:#06x}" if isinstance(self.key, int) else self.key
        return f"{SETS.get(self.guid) or UUID(bytes_le=self.guid)}:{key}"

    def folded(self) -> PropertyName:
        """The form under which names are looked up: strings differ by more than the case of ASCII letters."""
        return PropertyName(self.guid, _lower(self.key)) if isinstance(self.key, str) else self

    def encode(self) -> bytes:
        """WireError for a string of more than 126 UTF-16 units, which the structure has no room for."""
        if isinstance(self.key, int):
            return b"\0" + self.guid + U32.pack(self.key)
        octets = utf16(self.key)
        if len(octets) > _LONGEST:
            raise WireError(f"property name of {len(self.key)} characters")
        return b"\1" + self.guid + bytes((len(octets),)) + octets

    def encode_info(self) -> bytes:
        """namedPropInfo after the property tag in a FastTransfer stream, [MS-OXCFXICS] 2.2.4.1.1."""
        if isinstance(self.key, int):
            return self.guid + b"\0" + U32.pack(self.key)
        return self.guid + b"\1" + utf16(self.key)

    @classmethod
    def read_info(cls, cursor: Cursor) -> PropertyName:
        """The inverse of `encode_info`."""
        guid, kind = cursor.guid(), cursor.u8()
        if kind == _KIND_LID:
            return cls(guid, cursor.u32())
        if kind != _KIND_NAME:
            raise cursor.fail(f"property name of kind {kind:#x}")
        return cls(guid, cursor.string())


NO_NAME: Final = bytes((_KIND_NONE,)) + bytes(16)
"""A PropertyName of kind 0xFF: the id has no name. Its GUID is there ([MS-OXCDATA] 2.6.1 has LID and Name as optional
only), while [MS-OXCPRPT] 3.2.5.9 speaks of no further data; clients read it."""


def encode_name(name: PropertyName | None) -> bytes:
    """A PropertyName with its kind, [MS-OXCDATA] 2.6.1; None is kind 0xFF."""
    return NO_NAME if name is None else name.encode()


def read_name(cursor: Cursor) -> PropertyName | None:
    """The inverse of `encode_name`."""
    kind, guid = cursor.u8(), cursor.guid()
    if kind == _KIND_LID:
        return PropertyName(guid, cursor.u32())
    if kind == _KIND_NONE:
        return None
    if kind != _KIND_NAME:
        raise cursor.fail(f"property name of kind {kind:#x}")
    size = cursor.u8()
    if size % 2:
        raise cursor.fail(f"property name of {size} octets")
    return PropertyName(guid, cursor.take(size).decode("utf-16-le", "replace").partition("\0")[0])


def decode_name(data: bytes) -> PropertyName | None:
    """A PropertyName that fills `data`."""
    cursor = Cursor(data)
    name = read_name(cursor)
    cursor.finish()
    return name


_ROWS: Final = (
    (
        PSETID_Common,
        True,
        """
        1000 1001 1005 1006 100B 100D 8045 8501 8502 8503 8504 8505 8506 850E 8510 8511 8514 8516 8517 8518 8519 851A
        851C 851D 851E 851F 8520 8524 8530 8535 8536 8537 8538 8539 853A 8543 8544 8545 8552 8554 8560 8580 8581 8582
        8584 8585 8586 859C 85A0 85A1 85A4 85B1 85B5 85B6 85B7 85B8 85BA 85BD 85BF 85C0 85C6 85C7 85C8 85C9 85CA 85CB
        85E0
    """,
    ),
    (
        PSETID_Appointment,
        True,
        """
        8201 8202 8203 8204 8205 8206 8207 8208 8209 820A 820C 820D 820E 820F 8210 8211 8212 8213 8214 8215 8216 8217
        8218 8220 8223 8224 8226 8228 8229 822B 822E 822F 8230 8231 8232 8233 8234 8235 8236 8237 8238 823A 823B 823C
        8240 8241 8242 8243 8244 8246 8247 8248 8249 8250 8251 8256 8257 8259 825A 825D 825E 825F 8260 8261 827A 827B
    """,
    ),
    (
        PSETID_Meeting,
        True,
        """
        0001 0002 0003 0004 0005 0006 0007 0008 0009 000A 000C 000D 000E 000F 0010 0011 0012 0013 0014 0017 0018 001A
        001C 0023 0024 0026 0028 0029 002A
    """,
    ),
    (
        PSETID_Task,
        True,
        """
        8101 8102 8103 8104 8105 8107 8108 8109 810F 8110 8111 8112 8113 8115 8116 8117 8119 811A 811B 811C 811E 811F
        8120 8121 8122 8123 8124 8125 8126 8127 8129 812A 812C 8139
    """,
    ),
    (
        PSETID_Address,
        True,
        """
        8005 8006 8007 8010 8015 801A 801B 801C 8022 8023 8025 8026 8028 8029 802B 802C 802D 802E 8040 8041 8045 8046
        8047 8048 8049 804A 804C 804D 804E 804F 8050 8051 8052 8053 8054 8055 8062 8064 8080 8082 8083 8084 8085 8090
        8092 8093 8094 8095 80A0 80A2 80A3 80A4 80A5 80B2 80B3 80B4 80B5 80C2 80C3 80C4 80C5 80D2 80D3 80D4 80D5 80D8
        80DA 80DB 80DC 80DD 80DE 80DF 80E0 80E2 80E3 80E5 80E6 80E8
    """,
    ),
    (
        PSETID_Note,
        True,
        """
        8B00 8B02 8B03 8B04 8B05
    """,
    ),
    (
        PSETID_Log,
        True,
        """
        8700 8706 8707 8708 870C 870E 870F 8710 8711 8712
    """,
    ),
    (
        PSETID_PostRss,
        True,
        """
        8900 8901 8902 8903 8904 8905 8906
    """,
    ),
    (
        PSETID_Sharing,
        True,
        """
        8A00 8A01 8A02 8A03 8A04 8A05 8A06 8A07 8A08 8A09 8A0A 8A0B 8A0C 8A0D 8A0E 8A0F 8A10 8A13 8A14 8A15 8A17 8A18
        8A19 8A1A 8A1B 8A1C 8A1D 8A1E 8A1F 8A21 8A22 8A23 8A24 8A25 8A26 8A27 8A28 8A29 8A2A 8A2B 8A2C 8A2D 8A2E 8A2F
        8A40 8A41 8A42 8A43 8A44 8A45 8A46 8A47 8A48 8A49 8A4B 8A4C 8A4D 8A4E 8A4F 8A51 8A55 8A56 8A5B 8A5C 8A60
    """,
    ),
    (
        PSETID_CalendarAssistant,
        True,
        """
        0015 85CC 85CD
    """,
    ),
    (
        PS_PUBLIC_STRINGS,
        True,
        """
        9000
    """,
    ),
    (
        PS_PUBLIC_STRINGS,
        False,
        """
        AppName Author ByteCount urn:schemas:calendar:attendeerole urn:schemas:calendar:busystatus
        urn:schemas:calendar:contact urn:schemas:calendar:contacturl urn:schemas:calendar:created
        urn:schemas:calendar:descriptionurl urn:schemas:calendar:duration urn:schemas:calendar:exdate
        urn:schemas:calendar:exrule urn:schemas:calendar:geolatitude urn:schemas:calendar:geolongitude
        urn:schemas:calendar:instancetype urn:schemas:calendar:isorganizer urn:schemas:calendar:lastmodified
        urn:schemas:calendar:locationurl urn:schemas:calendar:meetingstatus urn:schemas:calendar:method
        urn:schemas:calendar:prodid urn:schemas:calendar:rdate urn:schemas:calendar:recurrenceidrange
        urn:schemas:calendar:reminderoffset urn:schemas:calendar:resources urn:schemas:calendar:rrule
        urn:schemas:calendar:rsvp urn:schemas:calendar:sequence urn:schemas:calendar:timezone
        urn:schemas:calendar:timezoneid urn:schemas:calendar:transparent urn:schemas:calendar:uid
        urn:schemas:calendar:version Category CharCount Comments Company CreateDtmRo DAV:id DAV:iscollection
        DAV:isstructureddocument DAV:parentname DAV:uid DocParts EditTime
        http://schemas.microsoft.com/exchange/intendedbusystatus
        http://schemas.microsoft.com/exchange/junkemailmovestamp
        http://schemas.microsoft.com/exchange/modifyexceptionstruct
        http://schemas.microsoft.com/exchange/nomodifyexceptions http://schemas.microsoft.com/exchange/patternend
        http://schemas.microsoft.com/exchange/patternstart http://schemas.microsoft.com/exchange/reminderinterval
        urn:schemas-microsoft-com:exch-data:baseschema urn:schemas-microsoft-com:exch-data:expected-content-class
        urn:schemas-microsoft-com:exch-data:schema-collection-ref HeadingPairs HiddenCount
        urn:schemas:httpmail:calendar urn:schemas:httpmail:htmldescription urn:schemas:httpmail:sendmsg Keywords
        LastAuthor LastPrinted LastSaveDtm LineCount LinksDirty Manager DoNotForward MMClipCount NoteCount
        OMSAccountGuid OMSMobileModel OMSScheduleTime OMSServiceType OMSSourceType PageCount ParCount
        http://schemas.microsoft.com/outlook/phishingstamp PresFormat quarantine-original-sender RevNumber DRMLicense
        Scale Security SlideCount Subject Template Thumbnail Title WordCount
    """,
    ),
    (
        PS_INTERNET_HEADERS,
        False,
        """
        Accept-Language Content-Base Content-Class Content-Type Xref From Subject msip_labels X-CallID
        X-FaxNumberOfPages X-RequireProtectedPlayOnPhone X-CallingTelephoneNumber X-Sharing-Browse-Url
        X-Sharing-Capabilities X-Sharing-Config-Url X-Sharing-Exended-Caps X-Sharing-Flavor X-Sharing-Instance-Guid
        X-Sharing-Local-Type X-Sharing-Provider-Guid X-Sharing-Provider-Name X-Sharing-Provider-Url
        X-Sharing-Remote-Name X-Sharing-Remote-Path X-Sharing-Remote-Store-Uid X-Sharing-Remote-Type
        X-Sharing-Remote-Uid X-AttachmentOrder X-VoiceMessageDuration X-VoiceMessageSenderName
    """,
    ),
    (
        PSETID_Attachment,
        False,
        """
        AttachmentMacContentType AttachmentMacInfo
    """,
    ),
    (
        PSETID_UnifiedMessaging,
        False,
        """
        UMAudioNotes AsrData
    """,
    ),
    (
        PSETID_XmlExtractedEntities,
        False,
        """
        XmlExtractedAddresses XmlExtractedContacts XmlExtractedEmails XmlExtractedMeetings XmlExtractedPhones
        XmlExtractedTasks XmlExtractedUrls
    """,
    ),
)
"""Set, whether the keys are numbers, keys in the order of their ids. Grow it at the end only: ids are in databases."""


def _built_in() -> tuple[PropertyName, ...]:
    return tuple(
        PropertyName(guid, int(key, 16) if lids else key) for guid, lids, keys in _ROWS for key in keys.split()
    )


def _lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(c.lower() if c.isascii() else c for c in text)


BUILT_IN: Final = _built_in()
"""Place i has property id 0x8000 + i in every mailbox; further names of a mailbox get the ids after these."""

_IDS: Final = {name.folded(): FIRST_NAMED + i for i, name in enumerate(BUILT_IN)}


def built_in_id(name: PropertyName) -> int | None:
    """The property id that a name has in every mailbox; None when it is the mailbox's own matter. PS_MAPI names are
    their ids ([MS-OXCPRPT] 3.2.5.9)."""
    if name.guid == PS_MAPI and isinstance(name.key, int):
        return name.key if 0 < name.key < FIRST_NAMED else None
    return _IDS.get(name.folded())


def built_in_name(prop_id: int) -> PropertyName | None:
    """The inverse; ids below 0x8000 have names in PS_MAPI ([MS-OXCPRPT] 3.2.5.9)."""
    if prop_id < FIRST_NAMED:
        return PropertyName(PS_MAPI, prop_id)
    place = prop_id - FIRST_NAMED
    return BUILT_IN[place] if place < len(BUILT_IN) else None
