"""LIST (RFC 3501 6.3.8; CHILDREN: RFC 3348, LIST-EXTENDED: RFC 5258, LIST-STATUS: RFC 5819, SPECIAL-USE: RFC 6154)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gromoxd.exmdb.calls import Folder
from workers.imap.commands import status
from workers.imap.commands.access import mailbox
from workers.imap.commands.registry import command
from workers.imap.state import LOGGED_IN
from workers.imap.wire import text
from workers.imap.wire.parser import Cursor
from workers.imap.wire.pattern import Pattern

if TYPE_CHECKING:
    from workers.imap.session import Session

SELECTIONS = {b"SUBSCRIBED", b"REMOTE", b"RECURSIVEMATCH", b"SPECIAL-USE"}
RETURNS = {b"SUBSCRIBED", b"CHILDREN", b"SPECIAL-USE", b"STATUS"}
MAX_PATTERNS = 100
ROOT = b'* LIST (\\Noselect) "/" ""\r\n'


@dataclass(slots=True)
class Request:
    """A LIST command. `extended`: it used the syntax of RFC 5258."""

    patterns: list[Pattern]
    selection: set[bytes] = field(default_factory=set)
    returns: set[bytes] = field(default_factory=set)
    status_items: list[bytes] = field(default_factory=list)
    extended: bool = False


@dataclass(slots=True)
class Name:
    """One name that may be listed. `folder` is None for a name that cannot be selected."""

    path: str
    folder: Folder | None
    subscribed: bool = False
    has_children: bool = False
    exists: bool = True


@command("LIST", LOGGED_IN)
def list_(session: Session, cursor: Cursor) -> bytes:
    request = read(cursor)
    if request.patterns == []:
        session.write(ROOT)
        return b"OK LIST completed"
    names = gather(session, b"SUBSCRIBED" in request.selection)
    for name in names.values():
        line = _line(name, request, names)
        if line:
            session.write(line)
            if request.status_items and name.folder is not None:
                status.tell(session, name.folder, request.status_items)
    return b"OK LIST completed"


# ------------------------------------------------------------------------------------------------ reading


def read(cursor: Cursor) -> Request:
    """The arguments; `patterns` is empty for the question for the hierarchy delimiter."""
    request = Request([])
    cursor.sp()
    if cursor.peek() == b"(":
        request.selection = _words(cursor, SELECTIONS, request)
        request.extended = True
        if b"RECURSIVEMATCH" in request.selection and not request.selection & {b"SUBSCRIBED", b"SPECIAL-USE"}:
            raise cursor.fail("RECURSIVEMATCH needs another selection option")
        cursor.sp()
    reference = cursor.mailbox()
    cursor.sp()
    _patterns(cursor, reference, request)
    if cursor.accept(b" RETURN "):
        request.extended = True
        request.returns = _words(cursor, RETURNS, request)
    cursor.end()
    if b"SUBSCRIBED" in request.selection:
        request.returns.add(b"SUBSCRIBED")
    return request


def _patterns(cursor: Cursor, reference: str, request: Request) -> None:
    if cursor.accept(b"("):
        request.extended = True
        while True:
            request.patterns.append(Pattern(reference + cursor.list_mailbox()))
            if cursor.accept(b")"):
                break
            cursor.sp()
            if len(request.patterns) >= MAX_PATTERNS:
                raise cursor.fail("Too many patterns")
        return
    pattern = cursor.list_mailbox()
    if pattern or request.extended:
        request.patterns.append(Pattern(reference + pattern))


def _words(cursor: Cursor, known: set[bytes], request: Request) -> set[bytes]:
    """A parenthesised list of options."""
    cursor.expect(b"(")
    words: set[bytes] = set()
    while not cursor.accept(b")"):
        if words:
            cursor.sp()
        word = cursor.name()
        if word not in known:
            raise cursor.fail("Unknown LIST option")
        if word == b"STATUS":
            cursor.sp()
            request.status_items = status.read_items(cursor)
        words.add(word)
    return words


# ------------------------------------------------------------------------------------------------ names


def gather(session: Session, with_subscribed: bool) -> dict[str, Name]:
    """Every name in the order of its path, INBOX first; with `with_subscribed` also names that do not exist."""
    box = mailbox(session)
    subscribed = set(box.folders().subscriptions)
    names = {path: Name(path, folder, path in subscribed) for path, folder in box.visible().items()}
    if with_subscribed:
        for path in subscribed:
            names.setdefault(path, Name(path, None, True, exists=False))
    for path in list(names):
        _add_parents(path, names)
    return dict(sorted(names.items(), key=lambda item: sort_key(item[0])))


def _add_parents(path: str, names: dict[str, Name]) -> None:
    """Mark what is above a name as having children; what is not listed itself comes in as \\Noselect."""
    while "/" in path:
        real = names[path].exists
        path = path.rpartition("/")[0]
        above = names.get(path)
        if above is None:
            above = names[path] = Name(path, None, exists=real)
        elif above.has_children and (above.exists or not real):
            return
        above.has_children = True
        above.exists |= real


def sort_key(path: str) -> tuple[bool, str]:
    """INBOX and what is below it first, the rest without regard to case."""
    return not (path == "INBOX" or path.startswith("INBOX/")), path.casefold()


def matches(path: str, patterns: list[Pattern]) -> bool:
    """Whether one of the patterns fits; the letters of INBOX in any case."""
    fold = 5 if path == "INBOX" or path.startswith("INBOX/") else 0
    return any(pattern.matches(path, fold) for pattern in patterns)


# ------------------------------------------------------------------------------------------------ answers


def _selected(name: Name, request: Request) -> bool:
    """Whether a name meets the selection options."""
    if b"SUBSCRIBED" in request.selection and not name.subscribed:
        return False
    return b"SPECIAL-USE" not in request.selection or bool(name.folder and name.folder.special)


def _line(name: Name, request: Request, names: dict[str, Name]) -> bytes:
    """The LIST answer for a name, b'' when it is not listed."""
    if not matches(name.path, request.patterns):
        return b""
    chosen = _selected(name, request)
    child_info = b""
    if b"RECURSIVEMATCH" in request.selection and _has_hidden_match(name, request, names):
        kinds = [b'"%b"' % word for word in (b"SUBSCRIBED", b"SPECIAL-USE") if word in request.selection]
        child_info = b' ("CHILDINFO" (' + b" ".join(kinds) + b"))"
    if not chosen and not child_info:
        return b""
    if not request.selection and name.folder is None and not name.exists:
        return b""
    return b'* LIST (%b) "/" %b%b\r\n' % (attributes(name, request.returns), text.mailbox(name.path), child_info)


def _has_hidden_match(name: Name, request: Request, names: dict[str, Name]) -> bool:
    """Whether a name below meets the selection but not the patterns (RFC 5258 3.5)."""
    below = name.path + "/"
    return any(
        n.path.startswith(below) and _selected(n, request) and not matches(n.path, request.patterns)
        for n in names.values()
    )


def attributes(name: Name, returns: set[bytes]) -> bytes:
    """Mailbox attributes; \\NonExistent implies \\Noselect, which is told too for older clients."""
    words = []
    if not name.exists:
        words.append(b"\\NonExistent")
    if name.folder is None:
        words.append(b"\\Noselect")
    words.append(b"\\HasChildren" if name.has_children else b"\\HasNoChildren")
    if name.subscribed and b"SUBSCRIBED" in returns:
        words.append(b"\\Subscribed")
    if name.folder is not None and name.folder.special:
        words.append(b"\\" + name.folder.special.encode())
    return b" ".join(words)
