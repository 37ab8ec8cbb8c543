"""Address lists, well-formed and not."""

from __future__ import annotations

import time

import pytest

from gromoxd.convert.addresses import MAX_ADDRESSES, MAX_TOKENS, parse_addresses

A = tuple[bytes | None, bytes | None, bytes | None, bytes | None]
END: A = (None, None, None, None)


def start(name: bytes) -> A:
    return (None, None, name, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b.c", [(None, None, b"a", b"b.c")]),
        (b"<a@b.c>", [(None, None, b"a", b"b.c")]),
        (b"Joe Q. Public <j@x.y>", [(b"Joe Q. Public", None, b"j", b"x.y")]),
        (b'"Other, Person" <o@x> , p@y', [(b"Other, Person", None, b"o", b"x"), (None, None, b"p", b"y")]),
        (b'"Giant; \\"Big\\" Box" <s@x>', [(b'Giant; "Big" Box', None, b"s", b"x")]),
        (b"=?utf-8?q?a=2C_b?= <a@b>", [(b"=?utf-8?q?a=2C_b?=", None, b"a", b"b")]),
        (b"=?utf-8?q?a,_b?= <a@b>", [(b"=?utf-8?q?a,_b?=", None, b"a", b"b")]),
        (b"a@b (Real Name)", [(b"Real Name", None, b"a", b"b")]),
        (b"Pete(A nice \\) chap) <pete(his)@silly(host).test>", [(b"Pete", None, b"pete", b"silly.test")]),
        (b"<@a,@b:c@d>", [(None, b"@a,@b", b"c", b"d")]),
        (b"Name <@a:c@d>, e@f", [(b"Name", b"@a", b"c", b"d"), (None, None, b"e", b"f")]),
        (b"undisclosed-recipients:;", [start(b"undisclosed-recipients"), END]),
        (b"A Group:Ed <e@x>,j@y;, z@w", [start(b"A Group"), (b"Ed", None, b"e", b"x"), (None, None, b"j", b"y"), END,
                                         (None, None, b"z", b"w")]),
        (b"open: a@b", [start(b"open"), (None, None, b"a", b"b"), END]),
        (b"a:b:c@d;;", [start(b"a"), (None, None, b"b:c", b"d"), END]),
        (b'"john doe"@x.y', [(None, None, b"john doe", b"x.y")]),
        (b'"a@b" <c@d>', [(b"a@b", None, b"c", b"d")]),
        (b"a@[192.0.2.1]", [(None, None, b"a", b"[192.0.2.1]")]),
        (b"root", [(None, None, b"root", b"")]),
        (b"Some Name", [(b"Some Name", None, b"", b"")]),
        (b"Some Name a@b", [(b"Some Name", None, b"a", b"b")]),
        (b"a@b@c", [(None, None, b"a@b", b"c")]),
        (b"Name <>", [(b"Name", None, b"", b"")]),
        (b"Name <broken", [(b"Name", None, b"broken", b"")]),
        (b'Name" <a@b>', [(b"Name", None, b"a", b"b")]),
        (b'"Name <a@b>', [(b"Name", None, b"a", b"b")]),
        (b"(comment", [(b"(comment", None, b"", b"")]),
        (b"a @ b", [(None, None, b"a", b"b")]),
        (b",,a@b,,", [(None, None, b"a", b"b")]),
        (b"", []),
        (b"  ", []),
        (b",", []),
        (b";", []),
        (b"\xc3\xa4 <a@b>", [(b"\xc3\xa4", None, b"a", b"b")]),
    ],
)  # fmt: skip
def test_parse(value: bytes, expected: list[A]) -> None:
    assert [tuple(address) for address in parse_addresses(value)] == expected


@pytest.mark.parametrize(
    "value",
    [b"(" * 120_000, b'"' * 120_000, b'"\\' * 60_000, b"[" * 120_000, b"<" * 120_000, b"a " * 60_000, b"@" * 120_000,
     b"a@b " * 30_000, b"a:" * 60_000, b";" * 120_000, b"=?a?q?" * 20_000, b"(a)" * 40_000, b" " * 120_000],
)  # fmt: skip
def test_linear(value: bytes) -> None:
    begin = time.perf_counter()
    parse_addresses(value)
    assert time.perf_counter() - begin < 1.0


def test_number_is_bounded() -> None:
    assert len(parse_addresses(b"a@b," * 30_000)) == MAX_ADDRESSES
    assert len(parse_addresses(b"a @b," * 20_000)) == MAX_TOKENS / 5
