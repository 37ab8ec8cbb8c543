"""NSPI over RPC ([MS-OXNSPI] 3.1.4.1). What the operations do is `gromoxd.nspi.session`'s.

What fails is told by the return value, with nothing else in the answer. Work that may take long runs on a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi.codepages import decode
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import PropError, TaggedPropertyValue, TypedPropertyValue
from gromoxd.nspi.session import Session
from gromoxd.nspi.values import PropertyValueList, Rows
from gromoxd.rpc import nspi
from gromoxd.rpc.nspi import NSPI
from gromoxd.rpc.stub import NO_HANDLE, Stub
from workers.http.nspi.binding import LIGHT_MIDS, apart, is_heavy_query, is_heavy_seek, is_list, session
from workers.http.rpch.handles import TooMany
from workers.http.rpch.operations import Answer, Caller, operation

log = logging.getLogger(__name__)
UNBOUND: Final = 1
"""UnbindSuccess ([MS-OXNSPI] 2.2.1.2)."""


class Bound:
    """Behind an address book's handle: that it is there. The user is the handle's."""

    def close(self) -> None:
        """Nothing is held."""


def _book(caller: Caller, handle: bytes) -> Session:
    caller.handles.find(caller.user.id, handle, Bound)
    return session(caller.site, caller.user)


def _run(caller: Caller, heavy: bool, work: Callable[[], Stub]) -> Answer:
    """An answer; of heavy work its octets, which take as long to make."""
    return apart(caller.site, True, lambda: work().encode()) if heavy else work()


def _failed(error: MapiError) -> int:
    log.debug("address book call failed", extra={"error": str(error)})
    return error.code


def _rows(rows: Rows | None) -> list[nspi.Row] | None:
    """Rows with the tags of their cells; of what is not there the error."""
    if rows is None:
        return None
    return [[_cell(tag, cell) for tag, cell in zip(rows.columns, row, strict=True)] for row in rows.rows]


def _cell(tag: int, cell: object) -> TaggedPropertyValue:
    if cell is None or isinstance(cell, PropError):
        code = Ec.ecNotFound if cell is None else cell.code
        return TaggedPropertyValue(tag & 0xFFFF0000 | PropType.PtypErrorCode, int(code))
    if isinstance(cell, TypedPropertyValue):
        return TaggedPropertyValue(tag & 0xFFFF0000 | cell.type, cell.value)
    return TaggedPropertyValue(tag, cell)  # type: ignore[arg-type]


def _bags(bags: list[PropertyValueList]) -> list[nspi.Row]:
    return [list(bag.values) for bag in bags]


@operation(NSPI, nspi.Bind)
def bind(caller: Caller, call: nspi.Bind) -> nspi.BindAnswer:
    """[MS-OXNSPI] 3.1.4.1.1."""
    try:
        guid = session(caller.site, caller.user).bind(call.stat)
        handle = caller.handles.open(caller.group, Bound())
    except MapiError as error:
        return nspi.BindAnswer(None, NO_HANDLE, _failed(error))
    except TooMany:
        return nspi.BindAnswer(None, NO_HANDLE, Ec.ecMaxObjsExceeded)
    return nspi.BindAnswer(None if call.server_guid is None else guid, handle, 0)


@operation(NSPI, nspi.Unbind)
def unbind(caller: Caller, call: nspi.Unbind) -> nspi.UnbindAnswer:
    """[MS-OXNSPI] 3.1.4.1.2."""
    caller.handles.find(caller.user.id, call.handle, Bound)
    return nspi.UnbindAnswer(caller.handles.close(caller.user.id, call.handle), UNBOUND)


@operation(NSPI, nspi.UpdateStat)
def update_stat(caller: Caller, call: nspi.UpdateStat) -> nspi.UpdateStatAnswer:
    """[MS-OXNSPI] 3.1.4.1.4."""
    book = _book(caller, call.handle)
    try:
        stat, delta = book.update_stat(call.stat)
    except MapiError as error:
        return nspi.UpdateStatAnswer(call.stat, call.delta, _failed(error))
    return nspi.UpdateStatAnswer(stat, None if call.delta is None else delta, 0)


@operation(NSPI, nspi.QueryRows)
def query_rows(caller: Caller, call: nspi.QueryRows) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.8."""
    book, table = _book(caller, call.handle), call.table or []
    if len(table) != call.table_count:
        return nspi.QueryRowsAnswer(call.stat, None, Ec.ecInvalidParam)

    def work() -> nspi.QueryRowsAnswer:
        stat, rows = book.query_rows(call.flags, call.stat, table, call.count, call.prop_tags)
        return nspi.QueryRowsAnswer(stat, _rows(rows), 0)

    try:
        return _run(caller, is_heavy_query(table, call.count, call.prop_tags), work)
    except MapiError as error:
        return nspi.QueryRowsAnswer(call.stat, None, _failed(error))


