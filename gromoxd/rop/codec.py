"""How ROPs are declared ([MS-OXCROPS] 2.2): as msgspec structs whose annotations say the wire's form.

    @request(0x02)
    class OpenFolder(Request, frozen=True):
        output: U8
        folder_id: U64
        flags: U8

Each begins with RopId, LogonId and a handle index, which are `rop`, `logon` and `index` here; a request that makes an
object calls the index of its place `output`, and its response carries that one. Responses begin with RopId, handle
index and ReturnValue; what follows is there when that is 0, unless a class says otherwise. A class whose form depends
on its values overrides `read_body`/`body`.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import Annotated, Any, ClassVar, Final, TypeVar, get_args, get_type_hints

import msgspec

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor, utf16


class Field:
    """How one value travels."""

    code: str = ""
    """Its letter in `struct` layouts, '' for what has no fixed size."""

    def __init__(self, read: Callable[[Cursor], Any], write: Callable[[Any], bytes], code: str = "") -> None:
        self.read, self.write, self.code = read, write, code


def _fixed(code: str) -> Field:
    layout = Struct("<" + code)
    return Field(lambda cursor: cursor.struct(layout)[0], layout.pack, code)


def sized(count: str) -> Field:
    """Octets after their number, which is a `B`, `H` or `I`."""
    layout = Struct("<" + count)

    def read(cursor: Cursor) -> bytes:
        return cursor.take(cursor.struct(layout)[0])

    return Field(read, lambda value: layout.pack(len(value)) + value)


def listed(count: str, one: Field, smallest: int = 1) -> Field:
    """Values after their number; one takes `smallest` octets at least."""
    layout = Struct("<" + count)

    def read(cursor: Cursor) -> list[Any]:
        number = cursor.count(cursor.struct(layout)[0], smallest)
        return [one.read(cursor) for _ in range(number)]

    return Field(read, lambda values: layout.pack(len(values)) + b"".join(map(one.write, values)))


def structure(kind: Any) -> Field:
    """A structure of `gromoxd.mapi` that has `read(cursor)` and `encode()`."""
    return Field(kind.read, lambda value: value.encode())


FLAG: Final = Field(lambda cursor: cursor.u8() != 0, lambda value: b"\x01" if value else b"\x00")
U8 = Annotated[int, _fixed("B")]
U16 = Annotated[int, _fixed("H")]
U32 = Annotated[int, _fixed("I")]
U64 = Annotated[int, _fixed("Q")]
I16 = Annotated[int, _fixed("h")]
I32 = Annotated[int, _fixed("i")]
I64 = Annotated[int, _fixed("q")]
Flag = Annotated[bool, FLAG]
Guid = Annotated[bytes, _fixed("16s")]
LongTermId = Annotated[bytes, _fixed("24s")]
"""24 octets; `gromoxd.mapi.ids.LongTermId` has their parts."""
Data16 = Annotated[bytes, sized("H")]
Data32 = Annotated[bytes, sized("I")]
Rest = Annotated[bytes, Field(Cursor.rest, bytes)]
"""What only the rest of the session tells the form of; last in its class."""
Text = Annotated[str, Field(Cursor.string, utf16)]
Octets = Annotated[bytes, Field(Cursor.string8, lambda value: value.partition(b"\0")[0] + b"\0")]
"""A string of one octet a character, up to a NUL."""
Tags = Annotated[list[int], listed("H", _fixed("I"), 4)]
Ids = Annotated[list[int], listed("H", _fixed("Q"), 8)]

_HEAD: Final = Struct("<BBB")
_ANSWER: Final = Struct("<BBI")
T = TypeVar("T", bound="Packet")


class Packet(msgspec.Struct, frozen=True):
    """A request or a response."""

    rop: ClassVar[int] = 0
    _plan: ClassVar[list[tuple[Struct | None, Field | None, list[str]]]] = []

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        """The values of the fields of this class by their names."""
        found: dict[str, Any] = {}
        for layout, field, names in cls._plan:
            if layout is not None:
                for name, value in zip(names, cursor.struct(layout), strict=True):
                    found[name] = value
            elif field is not None:
                found[names[0]] = field.read(cursor)
        return found

    def body(self) -> bytes:
        """The octets of the fields of this class. WireError for a value that does not fit."""
        parts = []
        try:
            for layout, field, names in self._plan:
                if layout is not None:
                    parts.append(layout.pack(*[getattr(self, name) for name in names]))
                elif field is not None:
                    parts.append(field.write(getattr(self, names[0])))
        except (StructError, TypeError, OverflowError) as error:
            raise WireError(f"{type(self).__name__}: {error}") from None
        return b"".join(parts)


class Request(Packet, frozen=True):
    """`logon`: LogonId; `index`: the first handle index."""

    logon: int
    index: int

    @property
    def answer_index(self) -> int:
        """The handle index that its response carries."""
        output: int = getattr(self, "output", self.index)
        return output

    def failure(self, code: int) -> bytes:
        """The response when the ROP failed."""
        return _ANSWER.pack(self.rop, self.answer_index, code)

    def encode(self) -> bytes:
        """RopId and all."""
        return _HEAD.pack(self.rop, self.logon, self.index) + self.body()


class Response(Packet, frozen=True):
    """`index`: the handle index; `code`: ReturnValue. `always`: the fields are there whatever that is."""

    always: ClassVar[bool] = False
    index: int
    code: int

    def encode(self) -> bytes:
        """RopId and all."""
        head = _ANSWER.pack(self.rop, self.index, self.code)
        return head + self.body() if self.always or self.code == 0 else head

    @classmethod
    def read(cls, cursor: Cursor) -> Response:
        """After RopId."""
        index, code = cursor.u8(), cursor.u32()
        if code and not cls.always:
            return Failure(index, code)
        return cls(index=index, code=code, **cls.read_body(cursor))


class Failure(Response, frozen=True):
    """A response of which there is nothing but the code."""


REQUESTS: Final[dict[int, type[Request]]] = {}
PUBLIC: Final[dict[int, type[Request]]] = {}
"""Requests that have another form on logons of public stores."""
RESPONSES: Final[dict[int, type[Response]]] = {}
"""By RopId. A class that is not told from RopId alone (second forms) is not here."""


def _compile(cls: type[Packet], own: int) -> None:
    hints = get_type_hints(cls, include_extras=True)
    plan: list[tuple[Struct | None, Field | None, list[str]]] = []
    code = ""
    names: list[str] = []
    for name in cls.__struct_fields__[own:]:
        field = next((one for one in get_args(hints[name]) if isinstance(one, Field)), None)
        if field is None:
            continue  # for `read_body` and `body` of the class
        if field.code:
            code, names = code + field.code, [*names, name]
            continue
        if code:
            plan.append((Struct("<" + code), None, names))
            code, names = "", []
        plan.append((None, field, [name]))
    if code:
        plan.append((Struct("<" + code), None, names))
    cls._plan = plan


def request(rop: int, *, public: bool = False) -> Callable[[type[T]], type[T]]:
    """Declare a request class for a RopId; `public`: its form on logons of public stores."""
    known = PUBLIC if public else REQUESTS

    def declare(cls: type[T]) -> type[T]:
        if not issubclass(cls, Request) or rop in known:
            raise TypeError(f"request {rop:#04x}")
        cls.rop = rop
        _compile(cls, 2)
        known[rop] = cls
        return cls

    return declare


def response(rop: int, *, always: bool = False, second: bool = False) -> Callable[[type[T]], type[T]]:
    """Declare a response class for a RopId; `second`: another form of one that is declared."""

    def declare(cls: type[T]) -> type[T]:
        if not issubclass(cls, Response) or (rop in RESPONSES) != second:
            raise TypeError(f"response {rop:#04x}")
        cls.rop, cls.always = rop, always
        _compile(cls, 2)
        if not second:
            RESPONSES[rop] = cls
        return cls

    return declare


def read_request(cursor: Cursor, public: Callable[[int], bool] | None = None) -> Request:
    """The next request. WireError for an unknown RopId too, as nobody knows where it ends.

    `public` says of a LogonId whether it is one of a public store.
    """
    rop, logon, index = cursor.struct(_HEAD)
    cls = PUBLIC[rop] if rop in PUBLIC and public is not None and public(logon) else REQUESTS.get(rop)
    if cls is None:
        raise WireError(f"no ROP {rop:#04x}", cursor.at - 3)
    return cls(logon=logon, index=index, **cls.read_body(cursor))


def read_response(cursor: Cursor) -> Response:
    """The next response; rows and buffers take all that is left."""
    rop = cursor.u8()
    cls = RESPONSES.get(rop)
    if cls is None:
        raise WireError(f"no response {rop:#04x}", cursor.at - 1)
    return cls.read(cursor)
