"""What was sent and answered, as it may be kept and shown: printable, bounded, secrets masked. Pure."""

import hashlib
import re
from collections.abc import Iterable

MASK = "***"
SENT_LIMIT = 8192
ANSWER_LIMIT = 4096
_SHORTEST_MASKED = 4
_SPECIAL = re.compile(r"\r\n|[^ -~]")
_NAMES = {0x00: "<NUL>", 0x09: "\t", 0x0A: "<LF>\n", 0x0D: "<CR>"}


def printable(data: bytes) -> str:
    """UTF-8 as text, control bytes as `<CR>`, `<0B>`; a line ends where the wire's line ended."""
    return _SPECIAL.sub(_named, data.decode("utf-8", "backslashreplace"))


def _named(found: re.Match[str]) -> str:
    char = found[0]
    if char == "\r\n":
        return "<CR><LF>\n"
    if char.isprintable():
        return char
    code = ord(char)
    return _NAMES.get(code) or (f"<{code:02X}>" if code < 0x100 else f"<U+{code:04X}>")


def excerpt(data: bytes, limit: int = SENT_LIMIT) -> str:
    """`printable`; of more than `limit` bytes the beginning, then the size and SHA-256 of all of it."""
    if len(data) <= limit:
        return printable(data)
    digest = hashlib.sha256(data).hexdigest()
    return f"{printable(data[:limit])}\n[… {len(data)} bytes in all, SHA-256 {digest}]"


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text without these values. One of fewer than four characters would mask half of it and is left out."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_MASKED:
            text = text.replace(secret, MASK).replace(printable(secret.encode()), MASK)
    return text
