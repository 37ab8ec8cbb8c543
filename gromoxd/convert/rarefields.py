"""Properties of header fields that few messages have: [MS-OXCMAIL] 2.2.3.2, from expiry to unified messaging."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from gromoxd.convert.dates import parse_date
from gromoxd.convert.headers import decode_header
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named_tags import (
    PidLidClassification,
    PidLidClassificationDescription,
    PidLidClassificationGuid,
    PidLidClassificationKeep,
    PidLidClassified,
    PidLidFlagRequest,
    PidNameContentClass,
)
from gromoxd.mapi.proptags import (
    PidTagAutoForwarded,
    PidTagAutoResponseSuppress,
    PidTagCallId,
    PidTagExpiryTime,
    PidTagFaxNumberOfPages,
    PidTagInternetOrganization,
    PidTagReplyTime,
    PidTagSenderTelephoneNumber,
    PidTagVoiceMessageAttachmentOrder,
    PidTagVoiceMessageDuration,
    PidTagVoiceMessageSenderName,
)
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT

MAX_STRING = 1000
Filler = Callable[[Bag, bytes], None]

SUPPRESS_OOF, SUPPRESS_AUTO_REPLY = 0x10, 0x20
_SUPPRESSED: Final = {
    b"dr": 0x01, b"ndr": 0x02, b"rn": 0x04, b"nrn": 0x08, b"oof": SUPPRESS_OOF, b"autoreply": SUPPRESS_AUTO_REPLY
}  # fmt: skip
"""Words of X-Auto-Response-Suppress and bits of PidTagAutoResponseSuppress ([MS-OXCMAIL] 2.2.3.2.14)."""
_NUMBER = re.compile(rb"[ \t]*(\d{1,9})\b")


def _text(tag: int) -> Filler:
    def fill(bag: Bag, value: bytes) -> None:
        bag[tag] = decode_header(value[: MAX_STRING * 4])[:MAX_STRING]

    return fill


def _time(tag: int) -> Filler:
    def fill(bag: Bag, value: bytes) -> None:
        when = parse_date(value)
        if when is not None:
            bag.setdefault(tag, when[0] * TICKS + UNIX_EPOCH_NT)

    return fill


def _number(tag: int) -> Filler:
    def fill(bag: Bag, value: bytes) -> None:
        match = _NUMBER.match(value)
        if match is not None:
            bag[tag] = int(match.group(1))

    return fill


def _suppress(bag: Bag, value: bytes) -> None:
    """What the sender says counts, whatever the other fields mean."""
    words = [word.strip(b" \t") for word in value.lower().split(b",")]
    if b"all" in words:
        bag[PidTagAutoResponseSuppress] = -1
    else:
        bag[PidTagAutoResponseSuppress] = sum({_SUPPRESSED.get(word, 0) for word in words})


def _auto_submitted(bag: Bag, value: bytes) -> None:
    """RFC 3834 5: nobody answers an automatic message automatically. Auto-forwarded is RFC 2156's word."""
    word = value.partition(b";")[0].strip(b" \t").lower()
    if word and word != b"no":
        bag.setdefault(PidTagAutoResponseSuppress, SUPPRESS_OOF | SUPPRESS_AUTO_REPLY)
    if word == b"auto-forwarded":
        bag[PidTagAutoForwarded] = True


def _precedence(bag: Bag, value: bytes) -> None:
    """RFC 3834 2: bulk, list and junk mail is not answered."""
    if value.strip(b" \t").lower() in (b"bulk", b"list", b"junk"):
        bag.setdefault(PidTagAutoResponseSuppress, SUPPRESS_OOF | SUPPRESS_AUTO_REPLY)


def _forwarded(bag: Bag, value: bytes) -> None:
    """[MS-OXCMAIL] 2.1.3.2.21."""
    if value.strip(b" \t").lower() == b"true":
        bag[PidTagAutoForwarded] = True


RARE: Final[dict[bytes, Filler]] = {
    b"expires": _time(PidTagExpiryTime),
    b"expiry-date": _time(PidTagExpiryTime),
    b"reply-by": _time(PidTagReplyTime),
    b"x-message-flag": _text(PidLidFlagRequest),
    b"x-auto-response-suppress": _suppress,
    b"auto-submitted": _auto_submitted,
    b"precedence": _precedence,
    b"x-ms-exchange-organization-autoforwarded": _forwarded,
    b"autoforwarded": _forwarded,
    b"organization": _text(PidTagInternetOrganization),
    b"content-class": _text(PidNameContentClass),
    b"x-callingtelephonenumber": _text(PidTagSenderTelephoneNumber),
    b"x-voicemessagesendername": _text(PidTagVoiceMessageSenderName),
    b"x-attachmentorder": _text(PidTagVoiceMessageAttachmentOrder),
    b"x-callid": _text(PidTagCallId),
    b"x-voicemessageduration": _number(PidTagVoiceMessageDuration),
    b"x-faxnumberofpages": _number(PidTagFaxNumberOfPages),
}
"""Field name -> what it puts into the bag. Unified messaging: [MS-OXCMAIL] 2.2.3.2.23."""

_CLASSIFIED: Final = {
    b"x-microsoft-classification": PidLidClassification,
    b"x-microsoft-classdesc": PidLidClassificationDescription,
    b"x-microsoft-classid": PidLidClassificationGuid,
}


def classify(bag: Bag, fields: Mapping[bytes, bytes]) -> None:
    """The fields of a message classification, if it says that it is classified ([MS-OXCMAIL] 2.2.3.2.22)."""
    if fields.get(b"x-microsoft-classified", b"").strip().lower() != b"true":
        return
    bag[PidLidClassified] = True
    keep = fields.get(b"x-microsoft-classkeep", b"").strip().lower()
    if keep in (b"true", b"false"):
        bag[PidLidClassificationKeep] = keep == b"true"
    for name, tag in _CLASSIFIED.items():
        if name in fields:
            bag[tag] = decode_header(fields[name][: MAX_STRING * 4])[:MAX_STRING]
