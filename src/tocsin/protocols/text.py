"""Text on the wire: decoding what others send, and making our own text fit a field."""

import string
import unicodedata

_SPELT = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "–": "-"}
)
_SPELLABLE = frozenset(string.ascii_letters + string.digits + " .,-'()")
"""What a character may be spelt with: never a mark that divides a message, such as the bracket full-width ones have in
them.
"""
_CP1252_HOLES = {0x81, 0x8D, 0x8F, 0x90, 0x9D}


def decoded(data: bytes | str) -> str:
    """UTF-8, then Windows-1252, whose five unused bytes read as blanks (dc09.md 10). Never raises."""
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode("utf-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return bytes(0x20 if byte in _CP1252_HOLES else byte for byte in data).decode("cp1252")


def printable(text: str) -> str:
    """The text with every control or otherwise unprintable character as a blank."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def one_line(text: str, longest: int = 300) -> str:
    """Words of others for a sentence or a trace of ours: one printable line; what is cut off shows as `…`."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= longest else flat[: longest - 1] + "…"


def ascii_of(text: str) -> str:
    """Transliterated: accents dropped, what has no ASCII form as `?`; ASCII stays as it is."""
    if text.isascii():
        return text
    return "".join(char if char.isascii() else _spelt(char) for char in text.translate(_SPELT))


def _spelt(char: str) -> str:
    kept = (part for part in unicodedata.normalize("NFKD", char) if not unicodedata.combining(part))
    return "".join(part if part in _SPELLABLE else "?" for part in kept)


def encoded(text: str, encoding: str, longest: int) -> bytes:
    """The text in `utf-8`, `cp1252` or `ascii`, at most `longest` bytes, cut between characters."""
    if text.isascii():
        return text.encode("ascii")[:longest]
    if encoding == "utf-8":
        return text.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore").encode("utf-8")
    if encoding == "cp1252":
        return "".join(char if _in_cp1252(char) else ascii_of(char) for char in text).encode("cp1252")[:longest]
    return ascii_of(text).encode("ascii")[:longest]


def _in_cp1252(char: str) -> bool:
    try:
        char.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True
