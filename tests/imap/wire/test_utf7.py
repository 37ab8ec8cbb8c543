from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from workers.imap.wire import utf7

GOLDEN = [
    ("INBOX", b"INBOX"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("a & b", b"a &- b"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 5.1.3
    ("\U0001f600", b"&2D3eAA-"),
    ("&", b"&-"),
    ("", b""),
]


@pytest.mark.parametrize(("name", "data"), GOLDEN)
def test_golden(name: str, data: bytes) -> None:
    assert utf7.encode(name) == data
    assert utf7.decode(data) == name


@pytest.mark.parametrize(
    "data",
    [
        b"&", b"&Jjo", b"&Jjo!", b"&AGE-", b"&Jjo-&Jjo-", b"&2D0-", b"&3gA-", b"&Jjp-", b"&A-", b"\xc3\xbc", b"a\x7f",
        b"a\x00", b"a\tb", b"&AP/-", b"&APw=-", b"&AC0-",
    ],
)  # fmt: skip
def test_what_is_no_modified_utf7(data: bytes) -> None:
    with pytest.raises(WireError):
        utf7.decode(data)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_round_trip(name: str) -> None:
    assert utf7.decode(utf7.encode(name)) == name


@given(st.binary(max_size=40))
def test_any_octets_give_a_name_or_wire_error(data: bytes) -> None:
    try:
        name = utf7.decode(data)
    except WireError:
        return
    assert utf7.encode(name) == data


@given(st.text("&-AaJj,+", max_size=12))
def test_one_name_one_encoding(text: str) -> None:
    test_any_octets_give_a_name_or_wire_error.hypothesis.inner_test(text.encode())
