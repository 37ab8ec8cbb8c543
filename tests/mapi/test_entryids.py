"""Entry ids: golden octets, which structure is found, damage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi import entryids as e
from gromoxd.mapi.ids import LongTermId

MAILBOX = bytes(range(16))
REPLICA = bytes(range(16, 32))
FOLDER, MESSAGE = LongTermId(REPLICA, 0x0D), LongTermId(REPLICA, 0x10005)
DN = "/o=First Organization/ou=First Administrative Group/cn=Recipients/cn=jkerihuel"
MESSAGE_ENTRYID = e.MessageEntryId(MAILBOX, FOLDER, MESSAGE).encode()

GOLDEN: list[tuple[e.EntryId, str]] = [
    (e.FolderEntryId(MAILBOX, FOLDER),
     "00000000" "000102030405060708090a0b0c0d0e0f" "0100"
     "101112131415161718191a1b1c1d1e1f" "00000000000d" "0000"),
    (e.FolderEntryId(e.PUBLIC_FOLDERS, FOLDER, e.ObjectType.PUBLIC_FOLDER),
     "00000000" "1a447390aa6611cd9bc800aa002fc45a" "0300"
     "101112131415161718191a1b1c1d1e1f" "00000000000d" "0000"),
    (e.MessageEntryId(MAILBOX, FOLDER, MESSAGE),
     "00000000" "000102030405060708090a0b0c0d0e0f" "0700"
     "101112131415161718191a1b1c1d1e1f" "00000000000d" "0000"
     "101112131415161718191a1b1c1d1e1f" "000000010005" "0000"),
    (e.StoreEntryId(b"srv", b"/o=X"),
     "00000000" "38a1bb1005e5101aa1bb08002b2a56c2" "0000" "656d736d64622e646c6c00000000" "00000000"
     "1b55fa20aa6611cd9bc800aa002fc45a" "0c000000" "73727600" "2f6f3d5800"),
    (e.StoreEntryId(b"srv", None, e.STORE_PUBLIC, e.WrappedType.PUBLIC),
     "00000000" "38a1bb1005e5101aa1bb08002b2a56c2" "0000" "656d736d64622e646c6c00000000" "00000000"
     "1c830210aa6611cd9bc800aa002fc45a" "06000000" "73727600"),
    (e.StoreEntryId(b"s", b"/m", server_dn=b"/d", server_fqdn="f"),
     "00000000" "38a1bb1005e5101aa1bb08002b2a56c2" "0000" "656d736d64622e646c6c00000000" "00000000"
     "1b55fa20aa6611cd9bc800aa002fc45a" "0c000000" "7300" "2f6d00"
     "d83521f3" "1b000000" "01000000" "14000000" "17000000" "2f6400" "66000000"),
    (e.StoreEntryId(b"s", None, e.STORE_PUBLIC, e.WrappedType.PUBLIC, smtp_address="a@b", rest=b"\0\0"),
     "00000000" "38a1bb1005e5101aa1bb08002b2a56c2" "0000" "656d736d64622e646c6c00000000" "00000000"
     "1c830210aa6611cd9bc800aa002fc45a" "06000000" "7300"
     "e94632f4" "18000000" "02000000" "10000000" "6100400062000000" "0000"),
    (e.OneOffEntryId("ä", "SMTP", "a@b"),
     "00000000" "812b1fa4bea310199d6e00dd010f5402" "0000" "0190"
     "e4000000" "53004d00540050000000" "6100400062000000"),
    (e.OneOffEntryId("ä", "SMTP", "a@b", 0x0006),
     "00000000" "812b1fa4bea310199d6e00dd010f5402" "0000" "0600" "e400" "534d545000" "61406200"),
    (e.AddressBookEntryId(DN),
     "00000000" "dca740c8c042101ab4b908002b2fe182" "01000000" "00000000"
     "2f6f3d4669727374204f7267616e697a6174696f6e2f6f753d46697273742041646d696e6973747261746976652047726f7570"
     "2f636e3d526563697069656e74732f636e3d6a6b6572696875656c00"),
    (e.EphemeralEntryId(MAILBOX, 0x1234, e.DisplayType.DISTRIBUTION_LIST),
     "87000000" "000102030405060708090a0b0c0d0e0f" "01000000" "01000000" "34120000"),
    (e.ContactEntryId(MESSAGE_ENTRYID, 2),
     "00000000" "fe42aa0a18c71a10e8850b651c240000" "03000000" "04000000" "02000000" "46000000"
     + MESSAGE_ENTRYID.hex()),
    (e.PersonalListEntryId(b"\1\2"),
     "00000000" "fe42aa0a18c71a10e8850b651c240000" "03000000" "05000000" "ff000000" "02000000" "0102"),
    (e.WrappedEntryId(b"\1\2\3", 0xB5),
     "00000000" "c091add3519dcf11a4a900aa0047faa4" "b5" "010203"),
    (e.GeneralEntryId(b"?" * 16, b"whatever", 1), "01000000" + "3f" * 16 + b"whatever".hex()),
]  # fmt: skip

IDS = [f"{type(value).__name__}-{number}" for number, (value, _) in enumerate(GOLDEN)]


@pytest.mark.parametrize(("value", "octets"), GOLDEN, ids=IDS)
def test_golden(value: e.EntryId, octets: str) -> None:
    data = bytes.fromhex(octets)
    assert value.encode() == data
    assert e.parse_entryid(data) == value
    assert type(value).decode(data) == value


@pytest.mark.parametrize(("value", "octets"), GOLDEN, ids=IDS)
def test_truncated(value: e.EntryId, octets: str) -> None:
    """A part is damaged, or another value that is written as that part: an id has no length of its own."""
    data = bytes.fromhex(octets)
    for end in range(len(data)):
        try:
            found = e.parse_entryid(data[:end])
        except WireError:
            continue
        assert found != value
        assert found.encode() == data[:end]


def test_provider_uids() -> None:
    assert bytes.fromhex("dca740c8c042101ab4b908002b2fe182") == e.MUID_EMSAB
    assert bytes.fromhex("812b1fa4bea310199d6e00dd010f5402") == e.MUID_OOP


def test_other_layout_is_kept() -> None:
    """An appended structure in another order, or a longer one, is not taken apart and comes back as it was."""
    data = e.StoreEntryId(b"s", b"/m", server_dn=b"/d", server_fqdn="f").encode()
    for changed in (data.replace(b"\x14\0\0\0\x17", b"\x15\0\0\0\x17"), data.replace(b"\x1b\0\0\0\1", b"\x1c\0\0\0\1")):
        found = e.StoreEntryId.decode(changed)
        assert found.server_dn is None and found.rest
        assert found.encode() == changed


def test_cut_at_nul() -> None:
    assert e.AddressBookEntryId("/o=a\0b").encode() == e.AddressBookEntryId("/o=a").encode()
    assert e.OneOffEntryId.decode(e.OneOffEntryId("a\0b", "SMTP", "c").encode()).display_name == "a"
    assert e.one_off("n", "a@b") == e.OneOffEntryId("n", "SMTP", "a@b").encode()


@pytest.mark.parametrize(
    "decode",
    [e.OneOffEntryId.decode, e.AddressBookEntryId.decode, e.StoreEntryId.decode, e.ContactEntryId.decode,
     e.PersonalListEntryId.decode, e.WrappedEntryId.decode, e.EphemeralEntryId.decode, e.FolderEntryId.decode,
     e.MessageEntryId.decode],
)  # fmt: skip
def test_wrong_provider(decode: object) -> None:
    with pytest.raises(WireError):
        decode(bytes(4) + b"?" * 40)  # type: ignore[operator]


def test_flat_entry_list() -> None:
    """Entries at multiples of 4, counted with the octets between them ([MS-OXCDATA] 2.3.3)."""
    data = bytes.fromhex("0200000012000000050000000102030405000000020000000607")
    assert e.FlatEntryList((b"\1\2\3\4\5", b"\6\7")).encode() == data == e.flat_entries([b"\1\2\3\4\5", b"\6\7"])
    assert e.FlatEntryList.decode(data).entries == (b"\1\2\3\4\5", b"\6\7")
    padded = bytes.fromhex("02000000140000000500000001020304050000000200000006070000")
    assert e.FlatEntryList.decode(padded).entries == (b"\1\2\3\4\5", b"\6\7")
    assert e.FlatEntryList.decode(bytes(8)).entries == ()
    for end in range(len(data)):
        with pytest.raises(WireError):
            e.FlatEntryList.decode(data[:end])
    with pytest.raises(WireError):
        e.FlatEntryList.decode(data + b"\0")
    with pytest.raises(WireError):
        e.FlatEntryList.decode(bytes.fromhex("ffffffff0400000000000000"))


def test_entry_list() -> None:
    data = bytes.fromhex("02000000000000000300000000000000010000000000000001020304")
    assert e.EntryList((b"\1\2\3", b"\4")).encode() == data
    assert e.EntryList.decode(data) == e.EntryList((b"\1\2\3", b"\4"))
    padded = data[:4] + b"\xff" * 4 + data[8:]
    assert e.EntryList.decode(padded) == e.EntryList((b"\1\2\3", b"\4"), (0xFFFFFFFF, 0, 0))
    assert e.EntryList.decode(padded).encode() == padded
    with pytest.raises(WireError, match="2 pads of 2 entries"):
        e.EntryList((b"\1\2\3", b"\4"), (1, 2)).encode()
    for end in range(len(data)):
        with pytest.raises(WireError):
            e.EntryList.decode(data[:end])


ENTRIES = st.lists(st.binary(max_size=9), max_size=6).map(tuple)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)


@given(ENTRIES)
def test_lists_round_trip(entries: tuple[bytes, ...]) -> None:
    assert e.FlatEntryList.decode(e.FlatEntryList(entries).encode()).entries == entries
    assert e.EntryList.decode(e.EntryList(entries).encode()).entries == entries


@given(TEXT, TEXT, TEXT, st.integers(0, 0xFFFF).map(lambda options: options | e.ONE_OFF_UNICODE))
def test_one_off_round_trip(name: str, kind: str, address: str, options: int) -> None:
    value = e.OneOffEntryId(name, kind, address, options)
    assert e.parse_entryid(value.encode()) == value
