"""How the calls of an interface are declared: as msgspec structs whose annotations name NDR types.

    @call(NSPI, 1)
    class Unbind(Stub, frozen=True):
        handle: Handle
        reserved: U32

`@call` declares what travels to the server, `@answer` what comes back: the [in] and the [out] parameters in the order
of the IDL, the return value last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from struct import error as StructError
from typing import Annotated, Any, ClassVar, Final, TypeVar, get_args, get_type_hints
from uuid import UUID

import msgspec

from gromoxd.errors import WireError
from gromoxd.rpc import ndr

Handle = Annotated[bytes, ndr.HANDLE]
U16 = Annotated[int, ndr.U16]
U32 = Annotated[int, ndr.U32]
I32 = Annotated[int, ndr.I32]
NO_HANDLE: Final = bytes(20)
MOST_PADDING: Final = 15
"""Octets after the last parameter that some runtimes send along."""
S = TypeVar("S", bound="Stub")


class Stub(msgspec.Struct, frozen=True):
    """The parameters of a call, or of its answer."""

    opnum: ClassVar[int] = 0
    _plan: ClassVar[list[tuple[str, ndr.Type]]] = []

    @classmethod
    def decode(cls: type[S], data: bytes) -> S:
        """WireError for what is no stub of this call."""
        reader = ndr.Reader(data)
        found = cls(**{name: kind.read(reader) for name, kind in cls._plan})
        if reader.cursor.left > MOST_PADDING:
            raise reader.cursor.fail(f"{reader.cursor.left} octets too many")
        return found

    def encode(self) -> bytes:
        """WireError for a value that does not fit."""
        writer = ndr.Writer()
        try:
            for name, kind in self._plan:
                kind.write(writer, getattr(self, name))
        except (StructError, TypeError, AttributeError, OverflowError, UnicodeError) as error:
            raise WireError(f"{type(self).__name__}: {error}") from None
        return bytes(writer.out)


@dataclass(frozen=True)
class Interface:
    """An interface by its UUID and version, with its calls and answers by their opnum."""

    name: str
    uuid: bytes
    major: int
    minor: int
    calls: dict[int, type[Stub]] = field(default_factory=dict)
    answers: dict[int, type[Stub]] = field(default_factory=dict)


def interface(name: str, uuid: str, major: int, minor: int) -> Interface:
    """An interface without calls yet."""
    return Interface(name, UUID(uuid).bytes_le, major, minor)


def call(of: Interface, opnum: int) -> Callable[[type[S]], type[S]]:
    """Declare what a call takes."""
    return lambda kind: _declare(of.calls, opnum, kind)


def answer(of: Interface, opnum: int) -> Callable[[type[S]], type[S]]:
    """Declare what a call gives."""
    return lambda kind: _declare(of.answers, opnum, kind)


def _declare(where: dict[int, type[Stub]], opnum: int, kind: type[S]) -> type[S]:
    if opnum in where:
        raise TypeError(f"two declarations of opnum {opnum}")
    hints: dict[str, Any] = get_type_hints(kind, include_extras=True)
    plan = [(name, kind_of(hints[name])) for name in kind.__struct_fields__]
    kind.opnum, kind._plan = opnum, plan
    where[opnum] = kind
    return kind


def kind_of(hint: Any) -> ndr.Type:
    """The NDR type in an annotation."""
    for extra in get_args(hint)[1:]:
        if isinstance(extra, ndr.Type):
            return extra
    raise TypeError(f"{hint} names no NDR type")
