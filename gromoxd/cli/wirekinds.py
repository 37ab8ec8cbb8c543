"""What carries ROPs, NSPI and AutoDiscover, for `gromoxctl dump`: MAPI/HTTP bodies, RPC parameters, NTLM, buffers.

Where nothing in the octets tells what they are, a line with a name goes before them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gromoxd.cli.kinds import Entries
from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor


def _heading(data: bytes, what: str) -> tuple[list[str], bytes]:
    """The words of the first line, and what comes after it."""
    line, end, body = data.partition(b"\n")
    words = line.decode("ascii", "replace").split()
    if not end or not words or len(line) > 80:
        raise WireError(f"a line with {what} must come first")
    return words, body


# ------------------------------------------------------------------------------------------------ buffers of ROPs


def extended(data: bytes) -> Entries:
    """RPC_HEADER_EXT with their payloads ([MS-OXCRPC] 2.2.2.1): ROP buffers, or auxiliary blocks."""
    from gromoxd.cli import tree
    from gromoxd.rop.extbuffer import HEADER, HeaderFlags, read

    payloads, found, at = read(data), Entries(), 0
    for payload in payloads:
        version, flags, size, actual = HEADER.unpack_from(data, at)
        at += HEADER.size + size
        named = " | ".join(flag.name or "" for flag in HeaderFlags if flags & flag)
        head = [("version", version), ("flags", tree.Shown(f"{flags:#06x} {named}".rstrip()))]
        found.append(
            (
                "RPC_HEADER_EXT",
                Entries([*head, ("size", size), ("size_actual", actual), ("payload", _payload(payload))]),
            )
        )
    return found


def _payload(data: bytes) -> object:
    from gromoxd.cli import tree

    return tree.nested("rop-buffer", "aux")(data)


def auxiliary(data: bytes) -> Entries:
    """Auxiliary blocks ([MS-OXCRPC] 2.2.2.2) as they are behind their RPC_HEADER_EXT."""
    from gromoxd.rop import aux

    found = Entries()
    for block in aux.read(data):
        values: list[tuple[str, object]] = [("version", block.version), ("data", block.data)]
        if name := aux.process_name(block):
            values.append(("process_name", name))
        found.append((f"type {block.type:#04x}", Entries(values)))
    return found


def lz77(data: bytes) -> bytes:
    """What Plain LZ77 data stand for ([MS-XCA] 2.4.4), a line with its size before them: nothing else tells that."""
    from gromoxd.rop.lzxpress import decompress

    words, body = _heading(data, "the size of what is compressed")
    if not words[0].isascii() or not words[0].isdecimal():
        raise WireError(f"no size {words[0][:40]!r}")
    return decompress(body, int(words[0]))


# ------------------------------------------------------------------------------------------------ MAPI/HTTP

_AUX = ("auxiliary", "buffer")
_STATUS = (("status_code", "u32"), ("error_code", "code"))
REQUESTS: dict[str, tuple[tuple[str, str], ...]] = {
    "connect": (
        ("user_dn", "string8"), ("flags", "u32"), ("default_code_page", "u32"), ("lcid_sort", "u32"),
        ("lcid_string", "u32"), _AUX,
    ),
    "execute": (("flags", "u32"), ("rops", "buffer"), ("max_rop_out", "u32"), _AUX),
    "disconnect": (_AUX,),
    "notificationwait": (("flags", "u32"), _AUX),
}  # fmt: skip
RESPONSES: dict[str, tuple[tuple[str, str], ...]] = {
    "connect": (
        *_STATUS, ("polls_max_ms", "u32"), ("retry_count", "u32"), ("retry_delay_ms", "u32"), ("dn_prefix", "string8"),
        ("display_name", "string"), _AUX,
    ),
    "execute": (*_STATUS, ("flags", "u32"), ("rops", "buffer"), _AUX),
    "disconnect": (*_STATUS, _AUX),
    "notificationwait": (*_STATUS, ("event_pending", "u32"), _AUX),
}  # fmt: skip
"""Fields of the bodies ([MS-OXCMAPIHTTP] 2.2.4)."""


def mapihttp_request(data: bytes) -> Entries:
    """The body of a request to the mailbox endpoint, a line with its X-RequestType before it."""
    return _body(data, REQUESTS)


def mapihttp_response(data: bytes) -> Entries:
    """The body of the response, behind DONE and its header fields; a line with the request's type before it."""
    return _body(data, RESPONSES)


def _body(data: bytes, layouts: dict[str, tuple[tuple[str, str], ...]]) -> Entries:
    words, body = _heading(data, "the type of the request")
    layout = layouts.get(words[0].lower())
    if layout is None:
        raise WireError(f"no request type {words[0][:40]!r}")
    cursor = Cursor(body)
    found = Entries([(name, _field(cursor, name, kind)) for name, kind in layout])
    cursor.finish()
    return found


