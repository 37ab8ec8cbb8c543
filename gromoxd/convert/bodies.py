"""The forms of a message's body and how each is made of the others ([MS-OXBBODY] 2.1.3, [MS-OXCMSG] 2.2.1.56-58).

Here is which form is made of which; the conversions are in `html`, `rtfbody` and `rtfreader`.
"""

from __future__ import annotations

from gromoxd.convert.html import html_to_text, text_to_html
from gromoxd.convert.rtfbody import html_to_rtf, rtf_to_html, rtf_to_text, text_to_rtf
from gromoxd.convert.rtfreader import HTML, kind_of
from gromoxd.errors import WireError
from gromoxd.mapi import codepages
from gromoxd.mapi import rtf as compressed
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import PidTagBody, PidTagHtml, PidTagInternetCodepage, PidTagRtfCompressed

UNDEFINED, PLAIN, RTF, HTML_BODY, SIGNED = 0, 1, 2, 3, 4
"""PidTagNativeBody ([MS-OXCMSG] 2.2.1.58.2)."""
MAX_RTF = 16 << 20

__all__ = ["html_code_page", "html_to_rtf", "html_to_text", "mail_bodies", "native_body", "plain_octets", "rtf_to_html",
           "rtf_to_text", "text_to_html", "text_to_rtf", "unpacked"]  # fmt: skip


def unpacked(rtf_compressed: bytes) -> bytes:
    """The RTF of a PidTagRtfCompressed, b'' for a damaged one."""
    try:
        return compressed.decompress(rtf_compressed, MAX_RTF)
    except WireError:
        return b""


def html_code_page(props: Bag) -> int:
    """The code page of PidTagHtml: PidTagInternetCodepage ([MS-OXCMSG] 2.2.1.58.6), UTF-8 without a usable one."""
    page = props.get(PidTagInternetCodepage)
    if isinstance(page, int) and codepages.codec_of(page) and page != codepages.ASCII:
        return page
    return codepages.UTF8


def native_body(text: bool, rtf: bool, html: bool, in_sync: bool) -> int:
    """The best form of those that are there ([MS-OXBBODY] 2.1.3.1)."""
    if html and not (rtf and in_sync):
        return HTML_BODY
    if rtf and (in_sync or not text):
        return RTF
    return PLAIN if text else UNDEFINED


_UNWRITTEN = frozenset((codepages.UTF16, 1201, 12000, 12001, 65000, codepages.UTF8, codepages.ASCII))
"""Code pages that no text part is written in, and those that need no look."""
_EBCDIC = frozenset(page.number for page in codepages.CODE_PAGES.values() if "A".encode(page.codec) != b"A")


def plain_octets(text: str, props: Bag) -> tuple[bytes, str]:
    """Plain text in the charset of PidTagInternetCodepage when that carries it, else in UTF-8; and the charset's name
    ([MS-OXCMAIL] 2.1.3.3.1)."""
    page = props.get(PidTagInternetCodepage)
    if text.isascii() or not isinstance(page, int) or page in _UNWRITTEN or page in _EBCDIC:
        return text.encode("utf-8", "replace"), "utf-8"
    codec, charset = codepages.codec_of(page), codepages.charset_of(page)
    if codec is None or charset is None:
        return text.encode("utf-8", "replace"), "utf-8"
    try:
        return text.encode(codec), charset
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace"), "utf-8"


def mail_bodies(props: Bag) -> tuple[str | None, bytes | None, str]:
    """(plain text, HTML octets, charset of the HTML) as mail carries them; None for a form that is not wanted.

    RTF does not travel: it goes as the HTML or text that it says ([MS-OXCMAIL] 2.1.3.3).
    """
    text, html, rtf = props.get(PidTagBody), props.get(PidTagHtml), props.get(PidTagRtfCompressed)
    plain = text if isinstance(text, str) else None
    if isinstance(html, bytes):
        page = html_code_page(props)
        if plain is None:
            plain = html_to_text(codepages.decode(html, page))
        charset = codepages.charset_of(page)
        if charset is None or (page in _UNWRITTEN and page != codepages.UTF8) or page in _EBCDIC:
            return plain, codepages.decode(html, page).encode("utf-8", "replace"), "utf-8"
        return plain, html, charset
    if isinstance(rtf, bytes):
        octets = unpacked(rtf)
        if octets and not (kind_of(octets) != HTML and plain is not None):
            rich = rtf_to_html(octets)
            return (html_to_text(rich) if plain is None else plain), rich.encode("utf-8", "replace"), "utf-8"
    return plain or "", None, "utf-8"
