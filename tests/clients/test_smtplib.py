"""The standard library's smtplib delivers by LMTP."""

from __future__ import annotations

import smtplib

import pytest

from tests.support import messages
from tests.support.server import Server, trusting_tls

pytestmark = pytest.mark.slow


def test_recipients_each_with_a_reply(server: Server) -> None:
    """Known, unknown and plus-addressed recipients in one transaction (RFC 2033 4.2)."""
    user = server.add_user("smtplib@example.test")
    name, domain = user.split("@")
    with server.lmtp() as client:
        for word in ("pipelining", "8bitmime", "enhancedstatuscodes", "smtputf8", "chunking", "size"):
            assert client.has_extn(word), word
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail("s@example.net", ["nobody@example.test"], messages.make("s-0"))
        code, text = refused.value.recipients["nobody@example.test"]
        assert (code, text[:5]) == (550, b"5.1.1")
        original = messages.make("s-1", to=user)
        client.mail("s@example.net", ["BODY=8BITMIME", f"SIZE={len(original)}"])
        assert client.rcpt(user)[0] == 250
        assert client.rcpt("nobody@example.test")[0] == 550
        assert client.rcpt(f"{name}+tag@{domain}")[0] == 250
        assert client.data(original)[0] == 250
        assert client.getreply()[0] == 250  # one reply for each accepted recipient
        assert client.noop()[0] == 250
    with server.imap(user) as reader:
        assert reader.select("INBOX") == ("OK", [b"1"])  # both recipients are one mailbox: one copy
        stored = reader.fetch("1", "(BODY.PEEK[])")[1][0][1]
        assert messages.without_trace(stored, original) == original
        assert stored.startswith(b"Return-Path: <s@example.net>\r\n")
        assert b"\r\nDelivered-To: " in stored and b"\r\nReceived: " in stored


def test_starttls(server: Server) -> None:
    """STARTTLS, and a delivery behind it."""
    user = server.add_user("smtplib2@example.test")
    with server.lmtp() as client:
        assert client.starttls(context=trusting_tls())[0] == 220
        client.ehlo_or_helo_if_needed()
        assert not client.has_extn("starttls")
        assert client.sendmail("s@example.net", [user], messages.make("s-2", to=user)) == {}
    with server.imap(user) as reader:
        assert reader.select("INBOX") == ("OK", [b"1"])


def test_size_and_null_sender(server: Server) -> None:
    """A bounce (empty sender) is taken; a declared size over the limit is refused at once (RFC 1870 6.1)."""
    with server.lmtp() as client:
        limit = int(client.esmtp_features["size"])
        assert client.sendmail("", ["alice@example.test"], messages.make("bounce")) == {}
        code, text = client.docmd("MAIL", f"FROM:<a@example.net> SIZE={limit + 1}")
        assert (code, text[:5]) == (552, b"5.3.4")
