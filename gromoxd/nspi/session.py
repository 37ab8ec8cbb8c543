"""The operations of [MS-OXNSPI] 3.1.4.1 on plain values: one `Session` is what one user may see of one snapshot.

A session costs nothing to make, so that each request takes the newest snapshot: Minimal Entry IDs stay the same. Every
operation raises MapiError with the return value of the method. `Backend` is what needs the users' mailboxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeGuard
from uuid import UUID, uuid5

from gromoxd.addressbook.entry import Hidden, Kind
from gromoxd.addressbook.properties import LINK_FAMILIES, linked
from gromoxd.addressbook.reader import Book, Item
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.codepages import decode
from gromoxd.mapi.compare import fold
from gromoxd.mapi.entryids import MUID_EMSAB, AddressBookEntryId, EphemeralEntryId
from gromoxd.mapi.restrictions import Restriction
from gromoxd.mapi.rows import Cell
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import PropError, TaggedPropertyValue, TypedPropertyValue
from gromoxd.nspi import special, templates
from gromoxd.nspi.cells import (
    RowMaker,
    all_columns,
    as_string8,
    default_columns,
    in_code_page,
    octets_of,
    property_list,
)
from gromoxd.nspi.matching import Matcher
from gromoxd.nspi.stat import (
    CP_WINUNICODE,
    F_DELETE,
    MID_AMBIGUOUS,
    MID_BEGINNING_OF_TABLE,
    MID_RESOLVED,
    MID_UNRESOLVED,
    UNICODE_PROPTYPES,
    Flags,
    SortType,
    Stat,
    TableFlags,
    TemplateFlags,
    good_code_page,
)
from gromoxd.nspi.tables import checked, container_of, moved, placed
from gromoxd.nspi.values import PropertyValueList, Rows, error_value

MOST_ROWS: Final = 2000
"""Rows of a list in one answer."""
MOST_EXPLICIT: Final = 50_000
MOST_NAMES: Final = 1000
MOST_COLUMNS: Final = 500
MOST_CELLS: Final = 100_000
MOST_OCTETS: Final = 2 << 20
"""About so many are in one answer, which may have fewer rows than were asked for ([MS-OXNSPI] 3.1.4.1.8)."""
SEEK_ROWS: Final = 50
DELEGATES_ID: Final = tags.PidTagAddressBookPublicDelegates >> 16
MOST_DELEGATES: Final = 500
_GUIDS: Final = UUID("6d1c7ad0-6f0b-4d53-9e52-5bb0a8f7f2a4")


class Backend(Protocol):
    """What is in users' mailboxes. MapiError."""

    def photo(self, item: Item) -> bytes | None:
        """The user's picture (PidTagThumbnailPhoto)."""
        ...

    def delegates(self, item: Item) -> list[str]:
        """The addresses of those who may send on behalf of the user; for himself only."""
        ...

    def set_delegates(self, item: Item, names: list[str]) -> None:
        """Replace them."""
        ...


class Matches(NamedTuple):
    """What NspiGetMatches gives: STAT, Minimal Entry IDs, rows when columns were asked for."""

    stat: Stat
    mids: tuple[int, ...]
    rows: Rows | None


def server_guid(organisation: str) -> bytes:
    """The GUID that NspiBind tells and ephemeral entry ids have: the same on all nodes, as their numbers are."""
    return uuid5(_GUIDS, organisation).bytes_le


def _columns(columns: Sequence[int] | None, *, unicode: bool) -> tuple[int, ...]:
    if columns is None:
        return default_columns(unicode=unicode)
    if len(columns) > MOST_COLUMNS:
        raise MapiError(Ec.ecTableTooBig, f"{len(columns)} columns")
    return tuple(columns)


def _filled(maker: RowMaker, items: Iterable[Item | None]) -> list[list[Cell]]:
    """Rows of objects until there are many octets; one at least, if there is any."""
    rows: list[list[Cell]] = []
    left = MOST_OCTETS
    for item in items:
        row = maker.row(item)
        left -= octets_of(row)
        if left < 0 and rows:
            break
        rows.append(row)
    return rows


