"""The forms of a message's body and how each is made of the others ([MS-OXBBODY], [MS-OXCMSG] 2.2.1.56-58)."""

from __future__ import annotations

from gromoxd.mapi.bag import Bag
from gromoxd.mapi.codepages import charset_of
from gromoxd.mapi.proptags import PidTagBody, PidTagHtml, PidTagInternetCodepage


def mail_bodies(props: Bag) -> tuple[str | None, bytes | None, str]:
    """(plain text, HTML octets, charset of the HTML) as mail carries them; None for a form that is not wanted."""
    text, html = props.get(PidTagBody), props.get(PidTagHtml)
    page = props.get(PidTagInternetCodepage)
    charset = charset_of(page) if isinstance(page, int) else None
    plain = text if isinstance(text, str) else None
    if not isinstance(html, bytes):
        return plain or "", None, "utf-8"
    return plain, html, charset or "utf-8"
