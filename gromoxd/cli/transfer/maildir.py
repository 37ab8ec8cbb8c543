"""Maildir: one file a message, flags in its name; folders as Maildir++ (`.A.B`) or as folders in folders."""

from __future__ import annotations

import base64
import os
import re
import string
from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from gromoxd.cli.transfer.found import Entry, Found, crlf, lf, make_folders, read_file, write_file
from gromoxd.exmdb.pages import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN, is_imap_keyword

_FLAGS: Final = {"S": SEEN, "R": ANSWERED, "F": FLAGGED, "T": DELETED, "D": DRAFT}
_INFO = re.compile(r"[:;!]2,([A-Za-z,=0-9]*)$")
_SHIFTED = re.compile(r"&([^-]*)-?")
_PLAIN = re.compile(r"[^\x20-\x7e]+|&")
_KEYWORDS: Final = "dovecot-keywords"


def read(path: str) -> Iterator[Found]:
    """The messages of a Maildir and of the folders in it. tmp/ is what was never delivered, and left alone."""
    done = 0
    folders = list(_folders(path))
    if not folders:
        yield Found(path, error="not a Maildir: it has neither cur nor new")
        return
    for folder, way in folders:
        words = _words(folder)
        for name in _names(folder):
            found = Found(name, way)
            try:
                data = read_file(name, found=True)
                done += len(data)
                found.raw = crlf(data)
                found.received = int(os.stat(name).st_mtime)
                found.error = "" if data.strip() else "empty"
            except OSError as error:
                found.error = error.strerror or str(error)
            except ValueError as error:
                found.error = str(error)
            found.flags, found.keywords = flags_of(os.path.basename(name), words)
            found.done = done
            yield found


def _folders(path: str, way: tuple[str, ...] = ()) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Folders with cur or new, and their names from the outermost on."""
    if any(os.path.isdir(os.path.join(path, name)) for name in ("cur", "new")):
        yield path, way
    if len(way) > 50 or not os.path.isdir(path):
        return
    for name in sorted(os.listdir(path)):
        below = os.path.join(path, name)
        if name in ("cur", "new", "tmp") or os.path.islink(below) or not os.path.isdir(below):
            continue
        parts = name[1:].split(".") if name.startswith(".") else [name]
        yield from _folders(below, (*way, *[decode_name(part) for part in parts if part]))


def _names(folder: str) -> Iterator[str]:
    """Files in the order of their delivery, which begins their names."""
    found = []
    for part in ("cur", "new"):
        if os.path.islink(os.path.join(folder, part)):
            continue
        try:
            found += [(name, part) for name in os.listdir(os.path.join(folder, part)) if not name.startswith(".")]
        except FileNotFoundError:
            continue
    for name, part in sorted(found):
        yield os.path.join(folder, part, name)


def _words(folder: str) -> dict[str, str]:
    """Letter -> keyword, as Dovecot keeps them."""
    words: dict[str, str] = {}
    try:
        text = read_file(os.path.join(folder, _KEYWORDS), found=True)[: 1 << 16].decode("utf-8", "replace")
        for line in text.splitlines():
            number, _, word = line.partition(" ")
            if number.isdecimal() and len(number) < 3 and int(number) < 26 and is_imap_keyword(word):
                words[string.ascii_lowercase[int(number)]] = word
    except (OSError, ValueError):
        return {}
    return words


def flags_of(name: str, words: dict[str, str]) -> tuple[int, tuple[str, ...]]:
    """Flags and keywords of a file's name."""
    match = _INFO.search(name)
    letters = match.group(1).partition(",")[0] if match is not None else ""
    flags = sum(flag for letter, flag in _FLAGS.items() if letter in letters)
    return flags, tuple(words[letter] for letter in dict.fromkeys(letters) if letter in words)


def decode_name(text: str) -> str:
    """A folder's name as IMAP servers keep it: modified UTF-7 (RFC 3501 5.1.3); as it is when it is none."""
    try:
        return _SHIFTED.sub(_unshift, text)
    except (ValueError, UnicodeDecodeError):
        return text


def _unshift(match: re.Match[str]) -> str:
    coded = match.group(1)
    if not coded:
        return "&"
    octets = base64.b64decode(coded.replace(",", "/") + "=" * (-len(coded) % 4), validate=True)
    return octets.decode("utf-16-be")


def encode_name(text: str) -> str:
    """The inverse, for Maildir++, where a dot would begin another folder."""
    return _PLAIN.sub(_shift, text.replace(".", "_").replace("/", "_"))


def folder_name(way: tuple[str, ...]) -> str:
    """The folder of a mailbox's folder, another for each: a mark of the name follows where a sign had to go."""
    parts = []
    for name in way:
        mark = blake2b(name.encode("utf-8", "replace"), digest_size=4).hexdigest()
        parts.append(encode_name(name if "." not in name and "/" not in name else f"{name}~{mark}"))
    return "." + ".".join(parts)


def _shift(match: re.Match[str]) -> str:
    text = match.group()
    if text == "&":
        return "&-"
    return "&" + base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=").replace("/", ",") + "-"


class Writer:
    """Maildir++ as Dovecot and Courier have it. Files that are there, under any flags, stay."""

    def __init__(self, top: str) -> None:
        self.top = top
        self._there: dict[str, set[str]] = {}
        self._words: dict[str, list[str]] = {}

    def put(self, entry: Entry) -> None:
        """Write one message."""
        inbox = len(entry.folder) == 1 and entry.folder[0].upper() == "INBOX"
        folder = self.top if inbox or not entry.folder else os.path.join(self.top, folder_name(entry.folder))
        there = self._opened(folder)
        base = f"{entry.received}.U{entry.uid}.gromoxd"
        if base in there:
            return
        there.add(base)
        letters = "".join([letter for letter, flag in sorted(_FLAGS.items()) if entry.flags & flag])
        letters += "".join(sorted(self._letter(folder, word) for word in entry.keywords))
        path = os.path.join(folder, "cur", f"{base}:2,{letters}")
        write_file(path, lf(entry.raw()), entry.received)

    def _opened(self, folder: str) -> set[str]:
        if folder not in self._there:
            for part in ("cur", "new", "tmp"):
                make_folders(os.path.join(folder, part))
            if folder != self.top:
                write_file(os.path.join(folder, "maildirfolder"), b"")
            names = os.listdir(os.path.join(folder, "cur"))
            self._there[folder] = {name.partition(":")[0] for name in names if not name.endswith(".part")}
            known = _words(folder)
            self._words[folder] = [known.get(letter, "") for letter in string.ascii_lowercase[: len(known)]]
        return self._there[folder]

    def _letter(self, folder: str, word: str) -> str:
        """The letter of a keyword, "" when all are taken."""
        words = self._words[folder]
        if word not in words:
            if len(words) == 26:
                return ""
            words.append(word)
            lines = "".join([f"{number} {one}\n" for number, one in enumerate(words)])
            write_file(os.path.join(folder, _KEYWORDS), lines.encode())
        return string.ascii_lowercase[words.index(word)]

    def close(self) -> None:
        """Nothing is left to be done."""
