"""SaveMessage: what IMAP sees of it, what is stored, conflicts, copy-on-write, limits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import keys, pages
from gromoxd.exmdb import names as n
from gromoxd.exmdb import objects as o
from gromoxd.mapi.named import PS_INTERNET_HEADERS
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.proptags import (
    PROP_COMPOSED,
    PROP_CREATOR,
    PROP_PART_PATH,
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachLongFilename,
    PidTagAttachmentHidden,
    PidTagAttachMethod,
    PidTagAttachNumber,
    PidTagAttachSize,
    PidTagBody,
    PidTagBodyHtml,
    PidTagChangeKey,
    PidTagConversationTopic,
    PidTagCreationTime,
    PidTagDisplayCc,
    PidTagDisplayTo,
    PidTagFlagStatus,
    PidTagHasAttachments,
    PidTagHtml,
    PidTagImportance,
    PidTagInternetCodepage,
    PidTagLastModificationTime,
    PidTagLastVerbExecuted,
    PidTagMessageClass,
    PidTagMessageFlags,
    PidTagMessageSize,
    PidTagMessageStatus,
    PidTagMid,
    PidTagNormalizedSubject,
    PidTagRenderingPosition,
    PidTagRtfCompressed,
    PidTagSubject,
    PidTagSubjectPrefix,
)
from gromoxd.mapi.times import filetime
from store.mapi.marks import MF_EVER_READ, MF_UNMODIFIED
from tests.store.conftest import ALL, DRAFTS, INBOX, OWNER, SENT, Harness, mail
from tests.store.mapi.objects import (
    attachments,
    bag,
    big,
    change,
    check_references,
    child,
    counts,
    data_bag,
    did_of,
    flags,
    listed,
    person,
    recipients,
    save,
    unlisted,
)

SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = pages.SEEN, pages.ANSWERED, pages.FLAGGED, pages.DELETED, pages.DRAFT
NOTHING = dict.fromkeys(
    ("message_data", "data_refs", "attachments", "big_values", "embedded", "content", "content_refs", "unlisted"), 0
)


def test_a_new_message_is_a_mail(box: Harness) -> None:
    box.state(INBOX)
    saved = save(
        box, {PidTagSubject: "RE: Tea", PidTagBody: "At four?"}, recipients=[person("bob@example.org")], actor=OWNER
    )
    assert (saved.fid, saved.uid) == (INBOX, 1)
    assert flags(box, saved) == (SEEN | DRAFT, [])
    raw = box.contents()[1]
    assert b"Subject: RE: Tea\r\n" in raw
    assert b"To: bob <bob@example.org>\r\n" in raw
    assert raw.endswith(b"\r\n\r\nAt four?")
    row = listed(box, saved.mid)
    assert (row["cn"], row["modseq"], row["size"]) == (saved.cn, saved.cn, len(raw))
    assert box.state().cn == saved.cn
    assert box.arena is not None
    piece = box.arena.get(keys.pieces(str(box.folder), saved.mid, saved.uid))
    assert piece is not None
    assert b"RE: Tea" in piece


def test_what_a_new_message_has(box: Harness) -> None:
    saved = save(
        box,
        {PidTagSubject: "Fw: a", PidTagMid: 7, PidTagMessageSize: 1, PidTagChangeKey: b"x" * 22, PROP_PART_PATH: "1"},
        recipients=[person("b@x.org"), person("c@x.org"), person("d@x.org", 2), person("e@x.org", 0x10000001)],
        actor="Alice@Example.Test",
    )  # fmt: skip
    now = filetime(int(box.clock))
    assert bag(box, saved.mid) == {
        PidTagSubject: "Fw: a", PidTagSubjectPrefix: "Fw: ", PidTagNormalizedSubject: "a", PidTagConversationTopic: "a",
        PidTagMessageClass: "IPM.Note", PidTagImportance: 1, 0x00360003: 0, PidTagDisplayTo: "b; c",
        PidTagDisplayCc: "d", 0x0E02001F: "", PidTagHasAttachments: False, PidTagCreationTime: now,
        PidTagLastModificationTime: now, PidTagMessageFlags: MF_UNMODIFIED | MF_EVER_READ, PROP_COMPOSED: True,
        PROP_CREATOR: "alice@example.test",
    }  # fmt: skip
    assert [r[0x3001001F] for r in recipients(box, saved.mid)] == ["b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("props", "word", "words"),
    [
        ({PidTagMessageFlags: 0}, 0, []),
        ({PidTagMessageFlags: 1}, SEEN, []),
        ({PidTagMessageFlags: 8}, DRAFT, []),
        ({PidTagFlagStatus: 2}, SEEN | DRAFT | FLAGGED, []),
        ({PidTagFlagStatus: 1}, SEEN | DRAFT, []),
        ({PidTagMessageStatus: 8}, SEEN | DRAFT | DELETED, []),
        ({PidTagLastVerbExecuted: 102}, SEEN | DRAFT | ANSWERED, []),
        ({PidTagLastVerbExecuted: 103}, SEEN | DRAFT | ANSWERED, []),
        ({PidTagLastVerbExecuted: 104}, SEEN | DRAFT, ["$Forwarded"]),
        ({PidNameKeywords: ["Red Category", "$Junk", "b"]}, SEEN | DRAFT, ["Red Category", "b"]),
    ],
)
def test_marks(box: Harness, props: o.Bag, word: int, words: list[str]) -> None:
    assert flags(box, save(box, props)) == (word, words)


def test_marks_change_in_place(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a", PidTagMessageFlags: 0})
    before = box.contents()
    second = change(box, first, {PidTagFlagStatus: 2, PidNameKeywords: ["x"], PidTagLastVerbExecuted: 104})
    assert (second.mid, second.uid, second.cn > first.cn) == (first.mid, first.uid, True)
    assert flags(box, second) == (FLAGGED, ["$Forwarded", "x"])
    assert box.contents() == before
    row = listed(box, first.mid)
    assert (row["cn"], row["modseq"]) == (second.cn, second.cn)
    third = change(box, second, {}, delete=[PidNameKeywords, PidTagFlagStatus, PidTagLastVerbExecuted])
    assert flags(box, third) == (0, [])
    assert PidTagLastVerbExecuted not in bag(box, first.mid)


def test_seen_alone_is_no_change_of_the_message(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a", PidTagMessageFlags: 0})
    second = change(box, first, {PidTagMessageFlags: 1})
    assert second.cn == first.cn
    assert listed(box, first.mid)["modseq"] > first.cn
    box.call(c.SetFlags(INBOX, ALL, c.REMOVE, SEEN))
    row = listed(box, first.mid)
    assert (row["cn"], row["modseq"]) == (first.cn, box.state().cn)
    box.call(c.SetFlags(INBOX, ALL, c.ADD, SEEN | FLAGGED))
    row = listed(box, first.mid)
    assert row["cn"] == row["modseq"] == box.state().cn


def test_nothing_changed_takes_no_number(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a", PidTagBody: "b"})
    assert change(box, first, {PidTagSubject: "a"}) == first
    assert change(box, first, {PidTagMid: 3}) == first
    assert box.state().cn == first.cn


def test_new_text_is_a_new_mail(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a", PidTagBody: "b", PidNameKeywords: ["k"]})
    before = box.contents()[1]
    second = change(box, first, {PidTagSubject: "RE: c"})
    assert (second.mid, second.uid) == (first.mid, 2)
    assert list(box.contents()) == [2]
    assert b"Subject: RE: c" in box.contents()[2]
    assert b"Subject: a" in before
    assert flags(box, second) == (SEEN | DRAFT, ["k"])
    assert box.call(c.GetVanished(INBOX, first.cn)).uids == [(1, 1)]
    assert bag(box, first.mid)[PidTagSubjectPrefix] == "RE: "
    assert box.sql("SELECT mids FROM tombstones")[0][0] == b""
    check_references(box)


def test_other_properties_keep_the_mail(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a", PidTagBody: "b"})
    second = change(box, first, {0x3FFD0003: 7, 0x8503001F: "named"})
    assert (second.uid, second.cn > first.cn) == (1, True)
    assert bag(box, first.mid)[0x8503001F] == "named"
    assert not bag(box, first.mid)[PidTagMessageFlags] & MF_UNMODIFIED
    assert bag(box, change(box, second, {}, delete=[0x8503001F]).mid).get(0x8503001F) is None


def test_conflict(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a"})
    second = change(box, first, {PidTagFlagStatus: 2})
    stale = o.SaveMessage(INBOX, first.mid, first.cn, o.Changes({PidTagSubject: "lost"}), b"r1")
    assert box.refused(stale) == Ec.ecObjectModified
    forced = box.call(o.SaveMessage(INBOX, first.mid, first.cn, o.Changes({PidTagSubject: "won"}), b"r2", force=True))
    assert forced.cn > second.cn
    assert bag(box, first.mid)[PidTagSubject] == "won"


def test_an_answer_lost_is_given_again(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a"}, request_id=b"once")
    assert save(box, {PidTagSubject: "a"}, request_id=b"once") == first
    box.reopen()
    assert save(box, {PidTagSubject: "a"}, request_id=b"once") == first
    assert len(box.contents()) == 1


def test_what_is_not_there(box: Harness) -> None:
    saved = save(box, {PidTagSubject: "a"})
    assert box.refused(o.SaveMessage(0x7777, 0, 0, o.Changes(), b"")) == Ec.ecNotFound
    assert box.refused(o.SaveMessage(SENT, saved.mid, saved.cn, o.Changes(), b"")) == Ec.ecNotFound
    assert box.refused(o.SaveMessage(INBOX, saved.mid + 5000, 0, o.Changes(), b"")) == Ec.ecNotFound
    assert box.refused(o.SaveMessage(INBOX, INBOX, 0, o.Changes(), b"")) == Ec.ecNotFound
    box.call(o.DeleteMessages(INBOX, [saved.mid]))
    assert box.refused(o.SaveMessage(INBOX, saved.mid, saved.cn, o.Changes(), b"")) == Ec.ecObjectDeleted


@pytest.mark.parametrize(
    "changes",
    [
        o.Changes({PidTagSubject: 7}),
        o.Changes({PidTagImportance: "high"}),
        o.Changes({PidTagImportance: 1 << 32}),
        o.Changes({PidTagImportance: -(1 << 31) - 1}),
        o.Changes({0x30071002: [1, 1 << 16]}),
        o.Changes({0x30080048: b"fifteen octets!"}),
        o.Changes({-1: "x"}),
        o.Changes({}, [], [{PidTagDisplayTo: 1}]),
        o.Changes({}, [], None, [o.AttachmentChange(-1)]),
        o.Changes({}, [], None, [o.AttachmentChange(1 << 31)]),
        o.Changes({}, [], None, [o.AttachmentChange(0, False, {PidTagAttachLongFilename: b"x"})]),
        o.Changes({PidNameKeywords: ["x" * 2000]}),
    ],
)
def test_bad_input(box: Harness, changes: o.Changes) -> None:
    assert box.refused(o.SaveMessage(INBOX, 0, 0, changes, b"")) == Ec.ecInvalidParam
    assert counts(box) == NOTHING


# ---------------------------------------------------------------------------------------------- bodies, subjects


def test_the_last_body_counts(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a", PidTagBody: "plain", PidTagHtml: b"<p>old</p>", PidTagRtfCompressed: b"r"})
    second = change(box, first, {PidTagBody: "new"})
    stored = bag(box, first.mid)
    assert PidTagHtml not in stored
    assert PidTagRtfCompressed not in stored
    assert b"old" not in box.contents()[second.uid]
    third = change(box, second, {PidTagBodyHtml: "<p>\u00e9</p>"})
    stored = bag(box, first.mid)
    assert (stored[PidTagHtml], stored[PidTagInternetCodepage]) == ("<p>\u00e9</p>".encode(), 65001)
    assert PidTagBody not in stored
    assert PidTagBodyHtml not in stored
    assert b"text/html" in box.contents()[third.uid]


def test_parts_of_the_subject(box: Harness) -> None:
    saved = save(box, {PidTagSubjectPrefix: "AW: ", PidTagNormalizedSubject: "x"})
    assert bag(box, saved.mid)[PidTagSubject] == "AW: x"
    saved = change(box, saved, {PidTagSubject: "Aktion: x", PidTagSubjectPrefix: "Aktion: "})
    assert bag(box, saved.mid)[PidTagNormalizedSubject] == "x"
    saved = change(box, saved, {PidTagNormalizedSubject: "y"})
    assert bag(box, saved.mid)[PidTagSubject] == "Aktion: y"
    saved = change(box, saved, {}, delete=[PidTagSubject])
    assert not bag(box, saved.mid).keys() & {PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject}
    assert b"Subject" not in box.contents()[saved.uid]


def test_big_text(box: Harness) -> None:
    text = "\u00e4" * 40_000
    saved = save(box, {PidTagSubject: "a", PidTagBody: text})
    did = did_of(box, saved.mid)
    assert PidTagBody not in bag(box, saved.mid)
    assert big(box, did) == {(0, PidTagBody): text.encode("utf-16-le")}
    assert len(box.contents()[1]) > 80_000
    saved = change(box, saved, {PidTagBody: "short"})
    assert big(box, did) == {}
    assert bag(box, saved.mid)[PidTagBody] == "short"
    check_references(box)


# ---------------------------------------------------------------------------------------------- attachments


def data(octets: bytes, name: str = "a.bin") -> o.Bag:
    return {PidTagAttachDataBinary: octets, PidTagAttachLongFilename: name}


def test_attachments(box: Harness) -> None:
    first = save(
        box, {PidTagSubject: "a"},
        attachments=[o.AttachmentChange(0, set=data(b"one")), o.AttachmentChange(3, set=data(b"x" * 50_000, "big"))],
    )  # fmt: skip
    did = did_of(box, first.mid)
    bags = attachments(box, did)
    assert list(bags) == [0, 3]
    assert bags[0][PidTagAttachDataBinary] == b"one"
    assert (bags[0][PidTagAttachMethod], bags[0][PidTagAttachNumber], bags[0][PidTagRenderingPosition]) == (1, 0, -1)
    assert bags[3][PidTagAttachSize] > 50_000
    assert big(box, did) == {(4, PidTagAttachDataBinary): b"x" * 50_000}
    assert bag(box, first.mid)[PidTagHasAttachments] is True
    assert b'filename="a.bin"' in box.contents()[1]
    second = change(
        box, first, {},
        attachments=[o.AttachmentChange(0, remove=True), o.AttachmentChange(3, set={PidTagAttachmentHidden: True})],
    )  # fmt: skip
    assert list(attachments(box, did)) == [3]
    assert bag(box, first.mid)[PidTagHasAttachments] is False
    assert b'filename="a.bin"' not in box.contents()[second.uid]
    check_references(box)
    box.call(c.Expunge(INBOX, ALL, False))
    assert counts(box) == NOTHING


def test_reference_and_ole(box: Harness) -> None:
    saved = save(
        box, {PidTagSubject: "a"},
        attachments=[
            o.AttachmentChange(0, set={PidTagAttachMethod: 7, 0x3708001F: "c:\\x"}),
            o.AttachmentChange(1, set={PidTagAttachMethod: 6, PidTagAttachDataObject: b"\xd0\xcf" * 30_000}),
        ],
    )  # fmt: skip
    bags = attachments(box, did_of(box, saved.mid))
    assert [bags[n][PidTagAttachMethod] for n in bags] == [7, 6]
    assert big(box, did_of(box, saved.mid)) == {(2, PidTagAttachDataObject): b"\xd0\xcf" * 30_000}


def embedded(*names: str) -> o.Changes:
    """A message with one in it, with one in it …"""
    inner = [o.AttachmentChange(0, embedded=embedded(*names[1:]))] if names[1:] else []
    return o.Changes({PidTagSubject: names[0], PidTagBody: f"body of {names[0]}"}, [], [person("i@x.org")], inner)


def test_embedded_in_embedded(box: Harness) -> None:
    first = save(box, {PidTagSubject: "top"}, attachments=[o.AttachmentChange(0, embedded=embedded("a", "b", "c"))])
    raw = box.contents()[1]
    assert [raw.count(b"Subject: " + name) for name in (b"top", b"a", b"b", b"c")] == [1, 1, 1, 1]
    did = did_of(box, first.mid)
    assert attachments(box, did)[0][PidTagAttachMethod] == 5
    a = child(box, did, 0)
    b = child(box, a, 0)
    assert data_bag(box, b)[PidTagSubject] == "b"
    assert data_bag(box, b)[PidTagHasAttachments] is True
    deep = o.Changes({}, [], None, [o.AttachmentChange(0, embedded=o.Changes({PidTagSubject: "neu"}))])
    second = change(box, first, {}, attachments=[o.AttachmentChange(0, embedded=deep)])
    assert b"Subject: neu" in box.contents()[second.uid]
    assert data_bag(box, child(box, child(box, did, 0), 0))[PidTagSubject] == "neu"
    check_references(box)
    third = change(box, second, {}, attachments=[o.AttachmentChange(0, set={PidTagAttachMethod: 1} | data(b"x"))])
    assert b"Subject: neu" not in box.contents()[third.uid]
    check_references(box)
    assert counts(box)["embedded"] == 0


def test_too_deep(box: Harness) -> None:
    call = o.SaveMessage(INBOX, 0, 0, embedded(*map(str, range(40))), b"")
    assert box.refused(call) == Ec.ecTooBig
    assert counts(box) == NOTHING


def test_spooled_values(box: Harness) -> None:
    text, octets, deep = ("\u00fc" * 50_000).encode("utf-16-le"), b"0123456789" * 100_000, b"inner" * 20_000
    small = "kurz".encode("utf-16-le")
    with tempfile.TemporaryFile() as spool:
        spool.write(text + octets + deep + small)
        spool.flush()
        at = [0, len(text), len(text) + len(octets), len(text) + len(octets) + len(deep)]
        saved = save(
            box, {PidTagSubject: "a"}, spool=spool.fileno(),
            attachments=[o.AttachmentChange(0, embedded=embedded("e")), o.AttachmentChange(1, set={0x3707001F: "n"})],
            spooled=[
                o.Spooled(PidTagBody, at[0], len(text)),
                o.Spooled(PidTagAttachDataBinary, at[1], len(octets), [], 1),
                o.Spooled(PidTagAttachDataBinary, at[2], len(deep), [0], 2),
                o.Spooled(PidTagAttachLongFilename, at[3], len(small), [0], 2),
            ],
        )  # fmt: skip
        for bad in (
            o.Spooled(PidTagBody, 0, 1 << 30), o.Spooled(PidTagImportance, 0, 40_000), o.Spooled(PidTagBody, -1, 10),
        ):  # fmt: skip
            call = o.SaveMessage(INBOX, 0, 0, o.Changes(), b"", spooled=[bad])
            assert box.refused(call, spool=spool.fileno()) == Ec.ecInvalidParam
    assert box.refused(o.SaveMessage(INBOX, 0, 0, o.Changes(), b"", spooled=[o.Spooled(PidTagBody, 0, 9)])) == (
        Ec.ecInvalidParam
    )
    did = did_of(box, saved.mid)
    assert big(box, did) == {(0, PidTagBody): text, (2, PidTagAttachDataBinary): octets}
    inner = child(box, did, 0)
    assert big(box, inner) == {(3, PidTagAttachDataBinary): deep}
    assert attachments(box, inner)[2][PidTagAttachLongFilename] == "kurz"
    assert len(box.contents()[1]) > 1_400_000
    check_references(box)


# ---------------------------------------------------------------------------------------------- sharing


def test_copies_part_when_one_changes(box: Harness) -> None:
    first = save(
        box, {PidTagSubject: "a", PidTagBody: "x" * 50_000},
        attachments=[o.AttachmentChange(0, set=data(b"y" * 50_000)), o.AttachmentChange(1, embedded=embedded("e"))],
    )  # fmt: skip
    box.call(c.CopyMessages(INBOX, ALL, SENT, False, box.request_id()))
    copy = box.sql("SELECT mid, cn FROM messages WHERE fid=?", SENT)[0]
    before = box.contents(SENT)
    assert did_of(box, copy[0]) == did_of(box, first.mid)
    second = change(box, first, {0x8503001F: "only here"})
    assert did_of(box, copy[0]) != did_of(box, first.mid)
    assert 0x8503001F not in bag(box, copy[0])
    check_references(box)
    assert counts(box)["content"] == 3
    inner = o.AttachmentChange(1, embedded=o.Changes({PidTagSubject: "changed"}))
    third = change(box, second, {}, attachments=[inner])
    check_references(box)
    assert box.contents(SENT) == before
    assert b"Subject: e" in before[1]
    assert b"Subject: changed" in box.contents()[third.uid]
    assert data_bag(box, child(box, did_of(box, copy[0]), 1))[PidTagSubject] == "e"
    box.call(c.Expunge(SENT, ALL, False))
    check_references(box)
    box.call(c.Expunge(INBOX, ALL, False))
    assert counts(box) == NOTHING


def test_imap_moves_keep_everything(box: Harness) -> None:
    first = save(box, {PidTagSubject: "a"}, attachments=[o.AttachmentChange(0, embedded=embedded("e"))])
    did = did_of(box, first.mid)
    box.call(c.CopyMessages(INBOX, ALL, DRAFTS, True, box.request_id()))
    assert box.sql("SELECT did FROM messages WHERE fid=?", DRAFTS) == [(did,)]
    assert data_bag(box, child(box, did, 0))[PidTagSubject] == "e"
    check_references(box)


def test_a_folder_goes_with_all_it_has(box: Harness) -> None:
    fid = box.call(c.CreateFolder("Mine")).fid
    save(box, {PidTagSubject: "a", PidTagBody: "x" * 50_000}, fid)
    save(box, {PidTagSubject: "b"}, fid, attachments=[o.AttachmentChange(0, embedded=embedded("e"))])
    save(box, {PidTagSubject: "fai", PidTagBody: "x" * 50_000}, fid, associated=True)
    box.call(c.DeleteFolder(fid))
    assert counts(box) == NOTHING


def test_mail_alone_knows_nothing_of_objects(box: Harness) -> None:
    box.append(mail(1))
    box.call(c.CopyMessages(INBOX, ALL, SENT, False, box.request_id()))
    box.call(c.Expunge(INBOX, ALL, False))
    assert box.box._runner.tx.state.has_objects is False
    save(box, {PidTagSubject: "a", PidTagBody: "x" * 50_000})
    assert box.box._runner.tx.state.has_objects is True
    box.reopen()
    assert box.box._runner.tx.state.has_objects is True
    box.call(c.Expunge(INBOX, ALL, False))
    box.reopen()
    assert box.box._runner.tx.state.has_objects is False


def test_a_failed_save_leaves_nothing(box: Harness) -> None:
    changes = o.Changes({PidTagSubject: "a", PidTagBody: "x" * 50_000}, [], None, [o.AttachmentChange(-5)])
    results = box.batch(
        o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "good"}), b"g"),
        o.SaveMessage(INBOX, 0, 0, changes, b"b"),
        o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "fine"}), b"f"),
    )
    assert [type(r).__name__ for r in results] == ["Saved", "MapiError", "Saved"]
    assert list(box.contents()) == [1, 2]
    check_references(box)


# ---------------------------------------------------------------------------------------------- associated


def test_associated_messages(box: Harness) -> None:
    saved = save(box, {PidTagSubject: "view", PidTagMessageClass: "IPM.Microsoft.FolderDesign"}, associated=True)
    assert saved.uid == 0
    assert box.contents() == {}
    row = unlisted(box, saved.mid)
    assert (row["kind"], row["flags"], row["cn"]) == (1, SEEN, saved.cn)
    assert row["size"] > 50
    assert box.state().cn == saved.cn
    second = change(box, saved, {0x7C070102: b"x" * 40_000})
    assert unlisted(box, saved.mid)["cn"] == second.cn
    assert unlisted(box, saved.mid)["size"] > 40_000
    assert box.sql("SELECT cid, class FROM message_data") == [(0, "IPM.Microsoft.FolderDesign")]
    check_references(box)


# ---------------------------------------------------------------------------------------------- limits


def test_limits(make: Callable[..., Harness]) -> None:
    box = make(most_attachments=2, largest_message=1 << 20, most_recipients=2, quota_storage_default=3 << 20)
    three = [o.AttachmentChange(n, set=data(b"x")) for n in range(3)]
    assert box.refused(o.SaveMessage(INBOX, 0, 0, o.Changes({}, [], None, three), b"")) == Ec.ecMaxAttachmentExceeded
    many = [person(f"p{n}@x.org") for n in range(3)]
    assert box.refused(o.SaveMessage(INBOX, 0, 0, o.Changes({}, [], many), b"")) == Ec.ecTooBig
    large = [o.AttachmentChange(0, set=data(b"x" * (2 << 20)))]
    assert box.refused(o.SaveMessage(INBOX, 0, 0, o.Changes({}, [], None, large), b"")) == Ec.ecTooBig
    call = o.SaveMessage(INBOX, 0, 0, o.Changes({}, [], None, large), b"", associated=True)
    assert box.refused(call) == Ec.ecTooBig
    fits = [o.AttachmentChange(0, set=data(b"x" * 900_000))]
    for _ in range(2):
        save(box, {}, attachments=fits)
    assert box.refused(o.SaveMessage(INBOX, 0, 0, o.Changes({}, [], None, fits), b"")) == Ec.ecQuotaExceeded
    check_references(box)


def test_header_fields_of_ones_own(box: Harness) -> None:
    guid = PS_INTERNET_HEADERS
    names = [n.Name(guid, -1, "x-mailer"), n.Name(guid, -1, "received"), n.Name(guid, -1, "x-sharing-flavor")]
    own, standard, known = (id_ << 16 | 0x1F for id_ in box.call(n.MakePropertyIds(names)))
    first = save(box, {PidTagSubject: "a", own: "mine", standard: "no", known: "20310"})
    raw = box.contents()[1]
    assert b"\r\nx-mailer: mine\r\n" in raw
    assert b"\r\nX-Sharing-Flavor: 20310\r\n" in raw
    assert b"received" not in raw
    second = change(box, first, {standard: "still not"})
    assert second.uid == 1
    third = change(box, second, {own: "other"})
    assert b"\r\nx-mailer: other\r\n" in box.contents()[third.uid]


def test_imap_leaves_categories_alone_that_it_cannot_show(box: Harness) -> None:
    saved = save(box, {PidTagSubject: "x", PidTagMessageFlags: 0, PidNameKeywords: ["Blue Category", "Red"]})
    uids = [(saved.uid, saved.uid)]
    box.call(c.SetFlags(INBOX, uids, c.REPLACE, SEEN, ["Green"]))
    assert flags(box, saved) == (SEEN, ["Blue Category", "Green"])
    box.call(c.SetFlags(INBOX, uids, c.REPLACE, 0))
    assert flags(box, saved) == (0, ["Blue Category"])
