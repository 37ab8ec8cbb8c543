"""What becomes of a recipient after a try: sent, failed, or tried again, and when. Pure: the clock is given."""

from __future__ import annotations

from dataclasses import dataclass, replace

QUEUED, HELD, SENT, FAILED, EXPANDED = 0, 1, 2, 3, 4
"""States of a recipient. A queued one that failed before is deferred: `tries` says so."""
NEVER = float("inf")
"""When a mail is due that waits for nobody's time."""
STATES = ("queued", "held", "sent", "failed", "expanded")


@dataclass(frozen=True)
class Recipient:
    """A recipient of a mail in the queue. `number` is its own in the mail; times are Unix seconds."""

    number: int
    address: str
    state: int = QUEUED
    due: float = 0.0
    tries: int = 0
    status: str = ""
    text: str = ""
    warned: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a try went: `code` 2 sent, 4 not now, 5 never. `status` is RFC 3463's, `text` what the server said.

    `server`: who said it, '' for this one. `told`: the server took over to tell the sender of success (RFC 3461 5.2.2).
    `added`: addresses of a list's members, which take the list's place; `apart`: members elsewhere who get the mail
    with the null sender, because its own may be made up.
    """

    code: int
    status: str
    text: str
    server: str = ""
    told: bool = False
    added: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Seconds; `warning` 0: no warnings."""

    retry_min: float
    retry_max: float
    expiry: float
    warning: float


def pause(policy: Policy, tries: int) -> float:
    """Seconds until the next try after so many."""
    return min(policy.retry_max, policy.retry_min * 2.0 ** min(max(tries - 1, 0), 40))


def after(recipient: Recipient, outcome: Outcome, created: float, now: float, policy: Policy) -> Recipient:
    """The recipient after a try."""
    tried = replace(recipient, tries=recipient.tries + 1, status=outcome.status, text=outcome.text[:1000])
    if outcome.code == 2:
        return replace(tried, state=EXPANDED if outcome.added or outcome.apart else SENT)
    if outcome.code == 5:
        return replace(tried, state=FAILED)
    if now - created >= policy.expiry:
        return replace(tried, state=FAILED, status=_final(outcome.status))
    due = now + pause(policy, tried.tries)
    return replace(tried, due=min(due, max(created + policy.expiry, now + 1)))


def _final(status: str) -> str:
    """4.x.y as 5.x.y when there will be no other try; 4.4.7, delivery time expired, stays what it is."""
    return status or "4.4.7"


def wants_warning(recipient: Recipient, created: float, now: float, policy: Policy) -> bool:
    """Whether the sender is to be told now that it takes long."""
    late = bool(policy.warning) and now - created >= policy.warning
    return late and recipient.state == QUEUED and recipient.tries > 0 and not recipient.warned
