"""Read and write one Contact ID data block."""

import re

from msgspec import Struct

from tocsin.protocols.errors import Unsendable
from tocsin.protocols.text import decoded, printable

_BLOCK = re.compile(
    r"(?:#?(?P<account>[^|]*)\|)?\s*(?P<q>[136ERPerp])(?P<code>[0-9A-Fa-f]{3})\s?(?P<group>[0-9A-Fa-f]{2})\s?"
    r"(?P<zone>[0-9A-Fa-f]{3})[\s|]*\Z",
    re.ASCII,
)
_DIGITS = re.compile(r"[0-9A-F]+\Z", re.ASCII)
_QUALIFIERS = {"E": "1", "R": "3", "P": "6"}
_EVENT_CODE_DIGITS = 3
_GROUP_DIGITS = 2
_ZONE_DIGITS = 3


class ContactIdError(Unsendable):
    """The event does not fit into Contact ID; the text says which number and what to do."""


class CidEvent(Struct, frozen=True, gc=False):
    """One Contact ID report. `account` is None where the block has none; `qualifier` is 1, 3 or 6; `code`, `group` and
    `zone` have three, two and three digits (0-9, A-F); group 00 and zone 000 mean none.
    """

    account: str | None
    qualifier: str
    code: str
    group: str
    zone: str


class Unreadable(Struct, frozen=True):
    """A block that is no Contact ID. `raw` is what it said, printable."""

    account: str | None
    raw: str


def read(data: bytes | str) -> CidEvent | Unreadable:
    """Read `#acct|QEEE GG ZZZ`. Never raises."""
    text = decoded(data)
    found = _BLOCK.match(text)
    if found is None:
        account = text[1:].partition("|")[0] if text.startswith("#") else ""
        return Unreadable(printable(account).strip() or None, printable(text))
    qualifier = found["q"].upper()
    return CidEvent(
        account=printable(found["account"] or "").strip() or None,
        qualifier=_QUALIFIERS.get(qualifier, qualifier),
        code=found["code"].upper(),
        group=found["group"].upper(),
        zone=found["zone"].upper(),
    )


def fields(qualifier: str, code: str, group: str | None, zone: str | None) -> tuple[str, str, str, str]:
    """Qualifier, three-digit code, two-digit group (00: none) and three-digit zone (000: none).

    Raises ContactIdError when one of them does not fit; digits are never cut (event-codes.md 3.1).
    """
    if qualifier not in ("1", "3", "6"):
        raise ContactIdError(f"{qualifier!r} is no Contact ID qualifier: 1, 3 and 6 exist")
    if len(code) != _EVENT_CODE_DIGITS or not _DIGITS.match(code.upper()):
        raise ContactIdError(f"{code!r} is no Contact ID event code: it has three digits")
    return (
        qualifier,
        code.upper(),
        _fitted("area", group or "", _GROUP_DIGITS),
        _fitted("zone or user", zone or "", _ZONE_DIGITS),
    )


def write(account: str, qualifier: str, code: str, group: str | None, zone: str | None) -> str:
    """`#6F01|1130 02 017`. Raises ContactIdError."""
    q, event, area, number = fields(qualifier, code, group, zone)
    return f"#{account}|{q}{event} {area} {number}"


def fits(number: str | None, digits: int) -> bool:
    """Whether an area (2 digits) or a zone or user (3 digits) can be written at all."""
    padded = _padded(number or "", digits)
    return len(padded) == digits and _DIGITS.match(padded) is not None


def _padded(number: str, digits: int) -> str:
    return number.upper().lstrip("0").rjust(digits, "0")


def _fitted(what: str, number: str, digits: int) -> str:
    padded = _padded(number, digits)
    if len(padded) != digits or not _DIGITS.match(padded):
        raise ContactIdError(
            f"{what} {number[:40]!r} does not fit into Contact ID, which has {digits} digits for it; "
            "give the device a shorter number for this station, or use the format SIA-DCS"
        )
    return padded
