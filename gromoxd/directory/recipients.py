"""Resolving a recipient address: users by name, alternate name, alias and sub-address; mailing lists with their rules.

Lists are expanded at most eight deep; one that turns up again is not entered twice. Every list on the way must admit
the sender: for the addressed one that decides the verdict, for an inner one whether its members are reached.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gromoxd.directory.model import (
    DisplayType,
    ListPrivilege,
    MailingList,
    Recipient,
    Status,
    User,
    Verdict,
    normal,
)

if TYPE_CHECKING:
    from gromoxd.directory.service import Directory

log = logging.getLogger(__name__)
DEEPEST = 8
MAX_RECIPIENTS = 100_000


@dataclass
class _Expansion:
    """What has been gathered of a list: mailboxes by user id, outside addresses, lists already entered."""

    sender: str
    users: dict[int, User] = field(default_factory=dict)
    external: dict[str, None] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)
    too_deep: bool = False


class Resolver:
    """`Directory.recipient`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def resolve(self, address: str, sender: str) -> Recipient:
        """See `Directory.recipient`."""
        user, detail = self._user(address)
        if user is None:
            return Recipient(address, Verdict.UNKNOWN)
        if user.display_type == DisplayType.LIST:
            return self._list(address, user, normal(sender))
        if user.may_receive:
            return Recipient(address, Verdict.OK, [user], detail=detail)
        gone = not user.maildir or user.address_status & 0x0F in (Status.DELETED, Status.CONTACT)
        return Recipient(address, Verdict.UNKNOWN if gone else Verdict.DISABLED)

    def _user(self, address: str) -> tuple[User | None, str]:
        """The user of an address and the sub-address, which is only looked for if the whole is nobody's."""
        name = normal(address)
        user = self._directory.find_or_none(name) if name else None
        if user is not None or not name:
            return user, ""
        local, at, domain = address.strip().rpartition("@")
        delimiters = self._directory.settings.lda_recipient_delimiter
        cut = min((i for i in (local.find(sign) for sign in delimiters) if i > 0), default=0)
        if not cut:
            return None, ""
        base = normal(local[:cut] + at + domain)
        return (self._directory.find_or_none(base) if base else None), local[cut + 1 :]

    # ------------------------------------------------------------------------------------------ lists

    def _list(self, address: str, user: User, sender: str) -> Recipient:
        found = self._directory.mailing_list(user.username)
        if found is None or user.address_status or user.domain_status:
            return Recipient(address, Verdict.UNKNOWN if found is None else Verdict.DISABLED)
        verdict = self._admits(found, sender)
        if verdict is not Verdict.OK:
            return Recipient(address, verdict, list_name=user.username)
        gathered = _Expansion(sender, entered={user.username.lower()})
        self._expand(found, gathered, 1)
        if gathered.too_deep:
            log.warning("mailing list is nested too deep list=%s", user.username)
            return Recipient(address, Verdict.LOOP, list_name=user.username)
        reached = bool(gathered.users or gathered.external)
        return Recipient(
            address,
            Verdict.OK if reached else Verdict.UNKNOWN,
            list(gathered.users.values()),
            list(gathered.external),
            list_name=user.username,
        )

    def _expand(self, parent: MailingList, gathered: _Expansion, depth: int) -> None:
        known = self._directory.users(parent.members)
        for member in parent.members:
            if len(gathered.users) + len(gathered.external) >= MAX_RECIPIENTS:
                return
            user = known.get(member) or self._user(member)[0]
            if user is None:
                self._outside(member, gathered)
            elif user.display_type == DisplayType.LIST:
                self._enter(user, gathered, depth)
            elif user.may_receive:
                gathered.users[user.id] = user

    def _outside(self, member: str, gathered: _Expansion) -> None:
        domain = member.rpartition("@")[2]
        if "@" in member and self._directory.domain(domain) is None:
            gathered.external[member] = None
        else:
            log.info("mailing list has an unknown member member=%r", member)

    def _enter(self, user: User, gathered: _Expansion, depth: int) -> None:
        name = user.username.lower()
        if name in gathered.entered:
            return
        gathered.entered.add(name)
        if depth >= DEEPEST:
            gathered.too_deep = True
            return
        inner = self._directory.mailing_list(name)
        if inner is not None and not user.address_status and self._admits(inner, gathered.sender) is Verdict.OK:
            self._expand(inner, gathered, depth + 1)

    def _admits(self, to: MailingList, sender: str) -> Verdict:
        """Whether a list takes mail from this sender (list_privilege)."""
        if to.privilege in (ListPrivilege.ALL, ListPrivilege.OUTGOING):
            return Verdict.OK
        domain = sender.rpartition("@")[2]
        if to.privilege == ListPrivilege.DOMAIN:
            return Verdict.OK if domain and domain == to.name.lower().rpartition("@")[2] else Verdict.LIST_DOMAIN
        known = {sender} if sender else set()
        user = self._directory.find_or_none(sender) if sender else None
        if user is not None:
            known.add(user.username.lower())
        if to.privilege == ListPrivilege.INTERNAL:
            return Verdict.OK if known & set(to.members) else Verdict.LIST_INTERNAL
        return Verdict.OK if (known | {domain or "@"}) & set(to.specifieds) else Verdict.LIST_SPECIFIED
