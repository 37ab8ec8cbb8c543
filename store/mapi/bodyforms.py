"""The body of a message in any form: as it is stored, as its RFC 5322 form has it, or made of another form.

[MS-OXBBODY] 2.1.3, [MS-OXCMSG] 2.2.1.56-58.
"""

from __future__ import annotations

from typing import Final

from gromoxd.convert import bodies as convert
from gromoxd.convert import unfold
from gromoxd.convert.mime import Part
from gromoxd.mapi import codepages, rtf
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    PidTagBody,
    PidTagHtml,
    PidTagInternetCodepage,
    PidTagNativeBody,
    PidTagRtfCompressed,
    PidTagRtfInSync,
)
from store.mapi.loading import Data

FORMS: Final = (PidTagBody, PidTagHtml, PidTagRtfCompressed)
NATIVE_TAGS: Final = {convert.PLAIN: PidTagBody, convert.RTF: PidTagRtfCompressed, convert.HTML_BODY: PidTagHtml}


class Bodies:
    """The body of one message. Forms are kept once they are made."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._bag: Bag = data.bag
        self._made: dict[int, str | bytes | None] = {}
        self._stored: dict[int, bool] = {}
        self._parts: tuple[list[Part], list[Part]] | None = None
        self._native: int | None = None

    # ------------------------------------------------------------------------------------------ what there is

    def stored(self, tag: int) -> bool:
        """Whether a form is there and need not be made of another."""
        known = self._stored.get(tag)
        if known is None:
            known = self._is_own(tag) or tag in self._data.part_values or bool(self._mail_parts(tag))
            self._stored[tag] = known
        return known

    def _is_own(self, tag: int) -> bool:
        """Whether a client set this form."""
        return tag in self._bag or (tag in self._data.big() and tag not in self._data.part_values)

    def _mail_parts(self, tag: int) -> list[Part]:
        """The parts of a delivered message that are its body in a form; none once a client has set a body."""
        if tag == PidTagRtfCompressed:
            return []
        if self._parts is None:
            data = self._data
            own = any(self._is_own(form) for form in FORMS)
            self._parts = ([], []) if own or not data.referring else unfold.body_parts(data.parts)
        return self._parts[0 if tag == PidTagBody else 1]

    @property
    def in_sync(self) -> bool:
        """PidTagRtfInSync ([MS-OXCMSG] 2.2.1.56.5)."""
        kept = self._bag.get(PidTagRtfInSync)
        if isinstance(kept, bool):
            return kept
        return self.stored(PidTagRtfCompressed) and not self.stored(PidTagHtml)

    @property
    def native(self) -> int:
        """PidTagNativeBody."""
        if self._native is None:
            kept = self._bag.get(PidTagNativeBody)
            if isinstance(kept, int) and kept in NATIVE_TAGS and self.stored(NATIVE_TAGS[kept]):
                self._native = kept
            else:
                text, html, rich = (self.stored(tag) for tag in FORMS)
                self._native = convert.native_body(text, rich, html, self.in_sync)
        return self._native

    @property
    def code_page(self) -> int | None:
        """PidTagInternetCodepage: that of the HTML, else as stored."""
        page = self._bag.get(PidTagInternetCodepage)
        parts = self._mail_parts(PidTagHtml) if PidTagHtml not in self._data.part_values else []
        if parts:
            return unfold.html_code_page(self._data.octets, parts)
        return page if isinstance(page, int) else None

    # ------------------------------------------------------------------------------------------ forms

    def get(self, tag: int) -> str | bytes | None:
        """A form, made of the best other one when it is not there; None when the message has no body at all."""
        if tag not in self._made:
            self._made[tag] = self._find(tag) if self.stored(tag) else _MAKERS[tag](self)
        return self._made[tag]

    def _find(self, tag: int) -> str | bytes | None:
        value = self._bag.get(tag)
        if isinstance(value, str | bytes):
            return value
        if tag in self._data.part_values:
            value = self._data.part_value(tag)
            return value if isinstance(value, str | bytes) else None
        if tag in self._data.big():
            octets = self._data.big_value(0, tag)
            return octets.decode("utf-16-le", "replace") if tag == PidTagBody else octets
        parts = self._mail_parts(tag)
        if tag == PidTagBody:
            return unfold.plain_body(self._data.octets, parts)
        return unfold.html_body(self._data.octets, parts)

    def text_of_html(self) -> str:
        """The HTML as text, whatever its code page."""
        html = self.get(PidTagHtml)
        return codepages.decode(html, self._html_page) if isinstance(html, bytes) else ""

    @property
    def _html_page(self) -> int:
        page = self.code_page
        return convert.html_code_page({PidTagInternetCodepage: page} if page is not None else {})

    def _make_text(self) -> str | None:
        if self.stored(PidTagHtml) and not (self.in_sync and self.stored(PidTagRtfCompressed)):
            return convert.html_to_text(self.text_of_html())
        octets = self._rtf()
        if octets is not None:
            return convert.rtf_to_text(octets)
        return convert.html_to_text(self.text_of_html()) if self.stored(PidTagHtml) else None

    def _make_html(self) -> bytes | None:
        octets = self._rtf() if self.in_sync or not self.stored(PidTagBody) else None
        if octets is not None:
            html = convert.rtf_to_html(octets)
        elif self.stored(PidTagBody):
            text = self.get(PidTagBody)
            html = convert.text_to_html(text if isinstance(text, str) else "", codepages.charset_of(self._html_page))
        else:
            return None
        codec = codepages.codec_of(self._html_page) or "utf-8"
        return html.encode("utf-8", "replace").decode().encode(codec, "xmlcharrefreplace")

    def _make_rtf(self) -> bytes | None:
        if self.stored(PidTagHtml):
            return rtf.packed(convert.html_to_rtf(self.text_of_html()))
        text = self.get(PidTagBody) if self.stored(PidTagBody) else None
        return rtf.packed(convert.text_to_rtf(text)) if isinstance(text, str) else None

    def _rtf(self) -> bytes | None:
        """The stored RTF, not compressed."""
        if not self.stored(PidTagRtfCompressed):
            return None
        value = self.get(PidTagRtfCompressed)
        return convert.unpacked(value) if isinstance(value, bytes) else None


_MAKERS: Final = {
    PidTagBody: Bodies._make_text, PidTagHtml: Bodies._make_html, PidTagRtfCompressed: Bodies._make_rtf
}  # fmt: skip
