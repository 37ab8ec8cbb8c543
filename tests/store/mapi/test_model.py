"""The store against a dict: MAPI's and IMAP's calls in any order, with both views of it always the same."""

from __future__ import annotations

import email.message
import email.policy
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import pages
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachLongFilename,
    PidTagBody,
    PidTagFlagStatus,
    PidTagMessageFlags,
    PidTagSubject,
)
from store.mapi.marks import MF_READ
from store.settings import StoreSettings
from tests.store.conftest import DRAFTS, INBOX, SENT, Harness
from tests.store.mapi.objects import attachments, big, check_references, child, data_bag

FOLDERS = (INBOX, SENT, DRAFTS)
SEEN, FLAGGED, DRAFT = pages.SEEN, pages.FLAGGED, pages.DRAFT
ODD = 0x8503001F
WORDS = ("Red", "Green Day", "$Junk")

folder = st.sampled_from(FOLDERS)
text = st.sampled_from(["", "a", "zwei \u00e4", "RE: drei"])


def written(length: int) -> str:
    return "l\u00e4nger " * length


def filled(length: int) -> bytes:
    return b"0123456789abcdef" * length


body = st.sampled_from([0, 1, 6000]).map(written)
octets = st.sampled_from([0, 1, 4096]).map(filled)
nums = st.integers(0, 2)
picks = st.lists(st.integers(0, 50), min_size=1, max_size=4)
words = st.lists(st.sampled_from(WORDS), max_size=2, unique=True)
Inner = tuple[str, Any]
"""Subject, and the message that is in it or None."""
inner = st.recursive(st.tuples(text, st.none()), lambda deeper: st.tuples(text, deeper), max_leaves=3)
file = st.one_of(octets, inner)


@dataclass(frozen=True)
class Message:
    """What a message should be. `raw`: the octets in which it came, as long as they are its form."""

    fid: int
    uid: int
    kind: int
    cn: int
    flags: int
    words: frozenset[str]
    subject: str = ""
    body: str = ""
    odd: str | None = None
    files: dict[int, bytes | Inner] = field(default_factory=dict)
    raw: bytes = b""


