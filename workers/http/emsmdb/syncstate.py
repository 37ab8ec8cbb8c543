"""States of synchronisation that clients upload and get back ([MS-OXCFXICS] 2.2.3.2.2, 2.2.3.2.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.sync import State
from gromoxd.mapi.fasttransfer import (
    Marker,
    MetaTagCnsetRead,
    MetaTagCnsetSeen,
    MetaTagCnsetSeenFAI,
    MetaTagIdsetGiven,
    MetaTagIdsetGivenBinary,
    StreamWriter,
)
from gromoxd.mapi.idset import IdSet
from gromoxd.rop import sync as rop
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.download import Download
from workers.http.emsmdb.objects import Logon, ServerObject

LARGEST: Final = 2 << 20
"""Octets of one property of a state: some hundred thousand ranges."""
MOST_HELD: Final = 16 << 20
"""Octets of all states that clients have uploaded in one session."""
MOST_RANGES: Final = 500_000
LIGHT: Final = 16 << 10
"""Octets of a set that are read on the loop; more, some milliseconds' work, on a thread."""
_PROPERTIES: Final = {
    MetaTagIdsetGiven: "given", MetaTagIdsetGivenBinary: "given", MetaTagCnsetSeen: "seen",
    MetaTagCnsetSeenFAI: "seen_fai", MetaTagCnsetRead: "read",
}  # fmt: skip


class StateHolder:
    """What a synchronisation context knows of its client's state."""

    tells_given = False
    """Is MetaTagIdsetGiven told to whom asks for the state?"""

    def __init__(self, contents: bool) -> None:
        self.contents = contents
        self.state = State()
        self._name = ""
        self._pieces: list[bytes] = []
        self._size = self._announced = 0

    @property
    def held(self) -> int:
        """Octets of what the client has uploaded."""
        state = self.state
        return self._size + len(state.given) + len(state.seen) + len(state.seen_fai) + len(state.read)

    def require_open(self) -> None:
        """MapiError when it is too late to upload a state."""

    def begin(self, tag: int, size: int) -> None:
        """RopSynchronizationUploadStateStreamBegin. ecInvalidParam, ecTooBig."""
        self.require_open()
        name = _PROPERTIES.get(tag)
        if name is None or self._name:
            raise MapiError(Ec.ecInvalidParam, f"state property {tag:#010x}")
        if size > LARGEST:
            raise MapiError(Ec.ecTooBig, f"state property of {size} octets")
        self._name, self._announced = name, size
        self._pieces, self._size = [], 0

    def go_on(self, data: bytes) -> None:
        """RopSynchronizationUploadStateStreamContinue. ecInvalidParam, ecTooBig."""
        if not self._name:
            raise MapiError(Ec.ecInvalidParam, "no state property was begun")
        self._size += len(data)
        if self._size > LARGEST:
            self.forget()
            raise MapiError(Ec.ecTooBig, "state property")
        self._pieces.append(data)

    def forget(self) -> None:
        """Of the property that is being uploaded nothing is kept."""
        self._name, self._pieces, self._size = "", [], 0

    def end(self, on_thread: Callable[..., IdSet]) -> None:
        """RopSynchronizationUploadStateStreamEnd. ecInvalidParam for what is no set."""
        if not self._name:
            raise MapiError(Ec.ecInvalidParam, "no state property was begun")
        name, octets = self._name, b"".join(self._pieces)
        self._name, self._pieces, self._size = "", [], 0
        try:
            if len(octets) > LIGHT:
                on_thread(IdSet.decode_replguid, octets, MOST_RANGES)
            else:
                IdSet.decode_replguid(octets, MOST_RANGES)
        except WireError as error:
            raise MapiError(Ec.ecInvalidParam, str(error)) from error
        self.put(name, octets)

    def put(self, name: str, octets: bytes) -> None:
        """A set of the state."""
        values = {one: getattr(self.state, one) for one in ("given", "seen", "seen_fai", "read")}
        self.state = State(**(values | {name: octets}))

    def transfer_state(self) -> State:
        """The checkpoint state."""
        return self.state


