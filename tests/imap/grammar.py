"""A strict reader of what an IMAP server sends (RFC 3501 section 9 and extensions). Every test's answers pass it."""

from __future__ import annotations

import re

from tests.convert.grammar import GrammarError, read_body, read_envelope

ATOM = rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+"
ASTRING = rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+"
QUOTED = rb'"(?:[\x01-\x09\x0b\x0c\x0e-\x21\x23-\x5b\x5d-\x7f]|\\["\\])*"'
NUMBER, NZ = rb"(?:0|[1-9]\d*)", rb"[1-9]\d*"
TAG = rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+"
FLAG = rb"\\?" + ATOM
TEXT = rb"[\x01-\x09\x0b\x0c\x0e-\x7f]+"
RANGE = rb"%b(?::%b)?" % (NZ, NZ)
SET = rb"%b(?:,%b)*" % (RANGE, RANGE)
FLAGS = rb"\((?:%b(?: %b)*)?\)" % (FLAG, FLAG)
PERMANENT = rb"\((?:(?:%b|\\\*)(?: (?:%b|\\\*))*)?\)" % (FLAG, FLAG)
CODES = {
    rb"ALERT", rb"READ-ONLY", rb"READ-WRITE", rb"TRYCREATE", rb"CLOSED", rb"NONEXISTENT", rb"ALREADYEXISTS", rb"CANNOT",
    rb"OVERQUOTA", rb"NOPERM", rb"UNAVAILABLE", rb"INUSE", rb"SERVERBUG", rb"EXPUNGEISSUED", rb"AUTHENTICATIONFAILED",
    rb"AUTHORIZATIONFAILED", rb"PRIVACYREQUIRED", rb"LIMIT", rb"TOOBIG", rb"HASCHILDREN",
    rb"CAPABILITY(?: %b)+" % ATOM, rb"PERMANENTFLAGS %b" % PERMANENT, rb"UIDNEXT " + NZ, rb"UIDVALIDITY " + NZ,
    rb"UNSEEN " + NZ, rb"HIGHESTMODSEQ " + NZ, rb"APPENDUID %b %b" % (NZ, NZ), rb"COPYUID %b %b %b" % (NZ, SET, SET),
    rb"MODIFIED " + SET, rb"BADCHARSET \(%b(?: %b)*\)" % (ASTRING, ASTRING),
}  # fmt: skip
CODE = re.compile(rb"\[(?:%b)\] " % b"|".join(sorted(CODES)))
MAILBOX = rb"(?:%b|%b)" % (QUOTED, ASTRING)
ITEM = rb"(?:MESSAGES|RECENT|UIDNEXT|UIDVALIDITY|UNSEEN|HIGHESTMODSEQ|SIZE) " + NUMBER
ATTRIBUTES = rb"\((?:\\%b(?: \\%b)*)?\)" % (ATOM, ATOM)
RESULT = rb"(?:MIN %b|MAX %b|ALL %b|COUNT %b|MODSEQ %b)" % (NZ, NZ, SET, NUMBER, NZ)
UNTAGGED = [
    re.compile(pattern)
    for pattern in (
        rb"CAPABILITY(?: %b)+" % ATOM,
        rb"ENABLED(?: %b)*" % ATOM,
        rb"FLAGS " + FLAGS,
        rb'LIST %b "/" %b(?: \("CHILDINFO" \("[A-Z-]+"(?: "[A-Z-]+")*\)\))?' % (ATTRIBUTES, MAILBOX),
        rb'LSUB %b "/" %b' % (ATTRIBUTES, MAILBOX),
        rb"SEARCH(?: %b)*(?: \(MODSEQ %b\))?" % (NZ, NZ),
        rb"ESEARCH \(TAG %b\)(?: UID)?(?: %b)*" % (QUOTED, RESULT),
        rb"STATUS %b \(%b(?: %b)*\)" % (MAILBOX, ITEM, ITEM),
        rb'NAMESPACE \(\("" "/"\)\) NIL NIL',
        rb"ID \(%b %b\)" % (QUOTED, QUOTED),
        NUMBER + rb" (?:EXISTS|RECENT)",
        NZ + rb" EXPUNGE",
    )
]
DATE = re.compile(rb'"[ \d]\d-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"')
SECTION = re.compile(
    rb"BODY\[(?:(?:%b(?:\.%b)*)(?:\.(?:MIME|HEADER|TEXT|HEADER\.FIELDS(?:\.NOT)? \(%b(?: %b)*\)))?|HEADER|TEXT"
    rb"|HEADER\.FIELDS(?:\.NOT)? \(%b(?: %b)*\))?\](?:<%b>)?" % ((NZ, NZ) + ((MAILBOX,) * 4) + (NUMBER,))
)
LITERAL = re.compile(rb"\{(\d+)\}\r\n")


