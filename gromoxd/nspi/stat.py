"""STAT, the position in an address list, and the numbers that mean something of their own ([MS-OXNSPI] 2.2)."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.mapi.codepages import codec_of
from gromoxd.mapi.cursor import Cursor

CP_TELETEX: Final = 0x4F25
CP_WINUNICODE: Final = 0x04B0
"""[MS-OXNSPI] 2.2.1.4."""
CP_ACP: Final = 0
"""workaround: impacket leaves CodePage out, which Exchange takes for the code page that it has itself."""
MID_BEGINNING_OF_TABLE, MID_CURRENT, MID_END_OF_TABLE = 0x0, 0x1, 0x2
"""[MS-OXNSPI] 2.2.1.8."""
MID_UNRESOLVED, MID_AMBIGUOUS, MID_RESOLVED = 0x0, 0x1, 0x2
"""[MS-OXNSPI] 2.2.1.9."""
_STAT = Struct("<IIIiIIIII")


class SortType(IntEnum):
    """[MS-OXNSPI] 2.2.1.10."""

    DISPLAY_NAME = 0x0
    PHONETIC = 0x3
    DISPLAY_NAME_RO = 0x3E8
    DISPLAY_NAME_W = 0x3E9


class Flags(IntFlag):
    """Flags of NspiGetProps and NspiQueryRows ([MS-OXNSPI] 2.2.1.12)."""

    SKIP_OBJECTS = 0x1
    EPHEMERAL_ID = 0x2


class TableFlags(IntFlag):
    """Flags of NspiGetSpecialTable ([MS-OXNSPI] 2.2.1.13)."""

    CREATION_TEMPLATES = 0x2
    UNICODE_STRINGS = 0x4


UNICODE_PROPTYPES: Final = 0x80000000
"""Flag of NspiQueryColumns ([MS-OXNSPI] 2.2.1.14)."""
F_DELETE: Final = 0x1
"""Flag of NspiModLinkAtt ([MS-OXNSPI] 2.2.1.15)."""


class TemplateFlags(IntFlag):
    """Flags of NspiGetTemplateInfo ([MS-OXNSPI] 2.2.1.6)."""

    TEMPLATE = 0x1
    SCRIPT = 0x4
    EMT = 0x10
    HELPFILE_NAME = 0x20
    HELPFILE_CONTENTS = 0x40


class Stat(NamedTuple):
    """[MS-OXNSPI] 2.2.8."""

    sort_type: int = 0
    container_id: int = 0
    current_rec: int = 0
    delta: int = 0
    num_pos: int = 0
    total_recs: int = 0
    code_page: int = 1252
    template_locale: int = 0x409
    sort_locale: int = 0x409

    @classmethod
    def read(cls, cursor: Cursor) -> Stat:
        return cls(*cursor.struct(_STAT))

    def encode(self) -> bytes:
        return _STAT.pack(*self)


def good_code_page(code_page: int) -> bool:
    """Can 8-bit strings be made in this code page?"""
    return code_page in (CP_TELETEX, CP_ACP) or (code_page != CP_WINUNICODE and codec_of(code_page) is not None)
