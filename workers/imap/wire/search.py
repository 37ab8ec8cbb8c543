"""The SEARCH program (RFC 3501 6.4.4, RFC 7162 3.1.5, RFC 5032) as a tree of small frozen values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.convert.charsets import codec_of
from gromoxd.errors import WireError
from gromoxd.exmdb import pages
from gromoxd.exmdb.calls import Term
from workers.imap.wire import dates
from workers.imap.wire.parser import Cursor
from workers.imap.wire.sequence import Ranges

MAX_DEPTH, MAX_KEYS = 250, 1000
EARLIEST_DAY, LATEST_DAY = -(1 << 31) // dates.DAY, (1 << 32) // dates.DAY


class BadCharset(Exception):
    """The search program's CHARSET is not known, or a text is not in it."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Messages with (or, `on` False, without) a system flag bit."""

    bit: int
    on: bool = True


@dataclass(frozen=True, slots=True)
class Keyword:
    """Messages with (without) a keyword, in lower case."""

    word: str
    on: bool = True


@dataclass(frozen=True, slots=True)
class Recent:
    """Messages that are \\Recent in this session."""


@dataclass(frozen=True, slots=True)
class Set:
    """Messages by number or uid."""

    ranges: Ranges
    uid: bool


@dataclass(frozen=True, slots=True)
class Between:
    """`low <= column < high` of the page columns 'sizes', 'received', 'sent', 'modseqs'."""

    column: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Text:
    """A text condition, carried out by the mailbox's owner."""

    term: Term


@dataclass(frozen=True, slots=True)
class And:
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Or:
    left: Key
    right: Key


@dataclass(frozen=True, slots=True)
class Not:
    key: Key


Key = Flag | Keyword | Recent | Set | Between | Text | And | Or | Not
ALL = And(())
FAR = 1 << 64

_FLAGS = {
    "ANSWERED": Flag(pages.ANSWERED), "UNANSWERED": Flag(pages.ANSWERED, False),
    "DELETED": Flag(pages.DELETED), "UNDELETED": Flag(pages.DELETED, False),
    "DRAFT": Flag(pages.DRAFT), "UNDRAFT": Flag(pages.DRAFT, False),
    "FLAGGED": Flag(pages.FLAGGED), "UNFLAGGED": Flag(pages.FLAGGED, False),
    "SEEN": Flag(pages.SEEN), "UNSEEN": Flag(pages.SEEN, False),
}  # fmt: skip
_PLAIN: dict[str, Key] = {
    **_FLAGS, "ALL": ALL, "RECENT": Recent(), "OLD": Not(Recent()),
    "NEW": And((Recent(), Flag(pages.SEEN, False))),
}  # fmt: skip
_DATES = {
    "BEFORE": ("received", "before"), "ON": ("received", "on"), "SINCE": ("received", "since"),
    "SENTBEFORE": ("sent", "before"), "SENTON": ("sent", "on"), "SENTSINCE": ("sent", "since"),
}  # fmt: skip
_TEXTS = {"FROM", "TO", "CC", "BCC", "SUBJECT", "BODY", "TEXT"}


@dataclass(frozen=True, slots=True)
class Program:
    """A whole program. `modseq`: the MODSEQ key occurs, so the answer tells the highest one."""

    key: Key
    modseq: bool


