"""IMAPClient does its round: structures, IDLE, MOVE, CONDSTORE, folder names as Unicode."""

from __future__ import annotations

import email.message
import email.policy
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.support import messages
from tests.support.server import Server, trusting_tls, until

imapclient = pytest.importorskip("imapclient")

pytestmark = pytest.mark.slow


@pytest.fixture
def client(server: Server) -> Iterator[object]:
    """alice's session."""
    made = imapclient.IMAPClient(*server.address("imap"), ssl=False, timeout=20)
    made.login("alice@example.test", server.password("alice@example.test"))
    yield made
    made.logout()


def multipart() -> bytes:
    """Text and HTML with an attachment whose name has umlauts."""
    message = email.message.EmailMessage()
    message["From"] = "Jörg Müller <joerg@example.net>"
    message["To"] = "alice@example.test, Group: a@example.net, b@example.net;"
    message["Subject"] = "Größe und Übergröße"
    message["Message-ID"] = "<multi@load.example>"
    message["Date"] = "Tue, 03 Jun 2025 08:00:00 +0200"
    message.set_content("Grüße\n")
    message.add_alternative("<p>Grüße</p>\n", subtype="html")
    message.add_attachment(b"\x00\x01binary", maintype="application", subtype="octet-stream", filename="Löwe.bin")
    return message.as_bytes(policy=email.policy.SMTP)


def test_envelope_and_structure(server: Server, client: imapclient.IMAPClient) -> None:
    """ENVELOPE and BODYSTRUCTURE come out as IMAPClient's own types."""
    client.create_folder("structures")
    client.append("structures", multipart())
    client.select_folder("structures")
    (data,) = client.fetch(
        client.search(), ["ENVELOPE", "BODYSTRUCTURE", "RFC822.SIZE", "INTERNALDATE", "BODY[2]"]
    ).values()
    envelope = data[b"ENVELOPE"]
    assert envelope.message_id == b"<multi@load.example>"
    assert envelope.from_[0].mailbox == b"joerg" and envelope.from_[0].host == b"example.net"
    assert envelope.date == datetime(2025, 6, 3, 6, 0, tzinfo=UTC).astimezone().replace(tzinfo=None)
    structure = data[b"BODYSTRUCTURE"]
    assert structure.is_multipart and structure[1].lower() == b"mixed"
    inner = structure[0][0]
    assert inner.is_multipart and inner[1].lower() == b"alternative"
    assert [part[:2] for part in inner[0]] == [(b"text", b"plain"), (b"text", b"html")]
    assert data[b"RFC822.SIZE"] == len(multipart())
    assert data[b"BODY[2]"].strip() == b"AAFiaW5hcnk="


@pytest.mark.parametrize("name", ["Entwürfe ä&b", 'with "quotes"', "日本語/台北", "back\\slash", "~tilde%&- &"])
def test_folder_names(client: imapclient.IMAPClient, name: str) -> None:
    """A folder's name comes back as it was given."""
    if "%" in name:
        name = name.replace("%", "")
    client.create_folder(name)
    assert name in [folder for _, _, folder in client.list_folders()]
    assert client.folder_exists(name)
    client.append(name, messages.make("named"))
    assert client.folder_status(name, ["MESSAGES"]) == {b"MESSAGES": 1}
    client.delete_folder(name)
    assert not client.folder_exists(name)


def test_special_folders(client: imapclient.IMAPClient) -> None:
    """SPECIAL-USE names the folders that clients look for."""
    assert client.has_capability("SPECIAL-USE")
    for attribute in (b"\\Sent", b"\\Drafts", b"\\Trash", b"\\Junk"):
        assert client.find_special_folder(attribute), attribute


def test_move_copy_search_modseq(client: imapclient.IMAPClient) -> None:
    """MOVE, COPY, SEARCH with text in another charset, CONDSTORE."""
    for name in ("work", "done"):
        client.create_folder(name)
    for i in range(5):
        client.append("work", messages.make(f"ic-{i}"), flags=[imapclient.SEEN] if i % 2 else [])
    client.append("work", multipart())
    client.select_folder("work")
    everything = client.search("ALL")
    assert len(everything) == 6
    assert client.search(["SUBJECT", "Übergröße"], charset="UTF-8") == everything[-1:]
    assert client.search(["BODY", "Grüße"], charset="UTF-8") == everything[-1:]
    assert client.search("UNSEEN") == [everything[0], everything[2], everything[4], everything[5]]
    client.copy(everything[:2], "done")
    client.move(everything[2:4], "done")
    assert client.search("ALL") == [*everything[:2], *everything[4:]]
    assert client.folder_status("done", ["MESSAGES"])[b"MESSAGES"] == 4
    before = client.fetch(everything[:2], ["MODSEQ"])
    client.set_flags(everything[0], [imapclient.FLAGGED, "$label1"])
    after = client.fetch(everything[:2], ["MODSEQ", "FLAGS"])
    assert after[everything[0]][b"MODSEQ"][0] > before[everything[0]][b"MODSEQ"][0]
    assert after[everything[1]][b"MODSEQ"] == before[everything[1]][b"MODSEQ"]
    assert set(after[everything[0]][b"FLAGS"]) - {imapclient.RECENT} == {imapclient.FLAGGED, b"$label1"}
    client.delete_messages(everything[0])
    client.expunge()
    assert everything[0] not in client.search("ALL")


def test_idle_sees_delivery_and_expunge(server: Server) -> None:
    """Two idling sessions are told of a delivery and of an expunge, in order."""
    user = server.add_user("idler@example.test")
    sessions = []
    for _ in range(2):
        session = imapclient.IMAPClient(*server.address("imap"), ssl=False, timeout=20)
        session.login(user, server.password(user))
        session.select_folder("INBOX")
        session.idle()
        sessions.append(session)
    delivery = threading.Thread(target=server.deliver, args=(messages.make("idle-1", to=user), user))
    delivery.start()
    for session in sessions:
        seen: list[object] = []
        until(lambda s=session, seen=seen: seen.extend(s.idle_check(1)) or (1, b"EXISTS") in seen, seconds=10)  # type: ignore[misc]
    delivery.join()
    sessions[0].idle_done()
    uid = sessions[0].search("ALL")
    sessions[0].delete_messages(uid)
    sessions[0].expunge()
    seen = []
    until(lambda: seen.extend(sessions[1].idle_check(1)) or (1, b"EXPUNGE") in seen, seconds=10)
    sessions[1].idle_done()
    for session in sessions:
        session.logout()


def test_tls(server: Server) -> None:
    """Implicit TLS and STARTTLS."""
    host, port = server.address("imaps")
    with imapclient.IMAPClient(host, port, ssl=True, ssl_context=trusting_tls(), timeout=20) as secure:
        secure.login("bob@example.test", server.password("bob@example.test"))
        assert secure.select_folder("INBOX")[b"EXISTS"] == 0
    host, port = server.address("imap")
    with imapclient.IMAPClient(host, port, ssl=False, timeout=20) as upgraded:
        upgraded.starttls(trusting_tls())
        upgraded.login("bob@example.test", server.password("bob@example.test"))
        assert upgraded.select_folder("INBOX")[b"UIDVALIDITY"] > 0
