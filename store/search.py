"""SearchText: addresses and subject by the folded keys in SQL, header and body by reading (RFC 9051 6.4.4).

Texts are compared folded (gromoxd.convert.searchtext.fold). Most bodies are plain ASCII without transfer encoding:
those are searched as lower-cased bytes, which is the same and much cheaper. Runs on a thread.
"""

from __future__ import annotations

from mmap import mmap

import msgspec

from gromoxd.convert.headers import decode_header, unfold_fields
from gromoxd.convert.mime import Part, decode_parts
from gromoxd.convert.searchtext import MAX_PART_OCTETS, fold, part_text
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.ranges import to_ranges
from store.pace import Pace
from store.ranges import checked
from store.reading import JOIN_CONTENT, JOIN_DATA, STORED, Reader

KEYS = {"from": "from_key", "to": "to_key", "cc": "cc_key", "bcc": "bcc_key", "subject": "subject_key"}
MOST_TERMS, LONGEST_VALUE = 256, 1 << 16
_RANGE = " WHERE m.fid=? AND m.uid BETWEEN ? AND ?"
KEY_SQL = f"SELECT m.uid FROM messages m{JOIN_DATA}{_RANGE} AND instr(d.%s, ?) ORDER BY m.uid"
ALL_SQL = f"SELECT m.uid FROM messages m{_RANGE} ORDER BY m.uid"
HEAD_SQL = f"SELECT m.uid, c.head FROM messages m{JOIN_CONTENT}{_RANGE} ORDER BY m.uid"
BODY_SQL = f"SELECT m.uid, d.parts, c.head, {STORED} FROM messages m{JOIN_CONTENT}{_RANGE} ORDER BY m.uid"
_PLAIN_ENCODINGS = frozenset(("7bit", "8bit", "binary", ""))
_ASCII_SUPERSETS = ("us-ascii", "utf-8", "utf8", "iso-8859-", "windows-125", "ascii")


def search_text(reader: Reader, call: c.SearchText) -> list[c.Ranges]:
    """calls.SearchText."""
    if len(call.terms) > MOST_TERMS or any(len(t.value) > LONGEST_VALUE for t in call.terms):
        raise MapiError(Ec.ecInvalidParam, "search terms")
    ranges = checked(call.uids)
    answers: list[c.Ranges] = [[] for _ in call.terms]
    headers: list[tuple[int, _HeaderTerm]] = []
    bodies: list[tuple[int, _BodyTerm]] = []
    for i, term in enumerate(call.terms):
        if term.where in KEYS:
            answers[i] = to_ranges(_by_key(reader, call.fid, ranges, KEYS[term.where], fold(term.value)))
        elif term.where == "header":
            headers.append((i, _HeaderTerm(term)))
        elif term.where in ("body", "text"):
            bodies.append((i, _BodyTerm(term)))
        else:
            raise MapiError(Ec.ecInvalidParam, "search where?")
    if headers:
        _by_header(reader, call.fid, ranges, [term for _, term in headers])
    if bodies:
        _by_body(reader, call.fid, ranges, [term for _, term in bodies])
    for i, header in headers:
        answers[i] = to_ranges(header.found)
    for i, body in bodies:
        answers[i] = to_ranges(body.found)
    return answers


def _by_key(reader: Reader, fid: int, ranges: c.Ranges, column: str, wanted: str) -> list[int]:
    found: list[int] = []
    for first, last in ranges:
        if wanted:
            rows = reader.db.execute(KEY_SQL % column, (fid, first, last, wanted))
        else:
            rows = reader.db.execute(ALL_SQL, (fid, first, last))
        found += (uid for (uid,) in rows)
    return found


# ---------------------------------------------------------------------------------------------- header


