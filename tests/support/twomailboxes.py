"""Two mailboxes that are replicas of each other: what changed in one is imported into the other, both ways.

What [MS-OXCFXICS] has a server do with a client's changes is done here by both sides. The change numbers of imports are
added to the state of the way back (3.2.5.9.4), so that changes are not sent back to where they came from.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import gid
from tests.support.replica import (
    FOLDER_TAGS,
    GONE,
    WHAT,
    Ask,
    changed_state,
    content_of,
    gids,
    read_all,
    with_gid,
    without,
)

ROUNDS = 5


@dataclass
class Mailbox:
    """One side: what is below the folder `top`. The states are those of what the other side has of it."""

    ask: Ask
    top: int
    key: bytes = b""
    state: s.State = field(default_factory=s.State)
    states: dict[bytes, s.State] = field(default_factory=dict)
    fids: dict[bytes, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.key = self.ask(h.GetFolderProps(self.top, [p.PidTagSourceKey]))[p.PidTagSourceKey]

    def find(self, key: bytes) -> int:
        """The folder with a source key, 0 for none."""
        found: int = self.ask(s.FindSourceKeys([key]))[0]
        return found

    def taken(self, key: bytes, done: s.ImportedFolder) -> None:
        """A folder was imported."""
        self.fids[key] = done.fid
        if not done.conflict and not done.ignored:
            seen = with_gid(self.state.seen, gid(self.key[:16], done.cn))
            self.state = changed_state(self.state, given=with_gid(self.state.given, key), seen=seen)

    def taken_message(self, folder: bytes, key: bytes, done: o.Saved, associated: bool) -> None:
        """A message was imported."""
        if not done.conflict and not done.ignored:
            state = self.states.get(folder, s.State())
            name = "seen_fai" if associated else "seen"
            more = {name: with_gid(getattr(state, name), gid(self.key[:16], done.cn))}
            self.states[folder] = changed_state(state, given=with_gid(state.given, key), **more)


class Pair:
    """See the module."""

    def __init__(self, a: Mailbox, b: Mailbox) -> None:
        self.a, self.b = a, b
        self._requests = 0

    def synchronise(self) -> None:
        """Both ways, until there is nothing to do."""
        for _ in range(ROUNDS):
            if not self._pass(self.a, self.b) + self._pass(self.b, self.a):
                return
        raise AssertionError(f"not at rest after {ROUNDS} rounds")

    def _pass(self, source: Mailbox, target: Mailbox) -> int:
        """One way; answers how much was sent."""
        changes: s.HierarchyChanges = source.ask(s.GetHierarchyChanges(source.top, source.state))
        source.state = changes.state
        for fid, _ in changes.changed:
            self._send_folder(source, target, fid)
        gone = list(gids(changes.deleted))
        for key in gone:
            source.fids.pop(key, None)
            target.fids.pop(key, None)
            target.ask(s.ImportDeletes(target.top, [key], True))
        target.state = changed_state(target.state, given=without(target.state.given, gone))
        sent = len(changes.changed) + len(gone)
        for key, fid in [(source.key, source.top), *source.fids.items()]:
            there = target.top if key == source.key else target.find(key)
            if there:
                sent += self._send_contents(source, target, key, fid, there)
        return sent

    def _send_folder(self, source: Mailbox, target: Mailbox, fid: int) -> None:
        for attempt in range(1, ROUNDS * 4):
            props = source.ask(h.GetFolderProps(fid, FOLDER_TAGS))
            key, parent = props[p.PidTagSourceKey], props[p.PidTagParentSourceKey]
            source.fids[key] = fid
            name = props[p.PidTagDisplayName]
            place = target.top if parent == source.key else target.find(parent)
            if not place:
                return
            try:
                done = target.ask(
                    s.ImportFolder(
                        place, key, props[p.PidTagChangeKey], props[p.PidTagPredecessorChangeList],
                        props.get(p.PidTagLastModificationTime, 0), name, {},
                    )
                )  # fmt: skip
            except MapiError as error:
                if error.code is Ec.ecDuplicateName:
                    source.ask(h.SetFolderProps(fid, {p.PidTagDisplayName: name + "'" * attempt}))
                elif error.code is Ec.ecFolderCycle:
                    source.ask(h.TransferFolder(fid, source.top, name + "'" * attempt, False, self._request_id()))
                elif error.code in GONE:
                    return
                else:
                    raise
            else:
                target.taken(key, done)
                return
        raise AssertionError(f"folder {fid:#x} finds no place")

    def _send_contents(self, source: Mailbox, target: Mailbox, key: bytes, fid: int, there: int) -> int:
        way_back = key if key != source.key else target.key
        changes: s.ContentChanges = source.ask(s.GetContentChanges(fid, source.states.get(key, s.State()), WHAT))
        source.states[key] = changes.state
        messages = read_all(source.ask, [mid for mid, *_ in changes.changed])
        marks: list[tuple[bytes, bool]] = []
        for mid, *_ in changes.changed:
            if mid in messages:
                marks += self._send_message(source, target, way_back, there, messages[mid])
        gone = list(gids(changes.deleted))
        marks += [(one, True) for one in gids(changes.read)] + [(one, False) for one in gids(changes.unread)]
        if gone:
            target.ask(s.ImportDeletes(there, gone))
        state = target.states.get(way_back, s.State())
        state = changed_state(state, given=without(state.given, gone))
        if marks:
            done: c.Done = target.ask(s.ImportReadState(there, marks))
            if done.cn:
                state = changed_state(state, read=with_gid(state.read, gid(target.key[:16], done.cn)))
        target.states[way_back] = state
        return len(changes.changed) + len(gone) + len(marks)

    def _send_message(
        self, source: Mailbox, target: Mailbox, folder: bytes, there: int, message: o.Message
    ) -> list[tuple[bytes, bool]]:
        """Answers the read mark that is to be sent beside a message that is there as it is."""
        props, content = message.props, content_of(source.ask, message)
        key: bytes = props[p.PidTagSourceKey]
        imported = o.Imported(
            key, props[p.PidTagChangeKey], props[p.PidTagPredecessorChangeList], props[p.PidTagLastModificationTime]
        )
        call = o.SaveMessage(
            there, 0, 0, content.changes(), self._request_id(), associated=message.associated, imported=imported
        )
        try:
            done: o.Saved = target.ask(call)
        except MapiError as error:
            if error.code not in GONE:
                raise
            return []
        target.taken_message(folder, key, done, message.associated)
        same = done.ignored and not done.conflict and not message.associated
        return [(key, content.read)] if same else []

    def _request_id(self) -> bytes:
        self._requests += 1
        return self.a.key[-6:] + self._requests.to_bytes(4, "big")
