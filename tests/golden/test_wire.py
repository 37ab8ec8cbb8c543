"""Every example goes through the product's own codecs in both directions, and `gromoxctl dump` shows what is in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from click.testing import CliRunner

from gromoxd.cli.dump import dump
from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.rows import row_codec
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.rop import buffer, extbuffer, lzxpress, registry
from gromoxd.rop.codec import Failure, Request, Response, read_request, read_response
from gromoxd.rop.streams import OpenStream
from gromoxd.rpc.emsmdb import EcDoRpcExt2
from tests.golden import ropexamples
from tests.golden.captures import SUBMIT, SUBMIT_ROPS, VIEWS, VIEWS_ROPS
from tests.golden.ropexamples import EXAMPLES, Example
from tests.golden.rops import Rop
from tests.golden.test_complete import carried
from tests.rop.captures import CALLS, LZ77

KNOWN = registry.FAMILIES
"""Their import has declared all ROPs."""


def packet_of(example: Example) -> Request | Response:
    """The example as `gromoxd.rop` reads it."""
    cursor = Cursor(bytes.fromhex(example.octets))
    found: Request | Response = (read_request if example.request else read_response)(cursor)
    cursor.finish()
    return found


def plain(name: str, value: Any) -> Any:
    """A value of `gromoxd.rop` as the examples have it: ids as documents print them, values by their tags."""
    if isinstance(value, bool):
        return int(value)
    if name.endswith(("folder_id", "message_id")):
        replid, counter = eid_split(value)
        return f"{replid:04X}-{counter:012X}"
    if isinstance(value, list):
        if value and isinstance(value[0], TaggedPropertyValue):
            return {one.tag: one.value for one in value}
        return [plain(name.removesuffix("s"), one) for one in value]
    return value


def same_values(packet: Request | Response, rop: Rop, columns: Iterable[int] = ()) -> None:
    """The fields of both, which are in the order of the wire. What a packet has beyond is not in these octets."""
    names = packet.__struct_fields__
    values = [plain(name, getattr(packet, name)) for name in names]
    if "rows" in names and columns:  # RowCount and octets, where the example has rows
        at = names.index("row_count")
        row = row_codec(tuple(columns))
        assert values[at] == len(rop.fields["RowData"])
        assert values[at + 1] == b"".join(row.encode(one) for one in rop.fields["RowData"])
        values[at:] = [rop.fields["RowData"]]
    assert values[: len(rop.fields)] == list(rop.fields.values())


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))
def test_rop(example: Example) -> None:
    packet = packet_of(example)
    same_values(packet, example.rop, example.columns)
    if isinstance(packet, Failure):  # [MS-OXCPERM] 4.1: the stream of a descriptor that is not kept
        octets = OpenStream(0, 1, packet.index, 0x0E6A001F, 0).failure(packet.code)
    else:
        assert type(packet).__name__ == name_of(example.rop, example.request)
        octets = packet.encode()
    assert octets == bytes.fromhex(example.octets), example.source


def name_of(rop: Rop, request: bool) -> str:
    """The class's name for a ROP."""
    return rop.name.removeprefix("Rop") + ("" if request else "Response")


@pytest.mark.parametrize(("octets", "rops"), [(SUBMIT, SUBMIT_ROPS), (VIEWS, VIEWS_ROPS)], ids=["submit", "views"])
def test_buffers_of_outlook(octets: bytes, rops: list[Rop]) -> None:
    inside, handles = buffer.read(octets)
    cursor, found = Cursor(inside), []
    while cursor.left:
        found.append(read_request(cursor))
    assert [name_of(rop, True) for rop in rops] == [type(one).__name__ for one in found]
    assert buffer.write(b"".join(one.encode() for one in found), handles) == octets


@pytest.mark.parametrize("name", CALLS)
def test_calls_of_outlook(name: str) -> None:
    octets, payload = CALLS[name]
    call = EcDoRpcExt2.decode(octets)
    assert extbuffer.read_one(call.rops) == payload
    assert (call.rops_size, call.aux_in_size) == (len(call.rops), len(call.aux_in))
    assert call.encode() == octets
    for end in range(len(octets)):
        with pytest.raises(WireError):
            EcDoRpcExt2.decode(octets[:end])


@pytest.mark.parametrize("name", LZ77)
def test_compression(name: str) -> None:
    """[MS-XCA] does not say which matches a compressor finds: what is compressed comes out again."""
    octets, text = LZ77[name]
    assert lzxpress.decompress(octets, len(text)) == text
    assert lzxpress.decompress(lzxpress.compress(text), len(text)) == text


