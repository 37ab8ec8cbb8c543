"""The scanner and the header codec against the standard library's `email`, which is slow and careful.

Known differences, each on purpose: `email` reads message/delivery-status and message/external-body as containers,
leaves a multipart without parts childless, takes any octets for a type, and ends a header at a line that is no field.
"""

from __future__ import annotations

import email
import email.header
import email.message
import email.policy

from gromoxd.convert.headers import decode_header, field_map, parse_addresses
from gromoxd.convert.mime import Part, scan
from gromoxd.convert.searchtext import part_octets

Message = email.message.Message


def pairs(ours: Part, theirs: Message) -> list[tuple[Part, Message]]:
    """Leaf by leaf; childless multiparts and opaque messages of ours end the descent."""
    assert f"{ours.type}/{ours.subtype}" == theirs.get_content_type()
    if ours.is_multipart or ours.is_message:
        payload = theirs.get_payload()
        if not isinstance(payload, list):
            assert len(ours.children) == 1
            assert ours.children[0].header_length == 0
            return []
        assert len(payload) == len(ours.children)
        return [pair for our, their in zip(ours.children, payload, strict=True) for pair in pairs(our, their)]
    return [(ours, theirs)]


def test_same_tree_and_bodies(corpus: dict[str, bytes]) -> None:
    compared = 0
    for name, raw in corpus.items():
        theirs = email.message_from_bytes(raw, policy=email.policy.compat32)
        if any(part.defects for part in theirs.walk()) or name == "binary type":
            continue
        for part, message in pairs(scan(raw), theirs):
            if part.type == "message" or part.encoding == "x-uuencode":
                continue
            expected = message.get_payload(decode=True)
            assert isinstance(expected, bytes)
            stop = part.body_offset + part.body_length
            assert part_octets(raw, part, stop).rstrip(b"\r\n") == expected.rstrip(b"\r\n"), name
            compared += 1
    assert compared > 10


def words(text: str) -> list[str]:
    return text.split()


def test_same_header_texts(corpus: dict[str, bytes]) -> None:
    compared = 0
    for name, raw in corpus.items():
        theirs = email.message_from_bytes(raw)
        fields = field_map(raw[: scan(raw).header_length])
        for field in ("subject", "x-mailer", "organization"):
            value = theirs.get(field)
            if not isinstance(value, str) or theirs.defects or field.encode() not in fields:
                continue
            try:
                expected = str(email.header.make_header(email.header.decode_header(value)))
            except (LookupError, ValueError):
                continue
            assert words(decode_header(fields[field.encode()])) == words(expected), name
            compared += 1
    assert compared > 3


def test_same_addresses(corpus: dict[str, bytes]) -> None:
    """`email.headerregistry` on the lists that it finds no fault with."""
    compared = 0
    for name, raw in corpus.items():
        theirs = email.message_from_bytes(raw, policy=email.policy.default)
        fields = field_map(raw[: scan(raw).header_length])
        for field in ("from", "to", "cc", "reply-to"):
            try:
                header = theirs[field]
                faulty = header is None or bool(header.defects)
            except (AttributeError, IndexError, TypeError):
                continue
            if faulty or field.encode() not in fields or len(theirs.get_all(field, [])) != 1:
                continue
            found = [address for address in parse_addresses(fields[field.encode()]) if address.host is not None]
            got = [(decode_header(a.name or b""), a.mailbox, a.host) for a in found]
            expected = [(a.display_name, a.username.encode(), a.domain.encode()) for a in header.addresses]
            commented = b"(" in fields[field.encode()]
            assert [plain(*entry, commented) for entry in got] == [plain(*entry, commented) for entry in expected], name
            compared += 1
    assert compared >= 3


def plain(name: str, user: bytes, host: bytes, commented: bool) -> tuple[str, bytes, bytes]:
    """Without what the two see differently: comments as names, the white space between two encoded words in a name."""
    return "" if commented else "".join(name.split()), user, host
