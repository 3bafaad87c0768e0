"""Text in DC-09 fields: its encoding, what must not stand in it, and what must not be shown (dc09.md 3, 10, 14)."""

import re
import unicodedata
from typing import Literal

Encoding = Literal["utf-8", "cp1252", "ascii"]

_STRUCTURAL = str.maketrans({"[": "(", "]": ")", "|": " "})
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_KEY_BLOCK = re.compile(rb"\[K[^\]]*")
_PLAIN_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "AE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "œ": "oe",
        "Œ": "OE",
        "–": "-",
        "—": "-",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "…": "...",
        "€": "EUR",
        "°": " deg",
        "ı": "i",
        "þ": "th",
        "ð": "d",
    }
)


def read_text(value: bytes) -> str:
    """UTF-8, else Windows-1252; bytes that are neither become U+FFFD."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", "replace")


def write_text(text: str, encoding: Encoding = "utf-8", longest: int = 256) -> bytes:
    """A field's text: no structural or control characters, at most `longest` bytes, cut between characters."""
    clean = _CONTROL.sub(" ", text.translate(_STRUCTURAL))
    if encoding != "utf-8":
        return "".join(_narrow(character, encoding) for character in clean[:longest]).encode(encoding)[:longest]
    return cut(clean.encode("utf-8", "replace"), longest)


def _narrow(character: str, encoding: Encoding) -> str:
    """The nearest the encoding has: the character, its plain letters, or a question mark."""
    for form in (character, character.translate(_PLAIN_LETTERS), _without_marks(character)):
        try:
            form.encode(encoding)
        except UnicodeEncodeError:
            continue
        if form and not _CONTROL.search(form):
            return form.translate(_STRUCTURAL)
    return "?"


def _without_marks(character: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", character) if not unicodedata.combining(each))


def cut(value: bytes, longest: int) -> bytes:
    """At most `longest` bytes; UTF-8 is cut between characters."""
    if len(value) <= longest:
        return value
    while longest > 0 and value[longest] & 0xC0 == 0x80:
        longest -= 1
    return value[:longest]


def printable(frame: bytes) -> str:
    """A frame for logs and traces: line ends and other bytes as `\\xNN`, values of K blocks masked."""
    masked = _KEY_BLOCK.sub(b"[K***", frame)
    return masked.decode("utf-8", "backslashreplace").translate(_UNPRINTABLE)


_UNPRINTABLE = {code: f"\\x{code:02X}" for code in (*range(0x20), *range(0x7F, 0xA0))}
