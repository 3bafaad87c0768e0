"""Text made to fit: spelling a character in ASCII never makes one that means something in a message."""

import sys

from tocsin.protocols.text import ascii_of, encoded

MARKS = frozenset('"#$%&*/:;<=>@[\\]^_`{|}~+!')
FULL_WIDTH = "］［Vhttp://evil.example.net］｜＜a＞＆＂"


def test_no_character_beyond_ascii_becomes_a_mark_of_structure() -> None:
    beyond = (chr(n) for n in range(0x80, sys.maxunicode + 1))
    assert [char for char in beyond if MARKS.intersection(ascii_of(char))] == []


def test_letters_lose_their_accents_and_marks_become_question_marks() -> None:
    assert ascii_of("Värav ﬁ Ω – ½ “x” № 3") == "Varav fi ? - 1?2 ?x? No 3"
    assert ascii_of("a <b> [c]|d") == "a <b> [c]|d"


def test_no_encoding_makes_brackets_of_their_lookalikes() -> None:
    for encoding in ("ascii", "cp1252"):
        made = encoded(FULL_WIDTH, encoding, 200)
        assert not set(b'[]|<>&"').intersection(made)