class _HeaderTerm:
    """Looks for a value in the fields of one name."""

    def __init__(self, term: c.Term) -> None:
        self.found: list[int] = []
        self._wanted = fold(term.value)
        self._name = term.name.encode().lower()
        self._marks = (b"\n" + self._name, self._name)

    def look(self, uid: int, head: bytes, lowered: bytes) -> None:
        if self._marks[0] not in lowered and not lowered.startswith(self._marks[1]):
            return
        for name, value in unfold_fields(head):
            if name.lower() == self._name and self._wanted in fold(decode_header(value)):
                self.found.append(uid)
                return


def _by_header(reader: Reader, fid: int, ranges: c.Ranges, terms: list[_HeaderTerm]) -> None:
    pace = Pace()
    for first, last in ranges:
        for uid, head in reader.db.execute(HEAD_SQL, (fid, first, last)):
            lowered = head.lower()
            for term in terms:
                term.look(uid, head, lowered)
            pace.step()


# ---------------------------------------------------------------------------------------------- body and text


class _BodyTerm:
    """Looks for a value in the decoded text parts, with `text` in the header too."""

    def __init__(self, term: c.Term) -> None:
        self.found: list[int] = []
        self.text = term.where == "text"
        self.wanted = fold(term.value)
        self.octets = self.wanted.encode() if self.wanted.isascii() else None
        """The value as lower-case bytes; None when plain ASCII text cannot contain it."""

    def in_ascii(self, lowered: bytes) -> bool:
        return self.octets is not None and self.octets in lowered


def _by_body(reader: Reader, fid: int, ranges: c.Ranges, terms: list[_BodyTerm]) -> None:
    pace = Pace()
    for first, last in ranges:
        for uid, parts, head, *stored in reader.db.execute(BODY_SQL, (fid, first, last)):
            pace.step()
            left = [term for term in terms if not (term.text and _in_header(term, head))]
            if left:
                try:
                    raw = reader.content.message(head, *stored)
                    hits = _in_body(raw, _tree(parts), left)
                except FileNotFoundError:
                    continue
                left = [term for term in left if term not in hits]
            for term in terms:
                if term not in left:
                    term.found.append(uid)


def _tree(parts: bytes) -> Part | None:
    try:
        return decode_parts(parts)
    except msgspec.DecodeError:
        return None


def _in_header(term: _BodyTerm, head: bytes) -> bool:
    """Whether any field, as 'Name: value', contains the value."""
    if b"=?" not in head and head.isascii() and b"\0" not in head:
        lines = head.lower().replace(b"\r\n", b"\n").replace(b"\n ", b" ").replace(b"\n\t", b"\t")
        if not term.in_ascii(lines):
            return False
    return any(
        term.wanted in fold(f"{name.decode('latin-1')}: {decode_header(value)}") for name, value in unfold_fields(head)
    )


def _in_body(raw: bytes | mmap, root: Part | None, terms: list[_BodyTerm]) -> list[_BodyTerm]:
    """The terms that some text part contains."""
    hits: list[_BodyTerm] = []
    waiting = [root] if root is not None else []
    while waiting and len(hits) < len(terms):
        part = waiting.pop()
        waiting += part.children
        if part.type != "text":
            continue
        left = [term for term in terms if term not in hits]
        lowered = _plain(raw, part)
        if lowered is not None:
            hits += [term for term in left if term.in_ascii(lowered)]
        else:
            text = fold(part_text(raw, part))
            hits += [term for term in left if term.wanted in text]
    return hits


def _plain(raw: bytes | mmap, part: Part) -> bytes | None:
    """A part's text as lower-case bytes when that is all it takes: ASCII, no transfer encoding, no references."""
    if part.encoding not in _PLAIN_ENCODINGS or not part.charset.lower().startswith(_ASCII_SUPERSETS):
        return None
    data = raw[part.body_offset : part.body_offset + min(part.body_length, MAX_PART_OCTETS)]
    if not data.isascii() or (part.subtype == "html" and b"&" in data):
        return None
    return data.lower()
