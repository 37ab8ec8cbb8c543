"""Addresses of other servers, and where their folders go."""

from __future__ import annotations

import pytest

from gromoxd.cli.migration.imapfolders import Mapping
from gromoxd.cli.migration.imapsource import Address, SourceFolder, _path
from gromoxd.cli.stores import Folders
from gromoxd.exmdb.calls import Folder

OURS = Folders([
    Folder(0x0D, 9, "Inbox", "INBOX", "IPF.Note", "", False, 1, 1),
    Folder(0x0A, 9, "Sent Items", "Sent Items", "IPF.Note", "Sent", False, 1, 1),
    Folder(0x0B, 9, "Deleted Items", "Deleted Items", "IPF.Note", "Trash", False, 1, 1),
    Folder(0x0E, 9, "Drafts", "Drafts", "IPF.Note", "Drafts", False, 1, 1),
    Folder(0x17, 9, "Junk Email", "Junk Email", "IPF.Note", "Junk", False, 1, 1),
])  # fmt: skip


def there(path: str, *attributes: str) -> SourceFolder:
    return SourceFolder(path, tuple(path.split("|")), frozenset(attributes), False)


def targets(*folders: SourceFolder, pairs: dict[str, str] | None = None) -> list[str]:
    mapping = Mapping(OURS, list(folders), pairs or {}, ())
    return [mapping.target(folder) for folder in folders]


def test_special_folders_by_attribute_before_name() -> None:
    assert targets(there("Sent"), there("Postausgang", "sent"), there("INBOX"), there("Spam")) == [
        "Sent", "Sent Items", "INBOX", "Junk Email",
    ]  # fmt: skip
    assert targets(there("Gesendete Elemente"), there("Papierkorb|Alt")) == ["Sent Items", "Papierkorb/Alt"]
    assert targets(there("Trash"), there("Trash|2019"), there("Inbox|A/B")) == [
        "Deleted Items", "Deleted Items/2019", "INBOX/A\u2215B",
    ]  # fmt: skip


def test_the_administrator_says_where() -> None:
    pairs = {"Work/Old": "Archive/2019", "sent": "My sent"}
    folders = (there("Work|Old|Deep"), there("Work"), there("Sent", "sent"))
    assert targets(*folders, pairs=pairs) == ["Archive/2019/Deep", "Work", "My sent"]


def test_what_is_wanted() -> None:
    folders = [there("A"), there("A|B"), there("All Mail", "all"), there("Shared.x")]
    mapping = Mapping(OURS, folders, {}, ("a/*", "shared*"))
    assert [mapping.wanted(one) for one in folders] == [True, False, True, False]
    assert [mapping.is_view(one) for one in folders] == [False, False, True, False]
    only = Mapping(OURS, folders, {}, (), "A")
    assert [only.wanted(one) for one in folders] == [True, True, False, False]
    assert not Mapping(OURS, folders, {"All Mail": "Archive"}, ()).is_view(folders[2])


def test_paths_of_other_servers() -> None:
    assert _path("INBOX.Sent.2019", ".", ["INBOX."]) == ("Sent", "2019")
    assert _path("INBOX", ".", ["INBOX."]) == ("INBOX",)
    assert _path("a//b/", "/", []) == ("a", "b")
    assert _path("flat", "", []) == ("flat",)


def test_addresses() -> None:
    assert Address.parse("imaps://bob%40a.test@mail.a.test/Old%20mail") == Address(
        "bob@a.test", "mail.a.test", 993, True, "Old mail"
    )
    assert Address.parse("imap://bob@a.test@mail.a.test:1143") == Address("bob@a.test", "mail.a.test", 1143, False)
    assert Address.parse("imap://bob@a.test").port == 143
    for url in ("imaps://", "imaps://mail.a.test", "imaps://a:b@c", "imap://a@b:x", "ftp://a@b"):
        with pytest.raises(ValueError):
            Address.parse(url)
