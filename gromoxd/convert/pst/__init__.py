"""Reading Outlook's personal folder files, .pst and .ost ([MS-PST]).

    with PstFile(path) as pst:
        for folder in pst.folders():
            for message in folder.messages():
                item = message.item()

Layers as in the document: `layout` and `ndb` (node database), `heap`, `values`, `tables` (lists, tables, properties),
`names`, `messages`, `folders`, `file` (messaging). Only `file` opens anything.
"""

from __future__ import annotations

from gromoxd.convert.pst.file import LARGEST_ITEM, PstFile
from gromoxd.convert.pst.folders import PstFolder, PstMessage

__all__ = ["LARGEST_ITEM", "PstFile", "PstFolder", "PstMessage"]
