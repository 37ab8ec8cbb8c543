"""gromoxctl mailbox browse: walking through a mailbox at a terminal, or by commands from a file.

`Browser` knows folders, messages, attachments and answers lines; reading commands and printing is done below it.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from gromoxd.cli.site import Site, pass_site, plain
from gromoxd.cli.stores import Folders, Store, store_of

if TYPE_CHECKING:
    from gromoxd.exmdb.calls import Folder
    from gromoxd.exmdb.objects import Attachment, Message

PAGE = 50
PIECE, MOST_TEXT = 1 << 20, 16 << 20
HELP = """\
ls [-a|-d] [FROM]    folders, and 50 messages, latest first, from number FROM on; -a: associated, -d: deleted ones
cd PATH|..|/         go to a folder
tree                 all folders
props [N]            properties of message N, or of this folder; 3/0: of attachment 0 of message 3
recipients N         properties of the recipients of a message
attachments N        attachments of a message
cat N                a message as text
raw N                a message as it is in RFC 5322 form
help, quit
N is a number that ls showed, or a message's id (0x…). N/M/… is the message that is attachment M of message N."""


class Wrong(Exception):
    """What the user asked for cannot be; the text says why."""


class Browser:
    """One walk through a mailbox. `do` answers the lines of a command."""

    def __init__(self, store: Store) -> None:
        from gromoxd.cli.showing import Names

        self._store = store
        self._names = Names(store)
        self._listed: dict[int, int] = {}
        """Number -> message, of what was listed last."""
        self.folders: Folders = store.folders()
        top = [fid for fid, path in self.folders.paths.items() if path.casefold() == "inbox"]
        self.fid = self.folders.by_fid[top[0]].parent_fid if top else min(self.folders.by_fid)

    @property
    def place(self) -> str:
        """Where we are."""
        return plain(self.folders.path(self.fid))

    def do(self, line: str) -> Iterator[str]:
        """Carry out one command. Wrong, MapiError."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise Wrong(str(error)) from None
        if not words:
            return iter(())
        command = _COMMANDS.get(words[0])
        if command is None:
            raise Wrong(f"there is no command {words[0]} (help shows them)")
        return command(self, words[1:])

    # ------------------------------------------------------------------------------------------ folders

    def _help(self, words: list[str]) -> Iterator[str]:
        yield from HELP.splitlines()

    def _cd(self, words: list[str]) -> Iterator[str]:
        self.folders = self._store.folders()
        self.fid = self._find(words[0] if words else "..").fid
        self._listed.clear()
        yield self.place

    def _find(self, name: str) -> Folder:
        """A folder by its path from here, from IPM_SUBTREE or the root."""
        here = self.folders.by_fid[self.fid]
        if name == "..":
            return self.folders.by_fid.get(here.parent_fid, here)
        if name == "/":
            return next(f for f in self.folders.by_fid.values() if not f.parent_fid)
        below = {folder.name.casefold(): folder for folder in self.folders.below(self.fid)}
        if name.rstrip("/").casefold() in below:
            return below[name.rstrip("/").casefold()]
        names = [name] if name.startswith(("/", "0x")) else [f"{self.folders.path(self.fid).rstrip('/')}/{name}", name]
        for each in names:
            try:
                return self.folders.find(each)
            except click.ClickException as error:
                problem = error.message
        raise Wrong(problem)

    def _tree(self, words: list[str]) -> Iterator[str]:
        self.folders = self._store.folders()
        sizes = self._sizes()
        roots = [folder.fid for folder in self.folders.by_fid.values() if not folder.parent_fid]
        yield from self._branch(roots, 0, sizes)

    def _branch(self, fids: list[int], depth: int, sizes: dict[int, tuple[int, int]]) -> Iterator[str]:
        for fid in fids if depth < 100 else ():
            messages, unread = sizes.get(fid, (0, 0))
            counts = f"  {messages} ({unread} unread)" if messages else ""
            mark = " *" if fid == self.fid else ""
            yield f"{'  ' * depth}{plain(self.folders.by_fid[fid].name)}{counts}{mark}"
            yield from self._branch([folder.fid for folder in self.folders.below(fid)], depth + 1, sizes)

    def _sizes(self) -> dict[int, tuple[int, int]]:
        from gromoxd.exmdb.upkeepcalls import FolderSizes

        return {one.fid: (one.messages, one.unread) for one in self._store.call(FolderSizes())}

    # ------------------------------------------------------------------------------------------ lists

    def _ls(self, words: list[str]) -> Iterator[str]:
        from gromoxd.exmdb import tables as t

        flags = (t.ASSOCIATED if "-a" in words else 0) | (t.SOFT_DELETED if "-d" in words else 0)
        numbers = [word for word in words if word not in ("-a", "-d")]
        first = _number(numbers[0], 10) if numbers else 1
        if len(numbers) > 1 or first < 1:
            raise Wrong("ls [-a|-d] [FROM]")
        if not flags and first == 1:
            self.folders = self._store.folders()
            yield from self._subfolders()
        yield from self._messages(flags, first)

    def _subfolders(self) -> Iterator[str]:
        sizes = self._sizes()
        for folder in self.folders.below(self.fid):
            messages, unread = sizes.get(folder.fid, (0, 0))
            yield f"{plain(folder.name)}/  {messages} ({unread} unread)"

    def _messages(self, flags: int, first: int) -> Iterator[str]:
        from gromoxd.exmdb import tables as t
        from gromoxd.mapi import proptags as p

        columns = [
            p.PidTagMid, p.PidTagMessageFlags, p.PidTagMessageDeliveryTime, p.PidTagMessageSize, p.PidTagSenderName,
            p.PidTagSubject, p.PidTagMessageClass,
        ]  # fmt: skip
        shown = t.Table(t.CONTENTS, self.fid, flags, sort=[(p.PidTagMessageDeliveryTime, 1)])
        found = self._store.call(t.QueryRows(shown, columns, first - 1, PAGE))
        if first == 1:
            self._listed.clear()
        for number, (eid, *cells) in enumerate(found.rows, found.position + 1):
            self._listed[number] = _counter(eid)
            yield _message_line(number, cells)
        last = found.position + len(found.rows)
        if found.total:
            more = f" (ls {last + 1} shows more)" if last < found.total else ""
            yield f"{found.position + 1} to {last} of {found.total} messages{more}"

    # ------------------------------------------------------------------------------------------ messages

    def _which(self, words: list[str]) -> tuple[int, list[int]]:
        """The message that a word names, and the path in it."""
        if len(words) != 1:
            raise Wrong("which message? (a number that ls showed)")
        head, *path = words[0].split("/")
        if head.lower().startswith("0x"):
            mid = _number(head, 16)
        else:
            number = _number(head, 10)
            if number not in self._listed:
                raise Wrong(f"ls has shown no message {number}")
            mid = self._listed[number]
        return mid, [_number(each, 10) for each in path]

    def _open(self, mid: int, path: list[int], what: int, tags: list[int] | None = None) -> Message:
        from gromoxd.exmdb.objects import OpenMessage

        return self._store.call(OpenMessage(mid, path, what, tags))

    def _props(self, words: list[str]) -> Iterator[str]:
        from gromoxd.cli.showing import properties
        from gromoxd.cli.tree import tree
        from gromoxd.exmdb import objects as o
        from gromoxd.exmdb.hierarchy import GetFolderProps

        if not words:
            bag = self._store.call(GetFolderProps(self.fid))
            yield from tree(properties(bag, self._names))
            return
        mid, path = self._which(words)
        if not path:
            found = self._open(mid, [], o.PROPS)
            yield from tree(properties(found.props, self._names, found.big))
            return
        one = self._attachment(mid, path)
        yield from tree(properties(one.props, self._names, one.big))
        if one.embedded:
            yield "embedded message"
            found = self._open(mid, path, o.PROPS)
            yield from tree(properties(found.props, self._names, found.big))

    def _attachment(self, mid: int, path: list[int]) -> Attachment:
        from gromoxd.exmdb import objects as o

        for one in self._open(mid, path[:-1], o.ATTACHMENTS).attachments:
            if one.num == path[-1]:
                return one
        raise Wrong(f"there is no attachment {path[-1]}")

    def _recipients(self, words: list[str]) -> Iterator[str]:
        from gromoxd.cli.showing import properties
        from gromoxd.cli.tree import tree
        from gromoxd.exmdb import objects as o

        for number, bag in enumerate(self._open(*self._which(words), o.RECIPIENTS).recipients):
            yield from tree(properties(bag, self._names), f"[{number}]")

    def _attachments(self, words: list[str]) -> Iterator[str]:
        from gromoxd.exmdb import objects as o
        from gromoxd.mapi import proptags as p

        for one in self._open(*self._which(words), o.ATTACHMENTS).attachments:
            name = _first(one.props, p.PidTagAttachLongFilename, p.PidTagAttachFilename, p.PidTagDisplayName)
            size = _first(one.props, p.PidTagAttachSize)
            kind = "message" if one.embedded else str(_first(one.props, p.PidTagAttachMimeTag))
            yield f"{one.num:4}  {size or 0:>10}  {plain(kind):24}  {plain(str(name))}"

    # ------------------------------------------------------------------------------------------ text

    def _cat(self, words: list[str]) -> Iterator[str]:
        from gromoxd.exmdb import objects as o
        from gromoxd.mapi import proptags as p

        mid, path = self._which(words)
        head = [
            ("From", p.PidTagSenderName), ("Sender", p.PidTagSenderSmtpAddress), ("To", p.PidTagDisplayTo),
            ("Cc", p.PidTagDisplayCc), ("Subject", p.PidTagSubject), ("Class", p.PidTagMessageClass),
        ]  # fmt: skip
        found = self._open(mid, path, o.PROPS, [*(tag for _, tag in head), p.PidTagBody])
        for label, tag in head:
            if found.props.get(tag):
                yield f"{label}: {plain(str(found.props[tag]))}"
        yield ""
        body = found.props.get(p.PidTagBody)
        if p.PidTagBody in found.big:
            body = self._text(mid, path, p.PidTagBody)
        for line in str(body or "").splitlines():
            yield plain(line.replace("\t", "    "))

    def _text(self, mid: int, path: list[int], tag: int) -> str:
        from gromoxd.exmdb.objects import ReadValue

        octets = b""
        while len(octets) < MOST_TEXT:
            piece = self._store.call(ReadValue(mid, tag, len(octets), PIECE, path))
            octets += piece
            if len(piece) < PIECE:
                break
        return octets.decode("utf-16-le", "replace")

    def _raw(self, words: list[str]) -> Iterator[str]:
        from gromoxd.exmdb.calls import ReadContent

        mid, path = self._which(words)
        found = self._open(mid, [], 0)
        if not found.uid or path:
            raise Wrong("only messages that IMAP clients see have an RFC 5322 form")
        at, rest = 0, b""
        while True:
            piece = self._store.call(ReadContent(found.fid, found.uid, at, PIECE))
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield _octets_line(line.removesuffix(b"\r"))
            at += len(piece)
            if len(piece) < PIECE:
                break
        if rest:
            yield _octets_line(rest)


def _message_line(number: int, cells: list[object]) -> str:
    from gromoxd.cli.tree import filetime
    from gromoxd.mapi.flags import MessageFlags

    flags, received, size, sender, subject, kind = cells
    bits = flags if isinstance(flags, int) else 0
    mark = (" " if bits & MessageFlags.mfRead else "*") + ("@" if bits & MessageFlags.mfHasAttach else " ")
    when = str(filetime(received))[:19] if isinstance(received, int) else "-"
    what = str(subject or "") if kind in (None, "IPM.Note") else f"[{kind}] {subject or ''}"
    return f"{number:5}{mark} {when:19} {size or 0:>9}  {plain(str(sender or ''))[:24]:24}  {plain(what)[:80]}"


def _counter(eid: object) -> int:
    """The message's id of PidTagMid."""
    from gromoxd.mapi.ids import eid_split

    return eid_split(eid)[1] if isinstance(eid, int) else 0


