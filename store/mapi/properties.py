"""How everything reads the properties of messages: stored ones and those that are made when they are read.

[MS-OXCMSG] 2.2.1, [MS-OXCPRPT] 2.2.2. `message_bag` answers for one message, a `View` is what tables and restrictions
ask. Only what is asked for is made: tags None are all properties but forms of the body that the message does not have.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from gromoxd.exmdb.objects import BIG
from gromoxd.exmdb.pages import KEYWORD_SHIFT, SEEN
from gromoxd.mapi import codepages, recipients
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_NAMED
from gromoxd.mapi.proptags import INTERNAL, PROP_CREATOR, PidTagObjectType, PidTagRowid
from gromoxd.mapi.types import MULTIPLE, PropType
from store.mapi import computed, namedheaders
from store.mapi.bodyforms import FORMS, NATIVE_TAGS, Bodies
from store.mapi.loading import Data, Env
from store.mapi.reading import Reading
from store.mapi.rows import Row
from store.sql import row
from store.transaction import Transaction

_FOREIGN: Final = (
    "SELECT (SELECT source_key FROM source_keys WHERE id=?), (SELECT source_key FROM source_keys WHERE id=?)"
)
_READ_STATE: Final = "SELECT read FROM read_states WHERE member=? AND mid=?"
_STRING8, _STRING = int(PropType.PtypString8), int(PropType.PtypString)
_STREAMED: Final = frozenset((_STRING, int(PropType.PtypBinary), int(PropType.PtypObject)))
"""Types whose values may be big ones."""
_UNSPECIFIED: Final = int(PropType.PtypUnspecified)
OBJECT_RECIPIENT: Final = 6
Sizes = dict[int, int]


class View:
    """One message as somebody reads it."""

    __slots__ = ("_bodies", "_read", "creator", "data", "embedded", "env", "row", "stored")

    def __init__(self, env: Env, row: Row, data: Data, outer: View | None = None) -> None:
        self.env = env
        self.row = row
        """Of an embedded message: that of the message that it is in, but its own size."""
        self.data = data
        self.embedded = outer is not None
        self.stored: Bag = data.bag
        self.creator: Any = data.bag.get(PROP_CREATOR) if outer is None else outer.creator
        """Who made the message, or the one that it is in: what EditOwned and DeleteOwned go by."""
        self._bodies: Bodies | None = None
        self._read: bool | None = None

    # ------------------------------------------------------------------------------------------ for computed ones

    @property
    def bodies(self) -> Bodies:
        if self._bodies is None:
            self._bodies = Bodies(self.data)
        return self._bodies

    @property
    def foreign_keys(self) -> tuple[bytes | None, bytes | None]:
        """Source keys of the message and its folder, None where they were made here."""
        if self.data.keys is None:
            self.data.keys = row(self.env.db, _FOREIGN, (self.row.mid, self.row.fid))
        return self.data.keys or (None, None)

    @property
    def is_read(self) -> bool:
        """In a public store the reader's own mark ([MS-OXCSTOR] 1.3.2)."""
        if not self.env.identity.public or self.row.associated or self.embedded:
            return bool(self.row.flags & SEEN)
        if self._read is None:
            found = row(self.env.db, _READ_STATE, (self.env.access.actor, self.row.mid))
            self._read = bool(found and found[0])
        return self._read

    @property
    def words(self) -> list[str]:
        """The keywords."""
        number = self.row.flags >> KEYWORD_SHIFT
        sets = self.env.keywords
        return sets[number] if number < len(sets) and not self.embedded else []

    @property
    def is_forwarded(self) -> bool:
        return any(word.lower() == "$forwarded" for word in self.words)

    # ------------------------------------------------------------------------------------------ one property

    def get(self, tag: int) -> Any:
        """A property's value, however long, by its own tag; None when the message has no such property."""
        if self._stored_size(tag):
            octets = self.data.big_value(0, tag)
            return octets.decode("utf-16-le", "replace") if tag & 0xFFFF == _STRING else octets
        compute = computed.ALL.get(tag)
        if compute is not None and not (self.embedded and tag in computed.PLACE):
            return compute(self)
        if tag in INTERNAL:
            return None
        value = self.stored.get(tag)
        return self._field(tag) if value is None and tag >> 16 >= FIRST_NAMED else value

    def _field(self, tag: int) -> Any:
        """A field of the header of a delivered message that is asked for by its name."""
        db, guid = self.env.db, self.env.identity.guid
        if not self.data.referring or not namedheaders.is_header(db, guid, tag):
            return None
        return namedheaders.value(db, guid, self.data.header, tag)

    def _fields(self) -> Bag:
        """All of them that are not stored."""
        if not self.data.referring:
            return {}
        found = namedheaders.values(self.env.db, self.env.identity.guid, self.data.header)
        return {tag: value for tag, value in found if tag not in self.stored}

    def _stored_size(self, tag: int) -> int:
        """Octets of a property that is a big value, 0 for any other.

        A delivered message has what its header says in its bag: nobody looks whether it is among the big values.
        """
        if tag in self.stored or tag & 0xFFFF not in _STREAMED:
            return 0
        if tag in computed.ALL and tag not in computed.BODIES and self.data.referring:
            return 0
        return self.data.big().get(tag, 0)

    def recipients(self) -> list[Bag]:
        """The recipients with what is expected of each ([MS-OXCMSG] 2.2.3.1.2)."""
        bags = self.data.recipients
        for number, bag in enumerate(bags):
            bag[PidTagRowid] = number
            bag.setdefault(PidTagObjectType, OBJECT_RECIPIENT)
            recipients.complete(bag)
        return bags

    def attachments(self) -> list[Bag]:
        """The attachments' properties, without their contents."""
        return [{tag: value for tag, value in one.bag.items() if tag not in INTERNAL} for one in self.data.attached]

    # ------------------------------------------------------------------------------------------ many properties

    def bag(self, tags: list[int] | None, code_page: int = 0) -> tuple[Bag, Sizes]:
        """(properties, octets of those that are too long to be among them). See `message_bag`."""
        if tags is None:
            return self._whole()
        found: Bag = {}
        big: Sizes = {}
        for tag in tags:
            named = self.typed(tag)
            if named is None or named in INTERNAL:
                continue
            answered = tag if tag & 0xFFFF else named
            size = self._stored_size(named)
            if size:
                big[answered] = size
                continue
            value = self.get(named)
            if value is not None:
                _put(found, big, answered, value, code_page)
        return found, big

    def typed(self, tag: int) -> int | None:
        """The tag by which a property is kept: PtypString for PtypString8, its own type where none is said."""
        kind = tag & 0xFFFF
        if kind & ~MULTIPLE == _STRING8:
            return tag | 1
        if kind != _UNSPECIFIED:
            return tag
        known = computed.TAG_OF_ID.get(tag >> 16)
        if known is not None:
            return known
        return next((have for have in (*self.stored, *self.data.big()) if have >> 16 == tag >> 16), None)

    def _whole(self) -> tuple[Bag, Sizes]:
        stored_big = self.data.big()
        found = {tag: value for tag, value in self.stored.items() if tag not in INTERNAL} | self._fields()
        big = dict(stored_big)
        for tag, compute in computed.EMBEDDED if self.embedded else computed.EVERY:
            value = compute(self) if tag not in stored_big else None
            if value is None:
                found.pop(tag, None)
            elif value.__class__ is str and len(value) * 2 > BIG:
                found.pop(tag, None)
                _put(found, big, tag, value, 0)
            else:
                found[tag] = value
        native = NATIVE_TAGS.get(self.bodies.native)
        if native is not None and native not in stored_big:
            _put(found, big, native, self.bodies.get(native), 0)
        return found, big

    def tags(self) -> list[int]:
        """The tags of all properties there are, for RopGetPropertiesList ([MS-OXCPRPT] 2.2.6)."""
        found = {tag for tag in self.stored if tag not in INTERNAL} | self.data.big().keys() | self._fields().keys()
        for tag, compute in computed.EMBEDDED if self.embedded else computed.EVERY:
            if compute(self) is not None:
                found.add(tag)
            else:
                found.discard(tag)
        if any(self.bodies.stored(tag) for tag in FORMS):
            found.update(FORMS)
        return sorted(found)


