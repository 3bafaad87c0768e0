"""What nobody has published about the registry, each as a switch, and what can go wrong (clearance.md 20)."""

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from tocsin.standins.countdown import use_up

HOWS = ("silent", "close", "lost", "hang", "withdraw", "steal", "page")


class Assumptions(Struct, frozen=True):
    """Each can be had the other way."""

    spelling: Literal["first", "second", "last"] = "first"
    """Which of a field's accepted spellings answers use."""
    case: Literal["as-is", "upper", "lower"] = "as-is"
    list: Literal["array", "object"] = "array"
    """How jobs are listed."""
    lock_s: float = 60.0
    expiry: Literal["there", "absent", "null"] = "there"
    """Whether lock and renewal say until when."""
    token: bool = False
    """Whether a lock has a token, which must be sent back."""
    sas_s: float = 3600.0
    rights: str = "cw"
    again: Literal["other", "same"] = "other"
    """What InitializeUpload gives for a file of a name it has seen in this job: another blob, or the same."""
    date: bool = True
    """Whether answers carry a Date."""
    ahead_s: float = 0.0
    """How far the registry's clock is ahead."""
    token_s: float = 3600.0
    """Life of bearer tokens."""
    extra: bool = True
    """Whether InitializeUpload takes more than name and mimeType; else 400."""
    unknown: bool = True
    """Whether answers carry fields nobody knows."""
    refused: int = 409
    """Status of what is not the caller's."""
    gone: int = 404
    """Status of what was withdrawn."""


class Fault(Struct):
    """What calls of an operation meet, `times` times; 0: always. `after` calls go well before.

    `how`: an HTTP status, also `429:SECONDS` with Retry-After; silent (no answer); close; lost (carried out, then the
    connection ends); hang (carried out, and never answered); page (a web page); late:SECONDS; withdraw (the job is
    taken back at this moment); steal (another agent locks it before).
    """

    operation: str
    how: str
    times: int = 1
    after: int = 0

    def strikes(self, operation: str) -> bool:
        """Uses one up."""
        if self.operation not in (operation, "*"):
            return False
        if self.after and self.times >= 0:
            self.after -= 1
            return False
        return use_up(self)


def read_fault(text: str) -> Fault:
    """`OPERATION=HOW`, `OPERATION=HOW*TIMES`, `OPERATION=HOW*TIMES+AFTER`. Raises ValueError."""
    operation, _, rest = text.partition("=")
    how, _, counts = rest.partition("*")
    times, _, after = counts.partition("+")
    name, _, number = how.partition(":")
    known = (
        how in HOWS
        or (name.isdecimal() and 400 <= int(name) < 600 and (not number or number.isdecimal()))
        or (name == "late" and number.replace(".", "", 1).isdecimal())
    )
    if not operation or not known:
        raise ValueError(f"--fault {text}: expected OPERATION=HOW*TIMES+AFTER, HOW one of 503, 429:5, late:2, "
                         f"{', '.join(HOWS)}")  # fmt: skip
    if not (times or "0").isdecimal() or not (after or "0").isdecimal():
        raise ValueError(f"--fault {text}: {counts!r} is no number")
    return Fault(operation, how, int(times or 0), int(after or 0))


def read_assumptions(texts: Sequence[str]) -> Assumptions:
    """Of several `KEY=VALUE`. Raises ValueError."""
    given = dict(text.partition("=")[::2] for text in texts)
    if foreign := given.keys() - set(Assumptions.__struct_fields__):
        raise ValueError(f"--assume {min(foreign)}: there is {', '.join(Assumptions.__struct_fields__)}")
    try:
        return msgspec.convert(given, Assumptions, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"--assume: {error}") from None
