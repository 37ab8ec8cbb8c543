"""Files written and read again: every form and encoding, all parts of items, what the file says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from gromoxd.convert.item import Item
from gromoxd.convert.pst import PstFile, PstFolder
from gromoxd.mapi import named_tags as nt
from gromoxd.mapi import proptags as pt
from gromoxd.mapi.named import FIRST_OWN
from tests.convert.pst.made import LAYOUTS, NOW_NT, OWN, OWN_NUMBER, made, message

COUNT = 40


def folders(pst: PstFile) -> dict[tuple[str, ...], PstFolder]:
    return {folder.path: folder for folder in pst.folders()}


def check_same(item: Item, wanted: Item) -> None:
    """All that was written is there; the writer adds what every message has."""
    own = set(wanted.names)
    named = {
        item.names[tag >> 16]: (tag & 0xFFFF, value) for tag, value in item.props.items() if tag >> 16 >= FIRST_OWN
    }
    expected = {tag: value for tag, value in wanted.props.items() if tag >> 16 not in own}
    flags = expected.pop(pt.PidTagMessageFlags)
    assert {tag: item.props.get(tag) for tag in expected} == expected
    assert item.props[pt.PidTagMessageFlags] == flags | (0x10 if wanted.attachments else 0)  # type: ignore[operator]
    assert named == {
        wanted.names[tag >> 16]: (tag & 0xFFFF, value) for tag, value in wanted.props.items() if tag >> 16 in own
    }
    assert [{tag: row[tag] for tag in wanted.recipients[0]} for row in item.recipients] == wanted.recipients
    assert len(item.attachments) == len(wanted.attachments)
    for got, given in zip(item.attachments, wanted.attachments, strict=True):
        assert {tag: got.props[tag] for tag in given.props} == given.props
        assert got.data == given.data
        assert (got.embedded is None) == (given.embedded is None)
        if got.embedded and given.embedded:
            check_same(got.embedded, given.embedded)


@pytest.mark.parametrize("crypt", [0, 1, 2])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_round_trip(layout: str, crypt: int) -> None:
    with PstFile(made(LAYOUTS[layout], crypt, COUNT)) as pst:
        assert pst.format == layout
        assert pst.display_name == "Ablage"
        found = folders(pst)
        inbox = found["Top of Personal Folders", "Inbox"]
        read = [entry.item() for entry in inbox.messages()]
        assert len(read) == COUNT
        for number, item in enumerate(read):
            check_same(item, message(number))
        associated = [entry.item() for entry in inbox.associated()]
        assert len(associated) == 3
        check_same(associated[2], message(2))
        assert pst.damaged == 0


def test_the_tree_of_folders() -> None:
    with PstFile(made(count=5)) as pst:
        found = folders(pst)
        top = ("Top of Personal Folders",)
        calendar = (*top, "Inbox", "Kalender/Büro")
        assert list(found)[:3] == [(), top, (*top, "Deleted Items")]
        assert [path[-1] for path in found if path[:-1] == calendar] == [f"F{number}" for number in range(30)]
        assert len(found) == 36
        assert found[calendar].container_class == "IPF.Appointment"
        inbox = found[*top, "Inbox"]
        assert (inbox.content_count, inbox.unread_count, inbox.is_search, inbox.damaged) == (5, 3, False, "")
        assert inbox.props[pt.PidTagSubfolders] is True
        special = {use: pst.folder(nid).name for nid, use in pst.special().items()}
        assert special == {"top": top[0], "deleted": "Deleted Items", "finder": "Search Root"}


def test_named_properties_have_the_ids_of_items() -> None:
    with PstFile(made(count=1)) as pst:
        [entry] = folders(pst)["Top of Personal Folders", "Inbox"].messages()
        item = entry.item()
        assert item.props[nt.PidLidReminderTime] == NOW_NT
        assert set(item.names.values()) == {OWN, OWN_NUMBER}
        assert item.props[item.foreign_id(OWN) << 16 | 0x1F] == "own 0"


def test_what_files_keep_for_themselves_stays_there() -> None:
    with PstFile(made(count=1)) as pst:
        [entry] = folders(pst)["Top of Personal Folders", "Inbox"].messages()
        item = entry.item()
        tags = [*item.props, *(tag for row in item.recipients for tag in row), *item.attachments[0].props]
        assert not [hex(tag) for tag in tags if 0x6700 <= tag >> 16 < 0x6800 or tag >> 16 == 0x3701]


def test_a_file_on_disk_is_mapped_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "a.pst"
    path.write_bytes(made(count=2))
    pst = PstFile(path)
    assert sum(1 for folder in pst.folders() for _ in folder.messages()) == 2
    pst.close()
    with pytest.raises(ValueError, match="closed"):
        pst.root()
    with PstFile(str(path)) as pst:
        assert pst.root().nid == 0x122


def test_many_messages_and_recipients_make_deep_trees() -> None:
    """Row indexes with two levels, rows over several blocks, heaps of many blocks, a data tree with an XXBLOCK."""
    import io

    from gromoxd.convert.item import ItemAttachment
    from gromoxd.convert.pst.writer import PstWriter

    large = bytes(range(256)) * 40_000
    crowd = Item({pt.PidTagSubject: "all"}, [{pt.PidTagDisplayName: f"name {n}"} for n in range(3000)])
    crowd.attachments = [ItemAttachment({}, b"%d" % n) for n in range(400)] + [ItemAttachment({}, large)]
    out = io.BytesIO()
    with PstWriter(out, record_key=bytes(16), now_nt=0) as writer:
        folder = writer.folder(writer.top, "many")
        for number in range(1200):
            folder.add(Item({pt.PidTagSubject: f"{number}"}))
        folder.add(crowd)
    with PstFile(out.getvalue()) as pst:
        items = [entry.item() for entry in folders(pst)["Top of Personal Folders", "many"].messages()]
        assert [item.props[pt.PidTagSubject] for item in items] == [*map(str, range(1200)), "all"]
        assert [row[pt.PidTagDisplayName] for row in items[-1].recipients] == [f"name {n}" for n in range(3000)]
        assert [attachment.data for attachment in items[-1].attachments[:400]] == [b"%d" % n for n in range(400)]
        assert items[-1].attachments[400].data == large
