"""EMSMDB, version 0.81: the calls that carry ROPs ([MS-OXCRPC] 3.1.4). Parameters have the names of the document."""

from __future__ import annotations

from typing import Annotated, Final

from gromoxd.rpc import ndr
from gromoxd.rpc.stub import U16, U32, Handle, Stub, answer, call, interface

EMSMDB: Final = interface("emsmdb", "a4f1db00-ca47-1067-b31f-00dd010662da", 0, 81)
BIG: Final = 0x40000
"""BIG_RANGE_ULONG: octets of ROP buffers ([MS-OXCRPC] 2.2.1.2)."""
SMALL: Final = 0x1008
"""SMALL_RANGE_ULONG: octets of auxiliary buffers."""

Big = Annotated[bytes, ndr.Octets(BIG)]
Small = Annotated[bytes, ndr.Octets(SMALL)]
BigOut = Annotated[bytes, ndr.VaryingOctets(BIG)]
SmallOut = Annotated[bytes, ndr.VaryingOctets(SMALL)]
Version = Annotated[tuple[int, int, int], ndr.FixedArray(ndr.U16, 3)]
Text = Annotated[bytes, ndr.STRING8]
TextOut = Annotated[bytes | None, ndr.Pointer(ndr.STRING8)]


@call(EMSMDB, 1)
class EcDoDisconnect(Stub, frozen=True):
    """[MS-OXCRPC] 3.1.4.3."""

    handle: Handle


@answer(EMSMDB, 1)
class EcDoDisconnectAnswer(Stub, frozen=True):
    handle: Handle
    result: U32


@call(EMSMDB, 4)
class EcRRegisterPushNotification(Stub, frozen=True):
    """[MS-OXCRPC] 3.1.4.5."""

    handle: Handle
    i_rpc: U32
    context: Small
    context_size: U16
    advise_bits: U32
    callback_address: Small
    callback_address_size: U16


@answer(EMSMDB, 4)
class EcRRegisterPushNotificationAnswer(Stub, frozen=True):
    handle: Handle
    notification: U32
    result: U32


@call(EMSMDB, 6)
class EcDummyRpc(Stub, frozen=True):
    """[MS-OXCRPC] 3.1.4.6."""


@answer(EMSMDB, 6)
class EcDummyRpcAnswer(Stub, frozen=True):
    result: U32


@call(EMSMDB, 10)
class EcDoConnectEx(Stub, frozen=True):
    """[MS-OXCRPC] 3.1.4.1."""

    user_dn: Text
    flags: U32
    con_mod: U32
    limit: U32
    cpid: U32
    lcid_string: U32
    lcid_sort: U32
    icxr_link: U32
    can_convert_code_pages: U16
    client_version: Version
    time_stamp: U32
    aux_in: Small
    aux_in_size: U32
    aux_out_size: U32


@answer(EMSMDB, 10)
class EcDoConnectExAnswer(Stub, frozen=True):
    handle: Handle
    polls_max: U32
    retry: U32
    retry_delay: U32
    icxr: U16
    dn_prefix: TextOut
    display_name: TextOut
    server_version: Version
    best_version: Version
    time_stamp: U32
    aux_out: SmallOut
    aux_out_size: U32
    result: U32


@call(EMSMDB, 11)
class EcDoRpcExt2(Stub, frozen=True):
    """[MS-OXCRPC] 3.1.4.2."""

    handle: Handle
    flags: U32
    rops: Big
    rops_size: U32
    out_size: U32
    aux_in: Small
    aux_in_size: U32
    aux_out_size: U32


@answer(EMSMDB, 11)
class EcDoRpcExt2Answer(Stub, frozen=True):
    handle: Handle
    flags: U32
    rops: BigOut
    out_size: U32
    aux_out: SmallOut
    aux_out_size: U32
    trans_time: U32
    result: U32


@call(EMSMDB, 14)
class EcDoAsyncConnectEx(Stub, frozen=True):
    """[MS-OXCRPC] 3.1.4.4."""

    handle: Handle


@answer(EMSMDB, 14)
class EcDoAsyncConnectExAnswer(Stub, frozen=True):
    async_handle: Handle
    result: U32
