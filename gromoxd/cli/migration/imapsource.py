"""The other server of `migrate imap`: one connection, made anew when it is lost, in a thread of its own.

All that is asked for is only read (EXAMINE, BODY.PEEK) and may be asked again, so that a connection may break anywhere.
"""

from __future__ import annotations

import re
import ssl
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar, cast

import gevent
from gevent.lock import RLock
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError, ProtocolError

from gromoxd.cli.migration.imapbounds import BoundedClient
from gromoxd.cli.migration.outcome import Stopped
from gromoxd.exmdb.pages import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN

TIMEOUT: Final = 120.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
MOST_TRIES: Final = 8
"""Connections made in vain, one after the other, before it is given up."""
PIECE: Final = 1 << 20
"""Octets of a large message that are asked for at once."""
LARGEST: Final = 1 << 30
"""Octets of a message; a larger one is not taken."""
AT_ONCE: Final = 500
"""Messages whose flags are asked for at once: a command of more than 8,000 octets is too long for some servers."""
SYSTEM: Final = {
    "\\seen": SEEN, "\\answered": ANSWERED, "\\flagged": FLAGGED, "\\deleted": DELETED, "\\draft": DRAFT
}  # fmt: skip
LOCAL: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_MESSAGE_ID: Final = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
T = TypeVar("T")
LOST = (IMAPClientAbortError, OSError, EOFError)
"""What means that the connection is gone."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to log in. `folder`: only this one and those below it, '' for all."""

    user: str
    host: str
    port: int
    tls: bool
    folder: str = ""

    @classmethod
    def parse(cls, url: str) -> Address:
        """imaps://user@host[:port][/folder], or imap:// with STARTTLS (RFC 5092 2). ValueError."""
        found = urllib.parse.urlsplit(url)
        if found.scheme not in ("imap", "imaps") or not found.hostname or not found.username:
            raise ValueError("the URL is imaps://user@host[:port][/folder]")
        if found.password is not None:
            raise ValueError("the password does not belong into the URL: use --password-stdin or --password-file")
        tls = found.scheme == "imaps"
        port = found.port or (993 if tls else 143)
        user = urllib.parse.unquote(found.username)
        return cls(user, found.hostname, port, tls, urllib.parse.unquote(found.path).strip("/"))

    @property
    def account(self) -> str:
        """The same however it is reached."""
        return f"{self.user}@{self.host}".lower()

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


class SourceFolder(NamedTuple):
    """`name` is what the server calls it; `path` its components. `attributes` in lower case, without backslash."""

    name: str
    path: tuple[str, ...]
    attributes: frozenset[str]
    subscribed: bool


class Selected(NamedTuple):
    """`modseq` 0: the server has none (RFC 7162 3.1.2)."""

    uidvalidity: int
    exists: int
    modseq: int


class Flags(NamedTuple):
    """Flags of a message: the system's as bits, the others by name, sorted."""

    bits: int
    keywords: tuple[str, ...]


class Summary(NamedTuple):
    """What is known of a message before it is read. `received` in Unix seconds."""

    flags: Flags
    received: int
    size: int


