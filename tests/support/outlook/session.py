"""A session: ROPs are put into buffers, answers are matched to them, notifications are set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support.outlook.notices import Notice, read_notice
from tests.support.outlook.rops import NONE, Handle, Release, Rop, RopError
from tests.support.outlook.transport import MapiHttp
from tests.support.outlook.wire import Bad, Reader, u8, u16, u32

LARGEST_BUFFER = 0x8000 - 8


class TooSmall(Exception):
    """RopBufferTooSmall: what the server wanted, and the requests that it did not carry out."""


class Backoff(Exception):
    """RopBackoff: milliseconds."""


class Session:
    """What is between Connect and Disconnect. `notices`: those not yet taken."""

    def __init__(self, link: MapiHttp) -> None:
        self.link = link
        self.notices: list[Notice] = []
        self.pending = 0
        self._columns: dict[int, tuple[int, ...]] = {}

    def watch_columns(self, handle: Handle, columns: Sequence[int]) -> None:
        """The rows in notifications of a table have these columns."""
        self._columns[handle.value] = tuple(columns)

    def run(self, *rops: Rop) -> list[Any]:
        """Carry them out in one buffer; their results. RopError of the first one that failed."""
        results = self.attempt(*rops)
        for result in results:
            if isinstance(result, RopError):
                raise result
        return results

    def one(self, rop: Rop) -> Any:
        """One of them; its result, or the handle that it made where it tells nothing."""
        [result] = self.run(rop)
        return result

    def make(self, rop: Rop) -> Handle:
        """One that makes an object."""
        self.run(rop)
        assert rop.out is not None
        return rop.out

    def attempt(self, *rops: Rop, largest: int = 0x40000) -> list[Any]:
        """Like `run`, but errors are among the results."""
        table: list[Handle] = []
        data = b"".join(self._encode(rop, table) for rop in rops)
        if len(data) + 2 > LARGEST_BUFFER:
            raise Bad(f"{len(data)} octets of requests")
        payload = u16(len(data) + 2) + data + u32(*(handle.value for handle in table))
        waiting = [rop for rop in rops if rop.number != 0x01]
        for number, answer in enumerate(self.link.execute(payload, largest=largest)):
            self._answer(answer, waiting, table if number == 0 else None)
        if waiting:
            raise Bad(f"{len(waiting)} requests were not answered, first {waiting[0].number:#x}")
        return [rop.result for rop in rops]

    def chained(self, rop: Rop) -> list[Any]:
        """One request whose answer may come several times, one in each buffer of a chain; all of them."""
        table: list[Handle] = []
        data = self._encode(rop, table)
        payload = u16(len(data) + 2) + data + u32(*(handle.value for handle in table))
        found = []
        for answer in self.link.execute(payload):
            waiting = [rop]
            self._answer(answer, waiting, table)
            if isinstance(rop.result, RopError):
                raise rop.result
            found += [] if waiting else [rop.result]
        return found

    def fetch(self) -> list[Notice]:
        """An Execute without ROPs, which only brings notifications; all of them."""
        self.attempt()
        found, self.notices = self.notices, []
        return found

    def release(self, *handles: Handle) -> None:
        self.run(*map(Release, handles))

    # ------------------------------------------------------------------------------------------ inside

    @staticmethod
    def _encode(rop: Rop, table: list[Handle]) -> bytes:
        indexes = []
        for handle in rop.handles:
            if handle not in table:
                table.append(handle)
            indexes.append(table.index(handle))
        return u8(rop.number, rop.handles[0].logon if rop.logon is None else rop.logon, *indexes) + rop.body

    def _answer(self, payload: bytes, waiting: list[Rop], table: list[Handle] | None) -> None:
        reader = Reader(payload)
        size = reader.u16()
        if size < 2:
            raise Bad(f"RopSize {size}")
        rops = Reader(reader.take(size - 2))
        handles = [reader.u32() for _ in range(reader.left() // 4)]
        reader.end()
        if table is not None and len(handles) < len(table):
            raise Bad(f"{len(handles)} handles for {len(table)} of the request")
        while rops.left():
            self._one_answer(rops, waiting, handles, table)

    def _one_answer(self, rops: Reader, waiting: list[Rop], handles: list[int], table: list[Handle] | None) -> None:
        number = rops.u8()
        if number == 0x2A:
            self.notices.append(read_notice(rops, self._columns))
        elif number == 0x6E:
            self.pending = rops.u16() + 1
        elif number == 0xFF:
            raise TooSmall(rops.u16())
        elif number == 0xF9:
            rops.u8()
            raise Backoff(rops.u32())
        else:
            if not waiting or waiting[0].number != number:
                raise Bad(f"answer to {number:#x}, expected {waiting[0].number if waiting else None}")
            self._result(waiting.pop(0), rops, handles, table)

    @staticmethod
    def _result(rop: Rop, rops: Reader, handles: list[int], table: list[Handle] | None) -> None:
        index, code = rops.u8(), rops.u32()
        if table is not None:
            place = rop.response_index if rop.response_index >= 0 else (-1 if rop.out else 0)
            expected = table.index(rop.handles[place])
            if index != expected:
                raise Bad(f"answer to {rop.number:#x} names handle {index}, not {expected}")
        rop.warning = code if code >> 16 == 4 else 0  # such an answer is whole ([MS-OXCDATA] 2.4.3)
        if code and not rop.warning:
            rop.result = RopError(rop.number, code, rop.failed(rops, code) if rop.failed else None)
            return
        if rop.out is not None:
            rop.out.value = handles[index]
            if rop.out.value == NONE:
                raise Bad(f"{rop.number:#x} made no object")
        rop.result = rop.answer(rops)
