"""Restrictions for clients without Unicode: their strings as octets of a code page."""

from __future__ import annotations

import dataclasses
from typing import Final

from gromoxd.mapi import codepages
from gromoxd.mapi import restrictions as r
from gromoxd.mapi.types import PropType, PropValue
from gromoxd.mapi.values import TaggedPropertyValue

_TEXT: Final = int(PropType.PtypString)
_OCTETS: Final = int(PropType.PtypString8)


def narrowed(restriction: bytes, code_page: int) -> bytes:
    """The same with PtypString8 in place of PtypString. WireError."""
    return r.encode_restriction(_narrow(r.decode_restriction(restriction), code_page))


def _narrow(one: r.Restriction, code_page: int) -> r.Restriction:
    if isinstance(one, r.And | r.Or):
        return type(one)(tuple([_narrow(inner, code_page) for inner in one.restricts]))
    if isinstance(one, r.Content | r.Property):
        tag = one.value_tag or one.tag
        if not isinstance(one.value, str) and not (isinstance(one.value, list) and tag & 0xFFF == _TEXT):
            return one
        return dataclasses.replace(
            one, tag=_tag(one.tag), value=_value(one.value, code_page), value_tag=one.value_tag and _tag(one.value_tag)
        )
    if isinstance(one, r.Comment):
        values = tuple([_tagged(value, code_page) for value in one.tagged_values])
        return r.Comment(values, None if one.restriction is None else _narrow(one.restriction, code_page))
    if isinstance(one, r.Not | r.SubObject | r.Count):
        return dataclasses.replace(one, restriction=_narrow(one.restriction, code_page))
    return one


def _tagged(value: TaggedPropertyValue, code_page: int) -> TaggedPropertyValue:
    return TaggedPropertyValue(_tag(value.tag), _value(value.value, code_page))


def _tag(tag: int) -> int:
    return tag - _TEXT + _OCTETS if tag & 0xFFF == _TEXT else tag


def _value(value: PropValue, code_page: int) -> PropValue:
    if isinstance(value, str):
        return codepages.encode(value, code_page)
    if isinstance(value, list):
        return [codepages.encode(item, code_page) if isinstance(item, str) else item for item in value]  # type: ignore[return-value]
    return value