# ------------------------------------------------------------------------------------------------ gromoxctl dump

KINDS: dict[str, tuple[str, str]] = {
    "oxctabl-4.5.3.2": ("rop-response", "  row_count: 9"),
    "oxorule-4.2.1d": ("rop-buffer", "  [1]: none"),
    "oxocal-4.1.1.1": ("recurrence", "    week_days: 0x0032 M | Th | F"),
    "oxocal-4.1.1.2": ("recurrence", '      location: "34/4141"'),
    "oxocal-4.1.1.3": ("recurrence", "    deleted_instance_dates: 2 items"),
    "oxocal-4.1.1.4": ("recurrence", "    recur_frequency: 0x200c Monthly"),
    "oxocal-4.1.1.6": ("recurrence", "    calendar_type: 0x8 CAL_HEBREW"),
    "oxocal-4.1.4": ("timezone", '  key_name: "Pacific Standard Time"'),
    "oxocal-4.1.5": ("tzstruct", "  standard_date: 1. Sunday of month 11, 02:00:00"),
    "oxocal-goid": ("globalobjectid", "  creation_time_nt: 2008-02-20T17:16:51.109Z"),
    "oxcical-instance": ("globalobjectid", "GlobalObjectId"),
    "oxodlgt-4.1.1": ("entryid", "  kind: 0x1 PRIVATE_FOLDER"),
    "oxosrch-4.1": ("entrylist", "  entries: 1 item"),
    "oxomsg-4.5": ("verbs", '      name: "Yes"'),
    "oxcfxics-stream": ("fasttransfer", "30080040 PidTagLastModificationTime: 2015-05-03T09:15:12Z"),
    "asemail-4.3-1": ("globalobjectid", "GlobalObjectId"),
    "asemail-4.3-2": ("globalobjectid", '  uid: "{81412D3C-2A24-4E9D-B20E-11F7BBE92799}"'),
    "rtfcp-1": ("rtf", r"{\rtf1\ansi\ansicpg1252\pard hello world}"),
    "rtfcp-2": ("rtf", r"{\rtf1 WXYZWXYZWXYZWXYZWXYZ}"),
    "rtfcp-3": ("rtf", r"{\rtf1\ansi\ansicpg1252\pard test}"),
    "rpc-bind-nspi": ("rpc-pdu", "          uuid: {f5cc5a18-4264-101a-8c59-08002b2f8426}"),
    "rpch-conn-a1": ("rts", "RECEIVE_WINDOW_SIZE: 262144"),
    "rpch-conn-a3": ("rts", "CONNECTION_TIMEOUT: 120000"),
    "rpch-ping": ("rts", "flags: 0x0001 PING"),
    "rpch-conn-c2": ("rts", "RECEIVE_WINDOW_SIZE: 65536"),
    "rpch-fca": ("rts", "DESTINATION: 0 CLIENT"),
    "rpch-conn-b1": ("rts", "CLIENT_KEEPALIVE: 300000"),
    "nlmp-challenge": ("ntlm", "    NB_DOMAIN_NAME: 44006f006d00610069006e00"),
    "nlmp-auth": ("ntlm", '  workstation: "COMPUTER"'),
    "xca-3.1a": ("lz77", "abcdefghijklmnopqrstuvwxyz"),
    "xca-3.1b": ("lz77", "abc" * 100),
    "outlook2007-001": ("rpc-call", "          0x0d RemoveAllRecipients"),
    "outlook2007-001-plain": ("rop-buffer", "  0x32 SubmitMessage"),
    "oab2-browse": ("oab", "      details_size: 57"),
    "oab3-browse": ("oab", "  serial: 189751999"),
    "oab-anr": ("oab-anr", '    key: 4c697361204d696c6c6572 "Lisa Miller"'),
    "oab2-mszip": ("oab-mdi", "      display_type: 1"),
    "outlook2007-002": ("rpc-call", "          0x4f FindRow"),
    "outlook2007-002-plain": ("rop-buffer", "  0x29 RegisterNotification"),
}
"""By the example's id: the kind, and a line that it shows."""

HEADINGS: dict[str, bytes] = {
    **dict.fromkeys(CALLS, b"emsmdb 11\n"),
    **{name: b"%d\n" % len(text) for name, (_, text) in LZ77.items()},
    "oxorule-4.2.1d": b"\2\0",  # RopSize of a buffer without ROPs: the example is its handles
}
NO_STRUCTURE = {
    "nlmp-ntowfv2", "nlmp-sbk", "nlmp-lmv2", "nlmp-ntproof", "nlmp-esk", "nlmp-seal",  # keys, digests, ciphertext
    "oxocal-forum",  # damaged: tests/golden/test_properties.py
}  # fmt: skip


