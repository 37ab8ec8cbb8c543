"""Basic, Bearer, NTLM and Negotiate over real sockets, by curl, pyspnego and by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import warnings
from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.http.harness import ALICE, PASSWORD, UNTRUSTED, Answer, Wire, basic, probe, wire
from tests.master.harness import HUP, Master
from tests.support.server import until
from workers.http.auth import directory_name

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import spnego

BASIC = 'Basic realm="gromoxd", charset="UTF-8"'


@pytest.fixture(scope="module")
def m() -> Iterator[Master]:
    """Basic and NTLM, for direct clients."""
    with probe(http_auth_spnego="yes", default_domain="example.test", **UNTRUSTED) as running:
        yield running


def plain(answer: Answer) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All of an answer that a stranger may compare."""
    return answer.status, answer.body, [field for field in answer.fields if field[0] != "date"]


@pytest.mark.parametrize(
    ("name", "domain", "wanted"),
    [
        ("alice", "", "alice"), ("alice", "d.test", "alice@d.test"), ("alice@a.test", "d.test", "alice@a.test"),
        ("DOMAIN\\alice", "", "alice"), ("DOMAIN\\alice", "d.test", "alice@d.test"),
        ("a.test\\alice", "d.test", "alice@a.test"),
        ("DOMAIN\\alice@a.test", "", "alice@a.test"), ("", "d.test", ""), ("\\", "d.test", ""),
        (" a@b.test ", "", "a@b.test"),
    ],
)  # fmt: skip
def test_directory_name(name: str, domain: str, wanted: str) -> None:
    assert directory_name(name, domain) == wanted


def test_challenge(m: Master) -> None:
    with wire(m) as w:
        answer = w.ask("/who")
        assert answer.status == 401 and answer.all("www-authenticate") == ["Negotiate", "NTLM", BASIC]
        assert w.ask("/who", "POST", b"abc").status == 401
        assert w.ask("/who", Authorization="Digest x").status == 401


@pytest.mark.parametrize("name", [ALICE, "Alice@EXAMPLE.test", "alice", "EXAMPLE\\alice", "example.test\\alice"])
@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_basic(m: Master, name: str, charset: str) -> None:
    with wire(m) as w:
        seen = w.ask("/who", Authorization=basic(name, charset=charset)).json
        assert (seen["user"], seen["login"], seen["password"]) == (ALICE, name, PASSWORD)
        assert w.ask("/who").status == 401


def test_what_is_wrong_makes_no_difference(m: Master) -> None:
    with wire(m) as w:
        answers = [
            plain(w.ask("/who", Authorization=basic(*pair)))
            for pair in (
                (ALICE, "wrong"),
                ("nobody@example.test", "wrong"),
                (ALICE, ""),
                ("", ""),
                ("x@nowhere.test", "y"),
            )
        ]
        answers.append(plain(w.ask("/who")))
        answers.append(plain(w.ask("/dav", Authorization=basic("nodav@example.test"))))
        assert answers[1:] == answers[:-1]
        for garbage in ("Basic", "Basic !!", "Basic " + b64encode(b"nocolon").decode(), "Basic " + "A" * 40000):
            assert w.ask("/who", Authorization=garbage[:8000]).status in (400, 401)
    assert "wrong" not in m.log and PASSWORD not in m.log


def test_throttled() -> None:
    with probe(auth_times="2", **UNTRUSTED) as m, wire(m) as w:
        for name in (ALICE, "nobody@example.test"):
            answers = [plain(w.ask("/who", Authorization=basic(name, "wrong"))) for _ in range(5)]
            assert answers[1:] == answers[:-1] and answers[0][0] == 401
        assert w.ask("/who", Authorization=basic()).status == 401


def test_basic_may_be_switched_off() -> None:
    with probe(http_auth_basic="no") as m, wire(m) as w:
        answer = w.ask("/who", Authorization=basic())
        assert answer.status == 401 and answer.all("www-authenticate") == []
        m.write_conf(http_auth_basic="yes")
        m.signal(HUP)
        until(lambda: w.ask("/who", Authorization=basic()).status == 200)


# ---------------------------------------------------------------------------------------------- NTLM


