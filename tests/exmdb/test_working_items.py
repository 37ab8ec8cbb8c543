"""Items saved into mailboxes and loaded from them: names, embedded items, long values, what the store says itself."""

from __future__ import annotations

import pytest

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.vcard import fields, items_of, to_vcard
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.working import Account
from gromoxd.exmdb.working.items import NameIds, load_item, save_item
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.times import filetime
from tests.contract.worlds import INBOX
from tests.convert.vcard.samples import MODERN

COLOUR, OTHER = PropertyName(PS_PUBLIC_STRINGS, "Colour"), PropertyName(PS_PUBLIC_STRINGS, "Other")


def sample() -> Item:
    inner = Item({p.PidTagSubject: "inner", 0x9000001F: "within"}, names={0x9000: OTHER})
    return Item(
        {
            p.PidTagMessageClass: "IPM.Note",
            p.PidTagSubject: "Re: Tea",
            p.PidTagBody: "plain",
            p.PidTagHtml: b"<p>" + b"x" * 300_000,
            p.PidTagMessageFlags: 0x8,
            n.PidNameKeywords: ["red"],
            0x9000001F: "green",
            0x9001001F: "nobody knows my name",
            p.PidTagEntryId: b"not mine",
            p.PidTagImportance: "wrong type",
        },
        [{p.PidTagRecipientType: 1, p.PidTagDisplayName: "Ann", p.PidTagEmailAddress: "ann@example.org"}],
        [
            ItemAttachment({p.PidTagAttachLongFilename: "a.bin", p.PidTagAttachMethod: 1}, b"\1" * 200_000),
            ItemAttachment({p.PidTagAttachMethod: 6}, b"ole"),
            ItemAttachment({p.PidTagDisplayName: "in"}, b"", inner),
        ],
        {0x9000: COLOUR},
    )


def test_an_item_is_kept_whole(account: Account) -> None:
    saved = save_item(account, INBOX, sample(), received=1_600_000_000)
    item = load_item(account, saved.mid)
    expected = {
        p.PidTagSubject: "Re: Tea",
        p.PidTagNormalizedSubject: "Tea",
        p.PidTagBody: "plain",
        p.PidTagHtml: b"<p>" + b"x" * 300_000,
        n.PidNameKeywords: ["red"],
        p.PidTagMessageDeliveryTime: filetime(1_600_000_000),
        p.PidTagImportance: 1,
    }
    assert {tag: item.props.get(tag) for tag in expected} == expected
    assert p.PidTagEntryId not in item.props
    assert item.props[item.foreign_id(COLOUR) << 16 | 0x1F] == "green"
    assert "nobody knows my name" not in item.props.values()
    assert [one[p.PidTagEmailAddress] for one in item.recipients] == ["ann@example.org"]
    first, ole, embedded = item.attachments
    assert (first.data, first.props[p.PidTagAttachLongFilename]) == (b"\1" * 200_000, "a.bin")
    assert (ole.data, ole.props[p.PidTagAttachMethod]) == (b"ole", 6)
    inner = embedded.embedded
    assert inner is not None
    assert inner.props[p.PidTagSubject] == "inner"
    assert inner.props[inner.foreign_id(OTHER) << 16 | 0x1F] == "within"
    again = load_item(account, save_item(account, INBOX, item).mid)
    assert again.props[p.PidTagHtml] == item.props[p.PidTagHtml]
    assert [one.data for one in again.attachments] == [one.data for one in item.attachments]


@pytest.mark.parametrize(
    ("flags", "read", "seen"), [(0, None, 0), (1, None, 1), (None, None, 1), (None, False, 0), (0, True, 1)]
)
def test_read_or_not(account: Account, flags: int | None, read: bool | None, seen: int) -> None:
    item = Item({p.PidTagSubject: "x"} | ({} if flags is None else {p.PidTagMessageFlags: flags}))
    saved = save_item(account, INBOX, item, read=read)
    assert load_item(account, saved.mid).props[p.PidTagMessageFlags] & 0x1 == seen  # type: ignore[operator]
    raw = account.call(c.GetContents(INBOX, [(saved.uid, saved.uid)]))[0].raw
    assert b"Subject: x\r\n" in raw


def test_names_are_asked_for_once(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    names = NameIds(account)
    save_item(account, INBOX, sample(), names=names)
    asked = []
    real = Account.call
    monkeypatch.setattr(Account, "call", lambda self, call, **more: asked.append(call) or real(self, call, **more))
    save_item(account, INBOX, sample(), names=names)
    assert [type(call).__name__ for call in asked] == ["SaveMessage"]


def test_a_contact_comes_back_as_it_went(account: Account) -> None:
    (item,) = items_of(MODERN)
    again = load_item(account, save_item(account, INBOX, item).mid)
    assert fields.foreign_texts(again, fields.KEPT) == fields.foreign_texts(item, fields.KEPT)
    again.props[p.PidTagLastModificationTime] = item.props[p.PidTagLastModificationTime]
    assert to_vcard(again) == to_vcard(item)


def test_a_folder_that_is_not_there(account: Account) -> None:
    with pytest.raises(MapiError) as caught:
        save_item(account, 0x7777, Item({p.PidTagSubject: "x"}))
    assert caught.value.code == Ec.ecNotFound
