"""Files of display templates: the dialogs for the objects of an offline address book ([MS-OXOAB] 2.2). Pure.

The dialogs are those that NSPI gives (`gromoxd.nspi.templates`).
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.codepages import encode
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.entryids import DisplayType
from gromoxd.nspi.templates import Row, decode_rows, one_off_template, template
from gromoxd.nspi.words import word

VERSION: Final = 7
LANGUAGES: Final = {0x0409: 1252, 0x0407: 1252, 0x040C: 1252}
"""Code pages by LCID."""
_HDR, _ENTRY, _NAMES, _COUNT = Struct("<III"), Struct("<IIIIIIII"), Struct("<HHIII"), Struct("<I")
_ORDER: Final = (
    DisplayType.LOCAL_MAIL_USER, DisplayType.DISTRIBUTION_LIST, DisplayType.BULLETIN_BOARD,
    DisplayType.AUTOMATED_MAILBOX, None, None, DisplayType.REMOTE_MAIL_USER,
)  # fmt: skip
"""Display types of the templates; that of organisations and of private lists are none."""
MOST_CREATION: Final = 64


class Template(NamedTuple):
    """TMPLT_ENTRY, [MS-OXOAB] 2.2.2, with what it points to; b"" for what is not there."""

    dn: bytes = b""
    data: bytes = b""
    script: bytes = b""
    name: bytes = b""

    @property
    def rows(self) -> list[Row]:
        """The controls of the dialog. WireError."""
        return decode_rows(self.data)


class Templates(NamedTuple):
    """A file: by display types, in the order of the document, and those that make addresses."""

    display: list[Template]
    creation: list[Template]


def language_templates(prefix: str, locale: int) -> Templates:
    """The templates in one language; `prefix`: the DN of the administrative group."""
    code_page = LANGUAGES[locale]
    display = []
    for kind in _ORDER:
        data = template(kind, locale, code_page) if kind is not None else None
        dn = f"{prefix}/cn=Configuration/cn=Addressing/cn=Display-Templates/cn={locale:x}/cn={kind or 0:x}"
        display.append(Template(_text(dn), data) if data is not None else Template())
    dn = f"{prefix}/cn=Configuration/cn=Addressing/cn=Address-Templates/cn={locale:x}/cn=SMTP"
    name = encode(word("Internet Address", locale), code_page) + b"\0"
    return Templates(display, [Template(_text(dn), one_off_template(locale, code_page), name=name)])


def _text(text: str) -> bytes:
    return text.encode("ascii", "replace") + b"\0"


def encode_templates(templates: Templates) -> bytes:
    """A file, uncompressed."""
    entries = [*templates.display, *templates.creation]
    at = _HDR.size + _NAMES.size + _COUNT.size + _ENTRY.size * len(entries)
    packed, data = [], []
    for entry in entries:
        fields: list[int] = []
        for octets in entry:
            fields += (at, len(octets)) if octets else (0, 0)
            at += len(octets)
            data.append(octets)
        packed.append(_ENTRY.pack(*fields))
    kinds = len(templates.display)
    names, count = _NAMES.pack(0, 0, 0, 0, 0), _COUNT.pack(len(templates.creation))
    head = [_HDR.pack(VERSION, 0, 0), *packed[:kinds], names, count, *packed[kinds:]]
    return b"".join(head + data)


def decode_templates(data: bytes) -> Templates:
    """The opposite; the names of named properties are passed over. WireError."""
    cursor = Cursor(data)
    if cursor.u32() != VERSION:
        raise WireError("no file of templates", 0)
    cursor.take(8)
    display = [_read(cursor) for _ in _ORDER]
    cursor.take(_NAMES.size)
    count = cursor.u32()
    if count > MOST_CREATION:
        raise cursor.fail(f"{count} templates")
    return Templates(display, [_read(cursor) for _ in range(cursor.count(count, _ENTRY.size))])


def _read(cursor: Cursor) -> Template:
    fields = cursor.struct(_ENTRY)
    found = []
    for at, size in zip(fields[::2], fields[1::2], strict=True):
        if at and (at > len(cursor.data) or size > len(cursor.data) - at):
            raise cursor.fail("template outside of its file")
        found.append(cursor.data[at : at + size] if at else b"")
    return Template(*found)
