"""The body of a message that is being written, in the forms that its client did not write ([MS-OXBBODY] 2.1.3)."""

from __future__ import annotations

from gromoxd.convert import bodies
from gromoxd.exmdb.working.values import Values, whole
from gromoxd.mapi import codepages, rtf
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    PidTagBody,
    PidTagBodyHtml,
    PidTagHtml,
    PidTagInternetCodepage,
    PidTagNativeBody,
    PidTagRtfCompressed,
    PidTagRtfInSync,
)

FORMS = (PidTagBody, PidTagHtml, PidTagRtfCompressed)
MADE = frozenset((*FORMS, PidTagBodyHtml))
"""What may be asked for though it is not there."""


def page_of(state: Values) -> int:
    """The code page of PidTagHtml."""
    page: Bag = {PidTagInternetCodepage: state.values.get(PidTagInternetCodepage)}
    return bodies.html_code_page(page)


def made(state: Values, tag: int) -> str | bytes | None:
    """A form that is not there, made of one that is; None without any."""
    have = state.values
    if tag == PidTagBodyHtml and PidTagHtml in have:
        return _html_text(state)
    if tag == PidTagBodyHtml:
        octets = made(state, PidTagHtml)
        return codepages.decode(octets, page_of(state)) if isinstance(octets, bytes) else None
    if tag == PidTagBody:
        return _text(state)
    if tag == PidTagHtml:
        html = _html(state)
        codec = codepages.codec_of(page_of(state)) or "utf-8"
        return None if html is None else html.encode("utf-8", "replace").decode().encode(codec, "xmlcharrefreplace")
    if PidTagHtml in have:
        return rtf.packed(bodies.html_to_rtf(_html_text(state)))
    if PidTagBody in have:
        return rtf.packed(bodies.text_to_rtf(str(whole(PidTagBody, have[PidTagBody]))))
    return None


def _html_text(state: Values) -> str:
    return codepages.decode(whole(PidTagHtml, state.values[PidTagHtml]), page_of(state))


def _rtf(state: Values) -> bytes:
    return bodies.unpacked(whole(PidTagRtfCompressed, state.values[PidTagRtfCompressed]))


def _text(state: Values) -> str | None:
    if PidTagHtml in state.values:
        return bodies.html_to_text(_html_text(state))
    return bodies.rtf_to_text(_rtf(state)) if PidTagRtfCompressed in state.values else None


def _html(state: Values) -> str | None:
    if PidTagRtfCompressed in state.values:
        return bodies.rtf_to_html(_rtf(state))
    if PidTagBody not in state.values:
        return None
    charset = codepages.charset_of(page_of(state))
    return bodies.text_to_html(str(whole(PidTagBody, state.values[PidTagBody])), charset)


def note_native(state: Values) -> None:
    """PidTagNativeBody after the body was changed ([MS-OXCMSG] 2.2.1.58.2)."""
    have = state.values
    text, html, rich = (tag in have for tag in FORMS)
    in_sync = have.get(PidTagRtfInSync) is True or (rich and not html)
    have[PidTagNativeBody] = bodies.native_body(text, rich, html, in_sync)
