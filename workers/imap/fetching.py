"""Carries out a FETCH: the messages in chunks, each attribute as a column, large contents streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING

from gromoxd.convert.mime import Part, header_end
from gromoxd.convert.sections import header_fields, section
from gromoxd.errors import Ec, MapiError
from workers.imap import render
from workers.imap.errors import Closed
from workers.imap.materials import CHUNK, Materials
from workers.imap.selected import Selected
from workers.imap.view import IndexPage, Span, Spans, View, spans_of_rows
from workers.imap.wire import text
from workers.imap.wire.fetch import Fetch, Section

if TYPE_CHECKING:
    from workers.imap.session import Session

LARGE = 1 << 20
"""Messages above it are never held whole."""

FIRST_CHUNK, NEXT_CHUNK = 256 << 10, 1 << 20
SIMPLE = {
    "UID": render.uids, "RFC822.SIZE": render.sizes, "INTERNALDATE": render.internal_dates, "MODSEQ": render.modseqs,
}  # fmt: skip
HEADER_ONLY = {"HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT"}


class Loaded:
    """What has been read for the rows of one chunk."""

    __slots__ = ("bodies", "contents", "headers", "parts", "structures")

    def __init__(self) -> None:
        self.structures: dict[int, tuple[bytes, bytes]] = {}
        self.bodies: dict[int, bytes] = {}
        self.headers: dict[Section, dict[int, bytes]] = {}
        self.contents: dict[int, bytes] = {}
        self.parts: dict[int, Part] = {}


class Fetcher:
    """One FETCH over one view."""

    def __init__(self, session: Session, chosen: Selected, request: Fetch) -> None:
        self.session = session
        self.chosen = chosen
        self.seen: View = chosen.view
        self.request = request
        self.lost = False
        self._materials = Materials(session.services, chosen.mailbox, chosen.folder.fid)
        sections = [item for item in request.items if isinstance(item, Section)]
        self._of_header = [s for s in sections if not s.path and s.what in HEADER_ONLY]
        self._of_content = [s for s in sections if s.path or s.what not in HEADER_ONLY]
        self._with_paths = any(s.path for s in sections)
        self._structures = "ENVELOPE" in request.items or "BODYSTRUCTURE" in request.items
        self._bodies = "BODY" in request.items

    def run(self, spans: Spans) -> None:
        """Answer for the messages of spans."""
        breathe = self.session.services.breathe
        if not (self._of_header or self._of_content or self._structures or self._bodies):
            for span in spans:
                self._write(span, Loaded())
                breathe()
            return
        for span, loaded in self._read_ahead(spans):
            if loaded is None:
                self._stream(span)
            else:
                self._write_alive(span, loaded)
            breathe()

    # ------------------------------------------------------------------------------------------ reading

    def _chunks(self, spans: Spans) -> Iterator[Span]:
        """Spans of a page; with contents, of limited size, and large messages by themselves."""
        if not self._of_content:
            yield from spans
            return
        limit = FIRST_CHUNK
        for index, a, b in spans:
            sizes = self.seen.refs[index].page.sizes
            start, total = a, 0
            for row in range(a, b):
                if row > start and (sizes[row] > LARGE or total + sizes[row] > limit or total > LARGE):
                    yield index, start, row
                    start, total, limit = row, 0, NEXT_CHUNK
                total += sizes[row]
            yield index, start, b

    def _read_ahead(self, spans: Spans) -> Iterator[tuple[Span, Loaded | None]]:
        """Chunks with what was read for them; the next is read while this one is sent."""
        chunks = self._chunks(spans)
        span = next(chunks, None)
        if span is None:
            return
        ready = self._load(span)
        for following in chunks:
            promise = self.session.services.spawn(partial(self._load, following))
            yield span, ready
            span, ready = following, promise.get()
        yield span, ready

    def _is_large(self, span: Span) -> bool:
        index, a, b = span
        return bool(self._of_content) and b - a == 1 and self.seen.refs[index].page.sizes[a] > LARGE

    def _load(self, span: Span) -> Loaded | None:
        """Everything that a chunk's answers are made of; None for a message that is streamed."""
        if self._is_large(span):
            return None
        index, a, b = span
        ref, read, loaded = self.seen.refs[index], self._materials, Loaded()
        uids = ref.page.uids[a:b]
        if self._structures:
            loaded.structures = read.structures(ref, a, b)
        if self._bodies:
            loaded.bodies = read.bodies(uids)
        for wanted in self._of_header:
            loaded.headers[wanted] = self._header_texts(wanted, ref, a, b)
        if self._of_content:
            loaded.contents = read.contents(ref, a, b)
            self.session.services.board.add("messages_read", b - a)
            if self._with_paths:
                loaded.parts.update(read.parts(uids))
        return loaded

    def _header_texts(self, wanted: Section, ref: IndexPage, a: int, b: int) -> dict[int, bytes]:
        """Uid -> the header section as a literal or quoted string, remembered per page of the index."""
        folder, cache = self.chosen.folder, self.session.services.headers
        key = (self.chosen.mailbox.ref.maildir, folder.fid, ref.number, wanted)
        known = cache.get(key) or {}
        uids = ref.page.uids[a:b]
        missing = [uid for uid in uids if uid not in known]
        if missing:
            names, negate = frozenset(wanted.fields), wanted.what == "HEADER.FIELDS.NOT"
            known = dict(known)
            for uid, header in self._materials.headers(missing).items():
                data = header if wanted.what == "HEADER" else header_fields(header, names, negate)
                known[uid] = text.literal(cut(data, wanted))
            if wanted.what != "HEADER":
                cache.put(key, known)
        return known

    # ------------------------------------------------------------------------------------------ answering

    def _write_alive(self, span: Span, loaded: Loaded) -> None:
        """The chunk's answers without the messages that are gone."""
        index, a, b = span
        uids = self.seen.refs[index].page.uids
        known: list[Mapping[int, object]] = [*loaded.headers.values()]
        if self._structures:
            known.append(loaded.structures)
        if self._bodies:
            known.append(loaded.bodies)
        if self._of_content:
            known.append(loaded.contents)
            if self._with_paths:
                known.append(loaded.parts)
        wanted = set(uids[a:b])
        if all(wanted <= where.keys() for where in known):
            return self._write(span, loaded)
        self.lost = True
        there = [row for row in range(a, b) if all(uids[row] in where for where in known)]
        for part in spans_of_rows({index: there} if there else {}):
            self._write(part, loaded)

    def _write(self, span: Span, loaded: Loaded) -> None:
        index, a, b = span
        ref = self.seen.refs[index]
        columns: list[render.Column] = []
        for item in self.request.items:
            columns.extend(self._columns(item, index, ref, a, b, loaded))
        data = render.lines(self.seen.starts[index] + a + 1, b - a, columns)
        chosen = self.chosen
        if chosen.keywords_told != chosen.mailbox.keyword_count:
            chosen.tell_keywords(self.session.write)
        self.session.write(data)

    def _columns(
        self, item: str | Section, index: int, ref: IndexPage, a: int, b: int, loaded: Loaded
    ) -> list[render.Column]:
        if isinstance(item, Section):
            return [repeat(label(item)), self._section_column(item, ref, a, b, loaded)]
        simple = SIMPLE.get(item)
        if simple is not None:
            return [simple(ref, a, b)]
        if item == "FLAGS":
            return [self.chosen.flags_column(self.seen, index, a, b)]
        uids = ref.page.uids[a:b]
        if item == "BODY":
            return [repeat(b"BODY"), [loaded.bodies[uid] for uid in uids]]
        which = 0 if item == "ENVELOPE" else 1
        return [repeat(item.encode()), [loaded.structures[uid][which] for uid in uids]]

    def _section_column(self, wanted: Section, ref: IndexPage, a: int, b: int, loaded: Loaded) -> render.Column:
        uids = ref.page.uids[a:b]
        known = loaded.headers.get(wanted)
        if known is not None:
            return [known[uid] for uid in uids]
        return [text.nliteral(self._extract(wanted, uid, loaded)) for uid in uids]

    def _extract(self, wanted: Section, uid: int, loaded: Loaded) -> bytes | None:
        """A section's octets out of the message; None when it has no such part."""
        raw = loaded.contents[uid]
        if wanted.whole:
            return cut(raw, wanted)
        if not wanted.path:  # TEXT
            return cut(raw[header_end(raw, 0, len(raw)) :], wanted)
        where = place(loaded.parts[uid], wanted)
        if where is None:
            return None
        data = raw[where[0] : where[0] + where[1]]
        if wanted.fields:
            data = header_fields(data, frozenset(wanted.fields), wanted.what == "HEADER.FIELDS.NOT")
        return cut(data, wanted)

    # ------------------------------------------------------------------------------------------ streaming

    def _stream(self, span: Span) -> None:
        """One large message: its sections go out as they are read."""
        index, a, b = span
        ref = self.seen.refs[index]
        uid = ref.page.uids[a]
        session, loaded = self.session, Loaded()
        try:
            self._load_small(ref, a, loaded)
            parts = self._materials.parts([uid])
            first = self._materials.read(uid, 0, 1)
        except MapiError as error:
            if error.code is not Ec.ecNotFound:
                raise
            first, parts = b"", {}
        if uid not in parts or not first:
            self.lost = True
            return
        session.torn = True
        session.write(b"* %d FETCH (" % (self.seen.starts[index] + a + 1))
        for at, item in enumerate(self.request.items):
            if at:
                session.write(b" ")
            if isinstance(item, Section) and item in self._of_content:
                self._stream_section(item, uid, parts[uid])
            else:
                columns = self._columns(item, index, ref, a, b, loaded)
                session.write(b" ".join(next(iter(column)) for column in columns))
        session.write(b")\r\n")
        session.torn = False

    def _load_small(self, ref: IndexPage, row: int, loaded: Loaded) -> None:
        """What the answer for a large message has beside its contents."""
        if self._structures:
            loaded.structures = self._materials.structures(ref, row, row + 1)
        if self._bodies:
            loaded.bodies = self._materials.bodies([ref.page.uids[row]])
        for wanted in self._of_header:
            loaded.headers[wanted] = self._header_texts(wanted, ref, row, row + 1)

    def _stream_section(self, wanted: Section, uid: int, parts: Part) -> None:
        session = self.session
        session.write(label(wanted) + b" ")
        where = place(parts, wanted)
        if where is None:
            session.write(b"NIL")
            return
        if wanted.fields:
            data = self._materials.read(uid, where[0], min(where[1], LARGE))
            fields = header_fields(data, frozenset(wanted.fields), wanted.what == "HEADER.FIELDS.NOT")
            session.write(text.literal(cut(fields, wanted)))
            return
        offset, length = where
        if wanted.offset >= 0:
            skip = min(wanted.offset, length)
            offset, length = offset + skip, min(wanted.length, length - skip)
        session.write(b"{%d}\r\n" % length)
        self._send_range(uid, offset, length)

    def _send_range(self, uid: int, offset: int, length: int) -> None:
        """Octets of a literal whose length has been told: when they cannot be had, the connection must end."""
        end = offset + length
        while offset < end:
            data = self._materials.read(uid, offset, min(CHUNK, end - offset))
            if not data:
                raise Closed
            self.session.write(data)
            offset += len(data)
            self.session.services.breathe()


def place(parts: Part, wanted: Section) -> tuple[int, int] | None:
    """Where a section lies in its message."""
    what = "HEADER" if wanted.fields else wanted.what or "ALL"
    return section(parts, wanted.path, what)


def cut(data: bytes, wanted: Section) -> bytes:
    """The octets of `<offset.length>`."""
    return data if wanted.offset < 0 else data[wanted.offset : wanted.offset + wanted.length]


def label(wanted: Section) -> bytes:
    """How the answer names a section."""
    return wanted.label if wanted.offset < 0 else b"%b<%d>" % (wanted.label, wanted.offset)
