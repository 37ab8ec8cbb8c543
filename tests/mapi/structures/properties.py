"""Samples of property values that name folders and voting options."""

from __future__ import annotations

from collections.abc import Callable

from gromoxd.mapi.entryids import EntryList
from gromoxd.mapi.persistdata import decode_persist_data
from gromoxd.mapi.verbstream import VerbStream

REN_ENTRYIDS_EX = bytes.fromhex(
    "0680 0c00 0100 0400 01020304 0000 0000  0780 0c00 0200 0400 00000000 0000 0000  0180 0000  0000 0000"
)
"""Conversation actions with an entry id of four octets, a header, a block without elements, the end."""

YES_NO = bytes.fromhex(
    "0201 02000000"
    "04000000 03596573 0849504d2e4e6f7465 00 03596573 00000000 00 00000000 01000000 02000000 02000000 01000000 ffffffff"
    "04000000 024e6f 0849504d2e4e6f7465 00 024e6f 00000000 00 00000000 01000000 02000000 02000000 02000000 ffffffff"
    "0401 03590065007300 03590065007300 024e006f00 024e006f00"
)
"""The first two options of [MS-OXOMSG] 4.5."""

SEARCHED = bytes.fromhex("01000000 bccd8718 04000000 c4cd8718 01020304")

DECODERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "PersistData": (decode_persist_data, [REN_ENTRYIDS_EX]),
    "VerbStream": (VerbStream.decode, [YES_NO]),
    "EntryList with pads": (EntryList.decode, [SEARCHED]),
}