def log_in(w: Wire, scheme: str, name: str = "EXAMPLE\\alice", password: str = PASSWORD, path: str = "/who") -> Answer:
    """Over one connection, by pyspnego."""
    context = spnego.client(
        name, password, hostname="mail", service="http", protocol="ntlm" if scheme == "NTLM" else "negotiate",
        options=spnego.NegotiateOptions.use_ntlm if scheme == "NTLM" else spnego.NegotiateOptions.use_negotiate,
    )  # fmt: skip
    token = context.step()
    for _ in range(3):
        answer = w.ask(path, "POST", b"body", Authorization=f"{scheme} {b64encode(token or b'').decode()}")
        said = [value for value in answer.all("www-authenticate") if value.startswith(f"{scheme} ")]
        if not said:
            return answer
        token = context.step(b64decode(said[0].partition(" ")[2]))
        if answer.status == 200:
            assert context.complete
            return answer
    raise AssertionError("no end")


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
@pytest.mark.parametrize("name", ["EXAMPLE\\alice", "alice", ALICE])
def test_ntlm(m: Master, scheme: str, name: str) -> None:
    with wire(m) as w, wire(m) as other:
        answer = log_in(w, scheme, name)
        assert answer.status == 200 and answer.json["user"] == ALICE and answer.json["body"] == 4
        for _ in range(3):
            assert w.ask("/who").json["user"] == ALICE
        assert other.ask("/who").status == 401
        assert w.ask("/who", Authorization=basic(password="wrong")).status == 401
        assert w.ask("/who").status == 401


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_ntlm_with_a_wrong_password(m: Master, scheme: str) -> None:
    with wire(m) as w:
        answers = [log_in(w, scheme, *pair) for pair in (("alice", "wrong"), ("nobody", PASSWORD), ("x@y.test", "z"))]
        assert [answer.status for answer in answers] == [401] * 3
        assert {answer.body for answer in answers} == {b"authentication is required\n"}
        assert w.ask("/who").status == 401
        assert log_in(w, scheme).status == 200


def test_ntlm_and_privileges(m: Master) -> None:
    with wire(m) as w:
        assert log_in(w, "NTLM", "nodav@example.test").status == 200
        assert w.ask("/dav").status == 403


def test_garbage_for_ntlm(m: Master) -> None:
    with wire(m) as w:
        for token in (
            b"",
            b"x",
            b"NTLMSSP\0",
            b"NTLMSSP\0\1\0\0\0",
            b"NTLMSSP\0\3\0\0\0" + bytes(100),
            b"\x60\x84",
            bytes(9),
        ):
            for scheme in ("NTLM", "Negotiate"):
                answer = w.ask("/who", Authorization=f"{scheme} {b64encode(token).decode()}")
                assert answer.status == 401, token
        assert w.ask("/who", Authorization="NTLM ***").status == 400


def test_ntlm_is_not_for_proxies(m: Master) -> None:
    with wire(m) as w:
        assert w.ask("/who", X_Forwarded_For="203.0.113.5").all("www-authenticate") == [BASIC]
        assert log_in(w, "NTLM").status == 200
        assert w.ask("/who", Via="1.1 proxy").status == 401
    with probe(http_auth_spnego="yes") as trusting, wire(trusting) as w:
        assert w.ask("/who").all("www-authenticate") == [BASIC]
        assert log_in(w, "NTLM").status == 401
        trusting.write_conf(http_ntlm_proxied="yes", default_domain="example.test")
        trusting.signal(HUP)
        until(lambda: len(w.ask("/who").all("www-authenticate")) == 3)
        assert log_in(w, "NTLM").status == 200


