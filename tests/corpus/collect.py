"""Collects real messages from the test data that installed and installable packages carry; a cache keeps them.

Sources, in this order:
  1. CPython's `test.test_email.data`, of this interpreter, of another one on the machine, or of Debian's
     libpython3.11-testsuite; and the messages that stand as strings in CPython's own email tests.
  2. Debian's golang-github-jhillyerd-enmime-dev (MIME oddities) and golang-github-gatherstars-com-jwz-dev (ordinary
     mail of mailing lists), fetched with `apt-get download`.
  3. PyPI's flufl.bounce (bounces of a hundred mail systems), fetched with `pip download`.
  4. ../shared/corpus/mime (the Ruby mail library's samples).
A source that cannot be had is named in `Corpus.absent`, which the tests report.

    python -m tests.corpus.collect FOLDER       shows what there is
"""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from pathlib import Path

from tests.support.messages import digest, to_crlf

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = {
    "cpython": ("libpython3.11-testsuite", "/test/test_email/"),
    "enmime": ("golang-github-jhillyerd-enmime-dev", "/enmime/testdata/"),
    "jwz": ("golang-github-gatherstars-com-jwz-dev", "/jwz/test/testdata/"),
}
CACHE = Path(os.environ.get("GROMOXD_CORPUS_CACHE", ROOT / "var" / "corpus-cache"))
"""Where what was fetched is kept (outside the repository's files)."""
ORDINARY_MAIL = 320
"""Of jwz's 2,400 list mails so many are taken."""
FIELDS = ("from", "received", "to", "subject", "date", "message-id", "content-type", "mime-version", "return-path")


@dataclass
class Corpus:
    """`messages`: name ('source/file') -> bytes as found. No two are equal once their line ends are."""

    messages: dict[str, bytes] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Messages per source."""
        found: dict[str, int] = {}
        for name in self.messages:
            source = name.partition("/")[0]
            found[source] = found.get(source, 0) + 1
        return found


def looks_like_mail(data: bytes) -> bool:
    """Whether the first lines are a header that names a known field."""
    if not data or len(data) > 4 << 20:
        return False
    if data.startswith(b"From "):
        data = data.partition(b"\n")[2]
    header = BytesHeaderParser().parsebytes(data[:65536])
    return any(header.get(name) is not None for name in FIELDS)


def without_from_line(data: bytes) -> bytes:
    """A message as it is on the wire: no mbox separator line in front (RFC 4155)."""
    while data.startswith((b"From ", b">From ")):
        data = data.partition(b"\n")[2]
    return data


# ---------------------------------------------------------------------------------------------- sources


def cpython_folders() -> Iterator[Path]:
    """Folders `test/test_email` of the interpreters on this machine, this one's first."""
    places = [Path(sysconfig.get_paths()["stdlib"]), *sorted(Path("/usr/lib").glob("python3.*"))]
    places += sorted(Path("/usr/local/lib").glob("python3.*"))
    places += sorted(Path.home().glob(".pyenv/versions/*/lib/python3.*"))
    for place in places:
        if (place / "test" / "test_email" / "data").is_dir():
            yield place / "test" / "test_email"


