"""AsyncEMSMDB, version 0.1: the call that waits for notifications ([MS-OXCRPC] 3.3.4)."""

from __future__ import annotations

from typing import Final

from gromoxd.rpc.stub import U32, Handle, Stub, answer, call, interface

ASYNC_EMSMDB: Final = interface("asyncemsmdb", "5261574a-4572-206e-b268-6b199213b4e4", 0, 1)
NOTIFICATION_PENDING: Final = 0x00000001


@call(ASYNC_EMSMDB, 0)
class EcDoAsyncWaitEx(Stub, frozen=True):
    """[MS-OXCRPC] 3.3.4.1."""

    async_handle: Handle
    flags_in: U32


@answer(ASYNC_EMSMDB, 0)
class EcDoAsyncWaitExAnswer(Stub, frozen=True):
    flags_out: U32
    result: U32