def holder_of(call: Call) -> StateHolder:
    """The synchronisation context that a ROP names. ecNullObject, ecNotSupported."""
    found = call.object(ServerObject)
    if not isinstance(found, StateHolder):
        raise MapiError(Ec.ecNotSupported, f"{type(found).__name__} where a synchronisation context is wanted")
    return found


@handles(rop.SynchronizationUploadStateStreamBegin)
def upload_begin(
    call: Call, request: rop.SynchronizationUploadStateStreamBegin
) -> rop.SynchronizationUploadStateStreamBeginResponse:
    """[MS-OXCFXICS] 3.2.5.9.2.1."""
    holder_of(call).begin(request.state_property, request.transfer_buffer_size)
    return rop.SynchronizationUploadStateStreamBeginResponse(request.index, 0)


@handles(rop.SynchronizationUploadStateStreamContinue)
def upload_continue(
    call: Call, request: rop.SynchronizationUploadStateStreamContinue
) -> rop.SynchronizationUploadStateStreamContinueResponse:
    """[MS-OXCFXICS] 3.2.5.9.2.2."""
    holder = holder_of(call)
    holder.go_on(request.stream_data)
    if holder.held > LIGHT:
        others = [one for one in call.session.objects.values() if isinstance(one, StateHolder)]
        if sum(one.held for one in others) > MOST_HELD:
            holder.forget()
            raise MapiError(Ec.ecTooBig, "states of a session")
    return rop.SynchronizationUploadStateStreamContinueResponse(request.index, 0)


@handles(rop.SynchronizationUploadStateStreamEnd)
def upload_end(
    call: Call, request: rop.SynchronizationUploadStateStreamEnd
) -> rop.SynchronizationUploadStateStreamEndResponse:
    """[MS-OXCFXICS] 3.2.5.9.2.3."""
    holder_of(call).end(call.session.site.services.run_blocking)
    return rop.SynchronizationUploadStateStreamEndResponse(request.index, 0)


def write_state(writer: StreamWriter, state: State, contents: bool, given: bool = True) -> None:
    """The element state ([MS-OXCFXICS] 2.2.4.3.25), of sets as they are."""
    writer.marker(Marker.IncrSyncStateBegin)
    if given:
        writer.property(MetaTagIdsetGiven, state.given)
    writer.property(MetaTagCnsetSeen, state.seen)
    if contents:
        writer.property(MetaTagCnsetSeenFAI, state.seen_fai)
        writer.property(MetaTagCnsetRead, state.read)
    writer.marker(Marker.IncrSyncStateEnd)


class StateDownload(Download):
    """The download context of a state, which does not change any more ([MS-OXCFXICS] 3.2.5.9.3.1)."""

    def __init__(self, logon: Logon, state: State, contents: bool, given: bool) -> None:
        super().__init__(logon, StreamWriter())
        self._state, self._contents, self._given = state, contents, given

    def start(self) -> Iterator[None]:
        """See Download."""
        write_state(self.writer, self._state, self._contents, self._given)
        return iter(())


@handles(rop.SynchronizationGetTransferState)
def get_transfer_state(
    call: Call, request: rop.SynchronizationGetTransferState
) -> rop.SynchronizationGetTransferStateResponse:
    """[MS-OXCFXICS] 3.2.5.9.3.1. MetaTagIdsetGiven of an upload is the client's own matter (3.2.5.2.1)."""
    found = holder_of(call)
    logon = call.object(ServerObject).logon
    state = call.session.site.services.run_blocking(found.transfer_state)
    call.put(request.output, StateDownload(logon, state, found.contents, found.tells_given))
    return rop.SynchronizationGetTransferStateResponse(request.output, 0)
