"""IMAP's BODYSTRUCTURE and BODY (RFC 9051 7.5.2, `body` in 9; the same in RFC 3501) of a scanned message.

Parameter values that are not ASCII are shown as RFC 2231 extended values (`filename*`): there is no 8-bit octet.
"""

from __future__ import annotations

from urllib.parse import quote

from gromoxd.convert.imapstring import quoted, text_string
from gromoxd.convert.mime import Params, Part

_DEFAULT_CHARSET = b'("charset" "us-ascii")'


def bodystructure(part: Part) -> bytes:
    """The extensible form, for FETCH BODYSTRUCTURE."""
    return _body(part, True)


def body(part: Part) -> bytes:
    """The non-extensible form, for FETCH BODY."""
    return _body(part, False)


def _body(part: Part, extended: bool) -> bytes:
    if part.type == "multipart":
        inner = b"".join([_body(child, extended) for child in part.children])
        if not extended:
            return b'(%b "%b")' % (inner, part.subtype.encode())
        return b'(%b "%b" %b %b)' % (inner, part.subtype.encode(), _params(part.params), _extension(part))
    text = b'("%b" "%b" %b %b %b "%b" %d' % (
        part.type.encode(),
        part.subtype.encode(),
        _text_params(part.params) if part.type == "text" else _params(part.params),
        b"NIL" if part.id is None else text_string(part.id),
        b"NIL" if part.description is None else text_string(part.description),
        part.encoding.encode(),
        part.body_length,
    )
    if part.type == "text":
        text += b" %d" % part.lines
    elif part.children:
        text += b" %b %b %d" % (part.envelope, _body(part.children[0], extended), part.lines)
    if extended:
        md5 = b"NIL" if part.md5 is None else text_string(part.md5)
        return b"%b %b %b)" % (text, md5, _extension(part))
    return text + b")"


def _extension(part: Part) -> bytes:
    """Disposition, language, location."""
    if part.disposition is None and not part.language and part.location is None:
        return b"NIL NIL NIL"
    disposition = b"NIL"
    if part.disposition is not None:
        disposition = b'("%b" %b)' % (part.disposition.encode(), _params(part.disposition_params))
    if len(part.language) > 1:
        language = b"(%b)" % b" ".join([text_string(tag) for tag in part.language])
    else:
        language = text_string(part.language[0]) if part.language else b"NIL"
    return b"%b %b %b" % (disposition, language, text_string(part.location))


def _text_params(params: Params) -> bytes:
    if not params:
        return _DEFAULT_CHARSET
    if not any(name == "charset" for name, _ in params):
        params = (("charset", "us-ascii"), *params)
    return _params(params)


def _params(params: Params) -> bytes:
    if not params:
        return b"NIL"
    return b"(%b)" % b" ".join([_param(name, value) for name, value in params])


def _param(name: str, value: str) -> bytes:
    if value.isascii():
        return b"%b %b" % (quoted(name.encode()), quoted(value.encode()))
    octets = quote(value, safe="", errors="replace").encode()
    return b"%b \"utf-8''%b\"" % (quoted(name.encode() + b"*"), octets)
