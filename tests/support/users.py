"""Somebody who changes a mailbox at random, through IMAP's calls and MAPI's; and one who works on a `Replica`."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

import msgspec

from gromoxd.convert.digest import digest_message
from gromoxd.errors import MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import pages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.named_tags import PidNameKeywords
from tests.support.replica import Ask, Content, Replica

NAMES = ("A", "B", "C", "D")
WORDS = ("Red", "Blue", "$Forwarded", "important")
TEXTS = ("one", "Re: two", "dr\u00ef", "four & <five>", "")
FLAGS = (pages.SEEN, pages.ANSWERED, pages.FLAGGED, pages.DELETED, pages.DRAFT)


def random_content(rng: Random, number: int, associated: bool = False) -> Content:
    """A message that differs from others."""
    subject, body = f"{rng.choice(TEXTS)} {number}", f"{rng.choice(TEXTS)} body {number}\r\n"
    if associated:
        return Content(subject, body, associated=True)
    return Content(
        subject, body * (3000 if rng.random() < 0.02 else 1), rng.randrange(3), rng.random() < 0.3,
        rng.random() < 0.2, rng.random() < 0.2, rng.random() < 0.5,
        tuple(sorted(rng.sample(("Blue", "Green", "Red"), rng.choice((0, 0, 1, 2))))),
        tuple(f"p{rng.randrange(9)}@example.org" for _ in range(rng.choice((0, 1, 2)))),
        tuple((f"f{number}.bin", os.urandom(8)) for _ in range(rng.choice((0, 0, 0, 1, 2)))),
    )  # fmt: skip


class Listed(NamedTuple):
    """A message as IMAP sees it."""

    fid: int
    uid: int
    mid: int
    flags: int


class User:
    """Works on the mailbox itself, below the folder `top` whose path is `path`."""

    def __init__(self, ask: Ask, top: int, path: str, rng: Random) -> None:
        self.ask, self.top, self.path, self.rng = ask, top, path, rng
        self._prefix, self._requests = os.urandom(8), 0
        self.number = 0
        self.works: list[Callable[[], None]] = [
            self.append, self.append, self.set_flags, self.set_flags, self.expunge, self.imap_move, self.save,
            self.change, self.change, self.change, self.delete, self.move, self.mark, self.mark, self.associated,
            self.create_folder, self.create_folder, self.rename_folder, self.move_folder, self.remove_folder,
        ]  # fmt: skip

    def work(self) -> None:
        """Do something. What cannot be done is not done."""
        self.number += 1
        with suppress(MapiError):
            self.rng.choice(self.works)()

    # ------------------------------------------------------------------------------------------ what there is

    def request_id(self) -> bytes:
        self._requests += 1
        return self._prefix + self._requests.to_bytes(4, "big")

    def folders(self) -> list[c.Folder]:
        """Those below the top, and it."""
        found = [f for f in self.ask(c.ListFolders()).folders if f.fid == self.top]
        everything = self.ask(c.ListFolders()).folders
        for one in found:
            found += [f for f in everything if f.parent_fid == one.fid]
        return found

    def some_folder(self, top: bool = True) -> c.Folder:
        found = self.folders()
        if len(found) == 1 and not top:
            self.create_folder()
            found = self.folders()
        return self.rng.choice(found if top else found[1:])

    def listed(self, fid: int) -> list[Listed]:
        """The messages of a folder that IMAP sees."""
        state = msgspec.msgpack.decode(self.ask(c.GetFolderState(fid)), type=pages.FolderState)
        numbers = [number for number, _, _ in struct.iter_unpack("<IIQ", state.pages)]
        found = []
        for page in map(pages.Page.decode, self.ask(c.GetPages(fid, numbers))):
            found += [Listed(fid, *one) for one in zip(page.uids, page.mids, page.flags, strict=True)]
        return found

    def some_message(self) -> Listed:
        found = [one for folder in self.folders() for one in self.listed(folder.fid)]
        if not found:
            self.append()
            return self.some_message()
        return self.rng.choice(found)

    # ------------------------------------------------------------------------------------------ IMAP

    def append(self) -> None:
        rng = self.rng
        raw = (
            f"From: a@example.org\r\nTo: b{rng.randrange(9)}@example.org\r\nSubject: mail {self.number}\r\n"
            f"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\ntext {self.number}\r\n"
        ).encode()
        received = 1_700_000_000 + self.number
        digest = digest_message(raw, received=received)
        flags, words = self._flags()
        new = c.NewMessage(digest, raw, received, flags, words)
        self.ask(c.Append(self.some_folder().fid, new, self.request_id()))

    def _flags(self) -> tuple[int, list[str]]:
        rng = self.rng
        return sum(flag for flag in FLAGS if rng.random() < 0.3), rng.sample(WORDS, rng.choice((0, 0, 1, 2)))

    def set_flags(self) -> None:
        one = self.some_message()
        mode = self.rng.choice((c.ADD, c.REMOVE, c.REPLACE))
        self.ask(c.SetFlags(one.fid, [(one.uid, one.uid)], mode, *self._flags()))

    def expunge(self) -> None:
        one = self.some_message()
        self.ask(c.Expunge(one.fid, [(one.uid, one.uid)], False))

    def imap_move(self) -> None:
        one = self.some_message()
        uids = [(one.uid, one.uid)]
        self.ask(c.CopyMessages(one.fid, uids, self.some_folder().fid, self.rng.random() < 0.7, self.request_id()))

    # ------------------------------------------------------------------------------------------ MAPI

    def save(self, associated: bool = False) -> None:
        content = random_content(self.rng, self.number, associated)
        fid = self.some_folder().fid
        self.ask(o.SaveMessage(fid, 0, 0, content.changes(), self.request_id(), associated=associated))

    def associated(self) -> None:
        self.save(True)

    def change(self) -> None:
        one, rng = self.some_message(), self.rng
        put: dict[int, Any] = rng.choice(
            (
                {p.PidTagSubject: f"changed {self.number}"}, {p.PidTagBody: f"changed {self.number}\r\n"},
                {p.PidTagImportance: rng.randrange(3)}, {PidNameKeywords: rng.sample(["Blue", "Green"], 1)},
                {p.PidTagFlagStatus: 2},
            )
        )  # fmt: skip
        self.ask(o.SaveMessage(one.fid, one.mid, 0, o.Changes(put), self.request_id(), force=True))

    def delete(self) -> None:
        one = self.some_message()
        self.ask(o.DeleteMessages(one.fid, [one.mid], self.rng.random() < 0.5))

    def move(self) -> None:
        one = self.some_message()
        self.ask(o.TransferMessages(one.fid, [one.mid], self.some_folder().fid, True, self.request_id()))

    def mark(self) -> None:
        one = self.some_message()
        self.ask(o.SetReadState(one.fid, [one.mid], self.rng.random() < 0.5))

    # ------------------------------------------------------------------------------------------ folders

    def create_folder(self) -> None:
        parent, name = self.some_folder(), self.rng.choice(NAMES)
        if self.rng.random() < 0.5:
            self.ask(c.CreateFolder(f"{parent.path}/{name}", request_id=self.request_id()))
        else:
            self.ask(h.MakeFolder(parent.fid, name, {}, self.request_id()))

    def rename_folder(self) -> None:
        folder, name = self.some_folder(False), self.rng.choice(NAMES)
        self.ask(h.SetFolderProps(folder.fid, {p.PidTagDisplayName: name}))

    def move_folder(self) -> None:
        folder, parent = self.some_folder(False), self.some_folder()
        if self.rng.random() < 0.5:
            self.ask(c.RenameFolder(folder.fid, f"{parent.path}/{self.rng.choice(NAMES)}"))
        else:
            self.ask(h.TransferFolder(folder.fid, parent.fid, "", False, self.request_id()))

    def remove_folder(self) -> None:
        self.ask(h.RemoveFolder(self.some_folder(False).fid, True, True, self.request_id(), self.rng.random() < 0.5))


class Offline:
    """Works on a replica."""

    def __init__(self, replica: Replica, rng: Random) -> None:
        self.replica, self.rng = replica, rng
        self.number = 0
        self.works: list[Callable[[], None]] = [
            self.create, self.create, self.create, self.associated, self.change, self.change, self.change, self.delete,
            self.move, self.move, self.mark, self.mark, self.make_folder, self.make_folder, self.place_folder,
            self.delete_folder,
        ]  # fmt: skip

    def work(self) -> None:
        """Do something."""
        self.number += 1
        self.rng.choice(self.works)()

    def _folder(self, top: bool = True) -> Any:
        found = list(self.replica.folders.values())
        if len(found) == 1 and not top:
            self.make_folder()
            found = list(self.replica.folders.values())
        return self.rng.choice(found if top else found[1:])

    def _item(self) -> tuple[Any, Any]:
        found = [(folder, item) for folder in self.replica.folders.values() for item in folder.items.values()]
        if not found:
            self.create()
            return self._item()
        return self.rng.choice(found)

    def create(self, associated: bool = False) -> None:
        self.replica.create(self._folder(), random_content(self.rng, 1000 + self.number, associated))

    def associated(self) -> None:
        self.create(True)

    def change(self) -> None:
        _, item = self._item()
        self.replica.change(item, random_content(self.rng, 1000 + self.number, item.content.associated))

    def delete(self) -> None:
        self.replica.delete(*self._item())

    def move(self) -> None:
        folder, item = self._item()
        self.replica.move(folder, item, self._folder())

    def mark(self) -> None:
        self.replica.mark(self._item()[1], self.rng.random() < 0.5)

    def make_folder(self) -> None:
        self.replica.make_folder(self._folder(), self.rng.choice(NAMES))

    def place_folder(self) -> None:
        self.replica.place_folder(self._folder(False), self._folder(), self.rng.choice(NAMES))

    def delete_folder(self) -> None:
        self.replica.delete_folder(self._folder(False))
