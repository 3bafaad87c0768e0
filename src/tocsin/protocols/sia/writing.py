"""Write one event as a SIA data block."""

from tocsin.protocols.text import printable

_NOT_IN_TEXT = str.maketrans({"[": "(", "]": ")", "^": " ", "|": " ", "/": " "})


def write(
    account: str,
    area: str | None,
    user: str | None,
    code: str,
    number: str | None = None,
    text: str | None = None,
) -> str:
    """`#6F01|Nid7/ri2/CL7`. Missing parts are left out; the number goes out as it is given."""
    modifiers = (f"id{user}/" if user else "") + (f"ri{area}/" if area else "")
    return f"#{account}|N{modifiers}{code}{number or ''}" + (f"^{clean(text)}^" if text else "")


def clean(text: str) -> str:
    """Text without the characters that structure a block (event-codes.md 2.2)."""
    return printable(text).translate(_NOT_IN_TEXT)