class ImapSource:
    """A log-in on another server."""

    def __init__(
        self, address: Address, password: str, *, verify: bool = True, plaintext: bool = False, token: bool = False,
        first_pause: float = FIRST_PAUSE, largest: int = LARGEST,
    ) -> None:  # fmt: skip
        if plaintext and address.host.lower() not in LOCAL:
            raise ValueError("an unencrypted connection is for this host only")
        self.address = address
        self._password, self._token, self._plaintext = password, token, plaintext
        self._first_pause = first_pause
        self.largest = largest
        self._context = ssl.create_default_context()
        if not verify:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        self._client: Any = None
        self._folder: str | None = None
        self._selected: Selected | None = None
        self._lock = RLock()
        self._connections = 0

    # ------------------------------------------------------------------------------------------ the connection

    def _do(self, work: Callable[[Any], T]) -> T:
        """Something with the connection, in a thread; done again after the connection was lost. Stopped."""
        with self._lock:
            pause, tries = self._first_pause, 0
            while True:
                try:
                    return cast(T, _result(gevent.get_hub().threadpool.apply(self._attempt, (work,))))
                except LoginError as error:
                    raise Stopped(f"{self.address}: log-in refused: {told(error)}") from error
                except ssl.SSLCertVerificationError as error:
                    raise Stopped(f"{self.address.host}: {error.verify_message} (--no-verify goes on)") from error
                except LOST as error:
                    tries += 1
                    self._drop()
                    if tries >= MOST_TRIES or not self._connections:
                        raise Stopped(f"{self.address}: {told(error)}") from error
                except IMAPClientError as error:
                    if not self._connections:
                        raise Stopped(f"{self.address}: {told(error)}") from error
                    raise
                gevent.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    def _attempt(self, work: Callable[[Any], T]) -> tuple[T | None, Exception | None]:
        """In the thread, which tells its exceptions as results."""
        try:
            if self._client is None:
                self._client = self._connected()
                self._connections += 1
                if self._folder is not None:
                    self._select_again(self._folder)
            self._client.begin()
            return work(self._client), None
        except (IMAPClientError, *LOST, Stopped, ValueError, KeyError) as error:
            return None, error

    def _connected(self) -> Any:
        address = self.address
        client = BoundedClient(
            address.host, address.port, ssl=address.tls, ssl_context=self._context, timeout=TIMEOUT
        )  # fmt: skip
        try:
            client._imap.debug = 0  # it would format all that comes for a log that nobody reads
            client.normalise_times = False
            if not address.tls and not self._plaintext:
                client.starttls(self._context)
            if self._token:
                client.oauth2_login(address.user, self._password)
            else:
                client.login(address.user, self._password)
            if client.has_capability("ENABLE") and client.has_capability("CONDSTORE"):
                client.enable("CONDSTORE")  # some servers tell no HIGHESTMODSEQ before
        except BaseException:
            client.shutdown()
            raise
        return client

    def _select_again(self, folder: str) -> None:
        found = self._examine(self._client, folder)
        if self._selected is not None and found.uidvalidity != self._selected.uidvalidity:
            raise Stopped(f"{folder} was made anew meanwhile: begin again")

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            try:
                client.shutdown()
            except OSError:
                return

    def close(self) -> None:
        """Log out."""
        client, self._client = self._client, None
        if client is not None:
            try:
                client.begin()
                client.logout()
            except (IMAPClientError, OSError, Stopped):
                return

    # ------------------------------------------------------------------------------------------ folders

    def folders(self) -> tuple[list[SourceFolder], list[str]]:
        """(the user's own folders, the names of those that belong to others)."""
        return self._do(self._folders)

    def _folders(self, client: Any) -> tuple[list[SourceFolder], list[str]]:
        prefixes, foreign = _namespaces(client)
        subscribed = {name for _, _, name in client.list_sub_folders()}
        own, others = [], []
        for attributes, delimiter, name in client.list_folders():
            marks = frozenset(_text(one).lower().lstrip("\\") for one in attributes)
            if "noselect" in marks or "nonexistent" in marks:
                continue
            if any(name.startswith(prefix) for prefix in foreign):
                others.append(name)
                continue
            path = _path(name, _text(delimiter or b""), prefixes)
            own.append(SourceFolder(name, path, marks, name in subscribed))
        return own, others

    def select(self, folder: SourceFolder) -> Selected:
        """Go to a folder, for reading. IMAPClientError when the server refuses."""

        def work(client: Any) -> Selected:
            self._folder, self._selected = None, None
            found = self._examine(client, folder.name)
            self._folder, self._selected = folder.name, found
            return found

        return self._do(work)

    @staticmethod
    def _examine(client: Any, name: str) -> Selected:
        told = client.select_folder(name, readonly=True)
        return Selected(int(told.get(b"UIDVALIDITY", 0)), int(told[b"EXISTS"]), int(told.get(b"HIGHESTMODSEQ", 0)))

    # ------------------------------------------------------------------------------------------ messages

    def uids(self, since: date | None) -> list[int]:
        """The folder's messages, those that arrived on a day or later."""
        criteria: list[Any] = ["SINCE", since] if since is not None else ["ALL"]
        return sorted(self._do(lambda client: [int(uid) for uid in client.search(criteria)]))

    def summaries(self, uids: list[int]) -> dict[int, Summary]:
        """Of those that are still there; at most AT_ONCE."""

        def work(client: Any) -> dict[int, Summary]:
            found = client.fetch(uids, ["FLAGS", "INTERNALDATE", "RFC822.SIZE"])
            return {uid: _summary(row) for uid, row in found.items() if b"RFC822.SIZE" in row}

        return self._do(work)

    def flags(self, uids: list[int]) -> dict[int, Flags]:
        """Of those that are still there; at most AT_ONCE."""

        def work(client: Any) -> dict[int, Flags]:
            return {uid: _flags(row[b"FLAGS"]) for uid, row in client.fetch(uids, ["FLAGS"]).items()}

        return self._do(work)

    def changed_flags(self, uids: list[int], modseq: int) -> dict[int, Flags]:
        """Of those that changed after a mod-sequence (RFC 7162 3.1.4.1)."""

        def work(client: Any) -> dict[int, Flags]:
            found = client.fetch(uids, ["FLAGS"], [f"CHANGEDSINCE {modseq}"])
            return {uid: _flags(row[b"FLAGS"]) for uid, row in found.items() if b"FLAGS" in row}

        return self._do(work)

    def message_ids(self, uids: list[int]) -> dict[int, bytes]:
        """The Message-ID field of each, as it stands there; at most AT_ONCE."""
        return self._do(lambda client: _bodies(client.fetch(uids, [_MESSAGE_ID])))

    def bodies(self, uids: list[int]) -> dict[int, bytes]:
        """Whole messages; what the server cannot give is not among them."""

        try:
            return self._do(lambda client: _bodies(client.fetch(uids, ["BODY.PEEK[]"])))
        except IMAPClientError:
            found: dict[int, bytes] = {}
            for uid in uids if len(uids) > 1 else ():
                found |= self.bodies([uid])
            return found

    def body_into(self, file: BinaryIO, uid: int) -> int:
        """A message into a file; its octets. ProtocolError when it is longer than it may be."""
        size = 0
        while True:
            piece = self._piece(uid, size)
            file.write(piece)
            size += len(piece)
            if len(piece) < PIECE:
                return size
            if size > self.largest:
                raise ProtocolError(f"the message is longer than {self.largest} octets")

    def _piece(self, uid: int, offset: int) -> bytes:
        def work(client: Any) -> bytes:
            found = _bodies(client.fetch([uid], [f"BODY.PEEK[]<{offset}.{PIECE}>"]))
            return found.get(uid, b"")

        return self._do(work)


