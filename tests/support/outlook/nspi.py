"""The address book over MAPI/HTTP ([MS-OXCMAPIHTTP] 2.2.5, [MS-OXNSPI])."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.support.outlook import values as v
from tests.support.outlook.transport import CallFault, Endpoint
from tests.support.outlook.wire import Bad, Reader, u8, u32, wz

DISPLAY_NAME, EMAIL, SMTP, ACCOUNT, ENTRY_ID = 0x3001001F, 0x3003001F, 0x39FE001F, 0x3A00001F, 0x0FFF0102
ADDRESS_TYPE, OBJECT_TYPE, DISPLAY_TYPE = 0x3002001F, 0x0FFE0003, 0x39000003
UNRESOLVED, AMBIGUOUS, RESOLVED = 0, 1, 2
MID_BEGINNING, MID_CURRENT, MID_END = 0, 1, 2


@dataclass(frozen=True)
class Stat:
    """STAT ([MS-OXNSPI] 2.2.8)."""

    sort: int = 0
    container: int = 0
    current: int = 0
    delta: int = 0
    position: int = 0
    total: int = 0
    code_page: int = 1252
    template_lcid: int = 1033
    sort_lcid: int = 1033

    def write(self) -> bytes:
        return (
            u32(self.sort, self.container, self.current) + self.delta.to_bytes(4, "little", signed=True)
            + u32(self.position, self.total, self.code_page, self.template_lcid, self.sort_lcid)
        )  # fmt: skip

    @classmethod
    def read(cls, reader: Reader) -> Stat:
        return cls(*reader.read("3Ii5I"))


class AddressBook(Endpoint):
    """The requests of the endpoint, in the order in which Outlook makes them."""

    stat = Stat()

    def bind(self) -> AddressBook:
        self.cookies.clear()
        reader = self._ok("Bind", u32(0) + u8(1) + self.stat.write())
        self.guid = reader.take(16)
        self._auxiliary(reader)
        return self

    def unbind(self) -> None:
        answer = self.post("Unbind", u32(0, 0))
        reader = Reader(answer.body)
        status, code = reader.u32(), reader.u32()
        assert (status, code) == (0, 1), (status, code)  # Unbind's success is 1 ([MS-OXNSPI] 3.1.4.1.2)
        self.close()

    def resolve(self, *names: str, columns: Sequence[int] = (DISPLAY_NAME, SMTP)) -> list[tuple[int, dict[int, Any]]]:
        """ResolveNames: for each its state, and for those resolved its row."""
        body = u32(0) + u8(1) + self.stat.write() + u8(1) + u32(len(columns), *columns)
        body += u8(1) + u32(len(names)) + b"".join(map(wz, names))
        reader = self._ok("ResolveNames", body + u32(0))
        reader.u32()  # CodePage
        mids: list[int] = []
        if reader.u8():
            mids = [reader.u32() for _ in range(reader.u32())]
        rows = self._rows(reader)
        self._auxiliary(reader)
        assert len(mids) == len(names), mids
        assert len(rows) == mids.count(RESOLVED), (mids, rows)
        left = iter(rows)
        return [(mid, next(left) if mid == RESOLVED else {}) for mid in mids]

    def ids_of(self, *dns: str) -> list[int]:
        """DNToMId."""
        body = u32(0) + u8(1) + u32(len(dns)) + b"".join(dn.encode() + b"\0" for dn in dns) + u32(0)
        reader = self._ok("DNToMId", body)
        found = [reader.u32() for _ in range(reader.u32())] if reader.u8() else []
        self._auxiliary(reader)
        return found

    def props(self, mid: int, *columns: int) -> dict[int, Any]:
        """GetProps of one entry."""
        body = u32(0) + u8(1) + replace(self.stat, current=mid).write() + u8(1) + u32(len(columns), *columns)
        reader = self._ok("GetProps", body + u32(0), warnings=True)
        reader.u32()
        found = {}
        if reader.u8():
            for _ in range(reader.u32()):
                tag = reader.u32()
                found[tag] = self._value(reader, tag & 0xFFFF)
        self._auxiliary(reader)
        return found

    def rows(self, count: int, *columns: int, explicit: Sequence[int] = ()) -> list[dict[int, Any]]:
        """QueryRows from the cursor, which moves on, or of given entries."""
        body = u32(0) + u8(1) + self.stat.write() + u32(len(explicit), *explicit) + u32(count)
        body += u8(1) + u32(len(columns), *columns) + u32(0)
        reader = self._ok("QueryRows", body)
        if reader.u8():
            self.stat = Stat.read(reader)
        found = self._rows(reader)
        self._auxiliary(reader)
        return found

    def special(self, flags: int = 4) -> list[dict[int, Any]]:
        """GetSpecialTable: the hierarchy of address lists (flags 4: Unicode)."""
        body = u32(flags) + u8(1) + self.stat.write() + u8(1) + u32(0) + u32(0)
        reader = self._ok("GetSpecialTable", body)
        reader.u32()
        if reader.u8():
            reader.u32()  # Version
        found = []
        if reader.u8():
            for _ in range(reader.u32()):
                row = {}
                for _ in range(reader.u32()):
                    tag = reader.u32()
                    row[tag] = self._value(reader, tag & 0xFFFF)
                found.append(row)
        self._auxiliary(reader)
        return found

    # ------------------------------------------------------------------------------------------ inside

    def _ok(self, kind: str, body: bytes, *, warnings: bool = False) -> Reader:
        reader = Reader(self.post(kind, body).body)
        status = reader.u32()
        if status:
            raise CallFault(status)
        code = reader.u32()
        if code and not (warnings and code >> 16 == 4):
            raise CallFault(code)
        return reader

    def _rows(self, reader: Reader) -> list[dict[int, Any]]:
        """HasColsAndRows, columns, AddressBookPropertyRows ([MS-OXCMAPIHTTP] 2.2.1.2, 2.2.1.7)."""
        if not reader.u8():
            return []
        columns = [reader.u32() for _ in range(reader.u32())]
        return [self._row(reader, columns) for _ in range(reader.u32())]

    def _row(self, reader: Reader, columns: Sequence[int]) -> dict[int, Any]:
        flag, found = reader.u8(), {}
        if flag not in (0, 1):
            raise Bad(f"AddressBookPropertyRow begins with {flag}")
        for tag in columns:
            kind = reader.u16() if tag & 0xFFFF == 0 else tag & 0xFFFF
            state = reader.u8() if flag else 0
            if state == 0:
                found[tag] = self._value(reader, kind)
            elif state == 0x0A:
                found[tag] = v.Ec(reader.u32())
            elif state != 1:
                raise Bad(f"AddressBookFlaggedPropertyValue {state}")
        return found

    def _value(self, reader: Reader, kind: int) -> Any:
        """AddressBookPropertyValue: strings, octets and several values say first whether they are there (2.2.1.1)."""
        if kind & v.MV:
            return [self._value(reader, kind & ~v.MV) for _ in range(reader.u32())] if reader.u8() else None
        if kind in (v.STRING8, v.UNICODE, v.BINARY):
            return v.value(reader, kind, "I") if reader.u8() else None
        return v.value(reader, kind, "I")

    @staticmethod
    def _auxiliary(reader: Reader) -> None:
        reader.take(reader.u32())
        reader.end()
