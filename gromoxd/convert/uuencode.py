"""Uuencoded data: as a transfer encoding, and as files in the text of mail that is older than MIME.

[IEEE Std 1003.1] uuencode; [MS-OXCMAIL] 2.2.3.4.1. Lenient: lines may have lost their trailing spaces.
"""

from __future__ import annotations

import binascii
import re

from gromoxd.convert.charsets import decode_body, decode_unlabelled
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    PidTagAttachExtension,
    PidTagAttachLongFilename,
    PidTagAttachMethod,
    PidTagAttachNumber,
    PidTagAttachSize,
    PidTagBody,
    PidTagDisplayName,
    PidTagRenderingPosition,
)

MAX_FILES = 200
_BEGIN = re.compile(rb"^begin(?:-base64)? [0-7]{3,4} +([^\r\n]{1,255}?) *\r?$", re.MULTILINE)
_END = re.compile(rb"^(?:end|====) *\r?$", re.MULTILINE)
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def decoded(data: bytes) -> bytes:
    """The first file in uuencoded data; data without one is taken as its lines."""
    begin = _BEGIN.search(data)
    if begin is None:
        return _lines(data)
    end = _END.search(data, begin.end())
    return _file(data, begin, end.start() if end is not None else len(data))


def has_files(data: bytes) -> bool:
    """Whether a text has a complete uuencoded file."""
    begin = _BEGIN.search(data)
    return begin is not None and _END.search(data, begin.end()) is not None


def item_of_text(data: bytes, charset: str) -> Item:
    """A text without the files in it, and the files."""
    item = Item()
    texts: list[bytes] = []
    at = 0
    while len(item.attachments) < MAX_FILES:
        begin = _BEGIN.search(data, at)
        end = _END.search(data, begin.end()) if begin is not None else None
        if begin is None or end is None:
            break
        texts.append(data[at : begin.start()])
        name = _UNSAFE.sub("_", decode_unlabelled(begin.group(1)).strip()) or "attachment"
        item.attachments.append(_attachment(name, _file(data, begin, end.start()), len(item.attachments)))
        at = end.end()
    texts.append(data[at:])
    item.props[PidTagBody] = decode_body(b"".join(texts), charset).replace("\x00", "")
    return item


def _attachment(name: str, data: bytes, number: int) -> ItemAttachment:
    dot = name.rfind(".")
    props: Bag = {
        PidTagAttachNumber: number, PidTagAttachMethod: 1, PidTagAttachLongFilename: name, PidTagDisplayName: name,
        PidTagAttachExtension: name[dot:] if dot >= 0 else "", PidTagAttachSize: len(data), PidTagRenderingPosition: -1,
    }  # fmt: skip
    return ItemAttachment(props, data)


def _file(data: bytes, begin: re.Match[bytes], stop: int) -> bytes:
    body = data[begin.end() : stop]
    if begin.group().startswith(b"begin-base64"):
        try:
            return binascii.a2b_base64(body)
        except binascii.Error:
            return b""
    return _lines(body)


def _lines(body: bytes) -> bytes:
    return b"".join([_line(line) for line in body.splitlines() if line])


def _line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        length = (line[0] - 32) & 63
        needed = (length + 2) // 3 * 4 + 1
        try:
            return binascii.a2b_uu(line[:needed].ljust(needed))
        except binascii.Error:
            return b""
