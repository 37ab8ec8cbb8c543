"""The .msg file ([MS-OXMSG]): a message with its properties, recipients and attachments in a compound file."""

from __future__ import annotations

from gromoxd.convert.msg.reader import from_msg
from gromoxd.convert.msg.writer import to_msg

__all__ = ["from_msg", "to_msg"]
