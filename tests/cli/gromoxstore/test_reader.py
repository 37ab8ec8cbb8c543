"""Mailboxes of Gromox are read: folders, values of every type, content files, embedded messages, settings."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from struct import pack

import pytest

from gromoxd.cli.migration.gromoxstore import GromoxStore
from gromoxd.cli.migration.gromoxstore.values import name_of, value_of
from gromoxd.errors import WireError
from gromoxd.mapi.named import PropertyName
from gromoxd.mapi.named_tags import PidLidAppointmentStartWhole
from gromoxd.mapi.proptags import PidTagBody, PidTagHtml, PidTagImportance, PidTagSubject
from gromoxd.mapi.types import PropType
from tests.cli.gromoxstore.making import Made, Stored

FOREIGN = "GUID=11111111-2222-3333-4444-555555555555,NAME=colour"
APPOINTMENT = "GUID=00062002-0000-0000-c000-000000000046,LID=33293"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "box")


def opened(made: Made) -> GromoxStore:
    made.close()
    return GromoxStore(str(made.folder))


def test_folders_come_parents_first_with_their_counts(made: Made) -> None:
    made.folder_row(0x20000, 0x0D, "Projects")
    for _ in range(3):
        made.message(0x20000, {PidTagSubject: "x"})
    made.message(0x20000, {PidTagSubject: "gone"}, deleted=True)
    with opened(made) as store:
        folders = {folder.fid: folder for folder in store.folders()}
        assert list(folders)[:2] == [0x01, 0x03]
        assert list(folders).index(0x0D) < list(folders).index(0x20000)
        assert (folders[0x20000].name, folders[0x20000].parent, folders[0x20000].messages) == ("Projects", 0x0D, 3)
        assert folders[0x0F].container_class == "IPF.Appointment"
        assert folders[0x03].search and not folders[0x0D].search
        assert len(list(store.messages(0x20000))) == 3


def test_a_message_with_names_recipients_and_a_message_in_it(made: Made) -> None:
    start, colour = made.name(APPOINTMENT), made.name(FOREIGN)
    mid = made.message(
        0x0F,
        {
            PidTagSubject: "Lunch", PidTagImportance: 2, PidTagBody: "Grüße", PidTagHtml: b"<p>Hi",
            start << 16 | 0x40: 133_000_000_000_000_000, colour << 16 | 0x1F: "red",
        },
        ({0x3001001F: "Bert", 0x0C150003: 1}, {0x3001001F: "Carl", 0x0C150003: 2}),
        read=False, eml=b"From: a@b\r\n\r\nx\r\n",
    )  # fmt: skip
    made.attachment(mid, {0x37050003: 1, 0x37010102: b"octets", 0x3707001F: "a.bin"})
    inner = made.attachment(mid, {0x37050003: 5})
    made.message(0, {PidTagSubject: "Within"}, attachment=inner)
    with opened(made) as store:
        message = store.message(mid)
        item = message.item
        assert message.problems == [] and not message.read and message.eml.startswith(b"From: a@b")
        assert item.props[PidTagBody] == "Grüße" and item.props[PidTagHtml] == b"<p>Hi"
        assert item.props[PidLidAppointmentStartWhole] == 133_000_000_000_000_000
        assert item.props[0x9000001F] == "red"
        assert item.names == {0x9000: PropertyName(name_of(FOREIGN).guid, "colour")}  # type: ignore[union-attr]
        assert [row[0x3001001F] for row in item.recipients] == ["Bert", "Carl"]
        first, second = item.attachments
        assert (first.data, first.props[0x3707001F]) == (b"octets", "a.bin")
        assert second.embedded is not None and second.embedded.props[PidTagSubject] == "Within"


@pytest.mark.parametrize("form", ["v0", "v1", "v2", "v3"])
def test_every_form_of_content_file(made: Made, form: str) -> None:
    data = pack("<I", 5) + b"Gr\xc3\xbc\xc3\x9fe" if form == "v0" else b"Gr\xc3\xbc\xc3\x9fe"
    mid = made.message(0x0D, {PidTagBody: Stored(made.cid(data, form))})
    with opened(made) as store:
        assert store.message(mid).item.props[PidTagBody] == "Grüße"


def test_what_cannot_be_read_is_told_and_the_rest_is_there(made: Made) -> None:
    mid = made.message(
        0x0D, {PidTagSubject: "x", PidTagBody: Stored("S-00/" + "0" * 62), 0x0E1F000B: "yes", 0x9999001F: "y"}
    )
    with opened(made) as store:
        message = store.message(mid)
        assert message.item.props == {PidTagSubject: "x"}
        assert [problem[:10] for problem in sorted(message.problems)] == ["0x0e1f000b", "0x1000001f", "0x9999001f"]
        with pytest.raises(WireError):
            store.message(1)


@pytest.mark.parametrize(
    ("kind", "stored", "value"),
    [
        (PropType.PtypInteger32, 0xFFFFFFFF, -1), (PropType.PtypBoolean, 1, True), (PropType.PtypFloating64, 1.5, 1.5),
        (PropType.PtypString, b"abc\0", "abc"), (PropType.PtypGuid, bytes(16), bytes(16)),
        (0x1003, pack("<I2i", 2, 7, -7), [7, -7]), (0x101F, pack("<I", 2) + b"a\0b\0", ["a", "b"]),
        (0x1102, pack("<II3sI2s", 2, 3, b"abc", 2, b"de"), [b"abc", b"de"]),
        (0x1102, pack("<IH3sH2s", 2, 3, b"abc", 2, b"de"), [b"abc", b"de"]),
    ],
)  # fmt: skip
def test_values(kind: int, stored: object, value: object) -> None:
    assert value_of(kind, stored) == value


def test_octets_that_are_no_value_are_refused() -> None:
    rng = random.Random(7)
    for _ in range(3000):
        data = rng.randbytes(rng.randrange(24))
        for kind in (0x1002, 0x1003, 0x101F, 0x1102, 0x1048, 0x0048, 0x0003):
            with contextlib.suppress(WireError):
                value_of(kind, data)


def test_settings_of_the_mailbox(made: Made) -> None:
    config = made.folder / "config"
    (config / "delegates.txt").write_text("dora@example.test\n\n")
    (config / "autoreply.cfg").write_text(
        "oof_state = 2\nallow_external_oof=1\nexternal_audience = 1\nstart_time = 1700000000\nend_time=1700086400\n"
    )
    (config / "internal-reply").write_text("I am away")
    made.db.execute("INSERT INTO permissions (folder_id, username, permission) VALUES (0x0F, 'default', 0x0c00)")
    made.db.execute(
        "INSERT INTO rules (name, provider, sequence, state, level, user_flags, condition, actions, folder_id)"
        " VALUES ('r', 'RuleOrganizer', 10, 1, 0, 0, x'00', x'01', 0x0D)"
    )
    with opened(made) as store:
        assert store.addresses("delegates.txt") == ["dora@example.test"] and store.addresses("sendas.txt") == []
        oof = store.out_of_office()
        assert (oof.state, oof.start, oof.end, oof.external, oof.known_only, oof.internal_text) == (
            2, 1_700_000_000, 1_700_086_400, True, True, "I am away",
        )  # fmt: skip
        (permission,) = store.permissions()
        assert (permission.fid, permission.member, permission.rights) == (0x0F, "default", 0xC00)
        (rule,) = store.rules()
        assert (rule.name, rule.provider, rule.sequence, rule.condition) == ("r", "RuleOrganizer", 10, b"\0")


def test_a_folder_without_a_mailbox(tmp_path: Path) -> None:
    with pytest.raises(WireError, match="no mailbox"):
        GromoxStore(str(tmp_path))
    (tmp_path / "exmdb").mkdir()
    (tmp_path / "exmdb" / "exchange.sqlite3").write_bytes(b"x" * 5000)
    with pytest.raises(WireError, match="no mailbox"):
        GromoxStore(str(tmp_path))


def everything(folder: str) -> None:
    """Read all that there is; WireError is what may come of it, for each part by itself."""
    with GromoxStore(folder) as store:
        for read in (store.permissions, store.rules, store.readers, store.subscribed, store.store_properties):
            with contextlib.suppress(WireError):
                read()
        for found in store.folders():
            with contextlib.suppress(WireError):
                store.folder_properties(found.fid)
                store.associated(found.fid)
                for version in store.versions(found.fid):
                    with contextlib.suppress(WireError):
                        store.message(version.mid)


def test_a_broken_database_is_an_error(made: Made) -> None:
    for number in range(20):
        mid = made.message(0x0D, {PidTagSubject: "s" * 50, PidTagBody: "x"}, ({0x3001001F: "Bert"},), eml=b"a: b")
        made.attachment(mid, {0x3704001F: f"{number}.txt", 0x37010102: b"x" * number})
    made.db.execute("INSERT INTO permissions (folder_id, username, permission) VALUES (13, 'default', 1)")
    made.db.execute("INSERT INTO permissions (folder_id, username, permission) VALUES (13, 7, 'x')")
    made.close()
    path = made.folder / "exmdb" / "exchange.sqlite3"
    good = path.read_bytes()
    dice = random.Random(5)
    for _ in range(150):
        broken = bytearray(good)
        for _ in range(dice.choice((1, 10, 200))):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        path.write_bytes(broken)
        with contextlib.suppress(WireError):
            everything(str(made.folder))
    path.write_bytes(good)
    everything(str(made.folder))


def test_any_path_and_no_links(tmp_path: Path) -> None:
    made = Made(tmp_path / "box?mode=rwc#100%25")
    mid = made.message(0x0D, {PidTagSubject: "x"})
    made.db.execute("UPDATE messages SET mid_string='1.2.3' WHERE message_id=?", (mid,))
    made.db.commit()
    secret = tmp_path / "secret"
    secret.write_bytes(b"Subject: secret")
    (made.folder / "eml").mkdir(exist_ok=True)
    (made.folder / "eml" / "1.2.3").symlink_to(secret)
    with opened(made) as store:
        assert store.message(mid).eml == b""
    (made.folder / "eml" / "1.2.3").unlink()
    secret.rename(made.folder / "eml" / "1.2.3")
    with GromoxStore(str(made.folder)) as store:
        assert store.message(mid).eml == b"Subject: secret"
