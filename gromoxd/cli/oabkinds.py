"""Files of offline address books for `gromoxctl dump` ([MS-OXOAB] 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gromoxd.cli.kinds import Entries
from gromoxd.errors import WireError
from gromoxd.oab import container, details, older, template
from gromoxd.oab.schema import Prop, Use

_VERSIONS = (details.VERSION, older.VERSION_2, older.VERSION_3, template.VERSION)


def oab(data: bytes) -> object:
    """An uncompressed file: full details of version 4, display templates, or Browse of version 2 or 3."""
    version = int.from_bytes(data[:4], "little")
    if version == details.VERSION:
        return _details(data)
    return template.decode_templates(data) if version == template.VERSION else older.read_browse(data)


def _details(data: bytes) -> Entries:
    from gromoxd.cli import tree

    found = details.read_details(data)
    return Entries(
        [
            ("ulSerial", tree.Shown(f"{found.serial:#010x}")),
            ("header properties", Entries([_prop(prop) for prop in found.header_schema])),
            ("properties", Entries([_prop(prop) for prop in found.schema])),
            ("header", _values(found.header)),
            ("records", [_values(record) for record in found.records]),
        ]
    )


def _prop(prop: Prop) -> tuple[str, object]:
    from gromoxd.cli import tree

    return tree.tag_text(prop.tag), tree.Shown(str(Use(prop.flags).name or prop.flags))


def _values(values: Mapping[int, Any]) -> Entries:
    from gromoxd.cli import tree

    return Entries([(tree.tag_text(tag), tree.property_value(tag, value)) for tag, value in values.items()])


def oab_lzx(data: bytes) -> Entries:
    """A compressed file: its blocks and what is in them."""
    packed = container.read_lzx(data)
    blocks = [_block(block.data, block.size, block.crc, flags=block.flags) for block in packed.blocks]
    inside = b"".join(map(container.expand_block, packed.blocks))
    head: list[tuple[str, object]] = [("block_max", packed.block_max), ("target_size", packed.target_size)]
    return Entries([*head, ("blocks", blocks), ("contents", _contents(inside))])


def oab_diff(data: bytes) -> Entries:
    """A differential file: its head and blocks. What they make can be told with the file before only."""
    from gromoxd.cli import tree

    packed = container.read_patch(data)
    blocks = [_block(one.data, one.target_size, one.crc, source_size=one.source_size) for one in packed.blocks]
    head: list[tuple[str, object]] = [(name, getattr(packed, name)) for name in packed._fields[:3]]
    sums: list[tuple[str, object]] = [
        (name, tree.Shown(f"{getattr(packed, name):#010x}")) for name in ("source_crc", "target_crc")
    ]
    return Entries([*head, *sums, ("blocks", blocks)])


def oab_mdi(data: bytes) -> object:
    """A compressed file of version 2 or 3: what is in it."""
    return _contents(older.expand_mdi(data))


def oab_anr(data: bytes) -> Entries:
    """An ANR Index file of version 2, or its beginning."""
    serial, records = older.read_anr(data)
    return Entries([("ulSerial", serial), ("records", records)])


def _block(data: bytes, size: int, check: int, **more: int) -> Entries:
    from gromoxd.cli import tree

    told: list[tuple[str, object]] = [("size", len(data)), ("target_size", size), *more.items()]
    return Entries([*told, ("crc", tree.Shown(f"{check:#010x}"))])


def _contents(data: bytes) -> object:
    """The file in a container, or its octets if it is none that is known."""
    if int.from_bytes(data[:4], "little") not in _VERSIONS:
        return data
    try:
        return oab(data)
    except WireError:
        return data
