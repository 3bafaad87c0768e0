"""XML from strangers: read whole or refused; text of ours stays inside its element."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tocsin.protocols.xml import LIMIT, NotXml, attribute, content, first, read, text_of

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><l>&c;</l>'
)
FILE = '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/hostname">]><l>&x;</l>'
EXTERNAL = '<?xml version="1.0"?><!DOCTYPE l SYSTEM "http://192.0.2.1/l.dtd"><l/>'


@pytest.mark.parametrize("document", [LAUGHS, FILE, EXTERNAL])
def test_a_document_type_is_refused(document: str) -> None:
    with pytest.raises(NotXml, match="document type"):
        read(document.encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"<a>", b"\x00", b"<a>" * 1000, b"<a/>" + b" " * LIMIT, b"<?xml version='1.0' encoding='x'?><a/>"],
)
def test_what_is_no_document_is_refused(data: bytes) -> None:
    with pytest.raises(NotXml):
        read(data)


def test_text_is_found_in_any_namespace() -> None:
    root = read(b'<e:E xmlns:e="urn:x"><e:R>a\n <b>c</b><!-- no --></e:R></e:E>')
    assert text_of(first(root, "R")) == "a c"
    assert text_of(first(root, "None")) == ""


@given(st.binary(max_size=300))
def test_any_bytes_are_a_document_or_refused(data: bytes) -> None:
    try:
        read(data)
    except NotXml as refused:
        assert str(refused)


@given(st.text(max_size=200))
def test_any_text_comes_back_on_one_line_and_breaks_nothing(text: str) -> None:
    document = f'<a b="{attribute(text)}"><c>{content(text)}</c></a>'.encode("utf-8", "replace")
    root = read(document)
    assert [etree.QName(one).localname for one in root.iter()] == ["a", "c"]
    inner = root[0].text or ""
    assert "\n" not in inner
    assert "\r" not in inner
    if text.isprintable():
        assert inner == text
        assert root.get("b") == text
