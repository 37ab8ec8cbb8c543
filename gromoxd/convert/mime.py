"""Where the parts of a message lie: an offset scanner over its RFC 5322 octets (RFC 2045, 2046, 2183, 2231).

It reads part headers and looks for delimiter lines with `find`; the lines of bodies are only counted. Any octets give a
tree. Limits keep cost and result linear in the size of the message: depth, number of parts, header octets, parameters,
octets of text kept, and a budget of octets looked at (deep nesting looks at the innermost octets once a level). Beyond
a limit a multipart is one opaque text part and an embedded message is application/octet-stream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from mmap import mmap

import msgspec

from gromoxd.convert.envelope import EMPTY, envelope
from gromoxd.convert.headers import field_map
from gromoxd.convert.params import MediaType, header_text, media_type, parameters

Octets = bytes | mmap

MAX_DEPTH = 50
MAX_PARTS = 1000
MAX_PART_HEADER = 64 << 10
MAX_TEXT = 512 << 10
"""Octets of decoded header text in a tree, with a charge for each field, parameter and ENVELOPE. Beyond it parts have
no more than their type, encoding and place, and a multipart is opaque."""
_LOOKS = 16
MAX_IDLE = 5000
"""Lines of a body that look like a delimiter and make no part; after so many the rest is one part."""
_CHUNK = 1 << 20
_LEAN_HEADER = 512
_FIELD_CHARGE, _ENVELOPE_CHARGE = 16, 4

Params = tuple[tuple[str, str], ...]


class Part(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A MIME entity; the tree's root is the message itself, its header then being the message header.

    `header_length` includes the empty line. `body_length` leaves out the line break that belongs to the delimiter
    (RFC 2046 5.1.1). `lines` are counted for text and embedded messages only. `type`, `subtype`, `encoding`,
    `disposition` and parameter names are lower case; parameter values are decoded (RFC 2231). `children` are the parts
    of a multipart (never empty) or the one root of an embedded message, whose ENVELOPE text `envelope` is.
    """

    header_offset: int
    header_length: int
    body_offset: int
    body_length: int
    lines: int
    type: str
    subtype: str
    params: Params = ()
    id: str | None = None
    description: str | None = None
    encoding: str = "7bit"
    disposition: str | None = None
    disposition_params: Params = ()
    language: tuple[str, ...] = ()
    location: str | None = None
    md5: str | None = None
    children: tuple[Part, ...] = ()
    envelope: bytes = b""

    @property
    def is_multipart(self) -> bool:
        return self.type == "multipart"

    @property
    def is_message(self) -> bool:
        """An embedded message: message/rfc822 (RFC 2046 5.2.1) or message/global (RFC 6532 3.7)."""
        return bool(self.children) and self.type == "message"

    @property
    def charset(self) -> str:
        """The charset parameter, 'us-ascii' when it is missing (RFC 2045 5.2)."""
        return self.param("charset") or "us-ascii"

    def param(self, name: str) -> str | None:
        """A Content-Type parameter's value."""
        return next((value for key, value in self.params if key == name), None)

    @property
    def filename(self) -> str | None:
        """The name that Content-Disposition or, failing that, Content-Type gives; RFC 2047 words in it not decoded."""
        for key, value in self.disposition_params:
            if key == "filename":
                return value
        return self.param("name")


_DECODER = msgspec.msgpack.Decoder(Part)
_ENCODER = msgspec.msgpack.Encoder()


def encode(part: Part) -> bytes:
    """The tree as msgpack, as `Digest.parts` carries it."""
    return _ENCODER.encode(part)


def decode_parts(data: bytes) -> Part:
    """The inverse; msgspec.DecodeError for anything else."""
    return _DECODER.decode(data)


_BLANK = re.compile(rb"\n\r?\n")
_ENDS_BLANK = re.compile(rb"(?:\n|\A)\r?\n\Z")
_LINE_BREAK = re.compile(rb"\r?\n")
_REST = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r?\Z)")


def header_end(raw: Octets, start: int, end: int) -> int:
    """Where the header that begins at `start` ends, its empty line included; `end` when there is no empty line."""
    head = raw[start : min(start + 2, end)]
    if head[:1] == b"\n":
        return start + 1
    if head == b"\r\n":
        return start + 2
    match = _BLANK.search(raw, start, end)
    return match.end() if match is not None else end


