"""What the sessions of one worker share of a mailbox: folder list, keywords, folder indexes and the watch.

Everything here is a copy of what the owner has published and is checked against it by comparing bytes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

import msgspec

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls, keys, pages
from gromoxd.exmdb.api import Exmdb, MailboxRef
from workers.imap.index import FolderIndex
from workers.imap.wire import text

_LISTS = msgspec.msgpack.Decoder(calls.FolderList)
_SETS = msgspec.msgpack.Decoder(calls.KeywordSets)
SYSTEM_FLAGS = (
    (b"\\Seen", pages.SEEN), (b"\\Answered", pages.ANSWERED), (b"\\Flagged", pages.FLAGGED),
    (b"\\Deleted", pages.DELETED), (b"\\Draft", pages.DRAFT),
)  # fmt: skip
MAIL_CLASSES = {"", "IPF.NOTE", "IPF.IMAP"}
MAX_INDEXES = 32
MAX_WORDS = 4096


class Idler(Protocol):
    """A session that wants to be told at once (IDLE)."""

    def wake(self) -> None: ...
    @property
    def selected_fid(self) -> int: ...


class FlagWords(dict[int, bytes]):
    """Flags word -> `FLAGS (…)`."""

    def __init__(self, names: Callable[[int], list[bytes]], first: list[bytes]) -> None:
        super().__init__()
        self._names = names
        self._first = first

    def __missing__(self, word: int) -> bytes:
        if len(self) > MAX_WORDS:
            self.clear()
        value = self[word] = b"FLAGS (" + b" ".join([*self._first, *self._names(word)]) + b")"
        return value


class Mailbox:
    """One mailbox. `actor` is its user: all sessions of a mailbox in this worker are that user's."""

    def __init__(self, exmdb: Exmdb, ref: MailboxRef, actor: str, pause: Callable[[], None]) -> None:
        self.exmdb = exmdb
        self.ref = ref
        self.actor = actor
        self._pause = pause
        self._list_key = keys.folder_list(ref.maildir)
        self._sets_key = keys.keyword_sets(ref.maildir)
        self._list_raw = b""
        self._list = calls.FolderList(0, [], [])
        self._by_path: dict[str, calls.Folder] = {}
        self._sets_raw = b""
        self._sets: list[frozenset[bytes]] = [frozenset()]
        self._ordered: list[list[bytes]] = [[]]
        self._ids: dict[frozenset[bytes], int] = {frozenset(): 0}
        self._spelling: dict[bytes, bytes] = {}
        self._indexes: OrderedDict[int, FolderIndex] = OrderedDict()
        self._idlers: set[Idler] = set()
        self._unwatch: Callable[[], None] | None = None
        self._watching = False
        self.sessions = 0
        self.words = FlagWords(self.flag_names, [])
        self.recent_words = FlagWords(self.flag_names, [b"\\Recent"])

    # ------------------------------------------------------------------------------------------ hierarchy

    def folders(self) -> calls.FolderList:
        """The hierarchy as it is now."""
        data = self.exmdb.published(self.ref, self._list_key)
        if data is None:
            self._list_raw = b""
            self._take(self.exmdb.call(self.ref, calls.ListFolders(), actor=self.actor))
        elif data != self._list_raw:
            self._take(_LISTS.decode(data))
            self._list_raw = data
        return self._list

    def _take(self, listed: calls.FolderList) -> None:
        self._list = listed
        self._by_path = {f.path: f for f in listed.folders if is_listed(f)}

    def find(self, path: str) -> calls.Folder | None:
        """The folder of that name that IMAP shows, None without."""
        self.folders()
        return self._by_path.get(path)

    def visible(self) -> dict[str, calls.Folder]:
        """Path -> folder of everything that IMAP shows. Not to be changed."""
        self.folders()
        return self._by_path

    # ------------------------------------------------------------------------------------------ keywords

    def load_keywords(self) -> None:
        """Take over what the owner has published of keyword sets; they only grow."""
        data = self.exmdb.published(self.ref, self._sets_key)
        if data is not None and data == self._sets_raw:
            return
        if data is not None:
            sets = _SETS.decode(data).sets[len(self._sets) :]
            self._sets_raw = data
        else:
            first = len(self._sets)
            sets = self.exmdb.call(self.ref, calls.GetKeywordSets(first), actor=self.actor).sets
        for words in sets:
            names = [word.encode("utf-8", "replace") for word in words]
            shown = [name for name in names if text.is_atom(name)]
            self._ids.setdefault(frozenset(n.lower() for n in names), len(self._sets))
            self._sets.append(frozenset(n.lower() for n in names))
            self._ordered.append(shown)
            for name in shown:
                self._spelling.setdefault(name.lower(), name)

    @property
    def keywords(self) -> list[bytes]:
        """Every keyword known in the mailbox, in the order in which they came."""
        return list(self._spelling.values())

    @property
    def keyword_count(self) -> int:
        """How many keywords are known."""
        return len(self._spelling)

    def keyword_set(self, number: int) -> frozenset[bytes]:
        """The keywords of a keyword-set id, in lower case."""
        if number >= len(self._sets):
            self.load_keywords()
        if number >= len(self._sets):
            raise MapiError(Ec.ecError, "unknown keyword set")
        return self._sets[number]

    def keyword_set_id(self, words: frozenset[bytes]) -> int:
        """The id of a set of keywords (lower case), -1 when it is not known here."""
        return self._ids.get(words, -1)

    def sets_with(self, word: bytes) -> set[int]:
        """The ids of the sets that hold a keyword (lower case)."""
        return {number for number, words in enumerate(self._sets) if word in words}

    def flag_names(self, word: int) -> list[bytes]:
        """The flags of a flags word as IMAP names them."""
        names = [name for name, bit in SYSTEM_FLAGS if word & bit]
        number = word >> pages.KEYWORD_SHIFT
        if number:
            self.keyword_set(number)
            names += self._ordered[number]
        return names

    # ------------------------------------------------------------------------------------------ contents

    def index(self, fid: int) -> FolderIndex:
        """The index of a folder; those used last are kept."""
        found = self._indexes.get(fid)
        if found is None:
            found = self._indexes[fid] = FolderIndex(self.exmdb, self.ref, fid, self.actor, self._pause)
            if len(self._indexes) > MAX_INDEXES:
                self._indexes.popitem(last=False)
        else:
            self._indexes.move_to_end(fid)
        return found

    @property
    def weight(self) -> int:
        """About how many bytes the indexes take."""
        return sum(2000 + (40 * i.view.exists if i.view is not None else 0) for i in self._indexes.values()) + 5000

    # ------------------------------------------------------------------------------------------ events

    def watch(self, idler: Idler) -> None:
        """Wake `idler` from now on when its folder changes. One watch serves all sessions."""
        self._idlers.add(idler)
        if self._unwatch is not None or self._watching:
            return
        self._watching = True
        try:
            self._unwatch = self.exmdb.watch(self.ref, self.actor, self._notify)
        except MapiError:
            self._idlers.discard(idler)
            raise
        finally:
            self._watching = False
        for other in self._idlers:  # those that came while the watch was being set up may have missed something
            if other is not idler:
                other.wake()

    def rest(self, idler: Idler) -> None:
        """Wake `idler` no longer; the watch itself stays for its next IDLE."""
        self._idlers.discard(idler)

    def _notify(self, event: calls.Event) -> None:
        for idler in self._idlers:
            if event.fid in (-1, idler.selected_fid):
                idler.wake()

    def release(self) -> None:
        """No session is left: the watch ends."""
        if self._unwatch is not None:
            self._unwatch()
            self._unwatch = None