class Reader:
    """Parses one program; bounds its nesting and its number of keys."""

    def __init__(self, cursor: Cursor, now: int) -> None:
        self._cursor = cursor
        self._now = now
        self._charset = ""
        self._keys = 0
        self._modseq = False

    def program(self) -> Program:
        """`search-program` to the end of the command. WireError, BadCharset."""
        cursor = self._cursor
        if cursor.accept(b"CHARSET "):
            self._charset = _charset(cursor.astring())
            cursor.sp()
        key = self._list(0)
        cursor.end()
        return Program(key, self._modseq)

    def _list(self, depth: int) -> Key:
        """One or more keys with spaces between; And of them."""
        cursor, keys = self._cursor, [self._key(depth)]
        while cursor.accept(b" "):
            if cursor.at_end:
                break
            keys.append(self._key(depth))
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def _key(self, depth: int) -> Key:
        cursor = self._cursor
        self._keys += 1
        if depth > MAX_DEPTH or self._keys > MAX_KEYS:
            raise cursor.fail("Search program is nested too deeply or too long")
        if cursor.accept(b"("):
            inner = self._list(depth + 1)
            cursor.expect(b")")
            return inner
        first = cursor.peek()
        if first.isdigit() or first == b"*":
            return Set(cursor.sequence_set(), False)
        name = cursor.name().decode()
        plain = _PLAIN.get(name)
        if plain is not None:
            return plain
        return self._argued(name, depth)

    def _argued(self, name: str, depth: int) -> Key:
        """A key with arguments."""
        cursor = self._cursor
        if name == "NOT":
            cursor.sp()
            return Not(self._key(depth + 1))
        if name == "OR":
            cursor.sp()
            left = self._key(depth + 1)
            cursor.sp()
            return Or(left, self._key(depth + 1))
        if name in _TEXTS:
            cursor.sp()
            return Text(Term(name.lower(), self._text()))
        if name in _DATES:
            cursor.sp()
            return _date(*_DATES[name], cursor.date())
        reader = _ARGUED.get(name)
        if reader is None:
            raise cursor.fail("Unknown search key")
        cursor.sp()
        key: Key = reader(self)
        return key

    def _text(self) -> str:
        return self._decode(self._cursor.astring())

    def _decode(self, data: bytes) -> str:
        """Text in the program's charset; without one, UTF-8 is understood. A lone surrogate (UTF-7) is no text."""
        try:
            text = data.decode(self._charset or "utf-8")
            text.encode()
        except UnicodeError:
            raise BadCharset from None
        return text

    def _header(self) -> Key:
        name = self._cursor.astring().decode("latin-1")
        self._cursor.sp()
        return Text(Term("header", self._text(), name))

    def _keyword(self, on: bool) -> Key:
        return Keyword(self._cursor.atom().decode().lower(), on)

    def _larger(self) -> Key:
        return Between("sizes", self._cursor.number() + 1, FAR)

    def _smaller(self) -> Key:
        return Between("sizes", 0, self._cursor.number())

    def _uid(self) -> Key:
        return Set(self._cursor.sequence_set(), True)

    def _mod_sequence(self) -> Key:
        """`MODSEQ [entry-name entry-type-req] n`: mod-sequences are kept per message, not per flag."""
        cursor = self._cursor
        if cursor.peek() == b'"':
            cursor.string()
            cursor.sp()
            if cursor.name() not in (b"PRIV", b"SHARED", b"ALL"):
                raise cursor.fail("Invalid entry type")
            cursor.sp()
        self._modseq = True
        return Between("modseqs", cursor.modseq(), FAR)

    def _younger(self) -> Key:
        return Between("received", self._now - self._interval(), FAR)

    def _older(self) -> Key:
        return Between("received", 0, self._now - self._interval() + 1)

    def _interval(self) -> int:
        """RFC 5032: seconds, not zero."""
        value = self._cursor.number()
        if not value:
            raise self._cursor.fail("Invalid interval")
        return value


_ARGUED = {
    "HEADER": Reader._header,
    "KEYWORD": lambda r: r._keyword(True),
    "UNKEYWORD": lambda r: r._keyword(False),
    "LARGER": Reader._larger,
    "SMALLER": Reader._smaller,
    "UID": Reader._uid,
    "MODSEQ": Reader._mod_sequence,
    "YOUNGER": Reader._younger,
    "OLDER": Reader._older,
}


def _date(column: str, how: str, day: int) -> Key:
    """Days are those of UTC for INTERNALDATE and those written in the message for the Date field."""
    start, end = day * dates.DAY, (day + 1) * dates.DAY
    if how == "before":
        return Between(column, -(1 << 31) + 1 if column == "sent" else 0, start)
    return Between(column, start, end if how == "on" else FAR)


def _charset(name: bytes) -> str:
    """The codec for a charset that mail uses; those that decode in more than linear time are not among them."""
    codec = codec_of(name.decode("latin-1"))
    if codec is None:
        raise BadCharset
    return codec


def parse(cursor: Cursor, now: int) -> Program:
    """The program at the cursor; `now` is for YOUNGER and OLDER."""
    return Reader(cursor, now).program()


__all__ = ["ALL", "BadCharset", "Key", "Program", "WireError", "parse"]
