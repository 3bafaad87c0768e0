"""Texts in fields, and messages that have to be made shorter."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from protocols.dc09.vectors import E1, E3, E7
from tocsin.protocols.dc09.errors import TooLong
from tocsin.protocols.dc09.fitting import fit
from tocsin.protocols.dc09.message import Extended, body_length
from tocsin.protocols.dc09.text import Encoding, cut, printable, read_text, write_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"North gate", "North gate"),
        ("Gehäuse".encode(), "Gehäuse"),
        (b"Geh\xe4use \x80", "Gehäuse €"),
        (b"\xff\x81", "ÿ\ufffd"),
        (b"", ""),
    ],
)
def test_text_is_utf_8_or_windows_1252(value: bytes, text: str) -> None:
    assert read_text(value) == text


@pytest.mark.parametrize(
    ("text", "encoding", "value"),
    [
        ("Gehäuse offen", "utf-8", "Gehäuse offen".encode()),
        ("Gehäuse offen", "cp1252", b"Geh\xe4use offen"),
        ("Gehäuse offen", "ascii", b"Gehause offen"),
        ("Straße – 5 €", "ascii", b"Strasse - 5 EUR"),
        ("Łódź", "cp1252", b"L\xf3dz"),
        ("門", "ascii", b"?"),
        ("門", "cp1252", b"?"),
        ("a[b]c|d", "utf-8", b"a(b)c d"),
        ("［x］", "ascii", b"(x)"),
        ("two\r\nlines\x00\x7f", "utf-8", b"two lines "),
        ("\ud800", "utf-8", b"?"),
    ],
)
def test_text_is_written(text: str, encoding: Encoding, value: bytes) -> None:
    assert write_text(text, encoding) == value


def test_text_is_cut_between_characters() -> None:
    assert write_text("ää", longest=3) == "ä".encode()
    assert cut("a€".encode(), 3) == b"a"
    assert cut(b"abc", 0) == b""


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80), st.sampled_from(["utf-8", "cp1252", "ascii"]), st.integers(0, 60))
def test_any_text_fits_into_a_field(text: str, encoding: Encoding, longest: int) -> None:
    value = write_text(text, encoding, longest)
    assert len(value) <= longest
    assert not set(value) & set(b"[]|\r\n\0")
    value.decode(encoding)


def test_a_frame_is_shown_without_its_keys() -> None:
    shown = printable(b'\nFB0A0039"RSP"0001L0#6F01[][K00112233][Lgate\xff]\r')
    assert shown == '\\x0AFB0A0039"RSP"0001L0#6F01[][K***][Lgate\\xff]\\x0D'


BIG = replace(
    E3.message,
    extended=(
        Extended("H", b"08:15:28,03-04-2026"),
        Extended("V", b"v" * 256),
        *(Extended(letter, b"x" * 500) for letter in "USILORJXYZ"),
    ),
)


@pytest.mark.parametrize("longest", [5000, 4095, 3000, 2000, 1000, 400])
@pytest.mark.parametrize("encrypted", [False, True])
def test_a_message_is_made_to_fit(longest: int, encrypted: bool) -> None:
    message = replace(BIG, encrypted=encrypted)
    if encrypted:
        longest *= 2
    short = fit(message, longest)
    assert body_length(short) <= longest
    kept = {each.letter for each in short.extended}
    assert {"H", "V"} <= kept
    gone = [letter for letter in "JILSORZYXU" if letter not in kept]
    assert gone == list("JILSORZYXU")[: len(gone)]
    assert short.data == message.data


def test_texts_are_shortened_before_anything_is_dropped() -> None:
    short = fit(BIG, body_length(BIG) - 400)
    lengths = {each.letter: len(each.value) for each in short.extended}
    assert (lengths["I"], lengths["L"], lengths["J"]) == (100, 500, 500)


def test_an_encrypted_message_is_not_cut_more_than_needed() -> None:
    secret = replace(BIG, encrypted=True)
    short = fit(secret, body_length(secret) - 400)
    lengths = {each.letter: len(each.value) for each in short.extended}
    assert (lengths["I"], lengths["L"]) == (300, 500)


def test_of_several_blocks_of_a_letter_the_last_goes_first() -> None:
    message = replace(E1.message, extended=(Extended("U", b"1" * 300), Extended("U", b"2" * 300)))
    assert fit(message, 400).extended == (Extended("U", b"1" * 300),)


def test_what_fits_is_left_alone_and_what_cannot_fit_is_refused() -> None:
    assert fit(E1.message) is E1.message
    assert fit(E7.message) is E7.message
    with pytest.raises(TooLong):
        fit(replace(E1.message, data=b"x" * 4095))
