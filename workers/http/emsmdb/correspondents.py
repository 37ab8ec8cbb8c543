"""Who a message is from and goes to: Exchange's addresses get the SMTP ones behind them before the store sees them.

Outlook names people of the address book by DNs ([MS-OXOMSG] 2.2.1); mail is sent and answered by SMTP addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gromoxd.directory import dn
from gromoxd.exmdb.working import WorkingMessage
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from workers.http.people import People

if TYPE_CHECKING:
    from workers.http.emsmdb.session import Session


class Person(NamedTuple):
    """The properties that name somebody ([MS-OXOMSG] 2.2.1.48-2.2.1.58, [MS-OXCMSG] 2.2.1.21)."""

    entry_id: int
    kind: int
    address: int
    smtp: int


SENDER: Final = Person(
    p.PidTagSenderEntryId, p.PidTagSenderAddressType, p.PidTagSenderEmailAddress, p.PidTagSenderSmtpAddress
)
REPRESENTED: Final = Person(
    p.PidTagSentRepresentingEntryId, p.PidTagSentRepresentingAddressType, p.PidTagSentRepresentingEmailAddress,
    p.PidTagSentRepresentingSmtpAddress,
)  # fmt: skip
_PEOPLE: Final = (
    SENDER,
    REPRESENTED,
    Person(
        p.PidTagReceivedByEntryId, p.PidTagReceivedByAddressType, p.PidTagReceivedByEmailAddress,
        p.PidTagReceivedBySmtpAddress,
    ),
    Person(
        p.PidTagReceivedRepresentingEntryId, p.PidTagReceivedRepresentingAddressType,
        p.PidTagReceivedRepresentingEmailAddress, p.PidTagReceivedRepresentingSmtpAddress,
    ),
    Person(
        p.PidTagReadReceiptEntryId, p.PidTagReadReceiptAddressType, p.PidTagReadReceiptEmailAddress,
        p.PidTagReadReceiptSmtpAddress,
    ),
)  # fmt: skip
_TAGS: Final = frozenset(tag for one in _PEOPLE for tag in one)


def dn_prefix(session: Session) -> str:
    """What DNs in rows of recipients may leave out ([MS-OXCDATA] 2.8.3.2), as connecting tells it."""
    return dn.prefix(session.site.people.organisation)


def add_smtp_address(session: Session, recipient: Bag) -> None:
    """PidTagSmtpAddress of a recipient with another address."""
    kind, address = recipient.get(p.PidTagAddressType), recipient.get(p.PidTagEmailAddress)
    if p.PidTagSmtpAddress not in recipient and isinstance(kind, str) and isinstance(address, str):
        found = session.site.people.address_of(kind, address)
        if found:
            recipient[p.PidTagSmtpAddress] = found


def complete(session: Session, message: WorkingMessage) -> None:
    """The SMTP addresses of sender, represented sender and so on, where those were set as Exchange's."""
    state = message.loaded()
    if _TAGS.isdisjoint(state.changed) or not message.writable:
        return
    found: dict[int, Any] = {}
    stale = []
    for one in _PEOPLE:
        if state.changed.isdisjoint(one) or one.smtp in state.changed:
            continue
        smtp = _address(session.site.people, state.values, one)
        if smtp:
            found[one.smtp] = smtp
        elif one.smtp in state.values:
            stale.append(one.smtp)  # of whom it was before
    if found:
        message.set(found)
    if stale:
        message.delete(stale)


def _address(people: People, values: dict[int, Any], one: Person) -> str:
    kind, address = values.get(one.kind), values.get(one.address)
    if isinstance(kind, str) and isinstance(address, str) and address:
        return people.address_of(kind, address)
    entry_id = values.get(one.entry_id)
    return people.address_of_entry(entry_id) if isinstance(entry_id, bytes) else ""
