"""crypt(3) hashes; the expected ones were made by the C library and are in its specification's formats."""

from __future__ import annotations

import pytest

from gromoxd.directory import passwords

HASHES = {
    "$1$": "$1$saltsalt$",
    "$5$": "$5$saltstring$",
    "$6$": "$6$saltstring$",
    "$2b$": "$2b$05$abcdefghijklmnopqrstuu",
    "$2y$": "$2y$05$abcdefghijklmnopqrstuu",
    "$y$": "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$",
}
KNOWN = [
    # Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", test vectors
    ("Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    (
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
]


@pytest.mark.parametrize(("password", "stored"), KNOWN)
def test_published_vectors(password: str, stored: str) -> None:
    assert passwords.verify(password, stored)
    assert not passwords.verify(password + "x", stored)


@pytest.mark.parametrize("scheme", HASHES)
def test_every_scheme(scheme: str) -> None:
    stored = passwords.crypt("pässwörd", HASHES[scheme])
    assert stored.startswith(scheme)
    assert passwords.verify("pässwörd", stored)
    assert not passwords.verify("passwort", stored)
    assert not passwords.verify("", stored)


@pytest.mark.parametrize("stored", ["", "*", "!", "x", "*0", "$9$salt$hash", "!$6$a$b", "$6$", "é$6$abcdefghijkl"])
def test_what_is_no_hash_matches_nothing(stored: str) -> None:
    for password in ("", "x", stored):
        assert not passwords.verify(password, stored)


def test_new_hashes() -> None:
    one, two = passwords.new_hash("secret"), passwords.new_hash("secret")
    assert one != two
    assert one.startswith("$6$")
    assert len(one.split("$")[2]) == 16
    assert len(one) <= 136
    assert passwords.verify("secret", one)


@pytest.mark.parametrize("password", ["", "a\0b", "x" * 512, "\udcff"])
def test_impossible_passwords(password: str) -> None:
    assert not passwords.acceptable(password)
    with pytest.raises(ValueError):
        passwords.new_hash(password)
    assert not passwords.verify(password, KNOWN[0][1])


def test_missing_library_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    passwords._library.cache_clear()
    monkeypatch.setattr(passwords.ctypes, "CDLL", missing)
    try:
        with pytest.raises(passwords.CryptMissing, match="libcrypt1"):
            passwords.verify("x", KNOWN[0][1])
    finally:
        passwords._library.cache_clear()
