"""gromoxctl dump: what is in the octets of a structure of the MAPI protocols."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable
from typing import BinaryIO

import click

from gromoxd.cli.kinds import KINDS, decoder
from gromoxd.cli.tree import tree
from gromoxd.errors import WireError

LARGEST = 256 << 20
_BETWEEN = re.compile(rb"0x|[\s:,]")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)")


def from_hex(data: bytes) -> bytes:
    """Octets of hex digits; blanks, line ends, commas, colons and 0x between them do not matter."""
    digits = _BETWEEN.sub(b"", data)
    if digits and not _HEX.fullmatch(digits):
        raise click.ClickException("the input is not hex")
    return bytes.fromhex(digits.decode("ascii"))


def from_base64(data: bytes) -> bytes:
    """Octets of base64, line ends in it or not."""
    text = b"".join(data.split())
    if text and not _BASE64.fullmatch(text):
        raise click.ClickException("the input is not base64")
    return base64.b64decode(text)


def guessed(data: bytes) -> bytes:
    """Octets of hex or base64 if the input is that and nothing else, else the input."""
    if _HEX.fullmatch(_BETWEEN.sub(b"", data)):
        return from_hex(data)
    if _BASE64.fullmatch(b"".join(data.split())):
        return from_base64(data)
    return data


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "hex": from_hex,
    "base64": from_base64,
    "binary": lambda data: data,
    "guess": guessed,
}


def _list(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        for kind, (_where, line) in sorted(KINDS.items()):
            click.echo(f"{kind}\t{line}")
        context.exit()


@click.command(epilog="gromoxctl dump --list shows the kinds.")
@click.argument("kind", metavar="KIND")
@click.argument("file", metavar="[FILE]", type=click.File("rb"), default="-")
@click.option("--hex", "form", flag_value="hex", help="The input is hex.")
@click.option("--base64", "form", flag_value="base64", help="The input is base64.")
@click.option("--binary", "form", flag_value="binary", help="The input is the octets themselves.")
@click.option("--list", is_flag=True, is_eager=True, expose_value=False, callback=_list, help="List the kinds.")
def dump(kind: str, file: BinaryIO, form: str | None) -> None:
    """Show the structure in FILE, or in the standard input, as a tree.

    Hex and base64 are recognised.
    """
    if kind not in KINDS:
        raise click.ClickException(f"there is no kind {kind} (gromoxctl dump --list shows them)")
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise click.ClickException(f"more than {LARGEST} octets")
    octets = FORMS[form or "guess"](data)
    try:
        value = decoder(kind)(octets)
    except WireError as error:
        raise click.ClickException(f"no {kind} at offset {error.offset} of {len(octets)}: {error}") from None
    write(value)


def write(value: object) -> None:
    """Print a value; octets, such as RTF, are printed as they are."""
    if isinstance(value, bytes):
        text = value.decode("latin-1")
        click.echo("".join(each if each.isprintable() or each in "\r\n\t" else f"\\x{ord(each):02x}" for each in text))
        return
    for line in tree(value):
        sys.stdout.write(line + "\n")
