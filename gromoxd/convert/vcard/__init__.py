"""vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350) to Contact and list objects and back, [MS-OXVCARD]. Pure, bounded."""

from __future__ import annotations

from gromoxd.convert.vcard.reading import items_of
from gromoxd.convert.vcard.writing import to_vcard, uid_of

__all__ = ["items_of", "to_vcard", "uid_of"]
