"""Makes the files of offline address books from the snapshot of the address book.

    python -m gromoxd.oab.build SITE < SETTINGS

is what workers run, as a process of low priority; one of its kind per site is at work at any time. Below `<site>/oab`
each organisation has a folder, by the GUID of its first domain:

    oab.xml  GUID-data-7.lzx  GUID-lng0409-7.lzx  GUID-binpatch-7.lzx  state  details

A generation is made when records have changed. Files of a generation never change; the manifest is replaced last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterable
from typing import Final

import msgspec

from gromoxd.addressbook import layout
from gromoxd.addressbook.build import LOCK_WAIT, NICE, building
from gromoxd.addressbook.reader import Book, Snapshot
from gromoxd.directory.dn import prefix
from gromoxd.errors import WireError
from gromoxd.files import sync_folder
from gromoxd.oab import manifest
from gromoxd.oab.container import write_lzx
from gromoxd.oab.details import VERSION, encode_meta
from gromoxd.oab.diff import patch
from gromoxd.oab.manifest import AddressList, File
from gromoxd.oab.records import NAME, book_domains, details_of, digest, records_of
from gromoxd.oab.schema import HEADER, OBJECTS
from gromoxd.oab.template import LANGUAGES, encode_templates, language_templates
from gromoxd.oab.template import VERSION as TEMPLATE_VERSION

FOLDER: Final = "oab"
STATE, DETAILS = "state", "details"
_EPOCH: Final = 1_577_836_800
"""2020-01-01. The first generation has the number of minutes since then, so that it is newer than any of a site whose
files were lost."""


class Job(msgspec.Struct, frozen=True):
    """What to do. `only`: the GUID of the one book that is to be made, '' for all."""

    organisation: str
    generations: int
    only: str = ""


class State(msgspec.Struct, frozen=True):
    """What is in a folder: `stamp` says of which records and templates it was made. `files` are those offered."""

    stamp: str
    sequence: int
    made: int
    files: list[File]


def folder_of(site: str, guid: str = "") -> str:
    """Where the files of an organisation are."""
    return os.path.join(site, FOLDER, guid) if guid else os.path.join(site, FOLDER)


def read_state(folder: str) -> State | None:
    """None when there is none, or it cannot be read."""
    try:
        with open(os.path.join(folder, STATE), "rb") as stream:
            return msgspec.json.decode(stream.read(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None


class Generator:
    """Makes the next generation of one book."""

    def __init__(self, folder: str, book: Book, job: Job, now: int) -> None:
        self._folder, self._book, self._job, self._now = folder, book, job, now
        self.guid = book_domains(book)[0]
        self._old = read_state(folder)

    def run(self) -> bool:
        """Whether there was anything to do. OSError."""
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        records = records_of(self._book)
        templates = self._templates()
        stamp = f"{digest(records)}.{digest([*templates.values(), encode_meta(HEADER, OBJECTS)])}"
        if self._old is not None and self._old.stamp == stamp and self._complete(self._old):
            self._manifest(self._old.files)
            return False
        sequence = self._next()
        details = details_of(self._book, records, sequence)
        del records
        files = [self._full(details, sequence), *self._languages(templates, sequence), *self._diffs(details, sequence)]
        self._put(DETAILS, [details])
        state = State(stamp, sequence, self._now, files)
        self._put(STATE, [msgspec.json.encode(state)])
        self._manifest(files)
        self._remove_old({file.name for file in files} | {file.name for file in (self._old.files if self._old else [])})
        return True

    def _next(self) -> int:
        if self._old is not None:
            return self._old.sequence + 1
        return max((self._now - _EPOCH) // 60, 1)

    def _complete(self, state: State) -> bool:
        return all(os.path.exists(os.path.join(self._folder, file.name)) for file in state.files)

    # ------------------------------------------------------------------------------------------ files

    def _full(self, details: bytes, sequence: int) -> File:
        return self._file("Full", f"{self.guid}-data-{sequence}.lzx", sequence, VERSION, details)

    def _templates(self) -> dict[int, bytes]:
        start = prefix(self._book.organisation)
        return {locale: encode_templates(language_templates(start, locale)) for locale in LANGUAGES}

    def _languages(self, templates: dict[int, bytes], sequence: int) -> list[File]:
        found = []
        for locale, data in templates.items():
            for kind, short in (("windows", "lng"), ("mac", "mac")):
                name = f"{self.guid}-{short}{locale:04x}-{sequence}.lzx"
                file = self._file("Template", name, sequence, TEMPLATE_VERSION, data)
                found.append(msgspec.structs.replace(file, language=locale, kind=kind))
        return found

    def _file(self, element: str, name: str, sequence: int, version: int, data: bytes) -> File:
        size, sha = self._put(name, write_lzx(data))
        return File(element, name, sequence, version, size, len(data), sha)

    def _diffs(self, details: bytes, sequence: int) -> list[File]:
        """The difference to the generation before, and those before it as long as there is no gap."""
        if self._old is None or not self._job.generations:
            return []
        made = self._difference(details)
        if made is None:
            return []
        name = f"{self.guid}-binpatch-{sequence}.lzx"
        size, sha = self._put(name, [made])
        older = [file for file in self._old.files if file.element == "Diff"]
        newest = File("Diff", name, sequence, VERSION, size, len(details), sha)
        return [newest, *sorted(older, key=lambda file: -file.sequence)[: self._job.generations - 1]]

    def _difference(self, details: bytes) -> bytes | None:
        try:
            with open(os.path.join(self._folder, DETAILS), "rb") as stream:
                return patch(stream.read(), details)
        except (OSError, WireError):
            return None

    def _manifest(self, files: list[File]) -> None:
        data = manifest.write([AddressList(self.guid, "/", NAME, files)])
        path = os.path.join(self._folder, manifest.NAME)
        if os.path.exists(path):
            with open(path, "rb") as stream:
                if stream.read() == data:
                    return
        self._put(manifest.NAME, [data])
        sync_folder(self._folder)

    def _put(self, name: str, pieces: Iterable[bytes]) -> tuple[int, str]:
        """Write a file, then let it take its place; its size and SHA-1."""
        path = os.path.join(self._folder, name)
        size, sha = 0, hashlib.sha1(usedforsecurity=False)
        temporary = f"{path}.{os.getpid()}.new"
        try:
            with open(temporary, "wb") as stream:
                for piece in pieces:
                    stream.write(piece)
                    size += len(piece)
                    sha.update(piece)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise
        return size, sha.hexdigest()

    def _remove_old(self, kept: set[str]) -> None:
        """What neither the manifest nor the one before it names: clients may still load what they were told."""
        kept |= {STATE, DETAILS, manifest.NAME}
        for name in os.listdir(self._folder):
            if name not in kept:
                os.unlink(os.path.join(self._folder, name))


# ---------------------------------------------------------------------------------------------- all of a site


def books_of(snapshot: Snapshot, organisation: str) -> list[Book]:
    """The books of all organisations."""
    return [Book(snapshot, meta, organisation) for meta in snapshot.meta.books]


def publish(site: str, job: Job, now: int) -> int:
    """Bring the files of a site up to date; how many organisations had changes. OSError, layout.Damaged."""
    top = folder_of(site)
    os.makedirs(top, mode=0o700, exist_ok=True)
    books = books_of(Snapshot(layout.path_of(site)), job.organisation)
    made, known = 0, set[str]()
    for book in books:
        guid = book_domains(book)[0]
        known.add(guid)
        if job.only and job.only != guid:
            continue
        made += Generator(os.path.join(top, guid), book, job, now).run()
    if not job.only:
        _forget(top, known)
    return made


def _forget(top: str, known: set[str]) -> None:
    """Remove the folders of organisations that are gone."""
    for name in os.listdir(top):
        path = os.path.join(top, name)
        if os.path.isdir(path) and name not in known:
            shutil.rmtree(path)


def main(site: str, job: bytes) -> int:
    """Bring a site up to date, after another process that is at it. `job`: Job as JSON."""
    os.nice(NICE)
    os.makedirs(folder_of(site), mode=0o700, exist_ok=True)
    with building(os.path.join(folder_of(site), FOLDER), LOCK_WAIT) as mine:
        if mine:
            publish(site, msgspec.json.decode(job, type=Job), int(time.time()))
    return 0 if mine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdin.buffer.read()))
