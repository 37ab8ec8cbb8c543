"""The standard library's poplib does its round."""

from __future__ import annotations

import poplib

import pytest

from tests.support import messages
from tests.support.server import Server, trusting_tls

pytestmark = pytest.mark.slow


def lines_of(message: bytes) -> list[bytes]:
    """A message as poplib gives it."""
    return message.removesuffix(b"\r\n").split(b"\r\n")


def test_round(server: Server) -> None:
    """STAT, LIST, UIDL, RETR, TOP, DELE, RSET, QUIT."""
    user = server.add_user("poplib@example.test")
    originals = [messages.make(f"pop-{i}", to=user) for i in range(3)]
    originals[1] = originals[1].replace(b"\r\n\r\n", b"\r\n\r\n.hidden\r\n..two\r\n.\r\n", 1)
    for original in originals:
        server.deliver(original, user)
    client = server.pop3(user)
    count, size = client.stat()
    assert count == 3
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    assert sum(sizes) == size
    uidl = client.uidl()[1]
    assert len({line.split()[1] for line in uidl}) == 3
    for number, original in enumerate(originals, 1):
        stored = b"\r\n".join(client.retr(number)[1]) + b"\r\n"
        assert messages.without_trace(stored, original) == original
        assert len(stored) == sizes[number - 1]
    top = client.top(1, 2)[1]
    header_end = top.index(b"")
    assert top[header_end + 1 :] == lines_of(originals[0].partition(b"\r\n\r\n")[2])[:2]
    client.dele(2)
    with pytest.raises(poplib.error_proto):
        client.retr(2)
    assert client.stat()[0] == 2
    client.rset()
    assert client.stat()[0] == 3
    client.dele(1)
    client.quit()
    again = server.pop3(user)
    assert [line.split()[1] for line in again.uidl()[1]] == [line.split()[1] for line in uidl[1:]]
    again.quit()


def test_exclusive_and_tls(server: Server) -> None:
    """A second session is told IN-USE; STLS and POP3S work and say so in CAPA."""
    user = server.add_user("poplib2@example.test")
    first = server.pop3(user)
    second = server.pop3("")
    second.user(user)
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        second.pass_(server.password(user))
    first.quit()
    second.close()
    plain = server.pop3("")
    capabilities = plain.capa()
    assert {"STLS", "UIDL", "TOP", "PIPELINING", "RESP-CODES", "USER"} <= set(capabilities)
    assert "PLAIN" in capabilities["SASL"]
    plain.stls(trusting_tls())
    assert "STLS" not in plain.capa()
    plain.user(user)
    plain.pass_(server.password(user))
    plain.quit()
    secure = poplib.POP3_SSL(*server.address("pop3s"), context=trusting_tls(), timeout=20)
    secure.user(user)
    secure.pass_(server.password(user))
    assert secure.stat() == (0, 0)
    secure.quit()


def test_wrong_password(server: Server) -> None:
    """A wrong password and an unknown user get the same answer."""
    answers = []
    for name in ("alice@example.test", "nobody@example.test"):
        client = server.pop3("")
        client.user(name)
        with pytest.raises(poplib.error_proto) as refused:
            client.pass_("wrong")
        answers.append(str(refused.value))
        client.close()
    assert answers[0] == answers[1]
    assert "AUTH" in answers[0]