def curl(m: Master, *arguments: str, path: str = "/who") -> Any:
    program = shutil.which("curl")
    assert program, "curl is needed"
    url = "http://{}:{}{}".format(*m.address("http"), path)
    done = subprocess.run([program, "-s", "-S", "--fail", *arguments, url], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed: NTLM is tested by pyspnego only")
def test_curl(m: Master) -> None:
    assert curl(m, "--basic", "-u", f"{ALICE}:{PASSWORD}")["user"] == ALICE
    assert curl(m, "--ntlm", "-u", "EXAMPLE\\bob:in ascii 7")["user"] == "bob@example.test"
    assert curl(m, "--ntlm", "-u", "bob:in ascii 7", "-d", "x" * 50000)["body"] == 50000


def test_helper() -> None:
    helper = f"{sys.executable} {Path(__file__).parent / 'ntlmhelper.py'}"
    with probe(http_auth_spnego="yes", ntlmssp_program=helper, **UNTRUSTED) as m:
        with wire(m) as w:
            assert w.ask("/who").all("www-authenticate") == ["NTLM", BASIC]
            answer = log_in(w, "NTLM")
            assert answer.json["login"] == "example.test\\alice" and w.ask("/who").json["user"] == ALICE
            assert log_in(w, "NTLM", password="wrong").status == 401
            assert w.ask("/who").status == 401
        m.write_conf(ntlmssp_program="/nonexistent/helper")
        m.signal(HUP)
        m.wait_log("configuration")
        with wire(m) as w:
            until(lambda: w.ask("/who", Authorization="NTLM " + b64encode(FIRST).decode()).status == 503)


FIRST = b"NTLMSSP\0\1\0\0\0\7\x82\x08\xa2" + bytes(24)


# ---------------------------------------------------------------------------------------------- Bearer

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    text: str = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return text


def token(key: Any = RSA, algorithm: str = "RS256", headers: Any = None, **claims: Any) -> str:
    said = {"email": ALICE, "exp": time.time() + 300, **claims}
    return jwt.encode({name: value for name, value in said.items() if value is not None}, key, algorithm, headers)


def bearer(w: Wire, text: str) -> int:
    return w.ask("/who", Authorization=f"Bearer {text}").status


def test_bearer(tmp_path: Path) -> None:
    keys = tmp_path / "key.pem"
    keys.write_text(pem(RSA))
    how = {"http_auth_bearer": "yes", "bearer_pubkey": str(keys), "http_auth_basic": "no"}
    with probe(**how) as m, wire(m) as w:
        assert w.ask("/who").all("www-authenticate") == ['Bearer realm="gromoxd"']
        good = token()
        assert [bearer(w, good), bearer(w, good), bearer(w, token(preferred_username="ali"))] == [200] * 3
        assert bearer(w, token(algorithm="PS256")) == 200
        now = time.time()
        public = pem(RSA)
        confused = forged_hs256(public)
        for bad in (
            token(exp=now - 60), token(exp=None), token(nbf=now + 600), token(email="nobody@example.test"),
            token(email=None), token(email=7), token(rsa.generate_private_key(65537, 2048)), token(EC, "ES256"),
            good[:-4] + "AAAA", "", "a.b.c", jwt.encode({"email": ALICE, "exp": now + 300}, "", "none"), confused,
            good + "A" * 20000,
        ):  # fmt: skip
            assert bearer(w, bad[:7000]) == 401, bad[:100]
        m.write_conf(bearer_issuer="https://idp.test", bearer_audience="mail")
        m.signal(HUP)
        until(lambda: bearer(w, token(iat=time.time())) == 401)
        assert bearer(w, token(iss="https://idp.test", aud="mail")) == 200
        assert bearer(w, token(iss="https://other.test", aud="mail")) == 401
        assert bearer(w, token(iss="https://idp.test", aud=["x"])) == 401
        assert good not in m.log


def forged_hs256(secret: str) -> str:
    """The public key as a shared secret, as those would have it who know it."""
    import hashlib
    import hmac

    def part(value: bytes) -> bytes:
        from base64 import urlsafe_b64encode

        return urlsafe_b64encode(value).rstrip(b"=")

    claims = json.dumps({"email": ALICE, "exp": time.time() + 300}).encode()
    head = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(claims)
    return (head + b"." + part(hmac.digest(secret.encode(), head, hashlib.sha256))).decode()


def test_bearer_with_a_key_set(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    rows = [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key())), "kid": "one", "use": "sig"},
        {**json.loads(jwt.algorithms.ECAlgorithm.to_jwk(EC.public_key())), "kid": "two"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "three"},
    ]
    keys.write_text(json.dumps({"keys": rows}))
    with probe(http_auth_bearer="yes", bearer_pubkey=str(keys)) as m, wire(m) as w:
        assert bearer(w, token(headers={"kid": "one"})) == 200
        assert bearer(w, token(EC, "ES256", headers={"kid": "two"})) == 200
        assert bearer(w, token(EC, "ES256", headers={"kid": "one"})) == 401
        assert bearer(w, token()) == 401
        assert bearer(w, token("secret" * 8, "HS256", headers={"kid": "three"})) == 401
        keys.write_text("nonsense")
        m.signal(HUP)
        m.wait_log("bearer keys not loaded") if bearer(w, token(headers={"kid": "one"})) == 401 else None
        until(lambda: bearer(w, token(headers={"kid": "one"}, iat=time.time())) == 401)
