"""The message class that a Content-Class field means ([MS-OXCMAIL] 2.2.3.2.15), for what would be IPM.Note."""

from __future__ import annotations

from typing import Final

from gromoxd.convert.mime import Part
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named_tags import PidLidInfoPathFormName, PidNameContentClass

_CLASSES: Final = {
    "fax": ("IPM.Note.Microsoft.Fax", "image"),
    "fax-ca": ("IPM.Note.Microsoft.Fax.CA", "image"),
    "missedcall": ("IPM.Note.Microsoft.Missed.Voice", ""),
    "voice-uc": ("IPM.Note.Microsoft.Conversation.Voice", ""),
    "voice-ca": ("IPM.Note.Microsoft.Voicemail.UM.CA", "audio"),
    "voice": ("IPM.Note.Microsoft.Voicemail.UM", "audio"),
    "sharing": ("IPM.Sharing", ""),
}
"""Content-Class -> message class, and the media type without which it is no such message."""
_CUSTOM, _INFOPATH = "urn:content-class:custom.", ("infopathform.", "infopath.")
MAX_CLASS = 255


def refined_class(kind: str, bag: Bag, root: Part) -> str:
    """The message class; `kind` is what the structure says. InfoPath forms keep their S/MIME suffix."""
    value = bag.get(PidNameContentClass)
    if not isinstance(value, str):
        return kind
    lowered = value.strip().lower()
    if lowered.startswith(_INFOPATH) and kind.startswith("IPM.Note"):
        return _infopath(value.strip(), bag) + kind.removeprefix("IPM.Note")
    if kind != "IPM.Note":
        return kind
    if lowered.startswith(_CUSTOM):
        return f"IPM.Note.Custom.{_printable(value.strip()[len(_CUSTOM) :])}"[:MAX_CLASS]
    known, media = _CLASSES.get(lowered, (kind, ""))
    return known if not media or _has(root, media) else kind


def _infopath(value: str, bag: Bag) -> str:
    form, _, name = value.partition(".")[2].partition(".")
    if name:
        bag[PidLidInfoPathFormName] = name
    return f"IPM.InfoPathForm.{_printable(form)}"[:MAX_CLASS]


def _printable(text: str) -> str:
    """Message classes are of printable ASCII ([MS-OXCMSG] 2.2.1.3)."""
    return "".join([c for c in text if " " <= c < "\x7f"]).strip(".")


def _has(part: Part, media: str) -> bool:
    return part.type == media or (part.type == "multipart" and any(_has(child, media) for child in part.children))
