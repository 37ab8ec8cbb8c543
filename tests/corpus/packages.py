"""Sample files out of packages: Outlook's .pst, .ost and .msg, winmail.dat, mails; fetched once and kept in a folder.

Packages are fetched with `pip download` and `npm pack` as these are set up here, and are not installed. A package that
cannot be had is told by `Absent`; nothing fails for the want of one but the tests that need it, which say so.

    python -m tests.corpus.packages        fetches what is not there yet (tools/setup does it)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.conftest import loud_skip
from tests.corpus.collect import CACHE, archive, run

SAMPLES = Path(os.environ.get("GROMOXD_SAMPLES", CACHE / "packages"))
"""Where the files are kept, a folder for each package."""


class Absent(Exception):
    """A package cannot be had, or has no samples any more."""


def by_pip(package: str, folder: str) -> None:
    """The source archive: wheels leave tests out."""
    name = package.partition("==")[0]
    way = ["--retries", "1", "--timeout", "30", "--no-deps", "--no-binary", name]
    run([sys.executable, "-m", "pip", "download", "-q", *way, package], folder)


def by_npm(package: str, folder: str) -> None:
    """The package's archive."""
    program = shutil.which("npm")
    if program is None:
        raise OSError("npm is not installed")
    run([program, "pack", "--silent", "--fetch-retries=1", "--fetch-timeout=60000", package.replace("==", "@")], folder)


@dataclass(frozen=True)
class Source:
    """A package in the version whose samples are known, and which of its files are samples."""

    package: str
    fetch: Callable[[str, str], None]
    within: str
    suffixes: tuple[str, ...]
    count: int


SOURCES = {
    "tnefparse": Source("tnefparse==1.4.0", by_pip, "/tests/examples/", (".tnef",), 19),
    "msg-parser": Source("msg-parser==1.2.0", by_pip, "/tests/files/", (".msg",), 3),
    "mail-parser": Source("mail-parser==4.8.0", by_pip, "/tests/mails/", ("",), 23),
    "pst-extractor": Source("pst-extractor==1.12.0", by_npm, "/example/testdata/", (".pst", ".ost"), 3),
}


def samples(name: str) -> list[Path]:
    """The sample files of a package, fetched when they are not there yet. Absent."""
    source, kept = SOURCES[name], SAMPLES / name
    if not kept.is_dir():
        SAMPLES.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=SAMPLES) as folder:
                fresh = Path(folder) / "samples"
                fresh.mkdir()
                _unpack(source, folder, fresh)
                if not kept.is_dir():  # another process may have been faster
                    fresh.replace(kept)
        except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
            if not kept.is_dir():
                raise Absent(f"{source.package}: {error}") from error
    return sorted(kept.iterdir())


def _unpack(source: Source, folder: str, into: Path) -> None:
    source.fetch(source.package, folder)
    count = 0
    for path in Path(folder).glob("*.*gz"):
        for name, data in archive(path):
            if source.within in name and name.endswith(source.suffixes):
                (into / name.rpartition("/")[2]).write_bytes(data)
                count += 1
    if count != source.count:
        raise OSError(f"{count} samples instead of {source.count}")


@cache
def _tried(name: str) -> list[Path] | str:
    """The files, or why there are none: asked once in a process."""
    try:
        return samples(name)
    except Absent as error:
        return str(error)


def require_samples(name: str) -> list[Path]:
    """The sample files of a package; a loud skip when they cannot be had."""
    found = _tried(name)
    if isinstance(found, str):
        loud_skip(f"samples of {found}")
        return []
    return list(found)


def main() -> int:
    """Fetch all of them at the same time, and tell what cannot be had."""

    def fetched(name: str) -> str:
        try:
            return f"{name}: {len(samples(name))} files"
        except Absent as error:
            return f"ABSENT {error}"

    with ThreadPoolExecutor(len(SOURCES)) as pool:
        found = list(pool.map(fetched, SOURCES))
    print("\n".join(found))
    return any(line.startswith("ABSENT") for line in found)


if __name__ == "__main__":
    sys.exit(main())