def _field(cursor: Cursor, name: str, kind: str) -> object:
    from gromoxd.cli import tree

    if kind == "buffer":
        return tree.nested("rpc-header-ext")(cursor.take(cursor.u32()))
    if kind == "string":
        return cursor.string()
    if kind == "string8":
        return cursor.string8()
    value = cursor.u32()
    if kind == "code":
        return tree.error_code(value)
    return tree.hexadecimal(value) if name == "flags" else value


# ------------------------------------------------------------------------------------------------ RPC


def rpc_call(data: bytes) -> Entries:
    """The parameters of a call, a line with interface and opnum before them ("emsmdb 11")."""
    return _parameters(data, "calls")


def rpc_answer(data: bytes) -> Entries:
    """What a call gives, with the same line before it."""
    return _parameters(data, "answers")


def _parameters(data: bytes, which: str) -> Entries:
    from gromoxd.rpc.asyncemsmdb import ASYNC_EMSMDB
    from gromoxd.rpc.emsmdb import EMSMDB
    from gromoxd.rpc.nspi import NSPI
    from gromoxd.rpc.rfr import RFR

    words, body = _heading(data, "interface and opnum")
    known = {one.name: one for one in (EMSMDB, ASYNC_EMSMDB, NSPI, RFR)}
    interface, opnum = known.get(words[0].lower()), words[1] if len(words) == 2 else ""
    if interface is None or not opnum.isascii() or not opnum.isdecimal():
        raise WireError(f"not one of {', '.join(known)} with an opnum")
    stub = getattr(interface, which).get(int(opnum))
    if stub is None:
        raise WireError(f"{interface.name} has no {opnum}")
    value = stub.decode(body)
    fields = [(name, _parameter(name, getattr(value, name))) for name in value.__struct_fields__]
    return Entries([(type(value).__name__, Entries(fields))])


def _parameter(name: str, value: Any) -> object:
    from gromoxd.cli import tree

    if name in ("rops", "aux_in", "aux_out") and isinstance(value, bytes):
        return tree.nested("rpc-header-ext")(value)
    if name == "result" and isinstance(value, int):
        return tree.error_code(value)
    return tree.hexadecimal(value) if name == "flags" and isinstance(value, int) else value


def rts(data: bytes) -> Entries:
    """An RTS PDU ([MS-RPCH] 2.2.3.6): its flags, and its commands by their names."""
    from gromoxd.cli import tree
    from gromoxd.rpc.rts import Command, Destination, decode

    value = decode(data)
    found = Entries([("flags", tree.named("gromoxd.rpc.rts:Flags")(value.flags))])
    for number, item in value.commands:
        name = Command(number).name if number in Command.__members__.values() else str(number)
        if number in (Command.COOKIE, Command.ASSOCIATION_GROUP_ID) and isinstance(item, bytes):
            found.append((name, tree.guid(item)))
        elif number == Command.DESTINATION and isinstance(item, int):
            found.append((name, Destination(item) if item in Destination.__members__.values() else item))
        else:
            found.append((name, item))
    return found


# ------------------------------------------------------------------------------------------------ NTLM


def ntlm(data: bytes) -> object:
    """A message of NTLM ([MS-NLMP] 2.2.1)."""
    from gromoxd.ntlm import messages

    kinds: dict[int, Callable[[bytes], Any]] = {
        1: messages.Negotiate.decode, 2: messages.Challenge.decode, 3: messages.Authenticate.decode,
    }  # fmt: skip
    decode = kinds.get(int.from_bytes(data[8:12], "little"))
    if decode is None or data[:8] != messages.SIGNATURE:
        raise WireError("no NTLM message", 0)
    value = decode(data)
    fields = vars(value) | {"flags": messages.Flags(value.flags)}
    if pairs := fields.get("pairs"):
        fields["pairs"] = Entries([(_pair_name(number), octets) for number, octets in pairs.items()])
    return Entries([(type(value).__name__, Entries([(name, _ntlm_field(item)) for name, item in fields.items()]))])


def _pair_name(number: int) -> str:
    from gromoxd.ntlm.messages import AvId

    return AvId(number).name if number in AvId.__members__.values() else str(number)


def _ntlm_field(value: object) -> object:
    from gromoxd.cli import tree
    from gromoxd.ntlm.messages import Flags

    if isinstance(value, Flags):
        return tree.Shown(f"{int(value):#010x} {' | '.join(flag.name or '' for flag in Flags if value & flag)}")
    return value


# ------------------------------------------------------------------------------------------------ AutoDiscover


def autodiscover_request(data: bytes) -> object:
    """A request to AutoDiscover, POX or SOAP."""
    from gromoxd.autodiscover import model, pox, soap

    try:
        return pox.read_request(data)
    except model.Invalid as error:
        reason = error.text
    try:
        return soap.read_request(data)
    except soap.Fault as error:
        raise WireError(f"no request to AutoDiscover: {reason} {error.text}") from None


def autodiscover_response(data: bytes) -> Entries:
    """What AutoDiscover answered, POX or SOAP."""
    from gromoxd.autodiscover import pox, soap

    try:
        return Entries(pox.read_response(data))
    except WireError:
        return Entries(soap.read_response(data))
