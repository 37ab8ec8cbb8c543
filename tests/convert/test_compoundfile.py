"""Compound files: what is written against olefile, the trees of the directory, and what is broken."""

from __future__ import annotations

import io
import random
import time

import olefile
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.convert import compoundfile as c
from gromoxd.convert.compoundfile import Storage, decode, encode
from gromoxd.errors import WireError
from tests.convert.items import GUID

_names = st.text(st.characters(categories=("L", "N"), max_codepoint=0x2FF), min_size=1, max_size=31).filter(
    lambda name: len(name.encode("utf-16-le")) <= 62 and name == name.lower()
)
"""In one case: names that differ by it alone are the same ([MS-CFB] 2.6.4)."""
_streams = st.binary(max_size=200) | st.sampled_from([b"a" * 4095, b"b" * 4096, b"c" * 4097, b"d" * 10000])
_trees = st.recursive(
    st.dictionaries(_names, _streams, max_size=6).map(lambda children: Storage(dict(children))),
    lambda inner: st.dictionaries(_names, _streams | inner, max_size=6).map(lambda children: Storage(children, GUID)),
    max_leaves=12,
)


def listed(storage: Storage, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], bytes]:
    found: dict[tuple[str, ...], bytes] = {}
    for name, child in storage.children.items():
        if isinstance(child, Storage):
            found |= listed(child, (*path, name))
        else:
            found[*path, name] = child
    return found


@settings(max_examples=200, deadline=None)
@given(_trees)
def test_any_tree_comes_back(tree: Storage) -> None:
    data = encode(tree)
    assert len(data) % 512 == 0
    assert decode(data) == tree


@settings(max_examples=100, deadline=None)
@given(_trees)
def test_olefile_reads_any_tree(tree: Storage) -> None:
    folded = [tuple(part.lower() for part in path) for path in listed(tree)]
    if len(set(folded)) != len(folded):
        return
    with olefile.OleFileIO(io.BytesIO(encode(tree)), raise_defects=olefile.DEFECT_INCORRECT) as ole:
        assert {tuple(path) for path in ole.listdir()} == set(listed(tree))
        for path, data in listed(tree).items():
            assert ole.openstream(list(path)).read() == data


@pytest.mark.parametrize("size", [0, 1, 64, 4095, 4096, 4097, 109 * 128 * 512 - 200_000, 8_000_000, 17_000_000])
def test_sizes_up_to_several_difat_sectors(size: int) -> None:
    content = random.Random(size).randbytes(size)
    tree = Storage({"big": content, "small": b"x"})
    data = encode(tree)
    assert decode(data) == tree
    with olefile.OleFileIO(io.BytesIO(data), raise_defects=olefile.DEFECT_INCORRECT) as ole:
        assert ole.openstream("big").read() == content
        assert (ole.num_difat_sectors > 0) == (size >= 8_000_000)


@pytest.mark.parametrize("count", [*range(12), 100, 1000])
def test_the_directory_is_a_red_black_tree(count: int) -> None:
    """[MS-CFB] 2.6.4: in order, no red node below a red one, as many black nodes on every way down."""
    names = sorted({f"{i * 7919 % 10007}" for i in range(count)}, key=c._order)
    nodes = c._directory(Storage(dict.fromkeys(names, b"")))
    order: list[str] = []

    def black_height(number: int, above: int) -> int:
        if number == 0xFFFFFFFF:
            return 1
        node = nodes[number]
        assert node.color == 1 or above == 1
        left = black_height(node.left, node.color)
        order.append(node.name)
        assert black_height(node.right, node.color) == left
        return left + node.color

    black_height(nodes[0].child, 0 if count else 1)
    assert order == names
    if count:
        assert nodes[nodes[0].child].color == 1


def test_the_order_of_names() -> None:
    assert sorted(["b", "aa", "A", "a_", "Z"], key=c._order) == ["A", "b", "Z", "aa", "a_"]


@pytest.mark.parametrize("name", ["", "x" * 32, "a/b", "a\\b", "a:b", "a!b", "a\0b", "😀" * 16])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(WireError):
        encode(Storage({name: b""}))


SMALL = encode(Storage({"a": b"1" * 100, "b": Storage({"c": b"2" * 5000, "d": b"3"}, GUID), "e": b"4" * 70}))


def test_truncated_everywhere() -> None:
    for end in range(len(SMALL)):
        try:
            decode(SMALL[:end])
        except WireError:
            continue


def test_each_octet_flipped() -> None:
    for at in range(len(SMALL)):
        for value in (0x00, 0xFF, SMALL[at] ^ 1):
            try:
                tree = decode(SMALL[:at] + bytes((value,)) + SMALL[at + 1 :])
            except WireError:
                continue
            assert sum(map(len, listed(tree).values())) <= len(SMALL)


def test_a_list_instead_of_a_tree() -> None:
    """Some writers chain all entries of a storage to the right."""
    nodes = [c._Node("Root Entry", 5, child=1)]
    nodes += [c._Node(f"s{i:05}", 2, right=i + 2) for i in range(5000)]
    nodes[-1].right = 0xFFFFFFFF
    sectors = c._Sectors()
    directory = sectors.add(b"".join(node.encode() for node in nodes), c._NO_ENTRY)
    assert len(decode(sectors.finish(directory, 0xFFFFFFFE, 0)).children) == 5000


def test_loops_end() -> None:
    """A FAT whose sectors all name themselves."""
    data = bytearray(encode(Storage({f"s{i}": bytes(5000) for i in range(200)})))
    fat = (int.from_bytes(data[76:80], "little") + 1) * 512
    for number in range(128):
        data[fat + 4 * number : fat + 4 * number + 4] = number.to_bytes(4, "little")
    start = time.perf_counter()
    for _ in range(10):
        try:
            decode(bytes(data))
        except WireError:
            continue
    assert time.perf_counter() - start < 2


def test_streams_that_share_sectors_are_cut() -> None:
    nodes = [c._Node("Root Entry", 5, child=1)]
    nodes += [c._Node(f"s{i:05}", 2, right=i + 2, start=0, size=100_000) for i in range(1000)]
    nodes[-1].right = 0xFFFFFFFF
    sectors = c._Sectors()
    sectors.add(bytes(100_000))
    directory = sectors.add(b"".join(node.encode() for node in nodes), c._NO_ENTRY)
    data = sectors.finish(directory, 0xFFFFFFFE, 0)
    sizes = [len(stream) for stream in listed(decode(data)).values()]
    assert (len(sizes), sizes[0], sizes[-1]) == (1000, 100_000, 0)
    assert sum(sizes) <= len(data)
