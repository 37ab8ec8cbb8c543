"""TNEF, the format of winmail.dat ([MS-OXTNEF]): a message with its properties, recipients and attachments."""

from __future__ import annotations

from gromoxd.convert.tnef.reader import from_tnef
from gromoxd.convert.tnef.writer import to_tnef

__all__ = ["from_tnef", "to_tnef"]
