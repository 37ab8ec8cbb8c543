"""XML from outside, read without any of the ways in which XML does more than say what is in it.

There are no DTDs, hence no entities but the five of XML itself, nothing is fetched, and size and depth are bounded.
"""

from __future__ import annotations

import re
from typing import Final

from lxml import etree

from gromoxd.errors import WireError

DEEPEST: Final = 64
MOST_ELEMENTS: Final = 200_000
_UNPRINTABLE = re.compile("[^\\t\\n\\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse(data: bytes, *, deepest: int = DEEPEST, most: int = MOST_ELEMENTS) -> etree._Element:
    """The root element. WireError for what is not well-formed, has a DTD, or is too deep or too large."""
    parser = etree.XMLPullParser(
        ("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        parser.feed(data)
        depth = count = 0
        for event, _ in parser.read_events():
            depth += 1 if event == "start" else -1
            count += event == "start"
            if depth > deepest or count > most:
                raise WireError("XML too deep or too large")
        root = parser.close()
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise WireError(f"no XML: {str(error)[:200]}") from None
    if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
        raise WireError("XML with a DTD")
    return root


def local(element: etree._Element) -> str:
    """An element's name without its namespace."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def namespace(element: etree._Element) -> str:
    """An element's namespace, '' for none."""
    tag = element.tag
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag[:1] == "{" else ""


def text(element: etree._Element | None) -> str:
    """The text of an element without white space around it, '' for none."""
    return (element.text or "").strip() if element is not None else ""


def child(element: etree._Element, name: str) -> etree._Element | None:
    """The first child of this name, in whatever namespace."""
    return next((one for one in element if local(one) == name), None)


def find(element: etree._Element, *path: str) -> etree._Element | None:
    """A descendant by the names of children on the way."""
    at: etree._Element | None = element
    for name in path:
        at = child(at, name) if at is not None else None
    return at


def write(root: etree._Element) -> bytes:
    """The document in UTF-8 with its declaration."""
    found: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return found


def printable(value: str) -> str:
    """A text without the characters that XML cannot have."""
    return _UNPRINTABLE.sub("", value)
