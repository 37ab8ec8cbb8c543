"""ATTACH as attachments and back ([MS-OXCICAL] 2.1.3.1.1.20.1)."""

from __future__ import annotations

import base64
import re
from typing import Final

from gromoxd.convert.contentline import Component, ContentLine, line
from gromoxd.convert.ical.texts import cut, text_of
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod

MAX_FILES: Final = 500
MAX_URL: Final = 4_000
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def read_files(component: Component, item: Item) -> list[ContentLine]:
    """Attachments of octets and of addresses. Gives the lines that name parts of a mail (`cid:`), which are others'."""
    left = []
    for attach in component.all("ATTACH")[:MAX_FILES]:
        if attach.value.strip()[:4].lower() == "cid:":
            left.append(attach)
            continue
        found = _file(attach)
        if found is not None:
            item.attachments.append(found)
    return left


def _name(attach: ContentLine) -> str:
    for key in ("X-FILENAME", "FILENAME", "X-LABEL"):
        if attach.param(key):
            return cut(_UNSAFE.sub("_", attach.param(key)).strip(" .")) or "attachment"
    return ""


def _file(attach: ContentLine) -> ItemAttachment | None:
    binary = attach.param("VALUE").upper() == "BINARY" or attach.param("ENCODING").upper() == "BASE64"
    data = attach._replace(params={**attach.params, "ENCODING": ["BASE64"]}).octets() if binary else attach.octets()
    kind = attach.param("FMTTYPE") or (data[1] if data else "")
    bag: Bag = {p.PidTagRenderingPosition: -1, p.PidTagAttachmentHidden: False, p.PidTagAttachFlags: 0}
    if kind:
        bag[p.PidTagAttachMimeTag] = cut(kind)
    if data is not None:
        name = _name(attach) or "attachment"
        bag |= {p.PidTagAttachMethod: int(AttachMethod.afByValue), p.PidTagAttachSize: len(data[0])}
        _named(bag, name)
        return ItemAttachment(bag, data[0])
    url = cut(attach.value.strip(), MAX_URL)
    if not url:
        return None
    bag |= {
        p.PidTagAttachMethod: int(AttachMethod.afByReferenceOnly),
        p.PidTagAttachLongPathname: url,
        p.PidTagAttachPathname: cut(url, 260),
    }
    _named(bag, _name(attach) or cut(_UNSAFE.sub("_", url.rstrip("/").rpartition("/")[2])) or "link")
    return ItemAttachment(bag)


def _named(bag: Bag, name: str) -> None:
    bag[p.PidTagAttachLongFilename] = bag[p.PidTagAttachFilename] = bag[p.PidTagDisplayName] = name
    bag[p.PidTagAttachExtension] = f".{name.rpartition('.')[2]}" if "." in name[1:] else ""


def write_files(item: Item, inline: bool = True) -> list[bytes]:
    """ATTACH of files and addresses; exceptions and embedded messages are none. `inline`: octets too."""
    found = []
    for attachment in item.attachments:
        bag = attachment.props
        method = bag.get(p.PidTagAttachMethod)
        name, kind = text_of(bag, p.PidTagAttachLongFilename), text_of(bag, p.PidTagAttachMimeTag)
        params = {"FMTTYPE": kind} if re.fullmatch(r"[\w.+-]+/[\w.+-]+", kind) else {}
        if method in (AttachMethod.afByReferenceOnly, AttachMethod.afByWebReference, AttachMethod.afByReference):
            url = text_of(bag, p.PidTagAttachLongPathname) or text_of(bag, p.PidTagAttachPathname)
            if url:
                found.append(line("ATTACH", url, params | ({"FILENAME": name} if name else {})))
        elif method == AttachMethod.afByValue and attachment.embedded is None and inline:
            params |= {"ENCODING": "BASE64", "VALUE": "BINARY"} | ({"X-FILENAME": name} if name else {})
            found.append(line("ATTACH", base64.b64encode(attachment.data).decode(), params))
    return found