def raw_mail(subject: str, octets_: bytes) -> bytes:
    """A delivered mail with one attachment."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "s@example.org", "r@example.org", "<1@example.org>"
    message["Subject"] = subject
    message.set_content("delivered\n")
    message.add_attachment(octets_, "application", "octet-stream", filename="f.bin")
    return message.as_bytes(policy=email.policy.SMTP)


def as_change(num: int, what: bytes | Inner) -> o.AttachmentChange:
    if isinstance(what, bytes):
        return o.AttachmentChange(num, set={PidTagAttachDataBinary: what, PidTagAttachLongFilename: "f.bin"})
    return o.AttachmentChange(num, embedded=as_message(what))


def as_message(what: Inner) -> o.Changes:
    deeper = [] if what[1] is None else [as_change(0, what[1])]
    return o.Changes({PidTagSubject: what[0]}, [], None, deeper)


def some(machine: Both) -> bool:
    return bool(machine.model)


def many(machine: Both) -> bool:
    return len(machine.model) > 4


class Both(RuleBasedStateMachine):
    """`model[mid]` is the message."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.box = Harness(Path(self.folder.name), StoreSettings(index_cache_pages=16))
        self.model: dict[int, Message] = {}
        self.next = dict.fromkeys(FOLDERS, 1)
        self.used: set[int] = set()
        self.seen: dict[tuple[int, int], tuple[bytes, Any]] = {}
        """(folder, uid) -> octets, and what is in them."""

    def teardown(self) -> None:
        self.box.close()
        self.folder.cleanup()

    # ------------------------------------------------------------------------------------------ the model

    def _uid(self, fid: int) -> int:
        self.next[fid] += 1
        return self.next[fid] - 1

    def _pick(self, chosen: list[int], *kinds: int, fid: int = 0) -> list[int]:
        there = [mid for mid, m in self.model.items() if m.kind in kinds and (not fid or m.fid == fid)]
        return list(dict.fromkeys(there[n % len(there)] for n in chosen)) if there else []

    def _listed(self, fid: int) -> dict[int, int]:
        """uid -> mid."""
        return {m.uid: mid for mid, m in sorted(self.model.items()) if m.fid == fid and m.kind == 0}

    def _add(self, mid: int, message: Message) -> None:
        assert mid not in self.used
        self.used.add(mid)
        self.model[mid] = message

    @initialize(fid=folder)
    def fill(self, fid: int) -> None:
        for n in range(2):
            self.append(INBOX, "a", filled(n), 0)
            self.make(fid, "b", written(n), {0: ("c", None), 1: filled(4096 * n)}, ["Red"], True, False)

    # ------------------------------------------------------------------------------------------ MAPI

    @rule(fid=folder, subject=text, content=body, files=st.dictionaries(nums, file, max_size=2), words_=words,
          read=st.booleans(), associated=st.sampled_from([False, False, True]))  # fmt: skip
    def make(
        self, fid: int, subject: str, content: str, files: dict[int, bytes | Inner], words_: list[str], read: bool,
        associated: bool,
    ) -> None:  # fmt: skip
        props = {PidTagSubject: subject, PidTagBody: content, PidNameKeywords: words_, PidTagMessageFlags: int(read)}
        changes = o.Changes(props, [], None, [as_change(num, what) for num, what in files.items()])
        call = o.SaveMessage(fid, 0, 0, changes, self.box.request_id(), associated=associated)
        saved = self.box.call(call)
        uid = 0 if associated else self._uid(fid)
        assert saved.uid == uid
        shown = frozenset(w for w in words_ if w[0] != "$")
        made = Message(fid, uid, int(associated), saved.cn, SEEN * read, shown, subject, content, None, dict(files))
        self._add(saved.mid, made)

    def _save(self, mid: int, shaping: bool, changes: o.Changes, **new: Any) -> None:
        had = self.model[mid]
        saved = self.box.call(o.SaveMessage(had.fid, mid, had.cn, changes, self.box.request_id()))
        anew = shaping and had.kind == 0 and saved.uid != had.uid
        if anew:
            assert saved.uid == self._uid(had.fid)
            new["raw"] = b""
        elif had.kind == 0:
            assert saved.uid == had.uid
        self.model[mid] = replace(had, uid=saved.uid, cn=saved.cn, **new)

    @precondition(some)
    @rule(chosen=picks, subject=text)
    def retitle(self, chosen: list[int], subject: str) -> None:
        for mid in self._pick(chosen[:1], 0, 1):
            differs = subject != self.model[mid].subject
            self._save(mid, differs, o.Changes({PidTagSubject: subject}), subject=subject)
            assert differs <= (self.model[mid].raw == b"")

    @precondition(some)
    @rule(chosen=picks, content=body)
    def rewrite(self, chosen: list[int], content: str) -> None:
        for mid in self._pick(chosen[:1], 0, 1):
            self._save(mid, True, o.Changes({PidTagBody: content}), body=content)

    @precondition(some)
    @rule(chosen=picks, odd=st.one_of(st.none(), body))
    def note(self, chosen: list[int], odd: str | None) -> None:
        for mid in self._pick(chosen[:1], 0, 1):
            changes = o.Changes({}, [ODD]) if odd is None else o.Changes({ODD: odd})
            self._save(mid, False, changes, odd=odd)

    @precondition(some)
    @rule(chosen=picks, words_=words, flagged=st.booleans())
    def categorise(self, chosen: list[int], words_: list[str], flagged: bool) -> None:
        for mid in self._pick(chosen[:1], 0, 1):
            had = self.model[mid]
            shown = {w for w in words_ if w[0] != "$"} | {w for w in had.words if w[0] == "$"}
            props = {PidNameKeywords: words_, PidTagFlagStatus: 2 * flagged}
            flags = had.flags | FLAGGED if flagged else had.flags & ~FLAGGED
            self._save(mid, False, o.Changes(props), flags=flags, words=frozenset(shown))

    @precondition(some)
    @rule(chosen=picks, num=nums, what=st.one_of(st.none(), file))
    def attach(self, chosen: list[int], num: int, what: bytes | Inner | None) -> None:
        for mid in self._pick(chosen[:1], 0, 1):
            files = dict(self.model[mid].files)
            files.pop(num, None)
            if what is None:
                self._save(mid, True, o.Changes({}, [], None, [o.AttachmentChange(num, True)]), files=files)
                continue
            gone = o.Changes({}, [], None, [o.AttachmentChange(num, True)])
            self._save(mid, True, gone, files=files)
            self._save(mid, True, o.Changes({}, [], None, [as_change(num, what)]), files=files | {num: what})

    @precondition(some)
    @rule(chosen=picks, subject=text)
    def reach_in(self, chosen: list[int], subject: str) -> None:
        """Change the subject of the message embedded deepest."""
        for mid in self._pick(chosen[:1], 0, 1):
            for num, what in self.model[mid].files.items():
                if isinstance(what, tuple):
                    changed, call = _deepest(what, subject)
                    change = o.Changes({}, [], None, [o.AttachmentChange(num, embedded=call)])
                    self._save(mid, True, change, files=self.model[mid].files | {num: changed})
                    break

    @precondition(many)
    @rule(fid=folder, chosen=picks, hard=st.booleans())
    def delete(self, fid: int, chosen: list[int], hard: bool) -> None:
        mids = self._pick(chosen, 0, 1, 2, 3, fid=fid)
        done = self.box.call(o.DeleteMessages(fid, mids, hard))
        assert not done.partial
        for mid in mids:
            if hard or self.model[mid].kind > 1:
                del self.model[mid]
            else:
                self.model[mid] = replace(self.model[mid], uid=0, kind=self.model[mid].kind + 2)

    @precondition(some)
    @rule(fid=folder, to=folder, chosen=picks, move=st.booleans())
    def transfer(self, fid: int, to: int, chosen: list[int], move: bool) -> None:
        mids = self._pick(chosen, 0, 1, 2, 3, fid=fid)
        done = self.box.call(o.TransferMessages(fid, mids, to, move, self.box.request_id()))
        assert [old for old, _ in done.pairs] == mids
        for old, new in done.pairs:
            had = self.model[old]
            kind = 1 if had.kind in (1, 3) else 0
            table = "unlisted" if kind else "messages"
            cn = self.box.sql(f"SELECT cn FROM {table} WHERE mid=?", new)[0][0]
            self._add(new, replace(had, fid=to, uid=0 if kind else self._uid(to), kind=kind, cn=cn))
            if move:
                del self.model[old]

    @precondition(some)
    @rule(fid=folder, chosen=picks, read=st.booleans())
    def mark(self, fid: int, chosen: list[int], read: bool) -> None:
        mids = self._pick(chosen, 0, 1, fid=fid)
        self.box.call(o.SetReadState(fid, mids, read))
        for mid in mids:
            had = self.model[mid]
            if had.kind == 0:
                self.model[mid] = replace(had, flags=had.flags | SEEN if read else had.flags & ~SEEN)

    @precondition(lambda self: any(m.kind > 1 for m in self.model.values()))
    @rule(fid=folder)
    def purge(self, fid: int) -> None:
        gone = [mid for mid, m in self.model.items() if m.fid == fid and m.kind > 1]
        assert self.box.call(o.PurgeDeleted(fid, int(self.box.clock) + 1)).messages == len(gone)
        for mid in gone:
            del self.model[mid]

    @precondition(many)
    @rule(fid=folder, associated=st.booleans(), hard=st.booleans())
    def empty(self, fid: int, associated: bool, hard: bool) -> None:
        self.box.call(o.EmptyFolder(fid, associated, hard))
        for mid, m in list(self.model.items()):
            if m.fid == fid and m.kind <= associated:
                if hard:
                    del self.model[mid]
                else:
                    self.model[mid] = replace(m, uid=0, kind=m.kind + 2)

    # ------------------------------------------------------------------------------------------ IMAP

    @rule(fid=folder, subject=text, what=octets, flags=st.sampled_from([0, SEEN, FLAGGED]))
    def append(self, fid: int, subject: str, what: bytes, flags: int) -> None:
        raw = raw_mail(subject, what)
        new = c.NewMessage(digest_message(raw, received=1_700_000_000), raw, 1_700_000_000, flags, [])
        stored = self.box.call(c.Append(fid, new, self.box.request_id()))
        assert stored.uid == self._uid(fid)
        made = Message(
            fid, stored.uid, 0, stored.cn, flags, frozenset(), subject, "delivered\r\n", None, {0: what}, raw
        )
        self._add(stored.mid, made)

    @precondition(some)
    @rule(fid=folder, mode=st.sampled_from([c.ADD, c.REMOVE]), flags=st.sampled_from([SEEN, FLAGGED, SEEN | FLAGGED]))
    def flag(self, fid: int, mode: int, flags: int) -> None:
        done = self.box.call(c.SetFlags(fid, [(1, 0xFFFFFFFF)], mode, flags))
        for mid in self._listed(fid).values():
            had = self.model[mid]
            new = had.flags | flags if mode == c.ADD else had.flags & ~flags
            cn = done.cn if (new ^ had.flags) & ~SEEN else had.cn
            self.model[mid] = replace(had, flags=new, cn=cn)

    @precondition(many)
    @rule(fid=folder, chosen=picks)
    def expunge(self, fid: int, chosen: list[int]) -> None:
        mids = self._pick(chosen, 0, fid=fid)
        for mid in mids:
            uid = self.model[mid].uid
            assert self.box.call(c.Expunge(fid, [(uid, uid)], False)).uids == [(uid, uid)]
            del self.model[mid]

    @precondition(some)
    @rule(fid=folder, to=folder, move=st.booleans())
    def copy(self, fid: int, to: int, move: bool) -> None:
        before = self._listed(fid)
        self.box.call(c.CopyMessages(fid, [(1, 0xFFFFFFFF)], to, move, self.box.request_id()))
        for uid in sorted(before):
            had, new = self.model[before[uid]], self._uid(to)
            mid, cn = self.box.sql("SELECT mid, cn FROM messages WHERE fid=? AND uid=?", to, new)[0]
            self._add(mid, replace(had, fid=to, uid=new, cn=cn))
            if move:
                del self.model[before[uid]]

    @rule()
    def reopen(self) -> None:
        self.box.reopen()

    @rule(fid=folder)
    def look_ahead(self, fid: int) -> None:
        """Somebody reads after the next write is committed and before it is published."""
        self.box.peek = [c.GetPages(fid, [0])]

    # ------------------------------------------------------------------------------------------ invariants

    @invariant()
    def nothing_leaks(self) -> None:
        check_references(self.box)

    @invariant()
    def imap_sees_the_model(self) -> None:
        sets = self.box.call(c.GetKeywordSets()).sets
        for fid in FOLDERS:
            state = self.box.state(fid)
            shown: dict[int, Any] = {}
            for _, page in self.box.pages(fid).values():
                for uid, mid, word in zip(page.uids, page.mids, page.flags, strict=True):
                    words_ = frozenset(sets[word >> pages.KEYWORD_SHIFT])
                    shown[uid] = (mid, word & pages.SYSTEM_MASK, words_)
            expected = self._listed(fid)
            assert shown == {u: (mid, self.model[mid].flags, self.model[mid].words) for u, mid in expected.items()}
            assert (state.exists, state.uidnext) == (len(shown), self.next[fid])
            assert state.unseen == sum(not flags & SEEN for _, flags, _ in shown.values())

    @invariant()
    def contents_are_the_model(self) -> None:
        for fid in FOLDERS:
            contents = self.box.contents(fid)
            assert contents.keys() == self._listed(fid).keys()
            for uid, mid in self._listed(fid).items():
                known = self.seen.setdefault((fid, uid), (contents[uid], None))
                assert known[0] == contents[uid], "the octets of a uid changed"
                message = self.model[mid]
                if known[1] is None:
                    self.seen[fid, uid] = (contents[uid], _mail(contents[uid]))
                if message.raw:
                    assert contents[uid] == message.raw
                else:
                    body_ = "".join(message.body.split())
                    assert self.seen[fid, uid][1] == (message.subject, body_, len(message.files))

    @invariant()
    def mapi_sees_the_model(self) -> None:
        columns = "mid, fid, {}, flags, cn, did"
        found = self.box.sql(f"SELECT {columns.format(0)} FROM messages")
        found += self.box.sql(f"SELECT {columns.format('kind')} FROM unlisted")
        assert {row[0] for row in found} == self.model.keys()
        for mid, fid, kind, _, cn, did in found:
            message = self.model[mid]
            assert (fid, kind, cn) == (message.fid, message.kind, message.cn)
            stored, values = data_bag(self.box, did), big(self.box, did)
            assert stored.get(PidTagSubject) == message.subject
            assert _text(stored, values, ODD) == message.odd
            if not message.raw:
                assert (_text(stored, values, PidTagBody) or "") == message.body
                assert _files(self.box, did) == message.files

    @invariant()
    def clients_of_mapi_are_told_the_model(self) -> None:
        for mid, m in self.model.items():
            opened = self.box.call(o.OpenMessage(mid))
            told = (opened.fid, opened.uid, opened.cn, opened.associated, opened.deleted)
            assert told == (m.fid, m.uid, m.cn, m.kind in (1, 3), m.kind > 1)
            props = opened.props
            assert props[PidTagSubject] == m.subject
            assert props[PidTagMessageFlags] & MF_READ == m.flags & SEEN
            assert (props.get(PidTagFlagStatus) == 2) == bool(m.flags & FLAGGED)
            assert set(props.get(PidNameKeywords, [])) == {w for w in m.words if w[0] != "$"}
            body_ = self._value(mid, opened.big, props, PidTagBody) or b""
            assert body_.decode("utf-16-le") == m.body
            assert {a.num: a.embedded for a in opened.attachments} == {
                num: isinstance(what, tuple) for num, what in m.files.items()
            }
            for one in opened.attachments:
                what = m.files[one.num]
                if isinstance(what, bytes):
                    assert self._value(mid, one.big, one.props, PidTagAttachDataBinary, num=one.num) == what
                else:
                    inside = self.box.call(o.OpenMessage(mid, [one.num]))
                    assert inside.props[PidTagSubject] == what[0]

    def _value(self, mid: int, big_: dict[int, int], props: o.Bag, tag: int, **where: Any) -> bytes | None:
        if tag not in big_:
            value = props.get(tag)
            return value.encode("utf-16-le") if isinstance(value, str) else value
        octets_: bytes = self.box.call(o.ReadValue(mid, tag, 0, 1 << 20, **where))
        slack = 2 if self.model[mid].raw else 0  # of a delivered message it is reckoned
        assert abs(len(octets_) - big_[tag]) <= slack
        return octets_

    @invariant()
    def memory_is_the_database(self) -> None:
        index = self.box.box._index
        for fid, view in index._views.items():
            loaded = self.box.box._reader.folder(fid)
            assert bytes(view.table) == loaded.table
            for number, cached in view.pages.items():
                fresh = self.box.box._reader.page(fid, number)
                assert fresh is not None
                assert (fresh.cn, fresh.page.encode()) == (cached.cn, cached.page.encode())


