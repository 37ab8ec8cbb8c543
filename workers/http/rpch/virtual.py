"""A virtual connection without I/O: two channels that carry RTS and RPC PDUs, and their successors ([MS-RPCH] 3.2).

We are inbound proxy, outbound proxy and server in one, so that channels are always replaced by the sequences IN_R2 and
OUT_R2, those of one proxy ([MS-RPCH] 3.2.1.5.3). Octets go in with the channel that they came on; actions come out, to
be carried out in order. `now` is in seconds of any clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.rpc import pdu, rts
from gromoxd.rpc.rts import Ack, Command, Destination, Flags, Rts

RECEIVE_WINDOW: Final = 64 << 10
SMALLEST_WINDOW, LARGEST_WINDOW = 8 << 10, 256 << 10
"""[MS-RPCH] 2.2.3.5.1."""
TIMEOUT: Final = 120.0
"""ConnectionTimeout: in half of this there is always something on a channel, a ping at least."""
KEEPALIVE_LOW: Final = 60.0
"""[MS-RPCH] 2.2.3.5.6."""
OUT_LIFETIME: Final = 1 << 30
"""Octets that an OUT channel announces."""
LIFETIME_RESERVE: Final = 256 << 10
"""The client is asked for a successor when so few of them are left; for what may be under way."""
LAST_WORDS: Final = 64
"""Octets of a channel that are kept for the RTS PDUs of its end."""
OPEN_SECONDS: Final = 60.0
"""Both channels of a connection, and both halves of a change of channels, come within this."""
LARGEST_QUEUE: Final = 4 << 20
Channel = Hashable


class Head(NamedTuple):
    """Send the head of the HTTP reply on an OUT channel."""

    channel: Channel


class Write(NamedTuple):
    """Send octets on an OUT channel."""

    channel: Channel
    octets: bytes


class CloseChannel(NamedTuple):
    """Close a channel, once all is sent that was written on it."""

    channel: Channel


class Received(NamedTuple):
    """An RPC PDU from the client."""

    octets: bytes


class Opened(NamedTuple):
    """Both channels are there: PDUs may be sent."""


class Dead(NamedTuple):
    """The connection has ended: close all its channels."""

    reason: str


Action = Head | Write | CloseChannel | Received | Opened | Dead


@dataclass
class _In:
    """An IN channel. `held`: PDUs of a successor that came before its predecessor's end."""

    channel: Channel
    cookie: bytes
    received: int = 0
    unacknowledged: int = 0
    held: list[bytes] = field(default_factory=list)
    held_size: int = 0


@dataclass
class _Out:
    """An OUT channel. `left`: octets that it may still carry; `window`: those the client has room for.

    `filled`: the client has sent all that its request announced, so that it may be answered; `held`: what waits for it.
    """

    channel: Channel
    cookie: bytes
    window: int
    largest: int
    left: int
    sent: int = 0
    filled: bool = True
    held: list[bytes] = field(default_factory=list)