@operation(NSPI, nspi.SeekEntries)
def seek_entries(caller: Caller, call: nspi.SeekEntries) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.9."""
    book = _book(caller, call.handle)

    def work() -> nspi.SeekEntriesAnswer:
        stat, rows = book.seek_entries(call.stat, call.target, call.table, call.prop_tags)
        return nspi.SeekEntriesAnswer(stat, _rows(rows), 0)

    try:
        return _run(caller, is_heavy_seek(call.table, call.prop_tags), work)
    except MapiError as error:
        return nspi.SeekEntriesAnswer(call.stat, None, _failed(error))


@operation(NSPI, nspi.GetMatches)
def get_matches(caller: Caller, call: nspi.GetMatches) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.10."""
    book = _book(caller, call.handle)
    link = call.prop_name.number & 0xFFFFFFFF if call.prop_name is not None else None

    def work() -> nspi.GetMatchesAnswer:
        found = book.get_matches(call.stat, call.filter, link, call.requested, call.prop_tags)
        return nspi.GetMatchesAnswer(found.stat, list(found.mids), _rows(found.rows), 0)

    try:
        return _run(caller, not book.wants_mailbox(call.stat, call.filter, link), work)
    except MapiError as error:
        return nspi.GetMatchesAnswer(call.stat, None, None, _failed(error))


@operation(NSPI, nspi.ResortRestriction)
def resort_restriction(caller: Caller, call: nspi.ResortRestriction) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.11."""
    book = _book(caller, call.handle)

    def work() -> nspi.ResortRestrictionAnswer:
        stat, mids = book.resort(call.stat, call.in_mids)
        return nspi.ResortRestrictionAnswer(stat, list(mids), 0)

    try:
        return _run(caller, len(call.in_mids) > LIGHT_MIDS, work)
    except MapiError as error:
        return nspi.ResortRestrictionAnswer(call.stat, None, _failed(error))


@operation(NSPI, nspi.DNToMId)
def dn_to_mid(caller: Caller, call: nspi.DNToMId) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.13."""
    book = _book(caller, call.handle)

    def work() -> nspi.DNToMIdAnswer:
        names = [(name or b"").decode("utf-8", "replace") for name in call.names]
        return nspi.DNToMIdAnswer(list(book.dn_to_mid(names)), 0)

    try:
        return _run(caller, len(call.names) > LIGHT_MIDS, work)
    except MapiError as error:
        return nspi.DNToMIdAnswer(None, _failed(error))


@operation(NSPI, nspi.GetPropList)
def get_prop_list(caller: Caller, call: nspi.GetPropList) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.6."""
    book = _book(caller, call.handle)

    def work() -> nspi.GetPropListAnswer:
        return nspi.GetPropListAnswer(book.get_prop_list(call.flags, call.mid, call.code_page), 0)

    try:
        return _run(caller, is_list(book, call.mid), work)
    except MapiError as error:
        return nspi.GetPropListAnswer(None, _failed(error))


@operation(NSPI, nspi.GetProps)
def get_props(caller: Caller, call: nspi.GetProps) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.7."""
    book = _book(caller, call.handle)

    def work() -> nspi.GetPropsAnswer:
        code, values = book.get_props(call.flags, call.stat, call.prop_tags)
        return nspi.GetPropsAnswer(list(values.values), code)

    try:
        return _run(caller, is_list(book, call.stat.current_rec), work)
    except MapiError as error:
        return nspi.GetPropsAnswer(None, _failed(error))


