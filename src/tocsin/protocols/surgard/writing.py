"""Write records 5, S, the heartbeat and 0, without their end mark. Everything raises Unsendable."""

import re
from datetime import datetime

from tocsin.protocols.errors import Unsendable

_RECEIVER = re.compile(r"[0-9A-F]{2}\Z", re.ASCII)
_LINE = re.compile(r"[0-9A-Z]{1,3}\Z", re.ASCII)
_CONTACT_ID_ACCOUNT = re.compile(r" *[0-9B-F]{1,16}\Z", re.ASCII)
_REPORT = re.compile(r"[136][0-9A-F]{3}[0-9A-F]{2}[0-9A-F]{3}\Z", re.ASCII)
_BLOCK = re.compile(rb"#[0-9A-Za-z]{1,16}\|[^\[\]\x00-\x1f\x7f]+\Z")
LETTERS = {"1": "E", "3": "R", "6": "P"}
"""Contact ID's qualifiers as Sur-Gard records write them."""


def header(receiver: str, line: str, line_digits: int) -> str:
    """RRL or RRLLL, filled with zeros: `header("1", "1", 3)` is `01001`."""
    number, place = receiver.upper().lstrip("0").rjust(2, "0"), line.upper()
    place = (place.lstrip("0") or "0").rjust(line_digits, "0")
    if not _RECEIVER.match(number):
        raise Unsendable(f"receiver number {receiver!r} is not 1 or 2 hexadecimal digits")
    if not _LINE.match(place) or len(place) != line_digits:
        raise Unsendable(f"line {line!r} does not fit into {line_digits} characters of the header")
    return number + place


def account(number: str, width: int, fill: str) -> str:
    """The account in exactly `width` characters, filled on the left; digits are never cut."""
    if len(number) > width:
        raise Unsendable(
            f"account {number} has more than {width} digits; raise account_width, or rename it in accounts"
        )
    return number.upper().rjust(width, fill)


def contact_id(head: str, number: str, code: str, group: str, zone: str) -> bytes:
    """`5011 181234E12101001`. `code` is the qualifier as a digit and the event code, `1121`."""
    if not _CONTACT_ID_ACCOUNT.match(number):
        raise Unsendable(f"account {number.strip()!r} cannot go into a Contact ID record: only 0 to 9 and B to F can")
    if not _REPORT.match(code + group + zone):
        raise Unsendable(f"{code} {group} {zone} is no Contact ID report")
    return f"5{head} 18{number}{LETTERS[code[0]]}{code[1:]}{group}{zone}".encode("ascii")


def sia2(head: str, block: bytes) -> bytes:
    """`S011[#1234|Nri1/BA01]` around a SIA data block."""
    if not _BLOCK.match(block):
        raise Unsendable("the SIA block holds brackets or control characters, or has no account")
    return f"S{head}[".encode("ascii") + block + b"]"


def heartbeat(receiver: str, line: str, line_digits: int) -> bytes:
    """`1011           @    `; with five digits the line is 000 (stations.md 6)."""
    head = header(receiver, line if line_digits == 1 else "000", line_digits)
    return f"1{head}{'@':>12}    ".encode("ascii")


def status(head: str, code: str) -> bytes:
    """`0011[#0000|NYC011]`: a word of the receiver about itself."""
    return f"0{head}[#0000|N{code}{head}]".encode("ascii")


def with_clock(record: bytes, moment: datetime) -> bytes:
    """The record with the clock option; `moment` is local time."""
    return record + f"{moment:%H:%M:%S-%d/%m}".encode("ascii")
