"""oab.xml: which files there are ([MS-OXWOAB] 2). Pure."""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import quoteattr

import msgspec

from gromoxd.errors import WireError

NAME: Final = "oab.xml"
MOST_FILES: Final = 2000


class File(msgspec.Struct, array_like=True, frozen=True):
    """Full, Diff or Template. `sha` is the SHA-1 of the file as it is loaded; `language` and `kind` are Templates'."""

    element: str
    name: str
    sequence: int
    version: int
    size: int
    expanded: int
    sha: str
    language: int = 0
    kind: str = ""


class AddressList(msgspec.Struct, array_like=True, frozen=True):
    """OAL."""

    id: str
    dn: str
    name: str
    files: list[File]


def write(lists: list[AddressList]) -> bytes:
    """The manifest."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<OAB>"]
    for each in lists:
        lines.append(f"<OAL id={quoteattr(each.id)} dn={quoteattr(each.dn)} name={quoteattr(each.name)}>")
        lines += [_element(file) for file in each.files]
        lines.append("</OAL>")
    lines.append("</OAB>\n")
    return "\n".join(lines).encode()


def _element(file: File) -> str:
    found = {
        "seq": file.sequence, "ver": file.version, "size": file.size, "uncompressedsize": file.expanded,
        "SHA": file.sha,
    }  # fmt: skip
    if file.element == "Template":
        found |= {"langid": f"{file.language:04x}", "type": file.kind}
    told = " ".join(f"{name}={quoteattr(str(value))}" for name, value in found.items())
    return f"<{file.element} {told}>{file.name}</{file.element}>"


def read(data: bytes) -> list[AddressList]:
    """The opposite, as a client reads it. WireError."""
    from gromoxd.safexml import parse

    root = parse(data, deepest=4, most=MOST_FILES)
    if root.tag != "OAB":
        raise WireError("no OAB manifest")
    found = []
    for oal in root.iterchildren("OAL"):
        files = [_file(str(child.tag), dict(child.attrib), (child.text or "").strip()) for child in oal]
        found.append(AddressList(oal.get("id", ""), oal.get("dn", ""), oal.get("name", ""), files))
    return found


def _file(element: str, told: dict[str, str], name: str) -> File:
    try:
        sequence, version, size, expanded = [
            int(told.get(key, "0")) for key in ("seq", "ver", "size", "uncompressedsize")
        ]
        language = int(told.get("langid", "0"), 16)
    except ValueError as error:
        raise WireError(f"OAB manifest: {str(error)[:100]}") from None
    return File(
        element, name, sequence, version, size, expanded, told.get("SHA", ""), language, told.get("type", "")
    )  # fmt: skip