@operation(NSPI, nspi.CompareMIds)
def compare_mids(caller: Caller, call: nspi.CompareMIds) -> nspi.CompareMIdsAnswer:
    """[MS-OXNSPI] 3.1.4.1.12."""
    book = _book(caller, call.handle)
    try:
        return nspi.CompareMIdsAnswer(book.compare_mids(call.stat, call.mid1, call.mid2), 0)
    except MapiError as error:
        return nspi.CompareMIdsAnswer(0, _failed(error))


@operation(NSPI, nspi.ModProps)
def mod_props(caller: Caller, call: nspi.ModProps) -> nspi.ModPropsAnswer:
    """[MS-OXNSPI] 3.1.4.1.14."""
    book = _book(caller, call.handle)
    try:
        book.mod_props(call.stat, call.prop_tags, call.row)
    except MapiError as error:
        return nspi.ModPropsAnswer(_failed(error))
    return nspi.ModPropsAnswer(0)


@operation(NSPI, nspi.GetSpecialTable)
def get_special_table(caller: Caller, call: nspi.GetSpecialTable) -> nspi.GetSpecialTableAnswer:
    """[MS-OXNSPI] 3.1.4.1.3."""
    book = _book(caller, call.handle)
    try:
        version, rows = book.get_special_table(call.flags, call.stat, call.version)
    except MapiError as error:
        return nspi.GetSpecialTableAnswer(call.version, None, _failed(error))
    return nspi.GetSpecialTableAnswer(version, _bags(rows), 0)


@operation(NSPI, nspi.GetTemplateInfo)
def get_template_info(caller: Caller, call: nspi.GetTemplateInfo) -> nspi.GetTemplateInfoAnswer:
    """[MS-OXNSPI] 3.1.4.1.18."""
    book = _book(caller, call.handle)
    dn = call.dn.decode("utf-8", "replace") if call.dn else None
    try:
        values = book.get_template_info(call.flags, call.type, dn, call.code_page, call.locale_id)
    except MapiError as error:
        return nspi.GetTemplateInfoAnswer(None, _failed(error))
    return nspi.GetTemplateInfoAnswer(list(values.values), 0)


@operation(NSPI, nspi.ModLinkAtt)
def mod_link_att(caller: Caller, call: nspi.ModLinkAtt) -> nspi.ModLinkAttAnswer:
    """[MS-OXNSPI] 3.1.4.1.15."""
    book = _book(caller, call.handle)
    try:
        book.mod_link_att(call.flags, call.prop_tag, call.mid, call.entry_ids)
    except MapiError as error:
        return nspi.ModLinkAttAnswer(_failed(error))
    return nspi.ModLinkAttAnswer(0)


@operation(NSPI, nspi.QueryColumns)
def query_columns(caller: Caller, call: nspi.QueryColumns) -> nspi.QueryColumnsAnswer:
    """[MS-OXNSPI] 3.1.4.1.5."""
    return nspi.QueryColumnsAnswer(_book(caller, call.handle).query_columns(call.flags), 0)


@operation(NSPI, nspi.ResolveNames)
def resolve_names(caller: Caller, call: nspi.ResolveNames) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.16: names in the code page of STAT."""
    book = _book(caller, call.handle)

    def work() -> nspi.ResolveNamesAnswer:
        names = [decode(name or b"", call.stat.code_page) for name in call.names]
        mids, rows = book.resolve_names(call.stat, names, call.prop_tags, unicode=False)
        return nspi.ResolveNamesAnswer(list(mids), _rows(rows), 0)

    try:
        return _run(caller, True, work)
    except MapiError as error:
        return nspi.ResolveNamesAnswer(None, None, _failed(error))


@operation(NSPI, nspi.ResolveNamesW)
def resolve_names_w(caller: Caller, call: nspi.ResolveNamesW) -> Answer:
    """[MS-OXNSPI] 3.1.4.1.17."""
    book = _book(caller, call.handle)

    def work() -> nspi.ResolveNamesWAnswer:
        mids, rows = book.resolve_names(call.stat, [name or "" for name in call.names], call.prop_tags)
        return nspi.ResolveNamesWAnswer(list(mids), _rows(rows), 0)

    try:
        return _run(caller, True, work)
    except MapiError as error:
        return nspi.ResolveNamesWAnswer(None, None, _failed(error))