def _mail(raw: bytes) -> tuple[str, str, int]:
    """Subject, body without white space, number of attachments."""
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    content = parsed.get_body(("plain",))
    text_ = "" if content is None else content.get_content()
    return str(parsed["Subject"]), "".join(text_.split()), len([*parsed.iter_attachments()])


def _deepest(what: Inner, subject: str) -> tuple[Inner, o.Changes]:
    if isinstance(what[1], tuple):
        changed, call = _deepest(what[1], subject)
        return (what[0], changed), o.Changes({}, [], None, [o.AttachmentChange(0, embedded=call)])
    return (subject, what[1]), o.Changes({PidTagSubject: subject})


def _text(stored: o.Bag, values: dict[tuple[int, int], bytes], tag: int) -> Any:
    return values[0, tag].decode("utf-16-le") if (0, tag) in values else stored.get(tag)


def _files(box: Harness, did: int) -> dict[int, bytes | Inner]:
    values = big(box, did)
    files: dict[int, bytes | Inner] = {}
    for num, stored in attachments(box, did).items():
        if PidTagAttachLongFilename in stored:
            files[num] = values.get((num + 1, PidTagAttachDataBinary)) or stored[PidTagAttachDataBinary]
        else:
            files[num] = _inner(box, child(box, did, num))
    return files


def _inner(box: Harness, did: int) -> Inner:
    return data_bag(box, did)[PidTagSubject], next(iter(_files(box, did).values()), None)


QUICK = settings(max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
Both.TestCase.settings = QUICK
TestBoth = Both.TestCase


class Long(Both):
    """The same, for longer."""


Long.TestCase.settings = settings(QUICK, max_examples=200, stateful_step_count=40)
TestLong = pytest.mark.slow(Long.TestCase)