def from_cpython(cache: Path) -> Iterator[tuple[str, bytes]]:
    """CPython's data files, and strings of its test modules."""
    folder = next(cpython_folders(), None)
    if folder is None:
        files = dict(from_debian("cpython", cache))
    else:
        files = {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
    for name, data in files.items():
        if name.endswith(".txt"):
            yield name, data
        elif name.endswith(".py"):
            yield from ((f"{name}.{i}", text) for i, text in enumerate(strings_of(data)))


def strings_of(source: bytes) -> Iterator[bytes]:
    """String constants of a module that are whole messages: a header, an empty line, more."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            text = node.value.encode("utf-8", "surrogateescape") if isinstance(node.value, str) else node.value
            if len(text) > 60 and text.count(b"\n") > 2 and not text.startswith((b"\n", b" ")):
                yield text


def from_debian(source: str, cache: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a Debian package below one of its folders; nothing is installed."""
    package, below = DEBIAN[source]
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        download_deb(package, folder)
        (deb,) = Path(folder).glob("*.deb")
        run(["dpkg-deb", "--fsys-tarfile", str(deb)], folder, output=Path(folder) / "files.tar")
        with tarfile.open(Path(folder) / "files.tar") as tar:
            for member in sorted(tar.getmembers(), key=lambda m: m.name):
                stream = tar.extractfile(member) if member.isfile() and below in member.name else None
                if stream is not None:
                    yield member.name.partition(below)[2], stream.read()


def download_deb(package: str, folder: str) -> None:
    """`apt-get download`; once more with fresh package lists when that fails."""
    try:
        run(["apt-get", "download", "-q", package], folder)
    except OSError:
        run(["apt-get", "update", "-q"], folder)
        run(["apt-get", "download", "-q", package], folder)


def from_enmime(cache: Path) -> Iterator[tuple[str, bytes]]:
    """Whole messages of enmime (its folder `parts` has bare MIME parts, which are messages, too)."""
    yield from ((name, data) for name, data in from_debian("enmime", cache) if name.endswith((".raw", ".eml")))


def from_jwz(cache: Path) -> Iterator[tuple[str, bytes]]:
    """Evenly chosen list mails."""
    found = [(name, data) for name, data in from_debian("jwz", cache) if name.endswith(".eml")]
    yield from found[:: max(1, len(found) // ORDINARY_MAIL)]


def from_flufl(cache: Path) -> Iterator[tuple[str, bytes]]:
    """Bounces; they are in the wheel or in the source archive, as the version has it."""
    for option in (["--only-binary", ":all:"], ["--no-binary", ":all:"]):
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", *option, "flufl.bounce"], folder)
            found = [
                (name.rpartition("/")[2], data)
                for path in Path(folder).iterdir()
                for name, data in archive(path)
                if name.endswith(".txt") and "/tests/data/" in f"/{name}"
            ]
        if found:
            yield from found
            return
    raise OSError("flufl.bounce has no test data any more")


def archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a wheel or source archive."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            yield from ((name, wheel.read(name)) for name in sorted(wheel.namelist()))
    else:
        with tarfile.open(path) as tar:
            for member in sorted(tar.getmembers(), key=lambda m: m.name):
                stream = tar.extractfile(member) if member.isfile() else None
                if stream is not None:
                    yield member.name, stream.read()


def from_shared(cache: Path) -> Iterator[tuple[str, bytes]]:
    """The samples beside the repository."""
    folder = Path(os.environ.get("GROMOXD_SHARED", ROOT.parent / "shared")) / "corpus" / "mime"
    files = sorted(folder.glob("*.eml"))
    if not files:
        raise FileNotFoundError(f"{folder} is not there")
    yield from ((path.name, path.read_bytes()) for path in files)


def run(command: list[str], folder: str, output: Path | None = None) -> None:
    """Run a package tool; OSError when it fails."""
    with output.open("wb") if output else io.BytesIO() as stream:
        done = subprocess.run(
            command, cwd=folder, stdout=stream if output else subprocess.PIPE, stderr=subprocess.PIPE, timeout=180
        )
    if done.returncode:
        raise OSError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()[-200:]}")


SOURCES: dict[str, Callable[[Path], Iterator[tuple[str, bytes]]]] = {
    "cpython": from_cpython, "enmime": from_enmime, "flufl.bounce": from_flufl, "jwz": from_jwz, "shared": from_shared,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------- the whole


def source_messages(source: str, cache: Path) -> dict[str, bytes]:
    """The messages of one source, from the cache when it has them."""
    kept = cache / f"{source}.json"
    if kept.exists():
        return {name: text.encode("latin-1") for name, text in json.loads(kept.read_text()).items()}
    found = {name: without_from_line(data) for name, data in SOURCES[source](cache) if looks_like_mail(data)}
    if source != "shared":
        fresh = cache / f"{source}.{os.getpid()}.new"
        fresh.write_text(json.dumps({name: data.decode("latin-1") for name, data in found.items()}))
        fresh.replace(kept)
    return found


def collect(cache: Path) -> Corpus:
    """Everything that can be had."""
    cache.mkdir(parents=True, exist_ok=True)
    corpus, seen = Corpus(), set()
    for source in SOURCES:
        try:
            found = source_messages(source, cache)
        except (OSError, subprocess.SubprocessError, ValueError, tarfile.TarError) as error:
            corpus.absent.append(f"{source}: {error}")
            continue
        for name, data in found.items():
            key = digest(to_crlf(data))
            if key not in seen:
                seen.add(key)
                corpus.messages[f"{source}/{name}"] = data
    return corpus


if __name__ == "__main__":
    whole = collect(Path(sys.argv[1]))
    print(whole.counts(), len(whole.messages), "messages;", sum(map(len, whole.messages.values())) >> 10, "KiB")
    print("absent:", whole.absent or "nothing")
