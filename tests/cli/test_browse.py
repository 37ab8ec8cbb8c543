"""gromoxctl mailbox browse, by commands from standard input."""

from __future__ import annotations

import pytest

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import names as n
from gromoxd.exmdb import objects as o
from gromoxd.mapi import named_tags as nt
from gromoxd.mapi import proptags as p
from tests.cli.conftest import Ctl
from tests.cli.served import ALICE, Served
from tests.contract.mail import mail
from tests.mapi.structures.calendar import GLOBAL_ID_VCAL, WEEKLY

CONTACT = {p.PidTagAttachMethod: 1, p.PidTagAttachLongFilename: "c\x07.vcf", p.PidTagAttachDataBinary: b"b" * 40_000}


def walk(ctl: Ctl, *commands: str) -> list[str]:
    outcome = ctl("mailbox", "browse", ALICE, stdin="\n".join(commands) + "\n")
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out.splitlines()


def stopped(ctl: Ctl, *commands: str) -> str:
    outcome = ctl("mailbox", "browse", ALICE, stdin="\n".join(commands) + "\n")
    assert outcome.status == 1
    return outcome.err.removeprefix("gromoxctl: ").rstrip("\n")


def save(served: Served, props: o.Bag, fid: int = 0x0D, **more: object) -> o.Saved:
    changes = o.Changes(props, [], more.get("recipients"), more.get("attachments", []))  # type: ignore[arg-type]
    call = o.SaveMessage(fid, 0, 0, changes, served.request_id(), associated=bool(more.get("associated")))
    saved: o.Saved = served.call(call, actor=ALICE)
    return saved


def test_folders(served: Served, filled: Ctl) -> None:
    """From IPM_SUBTREE into folders and back."""
    served.append(mail(1))
    served.call(c.CreateFolder("Projects/Deep\x85", request_id=served.request_id()))
    top = walk(filled, "ls")
    assert "Inbox/  1 (1 unread)" in top and "Projects/  0 (0 unread)" in top
    assert walk(filled, "cd projects", "ls", "cd Deep\x85", "cd ..", "cd ..", "cd ..", "cd ..") == [
        "Projects", "Deep\\x85/  0 (0 unread)", "Projects/Deep\\x85", "Projects", "/Top of Information Store", "/", "/",
    ]  # fmt: skip
    assert walk(filled, "cd Projects/Deep\x85", "cd Inbox", "cd '/Common Views'", "cd contacts") == [
        "Projects/Deep\\x85", "INBOX", "/Common Views", "Contacts",
    ]  # fmt: skip
    assert walk(filled, "cd Inbox", "cd 0xe", "cd") == ["INBOX", "Drafts", "/Top of Information Store"]
    tree = walk(filled, "cd Inbox", "tree")
    assert tree[0] == "INBOX" and "    Inbox  1 (1 unread) *" in tree and "      Deep\\x85" in tree
    assert stopped(filled, "cd Nowhere") == "line 1: the folder Nowhere does not exist"


def test_messages(served: Served, filled: Ctl) -> None:
    """Latest first, numbered; pages; props, cat and raw by number."""
    stored = [
        served.append(mail(number, more="" if number != 53 else "X-Odd: a\x1bb\r\n"), flags=number % 2)
        for number in range(1, 54)
    ]
    shown = walk(filled, "cd Inbox", "ls", "ls 51", "quit", "ls")
    assert len(shown) == 1 + 50 + 1 + 3 + 1
    assert shown[1].startswith("    1   ") and shown[2].startswith("    2* ")
    assert shown[1].endswith("Sender 53                 Message 53")
    assert shown[51] == "1 to 50 of 53 messages (ls 51 shows more)" and shown[-1] == "51 to 53 of 53 messages"
    assert shown[-2].startswith("   53") and shown[-2].endswith("Message 1")
    text = walk(filled, "cd Inbox", "ls", "cat 1", "raw 1")[52:]
    assert text[:3] == ["From: Sender 53", "Sender: sender53@example.org", "To: alice@example.test"]
    assert text[3:7] == ["Subject: Message 53", "Class: IPM.Note", "", "This is body 53."]
    raw = mail(53, more="X-Odd: a\x1bb\r\n").decode().replace("\x1b", "\\x1b").split("\r\n")
    assert text[7:] == raw[:-1]
    props = walk(filled, "cd Inbox", "ls 51", "props 53")
    assert '0037001F PidTagSubject: "Message 1"' in props and "0FFF0102 PidTagEntryId: MessageEntryId" in props
    mid = served.call(o.OpenMessage(stored[0].mid)).mid
    assert '0037001F PidTagSubject: "Message 1"' in walk(filled, f"props {mid:#x}")


