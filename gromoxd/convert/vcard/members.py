"""Members of personal distribution lists ([MS-OXOCNTC] 2.2.2) and of vCards of KIND group (RFC 6350 6.6.5)."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.entryids import OneOffEntryId, WrappedEntryId, one_off, parse_entryid

MAX_MEMBERS: Final = 10_000
MAX_LISTED: Final = 15_000
"""Octets of PidLidDistributionListMembers; longer lists are in PidLidDistributionListStream alone."""
_STREAM = Struct("<HHIIIIII")
_U32 = Struct("<I")
_STREAM_VERSION = 1
_URI = re.compile(r"\s*mailto:([^?]{1,2000})", re.IGNORECASE)
_NAMED = re.compile(r'\s*"?([^"<]*?)"?\s*<([^<>\s]+@[^<>\s]+)>\s*')


class Member(NamedTuple):
    """A member by what is said of it outside of mailboxes."""

    name: str
    address: str
    kind: str = "SMTP"


def read_member(value: str, name: str = "") -> Member | None:
    """A MEMBER's value: `mailto:`, also with a name before the address; None for any other URI."""
    match = _URI.match(value)
    if match is None:
        return None
    text = unquote(match.group(1)).strip()
    named = _NAMED.fullmatch(text)
    if named is not None:
        return Member(name or named.group(1), named.group(2))
    return Member(name or text, text)


def write_member(member: Member) -> str:
    """`mailto:` with the address."""
    return "mailto:" + quote(member.address, safe="@!$'*+-/=^_`{|}~.")


def set_members(item: Item, members: Iterable[Member]) -> None:
    """The members into the properties of a list: two parallel lists and their checksum, or the stream for many."""
    entries = [one_off(member.name, member.address, member.kind) for member in members][:MAX_MEMBERS]
    if sum(map(len, entries)) >= MAX_LISTED:
        item.props[n.PidLidDistributionListStream] = _stream(entries)
        return
    item.props[n.PidLidDistributionListMembers] = list(entries)
    item.props[n.PidLidDistributionListOneOffMembers] = list(entries)
    checksum = zlib.crc32(b"".join(entries))
    item.props[n.PidLidDistributionListChecksum] = checksum - (checksum >> 31 << 32)


def _stream(entries: list[bytes]) -> bytes:
    """[MS-OXOCNTC] 2.2.2.2.4 PidLidDistributionListStream, ended by two zeros; BuildVersion is nobody's, 0."""
    size = sum(map(len, entries))
    parts = [_STREAM.pack(_STREAM_VERSION, 0, 0, 0, len(entries), size, size, 0)]
    for entry in entries:
        parts += (_U32.pack(len(entry)), entry, _U32.pack(len(entry)), entry, _U32.pack(0))
    return b"".join(parts) + bytes(8)


def members_of(item: Item) -> list[Member]:
    """The members that have an address; what is damaged is left out."""
    found: list[Member] = []
    for entry, alone in _entries(item):
        member = _member(alone) or _member(entry)
        if member is not None and len(found) < MAX_MEMBERS:
            found.append(member)
    return found


def _entries(item: Item) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of an entry id and the one-off one beside it."""
    stream = item.props.get(n.PidLidDistributionListStream)
    if isinstance(stream, bytes) and stream:
        yield from _read_stream(stream)
        return
    entries = item.props.get(n.PidLidDistributionListMembers)
    alone = item.props.get(n.PidLidDistributionListOneOffMembers)
    ones = alone if isinstance(alone, list) else []
    members = entries if isinstance(entries, list) else ones
    for at, entry in enumerate(members[:MAX_MEMBERS]):
        other = ones[at] if at < len(ones) else b""
        if isinstance(entry, bytes) and isinstance(other, bytes):
            yield entry, other


def _read_stream(stream: bytes) -> Iterator[tuple[bytes, bytes]]:
    cursor = Cursor(stream)
    try:
        _, _, _, _, count, _, _, _ = cursor.struct(_STREAM)
        for _ in range(min(count, MAX_MEMBERS)):
            entry, alone = cursor.take(cursor.u32()), cursor.take(cursor.u32())
            cursor.take(cursor.u32())
            yield entry, alone
    except WireError:
        return


def _member(entry: bytes) -> Member | None:
    try:
        found = parse_entryid(entry)
        if isinstance(found, WrappedEntryId):
            found = parse_entryid(found.entryid)
    except WireError:
        return None
    if not isinstance(found, OneOffEntryId) or "@" not in found.email_address:
        return None
    return Member(found.display_name or found.email_address, found.email_address, found.address_type or "SMTP")
