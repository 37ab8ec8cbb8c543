"""Distinguished names of users, public stores and servers, and the ids that AutoDiscover tells of mailboxes. Pure.

Exchange clients know objects of the address book by DNs (PidTagEmailAddress of type EX, [MS-OXOABK] 2.2.3.14). The
forms are those of profiles made for Gromox: ids of the user database as hex digits of their little-endian octets.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from uuid import UUID

GROUP: Final = "Exchange Administrative Group (FYDIBOHF23SPDLT)"
LONGEST_DN: Final = 1024
_RECIPIENT = re.compile(r"/cn=recipients/cn=([0-9a-f]{8})([0-9a-f]{8})-([^/]{1,320})", re.IGNORECASE)
_SERVER = re.compile(
    r"/cn=configuration/cn=servers/cn=([^/]{1,512})(/cn=microsoft (private|public) mdb)?", re.IGNORECASE
)
_MAILBOX = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})@([^@/]{1,255})", re.IGNORECASE)


class Recipient(NamedTuple):
    """What a recipient's DN says; `user_id` 0 is the public store of the domain, whose name `local` then is."""

    domain_id: int
    user_id: int
    local: str


class MailboxId(NamedTuple):
    """What a mailbox id (`MailboxId=` of URLs, host name of servers) says; `user_id` 0: the domain's public store."""

    domain_id: int
    user_id: int
    domain: str


def prefix(organisation: str) -> str:
    """The DN of the administrative group."""
    return f"/o={organisation}/ou={GROUP}"


def recipient_dn(organisation: str, domain_id: int, user_id: int, name: str) -> str:
    """The DN of a user by his user name, of a public store by its domain."""
    local = name.partition("@")[0] if user_id else name
    return f"{prefix(organisation)}/cn=Recipients/cn={_hex(domain_id)}{_hex(user_id)}-{local}"


def parse_recipient(organisation: str, dn: str) -> Recipient | None:
    """The opposite, letters of any case; None for a DN of another form or organisation."""
    tail = _below(organisation, dn)
    found = _RECIPIENT.fullmatch(tail) if tail else None
    return Recipient(_number(found[1]), _number(found[2]), found[3].lower()) if found else None


def mailbox_id(domain_id: int, user_id: int, domain: str) -> str:
    """`GUID@domain`: names a mailbox for ever; no secret."""
    return f"{UUID(fields=(user_id, domain_id >> 16, domain_id & 0xFFFF, 0x80, 0, 0x67726D786F64))}@{domain}"


def parse_mailbox_id(text: str) -> MailboxId | None:
    """The opposite; None for what is no id of ours."""
    found = _MAILBOX.fullmatch(text)
    if found is None:
        return None
    fields = UUID(found[1]).fields
    return MailboxId(fields[1] << 16 | fields[2], fields[0], found[2].lower()) if fields[5] == 0x67726D786F64 else None


def server_dn(organisation: str, mailbox: str) -> str:
    """The DN of the "server" of a mailbox, of which each mailbox has its own."""
    return f"{prefix(organisation)}/cn=Configuration/cn=Servers/cn={mailbox}"


def mdb_dn(organisation: str, mailbox: str, *, public: bool = False) -> str:
    """The DN of a mailbox's database (PidTagAddressBookHomeMessageDatabase)."""
    return f"{server_dn(organisation, mailbox)}/cn=Microsoft {'Public' if public else 'Private'} MDB"


def parse_server(organisation: str, dn: str) -> str | None:
    """The mailbox id in the DN of a server or of its database."""
    tail = _below(organisation, dn)
    found = _SERVER.fullmatch(tail) if tail else None
    return found[1].lower() if found else None


def _below(organisation: str, dn: str) -> str:
    start = prefix(organisation)
    return dn[len(start) :] if len(dn) <= LONGEST_DN and dn[: len(start)].lower() == start.lower() else ""


def _hex(number: int) -> str:
    return number.to_bytes(4, "little").hex()


def _number(digits: str) -> int:
    return int.from_bytes(bytes.fromhex(digits), "little")
