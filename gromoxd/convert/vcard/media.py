"""Pictures and certificates of contacts: PHOTO and KEY, [MS-OXVCARD] 2.1.3.1.4 and 2.1.3.8.2."""

from __future__ import annotations

from struct import Struct
from typing import Final

from gromoxd.convert.contentline import ContentLine
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag

MAX_PHOTO: Final = 16 << 20
MAX_KEYS: Final = 16
_SETTING = Struct("<HH")
_KEY_EXCHANGE, _SIGN = 0x0003, 0x0008
_BY_VALUE = 1
_SUBTYPES = (
    (b"\xff\xd8\xff", "jpeg", "jpg"),
    (b"\x89PNG", "png", "png"),
    (b"GIF8", "gif", "gif"),
    (b"BM", "bmp", "bmp"),
    (b"II*\0", "tiff", "tif"),
    (b"MM\0*", "tiff", "tif"),
)


def image_type(data: bytes) -> tuple[str, str]:
    """Subtype and file name extension of an image by its first octets; jpeg for any other."""
    return next(((kind, ext) for start, kind, ext in _SUBTYPES if data.startswith(start)), ("jpeg", "jpg"))


def read_photo(item: Item, line: ContentLine) -> bool:
    """The picture as the attachment that [MS-OXOCNTC] 2.2.1.8.3 says; False for a picture that is elsewhere."""
    found = line.octets()
    if found is None or not found[0] or len(found[0]) > MAX_PHOTO or item.props.get(n.PidLidHasPicture):
        return False
    data = found[0]
    subtype, extension = image_type(data)
    name = f"ContactPicture.{extension}"
    item.props[n.PidLidHasPicture] = True
    props: Bag = {
        p.PidTagAttachmentContactPhoto: True,
        p.PidTagAttachMethod: _BY_VALUE,
        p.PidTagAttachFilename: name,
        p.PidTagAttachLongFilename: name,
        p.PidTagAttachExtension: f".{extension}",
        p.PidTagDisplayName: name,
        p.PidTagAttachMimeTag: f"image/{subtype}",
        p.PidTagAttachmentHidden: True,
    }
    item.attachments.append(ItemAttachment(props, data))
    return True


def photo_of(item: Item) -> bytes:
    """The octets of a contact's picture, b"" for none."""
    for attachment in item.attachments:
        if attachment.props.get(p.PidTagAttachmentContactPhoto):
            return attachment.data
    return b""


def read_key(item: Item, line: ContentLine) -> bool:
    """An X.509 certificate, in the container of [MS-OXOABK] 2.2.4.36; False for keys of other kinds.

    [MS-OXVCARD] 2.1.3.8.2 leaves the octets to [MS-OXOABK], and that to clients: tag, size, value as Outlook writes.
    """
    found = line.octets()
    if found is None or not found[0].startswith(b"\x30") or len(found[0]) > 0xFFFF - _SETTING.size:
        return False
    known = item.props.setdefault(p.PidTagUserX509Certificate, [])
    if not isinstance(known, list) or len(known) >= MAX_KEYS:
        return False
    data = found[0]
    known.append(_SETTING.pack(_KEY_EXCHANGE, _SETTING.size + len(data)) + data)  # type: ignore[arg-type]
    return True


def keys_of(item: Item) -> list[bytes]:
    """The certificates: those in a container, or what stands there in DER."""
    found = []
    values = item.props.get(p.PidTagUserX509Certificate)
    for value in values[:MAX_KEYS] if isinstance(values, list) else ():
        if isinstance(value, bytes) and value:
            data = value if value[0] == 0x30 else _certificate(value)
            if data:
                found.append(data)
    return found


def _certificate(value: bytes) -> bytes:
    settings: dict[int, bytes] = {}
    at = 0
    while at + _SETTING.size <= len(value):
        tag, size = _SETTING.unpack_from(value, at)
        if size < _SETTING.size or at + size > len(value):
            break
        settings.setdefault(tag, value[at + _SETTING.size : at + size])
        at += size
    return settings.get(_KEY_EXCHANGE) or settings.get(_SIGN) or b""
