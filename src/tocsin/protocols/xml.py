"""XML from outside, read without entities or document types, and text made fit for XML. Pure."""

import re
from xml.sax.saxutils import escape

from lxml import etree

LIMIT = 65536
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class NotXml(ValueError):
    """What came in is no XML document we read; the text says why."""


def read(data: bytes, limit: int = LIMIT) -> "etree._Element":
    """The root of a document of at most `limit` bytes. Raises NotXml: also when it declares a document type, whose
    entities are how a small answer becomes a large one or reads a file.
    """
    if len(data) > limit:
        raise NotXml(f"it has more than {limit} bytes")
    # A parser is made each time: one that has met broken input is not used again.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotXml(f"it is no XML: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotXml("it declares a document type, which is not read")
    return root


def local_name(element: "etree._Element") -> str:
    """The name without its namespace; empty for a comment or an instruction."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def first(root: "etree._Element", name: str) -> "etree._Element | None":
    """The first element of this local name at or below `root`."""
    return next((one for one in root.iter() if local_name(one) == name), None)


def text_of(element: "etree._Element | None") -> str:
    """All text in it on one line; empty when there is no such element."""
    return "" if element is None else " ".join("".join(str(part) for part in element.itertext()).split())


def content(text: str) -> str:
    """The text as the content of an element on one line: characters XML has no room for and line ends as blanks."""
    return escape(" ".join(_ILLEGAL.sub(" ", text).split("\n")).replace("\r", " "))


def attribute(text: str) -> str:
    """The text as an attribute's value between double quotes."""
    return content(text).replace('"', "&quot;").replace("\t", " ")
