"""Compound files ([MS-CFB]): storages and streams in one file, as .msg files and OLE objects are.

Read and written whole, as a tree of `Storage`. Reading is bounded by the file: chains that loop, trees that loop or are
deep, and streams that share sectors end it or are cut. Files are written in version 3, with sectors of 512 octets.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from gromoxd.errors import WireError

SIGNATURE: Final = bytes.fromhex("d0cf11e0a1b11ae1")
_FREE, _END, _FAT, _DIF = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFC
_NOSTREAM: Final = 0xFFFFFFFF
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_RED, _BLACK = 0, 1
_HEADER: Final = Struct("<8s16s5H6s9I")
_ENTRY: Final = Struct("<64sHBBIII16sIQQIQ")
_IN_HEADER: Final = 109
"""FAT sectors whose numbers are in the header; further ones are in DIFAT sectors."""
MAX_ENTRIES: Final = 1 << 18
MAX_DEPTH: Final = 64
"""Storages within storages; what is deeper is not read."""


@dataclass(slots=True)
class Storage:
    """A storage: what is in it by name, streams as octets, and its class."""

    children: dict[str, bytes | Storage] = field(default_factory=dict)
    clsid: bytes = bytes(16)

    def stream(self, name: str) -> bytes | None:
        """The stream of a name, None when there is none."""
        child = self.children.get(name)
        return child if isinstance(child, bytes) else None

    def storage(self, name: str) -> Storage | None:
        """The storage of a name, None when there is none."""
        child = self.children.get(name)
        return child if isinstance(child, Storage) else None


# Reading


@dataclass(slots=True, frozen=True)
class _Entry:
    """Compound File Directory Entry ([MS-CFB] 2.6.1), as far as it is of use."""

    name: str
    kind: int
    left: int
    right: int
    child: int
    clsid: bytes
    start: int
    size: int


def is_compound(data: bytes) -> bool:
    """Whether octets begin as a compound file does."""
    return data[:8] == SIGNATURE


def decode(data: bytes) -> Storage:
    """The root storage; WireError for what is no compound file or has no directory."""
    return _Reader(data).tree()


class _Reader:
    """A compound file that is being read."""

    __slots__ = ("big", "data", "directory", "fat", "left", "mini", "minifat", "sectors", "shift")

    def __init__(self, data: bytes) -> None:
        if len(data) < 512 or not is_compound(data):
            raise WireError("no compound file")
        fields = _HEADER.unpack_from(data)
        self.data = data
        self.shift = fields[5]
        if self.shift not in (9, 12):
            raise WireError(f"sectors of 2**{self.shift} octets", 30)
        self.big = fields[12]
        self.sectors = ((len(data) - 1) >> self.shift) if len(data) > 1 << self.shift else 0
        self.left = len(data)
        """Octets that streams may still have: sectors belong to one each."""
        self.fat = self._load_fat(fields[15])
        self.minifat = _words(self._chain_octets(self.fat, fields[13], None))
        self.directory = self._chain_octets(self.fat, fields[10], None)
        self.mini = b""

    def _sector(self, number: int) -> bytes:
        at = (number + 1) << self.shift
        return self.data[at : at + (1 << self.shift)]

    def _load_fat(self, difat: int) -> array[int]:
        """The FAT ([MS-CFB] 2.3), from the header's list and the DIFAT sectors (2.5)."""
        per = 1 << (self.shift - 2)
        wanted = -(-self.sectors // per)
        numbers = list(_words(self.data[76:512]))
        for _ in range(-(-wanted // (per - 1))):
            if difat >= self.sectors or len(numbers) >= wanted + _IN_HEADER:
                break
            words = _words(self._sector(difat))
            numbers += words[: per - 1]
            difat = words[per - 1] if len(words) == per else _END
        used = [number for number in numbers if number < self.sectors][:wanted]
        return _words(b"".join([self._sector(number) for number in used]))

    def _chain(self, table: array[int], start: int, most: int) -> Iterator[tuple[int, int]]:
        """The runs (first, count) of a chain, `most` sectors of it."""
        size = len(table)
        while most > 0 and start < size:
            end = start + 1
            limit = min(start + most, size)
            while end < limit and table[end - 1] == end:
                end += 1
            yield start, end - start
            most -= end - start
            start = table[end - 1]

    def _chain_octets(self, table: array[int], start: int, size: int | None) -> bytes:
        """A stream of whole sectors; without a size, as long as its chain, once around at most."""
        shift = self.shift
        most = len(table) if size is None else -(-size >> shift)
        parts = [
            self.data[(first + 1) << shift : (first + count + 1) << shift]
            for first, count in self._chain(table, start, min(most, self.sectors))
        ]
        octets = b"".join(parts)
        return octets if size is None else octets[:size]

    def _stream(self, entry: _Entry) -> bytes:
        """A stream, cut where its chain ends and where the file has no more octets that were not read."""
        size = min(entry.size, self.left)
        if entry.size >= self.big:
            octets = self._chain_octets(self.fat, entry.start, size)
        else:
            runs = self._chain(self.minifat, entry.start, -(-size >> 6))
            octets = b"".join([self.mini[first << 6 : (first + count) << 6] for first, count in runs])[:size]
        self.left -= len(octets)
        return octets

    def _entry(self, number: int) -> _Entry | None:
        at = number * _ENTRY.size
        if at + _ENTRY.size > len(self.directory):
            return None
        name, size, kind, _, left, right, child, clsid, _, _, _, start, length = _ENTRY.unpack_from(self.directory, at)
        if self.shift == 9:
            length &= 0xFFFFFFFF
        text = name[: max(min(size, 64) - 2, 0)].decode("utf-16-le", "replace").partition("\0")[0]
        return _Entry(text, kind, left, right, child, clsid, start, length)

    def tree(self) -> Storage:
        root = self._entry(0)
        if root is None or root.kind != _ROOT:
            raise WireError("no root storage")
        self.mini = self._chain_octets(self.fat, root.start, min(root.size, len(self.data)))
        top = Storage(clsid=root.clsid)
        seen = {0}
        todo = [(top, root.child, 0)]
        while todo:
            storage, first, depth = todo.pop()
            for entry in self._siblings(first, seen):
                if entry.name in storage.children or not _is_name(entry.name):
                    continue
                if entry.kind == _STREAM:
                    storage.children[entry.name] = self._stream(entry)
                elif entry.kind == _STORAGE and depth < MAX_DEPTH:
                    inner = Storage(clsid=entry.clsid)
                    storage.children[entry.name] = inner
                    todo.append((inner, entry.child, depth + 1))
        return top

    def _siblings(self, first: int, seen: set[int]) -> Iterator[_Entry]:
        """The entries of a tree of siblings ([MS-CFB] 2.6.4) in their order, whatever its shape."""
        path: list[_Entry] = []
        number = first
        while path or number != _NOSTREAM:
            entry = None
            if number not in seen and len(seen) < MAX_ENTRIES:
                entry = self._entry(number)
            if entry is not None:
                seen.add(number)
                path.append(entry)
                number = entry.left
                continue
            if not path:
                return
            entry = path.pop()
            yield entry
            number = entry.right


def _words(octets: bytes) -> array[int]:
    words = array("I")
    words.frombytes(octets[: len(octets) & ~3])
    if sys.byteorder != "little":
        words.byteswap()
    return words


def _octets(words: array[int]) -> bytes:
    if sys.byteorder != "little":
        words = words[:]
        words.byteswap()
    return words.tobytes()


# Writing

_CUTOFF: Final = 4096
_SECTOR: Final = 512
_PER: Final = _SECTOR // 4
LONGEST_NAME: Final = 31
_MAX_SIZE: Final = 0x7FFFFFFF


@dataclass(slots=True)
class _Node:
    """An entry of the directory that is being written."""

    name: str
    kind: int
    clsid: bytes = bytes(16)
    data: bytes = b""
    color: int = _BLACK
    left: int = _NOSTREAM
    right: int = _NOSTREAM
    child: int = _NOSTREAM
    start: int = _END
    size: int = 0

    def encode(self) -> bytes:
        name = self.name.encode("utf-16-le", "surrogatepass") + b"\0\0"
        return _ENTRY.pack(
            name, len(name), self.kind, self.color, self.left, self.right, self.child, self.clsid, 0, 0, 0, self.start,
            self.size,
        )  # fmt: skip


def encode(root: Storage) -> bytes:
    """The file with a tree of storages; WireError for names of over 31 UTF-16 units or with / \\ : ! and over 2 GiB."""
    nodes = _directory(root)
    sectors = _Sectors()
    mini, minifat = bytearray(), array("I")
    for node in nodes:
        node.size = len(node.data)
        if node.size >= _CUTOFF:
            node.start = sectors.add(node.data)
        elif node.size:
            node.start = len(mini) >> 6
            mini += node.data + bytes(-node.size % 64)
            minifat.extend(range(node.start + 1, len(mini) >> 6))
            minifat.append(_END)
    top = nodes[0]
    top.size = len(mini)
    top.start = sectors.add(bytes(mini))
    minifat_start = sectors.add(_octets(minifat), b"\xff")
    directory = sectors.add(b"".join([node.encode() for node in nodes]), _NO_ENTRY)
    return sectors.finish(directory, minifat_start, -(-len(minifat) // _PER))


_NO_ENTRY: Final = _ENTRY.pack(b"", 0, 0, 0, _NOSTREAM, _NOSTREAM, _NOSTREAM, bytes(16), 0, 0, 0, 0, 0)


class _Sectors:
    """The sectors of the file, each added stream in one run, and the FAT of them."""

    __slots__ = ("fat", "parts")

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.fat = array("I")

    def add(self, data: bytes, filler: bytes = b"\0") -> int:
        """The first sector of a stream, `_END` of one without octets."""
        if not data:
            return _END
        start = len(self.fat)
        gap = -len(data) % _SECTOR
        self.parts.append(data)
        if gap:
            self.parts.append(filler * (gap // len(filler)))
        self.fat.extend(range(start + 1, start + (len(data) + gap) // _SECTOR))
        self.fat.append(_END)
        if len(self.fat) * _SECTOR > _MAX_SIZE:
            raise WireError("compound file of over 2 GiB")
        return start

    def finish(self, directory: int, minifat: int, minifat_sectors: int) -> bytes:
        """The file: header, streams, FAT, DIFAT ([MS-CFB] 2.2, 2.3, 2.5)."""
        used = len(self.fat)
        fats, difs = _table_sizes(used)
        numbers = array("I", range(used, used + fats))
        self.fat.extend([_FAT] * fats)
        self.fat.extend([_DIF] * difs)
        self.fat.extend([_FREE] * (fats * _PER - len(self.fat)))
        first_dif = used + fats if difs else _END
        header = _HEADER.pack(
            SIGNATURE, bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6), 0, fats, directory, 0, _CUTOFF, minifat,
            minifat_sectors, first_dif, difs,
        )  # fmt: skip
        listed = numbers[:_IN_HEADER]
        listed.extend([_FREE] * (_IN_HEADER - len(listed)))
        parts = [header, _octets(listed), *self.parts, _octets(self.fat)]
        for i in range(difs):
            at = _IN_HEADER + i * (_PER - 1)
            some = numbers[at : at + _PER - 1]
            some.extend([_FREE] * (_PER - 1 - len(some)))
            some.append(first_dif + i + 1 if i + 1 < difs else _END)
            parts.append(_octets(some))
        return b"".join(parts)


def _table_sizes(used: int) -> tuple[int, int]:
    """FAT and DIFAT sectors of a file with so many others; each of both is in the FAT as well."""
    fats = difs = 0
    while True:
        wanted = -(-(used + fats + difs) // _PER)
        wanted_difs = -(-max(wanted - _IN_HEADER, 0) // (_PER - 1))
        if (wanted, wanted_difs) == (fats, difs):
            return fats, difs
        fats, difs = wanted, wanted_difs


def _directory(root: Storage) -> list[_Node]:
    """The nodes of all storages and streams, the root's first, each storage with the tree of what is in it."""
    nodes = [_Node("Root Entry", _ROOT, root.clsid)]
    todo = [(nodes[0], root)]
    while todo:
        parent, storage = todo.pop()
        first = len(nodes)
        for name in sorted(storage.children, key=_order):
            child = storage.children[name]
            if isinstance(child, Storage):
                node = _Node(_checked(name), _STORAGE, child.clsid)
                node.start = 0
                todo.append((node, child))
            else:
                node = _Node(_checked(name), _STREAM, data=child)
            nodes.append(node)
        parent.child = _balance(nodes, first, len(nodes))
    return nodes


def _is_name(name: str) -> bool:
    """[MS-CFB] 2.6.1: up to 31 UTF-16 units, some characters not among them."""
    units = len(name) if name.isascii() else len(name.encode("utf-16-le", "surrogatepass")) // 2
    return 0 < units <= LONGEST_NAME and not any(sign in name for sign in "/\\:!\0")


def _checked(name: str) -> str:
    if not _is_name(name):
        raise WireError(f"no name for a stream: {name[:40]!r}")
    return name


def _order(name: str) -> tuple[int, bytes]:
    """Shorter names first, then by the code units of their upper case ([MS-CFB] 2.6.4)."""
    upper = "".join([sign.upper() if len(sign.upper()) == 1 else sign for sign in name])
    return len(name.encode("utf-16-le", "surrogatepass")), upper.encode("utf-16-be", "surrogatepass")


def _balance(nodes: list[_Node], first: int, last: int) -> int:
    """The sorted nodes as a balanced tree: its lowest level is red, all others black ([MS-CFB] 2.6.4)."""
    height = (last - first).bit_length()

    def build(low: int, high: int, level: int) -> int:
        if low >= high:
            return _NOSTREAM
        middle = (low + high) // 2
        node = nodes[middle]
        node.left, node.right = build(low, middle, level + 1), build(middle + 1, high, level + 1)
        node.color = _RED if level == height and level > 1 else _BLACK
        return middle

    return build(first, last, 1)
