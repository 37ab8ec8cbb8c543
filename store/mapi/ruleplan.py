"""What rules decide about a message before anything is done: where it goes, what is sent, what went wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from gromoxd.convert.letters import Writer
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.outgoing import Options
from gromoxd.mapi.rules import ActionBlock
from store.mapi.arriving import Arriving
from store.mapi.rulebook import Rule, Rulebook
from store.transaction import Transaction


class RuleError(IntEnum):
    """PidTagRuleError, [MS-OXORULE] 2.2.7.2."""

    GENERIC = 0x1
    PARSING = 0x4
    FOLDER = 0x6
    RIGHTS = 0x7
    TEMPLATE = 0xA
    EXECUTION = 0xB
    RECIPIENTS = 0xD


class RuleFailure(Exception):
    """An action cannot be carried out. `lasting`: nor ever can it be, so that the rule is disabled."""

    def __init__(self, code: RuleError, text: str, *, lasting: bool = True) -> None:
        super().__init__(text)
        self.code = code
        self.lasting = lasting


class Mail(NamedTuple):
    """A mail to send: `raw`, or else `head` and the message from `offset` on. `why` is for the log."""

    sender: str
    recipients: list[str]
    why: str
    raw: bytes = b""
    head: bytes = b""
    offset: int = 0
    options: Options = Options()


class Failed(NamedTuple):
    """An action that failed, for the owner to be told."""

    rule: Rule
    action: int
    kind: int
    failure: RuleFailure


@dataclass
class Plan:
    """`copies`: the folders that get one, in order. `kept`: it stays where it was delivered to (`home`)."""

    home: int
    kept: bool = True
    copies: dict[int, None] = field(default_factory=dict)
    deleted: bool = False
    refused: bool = False
    seen: bool = False
    tags: dict[int, object] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    deferred: dict[str, list[tuple[Rule, ActionBlock]]] = field(default_factory=dict)
    """Provider -> its actions that a client has to carry out."""
    failed: list[Failed] = field(default_factory=list)
    answered: list[tuple[int, str]] = field(default_factory=list)
    """(rule or 0, address) of those to be remembered as answered."""

    def folders(self) -> list[int]:
        """Where the message goes; none when it is deleted or refused."""
        home = [self.home] if self.kept and not self.deleted else []
        return list(dict.fromkeys([*home, *self.copies])) if not self.refused else []


@dataclass
class Run:
    """One message and the rules: what handlers of actions work with."""

    tx: Transaction
    call: c.Deliver
    view: Arriving
    book: Rulebook
    plan: Plan
    oof: bool
    letters: int = 0

    @property
    def owner(self) -> str:
        return self.tx.identity.owner

    def writer(self) -> Writer:
        """The mailbox as a writer of one more mail."""
        self.letters += 1
        identity = f"{self.tx.state.cn:x}.{self.tx.state.next_id:x}.{self.letters}.{self.tx.identity.guid.hex()[:12]}"
        return Writer(self.book.owner, self.owner, self.tx.now, identity)