def check(data: bytes) -> None:
    """GrammarError unless `data` is a sequence of complete answers."""
    at = 0
    while at < len(data):
        at = _answer(data, at)


def _fail(why: str, data: bytes, at: int) -> GrammarError:
    return GrammarError(f"{why} at {at}: {data[max(0, at - 60) : at + 100]!r}")


def _answer(data: bytes, at: int) -> int:
    if data.startswith(b"+ ", at):
        return _line(data, at, re.compile(rb"\+ (?:%b)?" % TEXT))
    if not data.startswith(b"* ", at):
        return _status(data, at, re.compile(TAG + rb" (?:OK|NO|BAD) "))
    found = re.compile(rb"\* (%b) FETCH \(" % NZ).match(data, at)
    if found:
        return _fetch(data, found.end())
    if re.compile(rb"\* (?:OK|NO|BAD|BYE) ").match(data, at):
        return _status(data, at, re.compile(rb"\* (?:OK|NO|BAD|BYE) "))
    end = data.find(b"\r\n", at)
    if end < 0 or not any(pattern.fullmatch(data, at + 2, end) for pattern in UNTAGGED):
        raise _fail("unknown answer", data, at)
    return end + 2


def _line(data: bytes, at: int, pattern: re.Pattern[bytes]) -> int:
    end = data.find(b"\r\n", at)
    if end < 0 or not pattern.fullmatch(data, at, end):
        raise _fail("malformed line", data, at)
    return end + 2


def _status(data: bytes, at: int, start: re.Pattern[bytes]) -> int:
    """Tagged and untagged status lines: `[code] ` must be a known one, text must follow."""
    found = start.match(data, at)
    if not found:
        raise _fail("neither tagged nor untagged", data, at)
    at = found.end()
    if data.startswith(b"[", at):
        code = CODE.match(data, at)
        if not code:
            raise _fail("unknown response code", data, at)
        at = code.end()
    return _line(data, at, re.compile(TEXT))


def _fetch(data: bytes, at: int) -> int:
    """`msg-att` behind its parenthesis."""
    names: list[bytes] = []
    while True:
        name, at = _attribute(data, at)
        if name in names:
            raise _fail(f"{name!r} twice", data, at)
        names.append(name)
        if data.startswith(b")\r\n", at):
            return at + 3
        if not data.startswith(b" ", at):
            raise _fail("no space between attributes", data, at)
        at += 1


SIMPLE = {
    b"FLAGS": re.compile(FLAGS), b"UID": re.compile(NZ), b"RFC822.SIZE": re.compile(NUMBER),
    b"INTERNALDATE": DATE, b"MODSEQ": re.compile(rb"\(%b\)" % NZ),
}  # fmt: skip


def _attribute(data: bytes, at: int) -> tuple[bytes, int]:
    section = SECTION.match(data, at)
    name = section[0] if section else re.compile(rb"[A-Z0-9.]+").match(data, at)[0]  # type: ignore[index]
    at += len(name)
    if data[at : at + 1] != b" ":
        raise _fail("no value", data, at)
    at += 1
    if section or name in (b"RFC822", b"RFC822.HEADER", b"RFC822.TEXT"):
        return name, _nstring(data, at)
    if name in SIMPLE:
        found = SIMPLE[name].match(data, at)
        if not found:
            raise _fail(f"malformed {name!r}", data, at)
        return name, found.end()
    if name not in (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE"):
        raise _fail("unknown attribute", data, at)
    end = _parenthesised(data, at)
    text = data[at:end]
    if name == b"ENVELOPE":
        read_envelope(text)
    else:
        read_body(text, name == b"BODYSTRUCTURE")
    return name, end


def _nstring(data: bytes, at: int) -> int:
    if data.startswith(b"NIL", at):
        return at + 3
    literal = LITERAL.match(data, at)
    if literal:
        end = literal.end() + int(literal[1])
        if end > len(data):
            raise _fail("literal is cut off", data, at)
        return end
    quoted = re.compile(QUOTED).match(data, at)
    if not quoted:
        raise _fail("neither string nor NIL", data, at)
    return quoted.end()


def _parenthesised(data: bytes, at: int) -> int:
    """The end of a parenthesised list whose strings are quoted."""
    depth, token = 0, re.compile(rb'"(?:[^"\\]|\\.)*"|[()]|[^"()]+', re.DOTALL)
    while True:
        found = token.match(data, at)
        if not found:
            raise _fail("unbalanced list", data, at)
        at = found.end()
        depth += (found[0] == b"(") - (found[0] == b")")
        if depth == 0:
            return at
