"""A file that Outlook 2016 wrote: what is in it, and that our named properties are filed as its are."""

from __future__ import annotations

from pathlib import Path

from gromoxd.convert import compoundfile
from gromoxd.convert.msg import from_msg, to_msg
from gromoxd.convert.msg import layout as m
from gromoxd.convert.tnef import from_tnef, to_tnef
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.named import FIRST_NAMED, PropertyName, PSETID_Common
from tests.convert.items import by_name

FILE = (Path(__file__).parent / "data" / "outer.msg").read_bytes()


def test_what_is_in_it() -> None:
    item = from_msg(FILE)
    assert item.props[p.PidTagSubject] == "outer subject"
    assert item.props[p.PidTagBody] == "Outer body\r\n"
    assert item.props[p.PidTagMessageClass] == "IPM.Note"
    assert item.props[n.PidLidCurrentVersionName] == "16.0"
    assert item.props[n.PidLidReminderSet] is False
    assert item.names == {
        0x9000 + i: PropertyName(PSETID_Common, lid) for i, lid in enumerate((0x85C2, 0x85C3, 0x85EB))
    }
    assert [one[p.PidTagEmailAddress] for one in item.recipients] == ["outer@foo.bar"]
    (attachment,) = item.attachments
    assert attachment.props[p.PidTagDisplayName] == "test"
    assert attachment.embedded is not None
    assert attachment.embedded.props[p.PidTagBody] == "body\r\n"
    assert attachment.embedded.recipients[0][p.PidTagEmailAddress] == "test@foobar.com"


def test_it_goes_through_both_formats() -> None:
    item = from_msg(FILE)
    assert by_name(from_msg(to_msg(item))) == by_name(item)
    assert by_name(from_tnef(to_tnef(item))) == by_name(item)


def test_names_are_filed_as_outlook_files_them() -> None:
    """[MS-OXMSG] 2.2.3.2: our checksum and equation against the streams in its file."""
    storage = compoundfile.decode(FILE).storage(m.NAMES)
    assert storage is not None
    guids, strings = storage.stream(m.GUID_STREAM) or b"", storage.stream(m.STRING_STREAM) or b""
    kinds = set()
    for identifier, index, number in m.NAME.iter_unpack(storage.stream(m.ENTRY_STREAM) or b""):
        guid = m.KNOWN_SETS.get(index >> 1) or guids[((index >> 1) - 3) * 16 :][:16]
        sought = identifier
        if index & 1:
            size = int.from_bytes(strings[identifier : identifier + 4], "little")
            text = strings[identifier + 4 : identifier + 4 + size].decode("utf-16-le")
            sought = m.checksum(PropertyName(guid, text))
        filed = storage.stream(m.stream_name(m.bucket(sought, index))) or b""
        assert (sought, index, number) in list(m.NAME.iter_unpack(filed)), FIRST_NAMED + number
        kinds.add(index & 1)
    assert kinds


def test_a_rewritten_file_has_the_same_streams() -> None:
    """But for what only stores have, names that nobody uses, and the order of ids."""
    before, after = compoundfile.decode(FILE), compoundfile.decode(to_msg(from_msg(FILE)))
    mine = {name for name in after.children if not name.startswith(m.SUBSTG + "8")}
    assert mine == {name for name in before.children if not name.startswith(m.SUBSTG + "8")}
    for name in ("__substg1.0_0037001F", "__substg1.0_1000001F", "__substg1.0_10090102"):
        assert after.children[name] == before.children[name]
    assert (before.stream(m.PROPERTIES) or b"")[:32] == (after.stream(m.PROPERTIES) or b"")[:32]
    assert before.clsid == after.clsid == m.CLSID