def kinds() -> dict[str, tuple[str, str]]:
    """The table above, and ROPs by what they are."""
    found = dict(KINDS)
    for name, example in EXAMPLES.items():
        rop = int(example.octets[:2], 16)
        what = "Failure" if isinstance(packet_of(example), Failure) else name_of(example.rop, example.request)
        found[name] = ("rop-request" if example.request else "rop-response", f"{rop:#04x} {what}")
    return found


def shown(kind: str, octets: bytes) -> list[str]:
    """The lines of `gromoxctl dump`."""
    outcome = CliRunner().invoke(dump, [kind, "--binary"], input=octets)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output.splitlines()


def test_every_example_has_a_dump() -> None:
    assert set(kinds()) | NO_STRUCTURE == set(carried())


@pytest.mark.parametrize("name", sorted(kinds()))
def test_dump(name: str) -> None:
    kind, line = kinds()[name]
    lines = shown(kind, HEADINGS.get(name, b"") + carried()[name])
    assert line in lines, "\n".join(lines)
    assert not any("WireError" in one for one in lines)


DAMAGED: list[tuple[str, bytes, str]] = [
    ("lz77", b"?", "a line with the size"),
    ("lz77", b"x\nabc", "no size 'x'"),
    ("lz77", b"70000\nabc", "70000 octets announced"),
    ("rpc-call", b"emsmdb 11 1\n", "with an opnum"),
    ("rpc-call", b"emsmdb 99\n", "emsmdb has no 99"),
    ("rpc-answer", b"samr 1\n", "emsmdb"),
    ("rpc-header-ext", b"\1\0\4\0\0\0\0\0", "version 1"),
    ("mapihttp-request", b"Ping\n", "no request type 'Ping'"),
    ("mapihttp-response", b"Execute\n\0", "no mapihttp-response at offset"),
    ("ntlm", b"NTLMSSP\0\4\0\0\0", "no NTLM message"),
    ("aux", b"\3\0\1\1", "auxiliary block"),
    ("autodiscover-request", b"<a/>", "no request to AutoDiscover"),
    ("autodiscover-response", b"<a/>", "no SOAP response"),
]


@pytest.mark.parametrize(
    ("kind", "octets", "why"), DAMAGED, ids=[f"{kind}-{n}" for n, (kind, *_) in enumerate(DAMAGED)]
)
def test_dump_of_damage(kind: str, octets: bytes, why: str) -> None:
    outcome = CliRunner().invoke(dump, [kind, "--binary"], input=octets)
    assert outcome.exit_code == 1 and why in outcome.output


AUX = bytes.fromhex("0800 01 17 01000000")
EXTENDED = extbuffer.write([AUX], xor=True)


def u32(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def test_dump_of_mapihttp() -> None:
    """Bodies of Connect, Execute and NotificationWait ([MS-OXCMAPIHTTP] 2.2.4) with what they carry."""
    tail = u32(len(EXTENDED)) + EXTENDED
    connect = b"connect\n/o=x/cn=ann\0" + u32(0, 1252, 0x409, 0x409) + tail
    lines = shown("mapihttp-request", connect)
    assert lines[1:3] == ["flags: 0x0", "default_code_page: 1252"]
    assert "    flags: 0x0006 XorMagic | Last" in lines and "      type 0x17" in lines
    rops = extbuffer.write([buffer.write(bytes.fromhex(EXAMPLES["oxctabl-4.1.1"].octets), [1, 2])], 0)
    execute = b"Execute\n" + u32(3, len(rops)) + rops + u32(0x8000) + tail
    lines = shown("mapihttp-request", execute)
    assert "        0x05 GetContentsTable" in lines and "max_rop_out: 32768" in lines
    answer = b"Execute\n" + u32(0, 0x4B6, 0, 0) + tail
    assert "error_code: 0x000004b6 ecRpcFormat" in shown("mapihttp-response", answer)
    waited = b"NOTIFICATIONWAIT\n" + u32(0, 0, 1, 0)
    assert "event_pending: 1" in shown("mapihttp-response", waited)
    assert shown("aux", AUX)[0] == "type 0x17"


def test_rows_of_the_prefix() -> None:
    """[MS-OXCTABL] 4.5.3.2 as the product reads it: the rest is rows, whose columns only a session knows."""
    packet = read_response(Cursor(ropexamples.TABLE_PREFIX))
    assert packet.encode() == ropexamples.TABLE_PREFIX
