"""HTML out of plain text, and HTML from strangers made safe to show. Plain text out of HTML is in `htmltext`."""

from __future__ import annotations

import html as entities
import re
from collections.abc import Iterator
from typing import Final

from gromoxd.convert.htmlbounds import TooMuch, bounded
from gromoxd.convert.htmltext import MAX_HTML, html_to_text, stripped_text

__all__ = ["MAX_HTML", "clean_html", "html_to_text", "text_fragment", "text_to_html"]

# ------------------------------------------------------------------------------------------ text to HTML

_URL: Final = re.compile(r"\bhttps?://[^\s<>\"'\x00-\x20]{1,2000}", re.IGNORECASE)
_SPACES: Final = re.compile(r"^ | (?= )", re.MULTILINE)
_HEAD: Final = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=%s"></head><body>'


def text_to_html(text: str, charset: str | None = "utf-8") -> str:
    """A document that shows the text, its line breaks and runs of spaces kept, its links made links."""
    return f"{_HEAD % (charset or 'utf-8')}\r\n<div>{text_fragment(text)}</div>\r\n</body></html>\r\n"


def text_fragment(text: str) -> str:
    """The same as a fragment of a document."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    out = "".join(_linked(text)) if "://" in text else entities.escape(text, quote=False)
    return _SPACES.sub("&nbsp;", out).replace("\t", "&nbsp;&nbsp;&nbsp; ").replace("\n", "<br>\r\n")


def _linked(text: str) -> Iterator[str]:
    at = 0
    for match in _URL.finditer(text):
        url = match.group().rstrip(".,;:!?)]}")
        yield entities.escape(text[at : match.start()], quote=False)
        yield f'<a href="{entities.escape(url)}">{entities.escape(url, quote=False)}</a>'
        at = match.start() + len(url)
    yield entities.escape(text[at:], quote=False)


# ------------------------------------------------------------------------------------------ HTML made safe

_TAG_NAMES: Final = """
a abbr acronym address area article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del
details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main map mark nav
ol p pre q rp rt ruby s samp section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt
u ul var wbr
"""
_ALLOWED: Final = frozenset(_TAG_NAMES.split())
_EVERYWHERE: Final = frozenset(("align", "bgcolor", "class", "color", "dir", "height", "id", "lang", "style", "title",
                                "valign", "width"))  # fmt: skip
_ATTRIBUTES: Final = {
    "a": {"href", "name"}, "img": {"src", "alt", "border", "hspace", "vspace", "usemap"},
    "area": {"href", "coords", "shape", "alt"}, "map": {"name"}, "font": {"face", "size"},
    "table": {"border", "cellpadding", "cellspacing", "summary", "frame", "rules", "background"},
    "td": {"colspan", "rowspan", "nowrap", "headers", "scope", "background"},
    "th": {"colspan", "rowspan", "nowrap", "headers", "scope", "background"}, "tr": {"background"},
    "col": {"span"}, "colgroup": {"span"}, "ol": {"start", "type", "reversed"}, "ul": {"type"},
    "li": {"value", "type"}, "blockquote": {"cite", "type"}, "q": {"cite"}, "del": {"cite", "datetime"},
    "ins": {"cite", "datetime"}, "time": {"datetime"}, "hr": {"size", "noshade"}, "br": {"clear"},
}  # fmt: skip
_SCHEMES: Final = {"http", "https", "mailto", "tel", "ftp", "cid", "callto", "sip", "sips", "xmpp", "webcal", "news"}
_PICTURE: Final = re.compile(r"(?:cid:|https?://|data:image/(?:png|gif|jpe?g|webp|bmp);base64,)", re.IGNORECASE)
_STYLE_NAMES: Final = """
background background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width
border-collapse border-color border-left border-left-color border-left-style border-left-width border-radius
border-right border-right-color border-right-style border-right-width border-spacing border-style border-top
border-top-color border-top-style border-top-width border-width caption-side clear color direction display empty-cells
float font font-family font-size font-style font-variant font-weight height letter-spacing line-height list-style
list-style-position list-style-type margin margin-bottom margin-left margin-right margin-top max-height max-width
min-height min-width opacity overflow overflow-wrap padding padding-bottom padding-left padding-right padding-top
table-layout text-align text-decoration text-indent text-transform unicode-bidi vertical-align visibility white-space
width word-break word-spacing word-wrap
"""
_STYLES: Final = frozenset(_STYLE_NAMES.split())
_FETCHES: Final = re.compile(r"url\s*\(|image-set|image\s*\(|expression|@import|\\\\|/\*", re.IGNORECASE)
"""In a style: what could fetch something, run something, or hide either."""


def clean_html(html: str) -> str:
    """The document's body without what runs or is dangerous: scripts, handlers, forms, frames, style sheets, foreign
    schemes. Tables, styles of elements, links and images (cid: too) stay. The result is a fragment.

    What would take long, however it is made, is shown as text."""
    import nh3  # only where HTML is shown

    html = html[:MAX_HTML].replace("\0", "")
    try:
        html = bounded(html, _ALLOWED)
    except TooMuch:
        return f"<div>{text_fragment(stripped_text(html))}</div>"
    return nh3.clean(
        html, tags=set(_ALLOWED), clean_content_tags={"script", "style", "title", "head"},
        attributes={"*": set(_EVERYWHERE), **{tag: set(names) for tag, names in _ATTRIBUTES.items()}},
        attribute_filter=_kept_attribute, url_schemes=_SCHEMES | {"data"}, link_rel="noopener noreferrer nofollow",
        strip_comments=True, filter_style_properties=set(_STYLES),
    )  # fmt: skip


def _kept_attribute(tag: str, name: str, value: str) -> str | None:
    """What is left of an attribute: nothing of a style that fetches, of an image or background that is none."""
    if name == "style":
        kept = [one for one in value.split(";") if not _FETCHES.search(one)] if _FETCHES.search(value) else None
        return value if kept is None else ";".join(kept)
    if name in ("src", "background"):
        return value if _PICTURE.match(value.strip()) else None
    if value[:20].strip().lower().startswith("data:"):
        return None
    return value