def is_listed(folder: calls.Folder) -> bool:
    """Whether IMAP shows a folder: mail folders that are not hidden."""
    return bool(folder.path) and not folder.hidden and folder.container_class.upper() in MAIL_CLASSES


class Mailboxes:
    """The mailboxes of a worker. Those without sessions are kept for a while, within `limit` bytes."""

    def __init__(self, exmdb: Exmdb, pause: Callable[[], None], limit: int = 16 << 20) -> None:
        self._exmdb = exmdb
        self._pause = pause
        self._limit = limit
        self._open: dict[MailboxRef, Mailbox] = {}
        self._idle: OrderedDict[MailboxRef, int] = OrderedDict()

    def enter(self, ref: MailboxRef, actor: str) -> Mailbox:
        """A session of that mailbox begins."""
        box = self._open.get(ref)
        if box is None or box.actor != actor:
            box = self._open[ref] = Mailbox(self._exmdb, ref, actor, self._pause)
        self._idle.pop(ref, None)
        box.sessions += 1
        return box

    def leave(self, box: Mailbox) -> None:
        """A session has ended."""
        box.sessions -= 1
        if box.sessions:
            return
        box.release()
        if self._open.get(box.ref) is not box:
            return
        self._idle[box.ref] = box.weight
        while sum(self._idle.values()) > self._limit or len(self._idle) > 500:
            ref, _ = self._idle.popitem(last=False)
            del self._open[ref]

    def __len__(self) -> int:
        return len(self._open)
