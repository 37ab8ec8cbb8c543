"""FETCH attributes (RFC 3501 6.4.5, RFC 7162 3.1.4): text to `Fetch`. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from workers.imap.wire import text
from workers.imap.wire.parser import Cursor

MAX_ITEMS, MAX_FIELDS = 200, 200
SIMPLE = ("UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "MODSEQ")
MACROS = {
    b"ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    b"FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    b"FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_RFC822 = {b"RFC822": "", b"RFC822.HEADER": "HEADER", b"RFC822.TEXT": "TEXT"}


@dataclass(frozen=True, slots=True)
class Section:
    """`BODY[path.what (fields)]<offset.length>`; `label` is how the answer names it (without its `<offset>`).

    `what` is '' (the part itself), HEADER, TEXT, MIME, HEADER.FIELDS or HEADER.FIELDS.NOT.
    """

    label: bytes
    path: tuple[int, ...] = ()
    what: str = ""
    fields: tuple[bytes, ...] = ()
    offset: int = -1
    length: int = 0

    @property
    def whole(self) -> bool:
        """Whether it is the whole message."""
        return not self.path and not self.what


@dataclass(frozen=True, slots=True)
class Fetch:
    """What to fetch: names of SIMPLE attributes (and 'BODY') and sections, in the client's order."""

    items: tuple[str | Section, ...]
    sets_seen: bool = False
    changed_since: int = -1


def parse(cursor: Cursor) -> Fetch:
    """`fetch-att`s and modifiers, to the end of the command."""
    items: list[str | Section] = []
    seen = False
    if cursor.accept(b"("):
        while True:
            seen |= _item(cursor, items)
            if cursor.accept(b")"):
                break
            cursor.sp()
    else:
        start = cursor.pos
        macro = MACROS.get(cursor.buf[start:].split(b" ", 1)[0].upper())
        if macro:
            cursor.name()
            items.extend(macro)
        else:
            seen = _item(cursor, items)
    if len(items) > MAX_ITEMS:
        raise cursor.fail("Too many items")
    since = _modifiers(cursor)
    cursor.end()
    if since >= 0 and "MODSEQ" not in items:
        items.append("MODSEQ")
    return Fetch(tuple(dict.fromkeys(items)), seen, since)


def _modifiers(cursor: Cursor) -> int:
    """`(CHANGEDSINCE n)`, -1 without (RFC 7162 3.1.4.1)."""
    if not cursor.accept(b" ("):
        return -1
    cursor.expect(b"CHANGEDSINCE ")
    value = cursor.modseq()
    cursor.expect(b")")
    return value


def _item(cursor: Cursor, items: list[str | Section]) -> bool:
    """One attribute; True when it sets \\Seen."""
    name = cursor.name()
    if name in (b"BODY", b"BODY.PEEK") and cursor.accept(b"["):
        items.append(_section(cursor))
        return name == b"BODY"
    if name in _RFC822:
        items.append(Section(name, (), _RFC822[name]))
        return name != b"RFC822.HEADER"
    word = name.decode()
    if word not in SIMPLE and word != "BODY":
        raise cursor.fail("Unknown FETCH item")
    items.append(word)
    return False


def _section(cursor: Cursor) -> Section:
    """What stands behind `BODY[`."""
    path = cursor.section_path()
    what = ""
    fields: tuple[bytes, ...] = ()
    if cursor.peek() != b"]":
        if path and cursor.buf[cursor.pos - 1 : cursor.pos] != b".":
            raise cursor.fail("Invalid section")
        what = cursor.name().decode()
        if what in ("HEADER.FIELDS", "HEADER.FIELDS.NOT"):
            fields = _fields(cursor)
        elif what not in ("HEADER", "TEXT", "MIME") or (what == "MIME" and not path):
            raise cursor.fail("Invalid section")
    elif path and cursor.buf[cursor.pos - 1 : cursor.pos] == b".":
        raise cursor.fail("Invalid section")
    cursor.expect(b"]")
    offset, length = _partial(cursor)
    return Section(_label(path, what, fields), path, what, fields, offset, length)


def _fields(cursor: Cursor) -> tuple[bytes, ...]:
    """`(From To …)` in upper case."""
    cursor.expect(b" (")
    names = [cursor.astring().upper()]
    while not cursor.accept(b")"):
        cursor.sp()
        names.append(cursor.astring().upper())
        if len(names) > MAX_FIELDS:
            raise cursor.fail("Too many header fields")
    return tuple(dict.fromkeys(names))


def _partial(cursor: Cursor) -> tuple[int, int]:
    """`<offset.length>`, (-1, 0) without."""
    if not cursor.accept(b"<"):
        return -1, 0
    offset = cursor.number()
    cursor.expect(b".")
    length = cursor.number()
    if not length:
        raise cursor.fail("Invalid partial")
    cursor.expect(b">")
    return offset, length


def _label(path: tuple[int, ...], what: str, fields: tuple[bytes, ...]) -> bytes:
    words = b".".join([b"%d" % n for n in path] + ([what.encode()] if what else []))
    if fields:
        words += b" (" + b" ".join(text.astring(f) for f in fields) + b")"
    return b"BODY[" + words + b"]"