def test_properties_of_all_kinds(served: Served, filled: Ctl) -> None:
    """Named properties by name, structures decoded, long values by their size; recipients; the folder's own."""
    [own] = served.call(n.MakePropertyIds([n.Name(b"\x07" * 16, -1, "Colour\x1b")]))
    save(
        served,
        {
            p.PidTagSubject: "meeting", p.PidTagMessageClass: "IPM.Appointment", p.PidTagBody: "long " * 10_000,
            nt.PidLidAppointmentRecur: WEEKLY, nt.PidLidGlobalObjectId: GLOBAL_ID_VCAL, own << 16 | 0x1F: "red",
        },
        recipients=[{p.PidTagRecipientType: 1, p.PidTagDisplayName: "Bob", p.PidTagEmailAddress: "bob@example.test",
                     p.PidTagAddressType: "SMTP"}],
    )  # fmt: skip
    shown = walk(filled, "cd Inbox", "ls", "props 1", "recipients 1", "cat 1")
    assert shown[1].endswith("[IPM.Appointment] meeting")
    assert any(line.endswith("PidLidAppointmentRecur: AppointmentRecurrencePattern") for line in shown)
    assert any(line.endswith("PidLidGlobalObjectId: GlobalObjectId") for line in shown)
    assert f'{own:04X}001F 07070707-0707-0707-0707-070707070707:Colour\\x1b: "red"' in shown
    assert "1000001F PidTagBody: (100000 octets)" in shown
    assert '  3001001F PidTagDisplayName: "Bob"' in shown
    assert shown[-1] == "long " * 10_000
    folder = walk(filled, "cd Inbox", "props")
    assert '3001001F PidTagDisplayName: "Inbox"' in folder


def test_attachments(served: Served, filled: Ctl) -> None:
    """By number, into embedded messages and the attachments of these."""
    inner = o.Changes(
        {p.PidTagSubject: "inner", p.PidTagBody: "inside"}, attachments=[o.AttachmentChange(0, set=CONTACT)]
    )  # fmt: skip
    save(
        served, {p.PidTagSubject: "outer", p.PidTagBody: "outside"},
        attachments=[
            o.AttachmentChange(0, set=CONTACT),
            o.AttachmentChange(1, set={p.PidTagAttachMethod: 5, p.PidTagDisplayName: "inner"}, embedded=inner),
        ],
    )  # fmt: skip
    shown = walk(filled, "cd Inbox", "ls", "attachments 1", "attachments 1/1", "cat 1/1")
    assert [line.split()[0] for line in shown[3:6]] == ["0", "1", "0"]
    assert shown[3].endswith("c\\x07.vcf") and "  message  " in shown[4] and shown[5].endswith("c\\x07.vcf")
    assert shown[6] == "Subject: inner" and shown[-2:] == ["", "inside"]
    props = walk(filled, "cd Inbox", "ls", "props 1/0", "props 1/1", "props 1/1/0")
    assert props.count('3707001F PidTagAttachLongFilename: "c\\x07.vcf"') == 2
    assert props.count("37010102 PidTagAttachDataBinary: (40000 octets)") == 2
    assert "embedded message" in props and '0037001F PidTagSubject: "inner"' in props
    assert stopped(filled, "cd Inbox", "ls", "props 1/9") == "line 3: there is no attachment 9"
    assert "RFC 5322" in stopped(filled, "cd Inbox", "ls", "raw 1/1")


def test_hidden_and_deleted(served: Served, filled: Ctl) -> None:
    save(served, {p.PidTagSubject: "view"}, associated=True)
    gone = served.append(mail(1))
    served.call(o.DeleteMessages(0x0D, [gone.mid]))
    served.append(mail(2))
    shown = walk(filled, "cd Inbox", "ls", "ls -a", "props 1", "ls -d", "cat 1")
    assert [line for line in shown if line.startswith("1 to")] == ["1 to 1 of 1 messages"] * 3
    assert '0037001F PidTagSubject: "view"' in shown and "This is body 1." in shown
    assert "IMAP" in stopped(filled, "cd Inbox", "ls -d", "raw 1")


@pytest.mark.parametrize(
    ("commands", "text"),
    [
        (["dance"], "line 1: there is no command dance (help shows them)"),
        (["", "cat"], "line 2: which message? (a number that ls showed)"),
        (["cat 1"], "line 1: ls has shown no message 1"),
        (["cat x"], "line 1: 'x' is no number"),
        (["cat 0xgg"], "line 1: '0xgg' is no number"),
        (["cat 0x77"], "message 0x77"),
        (["ls 0"], "line 1: ls [-a|-d] [FROM]"),
        (["ls 1 2"], "line 1: ls [-a|-d] [FROM]"),
        (["cat 'x"], "line 1: No closing quotation"),
    ],
)
def test_wrong_commands(served: Served, filled: Ctl, commands: list[str], text: str) -> None:
    assert stopped(filled, *commands) == text


def test_help(served: Served, filled: Ctl) -> None:
    shown = walk(filled, "help", "exit", "dance")
    assert shown[0].startswith("ls [-a|-d]") and any(line.startswith("raw N") for line in shown)


def test_at_a_terminal(served: Served, filled: Ctl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong commands and errors of the store do not end it; the prompt says where we are."""
    served.append(mail(1))
    prompts: list[str] = []
    commands = iter(["cd inbox", "dance", "cat 0x77", "ls", "quit"])

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return next(commands)

    monkeypatch.setattr("gromoxd.cli.browse.sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    from gromoxd.cli import browse
    from gromoxd.cli.site import Site
    from gromoxd.cli.stores import store_of

    site = Site(str(served.maildir().parents[3]), None, {})
    with store_of(site, ALICE) as store:
        browse._converse(browse.Browser(store), store.owner)
    assert prompts[:2] == [f"{ALICE}:/Top of Information Store> ", f"{ALICE}:INBOX> "] and len(prompts) == 5
