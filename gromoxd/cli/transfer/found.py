"""What formats give and take: messages with where they were found, and messages of a mailbox to be written."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from gromoxd.convert.item import Item

LARGEST: Final = 1 << 30
"""Octets of one message or file that are taken into memory."""
_LONE_LF = re.compile(rb"(?<!\r)\n")
_UNSAFE = re.compile(r'[\x00-\x1f/\\:*?"<>|\x7f]')


@dataclass(slots=True)
class Found:
    """A message that a format found: octets of a mail, or an item. With `error` there is neither: it cannot be read.

    `folder`: names of the folders that it is in there, outermost first. `special`: what the first `depth` of these are
    for (inbox, sent, …), as the source says. `flags` (pages.SEEN …) None: what the item says. `done`: octets of the
    source that are read so far. `lost`: what of the message could not be read, while the rest can.
    """

    where: str
    folder: tuple[str, ...] = ()
    raw: bytes = b""
    item: Item | None = None
    flags: int | None = None
    keywords: tuple[str, ...] = ()
    received: int | None = None
    container_class: str = ""
    special: str = ""
    depth: int = 0
    error: str = ""
    done: int = 0
    lost: tuple[str, ...] = ()


@dataclass(slots=True)
class Entry:
    """A message of a mailbox to be exported. `raw` and `item` ask the mailbox for it."""

    folder: tuple[str, ...]
    container_class: str
    uid: int
    mid: int
    flags: int
    keywords: tuple[str, ...]
    received: int
    raw: Callable[[], bytes]
    item: Callable[[], Item]


def crlf(raw: bytes) -> bytes:
    """Octets with CRLF at the ends of lines, as mail has it on the wire."""
    if b"\r" not in raw:
        return raw.replace(b"\n", b"\r\n")
    return _LONE_LF.sub(b"\r\n", raw)


def lf(raw: bytes) -> bytes:
    """Octets with LF, as files have it."""
    return raw.replace(b"\r\n", b"\n")


def files(path: str, *suffixes: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A file itself, or all files with one of the suffixes in a folder and those in it: (path, folders on the way).

    Links in the folder are left out: whoever filled it may not be allowed to read what they lead to.
    """
    if not os.path.isdir(path):
        yield path, ()
        return
    for folder, below, names in os.walk(path):
        below.sort()
        inside = os.path.relpath(folder, path)
        way = () if inside == os.curdir else tuple(inside.split(os.sep))
        for name in sorted(names):
            found = os.path.join(folder, name)
            if name.lower().endswith(suffixes) and os.path.isfile(found) and not os.path.islink(found):
                yield found, way


def size(path: str) -> int:
    """Octets of a file, or of all in a folder; what cannot be looked at counts nothing."""
    total = 0
    for folder, _, names in os.walk(path) if os.path.isdir(path) else [("", [], [path])]:
        for name in names:
            try:
                total += os.stat(os.path.join(folder, name), follow_symlinks=not folder).st_size
            except OSError:
                continue
    return total


def read_file(path: str, *, found: bool = False) -> bytes:
    """A file whole. OSError; ValueError for one larger than LARGEST.

    `found`: it was found in a folder, not named by whoever imports: then it is read if it is no link, pipe or device.
    """
    flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_NOFOLLOW | os.O_NONBLOCK if found else 0)
    with open(os.open(path, flags), "rb") as file:
        if found and not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("no file")
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"larger than {LARGEST} octets")
    return data


def read_each(
    path: str, suffixes: tuple[str, ...], decode: Callable[[bytes, Found], Iterator[Found]]
) -> Iterator[Found]:
    """What `decode` makes of each file. A file that cannot be read is a Found with the reason."""
    from gromoxd.errors import WireError

    done = 0
    for name, way in files(path, *suffixes):
        found = Found(name, way)
        try:
            data = read_file(name, found=name != path)
            done += len(data)
            found.done = done
            for one in decode(data, found):
                one.done = done
                yield one
        except (OSError, ValueError) as error:
            text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            reason = text if not isinstance(error, WireError) else f"not readable: {text}"
            yield Found(name, way, error=reason, done=done)


# ---------------------------------------------------------------------------------------------- writing


def safe_name(text: str) -> str:
    """A name for a file or folder that any file system takes and that leads nowhere else; another for another text."""
    name = _UNSAFE.sub("_", text).strip(" ")
    name = name.encode("utf-8", "replace")[:200].decode("utf-8", "ignore") or "_"
    name = "_" + name[1:] if name[0] == "." else name
    if name == text:
        return name
    return f"{name}~{blake2b(text.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"


def folder_path(top: str, folder: tuple[str, ...]) -> str:
    """The folder below `top` for a mailbox's folder, made at need."""
    path = os.path.join(top, *[safe_name(name) for name in folder])
    make_folders(path)
    return path


def make_folders(path: str) -> None:
    """Folders that are not there yet, their owner's alone."""
    if path and not os.path.isdir(path):
        make_folders(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)


def begin_file(path: str) -> BinaryIO:
    """The file that becomes `path`, for reading and writing: new, its owner's alone, and behind no link.

    What an earlier export left there goes, whatever it is.
    """
    temporary = f"{path}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    made = os.open(temporary, flags, 0o600)
    os.fchmod(made, 0o600)
    return open(made, "w+b")


def finish_file(path: str) -> None:
    """Put the file, which is closed, in its place."""
    os.replace(f"{path}.part", path)


def write_file(path: str, data: bytes, modified: int | None = None) -> None:
    """A file that is there whole or not at all, its owner's alone."""
    with begin_file(path) as file:
        file.write(data)
        file.flush()
        if modified is not None:
            os.utime(file.fileno(), (modified, modified))
    finish_file(path)