class VirtualConnection:
    """One virtual connection, by the cookie of which its channels say that they belong to it.

    `lifetime`: octets of an OUT channel; small ones are for tests.
    """

    def __init__(self, cookie: bytes, now: float, *, timeout: float = TIMEOUT, lifetime: int = OUT_LIFETIME) -> None:
        self.cookie, self._lifetime, self._timeout = cookie, lifetime, timeout
        self._in: _In | None = None
        self._out: _Out | None = None
        self._next_in: _In | None = None
        self._next_out: _Out | None = None
        self._recycling = False
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._keepalive = 0.0
        self._heard = self._said = self._changing = now
        self.dead = False

    @property
    def opened(self) -> bool:
        """Both channels are there."""
        return self._in is not None and self._out is not None and not self.dead

    @property
    def congested(self) -> bool:
        """More is waiting to be sent than the client has room for at once."""
        return self._queued > LARGEST_WINDOW

    @property
    def channels(self) -> list[Channel]:
        """All that there are."""
        return [one.channel for one in (self._in, self._out, self._next_in, self._next_out) if one is not None]

    # ------------------------------------------------------------------------------------------ channels

    def first(self, channel: Channel, found: Rts, now: float) -> list[Action]:
        """The first RTS PDU of a channel, whose first cookie is this connection's. WireError: refuse the channel."""
        if self.dead:
            raise WireError("the virtual connection has ended")
        kind = kind_of(found)
        self._changing = now
        if kind == "CONN/A1":
            return self._conn_a1(channel, found, now)
        if kind == "CONN/B1":
            return self._conn_b1(channel, found, now)
        if kind == "IN_R1/A1":
            return self._in_a1(channel, found, now)
        return self._out_a3(channel, found)

    def _conn_a1(self, channel: Channel, found: Rts, now: float) -> list[Action]:
        if self._out is not None:
            raise WireError("a second OUT channel")
        window = _window(found)
        self._out = _Out(channel, found.cookies[1], window, window, self._lifetime)
        return [Head(channel), *self._rts(rts.conn_a3(round(self._timeout * 1000)), now), *self._both(now)]

    def _conn_b1(self, channel: Channel, found: Rts, now: float) -> list[Action]:
        if self._in is not None:
            raise WireError("a second IN channel")
        self._in = _In(channel, found.cookies[1])
        self._heard = now
        self._set_keepalive(found)
        return self._both(now)

    def _both(self, now: float) -> list[Action]:
        if not self.opened:
            return []
        return [*self._rts(rts.conn_c2(RECEIVE_WINDOW, round(self._timeout * 1000)), now), Opened()]

    def _in_a1(self, channel: Channel, found: Rts, now: float) -> list[Action]:
        """IN_R2/A1: a successor of the IN channel ([MS-RPCH] 3.2.3.5.5)."""
        _, predecessor, successor = found.cookies
        if not self.opened or self._in is None or predecessor != self._in.cookie or self._next_in is not None:
            raise WireError("no successor of this IN channel is wanted")
        self._next_in = _In(channel, successor)
        return self._rts(rts.in_r2_a4(), now)

    def _out_a3(self, channel: Channel, found: Rts) -> list[Action]:
        """OUT_R2/A3: the successor of the OUT channel ([MS-RPCH] 3.2.4.5.6)."""
        _, predecessor, successor = found.cookies
        out = self._out
        if not self.opened or out is None or predecessor != out.cookie or self._next_out is not None:
            raise WireError("no successor of this OUT channel is wanted")
        if not self._recycling:
            raise WireError("nobody has asked for a successor")
        window = _window(found)
        self._next_out = _Out(channel, successor, window, window, self._lifetime, filled=False)
        octets = rts.out_r2_a6().encode()
        out.left -= len(octets)
        return [Write(out.channel, octets)]

    # ------------------------------------------------------------------------------------------ what comes

    def received(self, channel: Channel, octets: bytes, now: float) -> list[Action]:
        """One PDU on a channel. WireError for what ends the connection."""
        if self.dead:
            return []
        is_rts = len(octets) > 2 and octets[2] == pdu.Kind.RTS
        if self._in is not None and channel == self._in.channel:
            self._heard = now
            return self._control(rts.decode(octets), now) if is_rts else self._take(octets, now)
        if self._next_in is not None and channel == self._next_in.channel:
            self._heard = now
            return self._hold(octets)
        out = next((one for one in (self._out, self._next_out) if one is not None and one.channel == channel), None)
        if out is None or not is_rts or out.filled or rts.decode(octets).flags not in (Flags.PING, Flags.NONE):
            raise WireError("a PDU where none is expected")
        return self._out_c1(out, now)

    def _out_c1(self, out: _Out, now: float) -> list[Action]:
        """OUT_R2/C1 (or OUT_R1/A11): the request is whole, and may be answered ([MS-RPCH] 3.2.4.5.11)."""
        out.filled = True
        return self._begin(out, now) if out is self._out else []

    def _begin(self, out: _Out, now: float) -> list[Action]:
        """Send the head of a successor's reply, and what has waited for that."""
        held, out.held = out.held, []
        return [Head(out.channel), *(Write(out.channel, octets) for octets in held), *self._flush(now)]

    def _hold(self, octets: bytes) -> list[Action]:
        assert self._next_in is not None
        self._next_in.held_size += len(octets)
        if self._next_in.held_size > RECEIVE_WINDOW:
            raise WireError("the successor of the IN channel carries more than its window")
        self._next_in.held.append(octets)
        return []

    def _take(self, octets: bytes, now: float) -> list[Action]:
        """An RPC PDU. It is taken out of the window at once; whoever executes calls stops reading when it is full."""
        assert self._in is not None
        self._in.received = self._in.received + len(octets) & 0xFFFFFFFF
        self._in.unacknowledged += len(octets)
        actions: list[Action] = [Received(octets)]
        if self._in.unacknowledged > RECEIVE_WINDOW // 2 and self._out is not None:
            self._in.unacknowledged = 0
            ack = rts.flow_control_ack(Destination.CLIENT, self._in.received, RECEIVE_WINDOW, self._in.cookie)
            actions += self._rts(ack, now)
        return actions

    def _control(self, found: Rts, now: float) -> list[Action]:
        """An RTS PDU on the IN channel."""
        if found.flags & Flags.PING:
            return []
        ack = next((value for value in found.values(Command.FLOW_CONTROL_ACK) if isinstance(value, Ack)), None)
        if ack is not None:
            return self._acknowledged(ack, now)
        if found.form == "COOKIE":
            return self._in_a5(found.cookies[0], now)
        if found.form == "DESTINATION COOKIE VERSION" or found.form == "DESTINATION COOKIE":
            return self._out_a7(found.cookies[0], now)
        if found.form == "CLIENT_KEEPALIVE":
            self._set_keepalive(found)
            return []
        raise WireError(f"RTS PDU with {found.form or 'nothing'}")

    def _in_a5(self, successor: bytes, now: float) -> list[Action]:
        """IN_R2/A5: the successor has the floor ([MS-RPCH] 3.2.3.5.6)."""
        before, after = self._in, self._next_in
        if before is None or after is None or after.cookie != successor:
            raise WireError("another successor than there is")
        self._in, self._next_in = after, None
        actions: list[Action] = [CloseChannel(before.channel)]
        held, after.held, after.held_size = after.held, [], 0
        for octets in held:
            actions += self.received(after.channel, octets, now)
        return actions

    def _out_a7(self, successor: bytes, now: float) -> list[Action]:
        """OUT_R2/A7: the successor may be used. B3 ends the predecessor ([MS-RPCH] 3.2.4.5.10).

        The successor's reply begins when its request is whole: proxies between may lose one that comes earlier.
        """
        before, after = self._out, self._next_out
        if before is None or after is None or after.cookie != successor:
            raise WireError("another successor than there is")
        self._out, self._next_out, self._recycling = after, None, False
        last = Write(before.channel, rts.out_r2_b3().encode())
        self._said = self._changing = now
        return [last, CloseChannel(before.channel), *(self._begin(after, now) if after.filled else ())]

    def _acknowledged(self, ack: Ack, now: float) -> list[Action]:
        """[MS-RPCH] 3.2.1.1.5.1, 3.2.1.5.1.1: what the client has room for. One of another channel is passed over."""
        out = self._out
        if out is None or ack.channel_cookie != out.cookie:
            return []
        under_way = out.sent - ack.bytes_received & 0xFFFFFFFF
        window = ack.available_window - under_way
        if under_way > out.largest or ack.available_window > out.largest or window < 0:
            raise WireError("acknowledgment of what was not sent")
        out.window = window
        return self._flush(now)

    def _set_keepalive(self, found: Rts) -> None:
        wanted = (found.number(Command.CLIENT_KEEPALIVE) or 0) / 1000
        self._keepalive = max(wanted, KEEPALIVE_LOW) if wanted else 0.0

    # ------------------------------------------------------------------------------------------ what goes

    def send(self, octets: bytes, now: float) -> list[Action]:
        """Send an RPC PDU as soon as the client has room for it."""
        if self.dead:
            return []
        self._queue.append(octets)
        self._queued += len(octets)
        if self._queued > LARGEST_QUEUE:
            return self._die("the client takes nothing")
        return self._flush(now)

    def _flush(self, now: float) -> list[Action]:
        out = self._out
        if out is None or not self.opened or not out.filled:
            return []
        actions: list[Action] = []
        while self._queue and len(self._queue[0]) <= min(out.window, out.left - LAST_WORDS):
            octets = self._queue.popleft()
            self._queued -= len(octets)
            out.window -= len(octets)
            out.left -= len(octets)
            out.sent = out.sent + len(octets) & 0xFFFFFFFF
            actions.append(Write(out.channel, octets))
            self._said = now
        return actions + self._recycle(out, now)

    def _recycle(self, out: _Out, now: float) -> list[Action]:
        """OUT_R2/A2, when the channel is nearly used up ([MS-RPCH] 3.2.5.5)."""
        if self._recycling or out.left > min(LIFETIME_RESERVE, self._lifetime // 2):
            return []
        self._recycling, self._changing = True, now
        return self._rts(rts.out_r2_a2(), now)

    def _rts(self, found: Rts, now: float) -> list[Action]:
        assert self._out is not None
        octets = found.encode()
        self._out.left -= len(octets)
        self._said = now
        if not self._out.filled:
            self._out.held.append(octets)
            return []
        return [Write(self._out.channel, octets)]

    # ------------------------------------------------------------------------------------------ time, and the end

    def tick(self, now: float) -> list[Action]:
        """Called now and then: pings, and the end of what has become silent."""
        if self.dead:
            return []
        waits = not self.opened or self._next_in is not None or self._next_out is not None or self._recycling
        waits = waits or (self._out is not None and not self._out.filled)
        if waits and now - self._changing > OPEN_SECONDS:
            return self._die("channels did not come in time")
        if self.opened and now - self._heard > 2 * max(self._timeout, self._keepalive):
            return self._die("the client is silent")
        interval = min(self._timeout, self._keepalive or self._timeout) / 2
        if self.opened and self._out is not None and now - self._said >= interval and self._out.left > LAST_WORDS * 2:
            return [*self._rts(rts.ping(), now), *self._recycle(self._out, now)]
        return []

    def lost(self, channel: Channel) -> list[Action]:
        """A channel has ended by itself. Only a successor may go without taking the connection along."""
        if self.dead or channel not in self.channels:
            return []
        return self._die("a channel was lost")

    def _die(self, reason: str) -> list[Action]:
        self.dead = True
        self._queue.clear()
        self._queued = 0
        return [Dead(reason)]


_FORMS: Final = {
    (Flags.NONE, "VERSION COOKIE COOKIE RECEIVE_WINDOW_SIZE"): "CONN/A1",
    (
        Flags.NONE,
        "VERSION COOKIE COOKIE CHANNEL_LIFETIME CLIENT_KEEPALIVE ASSOCIATION_GROUP_ID",
    ): "CONN/B1",
    (Flags.RECYCLE_CHANNEL, "VERSION COOKIE COOKIE COOKIE"): "IN_R1/A1",
    (Flags.RECYCLE_CHANNEL, "VERSION COOKIE COOKIE COOKIE RECEIVE_WINDOW_SIZE"): "OUT_R1/A3",
}
ON_IN: Final = frozenset(("CONN/B1", "IN_R1/A1"))


def kind_of(found: Rts) -> str:
    """Which PDU begins a channel: CONN/A1, CONN/B1, IN_R1/A1 or OUT_R1/A3 (or that of _R2). WireError for any other."""
    kind = _FORMS.get((Flags(found.flags), found.form), "")
    if not kind:
        raise WireError(f"a channel that begins with {found.form or 'nothing'}")
    return kind


def _window(found: Rts) -> int:
    return min(max(found.number(Command.RECEIVE_WINDOW_SIZE) or 0, SMALLEST_WINDOW), LARGEST_WINDOW)
