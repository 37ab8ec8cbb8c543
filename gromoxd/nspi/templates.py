"""Display templates: the dialogs in which clients show objects ([MS-OXOABKT] 2.2.2.1), made here, not packaged.

A template is a TRowSet: a head, a row of 36 octets for each control, and the texts that the rows point to.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.codepages import encode
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.entryids import DisplayType
from gromoxd.nspi.cells import as_string8
from gromoxd.nspi.words import word

_HEAD = Struct("<II")
_ROW = Struct("<IIIIIIIII")
ROWSET_TYPE: Final = 1
MOST_ROWS: Final = 1000
ANY: Final = "*"


class Control(IntEnum):
    """ControlType ([MS-OXOABKT] 2.2.2.1.2; PidTagControlType)."""

    LABEL = 0
    EDIT = 1
    LISTBOX = 2
    CHECKBOX = 5
    GROUPBOX = 6
    BUTTON = 7
    PAGE = 8
    MULTI_LISTBOX = 11
    MULTI_DROPDOWN = 12


class ControlFlag(IntFlag):
    """ControlFlags ([MS-OXOABKT] 2.2.2.1.2)."""

    MULTILINE = 0x01
    EDITABLE = 0x02
    REQUIRED = 0x04
    ACCEPTS_DBCS = 0x20


class Row(NamedTuple):
    """TRow, [MS-OXOABKT] 2.2.2.1.2: a control, its place, its property (`kind`: dwType), its text."""

    x: int
    width: int
    y: int
    height: int
    control: int
    flags: int
    kind: int
    size: int
    text: bytes


def encode_rows(rows: list[Row]) -> bytes:
    """TRowSet, [MS-OXOABKT] 2.2.2.1.1. Equal texts stand once."""
    at = _HEAD.size + _ROW.size * len(rows)
    places: dict[bytes, int] = {}
    texts = b""
    out = [_HEAD.pack(ROWSET_TYPE, len(rows))]
    for row in rows:
        if row.text not in places:
            places[row.text] = at + len(texts)
            texts += row.text + b"\0"
        out.append(_ROW.pack(*row[:8], places[row.text]))
    return b"".join(out) + texts


def decode_rows(data: bytes) -> list[Row]:
    """The opposite. WireError."""
    cursor = Cursor(data)
    kind, count = cursor.struct(_HEAD)
    if kind != ROWSET_TYPE or count > MOST_ROWS:
        raise cursor.fail("no TRowSet")
    rows = []
    for _ in range(cursor.count(count, _ROW.size)):
        x, width, y, height, control, flags, tag, size, at = cursor.struct(_ROW)
        if at > len(data):
            raise WireError("text outside of the template", cursor.at)
        rows.append(Row(x, width, y, height, control, flags, tag, size, Cursor(data, at).string8()))
    return rows


# ---------------------------------------------------------------------------------------------- our dialogs

LINE, TALL, LEFT, MIDDLE = 12, 8, 8, 180
LABEL_WIDTH, FIELD_WIDTH, PAGE_WIDTH = 56, 108, 352


class Piece(NamedTuple):
    """A control before its language and place on the page are known."""

    control: int
    text: str
    tag: int = 0
    column: int = 0
    lines: int = 1
    size: int = 64
    editable: bool = False


def _fields(*fields: tuple[str, int], editable: bool = False) -> list[Piece]:
    """Labels with edit controls, by turns in the left and in the right column."""
    found = []
    for number, (label, tag) in enumerate(fields):
        found.append(Piece(Control.LABEL, label, column=number % 2))
        found.append(Piece(Control.EDIT, ANY, as_string8(tag), number % 2, editable=editable))
    return found


def _list(label: str, tag: int, control: int = Control.LISTBOX) -> list[Piece]:
    return [Piece(Control.LABEL, label), Piece(control, ANY, tag, lines=12)]


_NAME: Final = (
    ("First:", tags.PidTagGivenName), ("Last:", tags.PidTagSurname), ("Initials:", tags.PidTagInitials),
    ("Alias:", tags.PidTagAccount), ("Display:", tags.PidTagDisplayName), ("Title:", tags.PidTagTitle),
    ("Address:", tags.PidTagStreetAddress), ("Company:", tags.PidTagCompanyName), ("City:", tags.PidTagLocality),
    ("Department:", tags.PidTagDepartmentName), ("State:", tags.PidTagStateOrProvince),
    ("Office:", tags.PidTagOfficeLocation), ("Zip code:", tags.PidTagPostalCode),
    ("Assistant:", tags.PidTagAssistant), ("Country/Region:", tags.PidTagCountry),
    ("Phone:", tags.PidTagBusinessTelephoneNumber),
)  # fmt: skip
_PHONES: Final = (
    ("Business:", tags.PidTagBusinessTelephoneNumber), ("Home:", tags.PidTagHomeTelephoneNumber),
    ("Business 2:", tags.PidTagBusiness2TelephoneNumber), ("Home 2:", tags.PidTagHome2TelephoneNumber),
    ("Fax:", tags.PidTagPrimaryFaxNumber), ("Mobile:", tags.PidTagMobileTelephoneNumber),
    ("Assistant:", tags.PidTagAssistantTelephoneNumber), ("Pager:", tags.PidTagPagerTelephoneNumber),
)  # fmt: skip
_SEARCHED: Final = (
    ("First:", tags.PidTagGivenName), ("Last:", tags.PidTagSurname), ("Display:", tags.PidTagDisplayName),
    ("Alias:", tags.PidTagAccount), ("Title:", tags.PidTagTitle), ("Company:", tags.PidTagCompanyName),
    ("Department:", tags.PidTagDepartmentName), ("Office:", tags.PidTagOfficeLocation), ("City:", tags.PidTagLocality),
)  # fmt: skip


def _notes() -> list[Piece]:
    return [
        Piece(Control.LABEL, "Notes:"),
        Piece(Control.EDIT, ANY, as_string8(tags.PidTagComment), lines=6, size=1024),
    ]


def _page(title: str, *pieces: list[Piece]) -> list[Piece]:
    return [Piece(Control.PAGE, title), *[piece for part in pieces for piece in part]]


_MEMBER_OF: Final = _page("Member Of", _list("Group membership:", 0x8008000D))
_ADDRESSES: Final = _page("E-mail Addresses", _list("Addresses:", 0x800F101E, Control.MULTI_LISTBOX))
_USER: Final = [
    *_page("General", _fields(*_NAME)),
    *_page(
        "Organization",
        [Piece(Control.LABEL, "Manager:"), Piece(Control.EDIT, ANY, 0x8005001E)],
        _list("Direct reports:", 0x800E000D),
    ),
    *_page("Phone/Notes", _fields(*_PHONES), _notes()),
    *_MEMBER_OF,
    *_ADDRESSES,
]
_GROUP: Final = [
    *_page(
        "General",
        _fields(("Display:", tags.PidTagDisplayName), ("Alias:", tags.PidTagAccount)),
        _list("Members:", 0x8009000D),
        _notes(),
    ),
    *_MEMBER_OF,
    *_ADDRESSES,
]
_FOLDER: Final = [
    *_page(
        "General",
        _fields(("Folder name:", tags.PidTagDisplayName), ("E-mail address:", tags.PidTagSmtpAddress)),
        _notes(),
    ),
    *_ADDRESSES,
]
_SEARCH: Final = _page("General", _fields(*_SEARCHED, editable=True))
_ONE_OFF: Final = _page(
    "General",
    _fields(("Display:", tags.PidTagDisplayName), ("E-mail address:", tags.PidTagEmailAddress), editable=True),
)
TEMPLATES: Final[dict[int, list[Piece]]] = {
    DisplayType.LOCAL_MAIL_USER: _USER,
    DisplayType.DISTRIBUTION_LIST: _GROUP,
    DisplayType.BULLETIN_BOARD: _FOLDER,
    DisplayType.AUTOMATED_MAILBOX: _GROUP,
    DisplayType.ORGANIZATIONAL_MAILBOX: _USER,
    DisplayType.REMOTE_MAIL_USER: _USER,
    DisplayType.SEARCH: _SEARCH,
}
"""By display type ([MS-OXOABKT] 2.2.2)."""


def template(display_type: int, locale: int, code_page: int) -> bytes | None:
    """PidTagTemplateData of a display type; None when there is no such."""
    pieces = TEMPLATES.get(display_type)
    return encode_rows(list(_placed(pieces, locale, code_page))) if pieces is not None else None


def one_off_template(locale: int, code_page: int) -> bytes:
    """The dialog in which an Internet address is made."""
    return encode_rows(list(_placed(_ONE_OFF, locale, code_page)))


def _placed(pieces: list[Piece], locale: int, code_page: int) -> Iterator[Row]:
    """Rows with their places: a line below the other on each page, two columns side by side."""
    y = [TALL, TALL]
    for piece in pieces:
        text = encode(piece.text if piece.text == ANY else word(piece.text, locale), code_page)
        if piece.control == Control.PAGE:
            y = [TALL, TALL]
            yield Row(0, PAGE_WIDTH, 0, 160, Control.PAGE, 0, 0, 0, text)
            continue
        left = LEFT + piece.column * MIDDLE
        if piece.control == Control.LABEL:
            yield Row(left, LABEL_WIDTH, y[piece.column], TALL, Control.LABEL, 0, 0, 0, text)
            continue
        top, flags = y[piece.column], 0
        if piece.control == Control.EDIT:
            flags = ControlFlag.ACCEPTS_DBCS | (ControlFlag.EDITABLE if piece.editable else 0)
            flags |= ControlFlag.MULTILINE if piece.lines > 1 else 0
        wide = piece.lines > 1
        x, width = (left, PAGE_WIDTH - 2 * LEFT) if wide else (left + LABEL_WIDTH, FIELD_WIDTH)
        top += LINE if wide else 0
        size = piece.size if piece.control == Control.EDIT else 0
        yield Row(x, width, top, piece.lines * TALL + 2, piece.control, int(flags), piece.tag, size, text)
        y[piece.column] = top + piece.lines * TALL + LINE - TALL
        if wide:
            y = [max(y), max(y)]
