"""RFRI, version 1.0: which server has the address book ([MS-OXABREF] 3.1.4)."""

from __future__ import annotations

from typing import Annotated, Final

from gromoxd.rpc import ndr
from gromoxd.rpc.stub import U32, Stub, answer, call, interface

RFR: Final = interface("rfri", "1544f5e0-613c-11d1-93df-00c04fd7bd09", 1, 0)

Text = Annotated[bytes, ndr.STRING8]
TextOut = Annotated[bytes | None, ndr.Pointer(ndr.STRING8)]


class _TwicePointer(ndr.Type):
    """`unique, string char**` as a parameter: a pointer to a pointer.

    None: the outer one points to nothing; b"": the inner one does, as clients send it that have nothing to say.
    """

    smallest = 4
    _INNER: Final = ndr.Pointer(ndr.STRING8)

    def head(self, reader: ndr.Reader) -> bool:
        return reader.u32() != 0

    def body(self, reader: ndr.Reader, head: bool) -> bytes | None:
        if not head:
            return None
        inner: bytes | None = reader.pointee(self._INNER)
        return inner or b""

    def put_head(self, writer: ndr.Writer, value: bytes | None) -> None:
        if value is None:
            writer.u32(0)
        else:
            writer.referent()

    def put_body(self, writer: ndr.Writer, value: bytes | None) -> None:
        if value is not None:
            self._INNER.write(writer, value or None)


Twice = Annotated[bytes | None, _TwicePointer()]


@call(RFR, 0)
class RfrGetNewDSA(Stub, frozen=True):
    """[MS-OXABREF] 3.1.4.1."""

    flags: U32
    user_dn: Text
    unused: Twice
    server: Twice


@answer(RFR, 0)
class RfrGetNewDSAAnswer(Stub, frozen=True):
    unused: Twice
    server: Twice
    result: U32


@call(RFR, 1)
class RfrGetFQDNFromServerDN(Stub, frozen=True):
    """[MS-OXABREF] 3.1.4.2. `size` is that of the DN with its NUL."""

    flags: U32
    size: U32
    server_dn: Text


@answer(RFR, 1)
class RfrGetFQDNFromServerDNAnswer(Stub, frozen=True):
    server_fqdn: TextOut
    result: U32