@dataclass
class Session:
    """`me`: the user's own object, None when he is too new to be in the snapshot."""

    book: Book
    me: Item | None
    backend: Backend

    @property
    def guid(self) -> bytes:
        """See `server_guid`."""
        return server_guid(self.book.organisation)

    # ------------------------------------------------------------------------------------------ binding

    def bind(self, stat: Stat) -> bytes:
        """NspiBind, [MS-OXNSPI] 3.1.4.1.1: the server's GUID."""
        if not good_code_page(stat.code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
        return self.guid

    # ------------------------------------------------------------------------------------------ tables

    def update_stat(self, stat: Stat) -> tuple[Stat, int]:
        """NspiUpdateStat, [MS-OXNSPI] 3.1.4.1.4: (the new STAT, the rows moved)."""
        listed = checked(self.book, stat)
        row, delta = moved(listed, stat)
        return placed(listed, stat, row), delta

    def query_rows(
        self, flags: int, stat: Stat, explicit: Sequence[int], count: int, columns: Sequence[int] | None
    ) -> tuple[Stat, Rows]:
        """NspiQueryRows, [MS-OXNSPI] 3.1.4.1.8: rows from the position on, or those of an Explicit Table."""
        wanted = _columns(columns, unicode=False)
        maker = RowMaker(wanted, stat.code_page, self.guid if flags & Flags.EPHEMERAL_ID else None)
        if explicit:
            if not good_code_page(stat.code_page):
                raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
            return stat, self._explicit_rows(maker, explicit[: min(max(count, 1), MOST_EXPLICIT)])
        if not count:
            raise MapiError(Ec.ecInvalidParam, "no rows asked for")
        listed = checked(self.book, stat)
        start, _ = moved(listed, stat)
        rows = _filled(maker, listed.items(start, min(start + min(count, MOST_ROWS), len(listed))))
        return placed(listed, stat, start + len(rows)), Rows(wanted, rows)

    def _explicit_rows(self, maker: RowMaker, mids: Sequence[int]) -> Rows:
        return Rows(maker.columns, _filled(maker, map(self.book.of_mid, mids)))

    def seek_entries(
        self, stat: Stat, target: TaggedPropertyValue, explicit: Sequence[int] | None, columns: Sequence[int] | None
    ) -> tuple[Stat, Rows | None]:
        """NspiSeekEntries, [MS-OXNSPI] 3.1.4.1.9: the first row whose name is not less than the target."""
        listed = checked(self.book, stat)
        name = self._target(stat, target)
        if explicit:
            row = self._sought(explicit, name)
            found = stat._replace(current_rec=explicit[row], num_pos=row, total_recs=len(explicit), delta=0)
            return found, self._rows_of(found, explicit[row:], columns)
        row = listed.seek(name)
        if row >= len(listed):
            raise MapiError(Ec.ecNotFound, "nothing so late in the table")
        found = placed(listed, stat, row)
        if columns is None:
            return found, None
        maker = RowMaker(_columns(columns, unicode=False), stat.code_page, self.guid)
        return found, Rows(maker.columns, _filled(maker, listed.items(row, row + SEEK_ROWS)))

    def _rows_of(self, stat: Stat, mids: Sequence[int], columns: Sequence[int] | None) -> Rows | None:
        if columns is None:
            return None
        maker = RowMaker(_columns(columns, unicode=False), stat.code_page, self.guid)
        return self._explicit_rows(maker, mids)

    def _sought(self, mids: Sequence[int], name: str) -> int:
        """Where in an Explicit Table the first object is whose name is not less. ecNotFound."""
        if len(mids) > MOST_EXPLICIT:
            raise MapiError(Ec.ecTableTooBig, f"{len(mids)} rows")
        key = fold(name).encode("utf-8", "replace")
        for row, mid in enumerate(mids):
            item = self.book.of_mid(mid)
            if item is not None and self.book.snapshot.key(item.index) >= key:
                return row
        raise MapiError(Ec.ecNotFound, "nothing so late in the table")

    def _target(self, stat: Stat, target: TaggedPropertyValue) -> str:
        if stat.sort_type != SortType.DISPLAY_NAME:
            raise MapiError(Ec.ecError, "not sorted by phonetic names")
        tag, value = tags.PidTagDisplayName, target.value
        if target.tag == as_string8(tag) and isinstance(value, bytes):
            return decode(value, stat.code_page)
        if target.tag != tag or not isinstance(value, str):
            raise MapiError(Ec.ecError, f"seeking {target.tag:#010x}")
        return value

    def _ordered(self, mids: Sequence[int]) -> list[int]:
        """The entries of an Explicit Table in the order of their names, without what is not there."""
        if len(mids) > MOST_EXPLICIT:
            raise MapiError(Ec.ecTableTooBig, f"{len(mids)} rows")
        found = {item.index for mid in mids if (item := self.book.of_mid(mid)) is not None}
        return sorted(found)

    def resort(self, stat: Stat, mids: Sequence[int]) -> tuple[Stat, tuple[int, ...]]:
        """NspiResortRestriction, [MS-OXNSPI] 3.1.4.1.11."""
        if not good_code_page(stat.code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
        if stat.sort_type != SortType.DISPLAY_NAME:
            raise MapiError(Ec.ecError, f"sort type {stat.sort_type:#x}")
        ordered = [self.book.item(index).mid for index in self._ordered(mids)]
        here = ordered.index(stat.current_rec) if stat.current_rec in ordered else None
        found = stat._replace(
            total_recs=len(ordered), num_pos=here or 0, delta=0,
            current_rec=stat.current_rec if here is not None else MID_BEGINNING_OF_TABLE,
        )  # fmt: skip
        return found, tuple(ordered)

    def compare_mids(self, stat: Stat, first: int, second: int) -> int:
        """NspiCompareMIds, [MS-OXNSPI] 3.1.4.1.12: negative, 0 or positive."""
        listed = checked(self.book, stat)
        places = []
        for mid in (first, second):
            at = 0 if mid == MID_BEGINNING_OF_TABLE else len(listed) if mid == 2 else None
            item = self.book.of_mid(mid) if at is None else None
            places.append(listed.position(item.index) if item is not None else at)
        one, other = places
        if one is None or other is None:
            raise MapiError(Ec.ecError, "a row that is not in the table")
        return (one > other) - (one < other)

    # ------------------------------------------------------------------------------------------ matches and names

    def wants_mailbox(self, stat: Stat, restriction: Restriction | None, name: int | None) -> bool:
        """Does `get_matches` ask the backend for this? Such requests stay on the loop."""
        return restriction is None and self._link(stat, name) == DELEGATES_ID

    @staticmethod
    def _link(stat: Stat, name: int | None) -> int:
        """The id of the property whose objects are asked for: named, or as a tag in ContainerID."""
        if name is None:
            return stat.container_id >> 16
        return name >> 16 if name > 0xFFFF else name

    def get_matches(
        self, stat: Stat, restriction: Restriction | None, name: int | None, count: int,
        columns: Sequence[int] | None,
    ) -> Matches:  # fmt: skip
        """NspiGetMatches, [MS-OXNSPI] 3.1.4.1.10: what matches in a list, or, without restriction, the objects that
        a property of one object names.

        `name`: property id (or tag) of such a property; without one it is in ContainerID.
        """
        if not good_code_page(stat.code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
        limit = min(count, MOST_EXPLICIT)
        if restriction is None:
            indexes = self._linked(stat, self._link(stat, name))
            if len(indexes) > limit:
                raise MapiError(Ec.ecTableTooBig, f"{len(indexes)} rows")
        else:
            listed = checked(self.book, stat)
            indexes = Matcher(self.book, listed, restriction, stat.code_page).run(limit)
        found = stat._replace(container_id=stat.current_rec, delta=0)
        mids = tuple([self.book.item(index).mid for index in indexes])
        return Matches(found, mids, self._rows_of(stat, mids, columns))

    def _linked(self, stat: Stat, link: int) -> list[int]:
        item = self.book.of_mid(stat.current_rec)
        if item is None:
            raise MapiError(Ec.ecError, f"object {stat.current_rec:#x}")
        mine = link == DELEGATES_ID and self.me is not None and item.index == self.me.index
        if stat.sort_type == SortType.DISPLAY_NAME_W and not mine:
            raise MapiError(Ec.ecNotSupported, f"changing property {link:#06x}")
        if link == DELEGATES_ID:
            names = self.backend.delegates(item)[:MOST_DELEGATES]
            return sorted({one.index for name in names if (one := self.book.of_address(name)) is not None})
        family = LINK_FAMILIES.get(link)
        if family is None:
            raise MapiError(Ec.ecNotSupported, f"objects of property {link:#06x}")
        return sorted(linked(item, family))

    def resolve_names(
        self, stat: Stat, names: Sequence[str], columns: Sequence[int] | None, *, unicode: bool = True
    ) -> tuple[tuple[int, ...], Rows]:
        """NspiResolveNames and NspiResolveNamesW, [MS-OXNSPI] 3.1.4.1.16, 3.1.4.1.17.

        What each name is (not found, ambiguous, found), and the rows of those found.
        """
        if not good_code_page(stat.code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
        if len(names) > MOST_NAMES:
            raise MapiError(Ec.ecTooComplex, f"{len(names)} names")
        listed = container_of(self.book, stat.container_id)
        maker = RowMaker(_columns(columns, unicode=unicode), stat.code_page, self.guid)
        if len(names) * len(maker.columns) > MOST_CELLS:
            raise MapiError(Ec.ecTableTooBig, f"{len(names)} names, {len(maker.columns)} columns")
        found, rows = [], []
        for name in names:
            indexes = self.book.resolve(name, listed)
            found.append(MID_UNRESOLVED if not indexes else MID_RESOLVED if len(indexes) == 1 else MID_AMBIGUOUS)
            if len(indexes) == 1:
                rows.append(maker.row(self.book.item(indexes[0])))
        return tuple(found), Rows(maker.columns, rows)

    def dn_to_mid(self, names: Sequence[str]) -> tuple[int, ...]:
        """NspiDNToMId, [MS-OXNSPI] 3.1.4.1.13: 0 for a DN that is nobody's."""
        if len(names) > MOST_EXPLICIT:
            raise MapiError(Ec.ecTooComplex, f"{len(names)} names")
        lists = {special.list_dn(self.book, mid).lower(): mid for mid in self.book.containers}
        found = []
        for name in names:
            item = self.book.of_dn(name)
            found.append(item.mid if item is not None else lists.get(name.lower(), 0))
        return tuple(found)

    # ------------------------------------------------------------------------------------------ properties

    def get_prop_list(self, flags: int, mid: int, code_page: int) -> list[int]:
        """NspiGetPropList, [MS-OXNSPI] 3.1.4.1.6: strings are always 8-bit ones."""
        if code_page != CP_WINUNICODE and not good_code_page(code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {code_page}")
        item = self.book.of_mid(mid)
        if item is None:
            raise MapiError(Ec.ecInvalidObject, f"object {mid:#x}")
        return property_list(item, unicode=False, objects=not flags & Flags.SKIP_OBJECTS)

    def get_props(self, flags: int, stat: Stat, columns: Sequence[int] | None) -> tuple[Ec, PropertyValueList]:
        """NspiGetProps, [MS-OXNSPI] 3.1.4.1.7: (ecNone, or ecErrorsReturned when something is not there; values)."""
        unicode = stat.code_page == CP_WINUNICODE
        if columns is not None and unicode and any(tag & 0xEFFF == PropType.PtypString8 for tag in columns):
            raise MapiError(Ec.ecUnknownCodePage, "8-bit strings in Unicode")
        if not unicode and not good_code_page(stat.code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
        container_of(self.book, stat.container_id)
        item = self.book.of_mid(stat.current_rec)
        if item is None and columns is None:
            raise MapiError(Ec.ecInvalidObject, f"object {stat.current_rec:#x}")
        if columns is None and item is not None:
            columns = property_list(item, unicode=unicode, objects=not flags & Flags.SKIP_OBJECTS)
        wanted = _columns(columns, unicode=unicode)
        maker = RowMaker(wanted, stat.code_page, self.guid if flags & Flags.EPHEMERAL_ID else None)
        values = []
        for tag, cell in zip(wanted, maker.row(item), strict=True):
            if tag == tags.PidTagThumbnailPhoto and isinstance(cell, PropError) and _may_have_photo(item):
                cell = self.backend.photo(item)
            values.append(_listed(tag, cell))
        failed = any(value.tag & 0xFFFF == PropType.PtypErrorCode for value in values)
        return Ec.ecErrorsReturned if failed else Ec.ecNone, PropertyValueList(tuple(values))

    def query_columns(self, flags: int) -> list[int]:
        """NspiQueryColumns, [MS-OXNSPI] 3.1.4.1.5."""
        return all_columns(unicode=bool(flags & UNICODE_PROPTYPES))

    def mod_props(self, stat: Stat, removed: Sequence[int] | None, values: Sequence[TaggedPropertyValue]) -> None:
        """NspiModProps, [MS-OXNSPI] 3.1.4.1.14: refused, as the directory is administrated elsewhere."""
        if removed is None or self.book.of_mid(stat.current_rec) is None:
            raise MapiError(Ec.ecInvalidParam, f"object {stat.current_rec:#x}")
        raise MapiError(Ec.ecAccessDenied, f"{len(values)} values, {len(removed)} to remove")

    # ------------------------------------------------------------------------------------------ special tables

    def get_special_table(self, flags: int, stat: Stat, known: int) -> tuple[int, list[PropertyValueList]]:
        """NspiGetSpecialTable, [MS-OXNSPI] 3.1.4.1.3: (version, rows; none when the client has this version)."""
        create = bool(flags & TableFlags.CREATION_TEMPLATES)
        unicode = bool(flags & TableFlags.UNICODE_STRINGS) and (not create or stat.code_page == CP_WINUNICODE)
        if not unicode and not good_code_page(stat.code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
        version = known if create else special.version(self.book)
        if create:
            bags = special.creation_templates(self.book, stat.template_locale)
        else:
            bags = special.hierarchy(self.book, stat.template_locale) if known != version else []
        return version, [_of_bag(bag, unicode, stat.code_page) for bag in bags]

    def get_template_info(
        self, flags: int, display_type: int, dn: str | None, code_page: int, locale: int
    ) -> PropertyValueList:
        """NspiGetTemplateInfo, [MS-OXNSPI] 3.1.4.1.18. ecUnknownLcid when there is no such template."""
        if not good_code_page(code_page):
            raise MapiError(Ec.ecUnknownCodePage, f"code page {code_page}")
        if dn is None:
            data = templates.template(display_type, locale, code_page)
        else:
            locale_of_dn = special.one_off_locale(self.book.organisation, dn)
            data = templates.one_off_template(locale_of_dn, code_page) if locale_of_dn is not None else None
        if data is None:
            raise MapiError(Ec.ecUnknownLcid, f"template of type {display_type:#x}")
        values = []
        if flags & TemplateFlags.TEMPLATE:
            values.append(TaggedPropertyValue(tags.PidTagTemplateData, data))
        if flags & TemplateFlags.SCRIPT:
            values.append(error_value(tags.PidTagScriptData))
        return PropertyValueList(tuple(values))

    # ------------------------------------------------------------------------------------------ links

    def mod_link_att(self, flags: int, tag: int, mid: int, entryids: Sequence[bytes]) -> None:
        """NspiModLinkAtt, [MS-OXNSPI] 3.1.4.1.15: a user's own delegates; members of lists are administrated."""
        if tag >> 16 != DELEGATES_ID and tag >> 16 not in LINK_FAMILIES:
            raise MapiError(Ec.ecNotFound, f"property {tag:#010x}")
        item = self.book.of_mid(mid)
        if item is None:
            raise MapiError(Ec.ecInvalidParam, f"object {mid:#x}")
        if tag >> 16 != DELEGATES_ID or self.me is None or item.index != self.me.index:
            raise MapiError(Ec.ecAccessDenied, "nothing but one's own delegates")
        if len(entryids) > MOST_DELEGATES:
            raise MapiError(Ec.ecTooComplex, f"{len(entryids)} delegates")
        chosen = [self._by_entryid(entryid) for entryid in entryids]
        names = [one.entry.username for one in chosen if one is not None]
        before = [name.lower() for name in self.backend.delegates(item)]
        if flags & F_DELETE:
            after = [name for name in before if name not in names]
        else:
            hidden = [one for one in chosen if one is not None and one.entry.hidden & Hidden.DELEGATES]
            if len(names) != len(entryids) or hidden:
                raise MapiError(Ec.ecAccessDenied, "nobody to be a delegate")
            after = [*before, *[name for name in dict.fromkeys(names) if name not in before]]
        if len(after) > MOST_DELEGATES:
            raise MapiError(Ec.ecTooComplex, f"{len(after)} delegates")
        if after != before:
            self.backend.set_delegates(item, after)

    def _by_entryid(self, entryid: bytes) -> Item | None:
        """The object of an ephemeral or permanent entry id."""
        try:
            if entryid[4:20] == MUID_EMSAB:
                return self.book.of_dn(AddressBookEntryId.decode(entryid).dn)
            found = EphemeralEntryId.decode(entryid)
        except WireError:
            return None
        return self.book.of_mid(found.mid) if found.provider == self.guid else None


def _may_have_photo(item: Item | None) -> TypeGuard[Item]:
    """Lists have none: what is asked about them may be asked on a thread, where no mailbox answers."""
    return item is not None and item.entry.kind != Kind.LIST


def _listed(tag: int, cell: object) -> TaggedPropertyValue:
    """A cell in a list of values, where errors have a type of their own."""
    if cell is None:
        return error_value(tag)
    if isinstance(cell, PropError):
        return error_value(tag, cell.code)
    if isinstance(cell, TypedPropertyValue):
        return TaggedPropertyValue(tag & 0xFFFF0000 | cell.type, cell.value)
    return TaggedPropertyValue(tag, cell)  # type: ignore[arg-type]


def _of_bag(bag: special.Bag, unicode: bool, code_page: int) -> PropertyValueList:
    if unicode:
        return PropertyValueList(tuple([TaggedPropertyValue(tag, value) for tag, value in bag.items()]))
    values = [TaggedPropertyValue(as_string8(tag), in_code_page(value, code_page)) for tag, value in bag.items()]
    return PropertyValueList(tuple(values))