def count_lines(raw: Octets, start: int, end: int) -> int:
    """LF octets of a range; piecewise, so that another thread gets its turn and a map is not copied whole."""
    if isinstance(raw, bytes) and end - start <= _CHUNK:
        return raw.count(b"\n", start, end)
    return sum(raw[at : min(at + _CHUNK, end)].count(b"\n") for at in range(start, end, _CHUNK))


def octets(raw: bytes | bytearray | memoryview | mmap) -> Octets:
    """What the scanner can work on: bytes and maps as they are, other buffers copied."""
    return raw if isinstance(raw, (bytes, mmap)) else bytes(raw)


def scan(raw: bytes | bytearray | memoryview | mmap) -> Part:
    """The tree of a message. Never raises for any octets."""
    data = octets(raw)
    end = header_end(data, 0, len(data))
    return scan_message(data, field_map(data[: min(end, MAX_PART_HEADER * 4)]), end)


def scan_message(raw: Octets, fields: Mapping[bytes, bytes], body: int) -> Part:
    """The tree of a message whose header fields are known already; `body` is where its body begins."""
    return _Scanner(raw).entity(fields, 0, body, len(raw), "text", 0)


class _Scanner:
    """The state of one scan: what may still be spent."""

    __slots__ = ("looks", "parts", "raw", "text")

    def __init__(self, raw: Octets) -> None:
        self.raw = raw
        self.parts = 0
        self.text = MAX_TEXT
        self.looks = _LOOKS * len(raw) + (4 << 20)

    def part(self, start: int, end: int, default: str, depth: int) -> Part:
        """The entity between two delimiter lines; its header's empty line may be the one before the next delimiter."""
        body = header_end(self.raw, start, end)
        fields = self.fields(start, body)
        if body == end and not _ENDS_BLANK.search(self.raw, max(start, end - 3), end):
            after = _LINE_BREAK.match(self.raw, end)
            if after is not None and (start == end or self.raw[end - 1] == 10):
                body = end = after.end()
        return self.entity(fields, start, body, end, default, depth)

    def entity(self, fields: Mapping[bytes, bytes], start: int, body: int, end: int, default: str, depth: int) -> Part:
        """The entity with these header fields; `default` is the type without Content-Type, 'message' in a digest."""
        self.parts += 1
        value = fields.get(b"content-type")
        if self.text < 0 and value is not None:
            value = value.partition(b";")[0]
        media = media_type(value, default)
        if media.type == "multipart":
            return self.build(fields, start, body, end, media, 0, self.multipart(media, body, end, depth), b"")
        encoding = fields.get(b"content-transfer-encoding", b"").lower()
        if media.type == "message" and media.subtype in ("rfc822", "global"):
            if depth >= MAX_DEPTH or self.parts >= MAX_PARTS or self.looks < 0:
                return self.build(fields, start, body, end, MediaType("application", "octet-stream"), 0, (), b"")
            lines = self.count(body, end)
            plain = not encoding.startswith((b"base64", b"quoted-printable"))
            child, text = self.embedded(body, end, depth) if plain else (self.opaque(body, end), EMPTY)
            return self.build(fields, start, body, end, media, lines, (child,), text)
        lines = count_lines(self.raw, body, end) if media.type == "text" else 0
        return self.build(fields, start, body, end, media, lines, (), b"")

    def fields(self, start: int, body: int) -> dict[bytes, bytes]:
        """A part's or embedded message's header fields; of less of the header once the budget for text is spent."""
        limit = MAX_PART_HEADER if self.text > 0 else _LEAN_HEADER
        fields = field_map(self.raw[start : min(body, start + limit)])
        self.text -= _FIELD_CHARGE * len(fields)
        return fields

    def embedded(self, start: int, end: int, depth: int) -> tuple[Part, bytes]:
        """An embedded message and its ENVELOPE."""
        body = header_end(self.raw, start, end)
        fields = self.fields(start, body)
        text = envelope(fields) if self.text > 0 else EMPTY
        self.text -= _ENVELOPE_CHARGE * len(text)
        return self.entity(fields, start, body, end, "text", depth + 1), text

    def multipart(self, media: MediaType, start: int, end: int, depth: int) -> tuple[Part, ...]:
        """The parts between the delimiter lines of a multipart body; one opaque part when there are none."""
        if not media.boundary or depth >= MAX_DEPTH or self.parts >= MAX_PARTS or self.looks < 0:
            return (self.opaque(start, end),)
        default = "message" if media.subtype == "digest" else "text"
        children = []
        ranges = self.delimited(b"\n--" + media.boundary, start, end)
        for number, (first, last) in enumerate(ranges, 1):
            children.append(self.part(first, last, default, depth + 1))
            if self.parts >= MAX_PARTS and number < len(ranges):
                children.append(self.opaque(ranges[number][0], end))
                break
        return tuple(children) or (self.opaque(start, end),)

    def delimited(self, delimiter: bytes, start: int, end: int) -> list[tuple[int, int]]:
        """Ranges between delimiter lines (RFC 2046 5.1.1). Without a closing one the last part reaches to `end`.

        Two delimiter lines with nothing between them are one: an encapsulation needs a line break of its own.
        """
        raw, pos = self.raw, max(start - 1, 0)
        ranges: list[tuple[int, int]] = []
        room = MAX_PARTS - self.parts
        first = -1
        idle = MAX_IDLE
        while len(ranges) < room and idle > 0:
            at = raw.find(delimiter, pos, end)
            if at < 0:
                break
            rest = _REST.match(raw, at + len(delimiter), end)
            if rest is None:
                pos = at + len(delimiter)
                idle -= 1
                continue
            if first > at:
                idle -= 1
            elif first >= 0:
                ranges.append((first, at - 1 if at > first and raw[at - 1] == 13 else at))
            first = -1 if rest.group(1) else rest.end()
            if first < 0:
                break
            pos = first - 1
        self.looks -= end - start
        if first >= 0:
            ranges.append((first, end))
        return ranges

    def count(self, start: int, end: int) -> int:
        self.looks -= end - start
        return count_lines(self.raw, start, end)

    def opaque(self, start: int, end: int) -> Part:
        self.parts += 1
        return Part(start, 0, start, end - start, self.count(start, end), "text", "plain")

    def build(
        self, fields: Mapping[bytes, bytes], start: int, body: int, end: int, media: MediaType, lines: int,
        children: tuple[Part, ...], text: bytes,
    ) -> Part:  # fmt: skip
        """The Part with its other MIME fields, as far as the budget for text allows."""
        if fields and (len(fields) > 1 or b"content-type" not in fields):
            return self.described(fields, start, body, end, media, lines, children, text)
        self.text -= media.size
        params = media.params if self.text > 0 else ()
        return Part(start, body - start, body, end - body, lines, media.type, media.subtype, params, None, None,
                    "7bit", None, (), (), None, None, children, text)  # fmt: skip

    def described(
        self, fields: Mapping[bytes, bytes], start: int, body: int, end: int, media: MediaType, lines: int,
        children: tuple[Part, ...], text: bytes,
    ) -> Part:  # fmt: skip
        get = fields.get
        encoding = get(b"content-transfer-encoding")
        disposition = get(b"content-disposition")
        token, dparams, size = parameters(disposition) if disposition and self.text > 0 else (None, (), 0)
        identifier, description = header_text(get(b"content-id")), header_text(get(b"content-description"))
        location, md5 = header_text(get(b"content-location")), header_text(get(b"content-md5"))
        language = get(b"content-language")
        self.text -= media.size + size + sum(len(s) for s in (identifier, description, location, md5) if s)
        if self.text < 0:
            return Part(start, body - start, body, end - body, lines, media.type, media.subtype,
                        encoding=_encoding(encoding), children=children, envelope=text)  # fmt: skip
        return Part(
            start, body - start, body, end - body, lines, media.type, media.subtype, media.params,
            identifier, description, _encoding(encoding), token, dparams,
            _languages(language) if language else (), location, md5, children, text,
        )  # fmt: skip


_TOKEN = re.compile(rb"[ \t]*([!#-'*+\-.0-9A-Z^-~]+)")
_NO_COMMENT = re.compile(rb"\([^()]*\)")
_COMMON = {b"7bit": "7bit", b"8bit": "8bit", b"base64": "base64", b"quoted-printable": "quoted-printable",
           b"binary": "binary"}  # fmt: skip


def _encoding(value: bytes | None) -> str:
    """The Content-Transfer-Encoding (RFC 2045 6.1), lower case; 7bit when it is missing or no token."""
    if value is None:
        return "7bit"
    known = _COMMON.get(value)
    if known is not None:
        return known
    match = _TOKEN.match(value[:100])
    return match.group(1).decode("ascii").lower() if match is not None else "7bit"


def _languages(value: bytes) -> tuple[str, ...]:
    """The tags of Content-Language (RFC 3282 2)."""
    tags = _NO_COMMENT.sub(b"", value[:500]).split(b",")
    return tuple(tag.decode("ascii", "replace").replace("\ufffd", "?") for tag in map(bytes.strip, tags) if tag)[:20]
