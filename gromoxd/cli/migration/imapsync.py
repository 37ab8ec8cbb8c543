"""`migrate imap`: the messages of another server, folder by folder.

A message's source is the log-in, the folder, its UIDVALIDITY and the uid (RFC 9051 2.3.1.1). Where that says nothing,
because the server has made its folders anew or the message came another way, Message-ID and size are compared, and of
messages without one the octets.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple

import gevent
from imapclient.exceptions import IMAPClientError

from gromoxd.cli.importing import Progress
from gromoxd.cli.migration.destination import Destination, Known
from gromoxd.cli.migration.imapfolders import Mapping
from gromoxd.cli.migration.imapsource import AT_ONCE, Flags, ImapSource, Selected, SourceFolder, Summary, told
from gromoxd.cli.migration.imapstate import FolderState, State
from gromoxd.cli.migration.outcome import Stopped
from gromoxd.convert.headers import get_field
from gromoxd.convert.properties import identifier
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.mapi.proptags import PidTagInternetMessageId

_SOURCE = Struct("<8s8sII")
BATCH_OCTETS: Final = 4 << 20
"""Octets of messages that are asked for at once; larger messages come in pieces, through a file."""
BATCH: Final = 200
LARGE: Final = 1 << 20


class Source(NamedTuple):
    """What SOURCE says of a message that came by IMAP."""

    account: bytes
    folder: bytes
    uidvalidity: int
    uid: int

    def encode(self) -> bytes:
        """The value of the property."""
        return _SOURCE.pack(*self)

    @classmethod
    def decode(cls, data: object) -> Source | None:
        """None for what is not of this form."""
        return cls(*_SOURCE.unpack(data)) if isinstance(data, bytes) and len(data) == _SOURCE.size else None


class Options(NamedTuple):
    """What the administrator wants."""

    since: date | None = None
    delete: bool = False


class _Stray(NamedTuple):
    """A message here of which it is not known which one it was there."""

    known: Known
    key: bytes


class Run:
    """One migration. `_known`: what earlier runs brought, wherever it is now."""

    def __init__(self, source: ImapSource, target: Destination, bar: Progress, options: Options) -> None:
        self.source, self.target, self.bar, self.options = source, target, bar, options
        self.outcome = target.outcome
        self.state = State(target, source.address.account)
        self._known: dict[Source, Known] = {}
        self._paths = {one.path.casefold(): one.fid for one in target.folders.by_fid.values() if one.path}

    def run(self, pairs: dict[str, str], excluded: tuple[str, ...]) -> None:
        """All folders. Stopped when nothing more can be done."""
        try:
            folders, foreign = self.source.folders()
        except IMAPClientError as error:
            raise Stopped(f"the folders are not told: {told(error)}") from error
        for name in foreign:
            self.outcome.note(f"folder {name} of others")
        mapping = Mapping(self.target.folders, folders, pairs, excluded, self.source.address.folder)
        self._look()
        for folder in folders:
            if not mapping.wanted(folder):
                continue
            if mapping.is_view(folder):
                self.outcome.note(f"folder {folder.name}, which shows what is in others")
                continue
            self._folder_of(folder, mapping.target(folder))
        self.state.save(now=True)

    def _folder_of(self, folder: SourceFolder, path: str) -> None:
        try:
            selected = self.source.select(folder)
            FolderSync(self, folder, path, selected).run()
            if folder.subscribed and not self.target.dry:
                self.target.call(c.Subscribe(path, True))
        except IMAPClientError as error:
            self.outcome.fail(f"folder {folder.name}", told(error))
        except MapiError as error:
            self.outcome.fail(f"folder {folder.name}", error.text or str(error))
        finally:
            self.target.wait()

    def _look(self) -> None:
        """What earlier runs brought."""
        places = list(self.target.folders.by_fid) if self.target.source_tag else []
        self.bar.begin("what is there", len(places))
        for number, fid in enumerate(places):
            self.bar.at(number)
            try:
                for seen in self.target.contents(fid):
                    source = Source.decode(seen.props.get(self.target.source_tag))
                    if source is not None and source.account == self.state.account:
                        self._known[source] = seen.known
            except MapiError as error:
                if error.code not in (Ec.ecNotFound, Ec.ecNotSupported):
                    raise Stopped(error.text or str(error)) from error

    def known(self, folder: bytes, uidvalidity: int) -> dict[int, Known]:
        """Of one folder there: uid -> the message here."""
        wanted = (self.state.account, folder, uidvalidity)
        return {source.uid: known for source, known in self._known.items() if source[:3] == wanted}

    def place(self, path: str) -> int:
        """Our folder, made at need; 0 in a dry run for one that would be made."""
        fid = self._paths.get(path.casefold(), 0)
        if not fid and not self.target.dry:
            made = self.target.call(c.CreateFolder(path, "IPF.Note", blake2b(path.encode(), digest_size=16).digest()))
            fid = self._paths[path.casefold()] = made.fid
        return fid


class FolderSync:
    """One folder there, and where it goes."""

    def __init__(self, run: Run, folder: SourceFolder, path: str, selected: Selected) -> None:
        self.source, self.target, self.outcome, self.options = run.source, run.target, run.outcome, run.options
        self.bar, self.path, self.selected = run.bar, path, selected
        self.name = blake2b(folder.name.encode(), digest_size=8).digest()
        self.state = run.state
        self.label = folder.name
        self.fid = run.place(path)
        before = run.state.folders.get(folder.name, FolderState())
        self.before = before if before.uidvalidity == selected.uidvalidity else FolderState()
        self.known = run.known(self.name, selected.uidvalidity)
        self.seen = dict(self.before.flags)
        """Flags there as they are known now; those of messages that are not brought yet are not in it."""

    def run(self) -> None:
        """Bring what is new, then what has changed."""
        uids = self.source.uids(self.options.since)
        new = [uid for uid in uids if uid not in self.known and uid not in self.before.flags]
        old = [uid for uid in uids if uid in self.known]
        self.outcome.there += len(old)
        self._flags(old)
        self.bar.begin(self.path, len(new))
        strays = self._strays() if new and self.fid else {}
        for first in range(0, len(new), AT_ONCE):
            self._bring(new[first : first + AT_ONCE], strays, first)
        self.target.wait()
        if self.options.since is None:
            self._gone(set(uids))
        self.state.folders[self.label] = FolderState(self.selected.uidvalidity, self.selected.modseq, self.seen)
        self.state.save()

    # ------------------------------------------------------------------------------------------ what is here

    def _strays(self) -> dict[bytes, list[_Stray]]:
        """Messages in our folder that no message there is known to be, by what else they are known by."""
        found: dict[bytes, list[_Stray]] = {}
        for seen in self.target.contents(self.fid, self.target.key_tag, PidTagInternetMessageId):
            source = Source.decode(seen.props.get(self.target.source_tag))
            if source is not None and source[:3] == (self.state.account, self.name, self.selected.uidvalidity):
                continue
            message_id = seen.props.get(PidTagInternetMessageId)
            key = seen.props.get(self.target.key_tag)
            if isinstance(message_id, str) and message_id:
                found.setdefault(_mail_key(message_id, seen.size), []).append(_Stray(seen.known, b""))
            elif isinstance(key, bytes):
                found.setdefault(key, []).append(_Stray(seen.known, key))
        return found

    def _adopt(self, uids: dict[int, Summary], strays: dict[bytes, list[_Stray]]) -> dict[int, Summary]:
        """Those of the new ones that are not here under another name."""
        if not strays:
            return uids
        left = dict(uids)
        for uid, field in self.source.message_ids(list(uids)).items():
            value = get_field(field, b"message-id")
            found = strays.get(_mail_key(identifier(value), uids[uid].size)) if value else None
            if found:
                self._is(uid, left.pop(uid).flags, found.pop(0).known)
        return left

    def _is(self, uid: int, flags: Flags, known: Known) -> None:
        """A message here is that one; if it was marked otherwise there, it gets these marks."""
        self.outcome.there += 1
        self.known[uid] = known
        self.seen[uid] = flags
        if not self.target.dry:
            props = {self.target.source_tag: self._source(uid)}
            self.target.start(f"{self.label}, uid {uid}", partial(self.target.change, known, props))

    def _source(self, uid: int) -> bytes:
        return Source(self.state.account, self.name, self.selected.uidvalidity, uid).encode()

    # ------------------------------------------------------------------------------------------ new messages

    def _bring(self, uids: list[int], strays: dict[bytes, list[_Stray]], done: int) -> None:
        summaries = self._adopt(self.source.summaries(uids), strays)
        if self.target.dry:
            if summaries:
                self.outcome.came(self.path, len(summaries))
            return
        batches = list(_batches(summaries))
        ahead = gevent.spawn(self._fetch, batches[0], summaries) if batches else None
        for number, batch in enumerate(batches):
            assert ahead is not None
            bodies = _or_raised(ahead.get())
            after = batches[number + 1] if number + 1 < len(batches) else []
            ahead = gevent.spawn(self._fetch, after, summaries) if after else None
            for uid in batch:
                done += 1
                self.bar.at(done)
                self._store(uid, summaries[uid], bodies.get(uid), strays)

    def _fetch(self, batch: list[int], summaries: dict[int, Summary]) -> dict[int, bytes] | Exception:
        """For a greenlet: an exception is the result."""
        small = [uid for uid in batch if summaries[uid].size <= LARGE]
        try:
            return self.source.bodies(small) if small else {}
        except (Stopped, IMAPClientError) as error:
            return error

    def _store(self, uid: int, summary: Summary, raw: bytes | None, strays: dict[bytes, list[_Stray]]) -> None:
        where = f"{self.label}, uid {uid}"
        if summary.size > self.source.largest:
            self.outcome.fail(where, f"larger than {self.source.largest} octets")
        elif summary.size > LARGE:
            self.target.start(where, partial(self._store_large, uid, summary), summary.size)
        elif raw is None:
            self.outcome.fail(where, "the server does not give it")
        else:
            found = strays.get(blake2b(raw, digest_size=16, person=b"mail").digest()) if strays else None
            if found:
                self._is(uid, summary.flags, found.pop(0).known)
            else:
                self.target.start(where, partial(self._append, uid, summary, raw), len(raw))

    def _append(self, uid: int, summary: Summary, raw: bytes) -> None:
        self._added(uid, summary, lambda source: self.target.append(
            self.fid, raw, source, received=summary.received, flags=summary.flags.bits,
            keywords=summary.flags.keywords,
        ))  # fmt: skip

    def _store_large(self, uid: int, summary: Summary) -> None:
        with tempfile.TemporaryFile() as spool:
            try:
                size = self.source.body_into(spool, uid)
            except (Stopped, IMAPClientError) as error:
                self.outcome.fail(f"{self.label}, uid {uid}", told(error))
                return
            if not size:
                self.outcome.fail(f"{self.label}, uid {uid}", "the server does not give it")
                return
            self._added(uid, summary, lambda source: self.target.append(
                self.fid, spool, source, received=summary.received, flags=summary.flags.bits,
                keywords=summary.flags.keywords,
            ))  # fmt: skip

    def _added(self, uid: int, summary: Summary, append: Callable[[bytes], c.Stored]) -> None:
        stored = append(self._source(uid))
        self.known[uid] = Known(stored.fid, stored.mid, stored.uid, summary.flags.bits, summary.flags.keywords)
        self.seen[uid] = summary.flags
        self.outcome.came(self.path)

    # ------------------------------------------------------------------------------------------ changes

    def _flags(self, old: list[int]) -> None:
        """Marks that were changed there since. Of what was never seen, those here may be of an earlier moment."""
        now: dict[int, Flags] = {}
        some = self._only_changed()
        unseen = [uid for uid in old if uid not in self.before.flags]
        for first in range(0, len(old), AT_ONCE):
            part = old[first : first + AT_ONCE]
            now |= self.source.changed_flags(part, self.before.modseq) if some else self.source.flags(part)
        for first in range(0, len(unseen) if some else 0, AT_ONCE):
            now |= self.source.flags(unseen[first : first + AT_ONCE])
        changed: dict[tuple[int, Flags], list[int]] = {}
        for uid, flags in now.items():
            known = self.known.get(uid)
            before = self.before.flags.get(uid)
            if known is not None and flags != (before or Flags(known.flags, _shown(known))):
                changed.setdefault((known.fid, flags), []).append(known.uid)
                self.outcome.changed += 1
            self.seen[uid] = flags
        for (fid, flags), uids in changed.items():
            ranges = [(uid, uid) for uid in sorted(uids)]
            call = c.SetFlags(fid, ranges, c.REPLACE, flags.bits, list(flags.keywords))
            if not self.target.dry:
                self.target.start(f"flags in {self.label}", partial(self._carry_out, call))

    def _carry_out(self, call: c.SetFlags) -> None:
        self.target.call(call)

    def _only_changed(self) -> bool:
        """Whether the server can be asked for what changed since (RFC 7162)."""
        return bool(self.before.modseq and self.selected.modseq)

    def _gone(self, there: set[int]) -> None:
        """What is there no more; deleted here, too, when that is wanted."""
        for uid in [uid for uid in self.seen if uid not in there]:
            del self.seen[uid]
        for uid, known in self.known.items():
            if uid not in there and self.options.delete:
                self.outcome.removed += 1
                if not self.target.dry:
                    self.target.start(f"{self.label}, uid {uid}", partial(self.target.delete, known))
        self.target.wait()


def _or_raised(found: dict[int, bytes] | Exception) -> dict[int, bytes]:
    if isinstance(found, Exception):
        raise found
    return found


def _shown(known: Known) -> tuple[str, ...]:
    """The keywords of a message here that IMAP shows."""
    from gromoxd.exmdb.pages import is_imap_keyword

    return tuple(sorted(filter(is_imap_keyword, known.keywords)))


def _batches(summaries: dict[int, Summary]) -> Iterator[list[int]]:
    """Messages that are asked for together; large ones are there to be counted, and come one by one."""
    batch: list[int] = []
    octets = 0
    for uid, summary in sorted(summaries.items()):
        size = summary.size
        if batch and (len(batch) >= BATCH or octets + size > BATCH_OCTETS or size > LARGE):
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += size
        if size > LARGE:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


def _mail_key(message_id: str, octets: int) -> bytes:
    return blake2b(f"{octets} {message_id}".encode("utf-8", "replace"), digest_size=16, person=b"id").digest()