def _put(found: Bag, big: Sizes, tag: int, value: Any, code_page: int) -> None:
    """Put a value under the tag that was asked for, or its size."""
    kind = tag & 0xFFFF
    if isinstance(value, str):
        if len(value) * 2 > BIG:
            big[tag] = len(value.encode("utf-16-le", "surrogatepass"))
            return
        if kind == _STRING8:
            value = codepages.encode(value, code_page)
    elif kind == _STRING8 | MULTIPLE and isinstance(value, list):
        value = [codepages.encode(item, code_page) if isinstance(item, str) else item for item in value]
    if isinstance(value, bytes) and len(value) > BIG:
        big[tag] = len(value)
    elif value is not None:
        found[tag] = value


# ---------------------------------------------------------------------------------------------- for everybody


def needs_content(tags: Iterable[int] | None) -> bool:
    """Whether these properties are partly in the RFC 5322 form."""
    return tags is None or any(tag >> 16 in _CONTENT_IDS for tag in tags)


_CONTENT_IDS: Final = frozenset(tag >> 16 for tag in computed.CONTENT_TAGS)


def view(by: Reading | Transaction | Env, found: Row, tags: list[int] | None = None) -> View:
    """A message to be asked for these properties. ecNotFound when it went meanwhile."""
    env = by if isinstance(by, Env) else Env.of(by)
    if needs_content(tags):
        return View(env, found, Data.full(env, found.did, found.mid, found.fid))
    return View(env, found, Data.slim(env, found.did))


def message_bag(
    by: Reading | Transaction | Env, found: Row, tags: list[int] | None, code_page: int = 0
) -> tuple[Bag, Sizes]:
    """(properties of a message, octets of those that are longer than objects.BIG). Access is not checked here.

    A property asked for as PtypString8 comes as octets of the code page under that tag, one asked for without a type
    under its own ([MS-OXCPRPT] 2.2.2.1); those that the message does not have are not there.
    """
    return view(by, found, tags).bag(tags, code_page)


def property_list(by: Reading | Transaction | Env, found: Row) -> list[int]:
    """The tags of all properties of a message."""
    return view(by, found).tags()
