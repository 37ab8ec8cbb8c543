"""A session's selected mailbox: its view, what is \\Recent in it, and what the client has not been told yet.

The rules of RFC 3501 5.2, 7.3.1, 7.4 and RFC 7162 3.1.4 about unsolicited answers are here.
"""

from __future__ import annotations

from collections.abc import Callable

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls
from workers.imap import render, view
from workers.imap.index import FolderIndex
from workers.imap.mailbox import SYSTEM_FLAGS, Mailbox
from workers.imap.services import Spawn
from workers.imap.view import Spans, View
from workers.imap.wire.sequence import MAX_NUMBER, Ranges, merge

Write = Callable[[bytes], None]


class Selected:
    """One session's selected mailbox. `view` is what its client has been told."""

    __slots__ = ("folder", "index", "keywords_told", "mailbox", "read_only", "recent", "view")

    def __init__(self, mailbox: Mailbox, folder: calls.Folder, read_only: bool) -> None:
        self.mailbox = mailbox
        self.folder = folder
        self.read_only = read_only
        self.index: FolderIndex = mailbox.index(folder.fid)
        self.view: View = self.index.current()
        self.recent: Ranges = []
        self.keywords_told = 0

    # ------------------------------------------------------------------------------------------ \Recent

    def open_recent(self, spawn: Spawn) -> None:
        """What is \\Recent at SELECT or EXAMINE. SELECT takes it from later sessions, without waiting for the owner."""
        first, last = self.view.state.recent_uid, self.view.last_uid
        if first > last or (self.index.claiming and not self.read_only):
            return
        self.recent = [(first, MAX_NUMBER if self.read_only else last)]
        if not self.read_only:
            self.index.claiming = True
            spawn(self._claim)

    def claim(self) -> None:
        """Take new messages that no session has seen."""
        if not (self.read_only or self.index.claiming or self.view.state.recent_uid > self.view.last_uid):
            self.index.claiming = True
            self._claim()

    def _claim(self) -> None:
        """Ask the owner. When it cannot answer, nothing is claimed: a full disk must not keep anybody from reading."""
        try:
            first = self.mailbox.exmdb.call(
                self.mailbox.ref, calls.ClaimRecent(self.folder.fid), actor=self.mailbox.actor
            )
            last = max(self.index.state().recent_uid - 1, self.view.last_uid)
        except MapiError:
            return
        finally:
            self.index.claiming = False
        if first <= last:
            self.recent = merge(sorted([*self.recent, (first, last)]))

    def recent_count(self) -> int:
        """How many messages of the view are \\Recent."""
        return sum(self.view.count_uids(a, b) for a, b in self.recent)

    # ------------------------------------------------------------------------------------------ columns

    def flags_column(self, seen: View, index: int, a: int, b: int) -> render.Column:
        """`FLAGS (…)` of rows of a view."""
        box = self.mailbox
        return render.flags(seen.refs[index], a, b, box.words, box.recent_words, self.recent)

    def flag_lines(self, write: Write, spans: Spans, *, uid: bool, modseq: bool, flags: bool = True) -> None:
        """FETCH answers with the flags (and uid, mod-sequence) of messages of the present view."""
        seen = self.view
        for index, a, b in spans:
            ref = seen.refs[index]
            columns: list[render.Column] = []
            if uid:
                columns.append(render.uids(ref, a, b))
            if flags:
                columns.append(self.flags_column(seen, index, a, b))
            if modseq:
                columns.append(render.modseqs(ref, a, b))
            data = render.lines(seen.starts[index] + a + 1, b - a, columns)
            if flags and self.keywords_told != self.mailbox.keyword_count:
                self.tell_keywords(write)
            write(data)

    def tell_keywords(self, write: Write) -> None:
        """FLAGS and PERMANENTFLAGS; sent again before a flag that the client does not know (RFC 3501 7.2.6)."""
        names = b" ".join([name for name, _ in SYSTEM_FLAGS] + self.mailbox.keywords)
        self.keywords_told = self.mailbox.keyword_count
        write(b"* FLAGS (%b)\r\n" % names)
        if self.read_only:
            write(b"* OK [PERMANENTFLAGS ()] Read-only mailbox\r\n")
        else:
            write(b"* OK [PERMANENTFLAGS (%b \\*)] Flags permitted\r\n" % names)

    # ------------------------------------------------------------------------------------------ changes

    def current(self) -> View:
        """The folder as it is now; an empty one when it has been deleted."""
        try:
            return self.index.current()
        except MapiError as error:
            if error.code not in (Ec.ecNotFound, Ec.ecObjectDeleted):
                raise
            return view.EMPTY

    def sync(self, write: Write, *, expunge: bool, modseq: bool) -> bool:
        """Tell the client what has changed; EXPUNGE only where it is allowed. True: new messages were told."""
        old = self.view
        new = self.current()
        if new is old or (new.raw == old.raw and not (old.held and expunge)):
            return False
        if not expunge:
            return self.absorb(write, new, modseq=modseq)
        for number in view.expunged(old, new):
            write(b"* %d EXPUNGE\r\n" % number)
        self._tell(write, old, new, (), modseq)
        return self._tell_new(write, old)

    def absorb(self, write: Write, new: View, *, modseq: bool, quiet: Spans | tuple[()] = ()) -> bool:
        """Take over `new` without EXPUNGE; changed flags of the messages in `quiet` are not told."""
        old = self.view
        self._tell(write, old, view.hold(old, new), quiet, modseq)
        return self._tell_new(write, old)

    def _tell(self, write: Write, old: View, new: View, quiet: Spans | tuple[()], modseq: bool) -> None:
        self.view = new
        skip = frozenset(index for index, a, b in quiet if b - a == len(old.refs[index]))
        spans = view.without(view.changed(old, new, modseq, skip), [s for s in quiet if s[0] not in skip])
        if spans:
            self.flag_lines(write, spans, uid=False, modseq=modseq)

    def _tell_new(self, write: Write, old: View) -> bool:
        """EXISTS when there are new messages; RECENT follows by `tell_recent`."""
        if self.view.last_uid <= old.last_uid or not self.view.exists:
            return False
        write(b"* %d EXISTS\r\n" % self.view.exists)
        return True

    def tell_recent(self, write: Write) -> None:
        """RECENT behind EXISTS; takes the new messages first."""
        self.claim()
        write(b"* %d RECENT\r\n" % self.recent_count())