def _first(bag: dict[int, object], *tags: int) -> object:
    return next((bag[tag] for tag in tags if tag in bag), "")


def _octets_line(line: bytes) -> str:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    return plain(text.replace("\t", "    "))


def _number(word: str, base: int) -> int:
    try:
        return int(word, base)
    except ValueError:
        raise Wrong(f"{word!r} is no number") from None


_COMMANDS: dict[str, Callable[[Browser, list[str]], Iterator[str]]] = {
    "ls": Browser._ls, "cd": Browser._cd, "tree": Browser._tree, "props": Browser._props,
    "recipients": Browser._recipients, "attachments": Browser._attachments, "cat": Browser._cat, "raw": Browser._raw,
    "help": Browser._help,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------- the terminal


@click.command()
@click.argument("name", metavar="USER")
@pass_site
def browse(site: Site, name: str) -> None:
    """Walk through a mailbox: folders, messages, properties, attachments. The command "help" tells more.

    Without a terminal commands are read line by line from standard input; a wrong one ends it with exit status 1.
    """
    with store_of(site, name) as store:
        browser = Browser(store)
        if sys.stdin.isatty():
            _converse(browser, store.owner)
        else:
            _obey(browser)


def _obey(browser: Browser) -> None:
    for number, line in enumerate(sys.stdin, 1):
        if line.strip() in ("quit", "exit"):
            return
        try:
            for shown in browser.do(line):
                click.echo(shown)
        except Wrong as error:
            raise click.ClickException(f"line {number}: {error}") from None


def _converse(browser: Browser, owner: str) -> None:
    """Ask for commands; long answers go through the pager."""
    import contextlib

    from gromoxd.errors import MapiError

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  # gives input() a history
    while True:
        try:
            line = input(f"{plain(owner)}:{browser.place}> ")
        except (EOFError, KeyboardInterrupt):
            click.echo("")
            return
        if line.strip() in ("quit", "exit"):
            return
        try:
            shown = list(browser.do(line))
        except Wrong as error:
            click.echo(str(error))
        except MapiError as error:
            click.echo(error.text or str(error))
        else:
            _print(shown)


def _print(lines: list[str]) -> None:
    if len(lines) > shutil.get_terminal_size().lines:
        click.echo_via_pager("\n".join(lines) + "\n")
    else:
        for line in lines:
            click.echo(line)