def _result(told: tuple[Any, Exception | None]) -> Any:
    result, error = told
    if isinstance(error, ValueError | KeyError) and not isinstance(error, OSError):
        raise ProtocolError(f"an answer that cannot be read: {type(error).__name__}") from error
    if error is not None:
        raise error
    return result


_QUOTED = re.compile(r": b['\"]")


def told(error: Exception) -> str:
    """A server's words, of which a password is never part, cut off where they are long or a line of an answer follows.

    That may be anything, such as somebody's mail.
    """
    return _QUOTED.split(str(error)[:1000], maxsplit=1)[0][:200]


def _text(octets: Any) -> str:
    return octets.decode("utf-8", "replace") if isinstance(octets, bytes) else str(octets)


def _namespaces(client: Any) -> tuple[list[str], list[str]]:
    """(prefixes of the user's own folders, those of others') (RFC 2342)."""
    if not client.has_capability("NAMESPACE"):
        return [], []
    found = client.namespace()
    foreign = [prefix for space in (found.other, found.shared) for prefix, _ in space or () if prefix]
    return [prefix for prefix, _ in found.personal or () if prefix], foreign


def _path(name: str, delimiter: str, prefixes: Iterable[str]) -> tuple[str, ...]:
    """A folder's components, without the prefix of the user's namespace (such as "INBOX.")."""
    for prefix in prefixes:
        if name.startswith(prefix) and len(name) > len(prefix):
            name = name[len(prefix) :]
            break
    parts = [part.strip() for part in name.split(delimiter)] if delimiter else [name.strip()]
    return tuple([part for part in parts if part]) or ("_",)


_KEYWORD = re.compile(r'[^\x00-\x20"%()*\\\]{\x7f-\U0010ffff]+')


def _flags(found: Iterable[Any]) -> Flags:
    bits, words = 0, set()
    for one in found:
        text = _text(one)
        bit = SYSTEM.get(text.lower())
        if bit is not None:
            bits |= bit
        elif _KEYWORD.fullmatch(text):  # \Recent is none
            words.add(text)
    return Flags(bits, tuple(sorted(words)))


def _summary(row: Any) -> Summary:
    when = row.get(b"INTERNALDATE")
    try:
        received = int(when.timestamp()) if when is not None else 0
    except (ValueError, OverflowError):
        received = 0
    return Summary(_flags(row.get(b"FLAGS", ())), max(received, 0), int(row[b"RFC822.SIZE"]))


def _bodies(found: Any) -> dict[int, bytes]:
    return {
        uid: value for uid, row in found.items() for key, value in row.items()
        if key.startswith(b"BODY[") and isinstance(value, bytes)
    }  # fmt: skip
